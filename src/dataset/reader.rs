//! Lines and fields of a publisher's file, with errors that name file and line.

use super::{Cleaner, Cleanup, DataError, Interaction};
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

/// Lines longer than this are refused: no known data set comes near, a binary file does.
const LONGEST_LINE: usize = 1 << 20;

/// Reads one file line by line and hashes its bytes.
pub(super) struct Lines<'h> {
    path: PathBuf,
    input: BufReader<File>,
    hasher: &'h mut blake3::Hasher,
    bytes: Vec<u8>,
    line: usize,
}

impl<'h> Lines<'h> {
    /// Opens `path`.
    pub(super) fn open(path: PathBuf, hasher: &'h mut blake3::Hasher) -> Result<Lines<'h>, DataError> {
        let file = File::open(&path).map_err(|source| DataError::Io { path: path.clone(), source })?;
        Ok(Lines { path, input: BufReader::new(file), hasher, bytes: Vec::new(), line: 0 })
    }

    /// Steps to the next line that is not empty; `false` at the end of the file.
    pub(super) fn advance(&mut self) -> Result<bool, DataError> {
        loop {
            self.bytes.clear();
            let read = self.input.read_until(b'\n', &mut self.bytes);
            read.map_err(|source| DataError::Io { path: self.path.clone(), source })?;
            if self.bytes.is_empty() {
                return Ok(false);
            }
            self.line += 1;
            self.hasher.update(&self.bytes);
            while matches!(self.bytes.last(), Some(b'\n' | b'\r')) {
                self.bytes.pop();
            }
            if self.bytes.len() > LONGEST_LINE {
                return Err(self.error("the line is longer than 1 MiB; is this a text file?"));
            }
            if !self.bytes.is_empty() {
                return Ok(true);
            }
        }
    }

    /// The current line as UTF-8.
    pub(super) fn text(&self) -> Result<&str, DataError> {
        std::str::from_utf8(&self.bytes).map_err(|problem| {
            self.error(format!("byte {} is not UTF-8; convert the file to UTF-8", problem.valid_up_to() + 1))
        })
    }

    /// The current line, read as Latin-1 where it is not UTF-8. The flag says whether it was Latin-1.
    pub(super) fn lossless(&self) -> (String, bool) {
        match std::str::from_utf8(&self.bytes) {
            Ok(text) => (text.to_owned(), false),
            Err(_) => (self.bytes.iter().map(|&byte| char::from(byte)).collect(), true),
        }
    }

    /// An error at the current line.
    pub(super) fn error(&self, problem: impl Into<String>) -> DataError {
        DataError::Line { path: self.path.clone(), line: self.line, problem: problem.into() }
    }

    /// An error when a line does not have `wanted` fields.
    pub(super) fn expect_fields(&self, found: usize, wanted: usize, separator: &str) -> Result<(), DataError> {
        if found == wanted {
            return Ok(());
        }
        Err(self.error(format!("{found} fields separated by {separator}, expected {wanted}")))
    }

    /// A number that is finite as `f32` too, in which ratings and ages are kept.
    pub(super) fn number(&self, field: &str, name: &str) -> Result<f64, DataError> {
        match field.trim().parse::<f64>() {
            Ok(value) if (value as f32).is_finite() => Ok(value),
            _ => Err(self.error(format!("{name} `{field}` is not a finite number"))),
        }
    }

    /// A whole number of seconds that fits the calendar.
    pub(super) fn seconds(&self, field: &str) -> Result<i64, DataError> {
        let value = self.number(field, "timestamp")?;
        if value.fract() != 0.0 || value.abs() > 1e11 {
            return Err(self.error(format!("timestamp `{field}` is not a whole number of seconds since 1970")));
        }
        Ok(value as i64)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// Collects the rows of a log, drops repeats, and sorts by user and time.
#[derive(Default)]
pub(super) struct Rows {
    rows: Vec<Interaction>,
    first: HashMap<(u32, u32), usize>,
}

impl Rows {
    /// Adds a row; of several rows with the same user and item the earliest stays.
    pub(super) fn push(&mut self, row: Interaction, cleanup: &mut Cleanup) {
        let next = self.rows.len();
        let place = *self.first.entry((row.user.0, row.item.0)).or_insert(next);
        let Some(kept) = self.rows.get_mut(place) else {
            self.rows.push(row);
            return;
        };
        let same_moment = kept.time == row.time;
        cleanup.count(if same_moment { Cleaner::DuplicateRow } else { Cleaner::RepeatedItem });
        if row.time < kept.time {
            *kept = row;
        }
    }

    /// The rows by user, then time; rows of one second keep the order of the file.
    pub(super) fn finish(mut self, path: &Path) -> Result<Vec<Interaction>, DataError> {
        if self.rows.is_empty() {
            return Err(DataError::Empty { path: path.to_owned() });
        }
        self.rows.sort_by_key(|row| (row.user, row.time));
        Ok(self.rows)
    }
}

/// The name of a data set: its folder's name.
pub(super) fn name_of(folder: &Path, family: &str) -> String {
    let absolute = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    absolute.file_name().map_or_else(|| family.to_owned(), |name| name.to_string_lossy().into_owned())
}
