//! Tables with named columns.
//!
//! CSV, and lines cut at a separator. Errors name file and line.

use super::ImportError;
use super::publisher::Place;
use crate::dataset::sheet::separator_of;
use crate::files::{FileError, Reader, Source, charset};
use csv::{ByteRecord, ReaderBuilder, Terminator};
use std::path::{Path, PathBuf};

const REMEDY: &str = "fetch it from the publisher (docs/reference/datasets.md)";

/// One table, read row by row.
pub(super) struct Table {
    path: PathBuf,
    input: Input,
    columns: Vec<String>,
    /// The types that RecBole writes behind the names of columns; empty elsewhere.
    kinds: Vec<String>,
    fields: Vec<String>,
    line: u64,
    is_latin1: bool,
    lenient: bool,
    skipped: Option<(u64, u64)>,
}

/// The encoding of a file. Some publishers wrote Latin-1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// UTF-8; other bytes are an error.
    Utf8,
    /// UTF-8, or Latin-1 for lines that are not UTF-8.
    OrLatin1,
}

enum Input {
    Csv { reader: csv::Reader<Reader>, record: ByteRecord, separator: u8 },
    Lines { source: Source, separator: &'static str, encoding: Encoding, first: bool },
}

impl Table {
    /// A CSV file with a header.
    pub(super) fn csv(path: &Path) -> Result<Table, ImportError> {
        let separator = separator_of(&Source::head(path, REMEDY)?);
        let input = Source::reader(path, REMEDY)?;
        // Bare carriage returns are inside texts of some publishers, so that only a line feed ends a row.
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(separator)
            .terminator(Terminator::Any(b'\n'))
            .buffer_capacity(1 << 17)
            .from_reader(input);
        let mut table = Table::new(path, Input::Csv { reader, record: ByteRecord::new(), separator });
        table.read_header()?;
        Ok(table)
    }

    /// Lines cut at `separator`, the first one a header.
    pub(super) fn headed(path: &Path, separator: &'static str, encoding: Encoding) -> Result<Table, ImportError> {
        let source = Source::open(path, REMEDY)?;
        let mut table = Table::new(path, Input::Lines { source, separator, encoding, first: false });
        table.read_header()?;
        // RecBole writes the type of a column after its name.
        for column in &mut table.columns {
            let kind = column.split_once(':').map_or("", |(_, kind)| kind).to_owned();
            table.kinds.push(kind);
            column.truncate(column.find(':').unwrap_or(column.len()));
        }
        Ok(table)
    }

    /// Lines cut at `separator` without a header. Of several forms that of the first line's width is taken.
    pub(super) fn bare(
        path: &Path,
        separator: &'static str,
        encoding: Encoding,
        forms: &[&[&str]],
    ) -> Result<Table, ImportError> {
        let mut source = Source::open(path, REMEDY)?;
        if !source.advance()? {
            return Err(empty(path));
        }
        let found = source.lossless().0.split(separator).count();
        let Some(form) = forms.iter().find(|form| form.len() == found) else {
            let widths: Vec<String> = forms.iter().map(|form| form.len().to_string()).collect();
            let separator_text = shown(separator);
            let problem = format!("{found} fields separated by {separator_text}, expected {}", widths.join(" or "));
            return Err(source.error(problem).into());
        };
        let mut table = Table::new(path, Input::Lines { source, separator, encoding, first: true });
        table.columns = form.iter().map(|&name| name.to_owned()).collect();
        Ok(table)
    }

    fn new(path: &Path, input: Input) -> Table {
        let (columns, kinds, fields) = (Vec::new(), Vec::new(), Vec::new());
        let (path, is_latin1) = (path.to_owned(), false);
        Table { path, input, columns, kinds, fields, line: 0, is_latin1, lenient: false, skipped: None }
    }

    /// Rows of a wrong width are skipped and counted, and bytes that are no text are replaced.
    pub(super) fn lenient(mut self) -> Table {
        self.lenient = true;
        self
    }

    /// Rows that were skipped, and the line of the first.
    pub(super) fn skipped(&self) -> Option<(u64, u64)> {
        self.skipped
    }

    fn read_header(&mut self) -> Result<(), ImportError> {
        if !self.read()? {
            return Err(empty(&self.path));
        }
        self.columns = self.fields.iter().map(|name| name.trim().trim_start_matches('\u{feff}').to_owned()).collect();
        Ok(())
    }

