//! The rows of a log that count, by the values of columns.

use super::spec::{self, NAME};
use crate::dataset::sheet::{Sheet, number};
use crate::files::FileError;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Other values of a column that are kept for messages.
const MOST: usize = 8;

/// The condition of `where` in data.toml on the rows of a log.
#[derive(Default)]
pub(super) struct Wanted {
    columns: Vec<Column>,
    kept: u64,
    left_out: u64,
}

struct Column {
    at: usize,
    name: String,
    values: Vec<String>,
    /// Values of the log that are not wanted, some of them.
    others: BTreeSet<String>,
}

impl Wanted {
    /// The condition for a log with these columns.
    ///
    /// # Errors
    /// When a column is not there.
    pub(super) fn of(
        given: &BTreeMap<String, spec::Wanted>,
        columns: &[String],
        log: &Path,
    ) -> Result<Wanted, FileError> {
        let column = |(name, values): (&String, &spec::Wanted)| {
            let at = columns.iter().position(|column| column == name).ok_or_else(|| {
                let known = columns.join("`, `");
                let problem = format!("no column `{name}`, which `where` in {NAME} names; the columns are `{known}`");
                FileError::line(log, 1, problem)
            })?;
            Ok(Column { at, name: name.clone(), values: values.texts(), others: BTreeSet::new() })
        };
        let columns = given.iter().map(column).collect::<Result<_, FileError>>()?;
        Ok(Wanted { columns, ..Wanted::default() })
    }

    /// True if every row counts.
    pub(super) fn is_all(&self) -> bool {
        self.columns.is_empty()
    }

    /// True if the current row counts.
    pub(super) fn has(&self, sheet: &Sheet) -> bool {
        self.columns.iter().all(|column| column.has(sheet))
    }

    /// As [`Wanted::has`], and counts the row.
    pub(super) fn counts(&mut self, sheet: &Sheet) -> bool {
        let mut has = true;
        for column in &mut self.columns {
            if !column.has(sheet) {
                has = false;
                if column.others.len() < MOST {
                    column.others.insert(sheet.text(column.at).chars().take(40).collect());
                }
            }
        }
        if has {
            self.kept += 1;
        } else {
            self.left_out += 1;
        }
        has
    }

    /// The note on rows that are left out, once all rows are counted.
    ///
    /// # Errors
    /// When no row is left.
    pub(super) fn note(&self, log: &Path) -> Result<Option<String>, FileError> {
        if self.is_all() {
            return Ok(None);
        }
        let quoted = |values: &mut dyn Iterator<Item = &String>| values.cloned().collect::<Vec<_>>().join("`, `");
        let asked = |column: &Column| format!("`{}` is `{}`", column.name, quoted(&mut column.values.iter()));
        let asked = self.columns.iter().map(asked).collect::<Vec<_>>().join(" and ");
        if self.kept == 0 {
            let found = |column: &Column| format!("`{}` has `{}`", column.name, quoted(&mut column.others.iter()));
            let found = self.columns.iter().filter(|column| !column.others.is_empty()).map(found);
            let found = found.collect::<Vec<_>>().join("; ");
            let problem = format!("no row is left where {asked}, as `where` in {NAME} asks; {found}");
            return Err(FileError::whole(log, problem));
        }
        let (kept, all) = (self.kept, self.kept + self.left_out);
        Ok(Some(format!("{kept} of {all} rows of the log count: those where {asked}")))
    }
}

impl Column {
    fn has(&self, sheet: &Sheet) -> bool {
        let text = sheet.text(self.at);
        self.values.iter().any(|value| value == text || is_same_number(value, text))
    }
}

/// True for `1` and `1.0`: tables write integers as fractions if a column has empty cells.
fn is_same_number(one: &str, other: &str) -> bool {
    matches!((number(one, false), number(other, false)), (Some(one), Some(other)) if one == other)
}
