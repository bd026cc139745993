//! Feedback logs: users, items, interactions and impressions.
//!
//! Reads publishers' files and own tables.
//!
//! [`import::FAMILIES`] is the one table of readable data. A [`Dataset`] is immutable after reading; [`Dataset::split`]
//! cuts it by time into the log before the start of a simulation ([`TrainingLog`]) and the held-out part.

mod arrays;
mod catalogue;
mod categories;
mod cleanup;
mod clock;
mod collect;
mod described;
mod detect;
mod error;
mod exposures;
mod external;
mod field;
pub mod import;
mod impressions;
mod in_memory;
mod item_vectors;
mod learning;
mod memory_tables;
mod reader;
mod scale;
mod sheet;
mod split;
mod static_names;
mod target;
#[cfg(feature = "all")]
mod template;
mod unified;

pub use self::arrays::write_arrays;
pub use self::catalogue::{Catalogue, FieldError, TELLING, categories_named};
pub use self::categories::ItemCategories;
pub use self::cleanup::{Cleaner, Cleanup};
pub(crate) use self::described::number;
pub use self::detect::{FORMATS, names as families};
pub use self::error::DataError;
pub use self::exposures::{Exposures, read_exposures};
pub use self::external::{ExternalId, Moment};
pub use self::field::{Column, Field, Fields, NO_CATEGORY};
pub use self::impressions::{Impression, Impressions};
pub use self::item_vectors::{ITEM_VECTORS, item_vector_files, vectors_folder, write_item_vectors};
pub(crate) use self::learning::is_drawn;
pub use self::learning::{LEAST_LISTS, LearningSplit};
pub use self::memory_tables::{MemoryTable, MemoryTables, TableValue};
pub use self::reader::Reader;
pub use self::scale::{LEVELS, RatingScale, is_liked};
pub use self::split::{Cut, CutError, Split, TrainingLog};
pub use self::target::{TargetPolicy, TargetRound, read_target};
#[cfg(feature = "all")]
pub use self::template::{TemplateError, TextTemplates};
pub use self::unified::{BehaviorHead, InteractionHead, InteractionRow, ItemRow, UnifiedFiles, UserRow};

use crate::ids::{ItemId, LogUserId};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::Path;

/// One row of a log.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interaction {
    /// The user.
    pub user: LogUserId,
    /// With what.
    pub item: ItemId,
    /// The rating in the data set's own scale; NaN where the log has none.
    pub rating: f32,
    /// Milliseconds since 1970.
    pub time: i64,
}

/// Dense ids and their external ids.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Vec<String>", into = "Vec<String>")]
pub struct IdTable {
    external: Vec<String>,
    dense: HashMap<String, u32>,
}

impl IdTable {
    /// The dense number of `external`, adding it if it is new. The second value is true for a new one.
    pub fn insert(&mut self, external: &str) -> (u32, bool) {
        if let Some(&dense) = self.dense.get(external) {
            return (dense, false);
        }
        let dense = self.external.len() as u32;
        self.external.push(external.to_owned());
        self.dense.insert(external.to_owned(), dense);
        (dense, true)
    }

    /// The dense number of `external`.
    pub fn get(&self, external: &str) -> Option<u32> {
        self.dense.get(external).copied()
    }

    /// The external id of `dense`.
    pub fn external(&self, dense: u32) -> &str {
        &self.external[dense as usize]
    }

    /// Number of ids.
    pub fn len(&self) -> usize {
        self.external.len()
    }

    /// True without any id.
    pub fn is_empty(&self) -> bool {
        self.external.is_empty()
    }
}

impl From<Vec<String>> for IdTable {
    fn from(external: Vec<String>) -> IdTable {
        let dense = external.iter().enumerate().map(|(dense, name)| (name.clone(), dense as u32)).collect();
        IdTable { external, dense }
    }
}

impl From<IdTable> for Vec<String> {
    fn from(table: IdTable) -> Vec<String> {
        table.external
    }
}

