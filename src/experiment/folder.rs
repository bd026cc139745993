//! The folder of a run.
//!
//! Its name is claimed at the start and given when the folder is complete.
//!
//! The manifest lists all files with their hashes, so that each is known as the run's own. Until then it has a manifest without trials and `trials.jsonl`, a line for each trial that is whole, and that file is locked. So
//! of a process that was killed all whole trials are left, and whoever goes on from them knows that it is dead. Those of a run
//! that failed are left in the same way.

mod leftovers;
mod trial_journal;

pub use self::leftovers::{Noted, StoppedFolder};

use self::trial_journal::Journal;
use super::manifest::{Manifest, TrialRecord};
use crate::files::{Claim, ClaimError, FileError, FileRecord, Listing};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The run.
const MANIFEST: &str = "manifest.json";

/// The trials that are whole so far, a line each.
const JOURNAL: &str = "trials.jsonl";
/// Its name in earlier versions.
const EARLIER_JOURNAL: &str = "arms.jsonl";

/// A run folder that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The name cannot be had.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// The run that was to be gone on from is not over.
    #[error("{} is being filled by a process that runs; end that first", path.display())]
    Running {
        /// The folder.
        path: PathBuf,
    },
    /// There is more than one to go on from.
    #[error("{} was killed or failed more than once; name the one to resume: {}", target.display(), folders.join(", "))]
    Several {
        /// The run.
        target: PathBuf,
        /// The folders beside it.
        folders: Vec<String>,
    },
    /// A run that was killed or failed is to get a name that something has.
    #[error("{} exists already; move it away to resume {}", target.display(), path.display())]
    Taken {
        /// The content.
        target: PathBuf,
        /// The leftovers of its process.
        path: PathBuf,
    },
    /// The leftovers of a process differ from what it wrote.
    #[error("{}:{line}: {problem}; restore what the process wrote, or run the scenario again", path.display())]
    Journal {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The problem.
        problem: String,
    },
    /// The leftovers of a process cannot be read.
    #[error("cannot read {}: {source}; is this what a run that was killed or failed has left?", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file of the run cannot be read back.
    #[error(transparent)]
    File(#[from] FileError),
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
    /// The name; `None` when it is given.
    claim: Option<Claim>,
    /// Leftovers of the same run from killed or failed processes.
    left: Vec<PathBuf>,
    partial: PathBuf,
    journal: Mutex<Journal>,
    /// The whole trials of the run that this one goes on from.
    had: Vec<TrialRecord>,
    /// A folder that has nothing which this one lacks when it is finished.
    replaces: Option<PathBuf>,
    /// True if all that `target` has will be in it.
    in_place: bool,
    finished: bool,
}

impl RunFolder {
    /// Claims `target` and makes a folder beside it. With `force`, a run that is there is replaced at the end, not before.
    ///
    /// # Errors
    /// When `target` exists and may not be replaced, another process writes it, or nothing can be written there.
    pub fn create(target: &Path, force: bool) -> Result<RunFolder, FolderError> {
        let claim = Claim::new(target, force.then_some(own_files as Listing), "; --force replaces a run")?;
        let target = claim.target().to_owned();
        let mut left = Vec::new();
        for path in claim.leftovers() {
            match StoppedFolder::find(path) {
                // Nobody can go on from it.
                Ok(StoppedFolder { killed: Some(noted), .. })
                    if noted.trials.iter().all(|trial| trial.events.is_none()) =>
                {
                    let _ = std::fs::remove_dir_all(path);
                }
                Err(FolderError::Running { .. }) => {}
                _ => left.push(path.clone()),
            }
        }
        let partial = claim.start()?;
        let (events, path) = (partial.join("events"), partial.join(JOURNAL));
        std::fs::create_dir(&events).map_err(|source| io(&events, source))?;
        let journal = Mutex::new(Journal::create(&path).map_err(|source| io(&path, source))?);
        let claim = Some(claim);
        Ok(RunFolder {
            target,
            claim,
            left,
            partial,
            journal,
            had: Vec::new(),
            replaces: None,
            in_place: false,
            finished: false,
        })
    }

    /// The same, to go on from a run that `had` these whole trials: it has the run's place, and the folder of a killed one is
    /// removed when it has all of them.
    ///
    /// # Errors
    /// As [`RunFolder::create`]; when something has the name of a run whose process was killed.
    pub fn going_on(from: &StoppedFolder, had: Vec<TrialRecord>) -> Result<RunFolder, FolderError> {
        let killed = from.killed.is_some();
        let folder = RunFolder::create(&from.target, !killed).map_err(|problem| match problem {
            FolderError::Claim(ClaimError::Exists { path, .. }) if killed => {
                FolderError::Taken { target: path, path: from.path.clone() }
            }
            other => other,
        });
        let mut folder = folder?;
        folder.replaces = Some(from.path.clone()).filter(|_| killed && from.is_over);
        (folder.in_place, folder.had) = (!killed, had);
        Ok(folder)
    }

