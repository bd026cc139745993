//! One replication under one policy, ready to tick.

use super::{TickError, install};
use crate::dynamics::Dynamics;
use crate::log::{EventBatch, EventSink, Recording};
use crate::policy::Policy;
use crate::random::Streams;
use crate::scenario::Scenario;
use crate::scene::PopularityClock;
use crate::user::Calibrated;
use crate::world::{
    Candidates, Choices, Clock, Events, Fault, Forces, Habits, Lessons, Model, PolicySlot, Popularity, Population,
    Proposals, Recorded, Recorder, Scenes, ShortSlates, StartingPoint, Surroundings, Training, Visits, spawn,
};
use bevy_ecs::prelude::{Schedule, World};
use bevy_ecs::schedule::SingleThreadedExecutor;
use std::sync::Arc;

/// What a replication starts from.
pub struct Setup<'a> {
    /// The checked scenario.
    pub scenario: &'a Scenario,
    /// What all replications share.
    pub start: &'a StartingPoint,
    /// Who takes part.
    pub population: &'a Population,
    /// How users decide.
    pub model: Arc<Calibrated>,
    /// Name of the policy, for messages.
    pub name: String,
    /// The policy.
    pub policy: Box<dyn Policy>,
    /// What changes during the run, at its start.
    pub dynamics: Dynamics,
    /// Root of all draws.
    pub streams: Streams,
    /// Where events go.
    pub sink: Box<dyn EventSink>,
}

/// A world of users and one policy.
pub struct Simulation {
    world: World,
    schedule: Schedule,
}

impl Simulation {
    /// Spawns the users and installs the stages.
    pub fn new(setup: Setup<'_>) -> Simulation {
        let Setup { scenario, start, population, model, name, policy, dynamics, streams, sink } = setup;
        let log = population.known.as_ref().map_or(&start.log, |known| &known.log);
        let mut world = World::new();
        world.insert_resource(Clock { tick: 0, streams });
        world.insert_resource(Surroundings {
            catalogue: start.catalogue.clone(),
            policy: name,
            slate: scenario.slate,
            unseen: scenario.candidates.unseen,
            rated: start.is_rated(),
            start: start.log.end(),
            tick_seconds: scenario.tick_seconds as i64,
        });
        world.insert_resource(Habits(scenario.session.clone()));
        world.insert_resource(Popularity(PopularityClock::new(&log.item_counts(), population.weight)));
        world.insert_resource(Model(model));
        world.insert_resource(Forces(dynamics));
        world.insert_resource(PolicySlot(policy));
        world.insert_resource(Recorder(sink));
        world.init_resource::<Recorded>();
        world.init_resource::<Visits>();
        world.init_resource::<Candidates>();
        world.init_resource::<Proposals>();
        world.init_resource::<Scenes>();
        world.init_resource::<Choices>();
        world.init_resource::<Events>();
        world.init_resource::<ShortSlates>();
        world.init_resource::<Lessons>();
        world.init_resource::<Fault>();
        spawn(&mut world, population, start);
        let mut schedule = Schedule::default();
        // The stages run one after the other and are parallel inside: an executor with threads only adds latency.
        schedule.set_executor(SingleThreadedExecutor::new());
        install(&mut schedule);
        Simulation { world, schedule }
    }

    /// Takes the answers of users from `recording` as far as it goes, and asks the user model from there on. All else is
    /// computed as ever, so that policies, dynamics and memories come to stand where they stood.
    pub fn recall(&mut self, recording: Recording) {
        self.world.resource_mut::<Recorded>().0 = Some(recording);
    }

    /// Computes one tick.
    ///
    /// # Errors
    /// A failing user model or sink, or a policy that breaks its contract. The simulation must not go on after it.
    pub fn tick(&mut self) -> Result<(), TickError> {
        self.schedule.run(&mut self.world);
        if let Some(problem) = self.world.resource_mut::<Fault>().0.take() {
            return Err(problem);
        }
        self.world.resource_mut::<Clock>().tick += 1;
        Ok(())
    }

    /// The events of the last tick.
    pub fn events(&self) -> &EventBatch {
        &self.world.resource::<Events>().0
    }

    /// Slates so far that had fewer items than slots although more candidates were left.
    pub fn short_slates(&self) -> u64 {
        self.world.resource::<ShortSlates>().0
    }

    /// How long the policy learned in the ticks so far.
    pub fn training(&self) -> Training {
        self.world.resource::<Lessons>().0
    }

    /// Completes the sink.
    ///
    /// # Errors
    /// When the sink cannot be completed.
    pub fn finish(mut self) -> Result<(), TickError> {
        let tick = self.world.resource::<Clock>().tick;
        let finished = self.world.resource_mut::<Recorder>().0.finish();
        finished.map_err(|source| TickError::Log { tick, source })
    }
}
