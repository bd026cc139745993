//! A table as CSV, JSON and Parquet.
//!
//! Columns and numbers are the same in all formats. An undefined value is an empty field, `null`, and a null.
//!
//! JSON is an array with one object a row, one row a line.

use super::ResultsError;
use crate::files::spreadsheet::as_cell;
use serde::Serialize;
use std::borrow::Cow;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// The folder of the formats for programs.
const TABLES: &str = "tables";

/// The content of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// Text, never missing.
    Text,
    /// Whole numbers.
    Whole,
    /// Numbers.
    Number,
}

/// One field of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'a> {
    /// Of a column of text.
    Text(&'a str),
    /// Of a column of whole numbers.
    Whole(Option<i64>),
    /// Of a column of numbers.
    Number(Option<f64>),
}

/// A row of a table: its fields, serialised by name, are its columns.
pub trait TableRow: Serialize {
    /// Name and kind of each field, in the order of the fields.
    const COLUMNS: &'static [(&'static str, ColumnKind)];

    /// The fields, in order.
    fn cells(&self) -> Vec<Cell<'_>>;
}

impl<R: TableRow> TableRow for &R {
    const COLUMNS: &'static [(&'static str, ColumnKind)] = R::COLUMNS;

    fn cells(&self) -> Vec<Cell<'_>> {
        (*self).cells()
    }
}

/// Implements [`TableRow`] for a struct: its fields in order, each with the kind of its column.
macro_rules! table_row {
    ($row:ty { $($field:ident: $kind:ident),* $(,)? }) => {
        impl $crate::experiment::results::files::TableRow for $row {
            const COLUMNS: &'static [(&'static str, $crate::experiment::results::files::ColumnKind)] =
                &[$((stringify!($field), $crate::experiment::results::files::ColumnKind::$kind)),*];

            fn cells(&self) -> Vec<$crate::experiment::results::files::Cell<'_>> {
                vec![$($crate::experiment::results::files::Cell::from(&self.$field)),*]
            }
        }
    };
}
pub(crate) use table_row;

impl<'a> From<&'a String> for Cell<'a> {
    fn from(text: &'a String) -> Self {
        Cell::Text(text)
    }
}

impl<'a> From<&'a &'a str> for Cell<'a> {
    fn from(text: &'a &'a str) -> Self {
        Cell::Text(text)
    }
}

impl From<&u32> for Cell<'_> {
    fn from(number: &u32) -> Self {
        Cell::Whole(Some(i64::from(*number)))
    }
}

impl From<&usize> for Cell<'_> {
    fn from(number: &usize) -> Self {
        Cell::Whole(i64::try_from(*number).ok())
    }
}

impl From<&Option<u64>> for Cell<'_> {
    fn from(number: &Option<u64>) -> Self {
        Cell::Whole(number.and_then(|number| i64::try_from(number).ok()))
    }
}

impl From<&f64> for Cell<'_> {
    fn from(number: &f64) -> Self {
        Cell::Number(Some(*number))
    }
}

impl From<&Option<f64>> for Cell<'_> {
    fn from(number: &Option<f64>) -> Self {
        Cell::Number(*number)
    }
}

/// The formats of a table, by the extension of its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableFormat {
    /// `.csv`
    Csv,
    /// `.json`
    Json,
    /// `.parquet`; needs the feature `parquet`.
    #[cfg(feature = "parquet")]
    Parquet,
}

impl TableFormat {
    /// All formats of this build.
    pub const ALL: &'static [TableFormat] = &[
        TableFormat::Csv,
        TableFormat::Json,
        #[cfg(feature = "parquet")]
        TableFormat::Parquet,
    ];

    /// The extension of its files.
    pub fn extension(self) -> &'static str {
        match self {
            TableFormat::Csv => "csv",
            TableFormat::Json => "json",
            #[cfg(feature = "parquet")]
            TableFormat::Parquet => "parquet",
        }
    }

    /// The format for the extension of a path.
    pub fn of(path: &Path) -> Option<TableFormat> {
        let extension = path.extension()?.to_str()?;
        TableFormat::ALL.iter().copied().find(|format| format.extension() == extension)
    }
}

