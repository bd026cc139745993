//! Item vectors from interactions before a moment.
//!
//! With `x_ui = 1 / sqrt(n_u n_i)` for every interaction before the moment (`n`: interactions of the user, of the
//! item), the vector of item `i` is `sqrt(n_i) v_i`, with `v` the first 64 right singular vectors of `x`; a user's
//! score of an item is its dot product with the sum of the vectors of the user's items. Source: the paper's reference
//! code, after Shen et al., "How Powerful is Graph Convolution for Recommendation?" (CIKM 2021). The matrix stays in a
//! scratch file; memory holds the vectors and one number for each user.

use super::log::Log;
use super::nearest::{Nearest, dot, top};
use super::spill::{Scratch, Spill};
use crate::files::FileError;
use crate::linalg::{Gram, Precision, truncated_svd_of};
use crate::pipeline::Watch;
use rayon::prelude::*;

/// Dimensions of the vectors.
const RANK: usize = 64;
/// The vectors only rank candidates; more digits would change no list.
const PRECISION: Precision = Precision { tolerance: 1e-5, most_products: 512 };
/// Parts of a product. Their number is fixed, so the number of threads changes no sum.
const PARTS: usize = 8;
/// The number of nearest neighbours.
pub(super) const NEAR: usize = 50;

/// The interactions before a moment: `A[u][i] = 1 / sqrt(n_u n_i)`.
struct Matrix<'a> {
    watch: &'a dyn Watch,
    items: Spill<u32>,
    offsets: Vec<u64>,
    degrees: Vec<f64>,
    /// First users of the parts.
    parts: Vec<usize>,
}

impl<'a> Matrix<'a> {
    fn before(
        log: &Log,
        items: usize,
        moment: i64,
        scratch: &Scratch,
        watch: &'a dyn Watch,
    ) -> Result<Matrix<'a>, FileError> {
        let mut output = scratch.start(1 << 20)?;
        let mut offsets = vec![0; log.users() as usize + 1];
        let mut degrees = vec![0.0; items];
        let mut outcome = Ok(());
        log.pass(|entry, _| {
            if entry.clock < moment && outcome.is_ok() {
                outcome = output.push(entry.item);
                offsets[entry.user as usize + 1] += 1;
                degrees[entry.item as usize] += 1.0;
            }
        })?;
        outcome?;
        (1..offsets.len()).for_each(|user| offsets[user] += offsets[user - 1]);
        let total = output.records();
        let share = |part: usize| total * part as u64 / PARTS as u64;
        let mut parts: Vec<usize> = (0..PARTS).map(|part| offsets.partition_point(|&at| at < share(part))).collect();
        parts.push(offsets.len() - 1);
        Ok(Matrix { watch, items: output.finish()?, offsets, degrees, parts })
    }

    /// The contribution of one part's users to a product.
    fn part(&self, users: std::ops::Range<usize>, weighted: &[f64]) -> Result<Vec<f64>, FileError> {
        let mut out = vec![0.0; weighted.len()];
        let mut row: Vec<u32> = Vec::new();
        let mut user = users.start;
        let range = self.offsets[users.start]..self.offsets[users.end];
        let mut flush = |row: &mut Vec<u32>| {
            let sum: f64 = row.iter().map(|&item| weighted[item as usize]).sum();
            let share = sum / row.len().max(1) as f64;
            row.drain(..).for_each(|item| out[item as usize] += share);
        };
        let mut next = range.start;
        self.items.pass(range, |item| {
            while next >= self.offsets[user + 1] {
                flush(&mut row);
                user += 1;
            }
            row.push(item);
            next += 1;
        })?;
        flush(&mut row);
        Ok(out)
    }
}

impl Gram for Matrix<'_> {
    type Error = FileError;

    fn columns(&self) -> usize {
        self.degrees.len()
    }

    fn gram_times(&self, x: &[f64], out: &mut [f64]) -> Result<(), FileError> {
        let scale = |degree: &f64| if *degree > 0.0 { 1.0 / degree.sqrt() } else { 0.0 };
        let weighted: Vec<f64> = x.iter().zip(&self.degrees).map(|(value, degree)| value * scale(degree)).collect();
        let ranges: Vec<_> = self.parts.windows(2).map(|ends| ends[0]..ends[1].max(ends[0])).collect();
        let parts: Vec<Vec<f64>> =
            ranges.into_par_iter().map(|users| self.part(users, &weighted)).collect::<Result<_, _>>()?;
        out.fill(0.0);
        for part in parts {
            out.iter_mut().zip(part).for_each(|(sum, value)| *sum += value);
        }
        out.iter_mut().zip(&self.degrees).for_each(|(value, degree)| *value *= scale(degree));
        self.watch.advance(1);
        Ok(())
    }
}

