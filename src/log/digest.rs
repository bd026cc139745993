//! The digest of a run.
//!
//! Equal digests mean the same experiment, bit for bit.

use super::EventBatch;
use std::fmt;

/// The hash over all events of one replication under one policy (BLAKE3, 256 bits).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest(blake3::Hash);

impl Digest {
    /// Combines the digests of several replications, in order.
    pub fn combine(parts: impl IntoIterator<Item = Digest>) -> Digest {
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            hasher.update(part.0.as_bytes());
        }
        Digest(hasher.finalize())
    }

    /// The digest of bytes that were hashed elsewhere.
    pub(super) fn of(hasher: &blake3::Hasher) -> Digest {
        Digest(hasher.finalize())
    }

    /// Reads the hexadecimal form.
    pub fn parse(text: &str) -> Option<Digest> {
        blake3::Hash::from_hex(text).ok().map(Digest)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0.to_hex().as_str())
    }
}

/// A digest that is being computed, one batch after the other.
#[derive(Clone, Default)]
pub struct DigestState {
    hasher: blake3::Hasher,
    bytes: Vec<u8>,
}

impl DigestState {
    /// Adds one tick's events. Every column except the propensities and the sessions counts, floating-point numbers by
    /// their bits (all NaN alike). Propensities follow from the policy, the slates and the candidates, which the digest
    /// covers already; without them, a log keeps its digest if a policy starts to report them. Sessions follow from the
    /// responses. A tick without visitors has no rows in a log and no effect here.
    pub fn update(&mut self, batch: &EventBatch) {
        if batch.is_empty() {
            return;
        }
        let bytes = &mut self.bytes;
        bytes.clear();
        for word in [batch.tick, batch.slate as u32, batch.users.len() as u32] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        words(bytes, batch.users.iter().map(|user| user.0));
        words(bytes, batch.items.iter().map(|item| item.0));
        words(bytes, batch.scores.iter().map(|&score| canonical(score)));
        let shown = batch.items.iter().zip(&batch.probabilities);
        words(bytes, shown.map(|(item, &probability)| canonical(if item.is_some() { probability } else { 0.0 })));
        bytes.extend_from_slice(&batch.accepted);
        words(bytes, batch.ratings.iter().map(|&rating| canonical(rating)));
        self.hasher.update(bytes);
    }

    /// The digest of everything added so far.
    pub fn finish(&self) -> Digest {
        Digest(self.hasher.finalize())
    }
}

fn canonical(value: f32) -> u32 {
    if value.is_nan() { f32::NAN.to_bits() } else { value.to_bits() }
}

fn words(bytes: &mut Vec<u8>, values: impl ExactSizeIterator<Item = u32>) {
    let start = bytes.len();
    bytes.resize(start + 4 * values.len(), 0);
    for (target, value) in bytes[start..].chunks_exact_mut(4).zip(values) {
        target.copy_from_slice(&value.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{ItemId, UserId};

    fn batch() -> EventBatch {
        EventBatch {
            tick: 1,
            slate: 1,
            users: vec![UserId(4)],
            sessions: vec![1],
            items: vec![ItemId(2)],
            scores: vec![1.0],
            propensities: vec![0.25],
            probabilities: vec![0.5],
            accepted: vec![0],
            ratings: vec![3.0],
        }
    }

    fn of(batch: &EventBatch) -> Digest {
        let mut state = DigestState::default();
        state.update(batch);
        state.finish()
    }

    #[test]
    fn every_column_counts() {
        let base = of(&batch());
        let changes: [fn(&mut EventBatch); 7] = [
            |batch| batch.tick = 2,
            |batch| batch.users[0] = UserId(5),
            |batch| batch.items[0] = ItemId(3),
            |batch| batch.scores[0] = f32::NAN,
            |batch| batch.probabilities[0] = 0.500_000_1,
            |batch| batch.accepted[0] = u8::MAX,
            |batch| batch.ratings[0] = 4.0,
        ];
        for change in changes {
            let mut other = batch();
            change(&mut other);
            assert_ne!(of(&other), base);
        }
        assert_eq!(of(&batch()), base);
        assert_eq!(of(&EventBatch { propensities: vec![f32::NAN], ..batch() }), base, "propensities do not count");
        assert_eq!(of(&EventBatch { sessions: Vec::new(), ..batch() }), base, "nor do sessions");
        assert_eq!(Digest::parse(&base.to_string()), Some(base));
        assert_eq!(Digest::parse("nonsense"), None);
    }
}