/// Writes a table in all formats into an existing folder: `NAME.csv`, and `NAME.json` and `NAME.parquet` in its folder
/// `tables`. A build without the feature `parquet` writes no Parquet.
///
/// # Errors
/// When a file cannot be written.
pub fn write_tables<R: TableRow>(folder: &Path, name: &str, rows: &[R]) -> Result<(), ResultsError> {
    TableFormat::ALL.iter().try_for_each(|&format| write_table_file(folder, name, format, rows))
}

/// Writes a table in one format to its place in the folder of a run.
///
/// # Errors
/// When the file cannot be written.
pub fn write_table_file<R: TableRow>(
    folder: &Path,
    name: &str,
    format: TableFormat,
    rows: impl IntoIterator<Item = R>,
) -> Result<(), ResultsError> {
    let folder = if format == TableFormat::Csv { folder.to_owned() } else { folder.join(TABLES) };
    let path = folder.join(format!("{name}.{}", format.extension()));
    let fail = |problem: String| ResultsError::Write { path: path.clone(), problem };
    let made = if format == TableFormat::Csv { Ok(()) } else { std::fs::create_dir_all(&folder) };
    let file = made.and_then(|()| File::create(&path)).map_err(|problem| fail(problem.to_string()))?;
    write_table(BufWriter::new(file), format, rows).map_err(fail)
}

/// Writes a table in one format.
///
/// # Errors
/// The problem in words, if writing fails.
pub fn write_table<R: TableRow>(
    target: impl Write + Send,
    format: TableFormat,
    rows: impl IntoIterator<Item = R>,
) -> Result<(), String> {
    match format {
        TableFormat::Csv => write_csv(target, rows).map_err(|problem| problem.to_string()),
        TableFormat::Json => write_json(target, rows).map_err(|problem| problem.to_string()),
        #[cfg(feature = "parquet")]
        TableFormat::Parquet => super::parquet_table::write(target, rows).map_err(|problem| problem.to_string()),
    }
}

/// The header is written by hand, because a table without rows has one too. Text that a spreadsheet would take for a
/// formula is guarded ([`crate::files::spreadsheet`]).
fn write_csv<R: TableRow>(target: impl Write, rows: impl IntoIterator<Item = R>) -> Result<(), csv::Error> {
    let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(target);
    writer.write_record(R::COLUMNS.iter().map(|column| column.0))?;
    for row in rows {
        writer.write_record(
            row.cells().into_iter().map(csv_text).collect::<Vec<_>>().iter().map(|cell| cell.as_bytes()),
        )?;
    }
    writer.flush()?;
    Ok(())
}

