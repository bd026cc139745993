//! Approximate solutions of ridge regressions by the conjugate gradient.
//!
//! `(start + diag(ridge) + sum w v v') x = sum b v`, from a first guess and in a few steps. A step needs two passes over the
//! rows and one over `start`, and no matrix of its own (Takacs, Pilaszy and Tikk 2011, "Applications of the conjugate
//! gradient method for implicit feedback collaborative filtering"). Numbers are 32-bit floats: three steps err by more
//! than their rounding.
//!
//! Run it inside a [`Loop`](super::Loop).

use super::least_squares::Symmetric;

/// Numbers that are computed side by side.
const LANES: usize = 16;

/// The squared length of a residual that counts as solved.
const SOLVED: f32 = 1e-20;

/// The equations of one regression at a time.
pub struct ConjugateGradient {
    residual: Vec<f32>,
    direction: Vec<f32>,
    product: Vec<f32>,
}

/// The part of the equations that all regressions share: `start + diag(ridge)`.
pub struct Shared {
    size: usize,
    /// `[size, size]`.
    matrix: Vec<f32>,
}

impl Shared {
    /// For `size` unknowns.
    pub fn new(start: &Symmetric, ridge: f64, size: usize) -> Shared {
        let at = |row: usize, column: usize| start.at(row.max(column), row.min(column), size);
        let value =
            |place: usize| at(place / size, place % size) + if place.is_multiple_of(size + 1) { ridge } else { 0.0 };
        Shared { size, matrix: (0..size * size).map(|place| value(place) as f32).collect() }
    }

    /// Writes the product with a vector.
    #[inline(always)]
    fn times(&self, vector: &[f32], out: &mut [f32]) {
        out.fill(0.0);
        for (row, &factor) in self.matrix.chunks_exact(self.size).zip(vector) {
            add_scaled(out, factor, row);
        }
    }
}

impl ConjugateGradient {
    /// For `size` unknowns.
    pub fn new(size: usize) -> ConjugateGradient {
        ConjugateGradient { residual: vec![0.0; size], direction: vec![0.0; size], product: vec![0.0; size] }
    }

    /// Improves the guess `x` by at most `steps` steps. A row `(place, w, b)` is a vector of `vectors`, `[n, size]`, with its
    /// weight and its value.
    #[inline(always)]
    pub fn improve(
        &mut self,
        shared: &Shared,
        vectors: &[f32],
        rows: impl Iterator<Item = (usize, f32, f32)> + Clone,
        steps: usize,
        x: &mut [f32],
    ) {
        let of = |place: usize| &vectors[place * shared.size..(place + 1) * shared.size];
        shared.times(x, &mut self.residual);
        self.residual.iter_mut().for_each(|value| *value = -*value);
        for (place, weight, value) in rows.clone() {
            let vector = of(place);
            add_scaled(&mut self.residual, value - weight * dot(vector, x), vector);
        }
        self.direction.copy_from_slice(&self.residual);
        let mut length = dot(&self.residual, &self.residual);
        for _ in 0..steps {
            if length < SOLVED {
                return;
            }
            shared.times(&self.direction, &mut self.product);
            for (place, weight, _) in rows.clone() {
                let vector = of(place);
                add_scaled(&mut self.product, weight * dot(vector, &self.direction), vector);
            }
            let step = length / dot(&self.direction, &self.product);
            add_scaled(x, step, &self.direction);
            add_scaled(&mut self.residual, -step, &self.product);
            let shorter = dot(&self.residual, &self.residual);
            let turn = shorter / length;
            length = shorter;
            for (direction, residual) in self.direction.iter_mut().zip(&self.residual) {
                *direction = *residual + turn * *direction;
            }
        }
    }
}

