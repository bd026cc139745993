//! Tables of any form, row by row.
//!
//! Text cut at a separator, JSON lines, Parquet; gzip and zstd are unpacked.
//!
//! The first bytes of a file decide its format, not its name. Errors name file and line (for Parquet: the row).

#[cfg(feature = "parquet")]
mod columnar;
mod delimited;
#[cfg(not(feature = "parquet"))]
mod no_columnar;
mod object;

pub(super) use self::delimited::separator_of;

#[cfg(not(feature = "parquet"))]
use self::no_columnar as columnar;

use super::MemoryTable;
use crate::files::{FileError, Source};
use serde_json::{Number, Value};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Words that mean "no value", besides nothing at all.
pub(super) const MISSING: [&str; 8] = ["nan", "NaN", "NA", "N/A", "null", "NULL", "None", "\\N"];

/// One field of a row.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    /// No value.
    Missing,
    /// A text, a number or a truth value in the file's spelling.
    Text(String),
    /// Several values.
    List(Vec<String>),
    /// Microseconds since 1970, if the file declares a time.
    Time(i64),
}

impl Cell {
    /// The cell in the file's spelling, without surrounding space; empty for missing values and lists.
    pub(super) fn text(&self) -> &str {
        match self {
            Cell::Text(text) => text.trim(),
            _ => "",
        }
    }

    /// True if the cell has a value. Words like `NaN` are none.
    pub(super) fn is_filled(&self) -> bool {
        match self {
            Cell::Missing => false,
            Cell::Text(text) => !is_missing(text.trim()),
            Cell::List(_) | Cell::Time(_) => true,
        }
    }

    /// Overwrites the cell with a text in the memory that it has.
    pub(super) fn write(&mut self, text: &str) {
        match self {
            Cell::Text(old) => {
                old.clear();
                old.push_str(text);
            }
            _ => *self = Cell::Text(text.to_owned()),
        }
    }
}

/// True if a text means "no value".
pub(super) fn is_missing(text: &str) -> bool {
    text.is_empty() || MISSING.contains(&text)
}

/// The source of the rows.
enum Input {
    Delimited(delimited::Delimited),
    Objects(object::Objects),
    Columnar(columnar::Columnar),
    /// A table in memory, and how many of its rows were read.
    Memory(Arc<dyn MemoryTable>, usize),
}

/// The form of a text table, if the table itself does not state it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Form<'f> {
    /// The separator of fields; `None`: the first line decides between `,`, `;`, `|` and tabs.
    pub(super) separator: Option<u8>,
    /// The names of the columns of a table without a header line.
    pub(super) header: Option<&'f [String]>,
    /// True if columns of numbers without a header may be those of a log.
    pub(super) is_maybe_log: bool,
    /// True if quotes are letters like any other.
    pub(super) is_unquoted: bool,
    /// True if records in the records of JSON lines have columns of their own, named by their path: `event.user.id`.
    pub(super) is_nested: bool,
}

/// One table, read row by row.
pub(super) struct Sheet {
    path: PathBuf,
    input: Input,
    columns: Vec<String>,
    cells: Vec<Cell>,
    line: u64,
}

impl Sheet {
    /// Opens a table whose first line is its header.
    ///
    /// # Errors
    /// When the file cannot be read, is empty, or its first line is no header.
    pub(super) fn open(path: &Path) -> Result<Sheet, FileError> {
        Sheet::open_as(path, Form::default())
    }

