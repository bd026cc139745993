//! Tables that Python takes: Arrow record batches, given through the Arrow PyCapsule interface.

use crate::errors::refusal;
use arrow_array::{Array, ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{Field, Schema};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyDict, PyList};
use pyo3_arrow::PyTable;
use recmirror::experiment::{Cell, ColumnKind, TableRow};
use std::sync::Arc;

/// Rows with the same columns.
#[pyclass(frozen, module = "recmirror._native")]
pub struct Table {
    batch: RecordBatch,
}

impl Table {
    /// The rows as columns.
    pub(crate) fn of<R: TableRow>(rows: &[R]) -> PyResult<Table> {
        let cells: Vec<Vec<Cell<'_>>> = rows.iter().map(TableRow::cells).collect();
        let column = |at: usize, kind: ColumnKind| -> ArrayRef {
            let column = cells.iter().map(|row| row[at]);
            match kind {
                ColumnKind::Text => {
                    let text = |cell| if let Cell::Text(text) = cell { Some(text) } else { None };
                    Arc::new(column.map(text).collect::<StringArray>())
                }
                ColumnKind::Whole => {
                    let whole = |cell| if let Cell::Whole(number) = cell { number } else { None };
                    Arc::new(column.map(whole).collect::<Int64Array>())
                }
                ColumnKind::Number => {
                    let number = |cell| if let Cell::Number(number) = cell { number } else { None };
                    Arc::new(column.map(number).collect::<Float64Array>())
                }
            }
        };
        let columns = R::COLUMNS.iter().enumerate();
        Table::with(columns.map(|(at, &(name, kind))| (name.to_owned(), column(at, kind))).collect())
    }

    fn with(columns: Vec<(String, ArrayRef)>) -> PyResult<Table> {
        let fields = columns.iter().map(|(name, array)| Field::new(name, array.data_type().clone(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let arrays = columns.into_iter().map(|(_, array)| array).collect();
        Ok(Table { batch: RecordBatch::try_new(schema, arrays).map_err(refusal)? })
    }

    fn arrow<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTable>> {
        Bound::new(py, PyTable::try_new(vec![self.batch.clone()], self.batch.schema())?)
    }
}

/// A column of Python's own values: whole numbers, numbers, or texts, with `None` for what is missing.
#[derive(FromPyObject)]
enum PythonColumn {
    Whole(Vec<Option<i64>>),
    Number(Vec<Option<f64>>),
    Text(Vec<Option<String>>),
}

/// A column as Python's own values.
fn values<'py>(py: Python<'py>, array: &ArrayRef) -> PyResult<Bound<'py, PyList>> {
    let array = array.as_any();
    if let Some(texts) = array.downcast_ref::<StringArray>() {
        return PyList::new(py, texts.iter());
    }
    if let Some(numbers) = array.downcast_ref::<Int64Array>() {
        return PyList::new(py, numbers.iter());
    }
    match array.downcast_ref::<Float64Array>() {
        Some(numbers) => PyList::new(py, numbers.iter()),
        None => Err(refusal("a column of a type that no table has")),
    }
}

#[pymethods]
impl Table {
    /// A table of columns of equal length.
    #[staticmethod]
    fn from_columns(columns: Vec<(String, PythonColumn)>) -> PyResult<Table> {
        let array = |column: PythonColumn| -> ArrayRef {
            match column {
                PythonColumn::Whole(numbers) => Arc::new(Int64Array::from(numbers)),
                PythonColumn::Number(numbers) => Arc::new(Float64Array::from(numbers)),
                PythonColumn::Text(texts) => Arc::new(StringArray::from(texts)),
            }
        };
        Table::with(columns.into_iter().map(|(name, column)| (name, array(column))).collect())
    }

    /// The table as an Arrow stream, without a copy.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyCapsule>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.arrow(py)?.call_method1("__arrow_c_stream__", (requested_schema,))
    }

    /// The schema of the Arrow stream.
    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.arrow(py)?.call_method0("__arrow_c_schema__")
    }

    /// The columns by name, as lists.
    fn columns<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let columns = PyDict::new(py);
        for (field, array) in self.batch.schema().fields().iter().zip(self.batch.columns()) {
            columns.set_item(field.name(), values(py, array)?)?;
        }
        Ok(columns)
    }

    fn __len__(&self) -> usize {
        self.batch.num_rows()
    }
}
