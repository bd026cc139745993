//! The slates that a policy fills, and ranking helpers.

use super::best::{Best, TILE};
use super::request::{Request, Requests};
use crate::ids::ItemId;
use crate::linalg::{Loop, widest};
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
    /// `[n, slate]`, NaN without a score.
    pub scores: Vec<f32>,
    /// `[n, slate]`: the probability with which the policy shows this item in this slot, given the slots above it; NaN
    /// if the policy does not know it. The propensity of a slate is their product.
    pub propensities: Vec<f32>,
}

impl Slates {
    /// Empties all slates and resizes them to `rows` of `slate` slots.
    pub fn reset(&mut self, rows: usize, slate: usize) {
        self.slate = slate;
        self.items.clear();
        self.items.resize(rows * slate, ItemId::NONE);
        for numbers in [&mut self.scores, &mut self.propensities] {
            numbers.clear();
            numbers.resize(rows * slate, f32::NAN);
        }
    }

    /// Declares that nothing was drawn: each slate follows from its request and the observed responses, with propensity
    /// 1.
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
        self.fill_groups(requests, |first, rows| {
            let mut scratch = scratch();
            for (row, slot) in rows.iter_mut().enumerate() {
                fill(&mut scratch, requests.get(first + row), slot);
            }
        });
    }

    /// Like [`Slates::fill`], a group of rows at a time: `fill` receives the number of the first row and all of them. A
    /// row's result must depend on its own request alone.
    pub(super) fn fill_groups<F>(&mut self, requests: &Requests<'_>, fill: F)
    where
        F: Fn(usize, &mut [SlateRow<'_>]) + Sync,
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
                let numbers = scores.chunks_mut(slate).zip(propensities.chunks_mut(slate));
                let rows = items.chunks_mut(slate).zip(numbers).map(|(items, (scores, propensities))| {
                    // Emptied here, while the row is in the cache, and not all rows beforehand.
                    items.fill(ItemId::NONE);
                    scores.fill(f32::NAN);
                    propensities.fill(f32::NAN);
                    SlateRow { items, scores, propensities, len: 0 }
                });
                fill(task * ROWS_PER_TASK, &mut rows.collect::<Vec<_>>());
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
    /// Puts `item` into the next slot; ignored if the slate is full.
    #[inline]
    pub fn push(&mut self, item: ItemId, score: f32) {
        if self.len < self.items.len() {
            self.items[self.len] = item;
            self.scores[self.len] = score;
            self.len += 1;
        }
    }

    /// Like [`SlateRow::push`], for a drawn item: `propensity` is the probability of this item in this slot, given the
    /// slots above.
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

    /// True if every slot has an item.
    pub fn is_full(&self) -> bool {
        self.len == self.items.len()
    }
}

/// Pushes the allowed items with the highest scores, best first; equal scores are ordered by ascending item id.
/// `scores` has one entry for each item of the catalogue; a NaN score counts as the lowest.
pub fn rank_candidates(request: &Request<'_>, scores: &[f32], slot: &mut SlateRow<'_>) {
    let mut best = Best::new(request.slate);
    widest(Scan { scores, request, best: &mut best });
    best.fill(slot);
}

/// Offers all scores.
struct Scan<'a, 'r> {
    scores: &'a [f32],
    request: &'a Request<'r>,
    best: &'a mut Best,
}

impl Loop for Scan<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let (tiles, rest) = self.scores.as_chunks::<TILE>();
        for (place, tile) in tiles.iter().enumerate() {
            self.best.offer(self.request, place * TILE, tile, TILE);
        }
        let mut last = [0.0; TILE];
        last[..rest.len()].copy_from_slice(rest);
        self.best.offer(self.request, tiles.len() * TILE, &last, rest.len());
    }
}
