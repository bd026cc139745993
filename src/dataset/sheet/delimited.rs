//! Text cut at a separator, with a header and quotes.

use super::{Cell, Form, number};
use crate::files::{FileError, Reader, Source, charset};
use csv::{ByteRecord, ReaderBuilder, Terminator};
use std::path::Path;

/// Separators that the header decides between, the likeliest first.
const SEPARATORS: [u8; 4] = [b',', b';', b'\t', b'|'];

pub(super) struct Delimited {
    reader: csv::Reader<Reader>,
    record: ByteRecord,
    separator: u8,
    /// The names of the columns, where the first line has them.
    header: ByteRecord,
    /// True while the first record, which is a row and no header, waits to be given.
    is_held: bool,
    is_guessed: bool,
}

impl Delimited {
    pub(super) fn open(
        path: &Path,
        head: &[u8],
        form: Form<'_>,
        columns: &mut Vec<String>,
    ) -> Result<Delimited, FileError> {
        let separator = form.separator.unwrap_or_else(|| separator_of(head));
        // Old programs end lines with a carriage return alone; elsewhere it may be inside texts.
        let end = if head.contains(&b'\r') && !head.contains(&b'\n') { b'\r' } else { b'\n' };
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(separator)
            .terminator(Terminator::Any(end))
            .quoting(!form.is_unquoted)
            .buffer_capacity(1 << 17)
            .from_reader(Source::reader(path, "")?);
        let record = ByteRecord::new();
        let header = ByteRecord::new();
        let mut input = Delimited { reader, record, separator, header, is_held: false, is_guessed: false };
        let (mut cells, mut line) = (Vec::new(), 1);
        input.read(path, &mut cells, &mut line)?;
        let first: Vec<String> =
            cells.iter().map(|cell| cell.text().trim_start_matches('\u{feff}').trim().to_owned()).collect();
        let may_guess = form.header.is_none() && form.is_maybe_log;
        let guessed = if may_guess { columns_without_header(&first) } else { None };
        (input.is_guessed, input.is_held) = (guessed.is_some(), guessed.is_some() || form.header.is_some());
        *columns = match (form.header, guessed) {
            (Some(header), _) => named(path, header, &first)?,
            (None, Some(guessed)) => guessed,
            (None, None) => first,
        };
        check(path, columns)?;
        if !input.is_held {
            input.header = input.record.clone();
        }
        Ok(input)
    }

    pub(super) fn is_guessed(&self) -> bool {
        self.is_guessed
    }

    pub(super) fn separator(&self) -> u8 {
        self.separator
    }

    pub(super) fn taken(&self) -> u64 {
        self.reader.get_ref().taken()
    }

    pub(super) fn step(&mut self, path: &Path, cells: &mut Vec<Cell>, line: &mut u64) -> Result<bool, FileError> {
        let wanted = cells.len();
        loop {
            if std::mem::take(&mut self.is_held) {
                self.fill(path, cells, line)?;
            } else if !self.read(path, cells, line)? {
                return Ok(false);
            }
            let found = self.record.len();
            if found == wanted {
                return self.check_header(path, *line);
            }
            if found == 1 && cells.first().is_some_and(|cell| cell.text().is_empty()) {
                cells.resize(wanted, Cell::Missing);
                continue;
            }
            let separator_text = shown(self.separator);
            let problem = format!("{found} fields separated by {separator_text}, the header has {wanted}");
            return Err(FileError::line(path, *line, problem));
        }
    }

    fn read(&mut self, path: &Path, cells: &mut Vec<Cell>, line: &mut u64) -> Result<bool, FileError> {
        self.reader.get_mut().begin_record();
        let start = self.reader.position().line();
        let more = self.reader.read_byte_record(&mut self.record).map_err(|problem| {
            FileError::line(path, start, format!("{problem}; the file is damaged or cut off: fetch it again"))
        })?;
        if !more {
            return Ok(false);
        }
        *line = start;
        self.fill(path, cells, line)?;
        Ok(true)
    }

