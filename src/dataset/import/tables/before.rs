//! Interactions before the log: a table with lists of items and times.

use super::find;
use super::reading::entries;
use super::roles::{history_column, history_times_column};
use super::spec::{History, NAME};
use crate::dataset::clock;
use crate::dataset::import::ImportError;
use crate::dataset::import::publisher::{Place, RawRow, Visit};
use crate::dataset::import::values::{NO_ID, id};
use crate::dataset::sheet::Sheet;
use crate::files::FileError;
use std::path::Path;

/// The columns of the table.
struct Layout {
    user: usize,
    items: usize,
    times: Option<usize>,
}

impl Layout {
    fn of(columns: &[String], given: &History, path: &Path) -> Result<Layout, FileError> {
        let column = |name: &Option<String>, guess: Option<usize>, key: &str| match name {
            Some(name) => columns.iter().position(|other| other == name).map(Some).ok_or_else(|| {
                let known = columns.join("`, `");
                let problem =
                    format!("no column `{name}`, which {NAME} names (`[history]`, `{key}`); the columns are `{known}`");
                FileError::line(path, 1, problem)
            }),
            None => Ok(guess),
        };
        let missing = |key: &str| {
            let known = columns.join("`, `");
            let problem =
                format!("name a column in {NAME} (`[history]`, `{key} = \"...\"`); the columns are `{known}`");
            FileError::line(path, 1, problem)
        };
        Ok(Layout {
            user: column(&given.user, find::user_id(columns), "user")?.ok_or_else(|| missing("user"))?,
            items: column(&given.items, history_column(columns), "items")?.ok_or_else(|| missing("items"))?,
            times: column(&given.times, history_times_column(columns), "times")?,
        })
    }
}

/// Gives each entry of each list as an interaction.
///
/// # Errors
/// When a column is not there, a time cannot be read, or a user has another number of times than items.
pub(super) fn rows(
    path: &Path,
    mut sheet: Sheet,
    given: &History,
    visit: &mut Visit<'_, RawRow>,
) -> Result<(), ImportError> {
    let layout = Layout::of(sheet.columns(), given, path)?;
    while sheet.step()? {
        let place = Place::new(path, sheet.line(), 0);
        let user = sheet.text(layout.user).to_owned();
        if user.is_empty() {
            visit(&place, Err(NO_ID))?;
            continue;
        }
        let items = entries(sheet.cell(layout.items));
        let times = layout.times.map(|at| entries(sheet.cell(at))).filter(|times| !times.is_empty());
        if let Some(times) = times.as_ref().filter(|times| times.len() != items.len()) {
            return Err(sheet.error(format!("{} times for {} items", times.len(), items.len())).into());
        }
        for (at, item) in items.iter().enumerate() {
            let time = times.as_ref().map(|times| {
                let read = clock::read(&times[at]);
                read.map(|(instant, _)| instant.moment()).ok_or_else(|| sheet.error(clock::not_a_time(&times[at])))
            });
            visit(&place, Ok(RawRow::new(id(&user), id(item), time.transpose()?)))?;
        }
    }
    Ok(())
}
