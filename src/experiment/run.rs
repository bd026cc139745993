//! Policies x replications under common random numbers.

mod against;
mod continuation;
mod event_files;
mod parts;

pub use self::continuation::Stopped;
pub use self::parts::Part;

use self::event_files::{decisions_beside, file_name};
use super::manifest::{DecisionFileRecord, TrialRecord, UntilRecord};
use super::prepare::{Experiment, ExperimentError};
use super::progress::{Progress, TickDone};
use super::results::TrialResult;
use super::trial_sink::TrialSink;
use crate::experiment::trials::side_by_side;
use crate::log::{DecisionSink, EventSink, NoSink, ParquetWriter, TrialName};
use crate::metrics::MetricSet;
use crate::scenario::PolicySpec;
use crate::simulation::{Population, Training, Trial};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Options of a run; they do not change a result.
pub struct RunOptions<'a> {
    /// Folder for the event logs; rationales go to `decisions` beside it. `None`: events are counted and not written.
    pub events: Option<&'a Path>,
    /// The receiver of progress.
    pub progress: &'a dyn Progress,
    /// A flag that stops the run after the current tick.
    pub stop: &'a AtomicBool,
    /// The stopped run that this one continues.
    pub stopped: Option<Stopped<'a>>,
}

/// The output of a run.
#[derive(Default)]
pub struct Outcome {
    /// One entry for each trial, by policy in the order of the scenario, then replication.
    pub trials: Vec<TrialResult>,
    /// Ticks that each trial completed, in the same order.
    pub ticks: Vec<u32>,
    /// The event log of each trial, in the same order, if events were written.
    pub files: Vec<Option<String>>,
    /// The rationales of each trial's users, in the same order, if the user model writes them.
    pub decisions: Vec<Option<DecisionFileRecord>>,
    /// The training times of each trial's policy, in the same order.
    pub training: Vec<Training>,
    /// The policies that failed, each with its first failing replication; they have no trials here.
    pub failures: Vec<TrialFailure>,
    /// Replications that were begun: those of the scenario, or fewer if a rule was met.
    pub replications: u32,
    /// True if the run was stopped before its end.
    pub interrupted: bool,
    /// The rule of [`Experiment::run_until`], and the reason for the end of the run.
    pub until: Option<UntilRecord>,
}

/// A policy that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrialFailure {
    /// Name of the policy.
    pub policy: String,
    /// The first replication in which it failed.
    pub replication: u32,
    /// The error; it names policy, step and user as far as they are known.
    pub problem: String,
}

/// A policy in a replication with its result; `None` if it was not begun.
pub(super) struct TrialOutcome {
    replication: u32,
    policy: usize,
    finished: Option<Result<Finished, ExperimentError>>,
}

/// The final values of a policy in a metric, one for each of its trials, replications ascending.
pub(super) fn finals_of(trials: &[TrialOutcome], policy: usize, metric: usize) -> Vec<Option<f64>> {
    let of_policy = trials.iter().filter(|trial| trial.policy == policy);
    let last =
        |trial: &TrialOutcome| trial.finished.as_ref()?.as_ref().ok()?.result.finals.get(metric).copied().flatten();
    of_policy.map(last).collect()
}

/// One finished or stopped trial.
#[derive(Clone, Serialize, Deserialize)]
struct Finished {
    result: TrialResult,
    ticks: u32,
    file: Option<String>,
    decisions: Option<DecisionFileRecord>,
    training: Training,
}

impl Finished {
    fn record(&self) -> TrialRecord {
        TrialRecord::new(&self.result, self.ticks, self.file.as_deref(), &self.training, self.decisions.as_ref())
    }
}

/// The signals that stop trials before their end.
pub(super) struct Brakes<'a> {
    stop: &'a AtomicBool,
    /// Set if the run itself failed, not one of its policies.
    failed: AtomicBool,
    /// The first failing replication of each policy; `u32::MAX` without a failure.
    first_failures: Vec<AtomicU32>,
}

