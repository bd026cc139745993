//! Miscalibration of categories.
//!
//! The Kullback-Leibler divergence of a slate's categories from those of the user's history, in nats.
//!
//! ```text
//! mean over slates of  sum over categories g of  p(g) ln(p(g) / q~(g)),   q~ = 0.99 q + 0.01 p
//! ```
//!
//! Steck 2018, "Calibrated Recommendations", with the paper's alpha of 0.01. Every item divides one unit over its
//! categories (`data.item_field`); `p` is the mean of that over the user's items in the log before the start, `q` over
//! the items of the slate. 0 is a slate with the history's shares of categories. Items without categories count in
//! neither; slates of users without categories in their history, and slates without categories, are left out. Undefined
//! for a catalogue without such a field. `p` stays that of the start: the metric measures how far users are led away
//! from it. (Steck's policy, `calibrated`, also follows what users accept in the run.)
//!
//! ```
//! use recmirror::dataset::{Catalogue, Fields, Interaction, TrainingLog};
//! use recmirror::ids::{ItemId, LogUserId, UserId};
//! use recmirror::log::{EventBatch, REJECTED};
//! use recmirror::metrics::{Background, Past, value_with};
//! use std::sync::Arc;
//!
//! let row = |item| Interaction { user: LogUserId(0), item: ItemId(item), rating: 4.0, time: 0 };
//! let log = TrainingLog::from_sorted(vec![row(0), row(1)], 1, 2);
//! let catalogue = Arc::new(Catalogue::of_categories("subjects", &[&["crime"], &["war"]]));
//! let past = Past::new(Arc::new(log), catalogue.clone(), Fields::default());
//! let start = Background::new([LogUserId(0)].into(), Arc::new(past));
//! let batch = |items: [u32; 2]| EventBatch {
//!     slate: 2,
//!     users: vec![UserId(0)],
//!     items: items.map(ItemId).into(),
//!     accepted: vec![REJECTED],
//!     ..EventBatch::default()
//! };
//! let value = |items| value_with("miscalibration", &[batch(items)], &start, &catalogue).unwrap().unwrap();
//! assert_eq!(value([0, 1]), 0.0);
//! // p = (1/2, 1/2), q = (1, 0): q~ = (0.995, 0.005).
//! let by_hand = 0.5 * (0.5_f64 / 0.995).ln() + 0.5 * (0.5_f64 / 0.005).ln();
//! assert!((value([0, 0]) - by_hand).abs() < 1e-12);
//! ```

use super::{Background, Better, Format, Metric, MetricKind, Past, Window, accumulator};
use crate::dataset::{Catalogue, ItemCategories};
use crate::ids::{ItemId, LogUserId};
use crate::log::EventBatch;
use std::sync::Arc;

/// The metric.
pub const KIND: MetricKind = MetricKind {
    name: "miscalibration",
    title: "Miscalibration (nats)",
    formula: "mean over slates of KL(p || 0.99 q + 0.01 p), p the category shares of the user's history, q of the slate",
    format: Format::Number { digits: 3 },
    better: Better::Lower,
    window: Window::Tick,
    against: None,
    make: |start| {
        let histories = start.table(Histories::of);
        accumulator(Miscalibration { start: start.clone(), histories, sum: 0.0, slates: 0 })
    },
};

/// The paper's alpha: how much of `p` is mixed into `q`, which keeps the divergence finite.
const SHARE_OF_HISTORY: f64 = 0.01;

/// Category shares of each user of the log, those that are not 0.
struct Histories {
    /// `[users + 1]`: user `u` has the entries `offsets[u]..offsets[u + 1]`.
    offsets: Vec<usize>,
    shares: Vec<(u32, f64)>,
    categories: usize,
}

impl Histories {
    fn of(past: &Past) -> Histories {
        let category = past.catalogue.category();
        let categories = category.map_or(0, |category| category.len());
        let (mut offsets, mut shares, mut row) = (vec![0], Vec::new(), vec![0.0; categories]);
        for user in (0..past.log.users() as u32).map(LogUserId) {
            if let Some(category) = category {
                row.fill(0.0);
                spread(past.log.of(user).iter().map(|row| row.item), category, &mut row);
                shares.extend((0..).zip(row.iter().copied()).filter(|(_, share)| *share > 0.0));
            }
            offsets.push(shares.len());
        }
        Histories { offsets, shares, categories }
    }

