//! Event files in a build that neither writes nor reads them.

use super::{EventBatch, EventSink, LogError, TrialName};
use std::convert::Infallible;
use std::path::Path;

/// Writes one replication's events under one policy; this build has no such writer.
pub struct ParquetWriter(Infallible);

impl ParquetWriter {
    /// Refuses: this build does not write Parquet.
    ///
    /// # Errors
    /// Always.
    pub fn create(path: &Path, _trial: &TrialName, _slate: usize) -> Result<ParquetWriter, LogError> {
        Err(missing(path))
    }
}

impl EventSink for ParquetWriter {
    fn write(&mut self, _batch: &EventBatch) -> Result<(), LogError> {
        match self.0 {}
    }

    fn finish(&mut self) -> Result<(), LogError> {
        match self.0 {}
    }
}

/// Reads a file of events tick by tick; this build has no such reader.
pub struct EventReader(Infallible);

impl EventReader {
    /// Refuses: this build does not read Parquet.
    ///
    /// # Errors
    /// Always.
    pub fn open(path: &Path) -> Result<EventReader, LogError> {
        Err(missing(path))
    }

    /// Refuses, as [`EventReader::open`].
    ///
    /// # Errors
    /// Always.
    pub fn open_trial(path: &Path, _wanted: &TrialName) -> Result<EventReader, LogError> {
        Err(missing(path))
    }

    /// There is no reader to step.
    ///
    /// # Errors
    /// Never: no reader exists.
    pub fn step(&mut self) -> Result<Option<EventBatch>, LogError> {
        match self.0 {}
    }
}

/// Refuses: this build does not read Parquet.
///
/// # Errors
/// Always.
pub fn read_batches(path: &Path, _each: impl FnMut(&EventBatch)) -> Result<(), LogError> {
    Err(missing(path))
}

/// Refuses: this build does not read Parquet.
///
/// # Errors
/// Always.
pub fn read_trial(path: &Path, _trial: &TrialName, _each: impl FnMut(&EventBatch)) -> Result<(), LogError> {
    Err(missing(path))
}

fn missing(path: &Path) -> LogError {
    let problem =
        "this program is built without Parquet; build it with the feature `parquet`, or set `engine.events = false`";
    LogError::Format { path: path.to_owned(), problem: problem.to_owned() }
}
