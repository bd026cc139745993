//! Truncated singular value decomposition by the Lanczos process with full reorthogonalisation
//! (Golub and Van Loan, Matrix Computations, 4th edition, section 10.1), on the smaller Gram operator A'A.

use super::Sparse;
use nalgebra::{DMatrix, SymmetricEigen};

/// A singular value counts as converged when its residual is below this share of the largest one.
const TOLERANCE: f64 = 1e-9;

/// The leading right singular vectors of a matrix.
#[derive(Clone, Debug)]
pub struct TruncatedSvd {
    /// `[k]`, descending.
    pub values: Vec<f64>,
    /// `[columns, k]`, row-major: row `i` is the vector of column `i` of the matrix. Each column of this
    /// array has length 1, and its entry of largest magnitude is positive.
    pub vectors: Vec<f64>,
}

/// The products with a matrix `A` that the decomposition needs; the matrix may be in a file.
pub trait Gram {
    /// The error of a product.
    type Error;

    /// Columns of `A`.
    fn columns(&self) -> usize;

    /// `out = A' (A x)`; `x` and `out` have one entry for each column.
    ///
    /// # Errors
    /// When the matrix cannot be read.
    fn gram_times(&self, x: &[f64], out: &mut [f64]) -> Result<(), Self::Error>;
}

/// When the process stops.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Precision {
    /// A singular value is converged if the residual of its square is below this share of the largest.
    pub tolerance: f64,
    /// The most products; values that have not converged by then are used unchanged.
    pub most_products: usize,
}

/// The `rank` largest singular values of `matrix` and their right vectors. Missing ones (a matrix of lower
/// rank) are zero.
pub fn truncated_svd(matrix: &Sparse, rank: usize) -> TruncatedSvd {
    let exact = Precision { tolerance: TOLERANCE, most_products: usize::MAX };
    match truncated_svd_of(matrix, rank, exact) {
        Ok(found) => found,
        Err(never) => match never {},
    }
}

/// [`truncated_svd`] of any matrix that can be multiplied.
///
/// # Errors
/// When a product fails.
pub fn truncated_svd_of<G: Gram>(matrix: &G, rank: usize, precision: Precision) -> Result<TruncatedSvd, G::Error> {
    let size = matrix.columns();
    if size == 0 {
        return Ok(TruncatedSvd { values: vec![0.0; rank], vectors: Vec::new() });
    }
    let mut lanczos = Lanczos::new(size);
    let wanted = rank.min(size);
    let most = precision.most_products.max(wanted + 1).min(size);
    let mut target = (2 * wanted + 32).min(most);
    loop {
        lanczos.extend(matrix, target)?;
        let (values, weights, worst) = lanczos.ritz(wanted);
        if worst <= precision.tolerance || target == most {
            return Ok(lanczos.assemble(&values, &weights, rank));
        }
        target = (target + wanted.max(16)).min(most);
    }
}

/// The Krylov basis so far and the tridiagonal matrix of the projected operator.
struct Lanczos {
    size: usize,
    basis: Vec<Vec<f64>>,
    next: Vec<f64>,
    diagonal: Vec<f64>,
    off_diagonal: Vec<f64>,
}

impl Lanczos {
    fn new(size: usize) -> Lanczos {
        let next = vec![1.0 / (size.max(1) as f64).sqrt(); size];
        Lanczos { size, basis: Vec::new(), next, diagonal: Vec::new(), off_diagonal: Vec::new() }
    }

    fn extend<G: Gram>(&mut self, matrix: &G, target: usize) -> Result<(), G::Error> {
        while self.basis.len() < target {
            let current = std::mem::take(&mut self.next);
            let mut image = vec![0.0; self.size];
            matrix.gram_times(&current, &mut image)?;
            self.diagonal.push(dot(&current, &image));
            self.basis.push(current);
            // Twice is enough: the second pass removes what rounding left of the first.
            self.orthogonalise(&mut image);
            self.orthogonalise(&mut image);
            let length = dot(&image, &image).sqrt();
            let floor = 1e-12 * self.diagonal.iter().fold(1e-300_f64, |most, value| most.max(value.abs()));
            if length > floor {
                scale(&mut image, 1.0 / length);
                self.off_diagonal.push(length);
                self.next = image;
            } else {
                self.off_diagonal.push(0.0);
                self.next = self.fresh_direction();
            }
        }
        Ok(())
    }

    fn orthogonalise(&self, vector: &mut [f64]) {
        for known in &self.basis {
            let share = dot(known, vector);
            for (value, part) in vector.iter_mut().zip(known) {
                *value -= share * part;
            }
        }
    }

    /// A unit vector orthogonal to the basis, for an invariant subspace.
    fn fresh_direction(&self) -> Vec<f64> {
        for axis in 0..self.size {
            let mut vector = vec![0.0; self.size];
            vector[axis] = 1.0;
            self.orthogonalise(&mut vector);
            self.orthogonalise(&mut vector);
            let length = dot(&vector, &vector).sqrt();
            if length > 0.1 / (self.size as f64).sqrt() {
                scale(&mut vector, 1.0 / length);
                return vector;
            }
        }
        vec![0.0; self.size]
    }

