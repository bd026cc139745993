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
use rayon::prelude::*;
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

/// Taken and shown, by part and slot. Only pairs that occur are kept: logs have up to 65,536 slots, and any number of items.
#[derive(Clone, Debug)]
struct Counts<'p> {
    pairs: &'p Pairs,
    /// `[pairs]`.
    taken: Vec<f64>,
    /// `[pairs]`.
    shown: Vec<f64>,
}

/// The parts and slots that occur together.
#[derive(Clone, Debug)]
struct Pairs {
    /// The slots that occur, ascending. Below, a slot is its place here: logs may number them up to 65,535.
    slots: Vec<u16>,
    parts: usize,
    /// `[pairs]`: part and slot, ascending.
    cells: Vec<(u32, u16)>,
    /// `[parts + 1]`: part `p` has the pairs `of_part[p]..of_part[p + 1]`.
    of_part: Vec<usize>,
    /// `[slots]`: the pairs of each slot, ascending.
    of_slot: Vec<Vec<u32>>,
}

/// One shown item.
#[derive(Clone, Copy)]
struct Shown {
    pair: u32,
    taken: bool,
}

impl Pairs {
    fn new(lists: &Impressions, parts: &[u32]) -> Pairs {
        let mut slots = lists.slots.clone();
        slots.sort_unstable();
        slots.dedup();
        let place = |slot: &u16| slots.partition_point(|other| other < slot) as u16;
        let mut cells: Vec<(u32, u16)> = parts.iter().copied().zip(lists.slots.iter().map(place)).collect();
        cells.sort_unstable();
        cells.dedup();
        let (mut of_part, mut of_slot) = (Vec::new(), vec![Vec::new(); slots.len()]);
        for (pair, &(part, slot)) in cells.iter().enumerate() {
            if pair == 0 || cells[pair - 1].0 != part {
                of_part.push(pair);
            }
            of_slot[usize::from(slot)].push(pair as u32);
        }
        let parts = of_part.len();
        of_part.push(cells.len());
        Pairs { slots, parts, cells, of_part, of_slot }
    }

    /// The number of a part and slot that occur.
    fn find(&self, part: u32, slot: u16) -> u32 {
        let slot = self.slots.partition_point(|&other| other < slot) as u16;
        self.cells.partition_point(|&cell| cell < (part, slot)) as u32
    }

    /// The pairs of each part.
    fn by_part(&self) -> impl Iterator<Item = std::ops::Range<usize>> + '_ {
        self.of_part.windows(2).map(|ends| ends[0]..ends[1])
    }

    fn slot(&self, pair: usize) -> usize {
        usize::from(self.cells[pair].1)
    }

    /// Values of the slots that occur as values of all slots, 0 for those that do not.
    fn of_all_slots(&self, values: &[f64]) -> Vec<f64> {
        let mut all = vec![0.0; self.slots.last().map_or(0, |&most| usize::from(most) + 1)];
        self.slots.iter().zip(values).for_each(|(&slot, &value)| all[usize::from(slot)] = value);
        all
    }
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
    let pairs = Pairs::new(lists, parts);
    let mut by_user: BTreeMap<u32, Vec<Shown>> = BTreeMap::new();
    let mut at = 0;
    for list in lists.iter() {
        let entries = by_user.entry(list.user.0).or_default();
        for (&slot, &taken) in list.slots.iter().zip(list.taken) {
            entries.push(Shown { pair: pairs.find(parts[at], slot), taken });
            at += 1;
        }
    }
    let users: Vec<Vec<Shown>> = by_user.into_values().collect();
    let whole = Counts::new(&pairs, users.iter());
    whole.check()?;
    let weights = whole.examination();
    let streams = Streams::new(seed, 0);
    let draws: Vec<Vec<f64>> = (0..if users.len() < 2 { 0 } else { resamples })
        .into_par_iter()
        .map(|number| {
            let mut rng = streams.derive(Purpose::Bootstrap, number as u64, 3);
            let drawn = (0..users.len()).map(|_| &users[below(&mut rng, users.len() as u32) as usize]);
            Counts::new(&pairs, drawn).examination()
        })
        .collect();
    Ok(ExaminationEstimate {
        low: pairs.of_all_slots(&ends(&draws, weights.len(), false)),
        high: pairs.of_all_slots(&ends(&draws, weights.len(), true)),
        naive: pairs.of_all_slots(&whole.naive()),
        lists: lists.len(),
        weights: pairs.of_all_slots(&weights),
    })
}

