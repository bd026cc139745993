//! Scenario files, from TOML text to a checked [`Scenario`].
//!
//! The table of keys in `keys`, with the structs of `specs`, is the one source of names, types, ranges, defaults and documentation: the checker, the
//! JSON Schema, `--set` and the completeness test of `scenarios/reference.toml` read it.

mod build;
mod check;
mod error;
mod keys;
mod lists;
mod load;
mod params;
mod programs;
mod raw;
mod reference;
mod schema;
mod scope;
mod sections;
mod settings;
mod specs;
mod user_keys;
mod value;
mod write;

pub use self::error::{Place, Problem, ScenarioError};
pub use self::keys::{DEFAULT_METRICS, DYNAMIC_KEYS, METRIC_NAMES, POLICY_KEYS, SECTIONS};
pub use self::programs::Program;
pub use self::reference::reference_text;
pub use self::schema::json_schema;
pub use self::specs::{
    ArrivalRate, ArrivalSpec, CandidateRule, CandidateSpec, DataSpec, EngineSpec, PopulationSpec, ProviderRule,
    SessionSpec,
};
pub use self::write::to_toml;
pub use crate::dynamics::DynamicSpec;
pub use crate::params::{Key, Kind, Section, Variant};
pub use crate::policy::PolicySpec;

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

#[cfg(test)]
mod tests;
