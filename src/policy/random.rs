//! `random`: slots candidates drawn uniformly without replacement.
//!
//! The lower reference for every other policy, and the unbiased logging policy of off-policy evaluation. Draws come
//! from [`Request::rng`], so a user's slate depends on (seed, replication, user, tick) alone. It has no scores: they
//! are NaN. Its propensities are exact: with `n` candidates left, one slot's is `1 / n`.

use super::{BuildPolicy, Chance, Policy, PolicyContext, PolicyError, Request, Requests, SlateRow, Slates};
use crate::ids::ItemId;
use crate::params::parameters;
use crate::random::below;
use rand_chacha::rand_core::Rng;

parameters! {
    /// candidates drawn uniformly without replacement
    pub(super) struct RandomSpec = "random" {}
}

impl BuildPolicy for RandomSpec {
    fn build(self, _: &PolicyContext) -> Result<Box<dyn Policy>, PolicyError> {
        Ok(Box::new(Random))
    }
}

/// Draws for each slot before the remaining candidates are listed instead.
const TRIES_PER_SLOT: usize = 4;

/// Draws for a single slot before that.
const TRIES_PER_DRAW: usize = 16;

struct Random;

impl Policy for Random {
    fn recommend(&mut self, requests: &Requests<'_>, slates: &mut Slates) -> Result<(), PolicyError> {
        slates.fill(requests, sample);
        Ok(())
    }

    fn chances(&self, request: &Request<'_>, shown: &[ItemId], chances: &mut [Chance]) -> bool {
        let candidates = request.candidate_count();
        for (above, chance) in chances.iter_mut().enumerate().take_while(|(slot, _)| shown[*slot].is_some()) {
            *chance =
                Chance { given_above: 1.0 / candidates.saturating_sub(above) as f32, alone: 1.0 / candidates as f32 };
        }
        true
    }
}

/// Rejection sampling: no list of candidates is made while most items are allowed. The number of rejected draws is
/// independent of the drawn candidates, so switching to the list keeps the draw uniform.
fn sample(request: Request<'_>, slate: &mut SlateRow<'_>) {
    if request.items == 0 {
        return;
    }
    let mut rng = request.rng();
    let candidates = request.candidate_count();
    // Bit `i % 64` is set for each item `i` of the slate: it rules out most repeats without a search.
    let mut taken = 0u64;
    for _ in 0..TRIES_PER_SLOT * request.slate {
        let item = ItemId(below(&mut rng, request.items as u32));
        let bit = 1 << (item.0 % 64);
        if request.allows(item) && (taken & bit == 0 || !slate.items().contains(&item)) {
            taken |= bit;
            push(slate, item, candidates);
            if slate.is_full() {
                return;
            }
        }
    }
    sample_listed(request, slate, &mut rng, candidates);
}

/// Pushes an item; each of the remaining candidates was equally likely.
fn push(slate: &mut SlateRow<'_>, item: ItemId, candidates: usize) {
    let left = candidates - slate.items().len();
    slate.push_drawn(item, f32::NAN, 1.0 / left as f32);
}

/// A uniformly drawn candidate that is not in `taken`; `None` if there is none.
pub(super) fn draw<R: Rng>(request: &Request<'_>, taken: &[ItemId], rng: &mut R) -> Option<ItemId> {
    for _ in 0..if request.items > 0 { TRIES_PER_DRAW } else { 0 } {
        let item = ItemId(below(rng, request.items as u32));
        if request.allows(item) && !taken.contains(&item) {
            return Some(item);
        }
    }
    let rest: Vec<ItemId> = request.candidates().filter(|item| !taken.contains(item)).collect();
    if rest.is_empty() { None } else { Some(rest[below(rng, rest.len() as u32) as usize]) }
}

/// Fills the rest of the slate with a partial Fisher-Yates shuffle of the candidates not in it yet.
fn sample_listed<R: Rng>(request: Request<'_>, slate: &mut SlateRow<'_>, rng: &mut R, candidates: usize) {
    let mut rest: Vec<ItemId> = request.candidates().filter(|item| !slate.items().contains(item)).collect();
    for place in 0..rest.len() {
        if slate.is_full() {
            return;
        }
        let pick = place + below(rng, (rest.len() - place) as u32) as usize;
        rest.swap(place, pick);
        push(slate, rest[place], candidates);
    }
}

