//! A table as Parquet.
//!
//! Text is a UTF-8 column; whole numbers are `int64` and others `double`, both nullable.

use super::files::{Cell, ColumnKind, TableRow};
use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use std::io::Write;
use std::sync::Arc;

/// Rows of a Parquet row group.
const GROUP_ROWS: usize = 1 << 17;

pub(super) fn write<R: TableRow>(
    target: impl Write + Send,
    rows: impl IntoIterator<Item = R>,
) -> Result<(), ParquetError> {
    let column = |&(name, kind): &(&str, ColumnKind)| match kind {
        ColumnKind::Text => format!("required binary {name} (utf8);\n"),
        ColumnKind::Whole => format!("optional int64 {name};\n"),
        ColumnKind::Number => format!("optional double {name};\n"),
    };
    let schema = format!("message rows {{\n{}}}", R::COLUMNS.iter().map(column).collect::<String>());
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
    let schema = Arc::new(parse_message_type(&schema)?);
    let mut writer = SerializedFileWriter::new(target, schema, Arc::new(properties))?;
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let mut columns: Vec<Column> = R::COLUMNS.iter().map(|_| Column::default()).collect();
        for row in rows.by_ref().take(GROUP_ROWS) {
            columns.iter_mut().zip(row.cells()).for_each(|(column, cell)| column.push(cell));
        }
        let mut group = writer.next_row_group()?;
        for (column, &(_, kind)) in columns.iter().zip(R::COLUMNS) {
            column.write(&mut group, kind)?;
        }
        group.close()?;
    }
    writer.close()?;
    Ok(())
}

/// A column that is being collected: levels (1 = present) and the present values of its kind.
#[derive(Default)]
struct Column {
    levels: Vec<i16>,
    texts: Vec<ByteArray>,
    wholes: Vec<i64>,
    numbers: Vec<f64>,
}

impl Column {
    fn push(&mut self, cell: Cell<'_>) {
        let is_there = match cell {
            Cell::Text(text) => {
                self.texts.push(ByteArray::from(text.as_bytes().to_vec()));
                true
            }
            Cell::Whole(number) => {
                self.wholes.extend(number);
                number.is_some()
            }
            Cell::Number(number) => {
                self.numbers.extend(number);
                number.is_some()
            }
        };
        self.levels.push(i16::from(is_there));
    }

    fn write<W: Write + Send>(
        &self,
        group: &mut SerializedRowGroupWriter<'_, W>,
        kind: ColumnKind,
    ) -> Result<(), ParquetError> {
        match kind {
            ColumnKind::Text => write_column::<ByteArrayType, W>(group, &self.texts, None),
            ColumnKind::Whole => write_column::<Int64Type, W>(group, &self.wholes, Some(&self.levels)),
            ColumnKind::Number => write_column::<DoubleType, W>(group, &self.numbers, Some(&self.levels)),
        }
    }
}

fn write_column<T: DataType, W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: &[T::T],
    levels: Option<&[i16]>,
) -> Result<(), ParquetError> {
    let missing = || ParquetError::General("fewer columns than the schema has".to_owned());
    let mut column = group.next_column()?.ok_or_else(missing)?;
    column.typed::<T>().write_batch(values, levels, None)?;
    column.close()
}
