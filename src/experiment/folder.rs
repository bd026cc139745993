//! The folder of a run: made beside its name, renamed when everything is in it.

use std::path::{Path, PathBuf};

/// A run folder that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// There is something already.
    #[error("{} exists already; name another folder with --out, or replace it with --force", path.display())]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// There is something that is not a run.
    #[error("{} is not the folder of a run (no manifest.json); --force replaces runs only", path.display())]
    NotARun {
        /// The folder.
        path: PathBuf,
    },
    /// The file system refused.
    #[error("cannot write {}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// A run's folder while it is being filled. Dropped before [`RunFolder::finish`], it is removed.
pub struct RunFolder {
    target: PathBuf,
    partial: PathBuf,
    finished: bool,
}

impl RunFolder {
    /// Whether a run may be put at `target`: nothing is there, or `force` and a run is.
    ///
    /// # Errors
    /// When `target` exists and may not be replaced.
    pub fn check(target: &Path, force: bool) -> Result<PathBuf, FolderError> {
        let target = std::path::absolute(target).map_err(|source| io(target, source))?;
        if target.exists() {
            let empty = std::fs::read_dir(&target).is_ok_and(|mut entries| entries.next().is_none());
            if !force && !empty {
                return Err(FolderError::Exists { path: target });
            }
            if !empty && !target.join("manifest.json").is_file() {
                return Err(FolderError::NotARun { path: target });
            }
        }
        Ok(target)
    }

    /// Makes a folder beside `target`. With `force`, a run that is there is replaced at the end, not before.
    ///
    /// # Errors
    /// When `target` exists and may not be replaced, or nothing can be written there.
    pub fn create(target: &Path, force: bool) -> Result<RunFolder, FolderError> {
        let target = RunFolder::check(target, force)?;
        // Two runs with the same target at once must not write into each other's folder.
        let partial = sibling(&target, &format!("partial-{}", std::process::id()));
        if partial.exists() {
            std::fs::remove_dir_all(&partial).map_err(|source| io(&partial, source))?;
        }
        std::fs::create_dir_all(partial.join("events")).map_err(|source| io(&partial, source))?;
        Ok(RunFolder { target, partial, finished: false })
    }

    /// Where files go until the run is finished.
    pub fn path(&self) -> &Path {
        &self.partial
    }

    /// Where the run will be.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Writes a text file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, name: &str, text: &str) -> Result<(), FolderError> {
        let path = self.partial.join(name);
        std::fs::write(&path, text).map_err(|source| io(&path, source))
    }

    /// Gives the folder of a stopped run its name: `target`, or, where a run is, a name beside it that is free.
    ///
    /// # Errors
    /// When it cannot be renamed.
    pub fn finish_interrupted(mut self) -> Result<PathBuf, FolderError> {
        if self.target.join("manifest.json").exists() {
            let name = self.target.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let beside = |number: u32| self.target.with_file_name(format!("{name}-interrupted-{number}"));
            let free = (1..).map(beside).find(|path| !path.exists());
            self.target = free.unwrap_or_else(|| beside(0));
        }
        self.finish()
    }

    /// Gives the folder its final name.
    ///
    /// # Errors
    /// When it cannot be renamed; the old run, if any, is kept then.
    pub fn finish(mut self) -> Result<PathBuf, FolderError> {
        let old = sibling(&self.target, "old");
        let replaces = self.target.exists();
        if replaces {
            if old.exists() {
                std::fs::remove_dir_all(&old).map_err(|source| io(&old, source))?;
            }
            std::fs::rename(&self.target, &old).map_err(|source| io(&self.target, source))?;
        }
        if let Err(source) = std::fs::rename(&self.partial, &self.target) {
            if replaces {
                let _ = std::fs::rename(&old, &self.target);
            }
            return Err(io(&self.target, source));
        }
        self.finished = true;
        if replaces {
            std::fs::remove_dir_all(&old).map_err(|source| io(&old, source))?;
        }
        Ok(self.target.clone())
    }
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        if !self.finished {
            let _ = std::fs::remove_dir_all(&self.partial);
        }
    }
}

fn sibling(target: &Path, ending: &str) -> PathBuf {
    let name = target.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    target.with_file_name(format!(".{name}.{ending}"))
}

fn io(path: &Path, source: std::io::Error) -> FolderError {
    FolderError::Io { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_appears_whole_or_not_at_all() {
        let place = tempfile::tempdir().unwrap();
        let target = place.path().join("run");
        let folder = RunFolder::create(&target, false).unwrap();
        folder.write("manifest.json", "first").unwrap();
        assert!(!target.exists());
        folder.finish().unwrap();
        assert_eq!(std::fs::read_to_string(target.join("manifest.json")).unwrap(), "first");
        assert!(matches!(RunFolder::create(&target, false), Err(FolderError::Exists { .. })));
        drop(RunFolder::create(&target, true).unwrap());
        assert_eq!(std::fs::read_to_string(target.join("manifest.json")).unwrap(), "first", "kept until the end");
        let folder = RunFolder::create(&target, true).unwrap();
        folder.write("manifest.json", "second").unwrap();
        folder.finish().unwrap();
        assert_eq!(std::fs::read_to_string(target.join("manifest.json")).unwrap(), "second");
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_stopped_run_does_not_replace_a_whole_one() {
        let place = tempfile::tempdir().unwrap();
        let target = place.path().join("run");
        let folder = RunFolder::create(&target, false).unwrap();
        folder.write("manifest.json", "whole").unwrap();
        folder.finish().unwrap();
        let folder = RunFolder::create(&target, true).unwrap();
        folder.write("manifest.json", "stopped").unwrap();
        let stopped = folder.finish_interrupted().unwrap();
        assert_eq!(std::fs::read_to_string(target.join("manifest.json")).unwrap(), "whole");
        assert_eq!(std::fs::read_to_string(stopped.join("manifest.json")).unwrap(), "stopped");
    }

    #[test]
    fn force_spares_what_is_no_run() {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("precious.txt"), "x").unwrap();
        assert!(matches!(RunFolder::create(place.path(), true), Err(FolderError::NotARun { .. })));
        assert!(place.path().join("precious.txt").exists());
    }
}
