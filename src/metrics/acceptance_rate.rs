//! Share of slates with an accepted item.
//!
//! ```text
//! accepted slates / slates shown
//! ```
//!
//! A slate that the policy left partly or wholly empty counts as shown.
//!
//! ```
//! use recmirror::dataset::Catalogue;
//! use recmirror::ids::{ItemId, UserId};
//! use recmirror::log::{EventBatch, REJECTED};
//!
//! let batch = EventBatch {
//!     slate: 1,
//!     users: vec![UserId(0), UserId(1), UserId(2)],
//!     items: vec![ItemId(0); 3],
//!     accepted: vec![0, REJECTED, REJECTED],
//!     ..EventBatch::default()
//! };
//! let value = recmirror::metrics::value("acceptance_rate", &[batch], 3, &Catalogue::unknown(1));
//! assert_eq!(value.unwrap(), Some(1.0 / 3.0));
//! ```

use super::{Better, Format, Metric, MetricKind, Window, accumulator};
use crate::dataset::Catalogue;
use crate::log::{EventBatch, REJECTED};

/// The metric.
pub const KIND: MetricKind = MetricKind {
    name: "acceptance_rate",
    title: "Acceptance rate",
    formula: "accepted slates / slates shown",
    format: Format::Percent { digits: 2 },
    better: Better::Higher,
    window: Window::Tick,
    against: None,
    make: |_| accumulator(AcceptanceRate::default()),
};

#[derive(Default)]
struct AcceptanceRate {
    accepted: u64,
    shown: u64,
}

impl Metric for AcceptanceRate {
    fn fold(&mut self, batch: &EventBatch, _: &Catalogue) {
        self.accepted += accepted_slates(batch);
        self.shown += batch.len() as u64;
    }

    fn merge(&mut self, other: &Self) {
        self.accepted += other.accepted;
        self.shown += other.shown;
    }

    fn value(&self) -> Option<f64> {
        (self.shown > 0).then(|| self.accepted as f64 / self.shown as f64)
    }
}

/// Rows with an accepted item.
pub(super) fn accepted_slates(batch: &EventBatch) -> u64 {
    batch.accepted.iter().filter(|&&slot| slot != REJECTED).count() as u64
}

#[cfg(test)]
mod tests {
    use crate::metrics::testing::{GAP, batch, catalogue, value_of};

    #[test]
    fn by_hand() {
        let items = catalogue(&[1, 2]);
        let first = batch(0, 2, &[(0, &[0, 1], Some(1), 4.0), (1, &[0, GAP], None, f32::NAN)]);
        let second = batch(1, 2, &[(2, &[GAP, GAP], None, f32::NAN)]);
        assert_eq!(value_of("acceptance_rate", std::slice::from_ref(&first), 3, &items), Some(0.5));
        assert_eq!(value_of("acceptance_rate", &[first, second.clone()], 3, &items), Some(1.0 / 3.0));
        assert_eq!(value_of("acceptance_rate", &[second], 3, &items), Some(0.0));
    }

    #[test]
    fn undefined_when_nothing_was_shown() {
        assert_eq!(value_of("acceptance_rate", &[], 3, &catalogue(&[1])), None);
        assert_eq!(value_of("acceptance_rate", &[batch(0, 2, &[])], 3, &catalogue(&[1])), None);
    }
}
