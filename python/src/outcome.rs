//! What users did with their slates in one step.

use numpy::{PyArray1, PyArray2, PyArrayMethods};
use pyo3::prelude::*;
use recmirror::log::{EventBatch, REJECTED};

/// What users did with their slates in one step.
#[pyclass(frozen, module = "recmirror")]
pub struct Outcome {
    /// The step, from 0.
    #[pyo3(get)]
    step: u32,
    /// `[n]`: numbers of the users, ascending.
    #[pyo3(get)]
    users: Py<PyArray1<u32>>,
    /// `[n, slate]`: what was shown, -1 in empty slots.
    #[pyo3(get)]
    slates: Py<PyArray2<i64>>,
    /// `[n]`: the accepted slot, -1 for none.
    #[pyo3(get)]
    accepted: Py<PyArray1<i64>>,
    /// `[n]`: the accepted item, -1 for none.
    #[pyo3(get)]
    accepted_items: Py<PyArray1<i64>>,
    /// `[n]`: the rating of the accepted item, NaN for none.
    #[pyo3(get)]
    ratings: Py<PyArray1<f32>>,
    /// `[n]`: which of the user's sessions the slate belongs to, from 1; empty where that is not known.
    #[pyo3(get)]
    sessions: Py<PyArray1<u32>>,
    /// `[n]`: 1 where an item was accepted, else 0.
    #[pyo3(get)]
    rewards: Py<PyArray1<f32>>,
    /// Numbers of the users who left for good: terminated.
    #[pyo3(get)]
    left: Py<PyArray1<u32>>,
    /// True if this was the last step: truncated.
    #[pyo3(get)]
    is_done: bool,
}

impl Outcome {
    pub(crate) fn of(py: Python<'_>, events: &EventBatch, left: Vec<u32>, is_done: bool) -> PyResult<Outcome> {
        let number = |item: recmirror::ids::ItemId| if item.is_some() { i64::from(item.0) } else { -1 };
        let slot = |&slot: &u8| if slot == REJECTED { -1 } else { i64::from(slot) };
        let rows = 0..events.len();
        let items = rows.clone().map(|row| events.accepted_item(row).map_or(-1, number));
        let rewards = rows.map(|row| if events.accepted_item(row).is_some() { 1.0 } else { 0.0 });
        let slates = PyArray1::from_iter(py, events.items.iter().map(|&item| number(item)));
        Ok(Outcome {
            step: events.tick,
            users: PyArray1::from_iter(py, events.users.iter().map(|user| user.0)).unbind(),
            slates: slates.reshape([events.len(), events.slate])?.unbind(),
            accepted: PyArray1::from_iter(py, events.accepted.iter().map(slot)).unbind(),
            accepted_items: PyArray1::from_iter(py, items).unbind(),
            ratings: PyArray1::from_iter(py, events.ratings.iter().copied()).unbind(),
            sessions: PyArray1::from_slice(py, &events.sessions).unbind(),
            rewards: PyArray1::from_iter(py, rewards).unbind(),
            left: PyArray1::from_vec(py, left).unbind(),
            is_done,
        })
    }
}

#[pymethods]
impl Outcome {
    fn __len__(&self, py: Python<'_>) -> usize {
        numpy::PyUntypedArrayMethods::len(self.users.bind(py))
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        format!("Outcome(step {}: {} users were shown a slate)", self.step, self.__len__(py))
    }
}
