//! Users as entities with components, spawned once a replication.

use super::{Engagement, History, Interest, Population, Profile, Seen, StartingPoint, User};
use crate::ids::UserId;
use bevy_ecs::entity::Entity;
use bevy_ecs::prelude::World;

/// The components of a user at the start.
type Beginning = (User, Profile, History, Interest, Engagement);

fn beginning(number: usize, population: &Population, start: &StartingPoint) -> Beginning {
    let (user, source) = (User { id: UserId(number as u32) }, population.sources[number]);
    let log = match &population.known {
        None => start.log.of(source),
        Some(known) => known.log.of(known.sources[number]),
    };
    let engagement = Engagement { rate: population.rates[number], ..Engagement::default() };
    (user, Profile { source }, History::of(log), Interest(start.memory_of(source).into()), engagement)
}

/// Spawns one entity for each user of `population`, in ascending order of their ids, in which they are given back.
pub fn spawn(world: &mut World, population: &Population, start: &StartingPoint) -> Vec<Entity> {
    (0..population.sources.len()).map(|number| world.spawn(beginning(number, population, start)).id()).collect()
}

/// Brings a user back to the start: history, memory, seen items, sessions. The entity stays, so that the order of users does.
pub fn restart(world: &mut World, user: UserId, entity: Entity, population: &Population, start: &StartingPoint) {
    world.entity_mut(entity).insert(beginning(user.index(), population, start));
    world.resource_mut::<Seen>().0.restart(user);
}
