//! Text cut at a separator, with a header and quotes.

use super::Cell;
use crate::files::{FileError, Reader, Source, charset};
use csv::{ByteRecord, ReaderBuilder, Terminator};
use std::path::Path;

/// Separators that the header decides between, the likeliest first.
const SEPARATORS: [u8; 4] = [b',', b';', b'\t', b'|'];

pub(super) struct Delimited {
    reader: csv::Reader<Reader>,
    record: ByteRecord,
    separator: u8,
}

impl Delimited {
    pub(super) fn open(
        path: &Path,
        head: &[u8],
        separator: Option<u8>,
        columns: &mut Vec<String>,
    ) -> Result<Delimited, FileError> {
        let separator = separator.unwrap_or_else(|| separator_of(head));
        // Old programs end lines with a carriage return alone; elsewhere it may be inside texts.
        let end = if head.contains(&b'\r') && !head.contains(&b'\n') { b'\r' } else { b'\n' };
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(separator)
            .terminator(Terminator::Any(end))
            .buffer_capacity(1 << 17)
            .from_reader(Source::reader(path, "")?);
        let mut input = Delimited { reader, record: ByteRecord::new(), separator };
        let (mut cells, mut line) = (Vec::new(), 1);
        input.read(path, &mut cells, &mut line)?;
        columns.extend(cells.iter().map(|cell| cell.text().trim_start_matches('\u{feff}').trim().to_owned()));
        check(path, columns)?;
        Ok(input)
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
            if !self.read(path, cells, line)? {
                return Ok(false);
            }
            let found = self.record.len();
            if found == wanted {
                return Ok(true);
            }
            if found == 1 && cells.first().is_some_and(|cell| cell.text().is_empty()) {
                cells.resize(wanted, Cell::Missing);
                continue;
            }
            let told = shown(self.separator);
            let problem = format!("{found} fields separated by {told}, the header has {wanted}");
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
        *line = self.record.position().map_or(start, csv::Position::line);
        cells.resize(self.record.len(), Cell::Missing);
        for (place, (cell, field)) in cells.iter_mut().zip(&self.record).enumerate() {
            let text = std::str::from_utf8(field)
                .map_err(|_| FileError::line(path, *line, charset::not_utf8(&format!("field {}", place + 1), field)))?;
            cell.write(text);
        }
        Ok(true)
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

fn check(path: &Path, columns: &[String]) -> Result<(), FileError> {
    if columns.iter().all(|name| name.is_empty() || super::number(name, true).is_some()) {
        let problem = "the first line is no header; write the names of the columns there (`user_id,item_id,...`)";
        return Err(FileError::line(path, 1, problem));
    }
    let twice = (1..columns.len()).find(|&at| !columns[at].is_empty() && columns[..at].contains(&columns[at]));
    match twice {
        Some(at) => Err(FileError::line(path, 1, format!("the column `{}` occurs twice", columns[at]))),
        None => Ok(()),
    }
}
