//! Mean rating of the accepted items.
//!
//! ```text
//! sum of the ratings / number of ratings
//! ```
//!
//! Acceptances without a rating are left out; undefined without any rating.
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
//!     accepted: vec![0, 0, REJECTED],
//!     ratings: vec![4.0, 3.0, f32::NAN],
//!     ..EventBatch::default()
//! };
//! let value = recmirror::metrics::value("mean_rating", &[batch], 3, &Catalogue::unknown(1));
//! assert_eq!(value.unwrap(), Some(3.5));
//! ```

use super::{Better, Format, Metric, MetricKind, Window, accumulator};
use crate::dataset::Catalogue;
use crate::log::{EventBatch, REJECTED};

/// The metric.
pub const KIND: MetricKind = MetricKind {
    name: "mean_rating",
    title: "Mean rating",
    formula: "sum of the ratings of accepted items / number of ratings",
    format: Format::Number { digits: 3 },
    better: Better::Higher,
    window: Window::Tick,
    against: None,
    make: |_| accumulator(MeanRating::default()),
};

#[derive(Default)]
struct MeanRating {
    sum: f64,
    count: u64,
}

impl Metric for MeanRating {
    fn fold(&mut self, batch: &EventBatch, _: &Catalogue) {
        for (&slot, &rating) in batch.accepted.iter().zip(&batch.ratings) {
            if slot != REJECTED && rating.is_finite() {
                self.sum += f64::from(rating);
                self.count += 1;
            }
        }
    }

    fn merge(&mut self, other: &Self) {
        self.sum += other.sum;
        self.count += other.count;
    }

    fn value(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }
}

#[cfg(test)]
mod tests {
    use crate::metrics::testing::{batch, catalogue, value_of};

    const NAN: f32 = f32::NAN;

    #[test]
    fn by_hand() {
        let items = catalogue(&[1]);
        let log = [
            batch(0, 1, &[(0, &[0], Some(0), 4.5), (1, &[0], Some(0), NAN), (2, &[0], None, NAN)]),
            batch(1, 1, &[(0, &[0], Some(0), 3.0), (1, &[0], Some(0), 5.0)]),
        ];
        assert_eq!(value_of("mean_rating", &log, 3, &items), Some(12.5 / 3.0));
        assert_eq!(value_of("mean_rating", &log[..1], 3, &items), Some(4.5));
    }

    #[test]
    fn undefined_without_a_rating() {
        let items = catalogue(&[1]);
        let none = batch(0, 1, &[(0, &[0], None, NAN), (1, &[0], Some(0), NAN)]);
        assert_eq!(value_of("mean_rating", &[none], 2, &items), None);
        assert_eq!(value_of("mean_rating", &[batch(0, 1, &[])], 2, &items), None);
    }

    #[test]
    fn a_rating_of_a_rejected_slate_is_ignored() {
        let events = batch(0, 1, &[(0, &[0], None, 5.0)]);
        assert_eq!(value_of("mean_rating", &[events], 1, &catalogue(&[1])), None);
    }
}
