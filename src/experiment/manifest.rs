//! `manifest.json`: the record from which a run can be repeated.

use super::acceptance::AcceptanceRecord;
use super::data_record::DataRecord;
use super::machine::{MachineRecord, machine_record};
use super::prepare::Experiment;
use super::rankers::RankerRecord;
use super::run::Outcome;
use super::until::Until;
use crate::files::{FileRecord, MOST_OF_MANIFEST, read_text};
use crate::log::{DecisionTally, Digest};
use crate::scenario::to_toml;
use crate::simulation::{ShortSlates, Training};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The version of the format.
const VERSION: u32 = 2;

/// A manifest that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The file is missing or not readable.
    #[error("cannot read {}: {source}; is this the folder of a run?", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// The file is not a manifest.
    #[error("{}: {problem}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// The problem.
        problem: String,
    },
}

/// The run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the format.
    pub version: u32,
    /// Version of recmirror.
    pub recmirror: String,
    /// `complete`; `interrupted`; or `partial`: some policies failed and are missing.
    pub status: String,
    /// The complete effective scenario as TOML, with every key and absolute paths.
    pub scenario: String,
    /// The folder of the scenario file; default folders are resolved from there.
    #[serde(default)]
    pub folder: Option<PathBuf>,
    /// Root of all random streams.
    pub seed: u64,
    /// The data set.
    pub data: DataRecord,
    /// The user model.
    pub user: UserRecord,
    /// The networks of policies. Manifests of earlier versions say `scorers`.
    #[serde(default, alias = "scorers", skip_serializing_if = "Vec::is_empty")]
    pub rankers: Vec<RankerRecord>,
    /// The machine, for models whose last bit depends on it.
    pub machine: MachineRecord,
    /// Policies x replications, in the order of the scenario. Manifests of earlier versions say `arms`.
    #[serde(alias = "arms")]
    pub trials: Vec<TrialRecord>,
    /// The stopping rule, if any; `scenario` then has the replications that ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<UntilRecord>,
    /// The policies that failed; they have no trials.
    #[serde(default)]
    pub failures: Vec<FailureRecord>,
    /// The digest over all trials' digests.
    pub digest: String,
    /// All other files of the folder; empty until the run is complete.
    #[serde(default)]
    pub files: Vec<FileRecord>,
}

/// A stopping rule and its outcome.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UntilRecord {
    /// The rule with its metric, such as `acceptance_rate ci<0.5%`.
    pub rule: String,
    /// True if it was met.
    pub met: bool,
    /// Why the run ended.
    pub reason: String,
    /// The maximum number of replications.
    pub most: u32,
    /// The replications that ran.
    pub ran: u32,
    /// The policy that the others are compared with.
    pub baseline: String,
    /// The intervals of the others at the last look.
    pub sequences: Vec<SequenceRecord>,
}

/// A policy's difference from the baseline, with an interval of a 95% confidence sequence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SequenceRecord {
    /// Name of the policy.
    pub policy: String,
    /// Mean over replications of policy minus baseline.
    pub difference: Option<f64>,
    /// Lower end; absent if the interval is infinite.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
}

/// A policy that failed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FailureRecord {
    /// Name of the policy.
    pub policy: String,
    /// The first replication in which it failed.
    pub replication: u32,
    /// The error message.
    pub problem: String,
}

/// How long a policy trained, in wall-clock seconds; no result depends on it.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct TrainingRecord {
    /// Building it and training on the log, before the first tick.
    pub before: f64,
    /// Learning from responses, in all ticks.
    pub during: f64,
    /// The longest training within one tick.
    pub longest: f64,
    /// That tick.
    pub longest_tick: u32,
}

