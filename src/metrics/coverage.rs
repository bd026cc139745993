//! Share of the catalogue that was shown to anyone so far.
//!
//! ```text
//! distinct items shown / items of the catalogue
//! ```
//!
//! ```
//! use recmirror::dataset::Catalogue;
//! use recmirror::ids::{ItemId, UserId};
//! use recmirror::log::{EventBatch, REJECTED};
//!
//! let catalogue = Catalogue::unknown(4);
//! let batch = EventBatch {
//!     slate: 3,
//!     users: vec![UserId(0)],
//!     items: vec![ItemId(2), ItemId(0), ItemId::NONE],
//!     accepted: vec![REJECTED],
//!     ..EventBatch::default()
//! };
//! assert_eq!(recmirror::metrics::value("coverage", &[batch], 1, &catalogue).unwrap(), Some(0.5));
//! ```

use super::{Better, Format, Metric, MetricKind, Window, accumulator};
use crate::dataset::Catalogue;
use crate::log::EventBatch;

/// The metric.
pub const KIND: MetricKind = MetricKind {
    name: "coverage",
    title: "Coverage",
    formula: "distinct items shown so far / items of the catalogue",
    format: Format::Percent { digits: 1 },
    better: Better::Higher,
    window: Window::SoFar,
    against: None,
    make: |sizes| accumulator(Coverage { shown: vec![0; sizes.items.div_ceil(64)], items: sizes.items }),
};

struct Coverage {
    /// One bit an item.
    shown: Vec<u64>,
    items: usize,
}

impl Metric for Coverage {
    fn fold(&mut self, batch: &EventBatch, _: &Catalogue) {
        for item in batch.items.iter().map(|item| item.index()).filter(|&item| item < self.items) {
            if let Some(word) = self.shown.get_mut(item / 64) {
                *word |= 1 << (item % 64);
            }
        }
    }

    fn merge(&mut self, other: &Self) {
        for (word, others) in self.shown.iter_mut().zip(&other.shown) {
            *word |= others;
        }
    }

    fn value(&self) -> Option<f64> {
        let distinct: u32 = self.shown.iter().map(|word| word.count_ones()).sum();
        (self.items > 0).then(|| f64::from(distinct) / self.items as f64)
    }
}

#[cfg(test)]
mod tests {
    use crate::metrics::testing::{GAP, batch, catalogue, value_of};

    const NAN: f32 = f32::NAN;

    #[test]
    fn by_hand() {
        let items = catalogue(&[1; 70]);
        let log = [
            batch(0, 2, &[(0, &[0, 69], None, NAN), (1, &[69, GAP], None, NAN)]),
            batch(1, 2, &[(0, &[0, 3], None, NAN)]),
        ];
        assert_eq!(value_of("coverage", &log[..1], 2, &items), Some(2.0 / 70.0));
        assert_eq!(value_of("coverage", &log, 2, &items), Some(3.0 / 70.0));
    }

    #[test]
    fn items_out_of_the_catalogue_do_not_count() {
        let events = batch(0, 1, &[(0, &[3], None, NAN)]);
        assert_eq!(value_of("coverage", &[events], 1, &catalogue(&[1, 1, 1])), Some(0.0));
    }

    #[test]
    fn undefined_without_items() {
        assert_eq!(value_of("coverage", &[], 1, &catalogue(&[])), None);
        assert_eq!(value_of("coverage", &[], 1, &catalogue(&[1])), Some(0.0));
    }
}
