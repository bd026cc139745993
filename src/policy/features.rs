//! Features of (user, item) pairs for contextual bandits.
//!
//! | feature | meaning |
//! | --- | --- |
//! | bias | 1 |
//! | popularity | `ln(1 + count) / ln(1 + largest count)` in the log |
//! | attributes | cosine between the sum of the attributes of the user's history and those of the item ([`super::attributes`]) |
//! | year | distance to the mean year of release in the history, in units of 20 years, at most 2; 0 when unknown |
//! | match | inner product of small factors of item and user, fitted on the log ([`super::factors`]) |
//! | products | its terms, one feature for each dimension |
//!
//! Features come in blocks of [`LANES`] items, a form that the compiler turns into vector instructions.

use super::attributes::Attributes;
use super::factors::{Factors, Objective, Solver};
use super::{PolicyContext, PolicyError};
use crate::dataset::Catalogue;
use crate::ids::ItemId;
use std::sync::Arc;

/// Items of one block.
pub(super) const LANES: usize = 16;

/// Features before the products.
const FIXED: usize = 5;

/// Largest number of products.
pub(super) const MAX_PRODUCTS: usize = 16;

/// Largest number of features.
pub(super) const MAX_FEATURES: usize = FIXED + MAX_PRODUCTS;

const YEARS_PER_UNIT: f32 = 20.0;

/// The features of [`LANES`] items for one user, feature by feature.
pub(super) type Block = [[f32; LANES]; MAX_FEATURES];

/// The features that do not depend on the user, by item and padded to complete blocks.
pub(super) struct Features {
    catalogue_years: Vec<f32>,
    popularity: Vec<f32>,
    attributes: Attributes,
    /// `[products, padded items]`.
    vectors: Vec<f32>,
    factors: Arc<Factors>,
}

/// Running sums over a user's history: they grow by one item at a time, and no step reads the history again.
#[derive(Clone)]
pub(super) struct Past {
    attributes: Vec<f32>,
    years: f32,
    dated: f32,
}

/// Features of one user's history, for comparison with items.
pub(super) struct Taste {
    /// Cosine with each distinct row of attributes.
    affinity: Vec<f32>,
    mean_year: f32,
    vector: Vec<f32>,
}

impl Features {
    /// The features of this catalogue and log, by the field of `attributes`, with `products` dimensions of
    /// collaborative factors.
    ///
    /// # Errors
    /// When the items have no such field.
    pub fn new(context: &PolicyContext, field: &str, products: usize) -> Result<Features, PolicyError> {
        // Deliberately mild: small logs must not shrink the vectors to zero, and the bandit rescales them anyway.
        let objective = Objective { factors: products, alpha: 10.0, regularisation: 10.0 };
        let attributes = Attributes::new(field, &context.catalogue)?;
        let factors = Factors::of_log(objective, 10, Solver::Cholesky, context);
        let padded = context.log.items.next_multiple_of(LANES);
        let mut vectors = vec![0.0; products * padded];
        for (item, vector) in factors.items().chunks_exact(products).enumerate() {
            vector.iter().enumerate().for_each(|(place, &value)| vectors[place * padded + item] = value);
        }
        Ok(Features {
            catalogue_years: years(&context.catalogue, padded),
            popularity: popularity(&context.log.item_counts(), padded),
            attributes,
            vectors,
            factors,
        })
    }

    /// Number of features.
    pub fn len(&self) -> usize {
        FIXED + self.factors.factors()
    }

    /// The factors into which users are folded.
    pub fn factors(&self) -> &Factors {
        &self.factors
    }

    /// The sums of a history, oldest item first.
    pub fn past(&self, history: impl Iterator<Item = ItemId>) -> Past {
        let mut past = Past { attributes: vec![0.0; self.attributes.width()], years: 0.0, dated: 0.0 };
        history.for_each(|item| self.add(item, &mut past));
        past
    }

