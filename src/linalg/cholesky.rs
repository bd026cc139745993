//! The Cholesky decomposition of a large matrix, panel by panel.
//!
//! A panel of [`PANEL`] columns is decomposed, and its contribution to later columns is subtracted in tiles that stay
//! in registers, columns in parallel. Each number is one sum in ascending order of the columns, so that the bits are
//! those of nalgebra's decomposition, whatever the number of threads and the registers.

use super::wide::{Loop, first, plus_scaled, widest, write_first};
use rayon::prelude::*;

/// Columns of a panel.
const PANEL: usize = 64;

/// Rows of a tile, the lanes of a register.
const LANES: usize = 8;

/// Columns of a tile.
const COLUMNS: usize = 4;

type Block = [f64; LANES];

/// Writes `L` with `A = L L'` over the lower triangle of `A` (column-major, `[size, size]`); `false` when `A` is not positive
/// definite. What is above the diagonal is undefined afterwards.
pub(super) fn decompose(matrix: &mut [f64], size: usize) -> bool {
    let mut panel = Vec::new();
    for first in (0..size).step_by(PANEL) {
        let width = PANEL.min(size - first);
        let (before, behind) = matrix.split_at_mut((first + width) * size);
        let columns = &mut before[first * size..];
        let Some(corner) = decompose_corner(columns, size, first, width) else { return false };
        solve_panel(columns, size, first + width, &corner, &mut panel);
        let panel = &panel;
        // A block of columns each, whose rows from the diagonal on change.
        behind.par_chunks_mut(size * LANES).enumerate().for_each(|(block, columns)| {
            widest(Subtract { columns, size, behind: first + width, block, panel, width });
        });
    }
    true
}

/// Decomposes the square on the diagonal; returns its columns, each from its diagonal on.
fn decompose_corner(columns: &mut [f64], size: usize, first: usize, width: usize) -> Option<Vec<Vec<f64>>> {
    let mut corner: Vec<Vec<f64>> = (0..width)
        .map(|column| columns[column * size + first + column..column * size + first + width].to_vec())
        .collect();
    for pivot in 0..width {
        let (done, later) = corner.split_at_mut(pivot + 1);
        let column = &mut done[pivot];
        if column[0].is_nan() || column[0] <= 0.0 {
            return None;
        }
        let root = column[0].sqrt();
        column[0] = root;
        column[1..].iter_mut().for_each(|value| *value /= root);
        for (place, later) in later.iter_mut().enumerate() {
            let factor = -column[place + 1];
            later.iter_mut().zip(&column[place + 1..]).for_each(|(value, other)| *value += factor * other);
        }
    }
    for (place, column) in corner.iter().enumerate() {
        columns[place * size + first + place..place * size + first + width].copy_from_slice(column);
    }
    Some(corner)
}

/// Solves the rows below the square, from `below` on, and leaves them in `panel` as well: `[blocks of rows][width]`.
fn solve_panel(columns: &mut [f64], size: usize, below: usize, corner: &[Vec<f64>], panel: &mut Vec<Block>) {
    let width = corner.len();
    panel.clear();
    panel.resize((size - below).div_ceil(LANES) * width, [0.0; LANES]);
    let given = &*columns;
    panel.par_chunks_mut(width).enumerate().for_each(|(block, rows)| {
        let start = below + block * LANES;
        let count = LANES.min(size - start);
        for (column, values) in rows.iter_mut().enumerate() {
            values[..count].copy_from_slice(&given[column * size + start..column * size + start + count]);
        }
        widest(SolveBlock { rows, corner });
    });
    columns.par_chunks_mut(size).enumerate().for_each(|(column, values)| {
        for (values, rows) in values[below..].chunks_mut(LANES).zip(panel.chunks_exact(width)) {
            values.copy_from_slice(&rows[column][..values.len()]);
        }
    });
}

/// A block of rows of the panel.
struct SolveBlock<'a> {
    rows: &'a mut [Block],
    corner: &'a [Vec<f64>],
}

impl Loop for SolveBlock<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (pivot, column) in self.corner.iter().enumerate() {
            let mut solved = self.rows[pivot];
            solved.iter_mut().for_each(|value| *value /= column[0]);
            self.rows[pivot] = solved;
            for (rows, factor) in self.rows[pivot + 1..].iter_mut().zip(&column[1..]) {
                *rows = plus_scaled(*rows, -factor, solved);
            }
        }
    }
}

/// The contribution of the panel to a block of columns.
struct Subtract<'a> {
    columns: &'a mut [f64],
    size: usize,
    /// The first row behind the panel.
    behind: usize,
    /// The number of the block, counted from there.
    block: usize,
    panel: &'a [Block],
    width: usize,
}

impl Loop for Subtract<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Subtract { columns, size, behind, block, panel, width } = self;
        let factors = &panel[block * width..(block + 1) * width];
        for (place, rows) in panel.chunks_exact(width).enumerate().skip(block) {
            let start = behind + place * LANES;
            let count = LANES.min(size - start);
            for (half, columns) in columns.chunks_mut(size * COLUMNS).enumerate() {
                let mut sums = [[0.0; LANES]; COLUMNS];
                for (sums, column) in sums.iter_mut().zip(columns.chunks_exact(size)) {
                    *sums = first(&column[start..start + count]);
                }
                for (row, factors) in rows.iter().zip(factors) {
                    for column in 0..COLUMNS {
                        sums[column] = plus_scaled(sums[column], -factors[half * COLUMNS + column], *row);
                    }
                }
                for (sums, column) in sums.into_iter().zip(columns.chunks_exact_mut(size)) {
                    write_first(&mut column[start..start + count], sums);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, Streams, unit};
    use nalgebra::{Cholesky, DMatrix};

    #[test]
    fn the_bits_are_those_of_nalgebra() {
        for size in [1, 7, 63, 64, 65, 130, 201] {
            let mut rng = Streams::new(3, 0).derive(Purpose::Scenes, size as u64, 0);
            let values = (0..size * size).map(|_| unit(&mut rng) - 0.5).collect();
            let root = DMatrix::from_vec(size, size, values);
            let matrix = &root * root.transpose() + DMatrix::identity(size, size);
            let mut found = matrix.as_slice().to_vec();
            assert!(decompose(&mut found, size));
            let wanted = Cholesky::new(matrix).expect("positive definite").unpack();
            for (column, row) in (0..size).flat_map(|column| (column..size).map(move |row| (column, row))) {
                let found = found[column * size + row];
                assert_eq!(found.to_bits(), wanted[(row, column)].to_bits(), "{size}: {row} {column}");
            }
        }
    }
}