/// A cell of a CSV file: numbers as in JSON; empty if undefined.
fn csv_text(cell: Cell<'_>) -> Cow<'_, str> {
    match cell {
        Cell::Text(text) => as_cell(text),
        Cell::Whole(number) => number.map(|number| number.to_string()).unwrap_or_default().into(),
        Cell::Number(number) => {
            number.and_then(|number| serde_json::to_string(&number).ok()).unwrap_or_default().into()
        }
    }
}

fn write_json<R: TableRow>(mut target: impl Write, rows: impl IntoIterator<Item = R>) -> std::io::Result<()> {
    target.write_all(b"[")?;
    for (place, row) in rows.into_iter().enumerate() {
        target.write_all(if place == 0 { b"\n" } else { b",\n" })?;
        serde_json::to_writer(&mut target, &row)?;
    }
    target.write_all(b"\n]\n")?;
    target.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use std::fs::read_to_string;

    #[derive(Serialize)]
    struct Row {
        name: String,
        metric: &'static str,
        tick: u32,
        count: Option<u64>,
        value: Option<f64>,
    }

    table_row!(Row { name: Text, metric: Text, tick: Whole, count: Whole, value: Number });

    fn rows() -> [Row; 2] {
        [
            Row { name: "a,\"b".to_owned(), metric: "gini", tick: 0, count: None, value: Some(0.1) },
            Row { name: "c".to_owned(), metric: "gini", tick: 4_000_000_000, count: Some(7), value: None },
        ]
    }

    #[test]
    fn three_formats_with_the_same_numbers() {
        let folder = tempfile::tempdir().unwrap();
        write_tables(folder.path(), "t", &rows()).unwrap();
        let csv = read_to_string(folder.path().join("t.csv")).unwrap();
        assert_eq!(csv, "name,metric,tick,count,value\n\"a,\"\"b\",gini,0,,0.1\nc,gini,4000000000,7,\n");
        let json: serde_json::Value =
            serde_json::from_str(&read_to_string(folder.path().join("tables/t.json")).unwrap()).unwrap();
        assert_eq!(
            json[0],
            serde_json::json!({"name": "a,\"b", "metric": "gini", "tick": 0, "count": null, "value": 0.1})
        );
        assert_eq!(json[1]["count"], 7);
        let reader = SerializedFileReader::new(File::open(folder.path().join("tables/t.parquet")).unwrap()).unwrap();
        let read: Vec<String> = reader.get_row_iter(None).unwrap().map(|row| row.unwrap().to_string()).collect();
        assert_eq!(read[0], "{name: \"a,\"b\", metric: \"gini\", tick: 0, count: null, value: 0.1}");
        assert_eq!(read[1], "{name: \"c\", metric: \"gini\", tick: 4000000000, count: 7, value: null}");
    }

    #[test]
    fn text_is_no_formula_and_numbers_stay_numbers() {
        let row = Row { name: "=1+1".to_owned(), metric: "-x", tick: 1, count: Some(2), value: Some(-0.5) };
        let mut csv = Vec::new();
        write_table(&mut csv, TableFormat::Csv, [&row]).unwrap();
        assert_eq!(String::from_utf8(csv).unwrap(), "name,metric,tick,count,value\n'=1+1,'-x,1,2,-0.5\n");
        let mut json = Vec::new();
        write_table(&mut json, TableFormat::Json, [&row]).unwrap();
        assert!(String::from_utf8(json).unwrap().contains("\"=1+1\""));
    }

    #[test]
    fn numbers_are_read_back_as_they_were() {
        for number in [0.1, 1.0, 1e-5, 1e16, 123456789.125, f64::MIN_POSITIVE, -1.0 / 3.0] {
            assert_eq!(csv_text(Cell::Number(Some(number))).parse::<f64>().unwrap().to_bits(), number.to_bits());
        }
    }

    #[test]
    fn a_table_without_rows() {
        let folder = tempfile::tempdir().unwrap();
        write_tables::<Row>(folder.path(), "t", &[]).unwrap();
        assert_eq!(read_to_string(folder.path().join("t.csv")).unwrap(), "name,metric,tick,count,value\n");
        let json: Vec<serde_json::Value> =
            serde_json::from_str(&read_to_string(folder.path().join("tables/t.json")).unwrap()).unwrap();
        assert!(json.is_empty());
        let reader = SerializedFileReader::new(File::open(folder.path().join("tables/t.parquet")).unwrap()).unwrap();
        assert_eq!(reader.metadata().file_metadata().num_rows(), 0);
    }

    #[test]
    fn the_extension_determines_the_format() {
        assert_eq!(TableFormat::of(Path::new("a/b.json")), Some(TableFormat::Json));
        assert_eq!(TableFormat::of(Path::new("a/b.txt")), None);
        assert_eq!(TableFormat::of(Path::new("csv")), None);
    }
}
