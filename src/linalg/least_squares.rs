//! Ridge regressions by their normal equations.
//!
//! Ridge regressions by their normal equations, one after the other in the same memory.
//!
//! `(start + sum w v v' + diag(ridge)) x = sum b v`, by Cholesky. Matrices are small (a few hundred rows at most) and
//! numerous, so speed depends on avoiding allocations and filling registers: columns are cut into blocks of [`LANES`]
//! numbers, and a tile of [`COLUMNS`] blocks stays in registers while the rows of a group are added to it. Each number
//! is one sum in the order of the rows, as in the plain loops, and the bits of the solution are those of nalgebra's
//! Cholesky.
//!
//! Run it inside a [`Loop`](super::Loop).

use super::wide::plus_scaled;

/// Numbers of a block.
const LANES: usize = 8;

/// Columns of a tile: four blocks and their sums fit into the registers of AVX2.
const COLUMNS: usize = 4;

/// Rows that are added to one tile after the other while they are in the cache.
const ROWS: usize = 32;

type Block = [f64; LANES];

/// A symmetric matrix that sums start from, see [`LeastSquares::start_from`].
#[derive(Clone, Debug, PartialEq)]
pub struct Symmetric(Vec<Block>);

impl Symmetric {
    /// A number on or below the diagonal of a matrix of `size` rows.
    pub(super) fn at(&self, row: usize, column: usize, size: usize) -> f64 {
        self.0[column * (size.div_ceil(LANES) + 1) + row / LANES][row % LANES]
    }
}

/// The equations of one regression at a time.
pub struct LeastSquares {
    size: usize,
    /// Blocks of a row.
    blocks: usize,
    /// Columns of the lower triangle, each of `blocks + 1` blocks: the last one begins with the target, a further row
    /// of the matrix, which makes the forward substitution a part of the decomposition. Numbers above the diagonal are
    /// by-products of the blocks.
    matrix: Vec<Block>,
    target: Vec<Block>,
    /// Rows to add, and the same times their weights.
    rows: Vec<Block>,
    scaled: Vec<Block>,
    waiting: usize,
    solution: Vec<f64>,
}

impl LeastSquares {
    /// For `size` unknowns; all is zero.
    pub fn new(size: usize) -> LeastSquares {
        let blocks = size.div_ceil(LANES);
        LeastSquares {
            size,
            blocks,
            matrix: vec![[0.0; LANES]; (blocks + 1) * size.next_multiple_of(COLUMNS)],
            target: vec![[0.0; LANES]; blocks],
            rows: vec![[0.0; LANES]; ROWS * blocks],
            scaled: vec![[0.0; LANES]; ROWS * blocks],
            waiting: 0,
            solution: vec![0.0; size],
        }
    }

    /// Forgets all rows; the matrix starts from `start`.
    #[inline(always)]
    pub fn start_from(&mut self, start: &Symmetric) {
        self.matrix.copy_from_slice(&start.0);
        self.target.fill([0.0; LANES]);
        self.waiting = 0;
    }

    /// Forgets all rows; the matrix starts from zero.
    #[inline(always)]
    pub fn start_from_zero(&mut self) {
        self.matrix.fill([0.0; LANES]);
        self.target.fill([0.0; LANES]);
        self.waiting = 0;
    }

    /// Adds `weight v v'` to the matrix and `value v` to the target.
    #[inline(always)]
    pub fn add(&mut self, v: &[f32], weight: f64, value: f64) {
        let place = self.waiting * self.blocks..(self.waiting + 1) * self.blocks;
        let rows = self.rows[place.clone()].iter_mut().zip(&mut self.scaled[place]).zip(&mut self.target);
        let (whole, rest) = v[..self.size].as_chunks::<LANES>();
        let mut last = [0.0; LANES];
        last[..rest.len()].copy_from_slice(rest);
        for (((row, scaled), target), v) in rows.zip(whole.iter().chain(std::iter::once(&last))) {
            let mut sum = *target;
            for lane in 0..LANES {
                let number = f64::from(v[lane]);
                row[lane] = number;
                scaled[lane] = weight * number;
                sum[lane] += value * number;
            }
            *target = sum;
        }
        self.waiting += 1;
        if self.waiting == ROWS {
            self.add_waiting();
        }
    }

