//! Rows as Parquet, with conversations as lists.

use super::row::{Cell, Kind, Row};
use crate::files::{FileError, Partial};
use crate::language::{Message, Role};
use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Rows collected before a write.
const GROUP_ROWS: usize = 4096;

/// Writes rows to a file that gets its name when it is complete.
pub(super) struct ParquetRows {
    path: PathBuf,
    kinds: Vec<Kind>,
    rows: Vec<Row>,
    writer: SerializedFileWriter<Partial>,
}

impl ParquetRows {
    /// Starts a file with these columns.
    pub(super) fn create(path: &Path, columns: &[(&str, Kind)]) -> Result<ParquetRows, FileError> {
        let fail = |problem: ParquetError| FileError::whole(path, problem.to_string());
        let schema = Arc::new(parse_message_type(&schema(columns)).map_err(fail)?);
        let zstd = ZstdLevel::try_new(3).map_err(fail)?;
        let properties = WriterProperties::builder().set_compression(Compression::ZSTD(zstd)).build();
        let writer = SerializedFileWriter::new(Partial::create(path)?, schema, Arc::new(properties)).map_err(fail)?;
        let kinds = columns.iter().map(|&(_, kind)| kind).collect();
        Ok(ParquetRows { path: path.to_owned(), kinds, rows: Vec::new(), writer })
    }

    /// Adds a row.
    pub(super) fn push(&mut self, row: Row) -> Result<(), FileError> {
        self.rows.push(row);
        if self.rows.len() >= GROUP_ROWS { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), FileError> {
        let rows = std::mem::take(&mut self.rows);
        if rows.is_empty() {
            return Ok(());
        }
        let written = write_group(&mut self.writer, &self.kinds, &rows);
        written.map_err(|problem| FileError::whole(&self.path, problem.to_string()))
    }

    /// Completes the file and names it.
    pub(super) fn finish(mut self) -> Result<(), FileError> {
        self.flush()?;
        let file = self.writer.into_inner();
        file.map_err(|problem| FileError::whole(&self.path, problem.to_string()))?.finish()
    }
}

fn schema(columns: &[(&str, Kind)]) -> String {
    let column = |&(name, kind): &(&str, Kind)| match kind {
        Kind::Text => format!("required binary {name} (utf8);\n"),
        Kind::Number => format!("optional int64 {name};\n"),
        Kind::Messages => format!(
            "required group {name} (list) {{ repeated group list {{ required group element {{
               required binary role (utf8); required binary content (utf8); }} }} }}\n"
        ),
    };
    format!("message rows {{\n{}}}", columns.iter().map(column).collect::<String>())
}

fn write_group(writer: &mut SerializedFileWriter<Partial>, kinds: &[Kind], rows: &[Row]) -> Result<(), ParquetError> {
    let mut group = writer.next_row_group()?;
    for (place, kind) in kinds.iter().enumerate() {
        let cells = || rows.iter().filter_map(|row| row.0.get(place)).map(|(_, cell)| cell);
        match kind {
            Kind::Text => {
                let texts = cells().map(|cell| if let Cell::Text(text) = cell { bytes(text) } else { bytes("") });
                column::<ByteArrayType>(&mut group, &texts.collect::<Vec<_>>(), None, None)?;
            }
            Kind::Number => {
                let numbers: Vec<Option<i64>> =
                    cells().map(|cell| if let Cell::Number(number) = cell { *number } else { None }).collect();
                let levels: Vec<i16> = numbers.iter().map(|number| i16::from(number.is_some())).collect();
                let present: Vec<i64> = numbers.into_iter().flatten().collect();
                column::<Int64Type>(&mut group, &present, Some(&levels), None)?;
            }
            Kind::Messages => {
                let empty: &[Message] = &[];
                let lists: Vec<&[Message]> =
                    cells().map(|cell| if let Cell::Messages(list) = cell { list.as_slice() } else { empty }).collect();
                conversations(&mut group, &lists)?;
            }
        }
    }
    group.close()?;
    Ok(())
}

/// Writes the two leaves of a column of conversations. The first entry of a list has repetition level 0 and the others
/// 1; an entry has definition level 1 and an empty list 0.
fn conversations(group: &mut SerializedRowGroupWriter<'_, Partial>, lists: &[&[Message]]) -> Result<(), ParquetError> {
    let mut defined = Vec::new();
    let mut repeated = Vec::new();
    for list in lists {
        defined.extend(std::iter::repeat_n(1i16, list.len()));
        repeated.extend((0..list.len()).map(|place| i16::from(place > 0)));
        if list.is_empty() {
            defined.push(0);
            repeated.push(0);
        }
    }
    let messages = || lists.iter().flat_map(|list| list.iter());
    let roles: Vec<ByteArray> = messages().map(|message| bytes(role(message.role))).collect();
    let contents: Vec<ByteArray> = messages().map(|message| bytes(&message.content)).collect();
    for leaf in [roles, contents] {
        column::<ByteArrayType>(group, &leaf, Some(&defined), Some(&repeated))?;
    }
    Ok(())
}

fn role(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
    }
}

fn bytes(text: &str) -> ByteArray {
    ByteArray::from(text.as_bytes().to_vec())
}

fn column<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, Partial>,
    values: &[T::T],
    defined: Option<&[i16]>,
    repeated: Option<&[i16]>,
) -> Result<(), ParquetError> {
    let missing = || ParquetError::General("fewer columns than the schema has".to_owned());
    let mut column = group.next_column()?.ok_or_else(missing)?;
    column.typed::<T>().write_batch(values, defined, repeated)?;
    column.close()
}

#[cfg(test)]
mod tests {
    use super::*;
    use parquet::file::reader::{FileReader, SerializedFileReader};

    #[test]
    fn rows_come_back_as_they_were_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("rows.parquet");
        let columns = [("id", Kind::Text), ("time", Kind::Number), ("prompt", Kind::Messages)];
        let mut writer = ParquetRows::create(&path, &columns).expect("a file");
        for number in 0..5_000i64 {
            let talk: Vec<Message> =
                (0..number % 3).map(|turn| Message::new(Role::User, format!("{number}/{turn}"))).collect();
            let time = (number % 2 == 0).then_some(number);
            let cells = vec![
                ("id", Cell::Text(number.to_string())),
                ("time", Cell::Number(time)),
                ("prompt", Cell::Messages(talk)),
            ];
            writer.push(Row(cells)).expect("written");
        }
        assert!(!path.exists());
        writer.finish().expect("finished");
        let reader = SerializedFileReader::new(std::fs::File::open(&path).expect("the file")).expect("a parquet file");
        assert_eq!(reader.num_row_groups(), 2);
        let rows: Vec<String> =
            reader.get_row_iter(None).expect("rows").map(|row| row.expect("a row").to_string()).collect();
        assert_eq!(rows.len(), 5_000);
        assert_eq!(rows[3], "{id: \"3\", time: null, prompt: []}");
        assert_eq!(rows[4], "{id: \"4\", time: 4, prompt: [{role: \"user\", content: \"4/0\"}]}");
        assert!(
            rows[4_997].ends_with("[{role: \"user\", content: \"4997/0\"}, {role: \"user\", content: \"4997/1\"}]}"),
            "{}",
            rows[4_997]
        );
    }
}
