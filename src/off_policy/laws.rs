//! Exact properties of the estimators in tiny environments.

use super::{rounds, slates};
use proptest::prelude::*;

const ITEMS: usize = 4;
const SLOTS: usize = 2;

/// Slates of two different items out of four.
fn all_slates() -> Vec<[usize; SLOTS]> {
    let pairs = (0..ITEMS).flat_map(|first| (0..ITEMS).map(move |second| [first, second]));
    pairs.filter(|slate| slate[0] != slate[1]).collect()
}

/// A policy that draws slot by slot in proportion to its weights, which differ by slot.
#[derive(Debug)]
struct Drawn([[f64; ITEMS]; SLOTS]);

impl Drawn {
    fn given_above(&self, slate: &[usize; SLOTS], slot: usize) -> f64 {
        let left = (0..ITEMS).filter(|item| !slate[..slot].contains(item)).map(|item| self.0[slot][item]);
        self.0[slot][slate[slot]] / left.sum::<f64>()
    }

    fn of(&self, slate: &[usize; SLOTS]) -> f64 {
        (0..SLOTS).map(|slot| self.given_above(slate, slot)).product()
    }

    /// Whatever the other slot shows.
    fn alone(&self, item: usize, slot: usize) -> f64 {
        all_slates().iter().filter(|slate| slate[slot] == item).map(|slate| self.of(slate)).sum()
    }
}

/// The mean contribution over all logs that `logged` may write: the expectation of the estimate.
fn expectation(logged: &Drawn, contributions: &[f64]) -> f64 {
    all_slates().iter().zip(contributions).map(|(slate, contribution)| logged.of(slate) * contribution).sum()
}

/// The true value of a policy when `reward(slate, slot)` is what a slot earns.
fn truth(policy: &Drawn, reward: impl Fn(&[usize; SLOTS], usize) -> f64) -> f64 {
    let of_slate = |slate: &[usize; SLOTS]| (0..SLOTS).map(|slot| reward(slate, slot)).sum::<f64>();
    all_slates().iter().map(|slate| policy.of(slate) * of_slate(slate)).sum()
}

fn table(reward: impl Fn(&[usize; SLOTS], usize) -> f64) -> Vec<f64> {
    let reward = &reward;
    all_slates().iter().flat_map(|slate| (0..SLOTS).map(move |slot| reward(slate, slot))).collect()
}

fn drawn() -> impl Strategy<Value = Drawn> {
    prop::array::uniform2(prop::array::uniform4(0.05..1.0)).prop_map(Drawn)
}

/// Rewards of each item in each slot, and for each pair.
fn rewards() -> impl Strategy<Value = [[f64; ITEMS]; ITEMS]> {
    prop::array::uniform4(prop::array::uniform4(0.0..1.0))
}

proptest! {
    #[test]
    fn each_form_is_unbiased_under_its_assumption(logged in drawn(), target in drawn(), gain in rewards()) {
        let ratios = table(|slate, slot| target.given_above(slate, slot) / logged.given_above(slate, slot));
        let alone = table(|slate, slot| target.alone(slate[slot], slot) / logged.alone(slate[slot], slot));
        let check = |weights: &[f64], reward: &dyn Fn(&[usize; SLOTS], usize) -> f64| {
            let found = slates::weighted(SLOTS, &table(reward), weights).expect("rounds");
            (expectation(&logged, &found.contributions) - truth(&target, reward)).abs()
        };
        // A slot earns by both slots; by those down to it; by its own item.
        let any = |slate: &[usize; SLOTS], slot: usize| gain[slate[0]][slate[1]] * (slot + 1) as f64;
        let cascade = |slate: &[usize; SLOTS], slot: usize| if slot == 0 { gain[slate[0]][0] } else { any(slate, 1) };
        let own = |slate: &[usize; SLOTS], slot: usize| gain[slate[slot]][slot];
        prop_assert!(check(&slates::whole(SLOTS, &ratios), &any) < 1e-9);
        prop_assert!(check(&slates::down_to(SLOTS, &ratios), &cascade) < 1e-9);
        prop_assert!(check(&alone, &own) < 1e-9);
    }

    #[test]
    fn doubly_robust_is_unbiased_for_any_model(
        logged in drawn(), target in drawn(), gain in rewards(), model in rewards(),
    ) {
        let all = all_slates();
        let of = |table: &[[f64; ITEMS]; ITEMS]| all.iter().map(|slate| table[slate[0]][slate[1]]).collect::<Vec<f64>>();
        let weights: Vec<f64> = all.iter().map(|slate| target.of(slate) / logged.of(slate)).collect();
        let predictions = of(&model);
        let expected: f64 = all.iter().zip(&predictions).map(|(slate, predicted)| target.of(slate) * predicted).sum();
        let found = rounds::dr(&of(&gain), &weights, &predictions, &vec![expected; all.len()]).expect("rounds");
        let truth: f64 = all.iter().zip(of(&gain)).map(|(slate, reward)| target.of(slate) * reward).sum();
        prop_assert!((expectation(&logged, &found.contributions) - truth).abs() < 1e-9);
    }

    #[test]
    fn self_normalised_values_are_means_of_rewards(rewards in prop::collection::vec(0.0..1.0, 1..40), seed in 0.01..9.0) {
        let weights: Vec<f64> = (1..=rewards.len()).map(|round| (round as f64 * seed) % 3.0 + 0.01).collect();
        let found = rounds::snips(&rewards, &weights).expect("rounds").value;
        let least = rewards.iter().copied().fold(f64::INFINITY, f64::min);
        let most = rewards.iter().copied().fold(0.0, f64::max);
        prop_assert!(least - 1e-12 <= found && found <= most + 1e-12);
        // A constant reward has that value, whatever the weights.
        let constant = rounds::snips(&vec![0.25; weights.len()], &weights).expect("rounds").value;
        prop_assert!((constant - 0.25).abs() < 1e-12);
    }
}
