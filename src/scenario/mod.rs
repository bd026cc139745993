//! Scenario files, from TOML text to a checked [`Scenario`].
//!
//! The table of keys in `keys` is the one source of names, types, ranges, defaults and documentation: the checker, the
//! JSON Schema, `--set` and the completeness test of `scenarios/reference.toml` read it.

mod build;
mod check;
mod data_keys;
mod dynamics;
mod error;
mod keys;
mod load;
mod params;
mod policies;
mod programs;
mod raw;
mod reference;
mod schema;
mod scope;
mod sections;
mod settings;
mod user_keys;
mod value;
mod write;

pub use self::error::{Place, Problem, ScenarioError};
pub use self::keys::{DEFAULT_METRICS, DYNAMIC_KEYS, METRIC_NAMES, POLICY_KEYS, SECTIONS};
pub use self::programs::Program;
pub use self::reference::reference_text;
pub use self::schema::json_schema;
pub use self::write::to_toml;
pub use crate::dynamics::DynamicSpec;
pub use crate::params::{Key, Kind, Section, Variant};
pub use crate::policy::PolicySpec;

use crate::dataset::Cut;
use std::path::{Path, PathBuf};

/// A checked scenario. Only a `Scenario` reaches the simulation.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// Name shown in reports.
    pub name: String,
    /// The absolute folder of its file, from which relative paths start.
    pub folder: PathBuf,
    /// The question of the experiment, in a sentence (may be empty).
    pub question: String,
    /// Root of all random streams.
    pub seed: u64,
    /// Independent replications of each policy.
    pub replications: u32,
    /// Horizon in ticks.
    pub ticks: u32,
    /// Seconds in one tick (items age by it).
    pub tick_seconds: u64,
    /// Slots of a slate.
    pub slate: usize,
    /// Name of the policy that the others are compared with.
    pub baseline: String,
    /// Names of the metrics, in the order of the table.
    pub metrics: Vec<String>,
    /// The feedback log.
    pub data: DataSpec,
    /// The population.
    pub population: PopulationSpec,
    /// How users decide.
    pub user: UserSpec,
    /// When users come.
    pub arrival: ArrivalSpec,
    /// How long users stay.
    pub session: SessionSpec,
    /// The candidates of users.
    pub candidates: CandidateSpec,
    /// Settings of the computation; they change no result.
    pub engine: EngineSpec,
    /// The policies, in the order of the file; names are unique.
    pub policies: Vec<PolicySpec>,
    /// The dynamics of the run, in the order of the file; names are unique.
    pub dynamics: Vec<DynamicSpec>,
}

impl Scenario {
    /// The folder of its data or user model that is missing, with the key that names it.
    pub fn missing_folder(&self) -> Option<(&'static str, &Path)> {
        // The folder alone is not enough: that of the language model exists before the model is made.
        let has = |path: &Path, files: &[&str]| files.iter().any(|file| path.join(file).is_file());
        let spec = &self.user.model;
        let is_there = |path: &Path| match spec.kind.as_str() {
            "mirror" => has(path, &["card.toml"]),
            "language" => match spec.params.get("graph").and_then(toml::Value::as_str).unwrap_or_default() {
                "" => has(path, &["card.toml", "model.onnx", "onnx/model.onnx"]),
                graph => has(path, &[graph]),
            },
            _ => true,
        };
        if !self.data.path.is_dir() {
            return Some(("data.path", &self.data.path));
        }
        spec.path().filter(|path| !is_there(path)).map(|path| ("user.path", path))
    }
}

/// `[data]`
#[derive(Clone, Debug, PartialEq)]
pub struct DataSpec {
    /// The data set, a folder or a log in it, resolved against the scenario file's folder.
    pub path: PathBuf,
    /// `auto`, or a family of data sets.
    pub format: String,
    /// Share of each user's latest interactions that is held out.
    pub holdout: f64,
    /// Where the log is cut.
    pub cut: Cut,
    /// The default field of items for categories; empty: the widest one.
    pub item_field: String,
    /// The field of users whose categories define groups; empty: the widest one.
    pub user_field: String,
    /// The providers of the items.
    pub providers: ProviderSpec,
}

/// `data.providers`, `data.provider_field` and `data.provider_count`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderSpec {
    /// `column`, `category` or `seeded`.
    pub rule: String,
    /// The field of items that `column` and `category` read; empty: the data's provider field, and `item_field`.
    pub field: String,
    /// Providers of the rule `seeded`.
    pub count: u32,
}

