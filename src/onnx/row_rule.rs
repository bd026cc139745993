//! A test that rows of a call are independent.

use super::OnnxError;
use std::path::Path;

/// Runs a graph with rows in one order, again in that order, in reverse, and with the first row alone. `run` returns
/// the bits of the rows with some indices, in their order.
///
/// # Errors
/// When a row changes, and those of `run`.
pub(crate) fn check_rows<E: From<OnnxError>>(
    path: &Path,
    rows: usize,
    mut run: impl FnMut(&[usize]) -> Result<Vec<Vec<u32>>, E>,
) -> Result<(), E> {
    if rows == 0 {
        return Ok(());
    }
    let forward: Vec<usize> = (0..rows).collect();
    let backward: Vec<usize> = (0..rows).rev().collect();
    let base = run(&forward)?;
    let mut differs = |places: &[usize]| -> Result<bool, E> {
        let found = run(places)?;
        Ok(places.iter().zip(&found).any(|(&place, row)| base.get(place) != Some(row)))
    };
    let why = if differs(&forward)? {
        "gives different numbers for the same input; a model must be a function of its inputs"
    } else if differs(&backward)? || differs(&forward[..1])? {
        "mixes the rows of a call; a row must depend on itself alone (no statistic over the batch, no dynamic int8 \
         quantisation: models/README.md, Rows and chunks)"
    } else {
        return Ok(());
    };
    Err(OnnxError::Contract { path: path.to_owned(), problem: why.to_owned() }.into())
}

/// The bits of rows of `width` numbers.
pub(crate) fn row_bits(values: &[f32], width: usize) -> Vec<Vec<u32>> {
    values.chunks_exact(width.max(1)).map(|row| row.iter().map(|value| value.to_bits()).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(mut model: impl FnMut(&[f32]) -> Vec<f32>) -> Result<(), OnnxError> {
        let run = |places: &[usize]| {
            let inputs: Vec<f32> = places.iter().map(|&place| place as f32).collect();
            Ok(row_bits(&model(&inputs), 1))
        };
        check_rows(Path::new("x.onnx"), 5, run)
    }

    #[test]
    fn rows_that_know_each_other_are_found() {
        assert!(check(|rows| rows.to_vec()).is_ok());
        let mean = |rows: &[f32]| rows.iter().map(|row| row + rows.iter().sum::<f32>() / rows.len() as f32).collect();
        let neighbour = |rows: &[f32]| (0..rows.len()).map(|row| rows[row.saturating_sub(1)]).collect();
        let place = |rows: &[f32]| (0..rows.len()).map(|row| row as f32).collect();
        for problem in [check(mean), check(neighbour), check(place)] {
            assert!(problem.expect_err("mixed").to_string().contains("x.onnx: mixes the rows"));
        }
    }

    #[test]
    fn numbers_of_chance_are_found() {
        let mut calls = 0.0;
        let problem = check(|rows| {
            calls += 1.0;
            rows.iter().map(|row| row + calls).collect()
        });
        assert!(problem.expect_err("chance").to_string().contains("different numbers for the same input"));
    }
}
