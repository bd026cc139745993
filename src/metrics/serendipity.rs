//! Serendipity of accepted items.
//!
//! The share of slates with an accepted item outside the popular head.
//!
//! ```text
//! accepted items outside the head / slates shown
//! ```
//!
//! Ge, Delgado-Battenfeld and Jannach 2010, "Beyond Accuracy: Evaluating Recommender Systems by Coverage and
//! Serendipity": a recommendation is serendipitous if it is useful and a primitive model would not have made it.
//! Accepted items are useful; the primitive model recommends by popularity. Its items are the head: the most popular
//! items of the log before the start that together have half of its interactions (equal ones by item id). Undefined
//! without a log.
//!
//! ```
//! use recmirror::dataset::{Catalogue, Fields, Interaction, TrainingLog};
//! use recmirror::ids::{ItemId, LogUserId, UserId};
//! use recmirror::log::EventBatch;
//! use recmirror::metrics::{Background, Past, value_with};
//! use std::sync::Arc;
//!
//! let row = |item| Interaction { user: LogUserId(0), item: ItemId(item), rating: 4.0, time: 0 };
//! let log = TrainingLog::from_sorted(vec![row(0), row(0), row(1)], 1, 2);
//! let catalogue = Arc::new(Catalogue::unknown(2));
//! let past = Past::new(Arc::new(log), catalogue.clone(), Fields::default());
//! let start = Background::new([LogUserId(0)].into(), Arc::new(past));
//! let batch = |item| EventBatch {
//!     slate: 1,
//!     users: vec![UserId(0)],
//!     items: vec![ItemId(item)],
//!     accepted: vec![0],
//!     ..EventBatch::default()
//! };
//! let value = value_with("serendipity", &[batch(0), batch(1)], &start, &catalogue);
//! assert_eq!(value.unwrap(), Some(0.5));
//! ```

use super::{Better, Format, Metric, MetricKind, Past, Window, accumulator};
use crate::dataset::Catalogue;
use crate::log::EventBatch;
use std::cmp::Reverse;
use std::sync::Arc;

/// The metric.
pub const KIND: MetricKind = MetricKind {
    name: "serendipity",
    title: "Serendipity",
    formula: "accepted items outside the head / slates shown, the head being the popular half of the log",
    format: Format::Percent { digits: 2 },
    better: Better::Higher,
    window: Window::Tick,
    against: None,
    make: |start| accumulator(Serendipity { head: start.table(Head::of), surprises: 0, shown: 0 }),
};

/// True if an item is in the head, by item; empty without a log.
struct Head(Vec<bool>);

impl Head {
    fn of(past: &Past) -> Head {
        let rows = past.log.rows.len();
        if rows == 0 {
            return Head(Vec::new());
        }
        let counts = past.log.item_counts();
        let mut order: Vec<usize> = (0..counts.len()).collect();
        order.sort_by_key(|&item| Reverse(counts[item]));
        let (mut head, mut held) = (vec![false; counts.len()], 0);
        for item in order {
            if 2 * held >= rows {
                break;
            }
            head[item] = true;
            held += counts[item] as usize;
        }
        Head(head)
    }
}

struct Serendipity {
    head: Arc<Head>,
    surprises: u64,
    shown: u64,
}

impl Metric for Serendipity {
    fn fold(&mut self, batch: &EventBatch, _: &Catalogue) {
        let accepted = (0..batch.len()).filter_map(|row| batch.accepted_item(row));
        let outside = accepted.filter(|item| self.head.0.get(item.index()) == Some(&false));
        self.surprises += outside.count() as u64;
        self.shown += batch.len() as u64;
    }

    fn merge(&mut self, other: &Self) {
        self.surprises += other.surprises;
        self.shown += other.shown;
    }

    fn value(&self) -> Option<f64> {
        (self.shown > 0 && !self.head.0.is_empty()).then(|| self.surprises as f64 / self.shown as f64)
    }
}

#[cfg(test)]
mod tests {
    use crate::metrics::testing::{background, batch, catalogue, value_after, value_of};

    const NAN: f32 = f32::NAN;

    #[test]
    fn by_hand() {
        let items = catalogue(&[1; 4]);
        // Counts 1, 3, 1, 2 of 7: item 1 has 3, items 1 and 3 have 5, which is half: the head.
        let start = background(&[0, 0, 0], &[&[1, 3, 0], &[1, 3, 2], &[1]], &items);
        let log = [
            batch(0, 2, &[(0, &[1, 0], Some(0), 4.0), (1, &[1, 0], Some(1), 4.0), (2, &[0, 2], None, NAN)]),
            batch(1, 2, &[(0, &[3, 2], Some(0), 4.0), (1, &[3, 2], Some(1), 4.0)]),
        ];
        assert_eq!(value_after("serendipity", &log[..1], &start, &items), Some(1.0 / 3.0));
        assert_eq!(value_after("serendipity", &log, &start, &items), Some(2.0 / 5.0));
    }

    #[test]
    fn undefined_without_a_log_or_slates() {
        let items = catalogue(&[1]);
        assert_eq!(value_of("serendipity", &[batch(0, 1, &[(0, &[0], Some(0), 4.0)])], 1, &items), None);
        assert_eq!(value_after("serendipity", &[], &background(&[0], &[&[0]], &items), &items), None);
    }
}
