//! Policies x replications under common random numbers.

use super::arm::ArmSink;
use super::prepare::{Experiment, ExperimentError};
use super::results::ArmResult;
use crate::log::{EventSink, NoSink, ParquetWriter};
use crate::metrics::MetricSet;
use crate::policy::{Policy, PolicyContext};
use crate::random::Streams;
use crate::scenario::{Params, PolicySpec};
use crate::tick::{Setup, Simulation};
use crate::world::Population;
use rayon::prelude::*;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Hears of each completed tick, from any thread.
pub trait Progress: Sync {
    /// One tick of one arm is done; `steps` users saw a slate in it.
    fn tick(&self, steps: u64);
}

/// Hears nothing.
pub struct NoProgress;

impl Progress for NoProgress {
    fn tick(&self, _: u64) {}
}

/// How a run is carried out; nothing here changes a result.
pub struct RunOptions<'a> {
    /// Folder for the event logs; `None`: events are counted and not written.
    pub events: Option<&'a Path>,
    /// Who hears of progress.
    pub progress: &'a dyn Progress,
    /// Set it to stop after the current tick.
    pub stop: &'a AtomicBool,
}

/// What a run gave.
pub struct Outcome {
    /// One entry for each arm, by policy in the order of the scenario, then replication.
    pub arms: Vec<ArmResult>,
    /// Ticks that each arm completed, in the same order.
    pub ticks: Vec<u32>,
    /// The event log of each arm, in the same order, when events were written.
    pub files: Vec<Option<String>>,
    /// Whether the run was stopped before its end.
    pub interrupted: bool,
}

/// One finished or stopped arm.
struct Finished {
    result: ArmResult,
    ticks: u32,
    file: Option<String>,
}

impl Experiment {
    /// Runs every policy in every replication.
    ///
    /// # Errors
    /// The first arm that fails stops the run.
    pub fn run(&self, options: &RunOptions<'_>) -> Result<Outcome, ExperimentError> {
        let replications = self.scenario.replications;
        // Replications outermost, so that a stopped run has whole replications of all policies.
        let order: Vec<(u32, usize)> = (0..replications)
            .flat_map(|replication| (0..self.scenario.policies.len()).map(move |policy| (replication, policy)))
            .collect();
        let failed = AtomicBool::new(false);
        let outcomes: Vec<Option<Result<Finished, ExperimentError>>> = order
            .par_iter()
            .with_max_len(1)
            .map(|&(replication, policy)| {
                if failed.load(Ordering::Relaxed) || options.stop.load(Ordering::Relaxed) {
                    return None;
                }
                let finished = self.arm(&self.scenario.policies[policy], policy, replication, options, &failed);
                if finished.is_err() {
                    failed.store(true, Ordering::Relaxed);
                }
                Some(finished)
            })
            .collect();
        self.gather(&order, outcomes, options)
    }

    fn gather(
        &self,
        order: &[(u32, usize)],
        outcomes: Vec<Option<Result<Finished, ExperimentError>>>,
        options: &RunOptions<'_>,
    ) -> Result<Outcome, ExperimentError> {
        let mut finished = Vec::with_capacity(order.len());
        for (&(replication, policy), outcome) in order.iter().zip(outcomes) {
            if let Some(outcome) = outcome {
                finished.push((policy, replication, outcome?));
            }
        }
        finished.sort_by_key(|&(policy, replication, _)| (policy, replication));
        let whole =
            finished.len() == order.len() && finished.iter().all(|(_, _, arm)| arm.ticks == self.scenario.ticks);
        let interrupted = !whole && options.stop.load(Ordering::Relaxed);
        let mut outcome = Outcome { arms: Vec::new(), ticks: Vec::new(), files: Vec::new(), interrupted };
        for (_, _, arm) in finished {
            outcome.arms.push(arm.result);
            outcome.ticks.push(arm.ticks);
            outcome.files.push(arm.file);
        }
        Ok(outcome)
    }

