//! The folder of a run: made beside its name, renamed when everything is in it.
//!
//! Until then it has a manifest without arms and `arms.jsonl`, a line for each arm that is whole, and that file is locked. So
//! of a process that was killed all whole arms are left, and whoever goes on from them knows that it is dead. Those of a run
//! that failed are left in the same way.

mod journal;
mod stopped;

pub use self::stopped::{Noted, StoppedFolder};

use self::journal::Journal;
use super::manifest::ArmRecord;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The arms that are whole so far, a line each.
const JOURNAL: &str = "arms.jsonl";

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
    /// The run that was to be gone on from is not over.
    #[error("{} is being filled by a process that runs; end that first", path.display())]
    Running {
        /// The folder.
        path: PathBuf,
    },
    /// There is more than one to go on from.
    #[error("{} was killed or failed more than once; name the one to go on from: {}", target.display(), folders.join(", "))]
    Several {
        /// The run.
        target: PathBuf,
        /// The folders beside it.
        folders: Vec<String>,
    },
    /// A run that was killed or failed is to get a name that something has.
    #[error("{} exists already; move it away to go on from {}", target.display(), path.display())]
    Taken {
        /// What is there.
        target: PathBuf,
        /// What its process has left.
        path: PathBuf,
    },
    /// What a process has left cannot be read.
    #[error("cannot read {}: {source}; is this what a run that was killed or failed has left?", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
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

