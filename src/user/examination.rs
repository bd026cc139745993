//! Estimates of examination by slot: the position-based model.
//!
//! `P(taken) = e_slot a_part`: a slot is examined, and its item attracts, independently (Richardson, Dominowska and
//! Ragno 2007). The part is the item, unless cells are grouped otherwise. Both are maximum-likelihood estimates
//! (Chuklin, Markov and de Rijke 2015 compute them by expectation maximisation, as do Wang et al. 2018): each number in
//! turn makes a Newton step, because expectation maximisation hardly moves if few items are taken.
//!
//! **Not identified.** Only products are observed, so `e` is relative to the slot that is examined most, which gets 1.
//! Slots are identified by parts that occurred in several of them; slots without a common part are an error. Attraction
//! is assumed to be a property of the part: if a recommender puts an item high for users who like it, the first slots
//! look better than they are. Randomised slots, or parts by user and item, avoid that (Joachims, Swaminathan and
//! Schnabel 2017).

use crate::dataset::Impressions;
use crate::random::{Purpose, Streams, below};
use std::collections::BTreeMap;

/// The most sweeps of the search, and the change at which it ends.
const SWEEPS: usize = 500;
const SMALL: f64 = 1e-7;
/// The longest step in the logarithm of a number.
const LONGEST: f64 = 1.0;
/// The least distance of a number from 0 and 1.
const LEAST: f64 = 1e-9;
/// The weight, in cells, of the prior of a part's attraction; its mean is that of all cells.
const PRIOR: f64 = 1.0;

/// The examination probability of slots, relative to the slot that is examined most.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct ExaminationEstimate {
    /// `[slots]`: the estimate, 1 for the slot that is examined most.
    pub weights: Vec<f64>,
    /// `[slots]`: lower ends of 95% intervals, a bootstrap over users; NaN without one.
    pub low: Vec<f64>,
    /// `[slots]`: upper ends.
    pub high: Vec<f64>,
    /// `[slots]`: the share of taken items, relative to the largest: the naive estimate.
    pub naive: Vec<f64>,
    /// Lists used.
    pub lists: usize,
}

/// Taken and shown, by part and slot.
#[derive(Clone, Debug)]
struct Counts {
    slots: usize,
    /// `[parts, slots]`.
    taken: Vec<f64>,
    /// `[parts, slots]`.
    shown: Vec<f64>,
}

/// One shown item.
#[derive(Clone, Copy)]
struct Shown {
    place: usize,
    taken: bool,
}

/// Estimates examination with an attraction for each item.
///
/// # Errors
/// When lists have only one slot, nothing was taken, or slots are not identified; the error has the reason.
pub fn estimate_examination(lists: &Impressions, resamples: usize, seed: u64) -> Result<ExaminationEstimate, String> {
    let parts: Vec<u32> = lists.items.iter().map(|item| item.0).collect();
    estimate_examination_by(lists, &parts, resamples, seed)
}

/// The same with an attraction for each part: `parts` has the part of each entry of the lists.
///
/// # Errors
/// As [`estimate_examination`].
pub fn estimate_examination_by(
    lists: &Impressions,
    parts: &[u32],
    resamples: usize,
    seed: u64,
) -> Result<ExaminationEstimate, String> {
    let numbers: BTreeMap<u32, usize> = parts.iter().map(|&part| (part, 0)).collect();
    let numbers: BTreeMap<u32, usize> = numbers.into_keys().enumerate().map(|(at, part)| (part, at)).collect();
    let slots = lists.slots.iter().max().map_or(0, |&most| usize::from(most) + 1);
    let mut by_user: BTreeMap<u32, Vec<Shown>> = BTreeMap::new();
    let mut at = 0;
    for list in lists.iter() {
        let entries = by_user.entry(list.user.0).or_default();
        for (&slot, &taken) in list.slots.iter().zip(list.taken) {
            entries.push(Shown { place: numbers[&parts[at]] * slots + usize::from(slot), taken });
            at += 1;
        }
    }
    let users: Vec<Vec<Shown>> = by_user.into_values().collect();
    let whole = Counts::new(numbers.len(), slots, users.iter());
    whole.check()?;
    let weights = whole.examination();
    let streams = Streams::new(seed, 0);
    let draws: Vec<Vec<f64>> = (0..if users.len() < 2 { 0 } else { resamples })
        .map(|number| {
            let mut rng = streams.derive(Purpose::Bootstrap, number as u64, 3);
            let drawn = (0..users.len()).map(|_| &users[below(&mut rng, users.len() as u32) as usize]);
            Counts::new(numbers.len(), slots, drawn).examination()
        })
        .collect();
    let end = |slot: usize, high: bool| {
        let mut values: Vec<f64> = draws.iter().map(|weights| weights[slot]).collect();
        values.sort_by(f64::total_cmp);
        let outside = values.len() / 40;
        let place = if high { values.len().saturating_sub(1 + outside) } else { outside };
        values.get(place).copied().unwrap_or(f64::NAN)
    };
    Ok(ExaminationEstimate {
        low: (0..slots).map(|slot| end(slot, false)).collect(),
        high: (0..slots).map(|slot| end(slot, true)).collect(),
        naive: whole.naive(),
        lists: lists.len(),
        weights,
    })
}