/// The vectors of all items at a moment.
pub(super) struct Vectors {
    /// `[items, RANK]`, row-major.
    rows: Vec<f32>,
    /// The same with length 1; zero for items without interactions.
    units: Vec<f32>,
    known: Vec<bool>,
    /// The number of users who had taken each item.
    counts: Vec<f64>,
    items: u32,
    /// The cosine of the last of the [`NEAR`] nearest neighbours of each item, if requested.
    reach: Vec<f32>,
}

impl Vectors {
    /// The vectors from interactions before `moment`. `holders` must be true if [`Vectors::holders`] will be called.
    pub(super) fn before(
        log: &Log,
        items: usize,
        moment: i64,
        scratch: &Scratch,
        holders: bool,
        watch: &dyn Watch,
    ) -> Result<Vectors, FileError> {
        let matrix = Matrix::before(log, items, moment, scratch, watch)?;
        let found = truncated_svd_of(&matrix, RANK, PRECISION)?;
        let mut rows = vec![0.0; items * RANK];
        for (item, row) in rows.chunks_exact_mut(RANK).enumerate() {
            let scale = matrix.degrees[item].sqrt();
            // Items without interactions have a vector of zeros up to rounding; it is made exact.
            let known = matrix.degrees[item] > 0.0;
            let vector = &found.vectors[item * RANK..(item + 1) * RANK];
            row.iter_mut().zip(vector).for_each(|(to, from)| *to = if known { (from * scale) as f32 } else { 0.0 });
        }
        let known = rows.chunks_exact(RANK).map(|row| row.iter().any(|&value| value != 0.0)).collect();
        let (units, counts) = (units(&rows), matrix.degrees);
        let mut vectors = Vectors { units, rows, known, counts, items: items as u32, reach: Vec::new() };
        if holders {
            let reach = (0..items as u32).into_par_iter().map(|item| vectors.reach_of(item)).collect();
            vectors.reach = reach;
        }
        Ok(vectors)
    }

    fn reach_of(&self, item: u32) -> f32 {
        let near = self.near(item);
        near.last().map_or(f32::INFINITY, |&last| self.cosine(item, last))
    }

    fn known(&self, item: u32) -> bool {
        self.known[item as usize]
    }

    fn row(&self, item: u32) -> &[f32] {
        &self.rows[item as usize * RANK..(item as usize + 1) * RANK]
    }

    fn unit(&self, item: u32) -> &[f32] {
        &self.units[item as usize * RANK..(item as usize + 1) * RANK]
    }

    /// The number of users who had taken an item.
    pub(super) fn count(&self, item: u32) -> f64 {
        self.counts[item as usize]
    }

    /// The cosine of two items; 0 if one is unknown.
    pub(super) fn cosine(&self, a: u32, b: u32) -> f32 {
        dot(self.unit(a), self.unit(b))
    }

    /// The `count` items of highest score for a user who took `taken`.
    pub(super) fn for_user(&self, taken: &[u32], count: usize) -> Vec<u32> {
        let mut sum = vec![0.0; RANK];
        for &item in taken {
            sum.iter_mut().zip(self.row(item)).for_each(|(sum, value)| *sum += value);
        }
        let known = (0..self.items).filter(|&item| self.known(item));
        top(known.map(|item| Nearest { score: dot(&sum, self.row(item)), item }), count)
    }

    /// The (at most [`NEAR`]) nearest neighbours of an item by cosine.
    pub(super) fn near(&self, item: u32) -> Vec<u32> {
        if !self.known(item) {
            return Vec::new();
        }
        let others = (0..self.items).filter(|&other| other != item && self.known(other));
        top(others.map(|other| Nearest { score: self.cosine(item, other), item: other }), NEAR)
    }

    /// The items that have `item` among their nearest neighbours.
    pub(super) fn holders(&self, item: u32) -> Vec<u32> {
        if !self.known(item) {
            return Vec::new();
        }
        let holds = |other: &u32| *other != item && self.cosine(*other, item) >= self.reach[*other as usize];
        (0..self.items).filter(holds).collect()
    }
}

