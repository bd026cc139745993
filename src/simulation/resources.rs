//! Shared resources of the simulation.

use super::{Population, StartingPoint, TickError};
use crate::dataset::Catalogue;
use crate::dynamics::Dynamics;
use crate::ids::UserId;
use crate::log::{EventBatch, Recording};
use crate::policy::{Blocked, SeenItems, Slates};
use crate::random::Streams;
use crate::scenario::SessionSpec;
use crate::scene::{PopularityClock, SceneBatch};
use crate::user::{Calibrated, Probabilities};
use bevy_ecs::entity::Entity;
use bevy_ecs::prelude::Resource;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The current tick and the random streams of the replication.
#[derive(Resource)]
pub struct Clock {
    /// The tick that is being computed.
    pub tick: u32,
    /// Root of all draws.
    pub streams: Streams,
}

/// The constant part of a simulation: the catalogue, the calendar, the shape of a slate.
#[derive(Resource)]
pub struct Surroundings {
    /// The items.
    pub catalogue: Arc<Catalogue>,
    /// Name of the source of slates, for messages.
    pub policy: String,
    /// Slots of a slate.
    pub slate: usize,
    /// True if items that a user has accepted are blocked.
    pub unseen: bool,
    /// True if users rate what they accept.
    pub rated: bool,
    /// Milliseconds since 1970 at tick 0.
    pub start: i64,
    /// Seconds of a tick.
    pub tick_seconds: i64,
}

impl Surroundings {
    /// Milliseconds since 1970 at a tick.
    pub fn time(&self, tick: u32) -> i64 {
        self.start + i64::from(tick) * self.tick_seconds * 1_000
    }
}

/// When users stop.
#[derive(Resource)]
pub struct Habits(pub SessionSpec);

/// Popularity so far under this policy.
#[derive(Resource)]
pub struct Popularity(pub PopularityClock);

/// The calibrated user model.
#[derive(Resource)]
pub struct Model(pub Arc<Calibrated>);

/// Responses in the steps that an earlier, stopped run has simulated already.
#[derive(Resource, Default)]
pub struct Recorded(pub Option<Recording>);

/// The changing state of the run.
#[derive(Resource)]
pub struct Forces(pub Dynamics);

/// The users who see a slate at this tick, in ascending order of their ids.
#[derive(Resource, Default)]
pub struct Visits {
    /// `[n]`.
    pub entities: Vec<Entity>,
    /// `[n]`.
    pub users: Vec<UserId>,
}

/// The items that each user has accepted, including those of the log. Users of one source share its items in the log.
#[derive(Resource)]
pub struct Seen(pub SeenItems);

impl Seen {
    /// At the start.
    pub fn new(population: &Population, start: &StartingPoint) -> Seen {
        let items = start.log.items;
        Seen(match &population.known {
            None => SeenItems::new(start.seen().clone(), population.sources.clone(), items),
            Some(known) => SeenItems::new(SeenItems::of_log(&known.log), known.sources.clone(), items),
        })
    }
}

/// The items that cannot be shown at this tick.
#[derive(Resource, Default)]
pub struct Candidates {
    /// A bit for each item, set if it is withheld; empty if none is.
    pub withheld: Vec<u64>,
}

impl Candidates {
    /// The blocked items of visitors.
    pub fn blocked<'a>(&'a self, seen: &'a Seen, surroundings: &Surroundings) -> Blocked<'a> {
        let own = if surroundings.unseen { Blocked::seen(&seen.0) } else { Blocked::NOTHING };
        own.and_for_all(&self.withheld)
    }
}

/// The proposals of the policy.
#[derive(Resource, Default)]
pub struct Proposals(pub Slates);

/// The scenes of the visitors.
#[derive(Resource, Default)]
pub struct Scenes(pub SceneBatch);

/// The user model's answer.
#[derive(Resource, Default)]
pub struct Choices(pub Probabilities);

/// The events of this tick; each stage fills in its columns.
#[derive(Resource, Default)]
pub struct Events(pub EventBatch);

/// Slates that have fewer items than slots.
#[derive(Resource, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShortSlates {
    /// All of them, the empty ones included.
    pub short: u64,
    /// Short slates that hold all items left for their user.
    pub exhausted: u64,
    /// Slates without an item: visits without a shown item.
    pub empty: u64,
}

impl std::ops::Add for ShortSlates {
    type Output = ShortSlates;

    fn add(self, other: ShortSlates) -> ShortSlates {
        ShortSlates {
            short: self.short + other.short,
            exhausted: self.exhausted + other.exhausted,
            empty: self.empty + other.empty,
        }
    }
}

impl std::ops::AddAssign for ShortSlates {
    fn add_assign(&mut self, other: ShortSlates) {
        *self = *self + other;
    }
}

/// The first error of the run; no stage runs after it.
#[derive(Resource, Default)]
pub struct Fault(pub Option<TickError>);

/// True once users change in the tick that is being closed: it cannot be closed a second time.
#[derive(Resource, Default)]
pub struct Begun(pub bool);
