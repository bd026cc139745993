//! Continuation of a stopped run.
//!
//! Plays its logs back and simulates the rest.
//!
//! Nothing but the logs is read. A trial that was complete is counted again from its log. One that was stopped begins at tick 0
//! with a fresh policy and takes the users' answers from its log, which costs no inference, until the log ends; there its
//! digest must be the one of the stopped run. So a run that was stopped has the digest of one that was not, for every
//! policy and every dynamic, and none has to know how to store itself.

use super::{Finished, RunOptions, decisions_beside, file_name};
use crate::experiment::manifest::{DecisionFileRecord, TrialRecord};
use crate::experiment::prepare::{Experiment, ExperimentError};
use crate::experiment::results::TrialResult;
use crate::experiment::ties::listed;
use crate::experiment::trial_sink::{Tally, TrialSink};
use crate::files::FileRecord;
use crate::log::{DecisionBatch, EventBatch, EventSink, LogError, NoSink, Recording};
use crate::metrics::MetricSet;
use crate::scenario::PolicySpec;
use crate::simulation::{ShortSlates, TickError, Training};
use std::path::{Path, PathBuf};

/// A stopped run.
#[derive(Clone, Copy)]
pub struct Stopped<'a> {
    /// Its folder.
    pub folder: &'a Path,
    /// The trials of its manifest.
    pub trials: &'a [TrialRecord],
    /// The files of its manifest.
    pub files: &'a [FileRecord],
}

impl Stopped<'_> {
    /// Its outputs of a trial; `None` when the trial was not begun, or its events were not kept.
    pub(super) fn trial(&self, policy: &str, replication: u32) -> Option<&TrialRecord> {
        let mut trials = self.trials.iter().filter(|trial| trial.policy == policy && trial.replication == replication);
        trials.next().filter(|trial| trial.events.is_some())
    }

    /// How many replications it began.
    pub(in crate::experiment) fn replications(&self) -> u32 {
        self.trials.iter().map(|trial| trial.replication + 1).max().unwrap_or(0)
    }

    /// The log of a trial.
    pub(super) fn recording(&self, record: &TrialRecord, seed: u64) -> Result<Recording, LogError> {
        for file in record.files().into_iter().flatten() {
            listed(self.files, self.folder, file)?;
        }
        let [events, decisions] = self.files(record);
        Recording::open(&events.unwrap_or_default(), &record.trial_name(seed), decisions.as_deref(), record.ticks)
    }

    /// The files of events and decisions.
    fn files(&self, record: &TrialRecord) -> [Option<PathBuf>; 2] {
        record.files().map(|file| file.map(|file| self.folder.join(file)))
    }
}

impl Experiment {
    /// A trial as the stopped run has it, complete or not.
    pub(super) fn kept_trial(
        &self,
        spec: &PolicySpec,
        number: usize,
        record: &TrialRecord,
        options: &RunOptions<'_>,
        stopped: &Stopped<'_>,
    ) -> Result<Finished, ExperimentError> {
        let population = self.users(record.replication)?;
        let metrics = MetricSet::of(self.metrics(), &self.background(&population));
        let mut sink = TrialSink::new(metrics, self.start.catalogue.clone(), &population.sources, Box::new(NoSink));
        let mut recording = stopped.recording(record, self.scenario.seed)?;
        for tick in 0..record.ticks {
            let (mut events, decisions) = recording.tick(tick)?;
            if events.is_empty() {
                events = EventBatch { tick, slate: self.scenario.slate, ..EventBatch::default() };
            }
            sink.write(&events)?;
            if !decisions.is_empty() {
                sink.decide(&DecisionBatch { tick, users: &events.users, decisions: &decisions })?;
            }
        }
        let tally = sink.tally();
        check(record, record.ticks, tally)?;
        let file = options.events.map(|_| file_name(number, &spec.name, record.replication));
        let path = options.events.zip(file.as_ref()).map(|(folder, file)| folder.join(file));
        let beside = path.as_deref().map(decisions_beside);
        for (from, to) in stopped.files(record).iter().zip([&path, &beside]) {
            if let (Some(from), Some(to)) = (from, to) {
                keep(from, to)?;
            }
        }
        let result = tally.result(spec, record.replication, record.seconds, record.short());
        let decisions = DecisionFileRecord::of(&tally.decisions, beside.as_deref());
        Ok(Finished { result, ticks: record.ticks, file, decisions, training: trained(record) })
    }
}

impl ExperimentError {
    /// Returns true if it is about what `folder` has of a run that this one goes on from.
    pub fn is_of_stopped(&self, folder: &Path) -> bool {
        match self {
            ExperimentError::Stopped { .. } | ExperimentError::Tick(TickError::Recorded { .. }) => true,
            ExperimentError::Log(log) | ExperimentError::Tick(TickError::Log { source: log, .. }) => {
                log.path().starts_with(folder)
            }
            _ => false,
        }
    }
}

/// Returns true if what was counted in so many ticks is what the stopped run had counted, where that ended.
pub(super) fn check(record: &TrialRecord, ticks: u32, tally: &Tally) -> Result<(), ExperimentError> {
    if record.ticks != ticks {
        return Ok(());
    }
    let digest = record.decisions.as_ref().map(|decisions| decisions.digest.clone());
    let events = tally.digest.finish().to_string() == record.digest;
    let decisions = digest.is_none_or(|digest| digest == tally.decisions.digest().to_string());
    if events && decisions {
        return Ok(());
    }
    let what = if events { "decisions" } else { "events" };
    Err(ExperimentError::Stopped { policy: record.policy.clone(), replication: record.replication, what })
}

impl Tally {
    /// The result of the trial whose events were counted.
    pub(super) fn result(&self, spec: &PolicySpec, replication: u32, seconds: f64, short: ShortSlates) -> TrialResult {
        TrialResult {
            policy: spec.name.clone(),
            replication,
            ticks: self.ticks.clone(),
            finals: self.metrics.finals(),
            curves: self.metrics.curves(),
            digest: self.digest.finish().to_string(),
            steps: self.steps,
            seconds,
            short,
            users: self.users.totals().clone(),
        }
    }
}

fn trained(record: &TrialRecord) -> Training {
    let seconds = record.training;
    Training {
        before: seconds.before,
        during: seconds.during,
        longest: seconds.longest,
        longest_tick: seconds.longest_tick,
    }
}

/// A file under a second name, or a copy where the file system has no such names.
fn keep(from: &Path, to: &Path) -> Result<(), ExperimentError> {
    let io = |source| LogError::Io { path: to.to_owned(), source };
    if let Some(folder) = to.parent() {
        std::fs::create_dir_all(folder).map_err(io)?;
    }
    std::fs::hard_link(from, to).or_else(|_| std::fs::copy(from, to).map(|_| ())).map_err(io)?;
    Ok(())
}
