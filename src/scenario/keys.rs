//! The table of all scenario keys.
//!
//! Names, ranges, defaults, documentation.
//!
//! Defaults are only here. The checker, the JSON Schema, `--set`, the reference file and [`super::to_toml`] read this
//! table; the keys of a kind are in its own file, see [`parameters!`](crate::parameters).

use super::data_keys::DATA;
use super::user_keys::{USER, USER_KINDS};
use crate::metrics;
use crate::params::{Key, Kind, Section, number, text, whole, word};

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

/// The table name of the policies.
pub const POLICY: &str = "policy";

/// The purpose of the `[[policy]]` tables.
pub const POLICY_HEADING: &str = "The policies that compete, one [[policy]] table each. All of them have the same \
                                  users, arrivals and random numbers, so their differences are paired.";

/// The keys of every `[[policy]]`, in addition to those of its kind.
pub const POLICY_KEYS: &[Key] = &[
    Key { name: "kind", doc: "What the policy does; each kind has its own keys.", kind: Kind::Text { default: None } },
    text("name", "Name in reports and in `--set policy.NAME.KEY=VALUE`, unique within the file. Empty: the kind.", ""),
];

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

/// The table name of the dynamics.
pub const DYNAMIC: &str = "dynamic";

/// The purpose of the `[[dynamic]]` tables.
pub const DYNAMIC_HEADING: &str = "Changes during the run, one [[dynamic]] table each; by default there are none. \
    They act on all policies alike. The strengths below are 0, at which a dynamic changes nothing; \
                                   docs/reference/dynamics.md has the formulas.";

/// The keys of every `[[dynamic]]`, in addition to those of its kind.
pub const DYNAMIC_KEYS: &[Key] = &[
    Key { name: "kind", doc: "What changes; each kind has its own keys.", kind: Kind::Text { default: None } },
    text(
        "name",
        "Name in messages and in `--set dynamic.NAME.KEY=VALUE`, unique within the file. Empty: the kind.",
        "",
    ),
];

/// All sections in the order of the reference file, the top of the file first; policies come after them.
pub const SECTIONS: &[Section] = &[
    Section { name: "", heading: "What is asked, and how large the experiment is.", keys: ROOT, variants: &[] },
    Section { name: "data", heading: "The feedback log that the simulation starts from.", keys: DATA, variants: &[] },
    Section { name: "population", heading: "Who the simulated users are.", keys: POPULATION, variants: &[] },
    Section { name: "user", heading: "How the users decide.", keys: USER, variants: USER_KINDS },
    Section { name: "arrival", heading: "When the users come.", keys: ARRIVAL, variants: &[] },
    Section { name: "session", heading: "How long the users stay.", keys: SESSION, variants: &[] },
    Section { name: "candidates", heading: "What the users may be shown.", keys: CANDIDATES, variants: &[] },
    Section {
        name: "engine",
        heading: "How the run is computed; nothing here changes a result.",
        keys: ENGINE,
        variants: &[],
    },
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

const POPULATION: &[Key] = &[
    Key {
        name: "users",
        doc: "Number of simulated users, drawn from the users of the data with replacement; `all` takes every user of \
              the data once.",
        kind: Kind::WordOrInteger { words: &["all"], min: 1, max: 10_000_000, default: Some("all") },
    },
    whole(
        "min_history",
        "The least interactions of a user before the holdout; users with fewer are left out.",
        (0, 1_000_000),
        5,
    ),
];

const ARRIVAL: &[Key] = &[
    number("probability", "Mean probability that an absent user starts a session at a tick.", (0.0, 1.0), 0.5),
    word(
        "rate",
        "How the probability is spread over the users: `uniform` is the same for all, `log` is proportional to the \
         number of a user's interactions in the log (the mean is kept, no user exceeds 1).",
        &["uniform", "log"],
        "log",
    ),
];

const SESSION: &[Key] = &[
    whole("slates", "The most slates of a session; a session has one slate a tick.", (1, 10_000), 5),
    whole(
        "patience",
        "Rejected slates in a row after which a user ends the session; 0 means that rejection never ends it.",
        (0, 1_000_000),
        3,
    ),
    whole(
        "leave_after",
        "Sessions in a row without an acceptance after which a user leaves for good; 0 means never.",
        (0, 1_000_000),
        0,
    ),
];

const CANDIDATES: &[Key] = &[word(
    "rule",
    "`unseen` offers a user only items that the user has accepted neither in the log nor in the run; `repeats` \
     offers all items.",
    &["unseen", "repeats"],
    "unseen",
)];

const ENGINE: &[Key] = &[
    // Never 1: another kernel computes a matrix product of one row and rounds differently.
    whole("chunk", "Scenes that go through the user model in one call.", (2, 65_536), 128),
    Key {
        name: "events",
        doc: "Write every event to Parquet files in the run's folder. `story` and `replay` need them.",
        kind: Kind::Bool { default: Some(true) },
    },
    whole(
        "memory_mb",
        "The most megabytes that a run may need, by an estimate before it starts; 0 means the free memory. A run \
         that would need more does not start.",
        (0, 1 << 30),
        0,
    ),
    whole(
        "cache_mb",
        "Megabytes for the cache of texts that a language model has read; all policies and replications share it.",
        (0, 1 << 20),
        1_024,
    ),
];