    /// Steps to the next row; `false` at the end.
    pub(super) fn step(&mut self) -> Result<bool, ImportError> {
        loop {
            if !self.read()? {
                return Ok(false);
            }
            let (found, wanted) = (self.fields.len(), self.columns.len());
            if found == wanted {
                return Ok(true);
            }
            if found == 1 && self.fields[0].trim().is_empty() {
                continue;
            }
            if !self.lenient {
                let separator_text = match &self.input {
                    Input::Csv { separator: b',', .. } => "commas".to_owned(),
                    Input::Csv { separator, .. } => format!("`{}`", char::from(*separator)),
                    Input::Lines { separator, .. } => shown(separator),
                };
                return Err(self.error(format!("{found} fields separated by {separator_text}, expected {wanted}")));
            }
            let (count, first) = self.skipped.unwrap_or((0, self.line));
            self.skipped = Some((count + 1, first));
        }
    }

    fn read(&mut self) -> Result<bool, ImportError> {
        match &mut self.input {
            Input::Csv { reader, record, .. } => {
                reader.get_mut().begin_record();
                let start = reader.position().line();
                let more = reader.read_byte_record(record);
                self.line = record.position().map_or(self.line, csv::Position::line);
                let more = more.map_err(|problem| {
                    let problem = format!("{problem}; the file is damaged or cut off: fetch it again");
                    FileError::line(&self.path, start, problem)
                })?;
                if !more {
                    return Ok(false);
                }
            }
            Input::Lines { source, separator, encoding, first } => {
                if !std::mem::take(first) && !source.advance()? {
                    return Ok(false);
                }
                self.line = source.line();
                self.is_latin1 = false;
                match (*encoding, std::str::from_utf8(source.bytes())) {
                    (_, Ok(text)) => keep(&mut self.fields, text.split(*separator)),
                    (Encoding::OrLatin1, Err(_)) => {
                        self.is_latin1 = true;
                        keep(&mut self.fields, source.lossless().0.split(*separator));
                    }
                    (Encoding::Utf8, Err(_)) => source.text().map(|_| ())?,
                }
                return Ok(true);
            }
        }
        self.decode()?;
        Ok(true)
    }

    /// The bytes of a CSV row as text.
    fn decode(&mut self) -> Result<(), ImportError> {
        let Input::Csv { record, .. } = &self.input else { return Ok(()) };
        if self.lenient {
            let fields: Vec<String> = record.iter().map(|field| String::from_utf8_lossy(field).into_owned()).collect();
            self.fields = fields;
            return Ok(());
        }
        let mut texts = Vec::with_capacity(record.len());
        for (place, field) in record.iter().enumerate() {
            texts.push(std::str::from_utf8(field).map_err(|_| {
                let problem = charset::not_utf8(&format!("field {}", place + 1), field);
                FileError::line(&self.path, self.line, problem)
            })?);
        }
        keep(&mut self.fields, texts.into_iter());
        Ok(())
    }

    /// The position of the first of these columns.
    pub(super) fn find(&self, names: &[&str]) -> Option<usize> {
        names.iter().find_map(|name| self.columns.iter().position(|column| column == name))
    }

    /// Like [`Table::find`], for a column that must be there.
    pub(super) fn need(&self, names: &[&str]) -> Result<usize, ImportError> {
        self.find(names).ok_or_else(|| {
            let known = self.columns.join("`, `");
            let problem = format!("no column `{}`; the columns are `{known}`", names.join("` or `"));
            FileError::line(&self.path, 1, problem).into()
        })
    }

    /// The columns.
    pub(super) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The types of the columns, if the header has them.
    pub(super) fn kinds(&self) -> &[String] {
        &self.kinds
    }

    /// A field of the current row without the space around it.
    pub(super) fn get(&self, place: usize) -> &str {
        self.fields.get(place).map_or("", |field| field.trim())
    }

    /// A field of a column that may be missing; `None` also if it is empty.
    pub(super) fn filled(&self, place: Option<usize>) -> Option<&str> {
        place.map(|place| self.get(place)).filter(|field| !field.is_empty())
    }

    /// The place of the current row.
    pub(super) fn place(&self) -> Place<'_> {
        let (path, line, taken) = (self.path.as_path(), self.line, self.taken());
        Place { path, line, taken, row: &self.fields, is_latin1: self.is_latin1 }
    }

