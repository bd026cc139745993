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
}

impl Slates {
    /// Empties all slates and makes room for `rows` of `slate` slots.
    pub fn reset(&mut self, rows: usize, slate: usize) {
        self.slate = slate;
        self.items.clear();
        self.items.resize(rows * slate, ItemId::NONE);
        self.scores.clear();
        self.scores.resize(rows * slate, f32::NAN);
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
        if self.items.is_empty() {
            return;
        }
        let width = self.slate * ROWS_PER_TASK;
        let tasks = self.items.par_chunks_mut(width).zip(self.scores.par_chunks_mut(width)).enumerate();
        tasks.for_each(|(task, (items, scores))| {
            let mut scratch = scratch();
            let rows = items.chunks_mut(requests.slate).zip(scores.chunks_mut(requests.slate)).enumerate();
            for (row, (items, scores)) in rows {
                // Emptied here, while the row is in the cache, and not all of them beforehand.
                items.fill(ItemId::NONE);
                scores.fill(f32::NAN);
                let mut slot = SlateRow { items, scores, len: 0 };
                fill(&mut scratch, requests.get(task * ROWS_PER_TASK + row), &mut slot);
            }
        });
    }
}

/// The slate of one request while it is being filled.
pub struct SlateRow<'a> {
    items: &'a mut [ItemId],
    scores: &'a mut [f32],
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