/// `[population]`
#[derive(Clone, Debug, PartialEq)]
pub struct PopulationSpec {
    /// `None`: every user of the data once. `Some(n)`: n drawn with replacement.
    pub users: Option<u32>,
    /// Users with fewer interactions before the cut are left out.
    pub min_history: u32,
}

/// `[user]`
#[derive(Clone, Debug, PartialEq)]
pub struct UserSpec {
    /// The meaning of "accepted".
    pub accept: AcceptSpec,
    /// The lowest rating that counts as liking, on the scale of the data; `None`: level 4 of 5.
    pub like_at: Option<f64>,
    /// The rule by which slots are examined.
    pub examination: ExaminationRule,
    /// The probability that each slot is examined.
    pub examination_weights: ExaminationWeights,
    /// How often users accept.
    pub acceptance: AcceptanceSpec,
    /// Divides the logits of the choice before the acceptance level is set.
    pub temperature: f64,
    /// The user model.
    pub model: ModelSpec,
}

/// `user.examination_weights`
#[derive(Clone, Debug, PartialEq)]
pub enum ExaminationWeights {
    /// A weight for each slot; empty: the logarithmic discount.
    Given(Vec<f64>),
    /// Estimated from the impressions of the data.
    Log,
}

/// `user.accept`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcceptSpec {
    /// The user takes an item.
    Take,
    /// The user takes an item and likes it.
    Like,
}

impl AcceptSpec {
    /// The word in scenario files.
    pub fn word(self) -> &'static str {
        match self {
            AcceptSpec::Take => "take",
            AcceptSpec::Like => "like",
        }
    }
}

/// `user.examination`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExaminationRule {
    /// All slots.
    None,
    /// By position.
    Position,
    /// From the top until one is taken.
    Cascade,
}

impl ExaminationRule {
    /// The word in scenario files.
    pub fn word(self) -> &'static str {
        match self {
            ExaminationRule::None => "none",
            ExaminationRule::Position => "position",
            ExaminationRule::Cascade => "cascade",
        }
    }
}

/// `user.acceptance`
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AcceptanceSpec {
    /// Mean probability of accepting something from a slate of random candidates at the start.
    Share(f64),
    /// Fitted to the impressions of the log.
    Log,
}

/// The user model: its kind, and the keys of that kind.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelSpec {
    /// A kind of [`crate::Registry::users`].
    pub kind: String,
    /// Its parameters, defaults filled in.
    pub params: toml::Table,
}

impl ModelSpec {
    /// True if it is of this kind.
    pub fn is(&self, kind: &str) -> bool {
        self.kind == kind
    }

    /// The folder of the model, for kinds that have the key `path`.
    pub fn path(&self) -> Option<&Path> {
        self.params.get("path").and_then(toml::Value::as_str).map(Path::new)
    }
}

/// `[arrival]`
#[derive(Clone, Debug, PartialEq)]
pub struct ArrivalSpec {
    /// Mean probability that an absent user starts a session at a tick.
    pub probability: f64,
    /// `uniform`: the same for all; `log`: proportional to the user's interactions in the log (mean kept, capped at 1).
    pub rate: String,
}

/// `[session]`
#[derive(Clone, Debug, PartialEq)]
pub struct SessionSpec {
    /// The most slates of a session; one at each tick.
    pub slates: u32,
    /// Rejected slates in a row after which the user leaves the session; 0 = never.
    pub patience: u32,
    /// Sessions in a row without an acceptance after which the user never returns; 0 = never.
    pub leave_after: u32,
}

/// `[candidates]`
#[derive(Clone, Debug, PartialEq)]
pub struct CandidateSpec {
    /// `true`: items that the user has not accepted (in the log or the simulation); `false`: all items.
    pub unseen: bool,
}

/// `[engine]`
#[derive(Clone, Debug, PartialEq)]
pub struct EngineSpec {
    /// Rows of one inference call.
    pub chunk: usize,
    /// True if events are written to Parquet.
    pub events: bool,
    /// The most megabytes of the estimated need of a run; 0: the free memory.
    pub memory_mb: usize,
    /// Megabytes for the cache of a language model.
    pub cache_mb: usize,
}

#[cfg(test)]
mod tests;
