//! The users of one replication, without a policy.

use super::oracle::Sight;
use super::{
    Begun, Candidates, Choices, Clock, Engagement, Events, Fault, Forces, Habits, History, HistoryEntry, Model,
    Popularity, Population, Profile, Proposals, Recorded, Scenes, Seen, ShortSlates, StartingPoint, Status,
    Surroundings, Visits, restart, spawn,
};
use super::{TickError, install_closing, install_opening};
use crate::dynamics::Dynamics;
use crate::ids::{ItemId, LogUserId, UserId};
use crate::log::{Decision, EventBatch, Recording};
use crate::policy::{Requests, Slates};
use crate::random::Streams;
use crate::scenario::Scenario;
use crate::scene::PopularityClock;
use crate::user::Calibrated;
use bevy_ecs::entity::Entity;
use bevy_ecs::prelude::{Schedule, World};
use bevy_ecs::schedule::SingleThreadedExecutor;
use std::sync::Arc;

/// The initial state of a replication.
pub struct Setup<'a> {
    /// The checked scenario.
    pub scenario: &'a Scenario,
    /// The data shared by all replications.
    pub start: &'a StartingPoint,
    /// The users of the replication.
    pub population: &'a Population,
    /// The calibrated user model.
    pub model: Arc<Calibrated>,
    /// Name of the source of slates, for messages.
    pub name: String,
    /// The changing state of the run, at its start.
    pub dynamics: Dynamics,
    /// Root of all draws.
    pub streams: Streams,
}

/// Users, catalogue and dynamics of one replication. Opening a tick returns the users who want a slate; closing it with
/// the slates returns the events.
pub struct Simulation {
    world: World,
    /// By user.
    entities: Vec<Entity>,
    opening: Schedule,
    closing: Schedule,
    is_open: bool,
    /// A tick failed after something had changed.
    is_broken: bool,
}

impl Simulation {
    /// Spawns the users and installs the stages.
    pub fn new(setup: Setup<'_>) -> Simulation {
        let Setup { scenario, start, population, model, name, dynamics, streams } = setup;
        let log = population.known.as_ref().map_or(&start.log, |known| &known.log);
        let mut world = World::new();
        world.insert_resource(Clock { tick: 0, streams });
        world.insert_resource(Surroundings {
            catalogue: start.catalogue.clone(),
            policy: name,
            slate: scenario.slate,
            unseen: scenario.candidates.unseen(),
            rated: start.is_rated(),
            start: start.log.end(),
            tick_seconds: scenario.tick_seconds as i64,
        });
        world.insert_resource(Habits(scenario.session.clone()));
        world.insert_resource(Popularity(PopularityClock::new(&log.item_counts(), population.weight)));
        world.insert_resource(Model(model));
        world.insert_resource(Forces(dynamics));
        world.init_resource::<Recorded>();
        world.init_resource::<Visits>();
        world.init_resource::<Candidates>();
        world.init_resource::<Proposals>();
        world.init_resource::<Scenes>();
        world.init_resource::<Choices>();
        world.init_resource::<Events>();
        world.init_resource::<ShortSlates>();
        world.init_resource::<Fault>();
        world.init_resource::<Begun>();
        world.insert_resource(Seen::new(population, start));
        let entities = spawn(&mut world, population, start);
        let (mut opening, mut closing) = (Schedule::default(), Schedule::default());
        // The stages run one after the other and are parallel inside: an executor with threads only adds latency.
        opening.set_executor(SingleThreadedExecutor::new());
        closing.set_executor(SingleThreadedExecutor::new());
        install_opening(&mut opening);
        install_closing(&mut closing);
        Simulation { world, entities, opening, closing, is_open: false, is_broken: false }
    }

    /// Takes the answers of users from `recording` as far as it reaches, and then from the user model. Everything else
    /// is computed as usual, so that policies, dynamics and memories reach the same state.
    pub fn recall(&mut self, recording: Recording) {
        self.world.resource_mut::<Recorded>().0 = Some(recording);
    }

    /// Opens the tick: users arrive, and their candidates are known. Does nothing while the tick is open.
    pub fn open(&mut self) {
        if !self.is_open {
            self.opening.run(&mut self.world);
            self.is_open = true;
        }
    }

    /// Brings popularity up to the tick that is open, as the users will see it: before [`Simulation::sight`]. Otherwise it is
    /// brought up to date when slates are exposed.
    pub fn refresh(&mut self) {
        let time = self.time();
        let catalogue = self.world.resource::<Surroundings>().catalogue.clone();
        self.world.resource_mut::<Popularity>().0.refresh(&catalogue, time);
    }

