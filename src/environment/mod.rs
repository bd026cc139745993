//! The environment: simulated users, a catalogue and dynamics, stepped from outside.
//!
//! An [`Environment`] asks for slates and returns the users' responses, one step at a time. The slates may come from a
//! built-in policy, a policy of your own, a learning agent or another process. The same slates give the same events,
//! and the same [`Environment::digest`], as in an experiment.
//!
//! ```
//! use recmirror::dataset::Dataset;
//! use recmirror::environment::Environment;
//! use recmirror::policy::{Policy, PolicyError, Requests, Slates};
//!
//! /// Shows every user the candidates with the smallest ids.
//! struct First;
//!
//! impl Policy for First {
//!     fn recommend(&mut self, requests: &Requests<'_>, slates: &mut Slates) -> Result<(), PolicyError> {
//!         slates.fill(requests, |request, slot| {
//!             request.candidates().take(request.slate).for_each(|item| slot.push(item, 0.0));
//!         });
//!         Ok(())
//!     }
//! }
//!
//! let rows = (0..80).map(|n| (format!("user{}", n % 8), format!("item{}", n % 13), Some(1.0 + (n % 5) as f32), Some(n)));
//! let data = Dataset::from_rows("shop", rows)?;
//! let mut environment = Environment::builder(&data).population(100).slate(3).steps(5).seed(7).build()?;
//! let (mut policy, mut slates) = (First, Slates::default());
//! let mut rewards = 0.0;
//! while !environment.is_done() {
//!     policy.recommend(&environment.observation(), &mut slates)?;
//!     let outcome = environment.step(&slates)?;
//!     rewards += outcome.rewards().sum::<f32>();
//!     policy.observe(outcome.events())?;
//! }
//! assert_eq!(environment.time_step(), 5);
//! assert!(rewards > 0.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod builder;
mod observation;

pub use self::builder::{EnvironmentBuilder, OUTSIDE, add_own};
pub use self::observation::{Observation, Outcome};

use crate::experiment::{Experiment, ExperimentError};
use crate::ids::{ItemId, LogUserId, UserId};
use crate::log::{Digest, DigestState, EventBatch};
use crate::metrics::MetricSet;
use crate::policy::{Policy, Slates};
use crate::scenario::{PolicySpec, ScenarioError};
use crate::simulation::{HistoryEntry, Population, Simulation, TickError};
use std::sync::Arc;

