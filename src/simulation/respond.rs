//! Respond: behaviour drawn from probabilities.
//!
//! Three uniform numbers a visitor and tick decide whether
//! something is accepted, which slot, and which rating: under every policy the visitor has the same numbers.

use super::{Choices, Clock, Events, Fault, Model, Scenes, Surroundings, TickError, Visits};
use crate::ids::UserId;
use crate::log::REJECTED;
use crate::random::{Purpose, Streams, unit};
use crate::user::RATINGS;
use bevy_ecs::prelude::{Res, ResMut};
use rayon::prelude::*;

/// Rows that one parallel task draws for.
const ROWS_PER_TASK: usize = 128;

#[expect(clippy::too_many_arguments, reason = "each argument is one resource that the stage reads or writes")]
pub(super) fn respond(
    clock: Res<Clock>,
    surroundings: Res<Surroundings>,
    visits: Res<Visits>,
    model: Res<Model>,
    scenes: Res<Scenes>,
    choices: Res<Choices>,
    mut events: ResMut<Events>,
    mut fault: ResMut<Fault>,
) {
    let batch = &mut events.0;
    let (visitors, slate) = (visits.users.len(), batch.slate);
    batch.accepted.resize(visitors, REJECTED);
    batch.probabilities.resize(visitors * slate, 0.0);
    batch.ratings.clear();
    batch.ratings.resize(visitors, f32::NAN);
    if slate == 0 {
        return;
    }
    // By visitor: the number that decides the rating.
    let mut numbers = vec![0.0; visitors];
    let drawn = batch.accepted.par_iter_mut().zip(&mut numbers);
    let rows = drawn.zip(batch.probabilities.par_chunks_exact_mut(slate)).zip(&visits.users);
    rows.with_min_len(ROWS_PER_TASK).enumerate().for_each(|(row, (((accepted, number), shown), user))| {
        let [accept, slot, rating] = response_draws(&clock.streams, *user, clock.tick);
        shown.copy_from_slice(&choices.0.choice(row)[..slate]);
        *accepted = accepted_slot(shown, accept, slot).map_or(REJECTED, |slot| slot as u8);
        *number = rating;
    });
    if !surroundings.rated {
        return;
    }
    let accepted = batch.accepted.iter().enumerate().filter(|(_, slot)| **slot != REJECTED);
    let accepted: Vec<(usize, usize)> = accepted.map(|(row, &slot)| (row, usize::from(slot))).collect();
    match model.0.ratings(&scenes.0, &choices.0, &accepted) {
        Err(source) => fault.0 = Some(TickError::User { tick: clock.tick, source }),
        Ok(classes) => {
            for (&(row, _), classes) in accepted.iter().zip(&classes) {
                batch.ratings[row] = rating(classes, numbers[row]);
            }
        }
    }
}

/// The uniform numbers that decide what a user does at a tick: whether something is accepted, which slot, which rating.
pub fn response_draws(streams: &Streams, user: UserId, tick: u32) -> [f64; 3] {
    let mut rng = streams.derive(Purpose::Response, u64::from(user.0), tick);
    [unit(&mut rng), unit(&mut rng), unit(&mut rng)]
}

/// The slot that is accepted, given the probability of each and the first two numbers of [`response_draws`].
pub fn accepted_slot(slots: &[f32], accept: f64, slot: f64) -> Option<usize> {
    let total: f64 = slots.iter().map(|&probability| f64::from(probability)).sum();
    if accept >= total { None } else { draw(slots, slot * total) }
}

/// The rating that `number` picks, given the probabilities of the ratings 1 to 5.
fn rating(classes: &[f32; RATINGS], number: f64) -> f32 {
    let sum: f64 = classes.iter().map(|&probability| f64::from(probability)).sum();
    (draw(classes, number * sum).unwrap_or(0) + 1) as f32
}

/// The first index at which the running sum exceeds `point`; the last one with a positive share when rounding leaves a rest.
fn draw(shares: &[f32], point: f64) -> Option<usize> {
    let mut sum = 0.0;
    for (index, &share) in shares.iter().enumerate() {
        sum += f64::from(share);
        if point < sum {
            return Some(index);
        }
    }
    shares.iter().rposition(|&share| share > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inverse_of_the_running_sum() {
        let shares = [0.2, 0.0, 0.3, 0.0];
        assert_eq!(draw(&shares, 0.0), Some(0));
        assert_eq!(draw(&shares, 0.19), Some(0));
        assert_eq!(draw(&shares, 0.21), Some(2), "a share of zero is never drawn");
        assert_eq!(draw(&shares, 0.6), Some(2), "a rest of rounding goes to the last positive share");
        assert_eq!(draw(&[0.0], 0.5), None);
    }
}
