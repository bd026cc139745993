//! A folder that a command writes.
//!
//! Claimed at the start, named when it is complete, removed otherwise.

use super::claim::{Claim, ClaimError, Listing};
use std::path::{Path, PathBuf};

/// A folder beside its final name. Dropped before [`OutputFolder::finish`], it is removed.
pub struct OutputFolder {
    claim: Option<Claim>,
    partial: PathBuf,
}

impl OutputFolder {
    /// Claims `target` as `Claim::new` does, and starts the folder. Leftovers of killed processes are removed.
    ///
    /// # Errors
    /// When the name cannot be claimed.
    pub fn create(target: &Path, replaces: Option<Listing>, remedy: &'static str) -> Result<OutputFolder, ClaimError> {
        let mut claim = Claim::new(target, replaces, remedy)?;
        claim.remove_leftovers();
        let partial = claim.start()?;
        Ok(OutputFolder { claim: Some(claim), partial })
    }

    /// The folder for files until it is finished.
    pub fn path(&self) -> &Path {
        &self.partial
    }

    /// Gives the folder its name, which is given back.
    ///
    /// # Errors
    /// As `Claim::give`.
    pub fn finish(mut self) -> Result<PathBuf, ClaimError> {
        match self.claim.take() {
            Some(claim) => claim.give(&self.partial),
            None => Ok(self.partial.clone()),
        }
    }
}

impl Drop for OutputFolder {
    fn drop(&mut self) {
        // A folder that has its name is here no more; what cannot be removed is in the way of nothing.
        let _ = std::fs::remove_dir_all(&self.partial);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_appears_completely_or_not_at_all() {
        let place = tempfile::tempdir().unwrap();
        let target = place.path().join("out");
        let folder = OutputFolder::create(&target, None, "").unwrap();
        std::fs::write(folder.path().join("a"), "half").unwrap();
        drop(folder);
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
        let folder = OutputFolder::create(&target, None, "").unwrap();
        std::fs::write(folder.path().join("a"), "whole").unwrap();
        assert_eq!(folder.finish().unwrap(), target);
        assert_eq!(std::fs::read_to_string(target.join("a")).unwrap(), "whole");
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1);
    }
}