impl Brakes<'_> {
    pub(super) fn all(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || self.failed.load(Ordering::Relaxed)
    }

    pub(super) fn has_failed(&self, policy: usize) -> bool {
        self.first_failures[policy].load(Ordering::Relaxed) < u32::MAX
    }

    pub(super) fn every_policy_failed(&self) -> bool {
        (0..self.first_failures.len()).all(|policy| self.has_failed(policy))
    }

    /// Records the policies that failed in trials that ran elsewhere.
    pub(super) fn note(&self, trials: &[TrialOutcome]) {
        for trial in
            trials.iter().filter(|trial| matches!(&trial.finished, Some(Err(problem)) if problem.is_of_policy()))
        {
            self.first_failures[trial.policy].fetch_min(trial.replication, Ordering::Relaxed);
        }
    }

    /// True if the trial is not needed, because its policy failed in an earlier replication. Earlier replications
    /// continue, so that the reported failure does not depend on which trial was faster.
    fn holds(&self, policy: usize, replication: u32) -> bool {
        self.all() || self.first_failures[policy].load(Ordering::Relaxed) < replication
    }
}

impl Experiment {
    /// Runs every policy in every replication. A policy that breaks its contract or fails is in [`Outcome::failures`],
    /// and the others continue without it.
    ///
    /// # Errors
    /// When the run itself fails (the user model, the event logs), or every policy does.
    pub fn run(&self, options: &RunOptions<'_>) -> Result<Outcome, ExperimentError> {
        let replications = self.scenario.replications;
        let trials = self.run_trials(0..replications, options, &self.brakes(options));
        self.gather(trials, replications, options)
    }

