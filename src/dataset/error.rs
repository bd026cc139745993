//! What can be wrong with a data set.

use std::path::PathBuf;

/// A data set that cannot be read. Every message says where and what to do.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The folder does not exist.
    #[error("data folder {} does not exist; set `data.path` to your copy (`make data` fetches MovieLens-100K)", path.display())]
    NoFolder {
        /// The folder.
        path: PathBuf,
    },
    /// No file of a known format in the folder.
    #[error("{} holds neither `u.data` (GroupLens) nor a `.inter` file (RecBole); set `data.path` to the folder that does", path.display())]
    UnknownFormat {
        /// The folder.
        path: PathBuf,
    },
    /// No reader has this name.
    #[error("no data family is named `{family}`; the families are `grouplens` and `recbole`")]
    UnknownFamily {
        /// The name that was given.
        family: String,
    },
    /// More than one candidate file.
    #[error("{} holds several `.{extension}` files; keep one data set a folder", path.display())]
    Ambiguous {
        /// The folder.
        path: PathBuf,
        /// The extension looked for.
        extension: String,
    },
    /// A file cannot be opened or read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line cannot be understood.
    #[error("{}:{line}: {problem}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong, with the value and what to do.
        problem: String,
    },
    /// The log has no rows, or none that can be used.
    #[error("{} holds no interactions", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
}
