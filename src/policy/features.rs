//! What `linucb` knows of a (user, item) pair: numbers that a recommender could compute.
//!
//! | feature | meaning |
//! | --- | --- |
//! | bias | 1 |
//! | popularity | `ln(1 + count) / ln(1 + largest count)` in the log |
//! | genre | cosine between how often each genre is in the user's history and the genres of the item |
//! | year | distance to the mean year of the history, in units of 20 years, at most 2; 0 when unknown |
//! | match | inner product of small factors of item and user, fitted on the log ([`super::factors`]) |
//! | products | its terms, one feature for each dimension |
//!
//! All of them come in blocks of [`LANES`] items, a form that the compiler turns into vector instructions.

use super::PolicyContext;
use super::factors::{Factors, Objective};
use super::feedback::Feedback;
use crate::dataset::{Catalogue, GenreSet};
use crate::ids::ItemId;
use std::collections::BTreeMap;

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

/// What does not depend on the user, by item and padded to whole blocks.
pub(super) struct Features {
    catalogue_years: Vec<f32>,
    popularity: Vec<f32>,
    /// The place of the item's genres in `sets`.
    set_of: Vec<u32>,
    sets: Vec<GenreSet>,
    genres: usize,
    /// `[products, padded items]`.
    vectors: Vec<f32>,
    factors: Factors,
}

/// What one user's history says, ready to be compared with items.
pub(super) struct Taste {
    /// Cosine with each genre set.
    affinity: Vec<f32>,
    mean_year: f32,
    vector: Vec<f32>,
}

impl Features {
    /// The features of this catalogue and log, with `products` dimensions of collaborative factors.
    pub fn new(context: &PolicyContext, products: usize) -> Features {
        // Mild on purpose: small logs must not shrink the vectors to zero, and the bandit rescales them anyway.
        let objective = Objective { factors: products, alpha: 10.0, regularisation: 10.0 };
        let mut factors = Factors::new(objective, context.log.items, &context.streams);
        factors.fit(&Feedback::new(context).matrix(), 10);
        let padded = context.log.items.next_multiple_of(LANES);
        let mut vectors = vec![0.0; products * padded];
        for (item, vector) in factors.items().chunks_exact(products).enumerate() {
            vector.iter().enumerate().for_each(|(place, &value)| vectors[place * padded + item] = value);
        }
        let (set_of, sets) = genre_sets(&context.catalogue, padded);
        Features {
            catalogue_years: years(&context.catalogue, padded),
            popularity: popularity(&context.log.item_counts(), padded),
            set_of,
            sets,
            genres: context.catalogue.genre_names.len(),
            vectors,
            factors,
        }
    }

    /// Number of features.
    pub fn len(&self) -> usize {
        FIXED + self.factors.factors()
    }

    /// The factors in which users are folded in.
    pub fn factors(&self) -> &Factors {
        &self.factors
    }

    /// What a history says; `vector` is the user's vector in [`Features::factors`].
    pub fn taste(&self, history: impl Iterator<Item = ItemId>, vector: &[f32]) -> Taste {
        let mut counts = vec![0.0f32; self.genres];
        let (mut years, mut dated) = (0.0, 0.0);
        for item in history {
            let set = self.sets[self.set_of[item.index()] as usize];
            bits(set).for_each(|bit| counts[bit] += 1.0);
            let year = self.catalogue_years[item.index()];
            if !year.is_nan() {
                years += year;
                dated += 1.0;
            }
        }
        let norm = counts.iter().map(|count| count * count).sum::<f32>().sqrt();
        let cosine = |&set: &GenreSet| {
            let both: f32 = bits(set).map(|bit| counts[bit]).sum();
            if both > 0.0 { both / (norm * (set.len() as f32).sqrt()) } else { 0.0 }
        };
        let affinity = self.sets.iter().map(cosine).collect();
        // 0 / 0 = NaN marks an unknown mean.
        Taste { affinity, mean_year: years / dated, vector: vector.to_vec() }
    }

    /// The features of items `LANES * block ..` for one user.
    #[inline]
    pub fn block(&self, taste: &Taste, block: usize, out: &mut Block) {
        let (start, padded) = (block * LANES, self.popularity.len());
        let items = start..start + LANES;
        out[0] = [1.0; LANES];
        out[1].copy_from_slice(&self.popularity[items.clone()]);
        for (lane, &set) in self.set_of[items.clone()].iter().enumerate() {
            out[2][lane] = taste.affinity[set as usize];
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

fn bits(set: GenreSet) -> impl Iterator<Item = usize> {
    let mut rest = set.0;
    std::iter::from_fn(move || {
        let bit = (rest != 0).then(|| rest.trailing_zeros() as usize);
        rest &= rest.wrapping_sub(1);
        bit
    })
}

/// The set of each item, and the different sets: users are compared with sets, not with items.
fn genre_sets(catalogue: &Catalogue, padded: usize) -> (Vec<u32>, Vec<GenreSet>) {
    let (mut sets, mut places) = (vec![GenreSet::default()], BTreeMap::from([(0, 0)]));
    let mut set_of = vec![0; padded];
    for (place, &set) in set_of.iter_mut().zip(&catalogue.genres) {
        *place = *places.entry(set.0).or_insert_with(|| {
            sets.push(set);
            sets.len() as u32 - 1
        });
    }
    (set_of, sets)
}

fn years(catalogue: &Catalogue, padded: usize) -> Vec<f32> {
    let mut years: Vec<f32> = catalogue.years.iter().map(|year| year.map_or(f32::NAN, f32::from)).collect();
    years.resize(padded, f32::NAN);
    years
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
        let features = Features::new(&context, 2);
        let taste = features.taste([0, 2].map(ItemId).into_iter(), &[0.5, -1.0]);
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
        let features = Features::new(&context, 2);
        let mut block = [[0.0; LANES]; MAX_FEATURES];
        features.block(&features.taste(std::iter::empty(), &[0.0, 0.0]), 0, &mut block);
        assert!(block[1..].iter().flatten().all(|&value| value == 0.0));
    }
}
