//! Mean accepted items of a user so far.
//!
//! ```text
//! accepted items / users of the population
//! ```
//!
//! Users who never came or who left permanently count too, so losing them lowers it.
//!
//! ```
//! use recmirror::dataset::Catalogue;
//! use recmirror::ids::{ItemId, UserId};
//! use recmirror::log::EventBatch;
//!
//! let batch = EventBatch {
//!     slate: 1,
//!     users: vec![UserId(0), UserId(2)],
//!     items: vec![ItemId(0); 2],
//!     accepted: vec![0, 0],
//!     ..EventBatch::default()
//! };
//! let value = recmirror::metrics::value("accepted_per_user", &[batch], 5, &Catalogue::unknown(1));
//! assert_eq!(value.unwrap(), Some(0.4));
//! ```

use super::acceptance_rate::accepted_slates;
use super::{Better, Format, Metric, MetricKind, Window, accumulator};
use crate::dataset::Catalogue;
use crate::log::EventBatch;

/// The metric.
pub const KIND: MetricKind = MetricKind {
    name: "accepted_per_user",
    title: "Accepted per user",
    formula: "accepted items / users of the population",
    format: Format::Number { digits: 3 },
    better: Better::Higher,
    window: Window::SoFar,
    against: None,
    make: |sizes| accumulator(AcceptedPerUser { accepted: 0, users: sizes.users }),
};

struct AcceptedPerUser {
    accepted: u64,
    users: usize,
}

impl Metric for AcceptedPerUser {
    fn fold(&mut self, batch: &EventBatch, _: &Catalogue) {
        self.accepted += accepted_slates(batch);
    }

    fn merge(&mut self, other: &Self) {
        self.accepted += other.accepted;
    }

    fn value(&self) -> Option<f64> {
        (self.users > 0).then(|| self.accepted as f64 / self.users as f64)
    }
}

#[cfg(test)]
mod tests {
    use crate::metrics::testing::{batch, catalogue, value_of};

    #[test]
    fn by_hand() {
        let items = catalogue(&[1, 2]);
        let log = [
            batch(0, 1, &[(0, &[0], Some(0), 4.0), (1, &[1], None, f32::NAN)]),
            batch(1, 1, &[(0, &[1], Some(0), 2.0), (1, &[0], Some(0), 3.0)]),
        ];
        assert_eq!(value_of("accepted_per_user", &log, 7, &items), Some(3.0 / 7.0));
        assert_eq!(value_of("accepted_per_user", &log[..1], 2, &items), Some(0.5));
    }

    #[test]
    fn zero_when_nothing_was_accepted_and_undefined_without_users() {
        let items = catalogue(&[1]);
        assert_eq!(value_of("accepted_per_user", &[batch(0, 1, &[])], 2, &items), Some(0.0));
        assert_eq!(value_of("accepted_per_user", &[], 0, &items), None);
    }
}
