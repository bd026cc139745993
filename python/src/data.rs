//! Data sets.

use crate::refusal;
use pyo3::prelude::*;
use recmirror::dataset;
use std::path::PathBuf;
use std::sync::Arc;

/// A feedback log with its users and items.
#[pyclass(frozen, module = "recmirror")]
pub struct Dataset {
    pub(crate) inner: Arc<dataset::Dataset>,
}

#[pymethods]
impl Dataset {
    /// Reads a folder or file; `family` names the reader where the files do not decide.
    #[staticmethod]
    #[pyo3(signature = (path, family=None))]
    fn _read(py: Python<'_>, path: PathBuf, family: Option<String>) -> PyResult<Dataset> {
        let read = py.detach(|| dataset::Dataset::read_as(&path, family.as_deref()));
        Ok(Dataset { inner: Arc::new(read.map_err(refusal)?) })
    }

    /// A data set from columns of equal length.
    #[staticmethod]
    #[pyo3(signature = (name, users, items, ratings=None, times=None))]
    fn _from_columns(
        py: Python<'_>,
        name: String,
        users: Vec<String>,
        items: Vec<String>,
        ratings: Option<Vec<Option<f32>>>,
        times: Option<Vec<Option<i64>>>,
    ) -> PyResult<Dataset> {
        let lengths = [Some(items.len()), ratings.as_ref().map(Vec::len), times.as_ref().map(Vec::len)];
        if let Some(other) = lengths.into_iter().flatten().find(|&length| length != users.len()) {
            return Err(refusal(format!("the columns differ in length: {} users, and {other} values", users.len())));
        }
        let read = py.detach(|| {
            let value = |column: &Option<Vec<Option<f32>>>, row: usize| column.as_ref().and_then(|it| it[row]);
            let rows = users.iter().zip(&items).enumerate().map(|(row, (user, item))| {
                let rating = value(&ratings, row).filter(|rating| !rating.is_nan());
                (user, item, rating, times.as_ref().and_then(|times| times[row]))
            });
            dataset::Dataset::from_rows(&name, rows)
        });
        Ok(Dataset { inner: Arc::new(read.map_err(refusal)?) })
    }

    /// Name of the folder or file, or the name that was given.
    #[getter]
    fn name(&self) -> &str {
        &self.inner.name
    }

    /// External ids of the users, by their numbers.
    #[getter]
    fn user_ids(&self) -> Vec<&str> {
        (0..self.inner.users.len() as u32).map(|user| self.inner.users.external(user)).collect()
    }

    /// External ids of the items, by their numbers.
    #[getter]
    fn item_ids(&self) -> Vec<&str> {
        (0..self.inner.items.len() as u32).map(|item| self.inner.items.external(item)).collect()
    }

    /// Number of users.
    #[getter]
    fn users(&self) -> usize {
        self.inner.users.len()
    }

    /// Number of items.
    #[getter]
    fn items(&self) -> usize {
        self.inner.items.len()
    }

    /// Rows of the log after cleaning.
    #[getter]
    fn interactions(&self) -> usize {
        self.inner.interactions.len()
    }

    /// Lists as they were shown.
    #[getter]
    fn impressions(&self) -> usize {
        self.inner.impressions.len()
    }

    /// The worst and the best rating of the log's scale; `None` without ratings.
    #[getter]
    fn scale(&self) -> Option<(f32, f32)> {
        self.inner.scale.map(|scale| (scale.min, scale.max))
    }

    /// What was guessed or is missing, a sentence each.
    #[getter]
    fn notes(&self) -> Vec<String> {
        self.inner.notes.clone()
    }

    /// Hash over the data.
    #[getter]
    fn hash(&self) -> &str {
        &self.inner.hash
    }

    fn __repr__(&self) -> String {
        let data = &self.inner;
        format!(
            "Dataset({:?}: {} users, {} items, {} interactions, {} impressions)",
            data.name,
            data.users.len(),
            data.items.len(),
            data.interactions.len(),
            data.impressions.len()
        )
    }
}
