//! The output of a family's reader.
//!
//! Items, users and log rows, in the order of the publisher's files.

use super::super::clock::Instant;
use super::super::{ExternalId, ItemRow, Moment, UserRow};
use super::ImportError;
use super::tables::FieldType;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// Names and values, as in the unified form.
pub(in crate::dataset) type Fields = Map<String, Value>;

/// The place of a row: its file and line; line 0 without a single line.
pub(in crate::dataset) struct Place<'p> {
    pub(in crate::dataset) path: &'p Path,
    pub(in crate::dataset) line: u64,
    /// Bytes of the file that were read so far; 0 where rows come from memory.
    pub(in crate::dataset) taken: u64,
    /// The raw fields of the row, if any.
    pub(in crate::dataset) row: &'p [String],
    /// True if the row was no UTF-8 and was read as Latin-1.
    pub(in crate::dataset) is_latin1: bool,
}

impl<'p> Place<'p> {
    /// The place of facts without a line.
    pub(in crate::dataset) fn file(path: &'p Path) -> Place<'p> {
        Place::new(path, 0, 0)
    }

    /// A line of a file.
    pub(in crate::dataset) fn new(path: &'p Path, line: u64, taken: u64) -> Place<'p> {
        Place { path, line, taken, row: &[], is_latin1: false }
    }

    /// The row, as the end of a message.
    pub(in crate::dataset) fn shown(&self) -> String {
        const MOST: usize = 12;
        if self.row.is_empty() {
            return String::new();
        }
        let short = |field: &String| field.chars().take(40).filter(|letter| !letter.is_control()).collect::<String>();
        let fields: Vec<String> = self.row.iter().take(MOST).map(|field| format!("`{}`", short(field))).collect();
        format!(": {}", fields.join(", "))
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
pub(in crate::dataset) type Verdict<T> = Result<T, &'static str>;

/// Takes rows one by one.
pub(in crate::dataset) type Visit<'v, T> = dyn FnMut(&Place<'_>, Verdict<T>) -> Result<(), ImportError> + 'v;

/// A row of the publisher's log before the filters.
#[derive(Debug)]
pub(in crate::dataset) struct RawRow {
    pub(in crate::dataset) user: ExternalId,
    pub(in crate::dataset) item: ExternalId,
    /// `None` in logs without times, and for interactions before the log begins.
    pub(in crate::dataset) time: Option<Moment>,
    /// Nanoseconds within the millisecond of the time.
    pub(in crate::dataset) finer: u32,
    /// The rating of the item, if the log has a column for it.
    pub(in crate::dataset) rating: Option<f64>,
    /// The weight of the row: plays, pieces, a watched share.
    pub(in crate::dataset) weight: Option<f64>,
    pub(in crate::dataset) behavior: Fields,
    /// The user's fields from the log, where no file of users has them. The first row that is kept counts.
    pub(in crate::dataset) user_description: Fields,
    /// The item's fields from the log, where no file of items has them. The first row that is kept counts.
    pub(in crate::dataset) item_description: Fields,
}

impl RawRow {
    /// A row with only a user, an item and a time.
    pub(in crate::dataset) fn new(user: ExternalId, item: ExternalId, time: Option<Moment>) -> RawRow {
        let (behavior, user_description, item_description) = (Fields::new(), Fields::new(), Fields::new());
        let (finer, rating, weight) = (0, None, None);
        RawRow { user, item, time, finer, rating, weight, behavior, user_description, item_description }
    }
}

/// An item that was shown to a user.
#[derive(Debug)]
pub(in crate::dataset) struct ShownRow {
    pub(in crate::dataset) user: ExternalId,
    pub(in crate::dataset) item: ExternalId,
    pub(in crate::dataset) time: Option<Instant>,
    /// The list of the row; without it, the items shown to a user at one time are one list.
    pub(in crate::dataset) list: Option<String>,
    /// The slot, counted from 0.
    pub(in crate::dataset) slot: Option<u16>,
    pub(in crate::dataset) taken: bool,
    pub(in crate::dataset) propensity: Option<f64>,
    pub(in crate::dataset) rating: Option<f64>,
    /// The row's fields of its user; empty in the further rows of a list.
    pub(in crate::dataset) user_description: Fields,
    /// The row's fields of its item.
    pub(in crate::dataset) item_description: Fields,
}

impl ShownRow {
    /// A shown item with only its user, its time, and whether it was taken.
    pub(in crate::dataset) fn new(user: ExternalId, item: ExternalId, time: Option<Instant>, taken: bool) -> ShownRow {
        ShownRow {
            user,
            item,
            time,
            list: None,
            slot: None,
            taken,
            propensity: None,
            rating: None,
            user_description: Fields::new(),
            item_description: Fields::new(),
        }
    }
}

/// The meaning of columns of users and items, where the publisher states it.
#[derive(Clone, Debug, Default)]
pub(in crate::dataset) struct Roles {
    /// The field that names an item.
    pub(in crate::dataset) title: Option<String>,
    /// The field with the release of an item.
    pub(in crate::dataset) released: Option<String>,
    /// The field with the provider of an item.
    pub(in crate::dataset) provider: Option<String>,
    /// Worst and best rating that can be given.
    pub(in crate::dataset) scale: Option<[f32; 2]>,
    /// Types of fields that cannot be recognised by their values.
    pub(in crate::dataset) item_types: BTreeMap<String, FieldType>,
    pub(in crate::dataset) user_types: BTreeMap<String, FieldType>,
    /// The order of the fields; other fields follow by name.
    pub(in crate::dataset) item_order: Vec<String>,
    pub(in crate::dataset) user_order: Vec<String>,
}

/// The rows that are dropped as repetitions of earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dataset) enum Repeats {
    /// None: the publisher has none, or means them.
    Keep,
    /// The same user, item and time once more.
    Same,
    /// The same user and item again, at any time.
    Pair,
}

/// The filters of a family.
#[derive(Clone, Copy, Debug)]
pub(in crate::dataset) struct Rules {
    /// Interactions that a user needs.
    pub(in crate::dataset) least_of_user: u32,
    /// Interactions that a user may have.
    pub(in crate::dataset) most_of_user: u32,
    /// Interactions that an item needs.
    pub(in crate::dataset) least_of_item: u32,
    /// The share of the log, by time, that is used: its end.
    pub(in crate::dataset) latest: f64,
    pub(in crate::dataset) repeats: Repeats,
}

impl Rules {
    /// Users with at least five interactions.
    pub(in crate::dataset) const FIVE: Rules =
        Rules { least_of_user: 5, most_of_user: u32::MAX, least_of_item: 1, latest: 1.0, repeats: Repeats::Keep };
}

/// One data set as its publisher wrote it. Each method reads its files again, in the same order each time.
pub(in crate::dataset) trait Publisher {
    /// The log.
    fn log(&self) -> &Path;

    /// The files that are read in addition to the log.
    fn others(&self) -> Vec<PathBuf>;

    /// The family's filters.
    fn rules(&self) -> Rules {
        Rules::FIVE
    }

    /// Passes the items; `false` if the publisher has no file of them and items are those of the log.
    fn items(&self, _visit: &mut Visit<'_, ItemRow>) -> Result<bool, ImportError> {
        Ok(false)
    }

    /// Passes the users; `false` if the publisher has no file of them and users are those of the log.
    fn users(&self, _visit: &mut Visit<'_, UserRow>) -> Result<bool, ImportError> {
        Ok(false)
    }

    /// Gives the rows of the log.
    fn rows(&self, visit: &mut Visit<'_, RawRow>) -> Result<(), ImportError>;

    /// Gives everything that users did, without the filters that the pipeline applies.
    fn all_rows(&self, visit: &mut Visit<'_, RawRow>) -> Result<(), ImportError> {
        self.rows(visit)
    }

    /// Passes all exposures; `false` if the log has none, or only as `impression_list` of rows.
    fn shown(&self, _visit: &mut Visit<'_, ShownRow>) -> Result<bool, ImportError> {
        Ok(false)
    }

    /// True if an unreadable row is an error rather than a known defect of the publisher's data.
    fn is_strict(&self) -> bool {
        false
    }

    /// True if a `data.toml` beside the files says what they do not show.
    fn reads_data_toml(&self) -> bool {
        false
    }

    /// True if the order of rows without times is arbitrary, as in a matrix or a table sorted by items.
    fn is_unordered(&self) -> bool {
        false
    }

    /// The meaning of columns, where the publisher states it.
    fn roles(&self) -> Roles {
        Roles::default()
    }

    /// Text templates that came with the data set; those of the family unless given.
    fn template(&self) -> Result<Option<String>, ImportError> {
        Ok(None)
    }

    /// Notes on this copy: missing optional files and their effect.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }
}
