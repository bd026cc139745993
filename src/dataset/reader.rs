//! A reader of data sets from outside the crate.

use super::{DataError, Dataset};
use crate::files::FileError;
use std::path::Path;

/// Data sets of one form that a program of its own reads; [`crate::Registry::with`] makes it known to `data.format`. The doc
/// of [`crate::registry`] has a complete one.
#[derive(Clone, Copy)]
pub struct Reader {
    /// The value of `data.format`.
    pub name: &'static str,
    /// A one-line description.
    pub summary: &'static str,
    /// True if the files at a path, a folder or a file, are of this form: for `data.format = "auto"`.
    pub recognises: fn(&Path) -> bool,
    /// Reads them; [`Dataset::from_rows`] makes a data set of rows. [`Dataset::hash`] should depend on all that was read.
    pub read: fn(&Path) -> Result<Dataset, DataError>,
}

impl DataError {
    /// An error of a reader from outside the crate, about a file.
    pub fn own(path: &Path, problem: impl std::fmt::Display) -> DataError {
        FileError::read(path, std::io::Error::other(problem.to_string())).into()
    }
}