    pub(super) fn brakes<'a>(&self, options: &RunOptions<'a>) -> Brakes<'a> {
        Brakes {
            stop: options.stop,
            failed: AtomicBool::new(false),
            first_failures: self.scenario.policies.iter().map(|_| AtomicU32::new(u32::MAX)).collect(),
        }
    }

    /// Runs every policy in some replications.
    pub(super) fn run_trials(
        &self,
        replications: Range<u32>,
        options: &RunOptions<'_>,
        brakes: &Brakes<'_>,
    ) -> Vec<TrialOutcome> {
        // Replications are the outer loop, so a stopped run has complete replications of all policies.
        let order: Vec<(u32, usize)> = replications
            .flat_map(|replication| (0..self.scenario.policies.len()).map(move |policy| (replication, policy)))
            .collect();
        let trial = |&(replication, policy): &(u32, usize)| {
            let finished = if brakes.holds(policy, replication) {
                self.kept(policy, replication, options, brakes)
            } else {
                Some(self.guarded_trial(policy, replication, options, brakes))
            };
            match &finished {
                Some(Err(problem)) if problem.is_of_policy() => {
                    brakes.first_failures[policy].fetch_min(replication, Ordering::Relaxed);
                }
                Some(Err(_)) => brakes.failed.store(true, Ordering::Relaxed),
                Some(Ok(trial)) if trial.ticks == self.scenario.ticks => options.progress.trial(&trial.record()),
                Some(Ok(_)) | None => {}
            }
            TrialOutcome { replication, policy, finished }
        };
        let mut trials: Vec<TrialOutcome> = side_by_side(&order, trial);
        self.set_against(&mut trials);
        trials
    }

    /// Outputs of a trial that will not be restarted, from the run that this one continues: they must not be lost.
    fn kept(
        &self,
        policy: usize,
        replication: u32,
        options: &RunOptions<'_>,
        brakes: &Brakes<'_>,
    ) -> Option<Result<Finished, ExperimentError>> {
        let spec = &self.scenario.policies[policy];
        let stopped = options.stopped.as_ref().filter(|_| brakes.all())?;
        let record = stopped.trial(&spec.name, replication)?;
        Some(self.kept_trial(spec, policy, record, options, stopped))
    }

    /// A trial whose panic counts as a failure of its policy.
    fn guarded_trial(
        &self,
        policy: usize,
        replication: u32,
        options: &RunOptions<'_>,
        brakes: &Brakes<'_>,
    ) -> Result<Finished, ExperimentError> {
        let spec = &self.scenario.policies[policy];
        // State that the trial has touched is not used afterwards.
        let trial = AssertUnwindSafe(|| self.run_trial(spec, policy, replication, options, brakes));
        std::panic::catch_unwind(trial).unwrap_or_else(|payload| {
            let text = payload.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no message");
            Err(ExperimentError::Panic { policy: spec.name.clone(), problem: text.to_owned() })
        })
    }

    /// Assembles the trials of the first `replications`.
    pub(super) fn gather(
        &self,
        trials: Vec<TrialOutcome>,
        replications: u32,
        options: &RunOptions<'_>,
    ) -> Result<Outcome, ExperimentError> {
        let mut finished = Vec::with_capacity(trials.len());
        // Replications come in ascending order, so the first failure of a policy is that of its first replication.
        let mut failed: BTreeMap<usize, (u32, ExperimentError)> = BTreeMap::new();
        for TrialOutcome { replication, policy, finished: outcome } in trials {
            match outcome {
                Some(Ok(trial)) => finished.push((policy, replication, trial)),
                Some(Err(problem)) if problem.is_of_policy() => {
                    failed.entry(policy).or_insert((replication, problem));
                }
                Some(Err(problem)) => return Err(problem),
                None => {}
            }
        }
        if failed.len() == self.scenario.policies.len()
            && let Some((_, (_, problem))) = failed.pop_first()
        {
            return Err(problem);
        }
        for (_, _, trial) in finished.iter().filter(|(policy, ..)| failed.contains_key(policy)) {
            // An incomplete set of a policy's replications cannot be compared.
            if let Some((folder, file)) = options.events.zip(trial.file.as_ref()) {
                let path = folder.join(file);
                let _ = std::fs::remove_file(decisions_beside(&path));
                let _ = std::fs::remove_file(path);
            }
        }
        finished.retain(|(policy, ..)| !failed.contains_key(policy));
        Ok(self.outcome(finished, failed, replications, options))
    }

    fn outcome(
        &self,
        mut finished: Vec<(usize, u32, Finished)>,
        failed: BTreeMap<usize, (u32, ExperimentError)>,
        replications: u32,
        options: &RunOptions<'_>,
    ) -> Outcome {
        finished.sort_by_key(|&(policy, replication, _)| (policy, replication));
        let wanted = (self.scenario.policies.len() - failed.len()) * replications as usize;
        let whole = finished.len() == wanted && finished.iter().all(|(_, _, trial)| trial.ticks == self.scenario.ticks);
        let name = |policy: usize| self.scenario.policies[policy].name.clone();
        let failures = failed.into_iter().map(|(policy, (replication, problem))| TrialFailure {
            policy: name(policy),
            replication,
            problem: problem.to_string(),
        });
        let mut outcome = Outcome {
            trials: Vec::new(),
            ticks: Vec::new(),
            files: Vec::new(),
            decisions: Vec::new(),
            training: Vec::new(),
            failures: failures.collect(),
            replications,
            interrupted: !whole && options.stop.load(Ordering::Relaxed),
            until: None,
        };
        for (_, _, trial) in finished {
            outcome.trials.push(trial.result);
            outcome.ticks.push(trial.ticks);
            outcome.files.push(trial.file);
            outcome.decisions.push(trial.decisions);
            outcome.training.push(trial.training);
        }
        outcome
    }

    /// Runs one policy in one replication.
    #[expect(clippy::disallowed_methods, reason = "the seconds of a trial are reported and never enter a result")]
    fn run_trial(
        &self,
        spec: &PolicySpec,
        number: usize,
        replication: u32,
        options: &RunOptions<'_>,
        brakes: &Brakes<'_>,
    ) -> Result<Finished, ExperimentError> {
        let started = std::time::Instant::now();
        let past =
            options.stopped.as_ref().and_then(|stopped| Some((stopped, stopped.trial(&spec.name, replication)?)));
        if let Some((stopped, record)) = past.filter(|(_, record)| record.ticks == self.scenario.ticks) {
            return self.kept_trial(spec, number, record, options, stopped);
        }
        let file = options.events.map(|_| file_name(number, &spec.name, replication));
        let path: Option<PathBuf> = options.events.zip(file.as_ref()).map(|(folder, file)| folder.join(file));
        let (mut trial, before) = self.begin(spec, replication, path.as_deref())?;
        if let Some((stopped, record)) = past {
            trial.recall(stopped.recording(record, self.scenario.seed)?);
        }
        let mut ticks = 0;
        while ticks < self.scenario.ticks && !brakes.holds(number, replication) {
            trial.tick()?;
            ticks += 1;
            let steps = trial.events().len() as u64;
            options.progress.tick(&TickDone { policy: &spec.name, replication, tick: ticks - 1, steps });
            past.map_or(Ok(()), |(_, record)| continuation::check(record, ticks, trial.sink().tally()))?;
        }
        if let Some((stopped, record)) = past.filter(|(_, record)| record.ticks > ticks) {
            return self.kept_trial(spec, number, record, options, stopped);
        }
        let (short, training) = (trial.short_slates(), Training { before, ..trial.training() });
        let sink = trial.finish()?;
        let counted = sink.tally();
        let result = counted.result(spec, replication, started.elapsed().as_secs_f64(), short);
        let decisions = DecisionFileRecord::of(&counted.decisions, path.as_deref().map(decisions_beside).as_deref());
        Ok(Finished { result, ticks, file, decisions, training })
    }

    /// A trial before its first tick, and the seconds that building its policy took.
    #[expect(clippy::disallowed_methods, reason = "the seconds of a trial are reported and never enter a result")]
    fn begin(
        &self,
        spec: &PolicySpec,
        replication: u32,
        path: Option<&Path>,
    ) -> Result<(Trial<TrialSink>, f64), ExperimentError> {
        let population = self.users(replication)?;
        let next = self.log(path, &spec.name, replication)?;
        let metrics = self.metric_set(&population)?;
        let sink = TrialSink::new(metrics, self.start.catalogue.clone(), &population.sources, next);
        let building = std::time::Instant::now();
        let trial = self.trial(spec, replication, &population, sink)?;
        Ok((trial, building.elapsed().as_secs_f64()))
    }

    /// The users of a replication.
    ///
    /// # Errors
    /// When no user of the log is eligible.
    pub fn users(&self, replication: u32) -> Result<Population, ExperimentError> {
        self.population(replication).ok_or_else(|| ExperimentError::NoUsers {
            data: self.data.name.clone(),
            min_history: self.scenario.population.min_history,
            most: 0,
        })
    }

    /// The scenario's metrics for these users, before the first event.
    ///
    /// # Errors
    /// When a metric does not exist.
    pub fn metric_set(&self, population: &Population) -> Result<MetricSet, ExperimentError> {
        Ok(MetricSet::of(self.metrics(), &self.background(population)))
    }

    /// The destination of a trial's events.
    fn log(&self, path: Option<&Path>, policy: &str, replication: u32) -> Result<Box<dyn EventSink>, ExperimentError> {
        Ok(match path {
            Some(path) => {
                let trial = TrialName { policy: policy.to_owned(), replication, seed: self.scenario.seed };
                let events = ParquetWriter::create(path, &trial, self.scenario.slate)?;
                Box::new(DecisionSink::new(decisions_beside(path), Box::new(events)))
            }
            None => Box::new(NoSink),
        })
    }
}
