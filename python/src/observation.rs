//! Who wants a slate now, as arrays.

use crate::errors::of_slates;
use numpy::ndarray::Array2;
use numpy::{IntoPyArray, PyArray1, PyArray2, ToPyArray};
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
    /// Milliseconds since 1970 at this step, by the calendar of the log; `None` where a policy does not know it.
    #[pyo3(get)]
    time: Option<i64>,
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
    /// Of each row: the items that the user may not be shown, ascending.
    blocked: Vec<Vec<ItemId>>,
}

/// Histories as they are shown, a row for each user.
pub(crate) struct Shown {
    items: Array2<i64>,
    ratings: Array2<f32>,
}

impl Shown {
    /// Collects histories of `rows` users; `entries` gives the latest ones of a row, oldest first.
    pub(crate) fn new<I: Iterator<Item = (ItemId, f32)>>(rows: usize, entries: impl Fn(usize) -> I) -> Shown {
        let mut shown = Shown {
            items: Array2::from_elem((rows, HISTORY), -1i64),
            ratings: Array2::from_elem((rows, HISTORY), f32::NAN),
        };
        for (row, (mut items, mut ratings)) in
            shown.items.outer_iter_mut().zip(shown.ratings.outer_iter_mut()).enumerate()
        {
            for ((item, rating), entry) in items.iter_mut().zip(ratings.iter_mut()).zip(entries(row)) {
                (*item, *rating) = (i64::from(entry.0.0), entry.1);
            }
        }
        shown
    }

    /// Items, and ratings with `missing` where there is none.
    pub(crate) fn arrays(mut self, missing: f32) -> (Array2<i64>, Array2<f32>) {
        self.ratings.mapv_inplace(|rating| if rating.is_nan() { missing } else { rating });
        (self.items, self.ratings)
    }
}

impl Observation {
    /// Copies requests with the histories of their users.
    pub(crate) fn new(py: Python<'_>, requests: &Requests<'_>, shown: Shown, time: Option<i64>) -> Observation {
        Observation {
            step: requests.tick,
            time,
            slate: requests.slate,
            items: requests.items,
            users: PyArray1::from_iter(py, requests.users.iter().map(|user| user.0)).unbind(),
            history: shown.items.into_pyarray(py).unbind(),
            history_ratings: shown.ratings.into_pyarray(py).unbind(),
            blocked: (0..requests.len()).map(|row| requests.get(row).blocked().collect()).collect(),
        }
    }

    fn row(&self, row: usize) -> PyResult<&[ItemId]> {
        let blocked = self.blocked.get(row).map(Vec::as_slice);
        blocked.ok_or_else(|| of_slates(format!("row {row} is no request; there are {}", self.blocked.len())))
    }
}

#[pymethods]
impl Observation {
    /// Numbers of the items that the user of `row` may be shown, ascending.
    fn candidates<'py>(&self, py: Python<'py>, row: usize) -> PyResult<Bound<'py, PyArray1<i64>>> {
        let blocked = self.row(row)?;
        let mut blocked = blocked.iter().peekable();
        let allowed =
            (0..self.items as i64).filter(|&item| blocked.next_if(|held| i64::from(held.0) == item).is_none());
        Ok(PyArray1::from_iter(py, allowed))
    }

    /// `[n, items]`: whether each user may be shown each item.
    fn mask<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray2<bool>> {
        let mut allowed = Array2::from_elem((self.blocked.len(), self.items), true);
        for (mut allowed, blocked) in allowed.outer_iter_mut().zip(&self.blocked) {
            blocked.iter().for_each(|item| allowed[item.index()] = false);
        }
        allowed.to_pyarray(py)
    }

    fn __len__(&self) -> usize {
        self.blocked.len()
    }

    fn __repr__(&self) -> String {
        format!(
            "Observation(step {}: {} users want {} slots of {} items)",
            self.step,
            self.blocked.len(),
            self.slate,
            self.items
        )
    }
}
