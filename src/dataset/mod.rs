//! Feedback logs: users, items and who interacted with what, read from a publisher's own files.
//!
//! One family a file ([`grouplens`], [`recbole`]). A [`Dataset`] is immutable after reading;
//! [`Dataset::split`] cuts it by time into what happened before the start of a simulation
//! ([`TrainingLog`]) and what is held out.

mod catalogue;
mod cleanup;
mod error;
mod external;
mod field;
pub mod grouplens;
pub mod import;
mod impressions;
mod profile;
mod reader;
pub mod recbole;
mod scale;
mod split;
mod template;
mod unified;

pub use self::catalogue::{Catalogue, GenreSet};
pub use self::cleanup::{Cleaner, Cleanup};
pub use self::error::DataError;
pub use self::external::{ExternalId, Moment};
pub use self::field::{Column, Field, Fields, NO_CATEGORY};
pub use self::impressions::{Impression, Impressions};
pub use self::profile::{Profile, Profiles};
pub use self::scale::{LEVELS, RatingScale};
pub use self::split::{Split, TrainingLog};
pub use self::template::{TemplateError, TextTemplates};
pub use self::unified::{InteractionHead, InteractionRow, ItemRow, Shown, UnifiedFiles, UserRow};

use crate::ids::{ItemId, UserId};
use std::collections::HashMap;
use std::path::Path;

/// One row of a log.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interaction {
    /// Who.
    pub user: UserId,
    /// With what.
    pub item: ItemId,
    /// The rating in the data set's own scale; NaN where the log has none.
    pub rating: f32,
    /// Seconds since 1970.
    pub time: i64,
}

/// Dense ids and the external ids that they stand for.
#[derive(Clone, Debug, Default)]
pub struct IdTable {
    external: Vec<String>,
    dense: HashMap<String, u32>,
}

impl IdTable {
    /// The dense number of `external`, adding it when it is new. The second value says whether it was.
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

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.external.is_empty()
    }
}

/// A feedback log with its users and its catalogue.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// Name of the folder it came from.
    pub name: String,
    /// Which files it was read as.
    pub format: Format,
    /// External ids of users.
    pub users: IdTable,
    /// External ids of items.
    pub items: IdTable,
    /// Static attributes of users.
    pub profiles: Profiles,
    /// Static attributes of items.
    pub catalogue: Catalogue,
    /// Sorted by user, then time; rows of one second keep the order of the file.
    pub interactions: Vec<Interaction>,
    /// What was cleaned up while reading.
    pub cleanup: Cleanup,
    /// Hash over the bytes of the files read, in the order in which they were read.
    pub hash: String,
}

/// The file formats that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `u.data`, `u.item`, `u.user` (`u.genre` and `u.occupation` are not needed).
    Grouplens,
    /// `NAME.inter`, `NAME.item`, `NAME.user`.
    Recbole,
}

impl Format {
    /// The word used in scenario files and manifests.
    pub fn name(self) -> &'static str {
        match self {
            Format::Grouplens => "grouplens",
            Format::Recbole => "recbole",
        }
    }
}

impl Dataset {
    /// Reads the data set in `folder`. Without a `format` the files in the folder decide.
    ///
    /// # Errors
    /// A missing folder or file, or the first line that cannot be understood, with file and line.
    pub fn read(folder: &Path, format: Option<Format>) -> Result<Dataset, DataError> {
        let format = match format {
            Some(format) => format,
            None => detect(folder)?,
        };
        match format {
            Format::Grouplens => grouplens::read(folder),
            Format::Recbole => recbole::read(folder),
        }
    }
}

fn detect(folder: &Path) -> Result<Format, DataError> {
    if !folder.is_dir() {
        return Err(DataError::NoFolder { path: folder.to_owned() });
    }
    if folder.join("u.data").is_file() {
        return Ok(Format::Grouplens);
    }
    if recbole::find(folder, "inter")?.is_some() {
        return Ok(Format::Recbole);
    }
    Err(DataError::UnknownFormat { path: folder.to_owned() })
}
