//! Novelty: mean self-information of shown items, in bits.
//!
//! ```text
//! mean over the shown items of  -log2 p(i),   p(i) = (k_i + 1) / (U + 1)
//! ```
//!
//! where `k_i` of the `U` users of the log before the start have item `i`. Zhou et al. 2010, "Solving the apparent
//! diversity-accuracy dilemma of recommender systems": their self-information `log2(U / k_i)`, with one additional user
//! who has every item, so that items without users have a value too. Popularity stays that of the start, so policies
//! and ticks are measured on one scale. Undefined without a log.
//!
//! ```
//! use recmirror::dataset::{Catalogue, Fields, Interaction, TrainingLog};
//! use recmirror::ids::{ItemId, LogUserId, UserId};
//! use recmirror::log::{EventBatch, REJECTED};
//! use recmirror::metrics::{Background, Past, value_with};
//! use std::sync::Arc;
//!
//! let row = |user| Interaction { user: LogUserId(user), item: ItemId(0), rating: 4.0, time: 0 };
//! let log = TrainingLog::from_sorted(vec![row(0), row(1), row(2)], 3, 2);
//! let catalogue = Arc::new(Catalogue::unknown(2));
//! let past = Past::new(Arc::new(log), catalogue.clone(), Fields::default());
//! let start = Background::new([LogUserId(0)].into(), Arc::new(past));
//! let batch = EventBatch {
//!     slate: 2,
//!     users: vec![UserId(0)],
//!     items: vec![ItemId(0), ItemId(1)],
//!     accepted: vec![REJECTED],
//!     ..EventBatch::default()
//! };
//! // Everybody has item 0: 0 bits. Nobody has item 1: log2(4) = 2 bits.
//! assert_eq!(value_with("novelty", &[batch], &start, &catalogue).unwrap(), Some(1.0));
//! ```

use super::background::Popularity;
use super::{Better, Format, Metric, MetricKind, Past, Window, accumulator};
use crate::dataset::Catalogue;
use crate::log::EventBatch;
use std::sync::Arc;

/// The metric.
pub const KIND: MetricKind = MetricKind {
    name: "novelty",
    title: "Novelty (bits)",
    formula: "mean over shown items of -log2((k + 1) / (U + 1)), k of the U users of the log have the item",
    format: Format::Number { digits: 3 },
    better: Better::Higher,
    window: Window::Tick,
    against: None,
    make: |start| accumulator(Novelty { bits: start.table(Information::of), sum: 0.0, shown: 0 }),
};

/// Self-information by item; empty without a log.
struct Information(Vec<f64>);

impl Information {
    fn of(past: &Past) -> Information {
        if past.log.rows.is_empty() {
            return Information(Vec::new());
        }
        let users = past.log.users() as f64;
        let bits = |&count: &u32| libm::log2((users + 1.0) / (f64::from(count) + 1.0));
        Information(past.table(Popularity::of).0.iter().map(bits).collect())
    }
}

struct Novelty {
    bits: Arc<Information>,
    sum: f64,
    shown: u64,
}

impl Metric for Novelty {
    fn fold(&mut self, batch: &EventBatch, _: &Catalogue) {
        for bits in batch.items.iter().filter_map(|item| self.bits.0.get(item.index())) {
            self.sum += bits;
            self.shown += 1;
        }
    }

    fn merge(&mut self, other: &Self) {
        self.sum += other.sum;
        self.shown += other.shown;
    }

    fn value(&self) -> Option<f64> {
        (self.shown > 0).then(|| self.sum / self.shown as f64)
    }
}

#[cfg(test)]
mod tests {
    use crate::metrics::testing::{GAP, background, batch, catalogue, value_after, value_of};

    const NAN: f32 = f32::NAN;

    #[test]
    fn by_hand() {
        let items = catalogue(&[1; 3]);
        // Seven users: three have item 0 (one of them twice) and one has item 1.
        let start = background(&[0], &[&[0, 0], &[0, 1], &[0], &[], &[], &[], &[]], &items);
        let log = [batch(0, 2, &[(0, &[0, 1], None, NAN)]), batch(1, 2, &[(0, &[2, GAP], Some(0), 4.0)])];
        // log2(8/4) = 1, log2(8/2) = 2, log2(8/1) = 3.
        assert_eq!(value_after("novelty", &log[..1], &start, &items), Some(3.0 / 2.0));
        assert_eq!(value_after("novelty", &log, &start, &items), Some(6.0 / 3.0));
    }

    #[test]
    fn undefined_without_a_log_or_items() {
        let items = catalogue(&[1]);
        assert_eq!(value_of("novelty", &[batch(0, 1, &[(0, &[0], None, NAN)])], 1, &items), None);
        let start = background(&[0], &[&[0]], &items);
        assert_eq!(value_after("novelty", &[batch(0, 1, &[(0, &[GAP], None, NAN)])], &start, &items), None);
    }
}
