//! Item vectors that can be computed for any catalogue and log.
//!
//! Columns: the truncated SVD of the normalised user-item matrix, the shrunk mean rating, and the log of
//! the number of interactions. For training, [`vector_tables`] gives tables that were computed without
//! the users of one fold: statistics that contain a training positive itself would leak it.

use crate::dataset::TrainingLog;
use crate::ids::LogUserId;
use crate::linalg::{Sparse, rotate_onto, truncated_svd};
use crate::random::{Purpose, Streams, below};
use ndarray::Array2;
use rayon::prelude::*;

/// Number of user folds.
pub const FOLDS: usize = 4;

/// Pseudo-count that damps vectors and mean ratings of rare items.
pub(super) const SHRINK: f64 = 5.0;

/// The fold of a user: a fixed function of the seed and the user.
pub fn fold_of(streams: &Streams, user: LogUserId) -> usize {
    below(&mut streams.derive(Purpose::Folds, u64::from(user.0), 0), FOLDS as u32) as usize
}

/// `[items, rank + 2]`: the item vectors of a log.
pub fn item_vectors(log: &TrainingLog, rank: usize) -> Array2<f32> {
    assemble(log, &spectral(log, rank, |_| true), rank, |_| true)
}

/// The item vectors of the kept users, rotated onto the vectors of the whole log.
fn without_fold(log: &TrainingLog, rank: usize, whole: &[f64], keep: impl Fn(LogUserId) -> bool + Copy) -> Array2<f32> {
    let part = rotate_onto(&spectral(log, rank, keep), whole, rank);
    assemble(log, &part, rank, keep)
}

/// [`item_vectors`] without the users of each fold (`[users]`), and then with everybody.
pub(crate) fn vector_tables(log: &TrainingLog, rank: usize, folds: &[usize]) -> Vec<Array2<f32>> {
    let whole = spectral(log, rank, |_| true);
    let one = |fold: usize| match fold {
        FOLDS => assemble(log, &whole, rank, |_| true),
        fold => without_fold(log, rank, &whole, |user: LogUserId| folds[user.index()] != fold),
    };
    (0..=FOLDS).into_par_iter().map(one).collect()
}

/// `[items, rank]`: right singular vectors times the root of the singular values of
/// `x_ui = 1 / sqrt(max(deg_u, 1)) / sqrt(n_i + 5)`.
fn spectral(log: &TrainingLog, rank: usize, keep: impl Fn(LogUserId) -> bool) -> Vec<f64> {
    let rows = log.rows.iter().filter(|row| keep(row.user));
    let triples = rows.map(|row| (row.user.0, row.item.0, 1.0)).collect();
    let matrix = Sparse::from_triples(log.users(), log.items, triples);
    let (users, items) = matrix.sums();
    let matrix = matrix.map(|user, item, value| value / users[user].max(1.0).sqrt() / (items[item] + SHRINK).sqrt());
    let svd = truncated_svd(&matrix, rank);
    let mut vectors = svd.vectors;
    for row in vectors.chunks_exact_mut(rank.max(1)) {
        for (value, size) in row.iter_mut().zip(&svd.values) {
            *value *= size.sqrt();
        }
    }
    vectors
}

fn assemble(log: &TrainingLog, spectral: &[f64], rank: usize, keep: impl Fn(LogUserId) -> bool) -> Array2<f32> {
    let mean_square = spectral.iter().map(|value| value * value).sum::<f64>() / spectral.len().max(1) as f64;
    let scale = if mean_square > 0.0 { 1.0 / mean_square.sqrt() } else { 0.0 };
    let scaled =
        Array2::from_shape_fn((log.items, rank), |(item, column)| (spectral[item * rank + column] * scale) as f32);
    statistics_beside(log, &scaled, keep)
}

/// `[items, rank + 2]`: scaled vectors, `[items, rank]`, and the statistics of a log beside them.
pub(super) fn with_statistics(log: &TrainingLog, scaled: &Array2<f32>) -> Array2<f32> {
    statistics_beside(log, scaled, |_| true)
}

fn statistics_beside(log: &TrainingLog, scaled: &Array2<f32>, keep: impl Fn(LogUserId) -> bool) -> Array2<f32> {
    let rank = scaled.ncols();
    let mut table = Array2::zeros((log.items, rank + 2));
    let (counts, deviations) = ratings(log, &keep);
    let at_hand = log.rows.iter().filter(|row| keep(row.user)).count().max(1);
    let blow_up = log.rows.len() as f64 / at_hand as f64;
    for item in 0..log.items {
        for column in 0..rank {
            table[(item, column)] = scaled[(item, column)];
        }
        table[(item, rank)] = (2.0 * deviations[item] / (counts[item] + SHRINK)) as f32;
        table[(item, rank + 1)] = (libm::log1p(counts[item] * blow_up) / 2.0 - 1.2) as f32;
    }
    table
}

/// Interactions of each item, and the sum of its ratings' deviations from the mean rating.
fn ratings(log: &TrainingLog, keep: &impl Fn(LogUserId) -> bool) -> (Vec<f64>, Vec<f64>) {
    let (mut counts, mut sums) = (vec![0.0; log.items], vec![0.0; log.items]);
    let mut rated = vec![0.0; log.items];
    for row in log.rows.iter().filter(|row| keep(row.user)) {
        counts[row.item.index()] += 1.0;
        if row.rating.is_finite() {
            sums[row.item.index()] += f64::from(row.rating);
            rated[row.item.index()] += 1.0;
        }
    }
    let mean = sums.iter().sum::<f64>() / rated.iter().sum::<f64>().max(1.0);
    let deviations = sums.iter().zip(&rated).map(|(sum, rated)| sum - mean * rated).collect();
    (counts, deviations)
}
