//! The slates that a policy fills, and ranking helpers.

use super::request::{Request, Requests};
use crate::ids::ItemId;
use rayon::prelude::*;

/// Rows that one parallel task fills.
const ROWS_PER_TASK: usize = 64;

/// One slate for each request: `[n, slate]` items, best first, and their scores.
#[derive(Clone, Debug, Default)]
pub struct Slates {
    /// Slots of a slate.
    pub slate: usize,
    /// `[n, slate]`, [`ItemId::NONE`] in empty slots.
    pub items: Vec<ItemId>,
    /// `[n, slate]`, NaN where the policy has no score.
    pub scores: Vec<f32>,
    /// `[n, slate]`: the probability with which the policy puts this item into this slot, given the slots above it; NaN
    /// where the policy does not know it. The propensity of a slate is their product.
    pub propensities: Vec<f32>,
}

impl Slates {
    /// Empties all slates and makes room for `rows` of `slate` slots.
    pub fn reset(&mut self, rows: usize, slate: usize) {
        self.slate = slate;
        self.items.clear();
        self.items.resize(rows * slate, ItemId::NONE);
        for numbers in [&mut self.scores, &mut self.propensities] {
            numbers.clear();
            numbers.resize(rows * slate, f32::NAN);
        }
    }

    /// Says that nothing was drawn: each slate follows from its request and what was observed, with propensity 1.
    pub fn mark_certain(&mut self) {
        self.propensities.clear();
        self.propensities.extend(self.items.iter().map(|item| if item.is_some() { 1.0 } else { f32::NAN }));
    }

    /// Calls `fill` once for each request, in parallel; a row's result must depend on its request alone.
    pub fn fill<F>(&mut self, requests: &Requests<'_>, fill: F)
    where
        F: Fn(Request<'_>, &mut SlateRow<'_>) + Sync,
    {
        self.fill_with(requests, || (), |(), request, slot| fill(request, slot));
    }

    /// Like [`Slates::fill`], with a scratch value that is made once for each group of rows.
    pub fn fill_with<S, I, F>(&mut self, requests: &Requests<'_>, scratch: I, fill: F)
    where
        I: Fn() -> S + Sync,
        F: Fn(&mut S, Request<'_>, &mut SlateRow<'_>) + Sync,
    {
        self.slate = requests.slate;
        self.items.resize(requests.len() * requests.slate, ItemId::NONE);
        self.scores.resize(requests.len() * requests.slate, f32::NAN);
        self.propensities.resize(requests.len() * requests.slate, f32::NAN);
        if self.items.is_empty() {
            return;
        }
        let (slate, width) = (self.slate, self.slate * ROWS_PER_TASK);
        let numbers = self.scores.par_chunks_mut(width).zip(self.propensities.par_chunks_mut(width));
        self.items.par_chunks_mut(width).zip(numbers).enumerate().for_each(
            |(task, (items, (scores, propensities)))| {
                let mut scratch = scratch();
                let numbers = scores.chunks_mut(slate).zip(propensities.chunks_mut(slate));
                for (row, (items, (scores, propensities))) in items.chunks_mut(slate).zip(numbers).enumerate() {
                    // Emptied here, while the row is in the cache, and not all of them beforehand.
                    items.fill(ItemId::NONE);
                    scores.fill(f32::NAN);
                    propensities.fill(f32::NAN);
                    let mut slot = SlateRow { items, scores, propensities, len: 0 };
                    fill(&mut scratch, requests.get(task * ROWS_PER_TASK + row), &mut slot);
                }
            },
        );
    }
}

/// The slate of one request while it is being filled.
pub struct SlateRow<'a> {
    items: &'a mut [ItemId],
    scores: &'a mut [f32],
    propensities: &'a mut [f32],
    len: usize,
}

impl SlateRow<'_> {
    /// Puts `item` into the next slot; ignored when the slate is full.
    #[inline]
    pub fn push(&mut self, item: ItemId, score: f32) {
        if self.len < self.items.len() {
            self.items[self.len] = item;
            self.scores[self.len] = score;
            self.len += 1;
        }
    }

    /// Like [`SlateRow::push`], for an item that was drawn: `propensity` is the probability with which it got this slot,
    /// given the slots above.
    #[inline]
    pub fn push_drawn(&mut self, item: ItemId, score: f32, propensity: f32) {
        if self.len < self.items.len() {
            self.propensities[self.len] = propensity;
            self.push(item, score);
        }
    }

    /// The items placed so far.
    pub fn items(&self) -> &[ItemId] {
        &self.items[..self.len]
    }

    /// Whether every slot has an item.
    pub fn is_full(&self) -> bool {
        self.len == self.items.len()
    }
}

/// Pushes the allowed items with the highest scores, best first; equal scores go by ascending item id.
/// `scores` has one entry for each item of the catalogue; a NaN score counts as the lowest.
pub fn rank_candidates(request: &Request<'_>, scores: &[f32], slot: &mut SlateRow<'_>) {
    let better = |a: (f32, ItemId), b: (f32, ItemId)| a.0 > b.0 || (a.0 == b.0 && a.1 < b.1);
    let mut best: Vec<(f32, ItemId)> = Vec::with_capacity(request.slate + 1);
    for (index, &score) in scores.iter().enumerate() {
        let entry = (if score.is_nan() { f32::NEG_INFINITY } else { score }, ItemId(index as u32));
        if best.len() == request.slate && !better(entry, best[request.slate - 1]) {
            continue;
        }
        if !request.allows(entry.1) {
            continue;
        }
        let place = best.partition_point(|&held| better(held, entry));
        best.insert(place, entry);
        best.truncate(request.slate);
    }
    for (score, item) in best {
        slot.push(item, score);
    }
}