    /// The user model's own answer about items in the open step: the privilege of policies with oracle access.
    pub fn sight(&self) -> Sight<'_> {
        Sight::new(&self.world)
    }

    /// The users who want a slate in the open step, and the candidates of each.
    pub fn requests(&self) -> Requests<'_> {
        let (clock, surroundings) = (self.world.resource::<Clock>(), self.world.resource::<Surroundings>());
        Requests {
            tick: clock.tick,
            slate: surroundings.slate,
            items: surroundings.catalogue.len(),
            users: &self.world.resource::<Visits>().users,
            blocked: self.world.resource::<Candidates>().blocked(self.world.resource::<Seen>(), surroundings),
            streams: clock.streams,
            oracle_access: None,
        }
    }

    /// Closes the tick: the visitors see `slates` and respond. The events are in [`Simulation::events`].
    ///
    /// [`TickError::Policy`] for slates that break the contract, and [`TickError::User`] when the user model cannot respond:
    /// the tick stays open, and may be closed later, with slates that are filled again. After any other failure, one of a memory's update included, each further
    /// call is [`TickError::Broken`].
    pub fn close(&mut self, slates: &mut Slates) -> Result<(), TickError> {
        if self.is_broken {
            return Err(TickError::Broken);
        }
        let short = self.short_slates();
        self.world.resource_mut::<Begun>().0 = false;
        // Until it is known what happened: a panic in a stage leaves an unknown part of the tick done.
        self.is_broken = true;
        std::mem::swap(&mut self.world.resource_mut::<Proposals>().0, slates);
        self.closing.run(&mut self.world);
        std::mem::swap(&mut self.world.resource_mut::<Proposals>().0, slates);
        if let Some(problem) = self.world.resource_mut::<Fault>().0.take() {
            let can_repeat = matches!(problem, TickError::Policy { .. } | TickError::User { .. });
            self.is_broken = !can_repeat || self.world.resource::<Begun>().0;
            *self.world.resource_mut::<ShortSlates>() = short;
            if !matches!(problem, TickError::Policy { .. }) {
                // They have the slates of this tick, and responses of an earlier one.
                self.world.resource_mut::<Events>().0 = EventBatch::default();
            }
            return Err(problem);
        }
        self.world.resource_mut::<Clock>().tick += 1;
        (self.is_open, self.is_broken) = (false, false);
        Ok(())
    }

    /// True after a failure that left part of a tick done: the simulation cannot continue.
    pub fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// Resets a user to the start, like a new user: history, memory, sessions, and the state of dynamics. Popularity
    /// and catalogue continue. The user comes when the next tick opens, or this one is opened again.
    pub fn restart(&mut self, user: UserId, population: &Population, start: &StartingPoint) {
        let Some(&entity) = self.entities.get(user.index()) else { return };
        restart(&mut self.world, user, entity, population, start);
        self.world.resource_mut::<Forces>().0.restart(user);
    }

    /// Lets a user leave permanently, before the next tick opens.
    pub fn retire(&mut self, user: UserId) {
        let entity = self.entities.get(user.index());
        if let Some(mut engagement) = entity.and_then(|&entity| self.world.get_mut::<Engagement>(entity)) {
            engagement.status = Status::Left;
        }
    }

    /// Opens the current tick again, so that users who restarted in it come. Present users stay; others repeat their
    /// draws.
    pub fn open_again(&mut self) {
        self.is_open = false;
        self.open();
    }

    /// The latest accepted items of any user, oldest first, at most 20.
    pub fn history_of(&self, user: UserId) -> impl Iterator<Item = &HistoryEntry> {
        let entity = self.entities.get(user.index());
        entity.and_then(|&entity| self.world.get::<History>(entity)).into_iter().flat_map(History::iter)
    }

    /// The items that any user may not be shown because of acceptances; none if items may repeat.
    pub fn seen_of(&self, user: UserId) -> impl Iterator<Item = ItemId> + '_ {
        let known = self.entities.get(user.index()).filter(|_| self.world.resource::<Surroundings>().unseen);
        known.into_iter().flat_map(move |_| self.world.resource::<Seen>().0.of(user))
    }

    /// The tick that is open, or that opens next.
    pub fn tick(&self) -> u32 {
        self.world.resource::<Clock>().tick
    }

    /// Seconds since 1970 at that tick.
    pub fn time(&self) -> i64 {
        self.world.resource::<Surroundings>().time(self.tick())
    }

    /// The events of the tick that closed last; none after a failure, unless slates broke the contract.
    pub fn events(&self) -> &EventBatch {
        &self.world.resource::<Events>().0
    }

    /// The rationales of these events' users, where the user model writes them.
    pub fn decisions(&self) -> &[Decision] {
        self.world.resource::<Choices>().0.decisions()
    }

    /// The latest accepted items of the visitor of `row`, oldest first, at most 20; empty for a row without a request.
    pub fn history(&self, row: usize) -> impl Iterator<Item = &HistoryEntry> {
        let visitor = self.world.resource::<Visits>().entities.get(row);
        visitor.and_then(|&visitor| self.world.get::<History>(visitor)).into_iter().flat_map(History::iter)
    }

    /// The user of the data set whom the visitor of `row` mirrors.
    pub fn source(&self, row: usize) -> Option<LogUserId> {
        let visitor = self.world.resource::<Visits>().entities.get(row)?;
        self.world.get::<Profile>(*visitor).map(|profile| profile.source)
    }

    /// True if the visitor of `row` of the last closed tick has left permanently.
    pub fn has_left(&self, row: usize) -> bool {
        let visitor = self.world.resource::<Visits>().entities.get(row);
        let engagement = visitor.and_then(|&visitor| self.world.get::<Engagement>(visitor));
        engagement.is_some_and(|engagement| engagement.status == Status::Left)
    }

    /// Slates so far that had fewer items than slots.
    pub fn short_slates(&self) -> ShortSlates {
        *self.world.resource::<ShortSlates>()
    }
}
