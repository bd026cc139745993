//! Diversity of a slate's categories.
//!
//! ```text
//! mean over slates with two or more items of
//!     (mean over the pairs of items of  1 - |A and B| / |A or B|)
//! ```
//!
//! where `A` and `B` are the categories of the two items by the category field (`data.item_field`). Two items without
//! categories have distance 0. Undefined for a catalogue without such a field.
//!
//! ```
//! use recmirror::dataset::Catalogue;
//! use recmirror::ids::{ItemId, UserId};
//! use recmirror::log::{EventBatch, REJECTED};
//!
//! let catalogue = Catalogue::of_categories("subjects", &[&["crime", "war"], &["war", "love"]]);
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
//! Pairs are counted, not summed: the state is the number of pairs that share `s` of `u` categories in slates of `k`
//! items. Counts are integers, so the value is the same to the last bit whatever the order of users and the division of
//! the log.

use super::{Better, Format, Metric, MetricKind, Window, accumulator};
use crate::dataset::Catalogue;
use crate::linalg::{Loop, widest};
use crate::log::EventBatch;
use std::collections::BTreeMap;

/// The metric.
pub const KIND: MetricKind = MetricKind {
    name: "intra_list_diversity",
    title: "Diversity of a slate",
    formula: "mean over slates of the mean over pairs of items of 1 - |A and B| / |A or B|, A and B their categories",
    format: Format::Number { digits: 3 },
    better: Better::Higher,
    window: Window::Tick,
    against: None,
    make: |_| accumulator(IntraListDiversity::default()),
};

#[derive(Default)]
struct IntraListDiversity {
    /// By number of items in a slate.
    by_size: BTreeMap<usize, Pairs>,
}

/// Pairs that share fewer categories than this are counted in a table, which is faster than a map.
const FEW: usize = 8;
/// The same for the categories that at least one item has.
const MANY: usize = 32;

/// Slates of one size.
struct Pairs {
    slates: u64,
    /// `[FEW, MANY]`: pairs by how many categories both have, and how many at least one has. Twice, because a processor
    /// waits when it increments a count that it incremented just before.
    table: Vec<[u64; 2]>,
    /// The pairs with larger numbers.
    counts: BTreeMap<(usize, usize), u64>,
}

impl Default for Pairs {
    fn default() -> Self {
        Pairs { slates: 0, table: vec![[0; 2]; FEW * MANY], counts: BTreeMap::new() }
    }
}

impl Pairs {
    /// Counts the pairs of a slate of `len` items; `numbers` has the shared and then all categories of two of them.
    #[inline(always)]
    fn add(&mut self, len: usize, numbers: impl Fn(usize, usize) -> (usize, usize)) {
        self.slates += 1;
        for place in 0..len {
            for later in place + 1..len {
                let (shared, total) = numbers(place, later);
                if shared < FEW && total < MANY {
                    self.table[shared * MANY + total][later % 2] += 1;
                } else {
                    *self.counts.entry((shared, total)).or_default() += 1;
                }
            }
        }
    }

    fn merge(&mut self, other: &Pairs) {
        self.slates += other.slates;
        for (counts, others) in self.table.iter_mut().zip(&other.table) {
            counts.iter_mut().zip(others).for_each(|(count, others)| *count += others);
        }
        for (&pair, others) in &other.counts {
            *self.counts.entry(pair).or_default() += others;
        }
    }

    /// Sum of the distances of all pairs, by shared and then all categories.
    fn distances(&self) -> f64 {
        let table = self.table.iter().map(|counts| counts[0] + counts[1]).enumerate();
        // Two items without categories have distance 0.
        let table = table.filter(|&(place, count)| count > 0 && place > 0);
        let table = table.map(|(place, count)| ((place / MANY, place % MANY), count));
        let all: BTreeMap<(usize, usize), u64> =
            table.chain(self.counts.iter().map(|(&pair, &count)| (pair, count))).collect();
        let distance =
            |((shared, total), count): ((usize, usize), u64)| (total - shared) as f64 / total as f64 * count as f64;
        all.into_iter().map(distance).fold(0.0, |sum, distance| sum + distance)
    }
}

/// The categories of a slate's items as bits.
struct Masks<'a>(&'a mut Pairs, &'a [u64]);

impl Loop for Masks<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Masks(pairs, masks) = self;
        let count = |mask: u64| mask.count_ones() as usize;
        pairs.add(masks.len(), |a, b| (count(masks[a] & masks[b]), count(masks[a] | masks[b])));
    }
}

impl Metric for IntraListDiversity {
    fn fold(&mut self, batch: &EventBatch, catalogue: &Catalogue) {
        let Some(categories) = catalogue.category() else { return };
        let (mut slate, mut masks) = (Vec::with_capacity(batch.slate), Vec::with_capacity(batch.slate));
        for row in batch.items.chunks_exact(batch.slate.max(1)) {
            slate.clear();
            slate.extend(row.iter().copied().filter(|item| item.index() < catalogue.len()));
            if slate.len() < 2 {
                continue;
            }
            let pairs = self.by_size.entry(slate.len()).or_default();
            if let Some(all) = categories.masks() {
                masks.clear();
                masks.extend(slate.iter().map(|item| all.get(item.index()).copied().unwrap_or(0)));
                widest(Masks(pairs, &masks));
            } else {
                pairs.add(slate.len(), |a, b| {
                    let shared = categories.shared(slate[a], slate[b]);
                    (shared, categories.of(slate[a]).len() + categories.of(slate[b]).len() - shared)
                });
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
        // Categories {a,b}, {b,c}, {c}, {}.
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
    fn items_without_categories_and_repeated_items() {
        let items = catalogue(&[0b1, 0, 0]);
        assert_eq!(value_of(NAME, &[batch(0, 2, &[(0, &[1, 2], None, NAN)])], 1, &items), Some(0.0));
        assert_eq!(value_of(NAME, &[batch(0, 2, &[(0, &[0, 2], None, NAN)])], 1, &items), Some(1.0));
        assert_eq!(value_of(NAME, &[batch(0, 2, &[(0, &[0, 0], None, NAN)])], 1, &items), Some(0.0));
    }

    #[test]
    fn many_categories() {
        let items = catalogue(&[u64::MAX, u64::MAX, 1]);
        let events = batch(0, 3, &[(0, &[0, 1, 2], None, NAN)]);
        let by_hand = (0.0 + 63.0 / 64.0 + 63.0 / 64.0) / 3.0;
        assert_eq!(value_of(NAME, &[events], 1, &items), Some(by_hand));
    }

    #[test]
    fn undefined_without_a_field_of_categories() {
        let events = batch(0, 2, &[(0, &[0, 1], None, NAN)]);
        assert_eq!(value_of(NAME, &[events], 1, &crate::dataset::Catalogue::unknown(2)), None);
    }

    #[test]
    fn undefined_without_a_pair() {
        let items = catalogue(&[1, 2]);
        assert_eq!(value_of(NAME, &[batch(0, 1, &[(0, &[0], Some(0), 4.0)])], 1, &items), None);
        assert_eq!(value_of(NAME, &[batch(0, 2, &[(0, &[0, GAP], None, NAN)])], 1, &items), None);
        assert_eq!(value_of(NAME, &[batch(0, 2, &[])], 1, &items), None);
    }
}
