//! Who wants a slate now, as arrays.

use crate::refusal;
use numpy::ndarray::Array2;
use numpy::{PyArray1, PyArray2, ToPyArray};
use pyo3::prelude::*;
use recmirror::ids::ItemId;
use recmirror::policy::Requests;

/// Items of a history that are shown.
pub(crate) const HISTORY: usize = 20;

/// The users who want a slate at one step, in ascending order, and what each may be shown.
#[pyclass(frozen, module = "recmirror")]
pub struct Observation {
    /// The step, from 0.
    #[pyo3(get)]
    step: u32,
    /// Slots of a slate.
    #[pyo3(get)]
    slate: usize,
    /// Items of the catalogue.
    #[pyo3(get)]
    items: usize,
    /// `[n]`: numbers of the users.
    #[pyo3(get)]
    users: Py<PyArray1<u32>>,
    /// `[n, 20]`: the latest accepted items, oldest first, -1 where there are fewer.
    #[pyo3(get)]
    history: Py<PyArray2<i64>>,
    /// `[n, 20]`: their ratings, NaN where there is none.
    #[pyo3(get)]
    history_ratings: Py<PyArray2<f32>>,
    rows: usize,
    blocked: Vec<u64>,
}

impl Observation {
    /// Copies requests; `history` gives a row's entries, oldest first.
    pub(crate) fn new(
        py: Python<'_>,
        requests: &Requests<'_>,
        history: impl Fn(usize) -> Vec<(ItemId, f32)>,
    ) -> Observation {
        let (users, words) = (requests.users.iter().map(|user| user.0), Requests::words(requests.items));
        let rows = requests.len();
        let mut items = Array2::from_elem((rows, HISTORY), -1i64);
        let mut ratings = Array2::from_elem((rows, HISTORY), f32::NAN);
        for row in 0..rows {
            let entries = history(row);
            let newest = &entries[entries.len().saturating_sub(HISTORY)..];
            for (place, &(item, rating)) in newest.iter().enumerate() {
                items[[row, place]] = i64::from(item.0);
                ratings[[row, place]] = rating;
            }
        }
        Observation {
            step: requests.tick,
            slate: requests.slate,
            items: requests.items,
            users: PyArray1::from_iter(py, users).unbind(),
            history: items.to_pyarray(py).unbind(),
            history_ratings: ratings.to_pyarray(py).unbind(),
            rows,
            blocked: requests.blocked[..rows * words].to_vec(),
        }
    }

    fn row(&self, row: usize) -> PyResult<&[u64]> {
        if row >= self.rows {
            return Err(refusal(format!("row {row} is no request; there are {}", self.rows)));
        }
        let words = Requests::words(self.items);
        Ok(&self.blocked[row * words..(row + 1) * words])
    }
}

#[pymethods]
impl Observation {
    /// Numbers of the items that the user of `row` may be shown, ascending.
    fn candidates<'py>(&self, py: Python<'py>, row: usize) -> PyResult<Bound<'py, PyArray1<i64>>> {
        let blocked = self.row(row)?;
        let allowed = (0..self.items).filter(|item| blocked[item / 64] >> (item % 64) & 1 == 0);
        Ok(PyArray1::from_iter(py, allowed.map(|item| item as i64)))
    }

    /// `[n, items]`: whether each user may be shown each item.
    fn mask<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray2<bool>> {
        let words = Requests::words(self.items);
        let allowed = |(row, item): (usize, usize)| self.blocked[row * words + item / 64] >> (item % 64) & 1 == 0;
        Array2::from_shape_fn((self.rows, self.items), allowed).to_pyarray(py)
    }

    fn __len__(&self) -> usize {
        self.rows
    }

    fn __repr__(&self) -> String {
        format!(
            "Observation(step {}: {} users want {} slots of {} items)",
            self.step, self.rows, self.slate, self.items
        )
    }
}
