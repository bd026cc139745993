//! One policy in one replication.

use super::ShortSlates;
use super::{Simulation, TickError};
use crate::log::{DecisionBatch, EventBatch, EventSink, Recording};
use crate::policy::{OracleAccess, Policy, PolicyError, Requests, Slates};
use serde::{Deserialize, Serialize};

/// The wall-clock training time of a policy: for the manifest, never for a result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Training {
    /// Seconds before the first tick.
    pub before: f64,
    /// Seconds in all ticks.
    pub during: f64,
    /// Seconds in the tick in which it took longest.
    pub longest: f64,
    /// That tick.
    pub longest_tick: u32,
}

/// A simulation that one policy serves; events go to `sink`, which may be borrowed.
pub struct Trial<S> {
    simulation: Simulation,
    name: String,
    policy: Box<dyn Policy>,
    sink: S,
    slates: Slates,
    training: Training,
}

impl<S: EventSink> Trial<S> {
    /// A trial at tick 0; `name` is the policy's, for messages.
    pub fn new(simulation: Simulation, name: &str, policy: Box<dyn Policy>, sink: S) -> Trial<S> {
        let (slates, training) = (Slates::default(), Training::default());
        Trial { simulation, name: name.to_owned(), policy, sink, slates, training }
    }

    /// Takes the answers of users from `recording` as far as it reaches, see [`Simulation::recall`].
    pub fn recall(&mut self, recording: Recording) {
        self.simulation.recall(recording);
    }

    /// Computes one tick.
    ///
    /// # Errors
    /// When the user model or the sink fails, or a policy breaks its contract. The trial must not continue after it.
    pub fn tick(&mut self) -> Result<(), TickError> {
        self.recommend()?;
        self.simulation.close(&mut self.slates)?;
        self.learn()?;
        self.record()
    }

    fn recommend(&mut self) -> Result<(), TickError> {
        self.simulation.open();
        let needs_oracle_access = self.policy.needs_oracle_access();
        if needs_oracle_access {
            self.simulation.refresh();
        }
        let sight = self.simulation.sight();
        let oracle_access: Option<&dyn OracleAccess> = if needs_oracle_access { Some(&sight) } else { None };
        let requests = Requests { oracle_access, ..self.simulation.requests() };
        let filled = self.policy.recommend(&requests, &mut self.slates);
        filled.map_err(|problem| self.failure(self.simulation.tick(), problem))
    }

    fn failure(&self, tick: u32, PolicyError { user, problem }: PolicyError) -> TickError {
        TickError::Policy { policy: self.name.clone(), tick, user: user.map(|user| user.0), problem }
    }

    #[expect(clippy::disallowed_methods, reason = "the seconds of training are reported and never enter a result")]
    fn learn(&mut self) -> Result<(), TickError> {
        let started = std::time::Instant::now();
        let learned = self.policy.observe(self.simulation.events());
        let seconds = started.elapsed().as_secs_f64();
        self.training.during += seconds;
        if seconds > self.training.longest {
            (self.training.longest, self.training.longest_tick) = (seconds, self.simulation.events().tick);
        }
        learned.map_err(|problem| self.failure(self.simulation.events().tick, problem))
    }

    fn record(&mut self) -> Result<(), TickError> {
        let (events, decisions) = (self.simulation.events(), self.simulation.decisions());
        let mut written = self.sink.write(events);
        if !decisions.is_empty() && written.is_ok() {
            written = self.sink.decide(&DecisionBatch { tick: events.tick, users: &events.users, decisions });
        }
        written.map_err(|source| TickError::Log { tick: events.tick, source })
    }

    /// The events of the last tick.
    pub fn events(&self) -> &EventBatch {
        self.simulation.events()
    }

    /// The sink of the events.
    pub fn sink(&self) -> &S {
        &self.sink
    }

    /// Slates so far that had fewer items than slots.
    pub fn short_slates(&self) -> ShortSlates {
        self.simulation.short_slates()
    }

    /// The training time in the ticks so far.
    pub fn training(&self) -> Training {
        self.training
    }

    /// Completes the sink and returns it.
    ///
    /// # Errors
    /// When the sink cannot be completed.
    pub fn finish(mut self) -> Result<S, TickError> {
        let tick = self.simulation.tick();
        self.sink.finish().map_err(|source| TickError::Log { tick, source })?;
        Ok(self.sink)
    }
}
