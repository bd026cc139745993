//! Gini coefficient of the exposure of items.
//!
//! 0 if every item was shown equally often, near 1 if one item was shown always.
//!
//! ```text
//! G = sum over i of (2 i - n - 1) x_i / (n * sum over i of x_i)
//! ```
//!
//! where `x_1 <= ... <= x_n` are the numbers of times that each of the `n` items was shown so far (Gini 1912; of
//! recommenders, Fleder and Hosanagar 2009, "Blockbuster Culture's Next Rise or Fall"). The curve is that of Lorenz: which
//! share of the exposure (y) the least shown items (x) have together.
//!
//! ```
//! use recmirror::dataset::Catalogue;
//! use recmirror::ids::{ItemId, UserId};
//! use recmirror::log::{EventBatch, REJECTED};
//!
//! let catalogue = Catalogue::unknown(4);
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
    against: None,
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
        gini(&self.exposures)
    }

    fn curve(&self) -> Vec<(f64, f64)> {
        lorenz(&self.exposures)
    }
}

/// The index of Gini of counts; `None` when all are 0.
pub(super) fn gini(counts: &[u64]) -> Option<f64> {
    let mut sorted = counts.to_vec();
    sorted.sort_unstable();
    let parts = sorted.len() as i128;
    let total: i128 = sorted.iter().map(|&count| i128::from(count)).sum();
    let weighted: i128 = (1..).zip(&sorted).map(|(rank, &count)| (2 * rank - parts - 1) * i128::from(count)).sum();
    (total > 0).then(|| weighted as f64 / (parts * total) as f64)
}

/// The Lorenz curve of counts in steps of a hundredth: the share of the total (y) of the smallest counts (share x),
/// where x is rounded down to complete counts. Empty if all are 0.
pub(super) fn lorenz(counts: &[u64]) -> Vec<(f64, f64)> {
    const STEPS: usize = 100;
    let mut sorted = counts.to_vec();
    sorted.sort_unstable();
    let mut sums = vec![0u128];
    for count in &sorted {
        sums.push(sums.last().copied().unwrap_or(0) + u128::from(*count));
    }
    let total = sums.last().copied().filter(|&total| total > 0);
    let share = |step: usize| Some(*sums.get(step * sorted.len() / STEPS)? as f64 / total? as f64);
    (0..=STEPS).filter_map(|step| Some((step as f64 / STEPS as f64, share(step)?))).collect()
}

#[cfg(test)]
mod tests {
    use crate::metrics::testing::{GAP, batch, catalogue, curve_of, value_of};

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
    fn the_curve_by_hand() {
        // Exposures 0, 1, 1, 2.
        let events = batch(0, 2, &[(0, &[0, 1], None, NAN), (1, &[2, 2], None, NAN)]);
        let curve = curve_of("gini", &[events], 2, &catalogue(&[1; 4]));
        let at = |x: f64| curve.iter().find(|point| point.0 == x).unwrap().1;
        assert_eq!(curve.len(), 101);
        assert_eq!([0.0, 0.24, 0.25, 0.5, 0.75, 0.99, 1.0].map(at), [0.0, 0.0, 0.0, 0.25, 0.5, 0.5, 1.0]);
        assert!(curve_of("gini", &[], 2, &catalogue(&[1; 4])).is_empty());
    }

    #[test]
    fn undefined_when_nothing_was_shown() {
        let gaps = batch(0, 1, &[(0, &[GAP], None, NAN)]);
        assert_eq!(value_of("gini", &[gaps], 1, &catalogue(&[1])), None);
        assert_eq!(value_of("gini", &[], 1, &catalogue(&[])), None);
    }
}
