//! The inverse of a symmetric positive definite matrix.

use super::cholesky::decompose;
use super::wide::{Loop, first, plus_scaled, widest};
use rayon::prelude::*;

/// Columns of the inverse in a group: what the lanes of registers are.
const COLUMNS: usize = 16;

/// Groups that one task solves, so that the root is read once for all of them.
const GROUPS: usize = 8;

/// Rows of the root that are subtracted at a time.
const PANEL: usize = 64;

/// Rows that a tile of registers holds.
const ROWS: usize = 4;

type Row = [f64; COLUMNS];

/// The inverse of a symmetric positive definite matrix `[size, size]`, from its lower triangle (column-major); `None`
/// if it is not positive definite.
///
/// `A = L L'`, then `A^-1 = L^-T L^-1`. Each entry is one sum in a fixed order, whatever the number of threads and the
/// vector unit of the processor. At most two matrices of this size are in memory at a time, including the argument.
pub fn inverse_of_positive(mut matrix: Vec<f64>, size: usize) -> Option<Vec<f64>> {
    if size == 0 {
        return Some(Vec::new());
    }
    if !decompose(&mut matrix, size) {
        return None;
    }
    let lower = matrix;
    // Rows of `L^-1` in groups of columns: `[groups][size]`.
    let mut inverse_root: Vec<Row> = vec![[0.0; COLUMNS]; size.div_ceil(COLUMNS) * size];
    let tasks = inverse_root.par_chunks_mut(size * GROUPS).enumerate();
    tasks.for_each(|(task, groups)| widest(Substitute { lower: &lower, size, number: task * GROUPS, groups }));
    drop(lower);
    let mut inverse = vec![0.0; size * size];
    let tasks = inverse.par_chunks_mut(COLUMNS * size).enumerate();
    tasks.for_each(|(group, columns)| widest(Multiply { inverse_root: &inverse_root, size, group, columns }));
    mirror(&mut inverse, size);
    Some(inverse)
}

/// Copies the lower triangle to the upper one, square by square.
fn mirror(matrix: &mut [f64], size: usize) {
    for (first, second) in
        (0..size).step_by(PANEL).flat_map(|at| (0..=at).step_by(PANEL).map(move |second| (at, second)))
    {
        for column in first..size.min(first + PANEL) {
            for row in second..column.min(second + PANEL) {
                matrix[column * size + row] = matrix[row * size + column];
            }
        }
    }
}

/// Solves `L X = I` for groups of columns, starting with this number; all are zero before.
struct Substitute<'a> {
    lower: &'a [f64],
    size: usize,
    number: usize,
    groups: &'a mut [Row],
}

impl Loop for Substitute<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Substitute { lower, size, number, groups } = self;
        for (group, rows) in groups.chunks_exact_mut(size).enumerate() {
            let start = (number + group) * COLUMNS;
            (start..size.min(start + COLUMNS)).for_each(|place| rows[place][place - start] = 1.0);
        }
        for start in (number * COLUMNS / PANEL * PANEL..size).step_by(PANEL) {
            let end = size.min(start + PANEL);
            for rows in groups.chunks_exact_mut(size) {
                solve_corner(lower, size, start, &mut rows[start..end]);
            }
            // The rows below: a few of them for all groups, while their part of the root is in the cache.
            for below in (end..size).step_by(ROWS) {
                for rows in groups.chunks_exact_mut(size) {
                    let (solved, rest) = rows.split_at_mut(end);
                    subtract(lower, size, start, &solved[start..], below, &mut rest[below - end..]);
                }
            }
        }
    }
}

/// Solves the rows of a panel against its own square, the rows before them being subtracted already.
#[inline(always)]
fn solve_corner(lower: &[f64], size: usize, start: usize, rows: &mut [Row]) {
    for pivot in 0..rows.len() {
        let column = &lower[(start + pivot) * size + start + pivot..][..rows.len() - pivot];
        let (done, later) = rows.split_at_mut(pivot + 1);
        let mut solved = done[pivot];
        solved.iter_mut().for_each(|value| *value /= column[0]);
        done[pivot] = solved;
        for (row, factor) in later.iter_mut().zip(&column[1..]) {
            *row = plus_scaled(*row, -factor, solved);
        }
    }
}