    /// Writes the fields of the record into `cells`.
    fn fill(&self, path: &Path, cells: &mut Vec<Cell>, line: &mut u64) -> Result<(), FileError> {
        *line = self.record.position().map_or(*line, csv::Position::line);
        cells.resize(self.record.len(), Cell::Missing);
        for (place, (cell, field)) in cells.iter_mut().zip(&self.record).enumerate() {
            self.check_quotes(path, place, field, *line)?;
            let text = std::str::from_utf8(field)
                .map_err(|_| FileError::line(path, *line, charset::not_utf8(&format!("field {}", place + 1), field)))?;
            cell.write(text);
        }
        if let Some(Cell::Text(first)) = cells.first_mut().filter(|_| *line == 1) {
            *first = first.trim_start_matches('\u{feff}').to_owned();
        }
        Ok(())
    }
}

impl Delimited {
    /// Refuses the header line as a row: files that are put one behind the other hold it again, and its names are no ids.
    fn check_header(&self, path: &Path, line: u64) -> Result<bool, FileError> {
        let is_header = !self.header.is_empty() && self.record.iter().eq(self.header.iter());
        if is_header && line > 1 {
            let problem =
                "the header line occurs again; take it out, and give several files as parts of one log instead";
            return Err(FileError::line(path, line, problem));
        }
        Ok(true)
    }

    /// Refuses a field that seems to hold rows. In tables with tabs quotes are often letters of a text: where one opens a
    /// field, all rows up to the next one would be lost.
    fn check_quotes(&self, path: &Path, place: usize, field: &[u8], line: u64) -> Result<(), FileError> {
        if self.separator != b'\t' || !field.contains(&b'\n') || !field.contains(&b'\t') {
            return Ok(());
        }
        let lines = field.iter().filter(|&&byte| byte == b'\n').count();
        let problem = format!(
            "a quote opens in field {} and the field holds {lines} line ends with tabs; write `quotes = false` in data.toml if \
             quotes are letters of the texts here",
            place + 1
        );
        Err(FileError::line(path, line, problem))
    }
}

/// The separator that stands most often in the first line, outside quotes.
pub(in crate::dataset) fn separator_of(head: &[u8]) -> u8 {
    let first = head.split(|&byte| byte == b'\n' || byte == b'\r').find(|line| !line.is_empty()).unwrap_or_default();
    let mut counts = [0_usize; SEPARATORS.len()];
    let mut quoted = false;
    for byte in first {
        quoted ^= *byte == b'"';
        if let Some(place) = SEPARATORS.iter().position(|separator| separator == byte).filter(|_| !quoted) {
            counts[place] += 1;
        }
    }
    let best = (0..SEPARATORS.len()).rev().max_by_key(|&place| counts[place]).unwrap_or(0);
    SEPARATORS[best]
}

fn shown(separator: u8) -> String {
    if separator == b'\t' { "tabs".to_owned() } else { format!("`{}`", char::from(separator)) }
}

/// The columns of a log without a header line: user, item, then a rating or a time, or both, all numbers. A time is above
/// 10^8.
fn columns_without_header(first: &[String]) -> Option<Vec<String>> {
    let numbers: Vec<f64> = first.iter().map(|text| number(text, false)).collect::<Option<_>>()?;
    let is_time = |at: usize| numbers[at] > 1e8;
    let rest: &[&str] = match numbers.len() {
        3 if is_time(2) => &["timestamp"],
        3 => &["rating"],
        4 if is_time(3) && !is_time(2) => &["rating", "timestamp"],
        _ => return None,
    };
    Some(["user_id", "item_id"].iter().chain(rest).map(|&name| name.to_owned()).collect())
}

/// The columns of a table without a header line, as data.toml names them.
fn named(path: &Path, header: &[String], first: &[String]) -> Result<Vec<String>, FileError> {
    if header.len() == first.len() {
        return Ok(header.to_vec());
    }
    let (named, found) = (header.len(), first.len());
    let problem = format!("`header` in data.toml names {named} columns, and the first row has {found} fields");
    Err(FileError::line(path, 1, problem))
}

fn check(path: &Path, columns: &[String]) -> Result<(), FileError> {
    if columns.iter().all(|name| name.is_empty() || super::number(name, true).is_some()) {
        let problem = "the first line is no header; write the names of the columns there (`user_id,item_id,...`), or name \
                       them in data.toml (`header = [\"user_id\", \"item_id\", ...]`)";
        return Err(FileError::line(path, 1, problem));
    }
    let twice = (1..columns.len()).find(|&at| !columns[at].is_empty() && columns[..at].contains(&columns[at]));
    match twice {
        Some(at) => Err(FileError::line(path, 1, format!("the column `{}` occurs twice", columns[at]))),
        None => Ok(()),
    }
}
