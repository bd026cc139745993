//! Parquet: rows of any flat table, with lists.

use super::Cell;
use crate::files::FileError;
use parquet::file::reader::FileReader;
use parquet::file::serialized_reader::SerializedFileReader;
use parquet::record::Field;
use parquet::record::reader::RowIter;
use std::path::Path;

pub(super) struct Columnar {
    rows: RowIter<'static>,
}

impl Columnar {
    pub(super) fn open(path: &Path, columns: &mut Vec<String>) -> Result<Columnar, FileError> {
        let file = crate::files::open_regular(path).map_err(|source| FileError::read(path, source))?;
        let reader = SerializedFileReader::new(file).map_err(|problem| damaged(path, &problem))?;
        let schema = reader.metadata().file_metadata().schema_descr().root_schema();
        columns.extend(schema.get_fields().iter().map(|field| field.name().to_owned()));
        Ok(Columnar { rows: RowIter::from_file_into(Box::new(reader)) })
    }

    pub(super) fn step(&mut self, path: &Path, cells: &mut Vec<Cell>, line: &mut u64) -> Result<bool, FileError> {
        let Some(row) = self.rows.next() else { return Ok(false) };
        *line += 1;
        let row = row.map_err(|problem| FileError::line(path, *line, problem.to_string()))?;
        cells.clear();
        cells.extend(row.into_columns().into_iter().map(|(_, field)| cell(field)));
        Ok(true)
    }
}

fn damaged(path: &Path, problem: &dyn std::fmt::Display) -> FileError {
    FileError::whole(path, format!("not a readable Parquet file: {problem}; is it complete?"))
}

fn cell(field: Field) -> Cell {
    match field {
        Field::Null => Cell::Missing,
        Field::Str(text) => Cell::Text(text),
        Field::Bytes(bytes) => match bytes.as_utf8() {
            Ok(text) => Cell::Text(text.to_owned()),
            Err(_) => Cell::Missing,
        },
        Field::Date(days) => Cell::Time(i64::from(days) * 86_400_000_000),
        Field::TimestampMillis(milliseconds) => Cell::Time(milliseconds.saturating_mul(1_000)),
        Field::TimestampMicros(microseconds) => Cell::Time(microseconds),
        Field::Float(number) if number.is_nan() => Cell::Missing,
        Field::Double(number) if number.is_nan() => Cell::Missing,
        // The shortest text that restores the number: `Display` of a field rounds.
        Field::Float(number) => Cell::Text(number.to_string()),
        Field::Double(number) => Cell::Text(number.to_string()),
        Field::ListInternal(list) => Cell::List(list.elements().iter().filter_map(entry).collect()),
        Field::Decimal(_) | Field::Group(_) | Field::MapInternal(_) => Cell::Text(field.to_string()),
        other => Cell::Text(other.to_string()),
    }
}

fn entry(field: &Field) -> Option<String> {
    match cell(field.clone()) {
        Cell::Text(text) => Some(text),
        Cell::Time(micros) => Some(micros.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::sheet::Sheet;
    use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;
    use std::sync::Arc;

    const SCHEMA: &str = "message log {
        required int64 user_id;
        optional double rating;
        required int64 time (TIMESTAMP_MILLIS);
        required group shown (LIST) { repeated group list { required binary element (UTF8); } }
    }";

    #[test]
    fn columns_of_all_kinds_are_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("log.parquet");
        let schema = Arc::new(parse_message_type(SCHEMA).expect("a schema"));
        let file = std::fs::File::create(&path).expect("a file");
        let mut writer = SerializedFileWriter::new(file, schema, Arc::default()).expect("a writer");
        let mut group = writer.next_row_group().expect("a group");
        let mut column = group.next_column().expect("next").expect("user_id");
        column.typed::<Int64Type>().write_batch(&[7, 8], None, None).expect("written");
        column.close().expect("closed");
        let mut column = group.next_column().expect("next").expect("rating");
        column.typed::<DoubleType>().write_batch(&[4.5], Some(&[1, 0]), None).expect("written");
        column.close().expect("closed");
        let mut column = group.next_column().expect("next").expect("time");
        column.typed::<Int64Type>().write_batch(&[1_500, 2_000], None, None).expect("written");
        column.close().expect("closed");
        let mut column = group.next_column().expect("next").expect("shown");
        let names = ["a", "b"].map(ByteArray::from);
        column.typed::<ByteArrayType>().write_batch(&names, Some(&[1, 1, 0]), Some(&[0, 1, 0])).expect("written");
        column.close().expect("closed");
        group.close().expect("closed");
        writer.close().expect("closed");
        let mut sheet = Sheet::open(&path).expect("a sheet");
        assert_eq!(sheet.columns(), ["user_id", "rating", "time", "shown"]);
        assert!(sheet.step().expect("a row"));
        assert_eq!((sheet.text(0), sheet.text(1), sheet.cell(2)), ("7", "4.5", &Cell::Time(1_500_000)));
        assert_eq!(sheet.cell(3), &Cell::List(vec!["a".to_owned(), "b".to_owned()]));
        assert!(sheet.step().expect("a row"));
        assert_eq!((sheet.cell(1), sheet.cell(3), sheet.line()), (&Cell::Missing, &Cell::List(Vec::new()), 3));
        assert!(!sheet.step().expect("the end"));
        std::fs::write(&path, b"PAR1 and nothing else").expect("written");
        let problem = Sheet::open(&path).err().expect("damaged").to_string();
        assert!(problem.contains("log.parquet: not a readable Parquet file"), "{problem}");
    }
}
