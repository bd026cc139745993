//! How unequally exposure is spread over the whole catalogue: 0 when every item was shown equally often,
//! near 1 when one item got everything.
//!
//! ```text
//! G = sum over i of (2 i - n - 1) x_i / (n * sum over i of x_i)
//! ```
//!
//! where `x_1 <= ... <= x_n` are the numbers of times that each of the `n` items was shown so far.
//!
//! ```
//! use recmirror::dataset::Catalogue;
//! use recmirror::ids::{ItemId, UserId};
//! use recmirror::log::{EventBatch, REJECTED};
//!
//! let catalogue = Catalogue { titles: vec![String::new(); 4], ..Catalogue::default() };
//! let batch = EventBatch {
//!     slate: 1,
//!     users: vec![UserId(0), UserId(1)],
//!     items: vec![ItemId(2), ItemId(2)],
//!     accepted: vec![REJECTED; 2],
//!     ..EventBatch::default()
//! };
//! assert_eq!(recmirror::metrics::value("gini", &[batch], 2, &catalogue).unwrap(), Some(0.75));
//! ```

use super::{Better, Format, Metric, MetricKind, Window, accumulator};
use crate::dataset::Catalogue;
use crate::log::EventBatch;

/// The metric.
pub const KIND: MetricKind = MetricKind {
    name: "gini",
    title: "Gini of exposure",
    formula: "sum of (2i - n - 1) x_i / (n * sum of x_i), x_i the exposures of the n items in ascending order",
    format: Format::Number { digits: 3 },
    better: Better::Lower,
    window: Window::SoFar,
    make: |sizes| accumulator(Gini { exposures: vec![0; sizes.items] }),
};

struct Gini {
    /// Times shown, by item.
    exposures: Vec<u64>,
}

impl Metric for Gini {
    fn fold(&mut self, batch: &EventBatch, _: &Catalogue) {
        for item in &batch.items {
            if let Some(count) = self.exposures.get_mut(item.index()) {
                *count += 1;
            }
        }
    }

    fn merge(&mut self, other: &Self) {
        for (count, others) in self.exposures.iter_mut().zip(&other.exposures) {
            *count += others;
        }
    }

    fn value(&self) -> Option<f64> {
        let mut sorted = self.exposures.clone();
        sorted.sort_unstable();
        let items = sorted.len() as i128;
        let total: i128 = sorted.iter().map(|&count| i128::from(count)).sum();
        let weighted: i128 = (1..).zip(&sorted).map(|(rank, &count)| (2 * rank - items - 1) * i128::from(count)).sum();
        (total > 0).then(|| weighted as f64 / (items * total) as f64)
    }
}

#[cfg(test)]
mod tests {
    use crate::metrics::testing::{GAP, batch, catalogue, value_of};

    const NAN: f32 = f32::NAN;

    #[test]
    fn by_hand() {
        // Exposures 0, 1, 2, 3 over four items: (-3*0 - 1*1 + 1*2 + 3*3) / (4 * 6) = 10/24.
        let items = catalogue(&[1; 4]);
        let log = [
            batch(0, 3, &[(0, &[3, 1, 2], None, NAN)]),
            batch(1, 3, &[(0, &[3, GAP, GAP], None, NAN), (1, &[2, 3, GAP], None, NAN)]),
        ];
        assert_eq!(value_of("gini", &log, 2, &items), Some(10.0 / 24.0));
        // Exposures 0, 1, 1, 1: (0 - 1 + 1 + 3) / (4 * 3).
        assert_eq!(value_of("gini", &log[..1], 2, &items), Some(0.25));
    }

    #[test]
    fn zero_when_all_are_equal() {
        let events = batch(0, 2, &[(0, &[0, 1], None, NAN), (1, &[1, 0], None, NAN)]);
        assert_eq!(value_of("gini", &[events], 2, &catalogue(&[1, 1])), Some(0.0));
    }

    #[test]
    fn undefined_when_nothing_was_shown() {
        let gaps = batch(0, 1, &[(0, &[GAP], None, NAN)]);
        assert_eq!(value_of("gini", &[gaps], 1, &catalogue(&[1])), None);
        assert_eq!(value_of("gini", &[], 1, &catalogue(&[])), None);
    }
}