/// An environment that cannot be built or stepped.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    /// Settings that are wrong: all of them at once.
    #[error(transparent)]
    Settings(#[from] ScenarioError),
    /// The data, the user model or a dynamic cannot be used.
    #[error(transparent)]
    Experiment(#[from] ExperimentError),
    /// A slate breaks the contract, or the user model fails.
    #[error(transparent)]
    Step(#[from] TickError),
    /// The last step is done.
    #[error("all {steps} steps are done; call reset before the next step")]
    Done {
        /// Steps of the environment.
        steps: u32,
    },
    /// A policy that the settings do not name.
    #[error("no policy is called `{name}`; the environment was built with {known}")]
    NoPolicy {
        /// The requested value.
        name: String,
        /// The content.
        known: String,
    },
}

/// Users, catalogue and dynamics, stepped from outside.
pub struct Environment {
    experiment: Arc<Experiment>,
    replication: u32,
    population: Population,
    simulation: Simulation,
    metrics: MetricSet,
    digest: DigestState,
    left: Vec<UserId>,
}

impl Environment {
    /// The users of replication `replication` of an experiment, at step 0. The seed and all settings are the
    /// experiment's, so the slates of one of its policies give that policy's digest.
    ///
    /// # Errors
    /// When no user can take part, or a dynamic cannot be built for this data.
    pub fn of(experiment: Arc<Experiment>, replication: u32) -> Result<Environment, EnvironmentError> {
        let population = experiment.users(replication)?;
        let metrics = experiment.metric_set(&population)?;
        let mut simulation = experiment.simulation("outside", replication, &population)?;
        simulation.open();
        let (digest, left) = (DigestState::default(), Vec::new());
        Ok(Environment { experiment, replication, population, simulation, metrics, digest, left })
    }

    /// Restarts at step 0 of another replication: other users and other draws of the same settings. The same number
    /// always gives the same users and draws.
    ///
    /// # Errors
    /// As [`Environment::of`].
    pub fn reset(&mut self, replication: u32) -> Result<(), EnvironmentError> {
        *self = Environment::of(self.experiment.clone(), replication)?;
        Ok(())
    }

    /// A policy of the settings, fitted to the log before the start: `name` is one that [`EnvironmentBuilder::policy`] named.
    ///
    /// # Errors
    /// When there is no such policy, or it cannot be built for this data.
    pub fn policy(&self, name: &str) -> Result<Box<dyn Policy>, EnvironmentError> {
        let policies = &self.experiment.scenario.policies;
        let spec = policies.iter().find(|spec| spec.name == name).ok_or_else(|| self.no_policy(name))?;
        Ok(self.experiment.policy(spec, self.replication, &self.population)?)
    }

    fn no_policy(&self, name: &str) -> EnvironmentError {
        let names = self.experiment.scenario.policies.iter().map(|PolicySpec { name, .. }| format!("`{name}`"));
        EnvironmentError::NoPolicy { name: name.to_owned(), known: names.collect::<Vec<_>>().join(", ") }
    }

    /// The users who want a slate now, and the candidates of each. Empty after the last step.
    pub fn observation(&self) -> Observation<'_> {
        Observation::new(&self.simulation, !self.is_done())
    }

    /// Shows `slates`, one for each row of the observation, and returns the users' responses.
    ///
    /// # Errors
    /// A slate with an item that is repeated, unknown or no candidate, or a wrong number of slots: the message names user
    /// and slot, the environment is as it was, and other slates may follow. A user model that cannot respond leaves the
    /// environment as it was, too, except [`Environment::events`]. A failure after users have begun to change, such as one of
    /// [`UserModel::update`](crate::user::UserModel::update), breaks the environment: every further step is
    /// [`TickError::Broken`] until [`Environment::reset`]. [`EnvironmentError::Done`] after the last step.
    pub fn step(&mut self, slates: &Slates) -> Result<Outcome<'_>, EnvironmentError> {
        self.close(slates)?;
        self.open();
        Ok(Outcome { events: self.simulation.events(), left: &self.left, is_done: self.is_done() })
    }

    /// The first half of [`Environment::step`]: shows slates and takes the responses. Between it and [`Environment::open`]
    /// users may be restarted or retired.
    ///
    /// # Errors
    /// As [`Environment::step`].
    pub fn close(&mut self, slates: &Slates) -> Result<(), EnvironmentError> {
        if self.is_done() {
            return Err(EnvironmentError::Done { steps: self.steps() });
        }
        self.simulation.close(&mut slates.clone())?;
        let events = self.simulation.events();
        self.digest.update(events);
        self.metrics.fold(events, self.experiment.catalogue());
        self.left.clear();
        let rows = events.users.iter().enumerate();
        self.left.extend(rows.filter(|&(row, _)| self.simulation.has_left(row)).map(|(_, &user)| user));
        Ok(())
    }

    /// The second half of [`Environment::step`]: users arrive and want slates.
    pub fn open(&mut self) {
        if !self.is_done() {
            self.simulation.open();
        }
    }

    /// Resets users to the start, like new users: history, memory and sessions. Shared state continues: time,
    /// popularity, catalogue. Draws differ from those of the user's first time, because time has passed.
    pub fn restart(&mut self, users: impl IntoIterator<Item = UserId>) {
        users.into_iter().for_each(|user| self.simulation.restart(user, &self.population, self.experiment.start()));
    }

    /// Lets users leave permanently.
    pub fn retire(&mut self, users: impl IntoIterator<Item = UserId>) {
        users.into_iter().for_each(|user| self.simulation.retire(user));
    }

    /// Opens the current step again, so that users who restarted in it come.
    pub fn open_again(&mut self) {
        if !self.is_done() {
            self.simulation.open_again();
        }
    }

    /// The latest accepted items of any user, oldest first, at most 20, including those of the log.
    pub fn history(&self, user: UserId) -> impl Iterator<Item = &HistoryEntry> {
        self.simulation.history_of(user)
    }

    /// The items that a user has accepted and is not shown again, those of the log first; none where items may be repeated.
    pub fn seen(&self, user: UserId) -> impl Iterator<Item = ItemId> + '_ {
        self.simulation.seen_of(user)
    }

    /// The events of the last step; none if the user model or a dynamic failed in it.
    pub fn events(&self) -> &EventBatch {
        self.simulation.events()
    }

    /// The users who left permanently in the last step, ascending.
    pub fn left(&self) -> &[UserId] {
        &self.left
    }

    /// Steps done since the last reset.
    pub fn time_step(&self) -> u32 {
        self.simulation.tick()
    }

    /// Steps in all.
    pub fn steps(&self) -> u32 {
        self.experiment.scenario.ticks
    }

    /// True after the last step.
    pub fn is_done(&self) -> bool {
        self.time_step() >= self.steps()
    }

    /// True after a failure that left part of a step done: every further step is an error until [`Environment::reset`].
    pub fn is_broken(&self) -> bool {
        self.simulation.is_broken()
    }

    /// Simulated users, those who left included.
    pub fn users(&self) -> usize {
        self.population.sources.len()
    }

    /// The user of the data set whom each simulated user mirrors.
    pub fn sources(&self) -> &[LogUserId] {
        &self.population.sources
    }

    /// The data set, with the external ids of users and items.
    pub fn data(&self) -> &crate::dataset::Dataset {
        &self.experiment.data
    }

    /// Name and value of each metric over the steps so far; `None` if undefined.
    pub fn metrics(&self) -> Vec<(&'static str, Option<f64>)> {
        self.metrics.kinds().iter().map(|kind| kind.name).zip(self.metrics.finals()).collect()
    }

    /// The hash over all events so far: that of an experiment in which a policy gave the same slates.
    pub fn digest(&self) -> Digest {
        self.digest.finish()
    }
}

#[cfg(test)]
mod tests;
