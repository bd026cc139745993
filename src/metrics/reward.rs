//! Mean reward of a slate.
//!
//! The rating of the accepted item, and 0 when all were rejected.
//!
//! ```text
//! sum of the ratings of accepted items / slates shown
//! ```
//!
//! Slates with an accepted item that has no rating are left out. Undefined for a log without ratings. The mean reward of a step is what RecSim (Ie et al.
//! 2019, "RecSim: A Configurable Simulation Platform for Recommender Systems", arXiv 1909.04847) reports of an episode.
//!
//! ```
//! use recmirror::dataset::Catalogue;
//! use recmirror::ids::{ItemId, UserId};
//! use recmirror::log::{EventBatch, REJECTED};
//!
//! let batch = EventBatch {
//!     slate: 1,
//!     users: vec![UserId(0), UserId(1)],
//!     items: vec![ItemId(0); 2],
//!     accepted: vec![0, REJECTED],
//!     ratings: vec![5.0, f32::NAN],
//!     ..EventBatch::default()
//! };
//! let value = recmirror::metrics::value("reward", &[batch], 2, &Catalogue::unknown(1));
//! assert_eq!(value.unwrap(), Some(2.5));
//! ```

use super::background::Rated;
use super::{Better, Format, Metric, MetricKind, Window, accumulator};
use crate::dataset::Catalogue;
use crate::log::{EventBatch, REJECTED};

/// The metric.
pub const KIND: MetricKind = MetricKind {
    name: "reward",
    title: "Reward of a slate",
    formula: "sum of the ratings of accepted items / slates shown",
    format: Format::Number { digits: 3 },
    better: Better::Higher,
    window: Window::Tick,
    against: None,
    make: |start| accumulator(Reward { unrated: !start.table(Rated::of).0, ..Reward::default() }),
};

#[derive(Default)]
struct Reward {
    /// True without any rating: a reward of 0 would only mean that slates were rejected.
    unrated: bool,
    sum: f64,
    slates: u64,
}

impl Metric for Reward {
    fn fold(&mut self, batch: &EventBatch, _: &Catalogue) {
        for (&slot, &rating) in batch.accepted.iter().zip(&batch.ratings) {
            if slot == REJECTED {
                self.slates += 1;
            } else if rating.is_finite() {
                self.sum += f64::from(rating);
                self.slates += 1;
            }
        }
    }

    fn merge(&mut self, other: &Self) {
        self.sum += other.sum;
        self.slates += other.slates;
    }

    fn value(&self) -> Option<f64> {
        (self.slates > 0 && !self.unrated).then(|| self.sum / self.slates as f64)
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
            batch(0, 1, &[(0, &[0], Some(0), 4.5), (1, &[0], None, NAN), (2, &[0], Some(0), NAN)]),
            batch(1, 1, &[(0, &[0], Some(0), 3.0)]),
        ];
        assert_eq!(value_of("reward", &log, 3, &items), Some(7.5 / 3.0));
        assert_eq!(value_of("reward", &log[..1], 3, &items), Some(4.5 / 2.0), "the one without a rating is left out");
    }

    #[test]
    fn nothing_earned_and_nothing_shown() {
        let items = catalogue(&[1]);
        assert_eq!(value_of("reward", &[batch(0, 1, &[(0, &[0], None, 5.0)])], 1, &items), Some(0.0));
        assert_eq!(value_of("reward", &[batch(0, 1, &[])], 1, &items), None);
        assert_eq!(value_of("reward", &[batch(0, 1, &[(0, &[0], Some(0), NAN)])], 1, &items), None);
    }
}