    /// Adds the latest item of a history.
    pub fn add(&self, item: ItemId, past: &mut Past) {
        self.attributes.add(item, &mut past.attributes);
        let year = self.catalogue_years[item.index()];
        if !year.is_nan() {
            past.years += year;
            past.dated += 1.0;
        }
    }

    /// Features of a history; `vector` is the user's vector in [`Features::factors`].
    pub fn taste(&self, past: &Past, vector: &[f32]) -> Taste {
        let affinity = self.attributes.cosines(&past.attributes);
        // 0 / 0 = NaN marks an unknown mean.
        Taste { affinity, mean_year: past.years / past.dated, vector: vector.to_vec() }
    }

    /// The features of items `LANES * block ..` for one user.
    #[inline(always)]
    pub fn block(&self, taste: &Taste, block: usize, out: &mut Block) {
        let (start, padded) = (block * LANES, self.popularity.len());
        let items = start..start + LANES;
        out[0] = [1.0; LANES];
        out[1].copy_from_slice(&self.popularity[items.clone()]);
        for (lane, item) in items.clone().enumerate() {
            out[2][lane] = taste.affinity[self.attributes.row_of(ItemId(item as u32))];
        }
        for (lane, &year) in self.catalogue_years[items].iter().enumerate() {
            let distance = ((year - taste.mean_year).abs() / YEARS_PER_UNIT).min(2.0);
            out[3][lane] = if (year - taste.mean_year).is_nan() { 0.0 } else { distance };
        }
        out[4] = [0.0; LANES];
        for (place, &weight) in taste.vector.iter().enumerate() {
            let values = &self.vectors[place * padded + start..][..LANES];
            for lane in 0..LANES {
                out[FIXED + place][lane] = weight * values[lane];
                out[4][lane] += weight * values[lane];
            }
        }
    }
}

fn years(catalogue: &Catalogue, padded: usize) -> Vec<f32> {
    (0..padded as u32).map(|item| catalogue.year(ItemId(item))).collect()
}

fn popularity(counts: &[u32], padded: usize) -> Vec<f32> {
    let log = |count: u32| libm::log1p(f64::from(count));
    let largest = log(counts.iter().copied().max().unwrap_or(0).max(1));
    let mut popularity: Vec<f32> = counts.iter().map(|&count| (log(count) / largest) as f32).collect();
    popularity.resize(padded, 0.0);
    popularity
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::testing::World;

    #[test]
    fn features_by_hand() {
        // Genres of the test catalogue: items 0, 1 Drama + Western; 2, 3 Comedy + Western; 8 has no year.
        let context = World::with_log(2, 9, &[&[0, 2, 8], &[2]]).context();
        let features = Features::new(&context, "", 2).expect("categories");
        let taste = features.taste(&features.past([0, 2].map(ItemId).into_iter()), &[0.5, -1.0]);
        let mut block = [[0.0; LANES]; MAX_FEATURES];
        features.block(&taste, 0, &mut block);
        assert_eq!((block[0], block[1][2], block[1][1]), ([1.0; LANES], 1.0, 0.0));
        // Drama 1, Western 2, Comedy 1 against Drama + Western.
        assert!((block[2][0] - 3.0 / (6f32.sqrt() * 2f32.sqrt())).abs() < 1e-6);
        // Years 1980 and 1981; item 6 is of 1983.
        assert!((block[3][6] - 2.5 / 20.0).abs() < 1e-6);
        assert_eq!(block[3][8], 0.0);
        for (lane, sum) in block[4].iter().enumerate() {
            assert!((sum - block[5][lane] - block[6][lane]).abs() < 1e-6);
        }
    }

    #[test]
    fn a_user_without_history_has_no_affinity() {
        let context = World::with_log(1, 9, &[]).context();
        let features = Features::new(&context, "", 2).expect("categories");
        let mut block = [[0.0; LANES]; MAX_FEATURES];
        features.block(&features.taste(&features.past(std::iter::empty()), &[0.0, 0.0]), 0, &mut block);
        assert!(block[1..].iter().flatten().all(|&value| value == 0.0));
    }
}
