//! An experiment run in one call, with an observer.
//!
//! [`RunEvent`]s reach the observer during the run; the call returns a [`Run`].

use super::folder::{FolderError, RunFolder};
use super::manifest::{Manifest, TrialRecord};
use super::prepare::{Experiment, ExperimentError};
use super::progress::{Progress, TickDone};
use super::results::{Results, ResultsError};
use super::run::{Outcome, RunOptions};
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};

/// An event of a running experiment. Trials run concurrently: events of one trial arrive in order, those of several
/// trials in any order.
#[derive(Clone, Copy, Debug)]
pub enum RunEvent<'a> {
    /// A policy has completed a tick of a replication.
    Tick(TickDone<'a>),
    /// A policy has completed all ticks of a replication, and its files are complete.
    Trial(&'a TrialRecord),
}

/// A receiver of [`RunEvent`]s: borrowed, and called by one thread at a time.
pub type Observer<'a> = dyn FnMut(RunEvent<'_>) + Send + 'a;

/// A completed experiment.
pub struct Run {
    /// The trials of each policy, and the policies that failed.
    pub outcome: Outcome,
    /// The metrics: summaries, comparisons and series, as rows.
    pub results: Results,
}

/// An experiment that could not be completed.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The run failed, or every policy did.
    #[error(transparent)]
    Experiment(#[from] ExperimentError),
    /// The outputs of the policies are not a complete run.
    #[error(transparent)]
    Results(#[from] ResultsError),
    /// The run's folder cannot be written.
    #[error(transparent)]
    Folder(#[from] FolderError),
}

impl Experiment {
    /// Runs every policy in every replication. Events and decisions go to `folder`, if there is one;
    /// [`crate::report::write`] writes the rest. A policy that fails is in [`Outcome::failures`], and the others
    /// continue.
    ///
    /// # Errors
    /// When the run itself fails, every policy does, or the folder cannot be written.
    pub fn run_observed(&self, folder: Option<&RunFolder>, observer: &mut Observer<'_>) -> Result<Run, RunError> {
        let heard = Heard { observer: Mutex::new(observer), folder, experiment: self };
        if let Some(folder) = folder {
            folder.write("manifest.json", &Manifest::begun(self, None).to_json())?;
        }
        let events = folder.filter(|_| self.scenario.engine.events).map(|folder| folder.path().join("events"));
        let stop = AtomicBool::new(false);
        let options = RunOptions { events: events.as_deref(), progress: &heard, stop: &stop, stopped: None };
        let outcome = self.run(&options)?;
        let results = self.results(&outcome)?;
        Ok(Run { outcome, results })
    }

    /// Results of an outcome in the scenario's metrics. Differences are from the scenario's baseline, or from the first
    /// policy that did not fail if the baseline did.
    ///
    /// # Errors
    /// When nothing ran.
    pub fn results(&self, outcome: &Outcome) -> Result<Results, ResultsError> {
        let wanted = &self.scenario.baseline;
        let ran = outcome.trials.iter().any(|trial| trial.policy == *wanted);
        let baseline = if ran { wanted } else { outcome.trials.first().map_or(wanted, |trial| &trial.policy) };
        let results = Results::new(self.metrics().to_vec(), baseline, outcome.trials.clone())?;
        Ok(results.looked_at(outcome.until.is_some()))
    }
}

/// Forwards progress to a borrowed observer, and journals completed trials in the folder.
struct Heard<'a, 'o> {
    observer: Mutex<&'a mut Observer<'o>>,
    folder: Option<&'a RunFolder>,
    experiment: &'a Experiment,
}

impl Heard<'_, '_> {
    fn notify(&self, event: RunEvent<'_>) {
        let mut observer = self.observer.lock().unwrap_or_else(PoisonError::into_inner);
        (*observer)(event);
    }
}

impl Progress for Heard<'_, '_> {
    fn tick(&self, done: &TickDone<'_>) {
        self.notify(RunEvent::Tick(*done));
    }

    fn trial(&self, trial: &TrialRecord) {
        if let Some(folder) = self.folder {
            let shortened = self.experiment.model().model().shortened_scenes();
            folder.note(trial, self.experiment.scenario.seed, shortened);
        }
        self.notify(RunEvent::Trial(trial));
    }
}