    /// Notes that a trial of a run with this seed is whole, should the process be killed later, and how many scenes were too
    /// long so far.
    pub fn note(&self, trial: &TrialRecord, seed: u64, shortened_scenes: u64) {
        let files = trial.files().into_iter().flatten().map(|file| FileRecord::of(&self.partial, Path::new(file)));
        // Nobody goes on from a log that cannot be read.
        if let Ok(files) = files.collect() {
            self.journal().note(trial, files, seed, shortened_scenes);
        }
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

    /// Leftovers of the same run from killed or failed processes that can be resumed.
    pub fn left(&self) -> &[PathBuf] {
        &self.left
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

    /// Writes the manifest with a list of all files that are there; those that it lists already are not read again.
    ///
    /// # Errors
    /// When a file cannot be read, or the manifest cannot be written.
    pub fn write_manifest(&self, manifest: &mut Manifest) -> Result<(), FolderError> {
        manifest.files = FileRecord::all(&self.partial, &[MANIFEST, JOURNAL], &manifest.files)?;
        self.write(MANIFEST, &manifest.to_json())
    }

    /// Gives the folder of a stopped run its name: `target`, or, where a run is that it does not go on from, a name beside it
    /// that is free.
    ///
    /// # Errors
    /// When it cannot be renamed.
    pub fn finish_interrupted(mut self) -> Result<PathBuf, FolderError> {
        self.close();
        let is_taken = !self.in_place && self.target.join(MANIFEST).exists();
        match self.claim.take_if(|_| is_taken) {
            Some(claim) => {
                let path = claim.give_beside(&self.partial, "-interrupted")?;
                self.end(&path);
                Ok(path)
            }
            None => self.finish(),
        }
    }

    /// Gives the folder its final name.
    ///
    /// # Errors
    /// When it cannot be renamed; the old run, if any, is kept then. When somebody else has filled the folder of that name
    /// meanwhile, the run has another name.
    pub fn finish(mut self) -> Result<PathBuf, FolderError> {
        self.close();
        let Some(claim) = self.claim.take() else { return Ok(self.target.clone()) };
        let given = claim.give(&self.partial);
        match &given {
            Ok(path) | Err(ClaimError::Intruded { kept: path, .. } | ClaimError::OldStays { path, .. }) => {
                let path = path.clone();
                self.end(&path);
            }
            Err(_) => {}
        }
        Ok(given?)
    }

    /// All is written.
    fn close(&self) {
        self.journal().close();
        // An empty folder would look like a log that was lost.
        let _ = std::fs::remove_dir(self.partial.join("events"));
    }

    /// The folder is complete and has a name.
    fn end(&mut self, path: &Path) {
        self.finished = true;
        // The manifest has all that it says.
        let _ = std::fs::remove_file(path.join(JOURNAL));
        // What cannot be removed is only a copy.
        self.replaces.iter().for_each(|replaced| {
            let _ = std::fs::remove_dir_all(replaced);
        });
    }
}

/// The files that are a run's own.
fn own_files(folder: &Path) -> Result<BTreeSet<PathBuf>, String> {
    if !folder.join(MANIFEST).is_file() {
        return Err(format!("it is not the folder of a run (no {MANIFEST})"));
    }
    let manifest = Manifest::read(folder).map_err(|problem| problem.to_string())?;
    let files = manifest.files.iter().map(|file| file.path.split('/').collect());
    Ok(files.chain([MANIFEST, JOURNAL, EARLIER_JOURNAL].map(PathBuf::from)).collect())
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

fn io(path: &Path, source: std::io::Error) -> FolderError {
    FolderError::Io { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::RankerRecord;

    /// A manifest of a run without trials that says `text` of itself.
    fn manifest(text: &str) -> Manifest {
        let none =
            |names: &[&str]| names.iter().map(|&name| (name.to_owned(), "".into())).collect::<serde_json::Map<_, _>>();
        let (mut data, mut user) =
            (none(&["name", "format", "hash", "cleanup"]), none(&["kind", "name", "hash", "runtime"]));
        data.extend(["users", "items", "interactions"].map(|name| (name.to_owned(), 0.into())));
        user.insert("reject_shift".to_owned(), 0.into());
        let machine = serde_json::json!({"platform": "", "cpu_features": [], "threads": 1, "chunk": 1});
        serde_json::from_value(serde_json::json!({
            "version": 2, "recmirror": text, "status": "complete", "scenario": "", "seed": 1, "data": data, "user": user,
            "machine": machine, "trials": [], "digest": "",
        }))
        .unwrap()
    }

    fn said(folder: &Path) -> String {
        Manifest::read(folder).unwrap().recmirror
    }

    #[test]
    fn a_manifest_with_earlier_names_is_read() {
        let place = tempfile::tempdir().unwrap();
        let mut manifest = manifest("old");
        manifest.rankers = vec![RankerRecord { policy: "net".to_owned(), hash: "a".to_owned() }];
        let text = manifest.to_json().replace("\"trials\":", "\"arms\":").replace("\"rankers\":", "\"scorers\":");
        assert!(text.contains("\"arms\":") && text.contains("\"scorers\":"));
        std::fs::write(place.path().join(MANIFEST), text).unwrap();
        let read = Manifest::read(place.path()).unwrap();
        assert_eq!((read.recmirror.as_str(), read.rankers.len()), ("old", 1));
        std::fs::write(place.path().join(EARLIER_JOURNAL), "").unwrap();
        make(place.path(), true, "new").unwrap();
        assert_eq!(said(place.path()), "new", "a journal that an earlier version left is its own");
    }

    fn make(target: &Path, force: bool, text: &str) -> Result<PathBuf, FolderError> {
        let folder = RunFolder::create(target, force)?;
        folder.write("report.html", text)?;
        folder.write_manifest(&mut manifest(text))?;
        folder.finish()
    }

    #[test]
    fn a_run_appears_whole_or_not_at_all() {
        let place = tempfile::tempdir().unwrap();
        let target = place.path().join("run");
        let folder = RunFolder::create(&target, false).unwrap();
        folder.write_manifest(&mut manifest("first")).unwrap();
        assert_eq!(std::fs::read_dir(&target).unwrap().count(), 0, "the name is held");
        folder.finish().unwrap();
        assert_eq!(said(&target), "first");
        let exists = RunFolder::create(&target, false).map(|_| ());
        assert!(matches!(exists, Err(FolderError::Claim(ClaimError::Exists { .. }))));
        drop(RunFolder::create(&target, true).unwrap());
        assert_eq!(said(&target), "first", "kept until the end");
        make(&target, true, "second").unwrap();
        assert_eq!(said(&target), "second");
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1, "nothing is left beside it");
        assert_eq!(std::fs::read_dir(&target).unwrap().count(), 2, "a manifest and a report");
    }

    #[test]
    fn a_run_that_is_there_is_replaced_with_its_own_files_only() {
        let place = tempfile::tempdir().unwrap();
        let target = place.path().join("run");
        make(&target, false, "first").unwrap();
        std::fs::write(target.join("notes.txt"), "mine").unwrap();
        let problem = make(&target, true, "second").unwrap_err().to_string();
        assert!(problem.contains("holds notes.txt"), "{problem}");
        std::fs::remove_file(target.join("notes.txt")).unwrap();
        let old = serde_json::json!({"version": 1}).to_string();
        std::fs::write(target.join("manifest.json"), old).unwrap();
        assert!(make(&target, true, "second").is_err() && target.join("report.html").exists());
    }

    #[test]
    fn what_a_killed_process_has_left_is_found() {
        let place = tempfile::tempdir().unwrap();
        let target = place.path().join("run");
        assert!(StoppedFolder::find(&target).unwrap().killed.is_none(), "there is nothing");
        let mut running = RunFolder::create(&target, false).unwrap();
        running.write("manifest.json", "{}").unwrap();
        let partial = running.path().to_owned();
        for named in [&target, &partial] {
            assert!(matches!(StoppedFolder::find(named), Err(FolderError::Running { .. })));
        }
        // As if the process had ended: its locks are gone, and what it wrote is there, the last line half.
        let trial = r#"{"policy":"a","replication":0,"ticks":1,"user_steps":1,"short_slates":0,"seconds":0,"digest":"d","events":"events/a.parquet"}"#;
        running.journal().close();
        let line = trial_journal::Line::new(&serde_json::from_str(trial).unwrap(), Vec::new(), 5, 7);
        let line = serde_json::to_string(&line).unwrap();
        std::fs::write(partial.join(JOURNAL), format!("{line}\n{}", &line[..20])).unwrap();
        for named in [&target, &partial] {
            let found = StoppedFolder::find(named).unwrap();
            assert!(found.path == partial && found.target == target);
            let noted = found.killed.unwrap();
            assert_eq!(noted.trials.iter().map(|trial| trial.policy.as_str()).collect::<Vec<_>>(), ["a"]);
            assert_eq!(noted.shortened_scenes, 7);
        }
        // An earlier version wrote other names.
        std::fs::remove_file(partial.join(JOURNAL)).unwrap();
        std::fs::write(partial.join(EARLIER_JOURNAL), line.replace("\"trial\":", "\"arm\":")).unwrap();
        assert_eq!(StoppedFolder::find(&target).unwrap().killed.unwrap().trials.len(), 1);
        // A process of the same number does not write there.
        drop(running.claim.take());
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
        make(&target, false, "whole").unwrap();
        let folder = RunFolder::create(&target, true).unwrap();
        folder.write_manifest(&mut manifest("stopped")).unwrap();
        let stopped = folder.finish_interrupted().unwrap();
        assert_eq!((said(&target), said(&stopped)), ("whole".to_owned(), "stopped".to_owned()));
        assert_eq!(stopped, place.path().join("run-interrupted-1"));
    }

    #[test]
    fn force_spares_what_is_no_run() {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("precious.txt"), "x").unwrap();
        let problem = RunFolder::create(place.path(), true).map(|_| ()).unwrap_err().to_string();
        assert!(problem.contains("is not the folder of a run (no manifest.json)"), "{problem}");
        assert!(place.path().join("precious.txt").exists());
    }
}
