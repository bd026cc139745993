//! The log before the start, for policies of Python.

use numpy::{PyArray1, ToPyArray};
use pyo3::prelude::*;
use recmirror::dataset::TrainingLog;
use recmirror::ids::LogUserId;

/// What a policy may learn from before the first step, in numbers of users and items.
#[pyclass(frozen, module = "recmirror")]
pub struct Log {
    /// `[rows]`: numbers of the log's users, ascending.
    #[pyo3(get)]
    users: Py<PyArray1<u32>>,
    /// `[rows]`: numbers of the items; a user's rows are in order of time.
    #[pyo3(get)]
    items: Py<PyArray1<u32>>,
    /// `[rows]`: ratings as levels from 1 to 5, NaN where there is none.
    #[pyo3(get)]
    ratings: Py<PyArray1<f32>>,
    /// `[rows]`: milliseconds since 1970.
    #[pyo3(get)]
    times: Py<PyArray1<i64>>,
    /// `[simulated users]`: the log's user whose history each simulated user starts with.
    #[pyo3(get)]
    sources: Py<PyArray1<u32>>,
    /// Users of the log.
    #[pyo3(get)]
    n_users: usize,
    /// Items of the catalogue.
    #[pyo3(get)]
    n_items: usize,
    /// Slots of a slate.
    #[pyo3(get)]
    slate: usize,
}

impl Log {
    /// Copies a log, and whose history each simulated user starts with.
    pub(crate) fn of(py: Python<'_>, log: &TrainingLog, sources: &[LogUserId], slate: usize) -> Log {
        let users: Vec<u32> =
            (0..log.users() as u32).flat_map(|user| std::iter::repeat_n(user, log.of(LogUserId(user)).len())).collect();
        let sources: Vec<u32> = sources.iter().map(|user| user.0).collect();
        Log {
            users: PyArray1::from_vec(py, users).unbind(),
            items: PyArray1::from_iter(py, log.rows.iter().map(|row| row.item.0)).unbind(),
            ratings: PyArray1::from_iter(py, log.rows.iter().map(|row| row.rating)).unbind(),
            times: PyArray1::from_iter(py, log.rows.iter().map(|row| row.time)).unbind(),
            sources: sources.to_pyarray(py).unbind(),
            n_users: log.users(),
            n_items: log.items,
            slate,
        }
    }
}

#[pymethods]
impl Log {
    fn __len__(&self, py: Python<'_>) -> usize {
        numpy::PyUntypedArrayMethods::len(self.users.bind(py))
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        format!("Log({} interactions of {} users with {} items)", self.__len__(py), self.n_users, self.n_items)
    }
}
