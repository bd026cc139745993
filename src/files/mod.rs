//! Files of records.
//!
//! Read line by line with errors that name file and line, written beside their name and
//! renamed when they are complete; folders likewise, whose names are claimed before (`Claim`).
//!
//! Gzip and zstd are read transparently. Nothing here knows what the records mean.

mod bounded;
pub(crate) mod charset;
mod claim;
mod jsonl;
mod npy;
mod output_folder;
mod owned;
mod partial;
mod source;
pub mod spreadsheet;
mod tally;
mod watch;

pub(crate) use self::bounded::{
    MOST_OF_MANIFEST, MOST_OF_TEXT, MOST_OF_TOKENIZER, open_regular, read_bounded, read_text,
};
pub(crate) use self::claim::Claim;
pub use self::claim::{ClaimError, Listing};
pub(crate) use self::jsonl::{Jsonl, JsonlWriter};
pub(crate) use self::npy::{Number, npy, read_matrix};
pub use self::output_folder::OutputFolder;
pub use self::owned::FileRecord;
pub(crate) use self::partial::Partial;
pub use self::source::{Reader, Source};
pub use self::tally::{Drops, Tally};
pub use self::watch::{Quiet, Watch};

use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// A file that cannot be read or written. Every message names the place and a remedy.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// `read` or `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// The file is not there.
    #[error("{} does not exist; {remedy}", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// The command that makes it, or its place.
        remedy: String,
    },
    /// A line cannot be understood.
    #[error("{}:{line}: {problem}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: u64,
        /// The problem, with the value and the remedy.
        problem: String,
    },
    /// The file as a whole is unusable.
    #[error("{}: {problem}", path.display())]
    Whole {
        /// The file.
        path: PathBuf,
        /// The problem and the remedy.
        problem: String,
    },
}

impl FileError {
    /// A file that cannot be read.
    pub fn read(path: impl Into<PathBuf>, source: std::io::Error) -> FileError {
        FileError::Io { action: "read", path: path.into(), source }
    }

    /// A file that cannot be written.
    pub fn write(path: impl Into<PathBuf>, source: std::io::Error) -> FileError {
        FileError::Io { action: "write", path: path.into(), source }
    }

    /// A line that cannot be understood.
    pub fn line(path: impl Into<PathBuf>, line: u64, problem: impl Into<String>) -> FileError {
        FileError::Line { path: path.into(), line, problem: problem.into() }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        match self {
            FileError::Io { path, .. }
            | FileError::Missing { path, .. }
            | FileError::Line { path, .. }
            | FileError::Whole { path, .. } => path,
        }
    }

    /// A file that cannot be used.
    pub fn whole(path: impl Into<PathBuf>, problem: impl Into<String>) -> FileError {
        FileError::Whole { path: path.into(), problem: problem.into() }
    }
}

/// The sha256 of some bytes, hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// True if an open file still has its name.
fn is_at(file: &std::fs::File, path: &Path) -> bool {
    let (Ok(open), Ok(named)) = (file.metadata(), path.symlink_metadata()) else { return false };
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        (open.dev(), open.ino()) == (named.dev(), named.ino())
    }
    #[cfg(not(unix))]
    {
        open.is_file() && named.is_file()
    }
}
