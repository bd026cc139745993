//! Homogenisation across users.
//!
//! The overlap of two users' slates (`homogenisation`), and of their accepted items
//! (`homogenisation_accepted`).
//!
//! ```text
//! S / (2 T - S),   S = sum over items of c_i (c_i - 1),   T = (n - 1) * sum over items of c_i
//! ```
//!
//! where item `i` is in `c_i` of `n` slates. `S` is the sum of `|A and B|` over all ordered pairs of slates and `2 T -
//! S` that of `|A or B|`: the mean intersection over the mean union, the Jaccard index for two slates, without
//! enumerating pairs. Chaney, Stewart and Engelhardt 2018, "How Algorithmic Confounding in Recommendation Systems
//! Increases Homogeneity and Decreases Utility", compare users' consumption by the Jaccard index. At a tick the slates
//! are those of that tick, one for each visitor; over the run they are all slates. `homogenisation_accepted` uses only
//! accepted items, of which a slate has one or none; slates without one are left out. Undefined with fewer than two
//! slates.
//!
//! ```
//! use recmirror::dataset::Catalogue;
//! use recmirror::ids::{ItemId, UserId};
//! use recmirror::log::{EventBatch, REJECTED};
//!
//! let catalogue = Catalogue::unknown(3);
//! let batch = EventBatch {
//!     slate: 2,
//!     users: vec![UserId(0), UserId(1)],
//!     items: [0, 1, 2, 1].map(ItemId).into(),
//!     accepted: vec![1, 1],
//!     ..EventBatch::default()
//! };
//! let value = |name| recmirror::metrics::value(name, &[batch.clone()], 2, &catalogue).unwrap();
//! assert_eq!(value("homogenisation"), Some(1.0 / 3.0));
//! assert_eq!(value("homogenisation_accepted"), Some(1.0));
//! ```

use super::{Better, Format, Metric, MetricKind, Window, accumulator};
use crate::dataset::Catalogue;
use crate::ids::ItemId;
use crate::log::EventBatch;

/// The metric of shown items.
pub const KIND: MetricKind = MetricKind {
    name: "homogenisation",
    title: "Homogenisation",
    formula: "mean |A and B| / mean |A or B| over all pairs of slates A, B",
    format: Format::Number { digits: 4 },
    better: Better::Lower,
    window: Window::Tick,
    against: None,
    make: |start| accumulator(Overlap::<false>::new(start.items)),
};

/// The metric of accepted items.
pub const ACCEPTED: MetricKind = MetricKind {
    name: "homogenisation_accepted",
    title: "Homogenisation of the accepted",
    formula: "equal pairs of accepted items / (equal + 2 * different pairs)",
    make: |start| accumulator(Overlap::<true>::new(start.items)),
    ..KIND
};

/// Of accepted items, or of all that was shown.
struct Overlap<const ACCEPTED: bool> {
    /// Slates with the item, by item.
    counts: Vec<u64>,
    /// Slates with any item.
    slates: u64,
}

impl<const ACCEPTED: bool> Overlap<ACCEPTED> {
    fn new(items: usize) -> Self {
        Overlap { counts: vec![0; items], slates: 0 }
    }

    fn add(&mut self, slate: &[ItemId]) {
        let mut any = false;
        for (slot, item) in slate.iter().enumerate() {
            // A set has an item once, even if a foreign log repeats it.
            if let Some(count) = self.counts.get_mut(item.index())
                && !slate[..slot].contains(item)
            {
                *count += 1;
                any = true;
            }
        }
        self.slates += u64::from(any);
    }
}

impl<const ACCEPTED: bool> Metric for Overlap<ACCEPTED> {
    fn fold(&mut self, batch: &EventBatch, _: &Catalogue) {
        for row in 0..batch.len() {
            if !ACCEPTED {
                self.add(batch.slate_of(row));
            } else if let Some(item) = batch.accepted_item(row) {
                self.add(&[item]);
            }
        }
    }

    fn merge(&mut self, other: &Self) {
        for (count, others) in self.counts.iter_mut().zip(&other.counts) {
            *count += others;
        }
        self.slates += other.slates;
    }

    fn value(&self) -> Option<f64> {
        let count = |pairs: fn(u128) -> u128| self.counts.iter().map(|&count| pairs(u128::from(count))).sum::<u128>();
        let shared = count(|count| count * count.saturating_sub(1));
        let all = u128::from(self.slates.saturating_sub(1)) * count(|count| count);
        (self.slates > 1).then(|| shared as f64 / (2 * all - shared) as f64)
    }
}

#[cfg(test)]
mod tests {
    use crate::metrics::testing::{GAP, batch, catalogue, value_of};

    const NAN: f32 = f32::NAN;

    #[test]
    fn by_hand() {
        let items = catalogue(&[1; 5]);
        let events =
            batch(0, 2, &[(0, &[0, 1], Some(0), 4.0), (1, &[0, 2], Some(0), 4.0), (2, &[1, GAP], Some(0), 4.0)]);
        // Pairs: {0,1} and {0,2} share 1 of 3, {0,1} and {1} share 1 of 2, {0,2} and {1} share 0 of 3: 2 of 8.
        assert_eq!(value_of("homogenisation", std::slice::from_ref(&events), 3, &items), Some(2.0 / 8.0));
        // Accepted 0, 0, 1: of three pairs one is equal; intersections 1, unions 1 + 2 + 2.
        assert_eq!(value_of("homogenisation_accepted", &[events], 3, &items), Some(1.0 / 5.0));
    }

    #[test]
    fn all_alike_and_all_different() {
        let items = catalogue(&[1; 4]);
        let alike = batch(0, 2, &[(0, &[0, 1], None, NAN), (1, &[1, 0], None, NAN)]);
        assert_eq!(value_of("homogenisation", &[alike], 2, &items), Some(1.0));
        let different = batch(0, 2, &[(0, &[0, 1], None, NAN), (1, &[2, 3], None, NAN)]);
        assert_eq!(value_of("homogenisation", &[different], 2, &items), Some(0.0));
    }

    #[test]
    fn undefined_with_fewer_than_two_slates() {
        let items = catalogue(&[1; 2]);
        let one = batch(0, 1, &[(0, &[0], None, NAN), (1, &[GAP], None, NAN)]);
        assert_eq!(value_of("homogenisation", std::slice::from_ref(&one), 2, &items), None);
        assert_eq!(value_of("homogenisation_accepted", &[one], 2, &items), None);
    }
}