/// The sum of products in a fixed order: sixteen partial sums, added pairwise, and then the rest.
#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut sums = [0.0f32; LANES];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let mut width = LANES;
    while width > 1 {
        width /= 2;
        for lane in 0..width {
            sums[lane] += sums[lane + width];
        }
    }
    a_rest.iter().zip(b_rest).fold(sums[0], |sum, (a, b)| sum + a * b)
}

#[inline(always)]
fn add_scaled(to: &mut [f32], factor: f32, vector: &[f32]) {
    to.iter_mut().zip(vector).for_each(|(sum, value)| *sum += factor * value);
}

#[cfg(test)]
mod tests {
    use super::super::{LeastSquares, Loop, widest};
    use super::*;
    use crate::random::{Purpose, Streams, unit};

    struct Improve<'a> {
        shared: &'a Shared,
        vectors: &'a [f32],
        rows: &'a [(usize, f32, f32)],
        steps: usize,
        x: &'a mut [f32],
    }

    impl Loop for Improve<'_> {
        type Output = ();

        #[inline(always)]
        fn run(self) {
            let mut system = ConjugateGradient::new(self.shared.size);
            system.improve(self.shared, self.vectors, self.rows.iter().copied(), self.steps, self.x);
        }
    }

    struct Example {
        vectors: Vec<f32>,
        rows: Vec<(usize, f32, f32)>,
        shared: Shared,
        exact: Vec<f64>,
    }

    fn example(size: usize) -> Example {
        let mut rng = Streams::new(4, 0).derive(Purpose::Scenes, size as u64, 0);
        let vectors: Vec<f32> = (0..20 * size).map(|_| unit(&mut rng) as f32 - 0.5).collect();
        let rows: Vec<(usize, f32, f32)> = (0..7).map(|row| (row * 2, 1.0 + row as f32, 2.0 + row as f32)).collect();
        let mut system = LeastSquares::new(size);
        system.start_from_zero();
        vectors.chunks_exact(size).for_each(|vector| system.add(vector, 1.0, 0.0));
        let start = system.sums();
        system.start_from(&start);
        for &(place, weight, value) in &rows {
            system.add(&vectors[place * size..(place + 1) * size], f64::from(weight), f64::from(value));
        }
        let exact = system.solve(|_| 0.7).expect("positive definite").to_vec();
        Example { vectors, rows, shared: Shared::new(&start, 0.7, size), exact }
    }

    #[test]
    fn as_many_steps_as_unknowns_solve_the_equations() {
        for size in [1, 3, 8, 16, 19, 33] {
            let Example { vectors, rows, shared, exact } = example(size);
            let error = |steps: usize| {
                let mut x = vec![0.0; size];
                widest(Improve { shared: &shared, vectors: &vectors, rows: &rows, steps, x: &mut x });
                x.iter().zip(&exact).map(|(a, b)| (f64::from(*a) - b) * (f64::from(*a) - b)).sum::<f64>().sqrt()
            };
            assert!(error(2 * size) < 1e-4, "{size}: {}", error(2 * size));
            assert!(size < 8 || error(1) > error(3), "{size}: more steps are better");
        }
    }

    #[test]
    fn a_solution_stays_and_registers_change_no_bit() {
        let Example { vectors, rows, shared, exact } = example(19);
        let mut x: Vec<f32> = exact.iter().map(|value| *value as f32).collect();
        widest(Improve { shared: &shared, vectors: &vectors, rows: &rows, steps: 3, x: &mut x });
        assert!(x.iter().zip(&exact).all(|(a, b)| (f64::from(*a) - b).abs() < 1e-5));
        let (mut wide, mut narrow) = (vec![0.1; 19], vec![0.1; 19]);
        widest(Improve { shared: &shared, vectors: &vectors, rows: &rows, steps: 3, x: &mut wide });
        Improve { shared: &shared, vectors: &vectors, rows: &rows, steps: 3, x: &mut narrow }.run();
        assert!(wide.iter().zip(&narrow).all(|(a, b)| a.to_bits() == b.to_bits()));
    }
}
