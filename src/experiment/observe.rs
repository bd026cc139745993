//! An experiment run in one call, with an observer.
//!
//! An experiment run in one call: what an observer hears meanwhile, and what comes of it.

use super::folder::{FolderError, RunFolder};
use super::manifest::{Manifest, TrialRecord};
use super::prepare::{Experiment, ExperimentError};
use super::progress::{Progress, TickDone};
use super::results::{Results, ResultsError};
use super::run::{Outcome, RunOptions};
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};

/// What happens while an experiment runs. Trials run side by side: the events of one come in its order, those of several in
/// any.
#[derive(Clone, Copy, Debug)]
pub enum RunEvent<'a> {
    /// A policy in a replication has done a tick.
    Tick(TickDone<'a>),
    /// A policy has done all ticks of a replication, and its files are whole.
    Trial(&'a TrialRecord),
}

/// Who hears of [`RunEvent`]s: it is borrowed, and called by one thread at a time.
pub type Observer<'a> = dyn FnMut(RunEvent<'_>) + Send + 'a;

/// An experiment that was run.
pub struct Run {
    /// What each policy did in each replication, and which policies could not go on.
    pub outcome: Outcome,
    /// The metrics: summaries, comparisons, series, as rows.
    pub results: Results,
}

/// An experiment that could not be run whole.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The run failed, or every policy did.
    #[error(transparent)]
    Experiment(#[from] ExperimentError),
    /// What the policies gave is no run.
    #[error(transparent)]
    Results(#[from] ResultsError),
    /// The run's folder cannot be written.
    #[error(transparent)]
    Folder(#[from] FolderError),
}

impl Experiment {
    /// Runs every policy in every replication; events and decisions go to `folder`, where there is one, and the rest into it
    /// by [`crate::report::write`]. A policy that cannot go on is in [`Outcome::failures`], and the others go on.
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

    /// What an outcome says of the scenario's metrics; differences are from the scenario's baseline, or from the first policy
    /// that did not fail when the baseline did.
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

/// Hands progress on to a borrowed observer, and notes whole trials in the folder.
struct Heard<'a, 'o> {
    observer: Mutex<&'a mut Observer<'o>>,
    folder: Option<&'a RunFolder>,
    experiment: &'a Experiment,
}

impl Heard<'_, '_> {
    fn tell(&self, event: RunEvent<'_>) {
        let mut observer = self.observer.lock().unwrap_or_else(PoisonError::into_inner);
        (*observer)(event);
    }
}

impl Progress for Heard<'_, '_> {
    fn tick(&self, done: &TickDone<'_>) {
        self.tell(RunEvent::Tick(*done));
    }

    fn trial(&self, trial: &TrialRecord) {
        if let Some(folder) = self.folder {
            let shortened = self.experiment.model().model().shortened_scenes();
            folder.note(trial, self.experiment.scenario.seed, shortened);
        }
        self.tell(RunEvent::Trial(trial));
    }
}
