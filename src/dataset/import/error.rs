//! Errors of an import.

#[cfg(feature = "all")]
use super::super::TemplateError;
use crate::files::FileError;
use std::path::PathBuf;

/// An import that failed. Every message names the place and a remedy.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A file of the publisher's, or one that is written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The text templates.
    #[cfg(feature = "all")]
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The source is not there.
    #[error("{} does not exist; SOURCE is the folder with the publisher's files", path.display())]
    NoSource {
        /// The given value.
        path: PathBuf,
    },
    /// No such format in this family.
    #[error("`{family}` has no format `{name}`; it has: {known}")]
    Format {
        /// The family.
        family: &'static str,
        /// The requested value.
        name: String,
        /// All names.
        known: String,
    },
    /// The folder holds none of the family's files.
    #[error("{} holds no log of `{family}` that is known by its files; expected {wanted}; it holds: {found}", path.display())]
    Unrecognised {
        /// The folder.
        path: PathBuf,
        /// The family.
        family: &'static str,
        /// The files of each format.
        wanted: String,
        /// The first files that are there.
        found: String,
    },
    /// Several files could be meant.
    #[error("{} holds several logs ({found}); give the one that you mean instead of the folder", path.display())]
    Several {
        /// The folder.
        path: PathBuf,
        /// Their names.
        found: String,
    },
    /// The project would be imported into itself.
    #[error("{} is the project itself; name its data sets with --datasets", path.display())]
    Itself {
        /// The given value.
        path: PathBuf,
    },
    /// Everything was dropped.
    #[error("of {} no interaction is left, nothing was written\n{tally}", path.display())]
    NothingLeft {
        /// The log.
        path: PathBuf,
        /// Dropped records by reason.
        tally: String,
    },
}