    fn taken(&self) -> u64 {
        match &self.input {
            Input::Csv { reader, .. } => reader.get_ref().taken(),
            Input::Lines { source, .. } => source.taken(),
        }
    }

    /// An error at the current row.
    pub(super) fn error(&self, problem: impl Into<String>) -> ImportError {
        FileError::line(&self.path, self.line, problem).into()
    }
}

/// Copies texts into strings that are there already: a log has many rows.
fn keep<'t>(fields: &mut Vec<String>, texts: impl Iterator<Item = &'t str>) {
    let mut count = 0;
    for text in texts {
        match fields.get_mut(count) {
            Some(field) => {
                field.clear();
                field.push_str(text);
            }
            None => fields.push(text.to_owned()),
        }
        count += 1;
    }
    fields.truncate(count);
}

fn shown(separator: &str) -> String {
    if separator == "\t" { "tabs".to_owned() } else { format!("`{separator}`") }
}

/// A file without a row.
pub(super) fn empty(path: &Path) -> ImportError {
    FileError::whole(path, "the file is empty; fetch it from the publisher again").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("t.csv");
        std::fs::write(&path, text).expect("written");
        (folder, path)
    }

    #[test]
    fn csv_rows_come_by_column_and_blank_lines_are_skipped() {
        let (_folder, path) = file(b"\xef\xbb\xbfid,name\r\n1,\"a, \"\"b\"\"\"\r\n\r\n2, c \r\n");
        let mut table = Table::csv(&path).expect("a table");
        let (id, name) = (table.need(&["id"]).expect("a column"), table.find(&["title", "name"]));
        assert!(table.step().expect("a row"));
        assert_eq!((table.get(id), table.filled(name)), ("1", Some("a, \"b\"")));
        assert!(table.step().expect("a row"));
        assert_eq!((table.get(id), table.filled(name), table.place().line), ("2", Some("c"), 4));
        assert!(!table.step().expect("the end"));
        let problem = table.need(&["year"]).expect_err("no column").to_string();
        assert!(problem.ends_with("t.csv:1: no column `year`; the columns are `id`, `name`"), "{problem}");
    }

    #[test]
    fn wrong_rows_are_reported_or_skipped() {
        let (_folder, path) = file(b"id,name\n1\n2,b\n3,\xff\n");
        let mut table = Table::csv(&path).expect("a table");
        let problem = table.step().expect_err("wrong").to_string();
        assert!(problem.ends_with("t.csv:2: 1 fields separated by commas, expected 2"), "{problem}");
        let mut table = Table::csv(&path).expect("a table");
        while table.step().is_err() && table.line < 3 {}
        let problem = table.step().and_then(|_| table.step()).expect_err("no text").to_string();
        assert!(problem.contains("t.csv:4: field 2 is not UTF-8"), "{problem}");
        let mut table = Table::csv(&path).expect("a table").lenient();
        while table.step().expect("rows") {}
        assert_eq!(table.skipped(), Some((1, 2)));
    }

    #[test]
    fn a_record_without_an_end_is_refused() {
        let mut text = b"id,name\n1,a\n2,\"b\n".to_vec();
        text.resize(Reader::LONGEST_RECORD + (1 << 18), b'x');
        let (_folder, path) = file(&text);
        let mut table = Table::csv(&path).expect("a table");
        assert!(table.step().expect("a row"));
        let problem = table.step().expect_err("too long").to_string();
        assert!(problem.contains("t.csv:3: the record is longer than 16 MiB; is a quote not closed?"), "{problem}");
    }

    #[test]
    fn lines_take_the_form_of_their_width() {
        let (_folder, path) = file(b"1::F::x\n2::M::\xe9\n");
        let mut table = Table::bare(&path, "::", Encoding::OrLatin1, &[&["id", "twitter"], &["id", "sex", "job"]])
            .expect("a table");
        let job = table.need(&["job"]).expect("a column");
        assert!(table.step().expect("a row") && table.step().expect("a row"));
        assert_eq!(table.get(job), "é");
        let problem = Table::bare(&path, "::", Encoding::OrLatin1, &[&["id"]]).err().expect("wrong").to_string();
        assert!(problem.ends_with("t.csv:1: 3 fields separated by `::`, expected 1"), "{problem}");
    }
}