impl<'p> Counts<'p> {
    fn new<'a>(pairs: &'p Pairs, users: impl Iterator<Item = &'a Vec<Shown>>) -> Counts<'p> {
        let zeros = || vec![0.0; pairs.cells.len()];
        let mut counts = Counts { pairs, taken: zeros(), shown: zeros() };
        for shown in users.flatten() {
            counts.shown[shown.pair as usize] += 1.0;
            counts.taken[shown.pair as usize] += f64::from(u8::from(shown.taken));
        }
        counts
    }

    fn check(&self) -> Result<(), String> {
        if self.pairs.slots.len() < 2 {
            return Err("all items were in one slot, so the examination of other slots is unknown".to_owned());
        }
        if self.taken.iter().sum::<f64>() == 0.0 {
            return Err("nothing was taken from any list".to_owned());
        }
        // Slots are joined by each part that was in both.
        let mut group: Vec<usize> = (0..self.pairs.slots.len()).collect();
        for held in self.pairs.by_part() {
            let first = root(&mut group, self.pairs.slot(held.start));
            for pair in held {
                let from = root(&mut group, self.pairs.slot(pair));
                group[from] = first;
            }
        }
        let mut groups: Vec<usize> = (0..group.len()).map(|slot| root(&mut group, slot)).collect();
        groups.sort_unstable();
        groups.dedup();
        if groups.len() > 1 {
            return Err(format!(
                "the slots fall into {} groups that have no item in common: whether a slot is examined more, or holds \
                 better items, cannot be distinguished",
                groups.len()
            ));
        }
        Ok(())
    }

    fn naive(&self) -> Vec<f64> {
        let sum = |values: &[f64], slot: usize| {
            self.pairs.of_slot[slot].iter().map(|&pair| values[pair as usize]).sum::<f64>()
        };
        let share = |slot| sum(&self.taken, slot) / sum(&self.shown, slot).max(1.0);
        relative((0..self.pairs.slots.len()).map(share).collect())
    }

    /// The maximum-likelihood weights, by a Newton step in the logarithm of each number in turn.
    fn examination(&self) -> Vec<f64> {
        let (pairs, parts) = (self.pairs, self.pairs.parts);
        let part_of: Vec<u32> =
            pairs.by_part().enumerate().flat_map(|(part, held)| held.map(move |_| part as u32)).collect();
        let mean = self.taken.iter().sum::<f64>() / self.shown.iter().sum::<f64>();
        let mut examined = vec![0.5; pairs.slots.len()];
        let mut attracts = vec![(2.0 * mean).min(0.5); parts];
        for _ in 0..SWEEPS {
            let before = examined.clone();
            for (weight, held) in examined.iter_mut().zip(&pairs.of_slot) {
                let places = held.iter().map(|&pair| (pair as usize, attracts[part_of[pair as usize] as usize]));
                *weight = self.step(*weight, places, [0.0, 0.0]);
            }
            let centre = attracts.iter().sum::<f64>() / parts as f64;
            for (attraction, held) in attracts.iter_mut().zip(pairs.by_part()) {
                let places = held.map(|pair| (pair, examined[pairs.slot(pair)]));
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

/// `[slots]`: the lower or upper ends of 95% of the draws; NaN without a draw.
fn ends(draws: &[Vec<f64>], slots: usize, high: bool) -> Vec<f64> {
    let end = |slot: usize| {
        let mut values: Vec<f64> = draws.iter().map(|weights| weights[slot]).collect();
        values.sort_by(f64::total_cmp);
        let outside = values.len() / 40;
        let place = if high { values.len().saturating_sub(1 + outside) } else { outside };
        values.get(place).copied().unwrap_or(f64::NAN)
    };
    (0..slots).map(end).collect()
}

/// The slot that represents all slots joined with this one.
fn root(group: &mut [usize], mut slot: usize) -> usize {
    while group[slot] != slot {
        group[slot] = group[group[slot]];
        slot = group[slot];
    }
    slot
}

fn relative(weights: Vec<f64>) -> Vec<f64> {
    let most = weights.iter().copied().fold(0.0, f64::max);
    weights.into_iter().map(|weight| if most > 0.0 { weight / most } else { 0.0 }).collect()
}

#[cfg(test)]
mod tests;
