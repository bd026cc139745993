//! Parquet: rows of any flat table, with lists.

use super::Cell;
use crate::files::FileError;
use parquet::basic::{ConvertedType, LogicalType, TimeUnit};
use parquet::file::reader::FileReader;
use parquet::file::serialized_reader::SerializedFileReader;
use parquet::record::Field;
use parquet::record::reader::RowIter;
use parquet::schema::types::{SchemaDescriptor, Type};
use std::path::Path;

pub(super) struct Columnar {
    rows: RowIter<'static>,
    /// What the values of each column mean beyond what the library says.
    meanings: Vec<Meaning>,
}

/// Types that the library gives as numbers or bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// What the library says.
    Plain,
    /// Whole numbers that are nanoseconds since 1970.
    Nanoseconds,
    /// 16 bytes that are a UUID.
    Uuid,
}

impl Meaning {
    /// Of a column, or of the entries of a list.
    fn of(column: &Type) -> Meaning {
        if column.is_group() {
            return match column.get_fields() {
                [only] => Meaning::of(only),
                _ => Meaning::Plain,
            };
        }
        match column.get_basic_info().logical_type_ref() {
            Some(LogicalType::Timestamp(of)) if of.unit == TimeUnit::NANOS => Meaning::Nanoseconds,
            Some(LogicalType::Uuid) => Meaning::Uuid,
            _ => Meaning::Plain,
        }
    }
}

impl Columnar {
    pub(super) fn open(path: &Path, columns: &mut Vec<String>) -> Result<Columnar, FileError> {
        let file = crate::files::open_regular(path).map_err(|source| FileError::read(path, source))?;
        let reader = SerializedFileReader::new(file).map_err(|problem| damaged(path, &problem))?;
        let schema = reader.metadata().file_metadata().schema_descr();
        readable(path, schema)?;
        let fields = schema.root_schema().get_fields();
        columns.extend(fields.iter().map(|field| field.name().to_owned()));
        let meanings = fields.iter().map(|field| Meaning::of(field)).collect();
        Ok(Columnar { rows: RowIter::from_file_into(Box::new(reader)), meanings })
    }

    pub(super) fn step(&mut self, path: &Path, cells: &mut Vec<Cell>, line: &mut u64) -> Result<bool, FileError> {
        let Some(row) = self.rows.next() else { return Ok(false) };
        *line += 1;
        let row = row.map_err(|problem| FileError::line(path, *line, problem.to_string()))?;
        cells.clear();
        let meanings = self.meanings.iter().copied();
        cells.extend(row.into_columns().into_iter().zip(meanings).map(|((_, field), meaning)| cell(field, meaning)));
        Ok(true)
    }
}

/// Refuses types that the library does not read: it would panic.
fn readable(path: &Path, schema: &SchemaDescriptor) -> Result<(), FileError> {
    match schema.columns().iter().find(|column| column.converted_type() == ConvertedType::INTERVAL) {
        Some(column) => {
            let name = column.path().string();
            let problem = format!("the column `{name}` holds intervals, which are not read; write the file without it");
            Err(FileError::whole(path, problem))
        }
        None => Ok(()),
    }
}

fn damaged(path: &Path, problem: &dyn std::fmt::Display) -> FileError {
    FileError::whole(path, format!("not a readable Parquet file: {problem}; is it complete?"))
}

fn cell(field: Field, meaning: Meaning) -> Cell {
    match field {
        Field::Null => Cell::Missing,
        Field::Str(text) => Cell::Text(text),
        Field::Long(nanoseconds) if meaning == Meaning::Nanoseconds => Cell::Time(nanoseconds.div_euclid(1_000)),
        Field::Bytes(bytes) if meaning == Meaning::Uuid => uuid(bytes.data()),
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
        Field::ListInternal(list) => {
            Cell::List(list.elements().iter().filter_map(|field| entry(field, meaning)).collect())
        }
        Field::Decimal(_) | Field::Group(_) | Field::MapInternal(_) => Cell::Text(field.to_string()),
        other => Cell::Text(other.to_string()),
    }
}

/// A UUID as text, in lower case with hyphens.
fn uuid(bytes: &[u8]) -> Cell {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    match hex.len() {
        32 => Cell::Text([&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")),
        _ => Cell::Missing,
    }
}

fn entry(field: &Field, meaning: Meaning) -> Option<String> {
    match cell(field.clone(), meaning) {
        Cell::Text(text) => Some(text),
        Cell::Time(micros) => Some(micros.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::sheet::Sheet;
    use parquet::data_type::{
        ByteArray, ByteArrayType, DoubleType, FixedLenByteArray, FixedLenByteArrayType, Int64Type,
    };
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;
    use std::sync::Arc;

    #[test]
    fn nanoseconds_are_times_and_uuids_are_ids() {
        let schema = "message log {
            required fixed_len_byte_array(16) user_id (UUID);
            required int64 at (TIMESTAMP(NANOS,true));
            required group times (LIST) { repeated group list { required int64 element (TIMESTAMP(NANOS,true)); } }
        }";
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("log.parquet");
        let file = std::fs::File::create(&path).expect("a file");
        let schema = Arc::new(parse_message_type(schema).expect("a schema"));
        let mut writer = SerializedFileWriter::new(file, schema, Arc::default()).expect("a writer");
        let mut group = writer.next_row_group().expect("a group");
        let mut column = group.next_column().expect("next").expect("user_id");
        let id = FixedLenByteArray::from((0..16).map(|byte| byte * 17).collect::<Vec<u8>>());
        column.typed::<FixedLenByteArrayType>().write_batch(&[id], None, None).expect("written");
        column.close().expect("closed");
        for levels in [None, Some([1])] {
            let mut column = group.next_column().expect("next").expect("a time");
            let (levels, repeats) = (levels.as_ref().map(|it| &it[..]), levels.map(|_| [0]));
            let repeats = repeats.as_ref().map(|it| &it[..]);
            column.typed::<Int64Type>().write_batch(&[-1_999], levels, repeats).expect("written");
            column.close().expect("closed");
        }
        group.close().expect("closed");
        writer.close().expect("closed");
        let mut sheet = Sheet::open(&path).expect("a sheet");
        assert!(sheet.step().expect("a row"));
        assert_eq!(sheet.text(0), "00112233-4455-6677-8899-aabbccddeeff");
        assert_eq!((sheet.cell(1), sheet.cell(2)), (&Cell::Time(-2), &Cell::List(vec!["-2".to_owned()])));
    }

    #[test]
    fn intervals_are_refused_by_the_name_of_their_column() {
        let schema = "message log { required int64 user_id; optional fixed_len_byte_array(12) stay (INTERVAL); }";
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("log.parquet");
        let file = std::fs::File::create(&path).expect("a file");
        let schema = Arc::new(parse_message_type(schema).expect("a schema"));
        SerializedFileWriter::new(file, schema, Arc::default()).expect("a writer").close().expect("closed");
        let problem = Sheet::open(&path).err().expect("refused").to_string();
        assert!(problem.contains("log.parquet: the column `stay` holds intervals"), "{problem}");
    }

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
