//! Errors of a data set.

use super::import::ImportError;
use crate::files::FileError;
use std::path::PathBuf;

/// A data set that cannot be read. Every message names the place and a remedy.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The folder does not exist.
    #[error("data folder {} does not exist; set `data.path` to your copy (`make data` fetches one to try)", path.display())]
    NoFolder {
        /// The folder.
        path: PathBuf,
    },
    /// No file of a known format in the folder.
    #[error(
        "{} holds no log: no table has columns like `user_id` and `item_id`, and no file is called as a publisher calls it; \
         name your columns in a `data.toml` beside the tables (docs/reference/datasets.md), with `header` where a table has no header \
         line; it holds: {found}",
        path.display()
    )]
    UnknownFormat {
        /// The folder.
        path: PathBuf,
        /// The first files that are there.
        found: String,
    },
    /// No reader has this name.
    #[error("no data family is named `{family}`; the families are {known}")]
    UnknownFamily {
        /// The name that was given.
        family: String,
        /// All names.
        known: String,
    },
    /// A file cannot be read, or a line of it cannot be parsed.
    #[error(transparent)]
    File(#[from] FileError),
    /// The publisher's files cannot be used.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// The log has no rows, or none that can be used.
    #[error("{} holds no interactions", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
}
