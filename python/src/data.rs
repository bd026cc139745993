//! Data sets.

use crate::arrow::AnyTable;
use crate::errors::{of_data, of_dataset};
use crate::threads::free;
use numpy::{IntoPyArray, PyArray2};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use recmirror::dataset::{self, MemoryTables};
use recmirror::scene::{Encoding, EncodingOptions};
use std::path::PathBuf;
use std::sync::Arc;

/// Numbers, and the names of their columns.
type Features<'py> = (Bound<'py, PyArray2<f32>>, Vec<String>);

/// A feedback log with its users and items.
#[pyclass(frozen, module = "recmirror._native")]
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
        Ok(Dataset { inner: Arc::new(read.map_err(of_dataset)?) })
    }

    /// A data set from tables: Arrow streams, or columns of equal length by name.
    #[staticmethod]
    #[pyo3(signature = (name, interactions, items, users, roles))]
    fn _from_tables(
        py: Python<'_>,
        name: String,
        interactions: AnyTable,
        items: Option<AnyTable>,
        users: Option<AnyTable>,
        roles: String,
    ) -> PyResult<Dataset> {
        let tables = MemoryTables {
            interactions: interactions.read("interactions")?,
            items: items.map(|table| table.read("items")).transpose()?,
            users: users.map(|table| table.read("users")).transpose()?,
            roles,
        };
        let read = py.detach(|| dataset::Dataset::from_tables(&name, &tables));
        Ok(Dataset { inner: Arc::new(read.map_err(of_dataset)?) })
    }

    /// The whole data set as bytes, for other processes.
    fn _to_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = py.detach(|| postcard::to_stdvec(self.inner.as_ref())).map_err(of_data)?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// What [`Dataset::_to_bytes`] wrote.
    #[staticmethod]
    fn _from_bytes(py: Python<'_>, bytes: &[u8]) -> PyResult<Dataset> {
        let read = py.detach(|| postcard::from_bytes(bytes));
        let inner =
            read.map_err(|problem| of_data(format!("these bytes are no data set of this version: {problem}")))?;
        Ok(Dataset { inner: Arc::new(inner) })
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

    /// What was cleaned up while reading, in a line.
    #[getter]
    fn cleanup(&self) -> String {
        self.inner.cleanup.to_string()
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

    /// The fields of users, or of items, as numbers `[rows, width]`, and what each column says.
    fn _features<'py>(&self, py: Python<'py>, of_users: bool) -> PyResult<Features<'py>> {
        let data = &self.inner;
        let (fields, rows) =
            if of_users { (&data.user_fields, data.users.len()) } else { (&data.item_fields, data.items.len()) };
        let encoded = free(py, || {
            let (encoding, _) = Encoding::fit(fields.iter(), EncodingOptions::default());
            encoding.encode(fields, rows).map(|encoded| (encoded.table, encoding.columns()))
        });
        let (table, columns) = encoded.map_err(of_data)?;
        Ok((table.into_pyarray(py), columns))
    }

    /// Names of the fields of items, then of users.
    fn _fields(&self) -> (Vec<&str>, Vec<&str>) {
        (names_of(&self.inner.item_fields), names_of(&self.inner.user_fields))
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

fn names_of(fields: &dataset::Fields) -> Vec<&str> {
    fields.iter().map(|field| field.name.as_str()).collect()
}
