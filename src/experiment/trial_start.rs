//! The start of a replication and of a trial.

use super::prepare::{Experiment, ExperimentError};
use crate::dataset::TrainingLog;
use crate::ids::LogUserId;
use crate::log::EventSink;
use crate::policy::{Policy, PolicyContext};
use crate::random::Streams;
use crate::scenario::PolicySpec;
use crate::simulation::{Population, Setup, Simulation, Trial};
use std::sync::Arc;

impl Experiment {
    /// One policy in one replication, at tick 0.
    ///
    /// # Errors
    /// When the policy or a dynamic cannot be built.
    pub fn trial<S: EventSink>(
        &self,
        spec: &PolicySpec,
        replication: u32,
        population: &Population,
        sink: S,
    ) -> Result<Trial<S>, ExperimentError> {
        let policy = self.policy(spec, replication, population)?;
        self.trial_of(policy, &spec.name, replication, population, sink)
    }

    /// A trial of a policy that is already built; `name` is for messages.
    ///
    /// # Errors
    /// When a dynamic cannot be built for this data.
    pub fn trial_of<S: EventSink>(
        &self,
        policy: Box<dyn Policy>,
        name: &str,
        replication: u32,
        population: &Population,
        sink: S,
    ) -> Result<Trial<S>, ExperimentError> {
        let simulation = self.simulation(name, replication, population)?;
        Ok(Trial::new(simulation, name, policy, sink))
    }

    /// The users of one replication at tick 0, without a policy; `name` is the source of slates, for messages.
    ///
    /// # Errors
    /// When a dynamic cannot be built for this data.
    pub fn simulation(
        &self,
        name: &str,
        replication: u32,
        population: &Population,
    ) -> Result<Simulation, ExperimentError> {
        let dynamics = self.dynamics(replication, population.sources.len())?;
        Ok(Simulation::new(Setup {
            scenario: &self.scenario,
            start: &self.start,
            population,
            model: self.model.clone(),
            name: name.to_owned(),
            dynamics,
            streams: Streams::new(self.scenario.seed, replication),
        }))
    }

    /// A policy before the first tick of a replication.
    ///
    /// # Errors
    /// When it cannot be built.
    pub fn policy(
        &self,
        spec: &PolicySpec,
        replication: u32,
        population: &Population,
    ) -> Result<Box<dyn Policy>, ExperimentError> {
        let known = match &population.known {
            None => (self.start.log.clone(), Arc::clone(&population.sources)),
            Some(known) => (known.log.clone(), known.sources.clone()),
        };
        self.policy_with(spec, replication, known)
    }

    /// A policy that knows a log; `sources` are the users of the log whose histories its users have.
    fn policy_with(
        &self,
        spec: &PolicySpec,
        replication: u32,
        (log, sources): (Arc<TrainingLog>, Arc<[LogUserId]>),
    ) -> Result<Box<dyn Policy>, ExperimentError> {
        let streams = Streams::new(self.scenario.seed, replication);
        let fail = |source| ExperimentError::Policy { policy: spec.name.clone(), source };
        let is_own = Arc::ptr_eq(&log, &self.start.log);
        let context = PolicyContext {
            catalogue: self.start.catalogue.clone(),
            log,
            sources,
            slate: self.scenario.slate,
            tick_seconds: self.scenario.tick_seconds as i64,
            kinds: self.registry.policies().clone(),
            streams,
            // Models fitted to another log are of no use to other trials.
            fits: if is_own { self.fits.clone() } else { crate::policy::Fits::default() },
        };
        if let Some(factory) = self.registry.factory(&spec.name) {
            return factory(&context).map_err(fail);
        }
        let unknown = || fail(crate::policy::PolicyError::new(format!("kind `{}` is not registered", spec.kind)));
        let kind = self.registry.policy(&spec.kind).ok_or_else(unknown)?;
        kind.build(&spec.params, &context).map_err(fail)
    }

    /// A policy of the scenario that serves the users of the log, in the order of their numbers.
    ///
    /// # Errors
    /// When there is no such policy, or it cannot be built.
    pub fn policy_for_log(&self, name: &str) -> Result<Box<dyn Policy>, ExperimentError> {
        self.policy_on(name, self.start.log.clone(), 0)
    }

    /// A policy of the scenario that knows another log of the same users and items, and serves the users of the log.
    ///
    /// # Errors
    /// As [`Experiment::policy_for_log`].
    pub fn policy_on(
        &self,
        name: &str,
        log: Arc<TrainingLog>,
        replication: u32,
    ) -> Result<Box<dyn Policy>, ExperimentError> {
        let spec = self.scenario.policies.iter().find(|spec| spec.name == name);
        let spec = spec.ok_or_else(|| ExperimentError::Policy {
            policy: name.to_owned(),
            source: crate::policy::PolicyError::new("the scenario has no policy of this name"),
        })?;
        let sources: Arc<[LogUserId]> = (0..log.users() as u32).map(LogUserId).collect();
        self.policy_with(spec, replication, (log, sources))
    }

    /// Like [`Experiment::policy_on`], for a policy of a kind with its default keys.
    ///
    /// # Errors
    /// When there is no such kind, or it cannot be built.
    pub fn policy_of_kind(
        &self,
        kind: &str,
        log: Arc<TrainingLog>,
        replication: u32,
    ) -> Result<Box<dyn Policy>, ExperimentError> {
        let spec = PolicySpec { name: kind.to_owned(), kind: kind.to_owned(), params: toml::Table::new() };
        let sources: Arc<[LogUserId]> = (0..log.users() as u32).map(LogUserId).collect();
        self.policy_with(&spec, replication, (log, sources))
    }
}
