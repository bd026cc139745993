//! Inner policies: what `epsilon_greedy`, `mmr`, `calibrated` and `mix` wrap.
//!
//! The inner policy recommends a list of its own and learns from the slates that were shown, as if they were its own.
//! It draws from streams of its own ([`crate::random::Streams::fork`]), so its draws are independent of those of the
//! outer policy.

use super::{Policy, PolicyContext, PolicyError, Requests, Slates};
use crate::ids::ItemId;
use crate::log::EventBatch;
use crate::params::{Key, Kind, PolicyTable, whole};

/// The wrapped policy.
pub(super) const INNER: Key = Key {
    name: "inner",
    kind: Kind::Policy { default: "popular" },
    doc: "the inner policy; also written as a separate table, [policy.inner]",
};

/// The number of items of the inner list to choose from.
pub(super) const POOL: Key =
    whole("pool", "best items of the inner policy to choose from, at least a slate", (1, 10_000), 100);

/// A wrapped policy and its latest lists.
pub(super) struct Inner {
    policy: Box<dyn Policy>,
    part: u32,
    slates: Slates,
}

/// The list of one request.
#[derive(Clone, Copy)]
pub(super) struct List<'a> {
    /// Best first.
    pub items: &'a [ItemId],
    /// NaN without a score.
    pub scores: &'a [f32],
    /// True if no part of it was drawn.
    pub certain: bool,
}

impl Inner {
    /// Builds part number `part` of a policy from its table.
    pub fn new(table: &PolicyTable, part: u32, context: &PolicyContext) -> Result<Inner, PolicyError> {
        Ok(Inner { policy: context.inner(table)?, part, slates: Slates::default() })
    }

    /// Makes the inner policy fill lists of `length` items.
    pub fn ask(&mut self, requests: &Requests<'_>, length: usize) -> Result<(), PolicyError> {
        let own = Requests { slate: length, streams: requests.streams.fork(self.part), ..*requests };
        self.policy.recommend(&own, &mut self.slates)
    }

    /// The list of the request in row `row`.
    pub fn list(&self, row: usize) -> List<'_> {
        let slots = row * self.slates.slate..(row + 1) * self.slates.slate;
        let items = &self.slates.items[slots.clone()];
        let filled = items.iter().position(|item| !item.is_some()).unwrap_or(items.len());
        let propensities = self.slates.propensities.get(slots.clone()).unwrap_or_default();
        List {
            items: &items[..filled],
            scores: &self.slates.scores[slots][..filled],
            certain: propensities.iter().take(filled).filter(|&&propensity| propensity == 1.0).count() == filled,
        }
    }

    /// See [`Policy::needs_oracle_access`].
    pub fn needs_oracle_access(&self) -> bool {
        self.policy.needs_oracle_access()
    }

    /// See [`Policy::observe`].
    pub fn observe(&mut self, events: &EventBatch) -> Result<(), PolicyError> {
        self.policy.observe(events)
    }
}

impl List<'_> {
    /// The best item that is not in `taken`, and its score.
    pub fn next(&self, taken: &[ItemId]) -> Option<(ItemId, f32)> {
        let mut free = self.items.iter().zip(self.scores).filter(|(item, _)| !taken.contains(item));
        free.next().map(|(&item, &score)| (item, score))
    }

    /// The relevance of each item of the list, from 0 (the last) to 1 (the first): the scaled scores, or the ranks if
    /// scores are missing, infinite or all equal.
    pub fn relevances(&self) -> Vec<f32> {
        let least = self.scores.iter().copied().fold(f32::INFINITY, f32::min);
        let most = self.scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        if self.scores.iter().all(|score| score.is_finite()) && most > least && (most - least).is_finite() {
            return self.scores.iter().map(|score| (score - least) / (most - least)).collect();
        }
        let last = self.items.len().saturating_sub(1).max(1) as f32;
        (0..self.items.len()).map(|place| 1.0 - place as f32 / last).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relevances_from_scores_or_from_places() {
        let items = [4, 2, 9].map(ItemId);
        let of = |scores: &[f32]| List { items: &items, scores, certain: true }.relevances();
        assert_eq!(of(&[3.0, 2.0, -1.0]), [1.0, 0.75, 0.0]);
        for scores in [[f32::NAN; 3], [2.0; 3], [f32::INFINITY, 2.0, 1.0], [f32::MAX, 0.0, f32::MIN]] {
            assert_eq!(of(&scores), [1.0, 0.5, 0.0], "{scores:?}");
        }
        assert_eq!(List { items: &items[..1], scores: &[1.0], certain: true }.relevances(), [1.0]);
    }
}
