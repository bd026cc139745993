//! The digest of a run: equal digests mean the same experiment, bit for bit.

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
    /// Adds one tick's events. Every column counts, floating-point numbers by their bits (all NaN alike).
    pub fn update(&mut self, batch: &EventBatch) {
        let bytes = &mut self.bytes;
        bytes.clear();
        for word in [batch.tick, batch.slate as u32, batch.users.len() as u32] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes.extend(batch.users.iter().flat_map(|user| user.0.to_le_bytes()));
        bytes.extend(batch.items.iter().flat_map(|item| item.0.to_le_bytes()));
        bytes.extend(batch.scores.iter().flat_map(|&score| canonical(score)));
        bytes.extend(batch.probabilities.iter().flat_map(|&probability| canonical(probability)));
        bytes.extend_from_slice(&batch.accepted);
        bytes.extend(batch.ratings.iter().flat_map(|&rating| canonical(rating)));
        self.hasher.update(bytes);
    }

    /// The digest of everything added so far.
    pub fn finish(&self) -> Digest {
        Digest(self.hasher.finalize())
    }
}

fn canonical(value: f32) -> [u8; 4] {
    if value.is_nan() { f32::NAN.to_bits().to_le_bytes() } else { value.to_bits().to_le_bytes() }
}
