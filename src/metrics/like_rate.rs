//! Share of slates with a liked item.
//!
//! ```text
//! accepted slates whose item got a rating at or above `user.like_at` / slates shown
//! ```
//!
//! If accepting means to like (`user.accept = "like"`), it is the acceptance rate; if it means to take, it is the share
//! of slates with a taken and liked item. Slates with an accepted item without a rating are left out. If the log's
//! threshold is unknown, it is level 4 of 5.
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
//!     ratings: vec![4.0, 2.0, f32::NAN],
//!     ..EventBatch::default()
//! };
//! let value = recmirror::metrics::value("like_rate", &[batch], 3, &Catalogue::default());
//! assert_eq!(value.unwrap(), Some(1.0 / 3.0));
//! ```

use super::{Better, Format, Metric, MetricKind, Window, accumulator};
use crate::dataset::Catalogue;
use crate::log::{EventBatch, REJECTED};

/// The metric.
pub const KIND: MetricKind = MetricKind {
    name: "like_rate",
    title: "Like rate",
    formula: "accepted slates whose item was rated at or above `user.like_at` / slates shown",
    format: Format::Percent { digits: 2 },
    better: Better::Higher,
    window: Window::Tick,
    against: None,
    make: |background| accumulator(LikeRate { level: f32::from(background.past.like_level), liked: 0, slates: 0 }),
};

struct LikeRate {
    level: f32,
    liked: u64,
    slates: u64,
}

impl Metric for LikeRate {
    fn fold(&mut self, batch: &EventBatch, _: &Catalogue) {
        for (&slot, &rating) in batch.accepted.iter().zip(&batch.ratings) {
            if slot == REJECTED || !rating.is_nan() {
                self.slates += 1;
                self.liked += u64::from(slot != REJECTED && rating >= self.level);
            }
        }
    }

    fn merge(&mut self, other: &Self) {
        self.liked += other.liked;
        self.slates += other.slates;
    }

    fn value(&self) -> Option<f64> {
        (self.slates > 0).then(|| self.liked as f64 / self.slates as f64)
    }
}

#[cfg(test)]
mod tests {
    use crate::metrics::testing::{background, batch, catalogue, value_after, value_of};
    use std::sync::Arc;

    const NAN: f32 = f32::NAN;

    #[test]
    fn by_hand() {
        let items = catalogue(&[1]);
        let log = [batch(
            0,
            1,
            &[(0, &[0], Some(0), 5.0), (1, &[0], None, NAN), (2, &[0], Some(0), 3.0), (3, &[0], Some(0), NAN)],
        )];
        assert_eq!(value_of("like_rate", &log, 4, &items), Some(1.0 / 3.0), "the one without a rating is left out");
        assert_eq!(value_of("like_rate", &[batch(0, 1, &[])], 4, &items), None);
        let mut start = background(&[0], &[&[0]], &items);
        start.past = Arc::new(crate::metrics::Past::default().liked_from(3));
        assert_eq!(value_after("like_rate", &log, &start, &items), Some(2.0 / 3.0), "the scenario's own threshold");
    }
}