#[cfg(test)]
mod tests {
    use crate::ids::{ItemId, UserId};
    use crate::policy::testing::{World, build, mask};

    /// How often each of `items` items is in each of `slate` slots over many users.
    fn slot_counts(items: usize, slate: usize, allowed: &[u32], users: u32) -> Vec<Vec<f64>> {
        let world = World::new(1, items).slate(slate);
        let mut policy = build("random", &world.context());
        let blocked: Vec<u32> = (0..items as u32).filter(|item| !allowed.contains(item)).collect();
        let asked: Vec<UserId> = (0..users).map(UserId).collect();
        let rows = vec![mask(items, &blocked); asked.len()];
        let slates = world.recommend(policy.as_mut(), 3, &asked, &rows);
        let mut counts = vec![vec![0.0; items]; slate];
        for row in slates.items.chunks(slate) {
            for (slot, item) in row.iter().enumerate().filter(|(_, item)| item.is_some()) {
                counts[slot][item.index()] += 1.0;
            }
        }
        counts
    }

    fn assert_uniform(counts: &[Vec<f64>], allowed: &[u32], users: u32) {
        let expected = f64::from(users) / allowed.len() as f64;
        for slot in counts {
            let chi: f64 = allowed
                .iter()
                .map(|&item| {
                    let gap = slot[item as usize] - expected;
                    gap * gap / expected
                })
                .sum();
            let freedom = allowed.len() as f64 - 1.0;
            // Mean + 5 standard deviations of the chi-square distribution.
            assert!(chi < freedom + 5.0 * (2.0 * freedom).sqrt(), "chi-square {chi} with {freedom} degrees");
        }
    }

    #[test]
    fn every_candidate_is_equally_likely_in_every_slot() {
        let many: Vec<u32> = (0..60).filter(|item| item % 7 != 0).collect();
        assert_uniform(&slot_counts(60, 4, &many, 40_000), &many, 40_000);
    }

    #[test]
    fn a_few_candidates_among_many_items_are_equally_likely_too() {
        let few = [3, 64, 65, 190, 199, 17];
        assert_uniform(&slot_counts(200, 4, &few, 40_000), &few, 40_000);
        let fewer_than_slots = [9, 130, 131];
        let counts = slot_counts(200, 4, &fewer_than_slots, 30_000);
        assert_uniform(&counts[..3], &fewer_than_slots, 30_000);
        assert!(counts[3].iter().all(|&count| count == 0.0));
    }

    #[test]
    fn scores_are_absent_and_ticks_differ() {
        let world = World::new(4, 50);
        let mut policy = build("random", &world.context());
        let (users, rows) = world.everyone();
        let first = world.recommend(policy.as_mut(), 0, &users, &rows);
        let second = world.recommend(policy.as_mut(), 1, &users, &rows);
        assert!(first.scores.iter().all(|score| score.is_nan()));
        assert_ne!(first.items, second.items);
        assert!(first.items.iter().all(|&item| item != ItemId::NONE));
    }

    #[test]
    fn propensities_count_the_candidates_that_are_left() {
        // Few candidates among many items are listed, many are drawn: both ways give the same numbers.
        for (items, allowed) in [(200, vec![3, 64, 65, 190]), (12, (0..12).collect())] {
            let world = World::new(1, items).slate(3);
            let blocked: Vec<u32> = (0..items as u32).filter(|item| !allowed.contains(item)).collect();
            let mut policy = build("random", &world.context());
            let slates = world.recommend(policy.as_mut(), 0, &world.users(), &[mask(items, &blocked)]);
            let wanted: Vec<f32> = (0..3).map(|slot| 1.0 / (allowed.len() - slot) as f32).collect();
            assert_eq!(slates.propensities, wanted);
        }
    }
}
