//! Item vectors from who took what, as they were at a moment.
//!
//! With `x_ui = 1 / sqrt(n_u n_i)` for every interaction before the moment (`n`: interactions of the user, of the
//! item), the vector of item `i` is `sqrt(n_i) v_i`, with `v` the first 64 right singular vectors of `x`; a user's
//! score of an item is its dot product with the sum of the vectors of what the user took. Source: the paper's
//! reference code, after Shen et al., "How Powerful is Graph Convolution for Recommendation?" (CIKM 2021).
//! The matrix stays in a scratch file; memory holds the vectors and one number for each user.

use super::log::Log;
use super::nearest::{Nearest, dot, top};
use super::spill::{Scratch, Spill};
use crate::files::FileError;
use crate::linalg::{Gram, Precision, truncated_svd_of};
use rayon::prelude::*;

/// Dimensions of the vectors.
const RANK: usize = 64;
/// The vectors rank candidates; more digits would change no list.
const PRECISION: Precision = Precision { tolerance: 1e-5, most_products: 512 };
/// Parts of a product. Their number is fixed, so the number of threads changes no sum.
const PARTS: usize = 8;
/// Neighbours that count as near.
pub(super) const NEAR: usize = 50;

/// The interactions before a moment: `A[u][i] = 1 / sqrt(n_u n_i)`.
struct Matrix {
    items: Spill<u32>,
    offsets: Vec<u64>,
    degrees: Vec<f64>,
    /// First users of the parts.
    parts: Vec<usize>,
}

impl Matrix {
    fn before(log: &Log, items: usize, moment: i64, scratch: &Scratch) -> Result<Matrix, FileError> {
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
        Ok(Matrix { items: output.finish()?, offsets, degrees, parts })
    }

    /// The part of a product that the users of one part give.
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

impl Gram for Matrix {
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
        Ok(())
    }
}

/// The vectors of all items at a moment.
pub(super) struct Vectors {
    /// `[items, RANK]`, row-major.
    rows: Vec<f32>,
    /// The same with length 1; zero for items that nobody had taken.
    units: Vec<f32>,
    known: Vec<bool>,
    items: u32,
    /// The cosine of the last of the [`NEAR`] nearest neighbours of each item, where that was asked for.
    reach: Vec<f32>,
}

impl Vectors {
    /// The vectors from what happened before `moment`. `holders` says whether [`Vectors::holders`] will be asked.
    pub(super) fn before(
        log: &Log,
        items: usize,
        moment: i64,
        scratch: &Scratch,
        holders: bool,
    ) -> Result<Vectors, FileError> {
        let matrix = Matrix::before(log, items, moment, scratch)?;
        let found = truncated_svd_of(&matrix, RANK, PRECISION)?;
        let mut rows = vec![0.0; items * RANK];
        for (item, row) in rows.chunks_exact_mut(RANK).enumerate() {
            let scale = matrix.degrees[item].sqrt();
            // Items that nobody had taken have a vector of zeros up to rounding; it is made exact.
            let known = matrix.degrees[item] > 0.0;
            let vector = &found.vectors[item * RANK..(item + 1) * RANK];
            row.iter_mut().zip(vector).for_each(|(to, from)| *to = if known { (from * scale) as f32 } else { 0.0 });
        }
        let known = rows.chunks_exact(RANK).map(|row| row.iter().any(|&value| value != 0.0)).collect();
        let mut vectors = Vectors { units: units(&rows), rows, known, items: items as u32, reach: Vec::new() };
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

    /// The cosine of two items; 0 where one is not known.
    pub(super) fn cosine(&self, a: u32, b: u32) -> f32 {
        dot(self.unit(a), self.unit(b))
    }

    /// The `count` items of highest score for who took `taken`.
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