/// A feedback log with its users and its items: what every part of the program reads.
///
/// Users and items have dense numbers ([`LogUserId`], [`ItemId`]) in the order of the publisher's files; the rows of all
/// columns follow that order.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Dataset {
    /// Name of the folder or file that it came from.
    pub name: String,
    /// The reader: the name of a family, as in `data.format`.
    #[serde(deserialize_with = "static_names::read")]
    pub family: static_names::StaticName,
    /// External ids of users.
    pub users: IdTable,
    /// External ids of items.
    pub items: IdTable,
    /// Fields of users, one row for each.
    pub user_fields: Fields,
    /// Fields of items, one row for each.
    pub item_fields: Fields,
    /// The item field that is shown as an item's name; `None` where the log names items by their ids alone.
    pub title: Option<String>,
    /// The item field with the release: a [`Column::Number`] (a year) or a [`Column::Time`].
    pub released: Option<String>,
    /// The item field with the provider: a [`Column::Category`].
    pub provider: Option<String>,
    /// Sorted by user, then time. A user has each item once, at the first time.
    pub interactions: Vec<Interaction>,
    /// The scale of the ratings; `None` where the log has none.
    pub scale: Option<RatingScale>,
    /// The text template of the reader; empty if it does not know the kind of items.
    pub template: String,
    /// Lists as they were shown; empty where the log has none.
    pub impressions: Impressions,
    /// The weight of each interaction (plays, pieces, a watched share), NaN without one; empty if no row has one.
    pub weights: Vec<f32>,
    /// True if the log has times. Without them all times are equal, and the order of a user's rows is that of the file.
    pub has_times: bool,
    /// Guesses and gaps, one sentence each: notes on the data for readers of results.
    pub notes: Vec<String>,
    /// The repairs while reading.
    pub cleanup: Cleanup,
    /// Hash over the bytes of the files read, in the order in which they were read.
    pub hash: String,
}

impl Dataset {
    /// Reads the data set at `path`, a folder or a log in it. The files determine the reader.
    ///
    /// # Errors
    /// A missing file, or the first line that cannot be understood, with file and line.
    pub fn read(path: &Path) -> Result<Dataset, DataError> {
        Dataset::read_as(path, None)
    }

    /// Like [`Dataset::read`], as files of one family of [`import::FAMILIES`]. Without a family the files decide.
    ///
    /// # Errors
    /// As [`Dataset::read`], and a family that no reader has.
    pub fn read_as(path: &Path, family: Option<&str>) -> Result<Dataset, DataError> {
        let mut data = Dataset::read_without_vectors(path, family)?;
        data.join_vectors(path)?;
        Ok(data)
    }

    /// Like [`Dataset::read_as`], without the files of [`ITEM_VECTORS`].
    pub(crate) fn read_without_vectors(path: &Path, family: Option<&str>) -> Result<Dataset, DataError> {
        if !path.exists() {
            return Err(DataError::NoFolder { path: path.to_owned() });
        }
        Dataset::collect(path, &detect::open(path, family, None)?)
    }

    /// Adds vectors of items that are in a file beside `path`, see [`ITEM_VECTORS`].
    pub(crate) fn join_vectors(&mut self, path: &Path) -> Result<(), DataError> {
        item_vectors::join(self, item_vectors::vectors_folder(path))
    }

    /// Like [`Dataset::read`], where a file of the folder holds exposures and is no part of the log. If no other file is a log, that
    /// file is the log, too, and a note says so.
    ///
    /// # Errors
    /// As [`Dataset::read`].
    pub fn read_beside(path: &Path, exposures: &Path) -> Result<Dataset, DataError> {
        if !path.exists() {
            return Err(DataError::NoFolder { path: path.to_owned() });
        }
        let (found, note) = detect::open_beside(path, exposures)?;
        let mut data = Dataset::collect(path, &found)?;
        data.join_vectors(path)?;
        data.notes.extend(note);
        Ok(data)
    }

    fn collect(path: &Path, found: &detect::Detected) -> Result<Dataset, DataError> {
        collect::collect(found.publisher.as_ref(), found.family.name, collect::name_of(path, found.family.name))
    }

    /// The displayed name of an item: its title, or its id without one.
    pub fn title_of(&self, item: ItemId) -> &str {
        let titles = self.title.as_deref().and_then(|name| self.item_fields.get(name));
        let title = match titles.map(|field| &field.column) {
            Some(Column::Text(texts)) => texts[item.index()].as_str(),
            _ => "",
        };
        if title.is_empty() { self.items.external(item.0) } else { title }
    }
}
