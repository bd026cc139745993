//! The probe that sets the acceptance level.
//!
//! Random candidates for the users of the log at the start.

use crate::ids::{ItemId, LogUserId};
use crate::random::{Purpose, Streams, below};
use crate::scenario::Scenario;
use crate::scene::{CONTEXT, PopularityClock, SceneBatch, SceneDraws};
use crate::simulation::StartingPoint;
use crate::user::UserModel;

/// As many scenes as the model requests: users in turn, or a random sample if there are more users than scenes; slates
/// of uniform candidates at tick 0. All replications and policies share the probe.
pub(super) fn probe(
    scenario: &Scenario,
    start: &StartingPoint,
    model: &dyn UserModel,
    streams: &Streams,
) -> SceneBatch {
    let shape = model.memory();
    let eligible = |user: &LogUserId| start.log.of(*user).len() >= scenario.population.min_history as usize;
    let users: Vec<LogUserId> = (0..start.log.users() as u32).map(LogUserId).filter(eligible).collect();
    let users = sample(users, model.probe_scenes(), streams);
    let mut popularity = PopularityClock::new(&start.log.item_counts(), 1.0);
    popularity.refresh(&start.catalogue, start.log.end());
    let mut scenes = SceneBatch::default();
    let rows = if users.is_empty() { 0 } else { model.probe_scenes() };
    scenes.reset(rows, scenario.slate, shape.read);
    scenes.set_time(start.log.end());
    scenes.users.extend((0..rows).map(|row| users[row % users.len()].simulated()));
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

/// `count` of the users, each equally likely, in the order of their ids; all users if there are no more.
fn sample(mut users: Vec<LogUserId>, count: usize, streams: &Streams) -> Vec<LogUserId> {
    if users.len() <= count {
        return users;
    }
    // Slates of the probe draw at tick 0.
    let mut rng = streams.derive(Purpose::Calibration, 0, 1);
    for place in 0..count {
        let other = place + below(&mut rng, (users.len() - place) as u32) as usize;
        users.swap(place, other);
    }
    users.truncate(count);
    users.sort_unstable();
    users
}

fn slate(scenario: &Scenario, start: &StartingPoint, user: LogUserId, row: usize, streams: &Streams) -> Vec<ItemId> {
    let mut rng = streams.derive(Purpose::Calibration, row as u64, 0);
    let seen = start.seen_by(user);
    let blocked = |item: u32| scenario.candidates.unseen && seen.contains(ItemId(item));
    let mut left: Vec<u32> = (0..start.catalogue.len() as u32).filter(|&item| !blocked(item)).collect();
    let mut items = Vec::with_capacity(scenario.slate);
    while items.len() < scenario.slate && !left.is_empty() {
        let place = below(&mut rng, left.len() as u32) as usize;
        items.push(ItemId(left.swap_remove(place)));
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_of_all_users_and_not_of_the_lowest_ids() {
        let users: Vec<LogUserId> = (0..10_000).map(LogUserId).collect();
        let streams = Streams::new(7, 0);
        let drawn = sample(users.clone(), 2_000, &streams);
        assert_eq!(drawn.len(), 2_000);
        assert!(drawn.windows(2).all(|pair| pair[0] < pair[1]), "each once, in order");
        // The mean of 2,000 of 10,000 ids has a standard deviation of 57.7.
        let mean = drawn.iter().map(|user| f64::from(user.0)).sum::<f64>() / 2_000.0;
        assert!((mean - 4_999.5).abs() < 300.0, "{mean}");
        assert_eq!(drawn, sample(users.clone(), 2_000, &streams), "the same each time");
        assert_eq!(sample(users[..50].to_vec(), 64, &streams), users[..50], "few users are all asked");
    }
}
