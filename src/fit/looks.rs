//! Examination of slots in a fit.
//!
//! Estimates the examination of slots, so that position is not mistaken for attraction.
//!
//! Neighbouring slots are pooled until each group has [`LEAST_TAKEN`] taken items; then the position-based model with
//! an attraction for each item ([`estimate_examination_by`]) gives a weight to each group. The weights are used only if
//! they predict the late lists significantly better than attraction alone; otherwise all slots count as examined. Its
//! module states the limits: attraction counts as a property of the item, so a recommender that puts an item high for
//! users who like it makes the first slots look better than they are.

use super::shown::ShownLists;
use crate::dataset::{Impression, Impressions};
use crate::user::{ExaminationEstimate, estimate_examination_by};

/// The least taken items in a group of slots.
const LEAST_TAKEN: usize = 100;
/// The most lists used.
const MOST_LISTS: usize = 100_000;
/// Resamples of the intervals.
const RESAMPLES: usize = 100;
/// Looks that the mean attraction is worth where an item's attraction predicts the late lists.
const PRIOR: f64 = 10.0;
/// Standard errors by which the late lists must be predicted better.
const SURE: f64 = 2.0;

/// The examination of slots, with the reason.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Looks {
    /// `[slots]`: the examination probability of each, relative to the slot that is examined most; empty if all count
    /// as examined.
    pub weights: Vec<f32>,
    /// `[slots]`: ends of 95% intervals, a bootstrap over users; empty with `weights`.
    pub intervals: Vec<[f32; 2]>,
    /// A sentence.
    pub reason: String,
}

/// Finds out.
pub(super) fn looks(shown: &ShownLists<'_>, seed: u64) -> Looks {
    let all = |reason: String| Looks { reason: format!("all slots count as examined: {reason}"), ..Looks::default() };
    let step = shown.len().div_ceil(MOST_LISTS);
    let lists: Vec<Impression<'_>> = shown.lists().step_by(step).collect();
    let groups = groups(&lists);
    if groups.last().is_none_or(|&last| last == 0) {
        return all(format!("no two groups of slots have {LEAST_TAKEN} taken items each"));
    }
    let (late, early): (Vec<_>, Vec<_>) = lists.iter().copied().partition(|list| shown.is_late(list));
    if late.is_empty() {
        return all("no list is late".to_owned());
    }
    let estimate = match estimate(&early, &groups, 0, seed) {
        Ok(estimate) => estimate,
        Err(problem) => return all(problem),
    };
    let weights = by_slot(&estimate.weights, &groups);
    let [gain, error] = gain(&early, &late, &weights);
    let evidence =
        format!("the click log loss of late lists is {gain:.6} lower with weights by slot (standard error {error:.6})");
    if gain.is_nan() || gain < SURE * error || gain <= 0.0 {
        return all(evidence);
    }
    match self::estimate(&lists, &groups, RESAMPLES, seed) {
        Ok(found) => {
            let ends = by_slot(&found.low, &groups).into_iter().zip(by_slot(&found.high, &groups));
            Looks {
                weights: by_slot(&found.weights, &groups).into_iter().map(|weight| weight as f32).collect(),
                intervals: ends.map(|(low, high)| [low as f32, high as f32]).collect(),
                reason: format!("slots are examined by position, as {} lists say: {evidence}", found.lists),
            }
        }
        Err(problem) => all(problem),
    }
}

fn estimate(
    lists: &[Impression<'_>],
    groups: &[usize],
    resamples: usize,
    seed: u64,
) -> Result<ExaminationEstimate, String> {
    let mut grouped = Impressions::default();
    for list in lists {
        let slots = list.slots.iter().map(|&slot| groups[usize::from(slot)] as u16);
        let entries = list.items.iter().zip(list.taken).zip(slots).map(|((&item, &taken), slot)| (item, taken, slot));
        grouped.push(list.user, list.time, entries);
    }
    let parts: Vec<u32> = grouped.items.iter().map(|item| item.0).collect();
    estimate_examination_by(&grouped, &parts, resamples, seed)
}

/// `[slots]`: the group of each slot.
fn groups(lists: &[Impression<'_>]) -> Vec<usize> {
    let mut taken = Vec::new();
    for list in lists {
        for (&slot, &is_taken) in list.slots.iter().zip(list.taken) {
            let slot = usize::from(slot);
            if taken.len() <= slot {
                taken.resize(slot + 1, 0usize);
            }
            taken[slot] += usize::from(is_taken);
        }
    }
    let mut left: usize = taken.iter().sum();
    let (mut group, mut size) = (0, 0);
    let mut groups = Vec::with_capacity(taken.len());
    for count in taken {
        groups.push(group);
        size += count;
        left -= count;
        // The rest must be enough for a group of its own.
        if size >= LEAST_TAKEN && left >= LEAST_TAKEN {
            (group, size) = (group + 1, 0);
        }
    }
    groups
}

fn by_slot(values: &[f64], groups: &[usize]) -> Vec<f64> {
    groups.iter().map(|&group| values[group]).collect()
}

/// By how much weights by slot lower the log loss of an item of the late lists, and its standard error over lists.
fn gain(early: &[Impression<'_>], late: &[Impression<'_>], weights: &[f64]) -> [f64; 2] {
    let equal = vec![1.0; weights.len()];
    let [with, without] = [weights, &equal].map(|weights| losses(early, late, weights));
    let gains: Vec<f64> = with.iter().zip(&without).map(|(with, without)| without - with).collect();
    let count = gains.len() as f64;
    let items = late.iter().map(|list| list.items.len()).sum::<usize>() as f64;
    let mean = gains.iter().sum::<f64>() / count;
    let square = gains.iter().map(|gain| (gain - mean) * (gain - mean)).sum::<f64>() / (count - 1.0).max(1.0);
    let per_item = count / items;
    [mean * per_item, (square / count).sqrt() * per_item]
}

/// The log loss of each late list, summed over its items: `P(taken) = w_slot a_item`.
fn losses(early: &[Impression<'_>], late: &[Impression<'_>], weights: &[f64]) -> Vec<f64> {
    let most = early.iter().chain(late).flat_map(|list| list.items).map(|item| item.index() + 1).max().unwrap_or(0);
    let (mut taken, mut looked) = (vec![0.0; most], vec![0.0; most]);
    for list in early {
        for ((item, &slot), &is_taken) in list.items.iter().zip(list.slots).zip(list.taken) {
            taken[item.index()] += f64::from(u8::from(is_taken));
            looked[item.index()] += weights[usize::from(slot)];
        }
    }
    let mean = taken.iter().sum::<f64>() / looked.iter().sum::<f64>().max(1.0);
    let loss = |list: &Impression<'_>| -> f64 {
        let entries = list.items.iter().zip(list.slots).zip(list.taken);
        let one = |((item, &slot), &is_taken): ((&crate::ids::ItemId, &u16), &bool)| {
            let attraction = (taken[item.index()] + PRIOR * mean) / (looked[item.index()] + PRIOR);
            let chance = (weights[usize::from(slot)] * attraction).clamp(1e-6, 1.0 - 1e-6);
            -libm::log(if is_taken { chance } else { 1.0 - chance })
        };
        entries.map(one).sum()
    };
    late.iter().map(loss).collect()
}
