//! Tables of Python as tables in memory: Arrow streams without a copy, and columns of Python's own values.

use crate::errors::of_data;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Date64Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_cast::cast;
use arrow_schema::{DataType, TimeUnit};
use pyo3::prelude::*;
use pyo3_arrow::input::AnyRecordBatch;
use recmirror::dataset::{MemoryTable, TableValue};
use std::fmt::Display;
use std::sync::Arc;

/// What pandas calls the columns that it makes of an index without a name.
const INDEX: &str = "__index_level_";

const DAY: i64 = 86_400_000_000;

/// Arrow record batches, which their maker owns.
pub(crate) struct ArrowTable {
    columns: Vec<String>,
    /// The place of each column in the batches.
    places: Vec<usize>,
    batches: Vec<Vec<ArrayRef>>,
    /// `[batches + 1]`: the first row of each batch, and the number of rows.
    starts: Vec<usize>,
}

impl ArrowTable {
    /// Takes a stream of batches; `what` names the table in messages.
    pub(crate) fn of(table: AnyRecordBatch, what: &str) -> PyResult<ArrowTable> {
        let (batches, schema) = table.into_table()?.into_inner();
        let places: Vec<usize> =
            (0..schema.fields().len()).filter(|&at| !schema.field(at).name().starts_with(INDEX)).collect();
        for field in places.iter().map(|&at| schema.field(at)) {
            let is_period = field.metadata().get("ARROW:extension:name").is_some_and(|name| name == "pandas.period");
            if !is_known(field.data_type()) || is_period {
                return Err(of_data(format!(
                    "{what}: the column `{}` has the Arrow type {}; expected texts, numbers, truth values, times, or lists of \
                     them; leave the column out or cast it",
                    field.name(),
                    if is_period { &"pandas.period" as &dyn Display } else { field.data_type() }
                )));
            }
        }
        let columns = places.iter().map(|&at| schema.field(at).name().clone()).collect();
        let batches = batches.into_iter().map(|batch| plain(batch, what)).collect::<PyResult<Vec<_>>>()?;
        let ends = batches.iter().scan(0, |rows, batch| {
            *rows += batch.first().map_or(0, |column| column.len());
            Some(*rows)
        });
        let starts = std::iter::once(0).chain(ends).collect();
        Ok(ArrowTable { columns, places, starts, batches })
    }
}

impl MemoryTable for ArrowTable {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn rows(&self) -> usize {
        self.starts.last().copied().unwrap_or(0)
    }

    fn value(&self, row: usize, column: usize) -> TableValue<'_> {
        let batch = self.starts.partition_point(|&start| start <= row) - 1;
        value(&self.batches[batch][self.places[column]], row - self.starts[batch])
    }
}

/// The columns without dictionaries: these are written out.
fn plain(batch: RecordBatch, what: &str) -> PyResult<Vec<ArrayRef>> {
    let unpack = |array: &ArrayRef| match array.data_type() {
        DataType::Dictionary(_, values) => {
            cast(array, values).map_err(|problem| of_data(format!("{what}: a column of categories: {problem}")))
        }
        _ => Ok(array.clone()),
    };
    batch.columns().iter().map(unpack).collect()
}

/// Returns true if [`value`] reads the type.
fn is_known(kind: &DataType) -> bool {
    match kind {
        DataType::Dictionary(_, values) => is_known(values),
        DataType::List(field) | DataType::LargeList(field) | DataType::FixedSizeList(field, _) => {
            is_known(field.data_type())
        }
        DataType::Null
        | DataType::Boolean
        | DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View
        | DataType::Date32
        | DataType::Date64
        | DataType::Timestamp(..)
        | DataType::Float32
        | DataType::Float64 => true,
        other => other.is_integer(),
    }
}

/// One value of a column.
fn value(array: &ArrayRef, row: usize) -> TableValue<'_> {
    if array.is_null(row) {
        return TableValue::Missing;
    }
    let text = |text| TableValue::Text(std::borrow::Cow::Borrowed(text));
    match array.data_type() {
        DataType::Boolean => TableValue::Truth(array.as_boolean().value(row)),
        DataType::Utf8 => text(array.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => text(array.as_string::<i64>().value(row)),
        DataType::Utf8View => text(array.as_string_view().value(row)),
        DataType::Int8 => TableValue::Whole(array.as_primitive::<Int8Type>().value(row).into()),
        DataType::Int16 => TableValue::Whole(array.as_primitive::<Int16Type>().value(row).into()),
        DataType::Int32 => TableValue::Whole(array.as_primitive::<Int32Type>().value(row).into()),
        DataType::Int64 => TableValue::Whole(array.as_primitive::<Int64Type>().value(row)),
        DataType::UInt8 => TableValue::Whole(array.as_primitive::<UInt8Type>().value(row).into()),
        DataType::UInt16 => TableValue::Whole(array.as_primitive::<UInt16Type>().value(row).into()),
        DataType::UInt32 => TableValue::Whole(array.as_primitive::<UInt32Type>().value(row).into()),
        DataType::UInt64 => {
            let number = array.as_primitive::<UInt64Type>().value(row);
            i64::try_from(number).map_or_else(|_| TableValue::Text(number.to_string().into()), TableValue::Whole)
        }
        // The shortest text of a 32-bit number, and not that of its 64-bit neighbour.
        DataType::Float32 => match array.as_primitive::<Float32Type>().value(row) {
            number if number.is_nan() => TableValue::Missing,
            number => TableValue::Text(number.to_string().into()),
        },
        DataType::Float64 => TableValue::Number(array.as_primitive::<Float64Type>().value(row)),
        DataType::Date32 => TableValue::Time(i64::from(array.as_primitive::<Date32Type>().value(row)) * DAY),
        DataType::Date64 => TableValue::Time(array.as_primitive::<Date64Type>().value(row).saturating_mul(1_000)),
        DataType::Timestamp(unit, _) => TableValue::Time(micros(array, *unit, row)),
        DataType::List(_) => list(&array.as_list::<i32>().value(row)),
        DataType::LargeList(_) => list(&array.as_list::<i64>().value(row)),
        DataType::FixedSizeList(..) => list(&array.as_fixed_size_list().value(row)),
        _ => TableValue::Missing,
    }
}