/// The user model of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UserRecord {
    /// `parametric`, `mirror` or `language`.
    pub kind: String,
    /// Name of the model.
    pub name: String,
    /// Hash over its files; empty for a model without files.
    pub hash: String,
    /// The shift of the "reject all" logit that meets the acceptance level.
    pub reject_shift: f32,
    /// The meaning of "accepted", the examination of slots, and the source of the level.
    #[serde(default)]
    pub acceptance: AcceptanceRecord,
    /// Version of ONNX Runtime; empty if neither user model nor policies need it.
    pub runtime: String,
    /// Scenes that were too long for a language model and lost the oldest part of their history, including those of the
    /// probe for the acceptance level.
    #[serde(default)]
    pub shortened_scenes: u64,
    /// Notes about the model on this data set, for readers of the results.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// The file with the rationales of a trial's users, if the user model writes rationales.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionFileRecord {
    /// Decisions: one for each slate answered.
    pub lines: u64,
    /// Hash over the lines of the file.
    pub digest: String,
    /// The file inside the run's folder; absent if events were not written.
    pub file: Option<String>,
}

impl DecisionFileRecord {
    /// Describes a trial's decisions; `None` without decisions. `path` is their file.
    pub(super) fn of(tally: &DecisionTally, path: Option<&Path>) -> Option<DecisionFileRecord> {
        let name = path.and_then(Path::file_name).map(|name| format!("decisions/{}", name.to_string_lossy()));
        let record = || DecisionFileRecord { lines: tally.lines(), digest: tally.digest().to_string(), file: name };
        (tally.lines() > 0).then(record)
    }
}

/// One policy in one replication.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TrialRecord {
    /// Name of the policy.
    pub policy: String,
    /// The replication.
    pub replication: u32,
    /// Ticks completed.
    pub ticks: u32,
    /// Slates answered.
    pub user_steps: u64,
    /// Slates with fewer items than slots, the empty ones included.
    pub short_slates: u64,
    /// Short slates that hold all items left for their user.
    #[serde(default)]
    pub exhausted_slates: u64,
    /// Short slates without an item: visits that count although nothing was shown.
    #[serde(default)]
    pub empty_slates: u64,
    /// Wall-clock seconds; no result depends on it.
    pub seconds: f64,
    /// The part of them spent in training.
    #[serde(default)]
    pub training: TrainingRecord,
    /// Hash over the events.
    pub digest: String,
    /// The event log inside the run's folder; absent if events were not written.
    pub events: Option<String>,
    /// The users' rationales, if the user model writes them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decisions: Option<DecisionFileRecord>,
}

impl Manifest {
    /// Describes a run.
    pub fn new(experiment: &Experiment, outcome: &Outcome) -> Manifest {
        let trials = outcome.trials.iter().zip(&outcome.ticks).zip(&outcome.files);
        let more = outcome.training.iter().zip(&outcome.decisions);
        let record =
            |(((trial, &ticks), file), (training, decisions)): (((_, _), &Option<String>), (_, &Option<_>))| {
                TrialRecord::new(trial, ticks, file.as_deref(), training, decisions.as_ref())
            };
        let trials: Vec<TrialRecord> = trials.zip(more).map(record).collect();
        let digests = outcome.trials.iter().filter_map(|trial| Digest::parse(&trial.digest));
        Manifest {
            version: VERSION,
            recmirror: env!("CARGO_PKG_VERSION").to_owned(),
            status: status(outcome).to_owned(),
            scenario: to_toml(&experiment.scenario),
            folder: Some(experiment.scenario.folder.clone()),
            seed: experiment.scenario.seed,
            data: DataRecord::of(experiment),
            user: user_record(experiment),
            rankers: experiment.rankers.clone(),
            machine: machine_record(experiment),
            trials,
            until: outcome.until.clone(),
            failures: outcome.failures.iter().map(failure).collect(),
            digest: Digest::combine(digests).to_string(),
            files: Vec::new(),
        }
    }

    /// Describes a run that has just started: `resume` uses it if the run is killed.
    pub fn begun(experiment: &Experiment, until: Option<&Until>) -> Manifest {
        let outcome = Outcome {
            interrupted: true,
            until: until.map(|until| until.begun(experiment.scenario.replications)),
            ..Outcome::default()
        };
        Manifest::new(experiment, &outcome)
    }