/// Subtracts the contribution of the solved rows of a panel, from `start` on, to the first rows of `rows`, from `below`
/// on.
#[inline(always)]
fn subtract(lower: &[f64], size: usize, start: usize, solved: &[Row], below: usize, rows: &mut [Row]) {
    let count = ROWS.min(rows.len());
    let mut sums = [[0.0; COLUMNS]; ROWS];
    sums[..count].copy_from_slice(&rows[..count]);
    for (place, solved) in solved.iter().enumerate() {
        let from = (start + place) * size + below;
        let factors: [f64; ROWS] = first(&lower[from..from + count]);
        for row in 0..ROWS {
            sums[row] = plus_scaled(sums[row], -factors[row], *solved);
        }
    }
    rows[..count].copy_from_slice(&sums[..count]);
}

/// The columns of `L^-T L^-1` of one group from its own rows on: entry `(row, column)` is the product of two columns of `L^-1`.
struct Multiply<'a> {
    inverse_root: &'a [Row],
    size: usize,
    group: usize,
    columns: &'a mut [f64],
}

impl Loop for Multiply<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Multiply { inverse_root, size, group, columns } = self;
        let own = &inverse_root[group * size..][..size];
        for (other, theirs) in inverse_root.chunks_exact(size).enumerate().skip(group) {
            // Above the later of the two groups one of the factors is zero.
            let from = other * COLUMNS;
            for lanes in (0..COLUMNS).step_by(ROWS) {
                let mut sums = [[0.0; COLUMNS]; ROWS];
                for (own, theirs) in own[from..].iter().zip(&theirs[from..]) {
                    let factors: [f64; ROWS] = first(&theirs[lanes..lanes + ROWS]);
                    for row in 0..ROWS {
                        sums[row] = plus_scaled(sums[row], factors[row], *own);
                    }
                }
                let rows = (other * COLUMNS + lanes..size).zip(&sums);
                for (row, sums) in rows {
                    for (column, sum) in columns.chunks_exact_mut(size).zip(sums) {
                        column[row] = *sum;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, Streams, unit};
    use nalgebra::DMatrix;

    #[test]
    fn two_by_two_by_hand() {
        // [[4, 2], [2, 3]]: determinant 8.
        let inverse = inverse_of_positive(vec![4.0, 2.0, f64::NAN, 3.0], 2);
        let wanted = [3.0 / 8.0, -2.0 / 8.0, -2.0 / 8.0, 4.0 / 8.0];
        for (found, wanted) in inverse.unwrap().iter().zip(wanted) {
            assert!((found - wanted).abs() < 1e-15);
        }
        assert_eq!(inverse_of_positive(vec![1.0, 2.0, 2.0, 1.0], 2), None);
        assert_eq!(inverse_of_positive(Vec::new(), 0), Some(Vec::new()));
    }

    #[test]
    fn the_product_is_the_identity_for_any_size_and_number_of_threads() {
        for size in [1, 15, 16, 17, 70, 150] {
            let mut rng = Streams::new(3, 0).derive(Purpose::Scenes, size as u64, 0);
            let root: Vec<f64> = (0..size * size).map(|_| unit(&mut rng) - 0.5).collect();
            let root = DMatrix::from_vec(size, size, root);
            let matrix = &root * root.transpose() + DMatrix::identity(size, size);
            let on = |threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| inverse_of_positive(matrix.as_slice().to_vec(), size).unwrap())
            };
            let found = on(1);
            assert_eq!(on(3), found);
            let product = matrix * DMatrix::from_vec(size, size, found.clone());
            assert!((product - DMatrix::identity(size, size)).amax() < 1e-11);
            for (row, column) in (0..size).flat_map(|row| (0..size).map(move |column| (row, column))) {
                assert_eq!(found[row * size + column].to_bits(), found[column * size + row].to_bits());
            }
        }
    }
}
