//! The probe on which the acceptance level is set: random candidates for the users of the log at the start.

use crate::ids::{ItemId, UserId};
use crate::random::{Purpose, Streams, below};
use crate::scenario::Scenario;
use crate::scene::{CONTEXT, PopularityClock, SceneBatch, SceneDraws};
use crate::user::UserModel;
use crate::world::StartingPoint;

/// As many scenes as the model wants: users in turn, slates of uniform candidates, at tick 0. The same for all replications
/// and policies.
pub(super) fn probe(
    scenario: &Scenario,
    start: &StartingPoint,
    model: &dyn UserModel,
    streams: &Streams,
) -> SceneBatch {
    let shape = model.memory();
    let eligible = |user: &UserId| start.log.of(*user).len() >= scenario.population.min_history as usize;
    let users: Vec<UserId> = (0..start.log.users() as u32).map(UserId).filter(eligible).collect();
    let mut popularity = PopularityClock::new(&start.log.item_counts(), 1.0);
    popularity.refresh(&start.catalogue, start.log.end());
    let mut scenes = SceneBatch::default();
    let rows = if users.is_empty() { 0 } else { model.probe_scenes() };
    scenes.reset(rows, scenario.slate, shape.read);
    scenes.set_time(start.log.end());
    scenes.users.extend((0..rows as u32).map(UserId));
    scenes.draws = Some(SceneDraws { streams: *streams, purpose: Purpose::RationaleProbe, tick: 0 });
    for row in 0..rows {
        let user = users[row % users.len()];
        let items = slate(scenario, start, user, row, streams);
        scenes.memory[row * shape.read..(row + 1) * shape.read].copy_from_slice(&start.memory_of(user)[..shape.read]);
        for (slot, &item) in items.iter().enumerate() {
            let place = row * scenario.slate + slot;
            scenes.items[place] = item;
            scenes.context[place * CONTEXT..(place + 1) * CONTEXT].copy_from_slice(popularity.context(item));
        }
    }
    scenes
}

fn slate(scenario: &Scenario, start: &StartingPoint, user: UserId, row: usize, streams: &Streams) -> Vec<ItemId> {
    let mut rng = streams.derive(Purpose::Calibration, row as u64, 0);
    let seen = start.seen_by(user);
    let blocked = |item: u32| scenario.candidates.unseen && seen[item as usize / 64] >> (item % 64) & 1 == 1;
    let mut left: Vec<u32> = (0..start.catalogue.len() as u32).filter(|&item| !blocked(item)).collect();
    let mut items = Vec::with_capacity(scenario.slate);
    while items.len() < scenario.slate && !left.is_empty() {
        let place = below(&mut rng, left.len() as u32) as usize;
        items.push(ItemId(left.swap_remove(place)));
    }
    items
}
