//! Who lives in the simulation: users as entities with components, and what they share as resources.
//!
//! Spawned once a replication from a [`Population`]; `tick` moves it forward. Nothing outside `world` and `tick`
//! names `bevy_ecs`.

mod components;
mod known;
mod population;
mod resources;

pub use self::components::{Engagement, History, HistoryEntry, Interest, Profile, Seen, Status, User};
pub use self::known::Known;
pub use self::population::{Population, StartingPoint};
pub use self::resources::{
    Candidates, Choices, Clock, Events, Fault, Forces, Habits, Model, Popularity, Proposals, Recorded, Scenes,
    ShortSlates, Surroundings, Visits,
};

use bevy_ecs::prelude::World;

/// Spawns one entity for each user of `population`, in ascending order of their ids.
pub fn spawn(world: &mut World, population: &Population, start: &StartingPoint) {
    for (number, &source) in population.sources.iter().enumerate() {
        let user = User { id: crate::ids::UserId(number as u32) };
        let (history, seen) = match &population.known {
            None => (History::of(start.log.of(source)), start.seen_by(source).into()),
            Some(known) => (History::of(known.log.of(known.sources[number])), known.seen_by(number)),
        };
        let engagement = Engagement { rate: population.rates[number], ..Engagement::default() };
        let interest = Interest(start.memory_of(source).into());
        world.spawn((user, Profile { source }, history, interest, engagement, Seen(seen)));
    }
}
