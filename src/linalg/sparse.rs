//! A sparse matrix in compressed rows.

use super::Gram;
use std::convert::Infallible;

/// A sparse matrix of `f64`, compressed by rows.
#[derive(Clone, Debug, Default)]
pub struct Sparse {
    rows: usize,
    columns: usize,
    offsets: Vec<usize>,
    entries: Vec<(u32, f64)>,
}

impl Sparse {
    /// Builds a matrix from `(row, column, value)` triples; values at one place are added up.
    pub fn from_triples(rows: usize, columns: usize, mut triples: Vec<(u32, u32, f64)>) -> Sparse {
        triples.sort_by_key(|&(row, column, _)| (row, column));
        let mut offsets = vec![0; rows + 1];
        let mut entries: Vec<(u32, f64)> = Vec::with_capacity(triples.len());
        let mut last = None;
        for (row, column, value) in triples {
            match entries.last_mut() {
                Some(entry) if last == Some((row, column)) => entry.1 += value,
                _ => {
                    entries.push((column, value));
                    offsets[row as usize + 1] += 1;
                }
            }
            last = Some((row, column));
        }
        for row in 0..rows {
            offsets[row + 1] += offsets[row];
        }
        Sparse { rows, columns, offsets, entries }
    }

    /// The `(column, value)` pairs of one row, by ascending column.
    pub fn row(&self, row: usize) -> &[(u32, f64)] {
        &self.entries[self.offsets[row]..self.offsets[row + 1]]
    }

    /// Replaces each value by `change(row, column, value)`.
    pub fn map(mut self, change: impl Fn(usize, usize, f64) -> f64) -> Sparse {
        for row in 0..self.rows {
            for entry in &mut self.entries[self.offsets[row]..self.offsets[row + 1]] {
                entry.1 = change(row, entry.0 as usize, entry.1);
            }
        }
        self
    }

    /// Sums of the rows and of the columns.
    pub fn sums(&self) -> (Vec<f64>, Vec<f64>) {
        let (mut rows, mut columns) = (vec![0.0; self.rows], vec![0.0; self.columns]);
        for (row, sum) in rows.iter_mut().enumerate() {
            for &(column, value) in self.row(row) {
                *sum += value;
                columns[column as usize] += value;
            }
        }
        (rows, columns)
    }
}

impl Gram for Sparse {
    type Error = Infallible;

    fn columns(&self) -> usize {
        self.columns
    }

    fn gram_times(&self, x: &[f64], out: &mut [f64]) -> Result<(), Infallible> {
        out.fill(0.0);
        for row in 0..self.rows {
            let entries = self.row(row);
            let dot: f64 = entries.iter().map(|&(column, value)| value * x[column as usize]).sum();
            for &(column, value) in entries {
                out[column as usize] += value * dot;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn triples_add_up_and_sort() {
        let matrix = Sparse::from_triples(3, 3, vec![(2, 1, 1.0), (0, 2, 2.0), (2, 1, 0.5), (0, 0, 3.0)]);
        assert_eq!(matrix.row(0), &[(0, 3.0), (2, 2.0)]);
        assert_eq!(matrix.row(1), &[]);
        assert_eq!(matrix.row(2), &[(1, 1.5)]);
        assert_eq!(matrix.sums(), (vec![5.0, 0.0, 1.5], vec![3.0, 1.5, 2.0]));
    }

    #[test]
    fn gram_times_by_hand() {
        let matrix = Sparse::from_triples(2, 2, vec![(0, 0, 1.0), (0, 1, 2.0), (1, 1, 3.0)]);
        let mut out = [0.0; 2];
        matrix.gram_times(&[1.0, 1.0], &mut out).expect("in memory");
        // A = [[1, 2], [0, 3]], A'A = [[1, 2], [2, 13]]
        assert_eq!(out, [3.0, 15.0]);
    }
}