/// A run's folder while it is being filled. Dropped before [`RunFolder::finish`], it is removed, unless there is something to
/// go on from.
pub struct RunFolder {
    target: PathBuf,
    partial: PathBuf,
    journal: Mutex<Journal>,
    /// The whole arms of the run that this one goes on from.
    had: Vec<ArmRecord>,
    /// A folder that has nothing which this one lacks when it is finished.
    replaces: Option<PathBuf>,
    /// Whether all that `target` has will be in it.
    in_place: bool,
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
        // Two runs with the same target at once must not write into each other's folder, and in containers a process that was
        // killed had the same number.
        let named = |more: u32| sibling(&target, &format!("partial-{}-{more}", std::process::id()));
        let partial = (0..).map(named).find(|path| !path.exists()).unwrap_or_else(|| named(0));
        std::fs::create_dir_all(partial.join("events")).map_err(|source| io(&partial, source))?;
        let path = partial.join(JOURNAL);
        let journal = Mutex::new(Journal::create(&path).map_err(|source| io(&path, source))?);
        Ok(RunFolder { target, partial, journal, had: Vec::new(), replaces: None, in_place: false, finished: false })
    }

    /// The same, to go on from a run that `had` these whole arms: it has the run's place, and the folder of a killed one is
    /// removed when it has all of them.
    ///
    /// # Errors
    /// As [`RunFolder::create`]; when something has the name of a run whose process was killed.
    pub fn going_on(from: &StoppedFolder, had: Vec<ArmRecord>) -> Result<RunFolder, FolderError> {
        let killed = from.killed.is_some();
        let folder = RunFolder::create(&from.target, !killed).map_err(|problem| match problem {
            FolderError::Exists { path } if killed => FolderError::Taken { target: path, path: from.path.clone() },
            other => other,
        });
        let mut folder = folder?;
        folder.replaces = Some(from.path.clone()).filter(|_| killed && from.is_over);
        (folder.in_place, folder.had) = (!killed, had);
        Ok(folder)
    }

    /// Notes that an arm is whole, should the process be killed later, and how many scenes were too long so far.
    pub fn note(&self, arm: &ArmRecord, shortened_scenes: u64) {
        self.journal().note(arm, shortened_scenes);
    }

    /// Lets nobody go on from this run: what was noted is not right.
    pub fn forget(&self) {
        self.journal().forget();
    }

    fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where files go until the run is finished.
    pub fn path(&self) -> &Path {
        &self.partial
    }

    /// Where the run will be.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Writes a text file, whole or not at all: a process that is killed in it must leave what was there.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, name: &str, text: &str) -> Result<(), FolderError> {
        let (path, beside) = (self.partial.join(name), self.partial.join(format!(".{name}.partial")));
        let written = std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, &path));
        written.map_err(|source| io(&path, source))
    }

    /// Gives the folder of a stopped run its name: `target`, or, where a run is that it does not go on from, a name beside it
    /// that is free.
    ///
    /// # Errors
    /// When it cannot be renamed.
    pub fn finish_interrupted(mut self) -> Result<PathBuf, FolderError> {
        if !self.in_place && self.target.join("manifest.json").exists() {
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
        self.journal().close();
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
        // The manifest has all that it says.
        let _ = std::fs::remove_file(self.target.join(JOURNAL));
        if replaces {
            std::fs::remove_dir_all(&old).map_err(|source| io(&old, source))?;
        }
        // What cannot be removed is only a copy.
        self.replaces.iter().for_each(|replaced| {
            let _ = std::fs::remove_dir_all(replaced);
        });
        Ok(self.target.clone())
    }
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        journal.close();
        if self.finished {
            return;
        }
        // What cannot be removed is in the way of nothing.
        if !journal.has_more_than(&self.had) {
            let _ = std::fs::remove_dir_all(&self.partial);
            return;
        }
        journal.keep_noted(&self.partial);
        for replaced in self.replaces.iter().filter(|_| journal.has_all_of(&self.had)) {
            let _ = std::fs::remove_dir_all(replaced);
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
        assert_eq!(std::fs::read_dir(&target).unwrap().count(), 2, "a manifest and a folder for events");
    }

    #[test]
    fn what_a_killed_process_has_left_is_found() {
        let place = tempfile::tempdir().unwrap();
        let target = place.path().join("run");
        assert!(StoppedFolder::find(&target).unwrap().killed.is_none(), "there is nothing");
        let running = RunFolder::create(&target, false).unwrap();
        running.write("manifest.json", "{}").unwrap();
        let partial = running.path().to_owned();
        for named in [&target, &partial] {
            assert!(matches!(StoppedFolder::find(named), Err(FolderError::Running { .. })));
        }
        // As if the process had ended: its locks are gone, and what it wrote is there, the last line half.
        let arm = r#"{"policy":"a","replication":0,"ticks":1,"user_steps":1,"short_slates":0,"seconds":0,"digest":"d","events":null}"#;
        running.journal().close();
        let line = format!(r#"{{"shortened_scenes":7,"arm":{arm}}}"#);
        std::fs::write(partial.join(JOURNAL), format!("{line}\n{}", &line[..20])).unwrap();
        for named in [&target, &partial] {
            let found = StoppedFolder::find(named).unwrap();
            assert!(found.path == partial && found.target == target);
            let noted = found.killed.unwrap();
            assert_eq!(noted.arms.iter().map(|arm| arm.policy.as_str()).collect::<Vec<_>>(), ["a"]);
            assert_eq!(noted.shortened_scenes, 7);
        }
        // A process of the same number does not write there.
        assert_ne!(RunFolder::create(&target, false).unwrap().path(), partial);
        let other = place.path().join(".run.partial-1-0");
        std::fs::create_dir(&other).unwrap();
        for name in ["manifest.json", JOURNAL] {
            std::fs::write(other.join(name), "").unwrap();
        }
        assert!(matches!(StoppedFolder::find(&target), Err(FolderError::Several { .. })));
    }

    #[test]
    fn a_run_that_has_the_name_of_a_killed_one_stays_what_it_is() {
        let place = tempfile::tempdir().unwrap();
        let (target, partial) = (place.path().join("run"), place.path().join(".run.partial-1-0"));
        std::fs::create_dir(&partial).unwrap();
        for name in ["manifest.json", JOURNAL] {
            std::fs::write(partial.join(name), "").unwrap();
        }
        std::fs::create_dir(&target).unwrap();
        std::fs::write(target.join("manifest.json"), "whole").unwrap();
        let found = StoppedFolder::find(&target).unwrap();
        assert!(found.killed.is_none() && found.path == target && found.others == [partial.clone()]);
        drop(found);
        let killed = StoppedFolder::find(&partial).unwrap();
        assert!(matches!(RunFolder::going_on(&killed, Vec::new()), Err(FolderError::Taken { .. })));
        std::fs::rename(&target, place.path().join("away")).unwrap();
        RunFolder::going_on(&killed, Vec::new()).unwrap().finish().unwrap();
        assert!(target.exists() && !partial.exists());
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
