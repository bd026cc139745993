//! How far the genres of a slate are from those of the user's history: the divergence of Kullback and Leibler, in nats.
//!
//! ```text
//! mean over slates of  sum over genres g of  p(g) ln(p(g) / q~(g)),   q~ = 0.99 q + 0.01 p
//! ```
//!
//! Steck 2018, "Calibrated Recommendations", with the paper's alpha of 0.01. Every item spreads one unit over its genres;
//! `p` is the mean of that over the user's items in the log before the start, `q` over the items of the slate. 0 is a slate
//! with the genres of the history in their shares. Items without genres count in neither; slates of users without
//! genres in their history, and slates without genres, are left out. `p` stays that of the start: the metric tells how far
//! users are led from where they came from. (Steck's policy, `calibrated`, follows what users accept in the run as well.)
//!
//! ```
//! use recmirror::dataset::{Catalogue, GenreSet, Interaction, Profiles, TrainingLog};
//! use recmirror::ids::{ItemId, UserId};
//! use recmirror::log::{EventBatch, REJECTED};
//! use recmirror::metrics::{Background, Past, value_with};
//! use std::sync::Arc;
//!
//! let row = |item| Interaction { user: UserId(0), item: ItemId(item), rating: 4.0, time: 0 };
//! let log = TrainingLog::from_sorted(vec![row(0), row(1)], 1, 2);
//! let genres = vec![GenreSet(0b01), GenreSet(0b10)];
//! let catalogue = Arc::new(Catalogue { titles: vec![String::new(); 2], genres, ..Catalogue::default() });
//! let past = Past::new(Arc::new(log), catalogue.clone(), Profiles::default());
//! let start = Background::new([UserId(0)].into(), Arc::new(past));
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
use crate::dataset::{Catalogue, GenreSet};
use crate::ids::{ItemId, UserId};
use crate::log::EventBatch;
use std::sync::Arc;

/// The metric.
pub const KIND: MetricKind = MetricKind {
    name: "miscalibration",
    title: "Miscalibration (nats)",
    formula: "mean over slates of KL(p || 0.99 q + 0.01 p), p the genre shares of the user's history, q of the slate",
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

/// Genre shares of each user of the log, `[users, genres]`; all 0 where there are none.
struct Histories {
    shares: Vec<f64>,
    genres: usize,
}

impl Histories {
    fn of(past: &Past) -> Histories {
        // Genres may have no names, in catalogues made by hand.
        let bits = past.catalogue.genres.iter().map(|set| (u64::BITS - set.0.leading_zeros()) as usize);
        let genres = bits.max().unwrap_or(0);
        let mut shares = Vec::with_capacity(past.log.users() * genres);
        for user in (0..past.log.users() as u32).map(UserId) {
            let mut row = vec![0.0; genres];
            let items = past.log.of(user).iter().map(|row| row.item);
            spread(items, &past.catalogue, &mut row);
            shares.extend(row);
        }
        Histories { shares, genres }
    }

    fn row(&self, source: UserId) -> Option<&[f64]> {
        let start = source.index() * self.genres;
        self.shares.get(start..start + self.genres).filter(|row| row.iter().any(|&share| share > 0.0))
    }
}

/// Spreads one unit an item over its genres and divides by the items that have any; `false` when none has.
fn spread(items: impl Iterator<Item = ItemId>, catalogue: &Catalogue, shares: &mut [f64]) -> bool {
    let mut counted = 0u32;
    for genres in items.filter_map(|item| catalogue.genres.get(item.index())).filter(|genres| !genres.is_empty()) {
        let unit = 1.0 / f64::from(genres.len());
        for bit in bits(*genres) {
            if let Some(share) = shares.get_mut(bit) {
                *share += unit;
            }
        }
        counted += 1;
    }
    shares.iter_mut().for_each(|share| *share /= f64::from(counted.max(1)));
    counted > 0
}

fn bits(genres: GenreSet) -> impl Iterator<Item = usize> {
    let mut left = genres.0;
    std::iter::from_fn(move || {
        let bit = (left != 0).then_some(left.trailing_zeros() as usize)?;
        left &= left - 1;
        Some(bit)
    })
}

struct Miscalibration {
    start: Background,
    histories: Arc<Histories>,
    sum: f64,
    slates: u64,
}

impl Metric for Miscalibration {
    fn fold(&mut self, batch: &EventBatch, catalogue: &Catalogue) {
        let mut shown = vec![0.0; self.histories.genres];
        for (row, &user) in batch.users.iter().enumerate() {
            let Some(history) = self.start.source(user).and_then(|source| self.histories.row(source)) else { continue };
            shown.fill(0.0);
            if spread(batch.slate_of(row).iter().copied(), catalogue, &mut shown) {
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

fn divergence(history: &[f64], shown: &[f64]) -> f64 {
    let pairs = history.iter().zip(shown).filter(|(p, _)| **p > 0.0);
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
        // Genres {a}, {a, b}, none, {c}.
        let items = catalogue(&[0b001, 0b011, 0, 0b100]);
        // User 0: items 0, 1 and 2: p = (3/4, 1/4, 0). User 1: item 2 alone: no genres.
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
    fn undefined_without_genres_on_both_sides() {
        let items = catalogue(&[1, 0]);
        let start = background(&[0, 1], &[&[0], &[1]], &items);
        let value = |user, item: u32| value_after(NAME, &[batch(0, 1, &[(user, &[item], None, NAN)])], &start, &items);
        assert_eq!(value(0, 1), None, "the slate has none");
        assert_eq!(value(1, 0), None, "the history has none");
        assert_eq!(value(0, 0), Some(0.0));
        assert_eq!(value_of(NAME, &[batch(0, 1, &[(0, &[0], None, NAN)])], 1, &items), None, "no log");
    }
}
