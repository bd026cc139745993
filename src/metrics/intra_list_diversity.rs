//! How different the items of a slate are in their genres.
//!
//! ```text
//! mean over slates with two or more items of
//!     (mean over the pairs of items of  1 - |A and B| / |A or B|)
//! ```
//!
//! where `A` and `B` are the genres of the two items. Two items without genres are at distance 0.
//!
//! ```
//! use recmirror::dataset::{Catalogue, GenreSet};
//! use recmirror::ids::{ItemId, UserId};
//! use recmirror::log::{EventBatch, REJECTED};
//!
//! let genres = vec![GenreSet(0b011), GenreSet(0b110)];
//! let catalogue = Catalogue { titles: vec![String::new(); 2], genres, ..Catalogue::default() };
//! let batch = EventBatch {
//!     slate: 2,
//!     users: vec![UserId(0)],
//!     items: vec![ItemId(0), ItemId(1)],
//!     accepted: vec![REJECTED],
//!     ..EventBatch::default()
//! };
//! let value = recmirror::metrics::value("intra_list_diversity", &[batch], 1, &catalogue);
//! assert_eq!(value.unwrap(), Some(2.0 / 3.0));
//! ```
//!
//! Pairs are counted, not summed: the state is how many pairs shared `s` of `u` genres in slates of `k`
//! items. Counts are whole numbers, so the value is the same to the last bit whatever the order of users
//! and however the log was cut.

use super::{Better, Format, Metric, MetricKind, Window, accumulator};
use crate::dataset::{Catalogue, GenreSet};
use crate::log::EventBatch;
use std::collections::BTreeMap;

/// The metric.
pub const KIND: MetricKind = MetricKind {
    name: "intra_list_diversity",
    title: "Diversity of a slate",
    formula: "mean over slates of the mean over pairs of items of 1 - |A and B| / |A or B|, A and B their genres",
    format: Format::Number { digits: 3 },
    better: Better::Higher,
    window: Window::Tick,
    against: None,
    make: |_| accumulator(IntraListDiversity::default()),
};

/// Both numbers of a pair, shared and total genres, lie in `0..SIDE`.
const SIDE: usize = GenreSet::CAPACITY + 1;

#[derive(Default)]
struct IntraListDiversity {
    /// By number of items in a slate.
    by_size: BTreeMap<usize, Pairs>,
}

/// Slates of one size.
struct Pairs {
    slates: u64,
    /// Pairs by `shared * SIDE + total`.
    counts: Vec<u64>,
}

impl Default for Pairs {
    fn default() -> Self {
        Pairs { slates: 0, counts: vec![0; SIDE * SIDE] }
    }
}

impl Pairs {
    fn add(&mut self, slate: &[(u64, usize)]) {
        self.slates += 1;
        for (place, &(a, a_len)) in slate.iter().enumerate() {
            for &(b, b_len) in slate.iter().skip(place + 1) {
                let shared = (a & b).count_ones() as usize;
                let total = a_len + b_len - shared;
                if let Some(count) = self.counts.get_mut(shared * SIDE + total) {
                    *count += 1;
                }
            }
        }
    }

    fn merge(&mut self, other: &Pairs) {
        self.slates += other.slates;
        for (count, others) in self.counts.iter_mut().zip(&other.counts) {
            *count += others;
        }
    }

    /// Sum of the distances of all pairs. Pairs that share nothing are at distance 1, whatever their genres.
    fn distances(&self) -> f64 {
        let cells = self.counts.iter().enumerate().filter(|&(_, &count)| count > 0);
        cells
            .map(|(cell, &count)| {
                let (shared, total) = (cell / SIDE, cell % SIDE);
                let distance = if total == 0 { 0.0 } else { (total - shared) as f64 / total as f64 };
                distance * count as f64
            })
            .sum()
    }
}

impl Metric for IntraListDiversity {
    fn fold(&mut self, batch: &EventBatch, catalogue: &Catalogue) {
        let mut slate: Vec<(u64, usize)> = Vec::with_capacity(batch.slate);
        for row in batch.items.chunks_exact(batch.slate.max(1)) {
            slate.clear();
            let genres = row.iter().filter_map(|item| catalogue.genres.get(item.index()));
            slate.extend(genres.map(|set| (set.0, set.len() as usize)));
            if slate.len() >= 2 {
                self.by_size.entry(slate.len()).or_default().add(&slate);
            }
        }
    }

    fn merge(&mut self, other: &Self) {
        for (&size, pairs) in &other.by_size {
            self.by_size.entry(size).or_default().merge(pairs);
        }
    }

    fn value(&self) -> Option<f64> {
        let slates: u64 = self.by_size.values().map(|pairs| pairs.slates).sum();
        let means = self.by_size.iter().map(|(&size, pairs)| pairs.distances() / (size * (size - 1) / 2) as f64);
        (slates > 0).then(|| means.sum::<f64>() / slates as f64)
    }
}

#[cfg(test)]
mod tests {
    use crate::metrics::testing::{GAP, batch, catalogue, value_of};

    const NAN: f32 = f32::NAN;
    const NAME: &str = "intra_list_diversity";

    #[test]
    fn by_hand() {
        // Genres {a,b}, {b,c}, {c}, {}.
        let items = catalogue(&[0b011, 0b110, 0b100, 0]);
        // Pairs: 1 - 1/3, 1 - 0, 1 - 1/2: mean (2/3 + 1 + 1/2) / 3 = 13/18.
        let three = batch(0, 3, &[(0, &[0, 1, 2], None, NAN)]);
        let close = |found: Option<f64>, by_hand: f64| (found.unwrap() - by_hand).abs() < 1e-15;
        assert!(close(value_of(NAME, std::slice::from_ref(&three), 1, &items), 13.0 / 18.0));
        // A slate of two counts as much as one of three.
        let two = batch(1, 3, &[(0, &[1, GAP, 2], None, NAN)]);
        assert!(close(value_of(NAME, &[three, two], 1, &items), (13.0 / 18.0 + 0.5) / 2.0));
    }

    #[test]
    fn items_without_genres_and_repeated_items() {
        let items = catalogue(&[0b1, 0, 0]);
        assert_eq!(value_of(NAME, &[batch(0, 2, &[(0, &[1, 2], None, NAN)])], 1, &items), Some(0.0));
        assert_eq!(value_of(NAME, &[batch(0, 2, &[(0, &[0, 2], None, NAN)])], 1, &items), Some(1.0));
        assert_eq!(value_of(NAME, &[batch(0, 2, &[(0, &[0, 0], None, NAN)])], 1, &items), Some(0.0));
    }

    #[test]
    fn all_genres_in_use() {
        let items = catalogue(&[u64::MAX, u64::MAX, 1]);
        let events = batch(0, 3, &[(0, &[0, 1, 2], None, NAN)]);
        let by_hand = (0.0 + 63.0 / 64.0 + 63.0 / 64.0) / 3.0;
        assert_eq!(value_of(NAME, &[events], 1, &items), Some(by_hand));
    }

    #[test]
    fn undefined_without_a_pair() {
        let items = catalogue(&[1, 2]);
        assert_eq!(value_of(NAME, &[batch(0, 1, &[(0, &[0], Some(0), 4.0)])], 1, &items), None);
        assert_eq!(value_of(NAME, &[batch(0, 2, &[(0, &[0, GAP], None, NAN)])], 1, &items), None);
        assert_eq!(value_of(NAME, &[batch(0, 2, &[])], 1, &items), None);
    }
}