    /// Adds the rows that wait, tile by tile.
    #[inline(always)]
    fn add_waiting(&mut self) {
        let (blocks, height) = (self.blocks, self.blocks + 1);
        let used = self.waiting * blocks;
        for block in 0..blocks {
            // A tile on the diagonal is computed completely; numbers above the diagonal are never read.
            for tile in 0..((block + 1) * (LANES / COLUMNS)).min(self.size.div_ceil(COLUMNS)) {
                let (half, lane) = (tile * COLUMNS / LANES, tile * COLUMNS % LANES);
                let first = tile * COLUMNS * height + block;
                let mut sums: [Block; COLUMNS] = std::array::from_fn(|column| self.matrix[first + column * height]);
                let rows = self.rows[..used].chunks_exact(blocks).zip(self.scaled[..used].chunks_exact(blocks));
                for (row, scaled) in rows {
                    let (row, scaled) = (&row[block], &scaled[half]);
                    for (column, sum) in sums.iter_mut().enumerate() {
                        *sum = plus_scaled(*sum, scaled[lane + column], *row);
                    }
                }
                for (column, sum) in sums.into_iter().enumerate() {
                    self.matrix[first + column * height] = sum;
                }
            }
        }
        self.waiting = 0;
    }

    /// The sums so far, to start from.
    #[inline(always)]
    pub fn sums(&mut self) -> Symmetric {
        self.add_waiting();
        Symmetric(self.matrix.clone())
    }

    /// Solves with `ridge(place)` added to the diagonal; `None` if the matrix is not positive definite.
    #[inline(always)]
    pub fn solve(&mut self, ridge: impl Fn(usize) -> f64) -> Option<&[f64]> {
        self.add_waiting();
        let (blocks, height) = (self.blocks, self.blocks + 1);
        for place in 0..self.size {
            let column = &mut self.matrix[place * height..(place + 1) * height];
            column[place / LANES][place % LANES] += ridge(place);
            column[blocks] = [0.0; LANES];
            column[blocks][0] = self.target[place / LANES][place % LANES];
        }
        if !self.decompose() {
            return None;
        }
        self.substitute();
        Some(&self.solution)
    }

    /// Writes `L` over the matrix, and `L^-1` times the target into its row; `false` if the matrix is not positive
    /// definite.
    #[inline(always)]
    fn decompose(&mut self) -> bool {
        let height = self.blocks + 1;
        for pivot in 0..self.size {
            let (head, tail) = self.matrix[..self.size * height].split_at_mut((pivot + 1) * height);
            let column = &mut head[pivot * height..];
            let (block, lane) = (pivot / LANES, pivot % LANES);
            let diagonal = column[block][lane];
            if diagonal.is_nan() || diagonal <= 0.0 {
                return false;
            }
            let root = diagonal.sqrt();
            for values in &mut column[block..] {
                let mut scaled = *values;
                scaled.iter_mut().for_each(|value| *value /= root);
                *values = scaled;
            }
            column[block][lane] = root;
            for (later, place) in tail.chunks_exact_mut(height).zip(pivot + 1..) {
                let (block, lane) = (place / LANES, place % LANES);
                let factor = -column[block][lane];
                for (to, from) in later[block..].iter_mut().zip(&column[block..]) {
                    *to = plus_scaled(*to, factor, *from);
                }
            }
        }
        true
    }