    /// The largest Ritz values, their weights on the basis, and the worst relative residual.
    fn ritz(&self, wanted: usize) -> (Vec<f64>, Vec<Vec<f64>>, f64) {
        let steps = self.basis.len();
        let mut projected = DMatrix::zeros(steps, steps);
        for step in 0..steps {
            projected[(step, step)] = self.diagonal[step];
            if step + 1 < steps {
                projected[(step, step + 1)] = self.off_diagonal[step];
                projected[(step + 1, step)] = self.off_diagonal[step];
            }
        }
        let eigen = SymmetricEigen::new(projected);
        let mut order: Vec<usize> = (0..steps).collect();
        order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]).then(a.cmp(&b)));
        order.truncate(wanted);
        let largest = order.first().map_or(0.0, |&first| eigen.eigenvalues[first]).max(1e-300);
        let tail = self.off_diagonal.last().copied().unwrap_or(0.0);
        let residual = |place: usize| (tail * eigen.eigenvectors[(steps - 1, place)]).abs() / largest;
        let worst = order.iter().map(|&place| residual(place)).fold(0.0, f64::max);
        let values = order.iter().map(|&place| eigen.eigenvalues[place]).collect();
        let weights = order.iter().map(|&place| eigen.eigenvectors.column(place).iter().copied().collect()).collect();
        (values, weights, worst)
    }

    fn assemble(&self, values: &[f64], weights: &[Vec<f64>], rank: usize) -> TruncatedSvd {
        let mut vectors = vec![0.0; self.size * rank];
        for (column, weights) in weights.iter().enumerate() {
            let mut vector = vec![0.0; self.size];
            for (weight, part) in weights.iter().zip(&self.basis) {
                for (value, entry) in vector.iter_mut().zip(part) {
                    *value += weight * entry;
                }
            }
            let peak = vector.iter().fold(0.0_f64, |peak, &value| if value.abs() > peak.abs() { value } else { peak });
            let sign = if peak < 0.0 { -1.0 } else { 1.0 };
            for (row, value) in vector.iter().enumerate() {
                vectors[row * rank + column] = sign * value;
            }
        }
        let mut values: Vec<f64> = values.iter().map(|value| value.max(0.0).sqrt()).collect();
        values.resize(rank, 0.0);
        TruncatedSvd { values, vectors }
    }
}

/// Rotates `vectors` (`[n, width]`, row-major) so that they lie as close as possible to `target`
/// (orthogonal Procrustes problem, Schonemann 1966).
pub fn rotate_onto(vectors: &[f64], target: &[f64], width: usize) -> Vec<f64> {
    let rows = vectors.len() / width.max(1);
    let from = DMatrix::from_row_slice(rows, width, vectors);
    let onto = DMatrix::from_row_slice(rows, width, target);
    let cross = from.tr_mul(&onto).svd(true, true);
    let (Some(left), Some(right)) = (cross.u, cross.v_t) else { return vectors.to_vec() };
    let rotated = from * (left * right);
    (0..rows).flat_map(|row| rotated.row(row).iter().copied().collect::<Vec<_>>()).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn scale(vector: &mut [f64], factor: f64) {
    vector.iter_mut().for_each(|value| *value *= factor);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, Streams, unit};

    fn random_matrix(rows: usize, columns: usize, share: f64) -> (Sparse, DMatrix<f64>) {
        let mut rng = Streams::new(3, 0).derive(Purpose::Scenes, 0, 0);
        let mut triples = Vec::new();
        let mut dense = DMatrix::zeros(rows, columns);
        for row in 0..rows {
            for column in 0..columns {
                if unit(&mut rng) < share {
                    let value = unit(&mut rng) + 0.1;
                    triples.push((row as u32, column as u32, value));
                    dense[(row, column)] = value;
                }
            }
        }
        (Sparse::from_triples(rows, columns, triples), dense)
    }

    #[test]
    fn equals_the_dense_decomposition() {
        let (sparse, dense) = random_matrix(60, 90, 0.2);
        let ours = truncated_svd(&sparse, 12);
        let theirs = dense.svd(false, true);
        let mut values: Vec<f64> = theirs.singular_values.iter().copied().collect();
        values.sort_by(|a, b| b.total_cmp(a));
        for (place, (our, their)) in ours.values.iter().zip(&values).enumerate() {
            assert!((our - their).abs() < 1e-8, "value {place}: {our} against {their}");
        }
        for a in 0..12 {
            for b in 0..12 {
                let product: f64 = (0..90).map(|row| ours.vectors[row * 12 + a] * ours.vectors[row * 12 + b]).sum();
                assert!((product - f64::from(u8::from(a == b))).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn lower_rank_than_asked_gives_zeros() {
        let matrix = Sparse::from_triples(3, 4, vec![(0, 0, 2.0), (1, 1, 1.0)]);
        let found = truncated_svd(&matrix, 6);
        assert!((found.values[0] - 2.0).abs() < 1e-12 && (found.values[1] - 1.0).abs() < 1e-12);
        assert!(found.values[2..].iter().all(|&value| value < 1e-9));
        assert_eq!(found.vectors.len(), 4 * 6);
        assert!(truncated_svd(&Sparse::from_triples(1, 0, vec![]), 2).vectors.is_empty());
    }

    #[test]
    fn rotation_undoes_a_rotation() {
        let (_, dense) = random_matrix(40, 5, 1.0);
        let vectors: Vec<f64> = (0..40).flat_map(|row| dense.row(row).iter().copied().collect::<Vec<_>>()).collect();
        let (sine, cosine) = libm::sincos(0.7);
        let mut turned = vectors.clone();
        for row in turned.chunks_mut(5) {
            (row[0], row[3]) = (cosine * row[0] - sine * row[3], sine * row[0] + cosine * row[3]);
        }
        for (back, original) in rotate_onto(&turned, &vectors, 5).iter().zip(&vectors) {
            assert!((back - original).abs() < 1e-10);
        }
    }
}