    /// Runs one policy in one replication.
    #[expect(clippy::disallowed_methods, reason = "the seconds of an arm are reported and never enter a result")]
    fn arm(
        &self,
        spec: &PolicySpec,
        number: usize,
        replication: u32,
        options: &RunOptions<'_>,
        failed: &AtomicBool,
    ) -> Result<Finished, ExperimentError> {
        let started = std::time::Instant::now();
        let no_users = || ExperimentError::NoUsers {
            data: self.data.name.clone(),
            min_history: self.scenario.population.min_history,
            most: 0,
        };
        let population = self.population(replication).ok_or_else(no_users)?;
        let file = options.events.map(|_| file_name(number, &spec.name, replication));
        let path: Option<PathBuf> = options.events.zip(file.as_ref()).map(|(folder, file)| folder.join(file));
        let next: Box<dyn EventSink> = match &path {
            Some(path) => Box::new(ParquetWriter::create(path, &spec.name, replication, self.scenario.slate)?),
            None => Box::new(NoSink),
        };
        let metrics = MetricSet::new(&self.scenario.metrics, population.sources.len(), self.data.items.len())?;
        let (sink, tally) = ArmSink::new(metrics, self.start.catalogue.clone(), next);
        let mut simulation = self.simulation(spec, replication, &population, Box::new(sink))?;
        let mut ticks = 0;
        while ticks < self.scenario.ticks && !options.stop.load(Ordering::Relaxed) && !failed.load(Ordering::Relaxed) {
            simulation.tick()?;
            ticks += 1;
            options.progress.tick(simulation.events().len() as u64);
        }
        let fill_ups = simulation.short_slates();
        simulation.finish()?;
        let tally = tally.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let result = ArmResult {
            policy: spec.name.clone(),
            replication,
            ticks: tally.ticks.clone(),
            finals: tally.metrics.finals(),
            digest: tally.digest.finish().to_string(),
            steps: tally.steps,
            seconds: started.elapsed().as_secs_f64(),
            fill_ups,
        };
        Ok(Finished { result, ticks, file })
    }

    /// A world for one policy in one replication, at tick 0.
    ///
    /// # Errors
    /// When the policy cannot be built.
    pub fn simulation(
        &self,
        spec: &PolicySpec,
        replication: u32,
        population: &Population,
        sink: Box<dyn EventSink>,
    ) -> Result<Simulation, ExperimentError> {
        let streams = Streams::new(self.scenario.seed, replication);
        let policy = self.policy(spec, population, streams)?;
        Ok(Simulation::new(Setup {
            scenario: &self.scenario,
            start: &self.start,
            population,
            model: self.model.clone(),
            name: spec.name.clone(),
            policy,
            streams,
            sink,
        }))
    }

    fn policy(
        &self,
        spec: &PolicySpec,
        population: &Population,
        streams: Streams,
    ) -> Result<Box<dyn Policy>, ExperimentError> {
        let fail = |source| ExperimentError::Policy { policy: spec.name.clone(), source };
        let unknown = || fail(crate::policy::PolicyError(format!("kind `{}` is not registered", spec.kind)));
        let kind = self.registry.get(&spec.kind).ok_or_else(unknown)?;
        let context = PolicyContext {
            catalogue: self.start.catalogue.clone(),
            log: self.start.log.clone(),
            sources: Arc::clone(&population.sources),
            slate: self.scenario.slate,
            tick_seconds: self.scenario.tick_seconds as i64,
            registry: self.registry.clone(),
            streams,
        };
        (kind.build)(&Params::new(&spec.params), &context).map_err(fail)
    }
}

/// The file of an arm; what a policy's name has besides letters, digits, `-` and `_` becomes `_`, and the policy's
/// number keeps names apart.
fn file_name(number: usize, policy: &str, replication: u32) -> String {
    let keep = |letter: char| if letter.is_ascii_alphanumeric() || "-_".contains(letter) { letter } else { '_' };
    let name: String = policy.chars().map(keep).take(60).collect();
    format!("{number:02}-{name}-r{replication:03}.parquet")
}
