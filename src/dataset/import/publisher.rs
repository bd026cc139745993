//! What a family's reader gives: items, users and the rows of the log, in the order of the publisher's files.

use super::super::{ExternalId, ItemRow, Moment, UserRow};
use super::ImportError;
use serde_json::{Map, Value};
use std::fmt;
use std::path::{Path, PathBuf};

/// Names and values, as in the unified form.
pub(super) type Fields = Map<String, Value>;

/// Where a row stands: its file and line; line 0 for what no single line tells.
pub(super) struct Place<'p> {
    pub(super) path: &'p Path,
    pub(super) line: u64,
    /// Bytes of the file that were read so far; 0 where rows come from memory.
    pub(super) taken: u64,
}

impl<'p> Place<'p> {
    /// What no single line tells.
    pub(super) fn file(path: &'p Path) -> Place<'p> {
        Place { path, line: 0, taken: 0 }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        match self.line {
            0 => f.write_str(&name),
            line => write!(f, "{name}:{line}"),
        }
    }
}

/// A row, or why the publisher's row is left out.
pub(super) type Verdict<T> = Result<T, &'static str>;

/// Takes rows one by one.
pub(super) type Visit<'v, T> = dyn FnMut(&Place<'_>, Verdict<T>) -> Result<(), ImportError> + 'v;

/// A row of the publisher's log before the filters.
#[derive(Debug)]
pub(super) struct RawRow {
    pub(super) user: ExternalId,
    pub(super) item: ExternalId,
    /// `None` in logs without times, and for what a user did before the log begins.
    pub(super) time: Option<Moment>,
    pub(super) behavior: Fields,
    /// What the log itself tells of the user, where no file of users does. The first row that is kept counts.
    pub(super) user_description: Fields,
    /// What the log itself tells of the item, where no file of items does. The first row that is kept counts.
    pub(super) item_description: Fields,
}

impl RawRow {
    /// A row that tells nothing but who took what, and when.
    pub(super) fn new(user: ExternalId, item: ExternalId, time: Option<Moment>) -> RawRow {
        let (behavior, user_description, item_description) = (Fields::new(), Fields::new(), Fields::new());
        RawRow { user, item, time, behavior, user_description, item_description }
    }
}

/// Which rows that repeat earlier ones are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repeats {
    /// None: the publisher has none, or means them.
    Keep,
    /// The same user, item and time once more.
    Same,
    /// The same user and item once more, at whatever time.
    Pair,
}

/// The filters of a family.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// Interactions that a user needs.
    pub(super) least_of_user: u32,
    /// Interactions that a user may have.
    pub(super) most_of_user: u32,
    /// Interactions that an item needs.
    pub(super) least_of_item: u32,
    /// The share of the log, by time, that is used: its end.
    pub(super) latest: f64,
    pub(super) repeats: Repeats,
}

impl Rules {
    /// Users with at least five interactions.
    pub(super) const FIVE: Rules =
        Rules { least_of_user: 5, most_of_user: u32::MAX, least_of_item: 1, latest: 1.0, repeats: Repeats::Keep };
}

/// One data set as its publisher wrote it. Each method reads its files anew, in the same order each time.
pub(super) trait Publisher {
    /// The log.
    fn log(&self) -> &Path;

    /// The files that are read besides the log.
    fn others(&self) -> Vec<PathBuf>;

    /// The family's filters.
    fn rules(&self) -> Rules {
        Rules::FIVE
    }

    /// Gives the items; `false` when the publisher has no file of them and items are those of the log.
    fn items(&self, _visit: &mut Visit<'_, ItemRow>) -> Result<bool, ImportError> {
        Ok(false)
    }

    /// Gives the users; `false` when the publisher has no file of them and users are those of the log.
    fn users(&self, _visit: &mut Visit<'_, UserRow>) -> Result<bool, ImportError> {
        Ok(false)
    }

    /// Gives the rows of the log.
    fn rows(&self, visit: &mut Visit<'_, RawRow>) -> Result<(), ImportError>;

    /// Text templates that came with the data set; those of the family unless given.
    fn template(&self) -> Result<Option<String>, ImportError> {
        Ok(None)
    }

    /// What a user should know of this copy: optional files that are missing and what that means.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }
}