fn micros(array: &ArrayRef, unit: TimeUnit, row: usize) -> i64 {
    match unit {
        TimeUnit::Second => array.as_primitive::<TimestampSecondType>().value(row).saturating_mul(1_000_000),
        TimeUnit::Millisecond => array.as_primitive::<TimestampMillisecondType>().value(row).saturating_mul(1_000),
        TimeUnit::Microsecond => array.as_primitive::<TimestampMicrosecondType>().value(row),
        TimeUnit::Nanosecond => array.as_primitive::<TimestampNanosecondType>().value(row).div_euclid(1_000),
    }
}

fn list(array: &ArrayRef) -> TableValue<'static> {
    let written = |row: usize| match value(array, row) {
        TableValue::Text(text) => Some(text.into_owned()),
        TableValue::Whole(number) => Some(number.to_string()),
        TableValue::Number(number) if !number.is_nan() => Some(number.to_string()),
        TableValue::Truth(truth) => Some(truth.to_string()),
        TableValue::Time(micros) => Some(micros.to_string()),
        TableValue::Missing | TableValue::Number(_) | TableValue::List(_) => None,
    };
    TableValue::List((0..array.len()).filter_map(written).collect())
}

/// One value of a column of Python's own.
#[derive(FromPyObject)]
pub(crate) enum PythonValue {
    /// A truth value, before whole numbers, of which Python takes it for one.
    Truth(bool),
    Whole(i64),
    Number(f64),
    Text(String),
    Moment(Moment),
    List(Vec<PythonValue>),
}

/// Microseconds since 1970, wrapped so that they are no whole number.
#[derive(FromPyObject)]
pub(crate) struct Moment {
    micros: i64,
}

/// Columns of Python's own values, all of one length.
pub(crate) struct PythonTable {
    pub(crate) columns: Vec<String>,
    pub(crate) values: Vec<Vec<Option<PythonValue>>>,
}

impl MemoryTable for PythonTable {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn rows(&self) -> usize {
        self.values.first().map_or(0, Vec::len)
    }

    fn value(&self, row: usize, column: usize) -> TableValue<'_> {
        self.values[column][row].as_ref().map_or(TableValue::Missing, of_python)
    }
}

fn of_python(value: &PythonValue) -> TableValue<'_> {
    match value {
        PythonValue::Truth(truth) => TableValue::Truth(*truth),
        PythonValue::Whole(number) => TableValue::Whole(*number),
        PythonValue::Number(number) => TableValue::Number(*number),
        PythonValue::Text(text) => TableValue::Text(text.as_str().into()),
        PythonValue::Moment(moment) => TableValue::Time(moment.micros),
        PythonValue::List(entries) => {
            let written = |entry: &PythonValue| match entry {
                PythonValue::Truth(truth) => truth.to_string(),
                PythonValue::Whole(number) => number.to_string(),
                PythonValue::Number(number) => number.to_string(),
                PythonValue::Text(text) => text.clone(),
                PythonValue::Moment(moment) => moment.micros.to_string(),
                PythonValue::List(_) => String::new(),
            };
            TableValue::List(entries.iter().map(written).collect())
        }
    }
}

/// A table of Python: an Arrow stream, or columns by name.
#[derive(FromPyObject)]
pub(crate) enum AnyTable {
    Arrow(AnyRecordBatch),
    Columns(Vec<(String, Vec<Option<PythonValue>>)>),
}

impl AnyTable {
    pub(crate) fn read(self, what: &str) -> PyResult<Arc<dyn MemoryTable>> {
        match self {
            AnyTable::Arrow(table) => Ok(Arc::new(ArrowTable::of(table, what)?)),
            AnyTable::Columns(columns) => {
                let (columns, values): (Vec<String>, Vec<_>) = columns.into_iter().unzip();
                let first = values.first().map_or(0, Vec::len);
                if let Some(other) = (0..values.len()).find(|&at| values[at].len() != first) {
                    return Err(of_data(format!(
                        "{what}: the columns differ in length: `{}` has {first} values, `{}` has {}",
                        columns[0],
                        columns[other],
                        values[other].len()
                    )));
                }
                Ok(Arc::new(PythonTable { columns, values }))
            }
        }
    }
}
