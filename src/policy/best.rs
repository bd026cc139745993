//! The best items of one user, from a stream of scores.
//!
//! Scores arrive in ascending order of items; they are neither sorted nor stored.

use super::request::Request;
use super::slates::SlateRow;
use crate::ids::ItemId;

/// Scores offered at a time.
pub(super) const TILE: usize = 16;

/// The best items so far.
pub(super) struct Best {
    size: usize,
    /// Best first; equal scores by ascending item.
    entries: Vec<(f32, ItemId)>,
    /// The score to exceed if all places are taken.
    least: f32,
}

impl Best {
    /// An empty list of at most `size` items.
    pub fn new(size: usize) -> Best {
        Best { size, entries: Vec::with_capacity(size + 1), least: f32::INFINITY }
    }

    /// Offers the first `count` scores of a tile of items from `first` on. A NaN counts as the lowest score.
    #[inline(always)]
    pub fn offer(&mut self, request: &Request<'_>, first: usize, scores: &[f32; TILE], count: usize) {
        let is_free = self.entries.len() < self.size;
        let mut passes = [false; TILE];
        for (passes, score) in passes.iter_mut().zip(scores) {
            // NaN is handled below.
            *passes = *score > self.least || score.is_nan() || is_free;
        }
        if !passes.iter().fold(false, |any, &passes| any | passes) {
            return;
        }
        for lane in (0..count).filter(|&lane| passes[lane]) {
            self.consider(request, scores[lane], ItemId((first + lane) as u32));
        }
    }

    #[inline(never)]
    fn consider(&mut self, request: &Request<'_>, score: f32, item: ItemId) {
        let score = if score.is_nan() { f32::NEG_INFINITY } else { score };
        // The earlier of two equal scores stays.
        let is_free = self.entries.len() < self.size;
        if (!is_free && score <= self.least) || !request.allows(item) {
            return;
        }
        let place = self.entries.partition_point(|held| held.0 >= score);
        self.entries.insert(place, (score, item));
        self.entries.truncate(self.size);
        if self.entries.len() == self.size
            && let Some(last) = self.entries.last()
        {
            self.least = last.0;
        }
    }

    /// Pushes the items, best first, and empties the list.
    pub fn fill(&mut self, slot: &mut SlateRow<'_>) {
        for (score, item) in self.entries.drain(..) {
            slot.push(item, score);
        }
        self.least = f32::INFINITY;
    }
}