    fn row(&self, source: LogUserId) -> Option<&[(u32, f64)]> {
        let (first, last) = (*self.offsets.get(source.index())?, *self.offsets.get(source.index() + 1)?);
        Some(&self.shares[first..last]).filter(|row| !row.is_empty())
    }
}

/// Spreads one unit an item over its categories and divides by the items that have any; `false` when none has.
fn spread(items: impl Iterator<Item = ItemId>, category: &ItemCategories, shares: &mut [f64]) -> bool {
    let mut counted = 0u32;
    for own in items.map(|item| category.of(item)).filter(|own| !own.is_empty()) {
        let unit = 1.0 / own.len() as f64;
        for &code in own {
            if let Some(share) = shares.get_mut(code as usize) {
                *share += unit;
            }
        }
        counted += 1;
    }
    shares.iter_mut().for_each(|share| *share /= f64::from(counted.max(1)));
    counted > 0
}

struct Miscalibration {
    start: Background,
    histories: Arc<Histories>,
    sum: f64,
    slates: u64,
}

impl Metric for Miscalibration {
    fn fold(&mut self, batch: &EventBatch, catalogue: &Catalogue) {
        let Some(category) = catalogue.category() else { return };
        let mut shown = vec![0.0; self.histories.categories];
        for (row, &user) in batch.users.iter().enumerate() {
            let Some(history) = self.start.source(user).and_then(|source| self.histories.row(source)) else { continue };
            shown.fill(0.0);
            if spread(batch.slate_of(row).iter().copied(), category, &mut shown) {
                self.sum += divergence(history, &shown);
                self.slates += 1;
            }
        }
    }

    fn merge(&mut self, other: &Self) {
        self.sum += other.sum;
        self.slates += other.slates;
    }

    fn value(&self) -> Option<f64> {
        // Rounding may leave a divergence of 0 a little below it.
        (self.slates > 0).then(|| (self.sum / self.slates as f64).max(0.0))
    }
}

fn divergence(history: &[(u32, f64)], shown: &[f64]) -> f64 {
    let pairs = history.iter().map(|&(code, p)| (p, shown[code as usize]));
    pairs.map(|(p, q)| p * libm::log(p / ((1.0 - SHARE_OF_HISTORY) * q + SHARE_OF_HISTORY * p))).sum()
}

#[cfg(test)]
mod tests {
    use crate::log::EventBatch;
    use crate::metrics::testing::{GAP, background, batch, catalogue, value_after, value_of};

    const NAME: &str = "miscalibration";
    const NAN: f32 = f32::NAN;

    #[test]
    fn by_hand() {
        // Categories {a}, {a, b}, none, {c}.
        let items = catalogue(&[0b001, 0b011, 0, 0b100]);
        // User 0: items 0, 1 and 2: p = (3/4, 1/4, 0). User 1: item 2 alone: no categories.
        let start = background(&[0, 1], &[&[0, 1, 2], &[2]], &items);
        let value = |log: &[EventBatch]| value_after(NAME, log, &start, &items);
        // q = (1/2, 0, 1/2): q~ = 0.99 q + 0.01 p = (0.5025, 0.0025, 0.495).
        let first = batch(0, 3, &[(0, &[0, 3, 2], None, NAN), (1, &[0, 1, 3], None, NAN)]);
        let by_hand = 0.75 * libm::log(0.75 / 0.5025) + 0.25 * libm::log(0.25 / 0.0025);
        assert!((value(std::slice::from_ref(&first)).unwrap() - by_hand).abs() < 1e-12);
        // The slate of items 0 and 1 has the shares of the history: 0. Mean over the two slates of user 0.
        let second = batch(1, 3, &[(0, &[1, 0, GAP], None, NAN)]);
        assert!((value(&[first, second]).unwrap() - by_hand / 2.0).abs() < 1e-12);
    }

    #[test]
    fn undefined_without_categories_on_both_sides() {
        let items = catalogue(&[1, 0]);
        let start = background(&[0, 1], &[&[0], &[1]], &items);
        let value = |user, item: u32| value_after(NAME, &[batch(0, 1, &[(user, &[item], None, NAN)])], &start, &items);
        assert_eq!(value(0, 1), None, "the slate has none");
        assert_eq!(value(1, 0), None, "the history has none");
        assert_eq!(value(0, 0), Some(0.0));
        assert_eq!(value_of(NAME, &[batch(0, 1, &[(0, &[0], None, NAN)])], 1, &items), None, "no log");
    }
}
