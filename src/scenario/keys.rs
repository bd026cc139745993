//! The table of all scenario keys.
//!
//! Names, ranges, defaults, documentation.
//!
//! The checker, the JSON Schema, `--set`, the reference file and [`super::to_toml`] read this table. Most sections are structs of
//! [`super::specs`], the keys of a kind are next to it, see [`parameters!`](crate::parameters); the others are here, and their
//! defaults nowhere else.

use super::specs::{ArrivalSpec, CandidateSpec, DataSpec, EngineSpec, PopulationSpec, SessionSpec, section};
use super::user_keys::{USER, USER_KINDS};
use crate::metrics;
use crate::params::{Key, Kind, KindList, Section, text, whole};

/// The metrics that a scenario may name, in the order of the reports.
pub const METRIC_NAMES: &[&str] = &metrics::NAMES;

/// The word for every metric in a scenario file.
pub(super) const ALL_METRICS: &str = "all";

/// The words of the key `metrics`: the metrics, then the word for all of them.
const METRIC_WORDS: &[&str] = &{
    let mut words = [ALL_METRICS; METRIC_NAMES.len() + 1];
    let mut place = 0;
    while place < METRIC_NAMES.len() {
        words[place] = METRIC_NAMES[place];
        place += 1;
    }
    words
};

/// The default metrics: those that cost next to nothing.
pub const DEFAULT_METRICS: &[&str] = METRIC_NAMES.split_at(6).0;

/// The keys that every `[[policy]]` has besides those of its kind.
pub const POLICY_KEYS: &[Key] = &[
    Key { name: "kind", doc: "What the policy does; each kind has its own keys.", kind: Kind::Text { default: None } },
    text("name", "Name in reports and in `--set policy.NAME.KEY=VALUE`, unique within the file. Empty: the kind.", ""),
];

/// The policies.
pub const POLICIES: KindList = KindList {
    name: "policy",
    plural: "policies",
    heading: "The policies that compete, one [[policy]] table each. All of them have the same users, arrivals and random numbers, so their differences are paired.",
    keys: POLICY_KEYS,
};

/// The keys of an inner policy, in addition to those of its kind. It has no name, because reports name the outer
/// policy.
pub const INNER_KEYS: &[Key] = &[POLICY_KEYS[0]];

/// The keys of a policy in a list of policies.
pub const PART_KEYS: &[Key] = &[
    POLICY_KEYS[0],
    Key {
        name: "weight",
        doc: "Share of this policy, relative to the others of the list.",
        kind: Kind::Number { min: 1e-6, max: 1e6, default: Some(1.0) },
    },
];

/// The keys that every `[[dynamic]]` has besides those of its kind.
pub const DYNAMIC_KEYS: &[Key] = &[
    Key { name: "kind", doc: "What changes; each kind has its own keys.", kind: Kind::Text { default: None } },
    text(
        "name",
        "Name in messages and in `--set dynamic.NAME.KEY=VALUE`, unique within the file. Empty: the kind.",
        "",
    ),
];

/// The dynamics.
pub const DYNAMICS: KindList = KindList {
    name: "dynamic",
    plural: "dynamics",
    heading: "Changes during the run, one [[dynamic]] table each; by default there are none. They act on all policies alike. The strengths below are 0, at which a dynamic changes nothing; docs/reference/dynamics.md has the formulas.",
    keys: DYNAMIC_KEYS,
};

/// All sections in the order of the reference file, the top of the file first; policies come after them.
pub const SECTIONS: &[Section] = &[
    Section { name: "", heading: "What is asked, and how large the experiment is.", keys: ROOT, variants: &[] },
    section::<DataSpec>(),
    section::<PopulationSpec>(),
    Section { name: "user", heading: "How the users decide.", keys: USER, variants: USER_KINDS },
    section::<ArrivalSpec>(),
    section::<SessionSpec>(),
    section::<CandidateSpec>(),
    section::<EngineSpec>(),
];

const ROOT: &[Key] = &[
    text("name", "Name of the experiment in reports. Empty: the file's name without `.toml`.", ""),
    text("question", "What the experiment asks, in a sentence; it heads the report.", ""),
    whole(
        "seed",
        "Root of all random draws. The same scenario, seed and version give the same run, bit for bit.",
        (0, i64::MAX),
        1,
    ),
    whole(
        "replications",
        "Independent repetitions of each policy, each with its own draws; confidence intervals need at least 2.",
        (1, 1000),
        5,
    ),
    whole("ticks", "Horizon of the simulation, in ticks.", (1, 100_000), 50),
    whole(
        "tick_seconds",
        "Simulated seconds of one tick; items age by it. 86400 is a day.",
        (1, 1_000_000_000),
        86_400,
    ),
    whole("slate", "Items shown to one user at one tick.", (1, 100), 10),
    text("baseline", "Name of the policy with which the others are compared. Empty: the first policy of the file.", ""),
    Key {
        name: "metrics",
        doc: "What is measured at every tick and over the whole run; docs/reference/metrics.md explains each. `all` selects \
              every metric, at its cost.",
        kind: Kind::Words { words: METRIC_WORDS, default: DEFAULT_METRICS },
    },
];