fn units(rows: &[f32]) -> Vec<f32> {
    let mut units = rows.to_vec();
    for row in units.chunks_exact_mut(RANK) {
        let length = dot(row, row).sqrt();
        if length > 0.0 {
            row.iter_mut().for_each(|value| *value /= length);
        }
    }
    units
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::Quiet;
    use crate::random::{Purpose, Streams, below};
    use nalgebra::DMatrix;

    /// A log by user and clock; no user takes an item twice.
    fn rows(users: u32, items: u32, each: u32) -> Vec<(u32, u32, i64)> {
        let mut rng = Streams::new(4, 0).derive(Purpose::Scenes, 0, 0);
        let mut rows = Vec::new();
        for user in 0..users {
            let mut order: Vec<u32> = (0..items).collect();
            crate::random::shuffle(&mut rng, &mut order);
            let taken = 1 + below(&mut rng, each);
            rows.extend(order.into_iter().take(taken as usize).zip(0..).map(|(item, clock)| (user, item, clock)));
        }
        rows
    }

    #[test]
    fn scores_are_those_of_the_dense_decomposition() {
        let folder = tempfile::tempdir().expect("a folder");
        let scratch = Scratch::new(folder.path());
        let (users, items) = (120, 90);
        let rows = rows(users, items, 25);
        let log = Log::with_rows(&rows, users as usize, &scratch);
        let moment = 15;
        let vectors = Vectors::before(&log, items as usize, moment, &scratch, true, &Quiet).expect("vectors");
        let mut dense = DMatrix::<f64>::zeros(users as usize, items as usize);
        rows.iter().filter(|row| row.2 < moment).for_each(|row| dense[(row.0 as usize, row.1 as usize)] = 1.0);
        let of_user: Vec<f64> = (0..dense.nrows()).map(|row| dense.row(row).sum()).collect();
        let of_item: Vec<f64> = (0..dense.ncols()).map(|column| dense.column(column).sum()).collect();
        let scaled = DMatrix::from_fn(dense.nrows(), dense.ncols(), |row, column| {
            dense[(row, column)] / (of_user[row] * of_item[column]).sqrt()
        });
        let svd = scaled.svd(false, true);
        let mut order: Vec<usize> = (0..svd.singular_values.len()).collect();
        order.sort_by(|&a, &b| svd.singular_values[b].total_cmp(&svd.singular_values[a]));
        let right = svd.v_t.expect("vectors");
        let entry = |item: usize, place: usize| right[(order[place], item)] * of_item[item].sqrt();
        for (a, b) in [(0, 1), (5, 5), (17, 60)] {
            let wanted: f64 = (0..RANK).map(|place| entry(a, place) * entry(b, place)).sum();
            let found = f64::from(dot(vectors.row(a as u32), vectors.row(b as u32)));
            assert!((found - wanted).abs() < 2e-3 * wanted.abs().max(1.0), "{a} {b}: {found} and not {wanted}");
        }
        let anchor = vectors.holders(3)[0];
        assert!(vectors.near(anchor).contains(&3) && vectors.near(anchor).len() == NEAR);
        let held = |item: &u32| vectors.holders(*item).contains(&anchor);
        let mut holds: Vec<u32> = (0..items).filter(held).collect();
        let mut near = vectors.near(anchor);
        holds.sort_unstable();
        near.sort_unstable();
        assert_eq!(holds, near);
    }

    #[test]
    fn rows_without_times_are_in_every_snapshot() {
        let folder = tempfile::tempdir().expect("a folder");
        let scratch = Scratch::new(folder.path());
        let vectors = |past: i64| {
            let mut rows = rows(60, 30, 20);
            rows.iter_mut().filter(|row| row.2 < 3).for_each(|row| row.2 = past);
            let log = Log::with_rows(&rows, 60, &scratch);
            [0, 8].map(|moment| Vectors::before(&log, 30, moment, &scratch, false, &Quiet).expect("vectors"))
        };
        let ([first, later], [empty, dated]) = (vectors(super::super::log::UNDATED), vectors(0));
        assert!(first.counts.iter().sum::<f64>() > 100.0 && empty.counts.iter().sum::<f64>() == 0.0);
        assert!(later.rows == dated.rows && later.counts == dated.counts, "as rows of the earliest time are");
    }

    #[test]
    fn later_rows_and_the_number_of_threads_change_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let scratch = Scratch::new(folder.path());
        let rows = rows(80, 40, 20);
        let changed: Vec<_> =
            rows.iter().map(|&(user, item, clock)| (user, if clock < 8 { item } else { 0 }, clock)).collect();
        let vectors = |rows: &[(u32, u32, i64)], threads: usize| {
            let log = Log::with_rows(rows, 80, &scratch);
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
            pool.install(|| Vectors::before(&log, 40, 8, &scratch, true, &Quiet)).expect("vectors")
        };
        let (one, two, other) = (vectors(&rows, 1), vectors(&rows, 2), vectors(&changed, 2));
        assert!(one.rows == two.rows && one.reach == two.reach);
        assert!(one.rows == other.rows && one.reach == other.reach);
    }
}