    /// Opens a table that is written in a `form`.
    ///
    /// # Errors
    /// As [`Sheet::open`], and when the first row has another number of fields than the header of the form.
    pub(super) fn open_as(path: &Path, form: Form<'_>) -> Result<Sheet, FileError> {
        let head = Source::head(path, "set `data.path` to a file or folder that is there")?;
        let first = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&head).iter().find(|byte| !byte.is_ascii_whitespace());
        let mut columns = Vec::new();
        let input = match first {
            None => return Err(FileError::whole(path, "the file is empty: it holds no interactions")),
            Some(_) if head.starts_with(b"PAR1") => Input::Columnar(columnar::Columnar::open(path, &mut columns)?),
            Some(b'{') => Input::Objects(object::Objects::open(path, form, &mut columns)?),
            Some(b'[') => {
                let message = "the file is one JSON value; write one record a line (`jq -c '.[]'`)";
                return Err(FileError::whole(path, message));
            }
            Some(_) => Input::Delimited(delimited::Delimited::open(path, &head, form, &mut columns)?),
        };
        Ok(Sheet { path: path.to_owned(), input, cells: vec![Cell::Missing; columns.len()], columns, line: 1 })
    }

    /// A table in memory; rows count from 1, for it has no header.
    ///
    /// # Errors
    /// When a column is there twice.
    pub(super) fn of(name: &Path, table: Arc<dyn MemoryTable>) -> Result<Sheet, FileError> {
        let columns = table.columns().to_vec();
        if let Some(twice) = columns.iter().enumerate().find(|(at, column)| columns[..*at].contains(column)) {
            return Err(FileError::whole(name, format!("the column `{}` occurs twice", twice.1)));
        }
        let cells = vec![Cell::Missing; columns.len()];
        Ok(Sheet { path: name.to_owned(), input: Input::Memory(table, 0), cells, columns, line: 0 })
    }

    /// The names of the columns. JSON lines add columns when a record has a new name.
    pub(super) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Steps to the next row; `false` at the end.
    ///
    /// # Errors
    /// When the file is damaged, or a row has another number of fields than the header.
    pub(super) fn step(&mut self) -> Result<bool, FileError> {
        match &mut self.input {
            Input::Delimited(input) => input.step(&self.path, &mut self.cells, &mut self.line),
            Input::Objects(input) => input.step(&mut self.columns, &mut self.cells, &mut self.line),
            Input::Columnar(input) => input.step(&self.path, &mut self.cells, &mut self.line),
            Input::Memory(table, read) if *read < table.rows() => {
                for (column, cell) in self.cells.iter_mut().enumerate() {
                    table.value(*read, column).write(cell);
                }
                *read += 1;
                self.line += 1;
                Ok(true)
            }
            Input::Memory(..) => Ok(false),
        }
    }

    /// A field of the current row.
    pub(super) fn cell(&self, place: usize) -> &Cell {
        self.cells.get(place).unwrap_or(&Cell::Missing)
    }

    /// A field as text without surrounding space; empty without a value.
    pub(super) fn text(&self, place: usize) -> &str {
        self.cell(place).text()
    }

    /// A field as a finite number, also with a decimal comma where commas separate nothing.
    ///
    /// # Errors
    /// When it is none; `what` it should be.
    pub(super) fn number(&self, place: usize, what: &str) -> Result<f64, FileError> {
        let text = self.text(place);
        let number = number(text, self.has_decimal_commas());
        // Ratings and fields are kept as f32.
        number
            .filter(|number| (*number as f32).is_finite())
            .ok_or_else(|| self.error(format!("{what} `{text}` is not a finite number")))
    }

    /// A field as a value of JSON: a number if it is written as one without leading zeros. `None` if missing.
    pub(super) fn value(&self, place: usize) -> Option<Value> {
        let cell = self.cell(place);
        if !cell.is_filled() {
            return None;
        }
        Some(match cell {
            Cell::List(entries) => Value::Array(entries.iter().map(|entry| value(entry, false)).collect()),
            Cell::Time(micros) => Value::from(crate::dataset::clock::written(micros.div_euclid(1_000_000))),
            _ => value(cell.text(), self.has_decimal_commas()),
        })
    }

    fn has_decimal_commas(&self) -> bool {
        matches!(&self.input, Input::Delimited(input) if input.separator() != b',')
    }

    /// True if the table has no header and its columns were named by their content.
    pub(super) fn is_guessed(&self) -> bool {
        matches!(&self.input, Input::Delimited(input) if input.is_guessed())
    }

    /// The line of the current row, counted from 1.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// Bytes read from the file so far; 0 for Parquet and for tables in memory.
    pub(super) fn taken(&self) -> u64 {
        match &self.input {
            Input::Delimited(input) => input.taken(),
            Input::Objects(input) => input.taken(),
            Input::Columnar(_) | Input::Memory(..) => 0,
        }
    }

    /// An error at the current row.
    pub(super) fn error(&self, problem: impl Into<String>) -> FileError {
        FileError::line(&self.path, self.line, problem)
    }
}

