//! Errors of a stored log.

use crate::files::FileError;
use std::path::{Path, PathBuf};

/// Events that cannot be stored or read back.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// The file is not a Parquet file of events.
    #[error("{}: {problem}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// The problem.
        problem: String,
    },
    /// A file of decisions.
    #[error(transparent)]
    File(#[from] FileError),
}

impl LogError {
    /// The file.
    pub fn path(&self) -> &Path {
        match self {
            LogError::Io { path, .. } | LogError::Format { path, .. } => path,
            LogError::File(problem) => problem.path(),
        }
    }
}