    /// Solves `L' x = y`, with sums in nalgebra's order.
    #[inline(always)]
    fn substitute(&mut self) {
        let height = self.blocks + 1;
        for place in (0..self.size).rev() {
            let column = self.matrix[place * height..(place + 1) * height].as_flattened();
            let (below, known) = (&column[place + 1..self.size], &self.solution[place + 1..]);
            let ((whole, rest), (whole_known, rest_known)) = (below.as_chunks::<8>(), known.as_chunks::<8>());
            let mut sums = [0.0; 8];
            for (a, b) in whole.iter().zip(whole_known) {
                for lane in 0..8 {
                    sums[lane] += a[lane] * b[lane];
                }
            }
            let mut product = (0..4).fold(0.0, |sum, lane| sum + (sums[lane] + sums[lane + 4]));
            product = rest.iter().zip(rest_known).fold(product, |sum, (a, b)| sum + a * b);
            self.solution[place] = (column[self.blocks * LANES] - product) / column[place];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Loop, widest};
    use super::*;
    use crate::random::{Purpose, Streams, unit};
    use nalgebra::{Cholesky, DMatrix, DVector};

    struct Solve<'a>(&'a mut LeastSquares, &'a [(Vec<f32>, f64, f64)], &'a Symmetric);

    impl Loop for Solve<'_> {
        type Output = Option<Vec<f64>>;

        #[inline(always)]
        fn run(self) -> Option<Vec<f64>> {
            self.0.start_from(self.2);
            self.1.iter().for_each(|(v, weight, value)| self.0.add(v, *weight, *value));
            self.0.solve(|place| 0.5 + place as f64).map(<[f64]>::to_vec)
        }
    }

    /// The plain loops and nalgebra.
    fn plainly(size: usize, groups: [&[(Vec<f32>, f64, f64)]; 2]) -> Vec<f64> {
        let (mut matrix, mut target) = (DMatrix::<f64>::zeros(size, size), DVector::<f64>::zeros(size));
        for (group, rows) in groups.iter().enumerate() {
            for (v, weight, value) in *rows {
                for column in 0..size {
                    let factor = weight * f64::from(v[column]);
                    (column..size).for_each(|row| matrix[(row, column)] += factor * f64::from(v[row]));
                    if group == 1 {
                        target[column] += value * f64::from(v[column]);
                    }
                }
            }
        }
        (0..size).for_each(|place| matrix[(place, place)] += 0.5 + place as f64);
        Cholesky::new(matrix).expect("positive definite").solve_mut(&mut target);
        target.as_slice().to_vec()
    }

    #[test]
    fn the_bits_are_those_of_plain_loops_and_nalgebra() {
        for (size, rows) in [(1, 3), (3, 0), (7, 31), (8, 32), (9, 100), (16, 5), (21, 64), (32, 77), (33, 40)] {
            let mut rng = Streams::new(4, 0).derive(Purpose::Scenes, size as u64, 0);
            let mut random = |count: usize| -> Vec<(Vec<f32>, f64, f64)> {
                let mut row = || (0..size).map(|_| unit(&mut rng) as f32 - 0.5).collect();
                (0..count).map(|place| (row(), 0.3 + place as f64, 1.7 - place as f64)).collect()
            };
            let (before, after) = (random(11), random(rows));
            let mut system = LeastSquares::new(size);
            system.start_from_zero();
            before.iter().for_each(|(v, weight, value)| system.add(v, *weight, *value));
            let start = system.sums();
            let wanted = plainly(size, [&before, &after]);
            let on_wide = widest(Solve(&mut system, &after, &start)).expect("a solution");
            let plain = Solve(&mut system, &after, &start).run().expect("a solution");
            let bits = |numbers: &[f64]| numbers.iter().map(|number| number.to_bits()).collect::<Vec<_>>();
            assert_eq!((bits(&on_wide), bits(&plain)), (bits(&wanted), bits(&wanted)), "{size} unknowns, {rows} rows");
        }
    }

    #[test]
    fn indefinite_matrices_have_no_solution() {
        let mut system = LeastSquares::new(2);
        for (weight, ridge) in [(-2.0, 1.0), (0.0, 0.0), (f64::NAN, 1.0)] {
            system.start_from_zero();
            system.add(&[1.0, 1.0], weight, 1.0);
            assert_eq!(system.solve(|_| ridge), None, "{weight} {ridge}");
        }
        system.start_from_zero();
        system.add(&[1.0, 0.0], 3.0, 8.0);
        assert_eq!(system.solve(|_| 1.0), Some([2.0, 0.0].as_slice()));
    }
}