impl Counts {
    fn new<'a>(parts: usize, slots: usize, users: impl Iterator<Item = &'a Vec<Shown>>) -> Counts {
        let mut counts = Counts { slots, taken: vec![0.0; parts * slots], shown: vec![0.0; parts * slots] };
        for shown in users.flatten() {
            counts.shown[shown.place] += 1.0;
            counts.taken[shown.place] += f64::from(u8::from(shown.taken));
        }
        counts
    }

    fn check(&self) -> Result<(), String> {
        let used: Vec<bool> = (0..self.slots).map(|slot| self.column(&self.shown, slot) > 0.0).collect();
        if used.iter().filter(|&&used| used).count() < 2 {
            return Err("all items were in one slot, so the examination of other slots is unknown".to_owned());
        }
        if self.taken.iter().sum::<f64>() == 0.0 {
            return Err("nothing was taken from any list".to_owned());
        }
        // Each part that occurred in two slots joins them.
        let mut group: Vec<usize> = (0..self.slots).collect();
        for row in self.shown.chunks(self.slots) {
            let held: Vec<usize> = (0..self.slots).filter(|&slot| row[slot] > 0.0).collect();
            let Some(&first) = held.first() else { continue };
            for slot in held {
                let (from, to) = (group[slot], group[first]);
                group.iter_mut().filter(|one| **one == from).for_each(|one| *one = to);
            }
        }
        let mut groups: Vec<usize> = (0..self.slots).filter(|&slot| used[slot]).map(|slot| group[slot]).collect();
        groups.dedup();
        groups.sort_unstable();
        groups.dedup();
        if groups.len() > 1 {
            return Err(format!(
                "the slots fall into {} groups that have no item in common: whether a slot is examined more, or holds \
                 better \
                 items, cannot be distinguished",
                groups.len()
            ));
        }
        Ok(())
    }

    fn column(&self, values: &[f64], slot: usize) -> f64 {
        values.iter().skip(slot).step_by(self.slots).sum()
    }

    fn naive(&self) -> Vec<f64> {
        let share = |slot| self.column(&self.taken, slot) / self.column(&self.shown, slot).max(1.0);
        relative((0..self.slots).map(share).collect())
    }

    /// The maximum-likelihood weights, by a Newton step in the logarithm of each number in turn.
    fn examination(&self) -> Vec<f64> {
        let parts = self.shown.len() / self.slots;
        let mean = self.taken.iter().sum::<f64>() / self.shown.iter().sum::<f64>();
        let mut examined = vec![0.5; self.slots];
        let mut attracts = vec![(2.0 * mean).min(0.5); parts];
        for _ in 0..SWEEPS {
            let before = examined.clone();
            for (slot, weight) in examined.iter_mut().enumerate() {
                let places = attracts.iter().enumerate().map(|(part, &other)| (part * self.slots + slot, other));
                *weight = self.step(*weight, places, [0.0, 0.0]);
            }
            let centre = attracts.iter().sum::<f64>() / parts as f64;
            for (part, attraction) in attracts.iter_mut().enumerate() {
                let places = examined.iter().enumerate().map(|(slot, &other)| (part * self.slots + slot, other));
                *attraction = self.step(*attraction, places, [PRIOR * centre, PRIOR * (1.0 - centre)]);
            }
            // Only products are observed: the scale is that of the slot that is examined most.
            let most = examined.iter().copied().fold(0.0, f64::max);
            if most > 0.0 {
                examined.iter_mut().for_each(|weight| *weight = (*weight / most).min(1.0));
                attracts.iter_mut().for_each(|attraction| *attraction = (*attraction * most).clamp(LEAST, 1.0 - LEAST));
            }
            let change = examined.iter().zip(&before).map(|(one, other)| (one - other).abs()).fold(0.0, f64::max);
            if change < SMALL {
                break;
            }
        }
        relative(examined)
    }

    /// `value` after one step towards the maximum likelihood, given the others at `places`; `prior` are cells that were
    /// taken and that were not. With `x = ln value` the likelihood `sum taken x + left ln(1 - other exp(x))` is
    /// concave.
    fn step(&self, value: f64, places: impl Iterator<Item = (usize, f64)>, prior: [f64; 2]) -> f64 {
        let (mut taken, mut left, mut bend, mut largest) = (prior[0], 0.0, 0.0, 0.0f64);
        let mut against = |count: f64, other: f64| {
            let odds = value * other / (1.0 - value * other).max(LEAST);
            left += count * odds;
            bend += count * odds * (1.0 + odds);
        };
        for (place, other) in places {
            against(self.shown[place] - self.taken[place], other);
            taken += self.taken[place];
            largest = largest.max(other);
        }
        if prior[1] > 0.0 {
            against(prior[1], 1.0);
            largest = 1.0;
        }
        if taken == 0.0 {
            return 0.0;
        }
        // Without opposing evidence it is as large as possible.
        let most = (1.0 - LEAST) / largest.max(LEAST);
        let far = if bend > 0.0 { ((taken - left) / bend).clamp(-LONGEST, LONGEST) } else { LONGEST };
        (value * libm::exp(far)).clamp(LEAST, most)
    }
}

fn relative(weights: Vec<f64>) -> Vec<f64> {
    let most = weights.iter().copied().fold(0.0, f64::max);
    weights.into_iter().map(|weight| if most > 0.0 { weight / most } else { 0.0 }).collect()
}

#[cfg(test)]
mod tests;
