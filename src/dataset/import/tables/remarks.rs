//! Notes on the reading of tables, and unnamed columns of times.

use super::super::ImportError;
use super::Tables;
use crate::dataset::clock::{self, Spelling};
use crate::dataset::sheet::{Cell, Sheet};
use std::path::PathBuf;

/// Rows of the log that decide whether a column holds dates.
const SAMPLE: usize = 200;
/// Columns without a meaning that a note names.
const MOST_NAMES: usize = 12;

impl Tables {
    /// Takes a column of dates for the time where no column is called like one.
    pub(super) fn find_time(&mut self) -> Result<(), ImportError> {
        if self.layout.time.is_some() {
            return Ok(());
        }
        let log = self.found.logs[0].clone();
        let mut sheet = self.sheet(&log)?;
        let mut dates: Vec<(usize, bool)> = self.layout.rest.iter().map(|&at| (at, false)).collect();
        for _ in 0..SAMPLE {
            if !sheet.step()? {
                break;
            }
            dates.retain_mut(|(at, is_seen)| match is_date(&sheet, *at) {
                Some(is) => {
                    *is_seen = true;
                    is
                }
                None => true,
            });
        }
        let dates: Vec<usize> = dates.into_iter().filter(|(_, is_seen)| *is_seen).map(|(at, _)| at).collect();
        let names = dates.iter().map(|&at| self.columns[at].clone()).collect::<Vec<_>>().join("`, `");
        match dates.as_slice() {
            [] => {}
            &[only] => {
                self.layout.time = Some(only);
                self.layout.rest.retain(|&at| at != only);
                self.notes.push(format!("`{names}` holds dates: it is taken for the time of a row"));
            }
            _ => self.notes.push(format!(
                "`{names}` hold dates: name one as the time of a row in data.toml (`[columns]`, `time`)"
            )),
        }
        Ok(())
    }

    /// Notes on how the tables are understood.
    pub(super) fn remark(&mut self, is_guessed: bool) {
        let name = |at: usize| self.columns[at].clone();
        let mut notes = Vec::new();
        if is_guessed {
            notes.push(format!(
                "the log has no header line: its columns are read as `{}`; `header` in data.toml names others",
                self.columns.join("`, `")
            ));
        }
        match (self.layout.time, self.spelling) {
            (Some(at), Some(kind)) if kind != Spelling::Seconds => {
                notes.push(format!("`{}` holds {}", name(at), kind.description()));
            }
            (Some(at), None) => notes.push(format!("`{}` is empty in all rows", name(at))),
            _ => {}
        }
        if self.layout.user.len() > 1 {
            let names = self.layout.user.iter().map(|&at| name(at)).collect::<Vec<_>>().join("`, `");
            notes.push(format!("the columns `{names}` together identify users"));
        }
        let is_asked = |at: &usize| self.spec.wanted.contains_key(&self.columns[*at]);
        let unknown: Vec<String> = self.layout.rest.iter().filter(|at| !is_asked(at)).map(|&at| name(at)).collect();
        if !unknown.is_empty() {
            // Wide logs have hundreds of such columns.
            let names = unknown[..unknown.len().min(MOST_NAMES)].join("`, `");
            let more = match unknown.len().saturating_sub(MOST_NAMES) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            notes.push(format!(
                "columns of the log without a meaning here: `{names}`{more}; data.toml can name them (`[columns]`), or keep \
                 rows by their values (`[where]`)"
            ));
        }
        for (kind, path) in [("items", &self.found.items), ("users", &self.found.users)] {
            if path.is_none() {
                notes.push(format!("there is no table of {kind}: only their ids are known"));
            }
        }
        notes.extend(self.remark_on_files());
        self.notes.extend(notes);
    }

    /// Notes on what the files of the folder are.
    fn remark_on_files(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let file =
            |path: &PathBuf| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if let Some(path) = &self.found.history {
            notes.push(format!("{} holds what users did before the log", file(path)));
        }
        if self.found.logs.len() > 1 {
            let names = self.found.logs.iter().map(file).collect::<Vec<_>>().join(", ");
            notes.push(format!(
                "the log has {} parts with the same columns: {names}; give one of these files instead of the folder, or name \
                 the parts in data.toml (`log`), where only some belong together",
                self.found.logs.len()
            ));
        }
        notes.extend(self.found.unreadable.iter().map(|problem| format!("not read: {problem}")));
        if !self.found.unread.is_empty() {
            let names = self.found.unread.iter().map(file).collect::<Vec<_>>().join(", ");
            notes.push(format!("not read: {names}"));
        }
        notes
    }
}

/// True if a cell has a date; `None` if it is empty.
fn is_date(sheet: &Sheet, at: usize) -> Option<bool> {
    match sheet.cell(at) {
        Cell::Time(_) => Some(true),
        cell if !cell.is_filled() => None,
        cell => Some(matches!(clock::read(cell.text()), Some((_, Spelling::Civil | Spelling::Zoned)))),
    }
}