/// A value of JSON: a number where the text is written as one without leading zeros.
pub(super) fn value(text: &str, decimal_comma: bool) -> Value {
    let is_code =
        text.trim_start_matches('-').starts_with('0') && text.len() > 1 && !text.contains(['.', ',', 'e', 'E']);
    if is_code {
        return Value::from(text);
    }
    if let Ok(whole) = text.parse::<i64>() {
        return Value::from(whole);
    }
    let read = number(text, decimal_comma).and_then(Number::from_f64);
    read.map_or_else(|| Value::from(text), Value::Number)
}

/// A finite number; `4,5` is one where commas separate nothing.
pub(super) fn number(text: &str, decimal_comma: bool) -> Option<f64> {
    let starts = text.as_bytes().first().is_some_and(|first| first.is_ascii_digit() || b"+-.".contains(first));
    if !starts {
        return None;
    }
    let read = match text.parse::<f64>() {
        Err(_) if decimal_comma && text.matches(',').count() == 1 && !text.contains('.') => {
            text.replacen(',', ".", 1).parse()
        }
        read => read,
    };
    read.ok().filter(|number: &f64| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    type Read = (Vec<String>, Vec<(u64, Vec<Cell>)>);

    fn rows(name: &str, bytes: &[u8]) -> Result<Read, FileError> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("written");
        let mut sheet = Sheet::open(&path)?;
        let mut rows = Vec::new();
        while sheet.step()? {
            rows.push((sheet.line(), sheet.cells.clone()));
        }
        Ok((sheet.columns.clone(), rows))
    }

    #[test]
    fn quotes_hold_commas_quotes_and_line_breaks() {
        let (columns, rows) =
            rows("t.csv", b"\xef\xbb\xbfid,name\r\n\"00,1\",\"a \"\"b\"\"\nc\"\r\n\r\n2,d\r\n").expect("rows");
        assert_eq!(columns, ["id", "name"]);
        assert_eq!((rows[0].0, rows[0].1[0].text(), rows[0].1[1].text()), (2, "00,1", "a \"b\"\nc"));
        assert_eq!((rows[1].0, rows[1].1[1].text()), (5, "d"));
    }

    #[test]
    fn separators_and_line_ends_are_seen() {
        for (bytes, wanted) in
            [(&b"u;r\na;4,5\n"[..], "4,5"), (b"u\tr\na\t4,5\n", "4,5"), (b"u|r\na|x,y\n", "x,y"), (b"u,r\ra,7\r", "7")]
        {
            let (columns, rows) = rows("t.csv", bytes).expect("rows");
            assert_eq!((columns, rows[0].1[1].text()), (vec!["u".to_owned(), "r".to_owned()], wanted));
        }
        assert_eq!((number("4,5", true), number("4,5", false), number("nan", true)), (Some(4.5), None, None));
        assert_eq!((number("1,000,000", true), number("-1.5e3", false)), (None, Some(-1500.0)));
    }

    #[test]
    fn quotes_between_tabs_do_not_swallow_rows_silently() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("log.tsv");
        std::fs::write(&path, "user\titem\ttrack\na\t1\t\"Heroes\nb\t2\tx\nc\t3\t\"Low\nd\t4\ty\n").expect("written");
        let mut sheet = Sheet::open(&path).expect("a sheet");
        let problem = sheet.step().expect_err("rows are swallowed").to_string();
        assert!(
            problem.contains("log.tsv:2: a quote opens in field 3") && problem.contains("`quotes = false`"),
            "{problem}"
        );
        let form = Form { is_unquoted: true, ..Form::default() };
        let mut sheet = Sheet::open_as(&path, form).expect("a sheet");
        let mut tracks = Vec::new();
        while sheet.step().expect("a row") {
            tracks.push(sheet.text(2).to_owned());
        }
        assert_eq!(tracks, ["\"Heroes", "x", "\"Low", "y"]);
    }

    #[test]
    fn json_lines_give_columns_in_their_order_and_add_new_ones() {
        let text =
            b"{\"u\": \"a\", \"tags\": [\"x\", 7], \"n\": null}\n{\"u\": 3, \"late\": true, \"deep\": {\"a\": 1}}\n";
        let (columns, rows) = rows("t.jsonl", text).expect("rows");
        assert_eq!(columns, ["u", "tags", "n", "late", "deep"]);
        assert_eq!(rows[0].1[1], Cell::List(vec!["x".to_owned(), "7".to_owned()]));
        assert_eq!(rows[0].1[2], Cell::Missing);
        assert_eq!((rows[1].1[0].text(), rows[1].1[3].text(), rows[1].1[4].text()), ("3", "true", "{\"a\":1}"));
    }

    #[test]
    fn records_in_records_have_columns_by_their_path_where_asked() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("log.jsonl");
        std::fs::write(&path, "{\"event\": {\"user\": {\"id\": \"u\"}, \"tags\": [1]}, \"n\": 2}\n{\"event\": null}\n")
            .expect("written");
        let mut sheet = Sheet::open_as(&path, Form { is_nested: true, ..Form::default() }).expect("a sheet");
        assert_eq!(sheet.columns(), ["event.tags", "event.user.id", "n"]);
        assert!(sheet.step().expect("a row"));
        assert_eq!((sheet.text(1), sheet.cell(0), sheet.text(2)), ("u", &Cell::List(vec!["1".to_owned()]), "2"));
        assert!(sheet.step().expect("a row"));
        assert_eq!(sheet.cell(1), &Cell::Missing);
        // As deep as the parser goes.
        std::fs::write(&path, format!("{}1{}\n", "{\"a\":".repeat(100), "}".repeat(100))).expect("written");
        let sheet = Sheet::open_as(&path, Form { is_nested: true, ..Form::default() }).expect("a sheet");
        assert_eq!(sheet.columns()[0].matches("a.").count(), object::DEEPEST);
    }

    #[test]
    fn wrong_files_are_told_with_their_line() {
        let problem = |bytes: &[u8]| rows("t.csv", bytes).expect_err("wrong").to_string();
        assert!(problem(b"u,i\n1\n").contains("t.csv:2: 1 fields separated by `,`, the header has 2"));
        assert!(problem(b"u,i\n1,\xb5\xe7\xd3\xb0\n").contains("t.csv:2: field 2 is not UTF-8, it looks like GBK"));
        assert!(problem(b"u,i,u\n").contains("t.csv:1: the column `u` occurs twice"));
        assert!(problem(b"1,2,3\n4,5,6\n").contains("t.csv:1: the first line is no header"));
        assert!(problem(b" \n").contains("the file is empty"));
        assert!(problem(b"u,i\n1,2\nu,i\n3,4\n").contains("t.csv:3: the header line occurs again"));
        assert!(problem(b"[{\"u\": 1}]").contains("one record a line"));
        assert!(problem(b"{\"u\": 1}\n[2]\n").contains("t.csv:2:"));
        assert!(problem(b"{\n \"u\": 1\n}\n").contains("write one record a line"));
    }

    #[test]
    fn codes_with_leading_zeros_stay_text() {
        assert_eq!(value("0012", false), Value::from("0012"));
        assert_eq!((value("0", false), value("0.5", false), value("-3", false)), (0.into(), 0.5.into(), (-3).into()));
        assert_eq!((value("4,5", true), value("4,5", false)), (4.5.into(), "4,5".into()));
    }
}
