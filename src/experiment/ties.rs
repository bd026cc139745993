//! Links between a run's files and its manifest.
//!
//! Checks the hashes of all files, and the name of the trial in each log.

use super::manifest::{Manifest, TrialRecord};
use crate::files::{FileError, FileRecord};
use crate::log::{EventBatch, LogError, TrialName, read_trial};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

impl TrialRecord {
    /// The name in its log, for a run of this seed.
    pub fn trial_name(&self, seed: u64) -> TrialName {
        TrialName { policy: self.policy.clone(), replication: self.replication, seed }
    }

    /// Its files of events and decisions, inside the run's folder.
    pub fn files(&self) -> [Option<&str>; 2] {
        let decisions = self.decisions.as_ref().and_then(|decisions| decisions.file.as_deref());
        [self.events.as_deref(), decisions]
    }
}

impl Manifest {
    /// A file of the run in `folder`, which must be the one that the manifest lists.
    ///
    /// # Errors
    /// When it is not listed, differs, or cannot be read.
    pub fn file(&self, folder: &Path, name: &str) -> Result<PathBuf, FileError> {
        listed(&self.files, folder, name)
    }

    /// Reads the log of a trial and calls `each` for the batch of every tick that had visitors, in order.
    ///
    /// # Errors
    /// When the log is not that of the trial, or cannot be read.
    pub fn read_log(&self, folder: &Path, trial: &TrialRecord, each: impl FnMut(&EventBatch)) -> Result<(), LogError> {
        let path = self.file(folder, trial.events.as_deref().unwrap_or_default())?;
        read_trial(&path, &trial.trial_name(self.seed), each)
    }

    /// The first trial that occurs twice in the manifest, as a sentence.
    pub(super) fn repeated_trial(&self) -> Option<String> {
        repeated(&self.trials)
    }
}

/// The first of these trials that occurs twice, as a sentence.
pub(super) fn repeated(trials: &[TrialRecord]) -> Option<String> {
    let mut seen = BTreeSet::new();
    let again = trials.iter().find(|trial| !seen.insert((&trial.policy, trial.replication)))?;
    Some(format!("replication {} of policy `{}` occurs twice; it was changed", again.replication, again.policy))
}

/// A file in `folder`, which must be the one of this list.
pub(super) fn listed(files: &[FileRecord], folder: &Path, name: &str) -> Result<PathBuf, FileError> {
    let path = folder.join(name);
    let Some(record) = files.iter().find(|file| file.path == name) else {
        let problem = "manifest.json does not list it, so it may belong to another run";
        return Err(FileError::whole(path, problem));
    };
    record.check(folder)?;
    Ok(path)
}
