//! Events: slates and responses, the interface between running and reporting.
//!
//! A tick's events are one columnar [`EventBatch`]. Everything downstream (metrics, digests, Parquet, reports) reads
//! batches and never the simulation, so a live run and a replayed log give equal numbers. A receiver of batches is an
//! [`EventSink`], and may be borrowed:
//!
//! ```
//! use recmirror::ids::{ItemId, UserId};
//! use recmirror::log::{CountSink, DigestState, EventBatch, EventSink, REJECTED};
//!
//! let batch = EventBatch {
//!     slate: 2,
//!     users: vec![UserId(4), UserId(9)],
//!     items: [7, 3, 3, 1].map(ItemId).to_vec(),
//!     scores: vec![0.9, 0.2, 0.8, 0.1],
//!     propensities: vec![1.0; 4],
//!     probabilities: vec![0.1; 4],
//!     accepted: vec![1, REJECTED],
//!     ratings: vec![4.0, f32::NAN],
//!     ..EventBatch::default()
//! };
//! assert_eq!((batch.accepted_item(0), batch.accepted_item(1)), (Some(ItemId(3)), None));
//!
//! fn record(mut sink: impl EventSink, batch: &EventBatch) -> Result<(), recmirror::log::LogError> {
//!     sink.write(batch)?;
//!     sink.finish()
//! }
//! let mut counts = CountSink::default();
//! record(&mut counts, &batch)?;
//! assert_eq!((counts.steps, counts.accepted), (2, 1));
//!
//! let mut digest = DigestState::default();
//! digest.update(&batch);
//! assert_eq!(digest.finish().to_string().len(), 64);
//! # Ok::<(), recmirror::log::LogError>(())
//! ```

mod decisions;
mod digest;
mod error;
#[cfg(not(feature = "parquet"))]
mod no_parquet;
#[cfg(feature = "parquet")]
mod pages;
#[cfg(feature = "parquet")]
mod parquet;
mod recording;
mod sink;
mod trial_name;

pub use self::decisions::{Decision, DecisionBatch, DecisionLine, DecisionSink, DecisionTally, read_decisions};
pub use self::digest::{Digest, DigestState};
pub use self::error::LogError;
#[cfg(not(feature = "parquet"))]
pub use self::no_parquet::{EventReader, ParquetWriter, read_batches, read_trial};
#[cfg(feature = "parquet")]
pub use self::parquet::{EventReader, ParquetWriter, read_batches, read_trial};
pub use self::recording::Recording;
pub use self::sink::{CountSink, EventSink, MemorySink, NoSink};
pub use self::trial_name::TrialName;

use crate::ids::{ItemId, UserId};

/// The slot index of "accepted nothing" in [`EventBatch::accepted`].
pub const REJECTED: u8 = u8::MAX;

/// The events of one tick of one replication under one policy.
///
/// Shapes: `n` users were served, each with a slate of `slate` slots; slot arrays are row-major `[n, slate]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EventBatch {
    /// The tick.
    pub tick: u32,
    /// Slots of a slate (at most 254).
    pub slate: usize,
    /// `[n]`, ascending.
    pub users: Vec<UserId>,
    /// `[n]`: the number of the user's session, from 1; empty if unknown, as in logs of versions before it was
    /// recorded. A session may begin at the tick after the end of another: no other column distinguishes the two. Not
    /// part of the digest, because it follows from the scenario and the other columns.
    pub sessions: Vec<u32>,
    /// `[n, slate]`; [`ItemId::NONE`] where a slate has fewer items than slots.
    pub items: Vec<ItemId>,
    /// `[n, slate]`: the policy's score of the item; NaN where the policy has none.
    pub scores: Vec<f32>,
    /// `[n, slate]`: the policy's probability of this item in this slot, given the slots above it; NaN if the policy
    /// does not know it. The product over a row is the propensity of the slate. Not part of the digest.
    pub propensities: Vec<f32>,
    /// `[n, slate]`: the user model's probability that this slot is the one accepted.
    pub probabilities: Vec<f32>,
    /// `[n]`: the accepted slot, or [`REJECTED`].
    pub accepted: Vec<u8>,
    /// `[n]`: the rating of the accepted item; NaN when nothing was accepted.
    pub ratings: Vec<f32>,
}

impl EventBatch {
    /// Number of users served.
    pub fn len(&self) -> usize {
        self.users.len()
    }

    /// True without any row.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// The items shown to the user of row `row`, empty slots included.
    pub fn slate_of(&self, row: usize) -> &[ItemId] {
        &self.items[row * self.slate..(row + 1) * self.slate]
    }

    /// The session of row `row`, if known.
    pub fn session_of(&self, row: usize) -> Option<u32> {
        self.sessions.get(row).copied()
    }

    /// The accepted item of row `row`.
    pub fn accepted_item(&self, row: usize) -> Option<ItemId> {
        let slot = self.accepted[row];
        (slot != REJECTED).then(|| self.slate_of(row)[slot as usize])
    }
}
