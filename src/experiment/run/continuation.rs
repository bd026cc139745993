//! Continuation of a stopped run.
//!
//! Plays the logs of a stopped run back and simulates the rest.
//!
//! Only the logs are read. A complete trial is counted again from its log. A stopped trial begins at tick 0 with a
//! fresh policy and takes the users' answers from its log, which costs no inference; where the log ends, the digest
//! must be that of the stopped run. So a resumed run has the digest of an uninterrupted one for every policy and
//! dynamic, and no policy or dynamic needs to store its state.

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
    /// The trial in the stopped run; `None` if it was not begun, or its events were not kept.
    pub(super) fn trial(&self, policy: &str, replication: u32) -> Option<&TrialRecord> {
        let mut trials = self.trials.iter().filter(|trial| trial.policy == policy && trial.replication == replication);
        trials.next().filter(|trial| trial.events.is_some())
    }

    /// The number of replications that it began.
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
    /// A trial of the stopped run, complete or not.
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
    /// True if the error is about files in `folder` of the run that this one continues.
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

/// True if the counts after so many ticks equal those of the stopped run at its end.
pub(super) fn check(record: &TrialRecord, ticks: u32, tally: &Tally) -> Result<(), ExperimentError> {
    if record.ticks != ticks {
        return Ok(());
    }
    let thought = record.decisions.as_ref().map(|decisions| decisions.digest.clone());
    let events = tally.digest.finish().to_string() == record.digest;
    let decisions = thought.is_none_or(|digest| digest == tally.decisions.digest().to_string());
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

/// Gives a file a second name, or copies it if the file system has no links.
fn keep(from: &Path, to: &Path) -> Result<(), ExperimentError> {
    let io = |source| LogError::Io { path: to.to_owned(), source };
    if let Some(folder) = to.parent() {
        std::fs::create_dir_all(folder).map_err(io)?;
    }
    std::fs::hard_link(from, to).or_else(|_| std::fs::copy(from, to).map(|_| ())).map_err(io)?;
    Ok(())
}