    /// Reads the manifest of a run's folder.
    ///
    /// # Errors
    /// When there is none, or the file is no manifest.
    pub fn read(folder: &Path) -> Result<Manifest, ManifestError> {
        let path = folder.join("manifest.json");
        let text =
            read_text(&path, MOST_OF_MANIFEST).map_err(|source| ManifestError::Io { path: path.clone(), source })?;
        let manifest: Manifest = serde_json::from_str(&text)
            .map_err(|problem| ManifestError::Content { path: path.clone(), problem: problem.to_string() })?;
        if manifest.version != VERSION {
            let version = manifest.version;
            let problem = format!(
                "version {version} of the manifest, written by recmirror {}; this build reads version {VERSION}, which ties each \
                 file of the folder to the run: run the scenario again",
                manifest.recmirror
            );
            return Err(ManifestError::Content { path, problem });
        }
        if let Some(problem) = manifest.repeated_trial() {
            return Err(ManifestError::Content { path, problem });
        }
        Ok(manifest)
    }

    /// The path from which the scenario of the run in `run` is read: folders are resolved as they were then.
    pub fn origin(&self, run: &Path) -> PathBuf {
        self.folder.as_deref().unwrap_or(run).join("manifest.json")
    }

    /// The text of `manifest.json`.
    pub fn to_json(&self) -> String {
        // A value of strings and numbers always has a JSON form.
        serde_json::to_string_pretty(self).map(|text| text + "\n").unwrap_or_default()
    }
}

impl TrialRecord {
    /// Its slates with fewer items than slots.
    pub fn short(&self) -> ShortSlates {
        ShortSlates { short: self.short_slates, exhausted: self.exhausted_slates, empty: self.empty_slates }
    }

    pub(super) fn new(
        trial: &super::TrialResult,
        ticks: u32,
        file: Option<&str>,
        training: &Training,
        decisions: Option<&DecisionFileRecord>,
    ) -> TrialRecord {
        TrialRecord {
            policy: trial.policy.clone(),
            replication: trial.replication,
            ticks,
            user_steps: trial.steps,
            short_slates: trial.short.short,
            exhausted_slates: trial.short.exhausted,
            empty_slates: trial.short.empty,
            seconds: milliseconds(trial.seconds),
            training: seconds(training),
            digest: trial.digest.clone(),
            events: file.map(|file| format!("events/{file}")),
            decisions: decisions.cloned(),
        }
    }
}

fn status(outcome: &Outcome) -> &'static str {
    match (outcome.interrupted, outcome.failures.is_empty()) {
        (true, _) => "interrupted",
        (false, true) => "complete",
        (false, false) => "partial",
    }
}

fn failure(failure: &super::TrialFailure) -> FailureRecord {
    FailureRecord { policy: failure.policy.clone(), replication: failure.replication, problem: failure.problem.clone() }
}

fn seconds(training: &Training) -> TrainingRecord {
    TrainingRecord {
        before: milliseconds(training.before),
        during: milliseconds(training.during),
        longest: milliseconds(training.longest),
        longest_tick: training.longest_tick,
    }
}

fn milliseconds(seconds: f64) -> f64 {
    (seconds * 1e3).round() / 1e3
}

pub(super) fn user_record(experiment: &Experiment) -> UserRecord {
    let model = experiment.model().model();
    let (kind, card) = (model.kind(), experiment.card());
    let files = card.map(|card| (card.name.clone(), card.hash()));
    let files = files.or_else(|| model.identity().map(|identity| (identity.name.clone(), identity.hash.clone())));
    let runtime =
        if files.is_some() || !experiment.rankers.is_empty() { crate::onnx::Runtime::get().ok() } else { None };
    let (name, hash) = files.unwrap_or_else(|| (kind.to_owned(), String::new()));
    UserRecord {
        kind: kind.to_owned(),
        name,
        hash,
        reject_shift: experiment.model().reject_shift(),
        acceptance: experiment.acceptance().clone(),
        runtime: runtime.map(|runtime| runtime.version.clone()).unwrap_or_default(),
        shortened_scenes: model.shortened_scenes(),
        notes: model.notes(),
    }
}
