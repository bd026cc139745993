//! The folder of a run.
//!
//! Its name is claimed at the start and assigned when the folder is complete.
//!
//! The manifest lists all files with their hashes. Before it is complete, the folder has a manifest without trials and
//! the locked journal `trials.jsonl`, with a line for each completed trial. Completed trials therefore survive a killed
//! or failed process, and the free lock shows that the process has ended.

mod leftovers;
mod trial_journal;

pub use self::leftovers::{Noted, StoppedFolder};

use self::trial_journal::Journal;
use super::manifest::{Manifest, TrialRecord};
use crate::files::{Claim, ClaimError, FileError, FileRecord, Listing};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The manifest of the run.
const MANIFEST: &str = "manifest.json";

/// The journal of completed trials.
const JOURNAL: &str = "trials.jsonl";
/// The journal's name in earlier versions.
const EARLIER_JOURNAL: &str = "arms.jsonl";

/// A run folder that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The name cannot be claimed.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// The run to continue is still active.
    #[error("{} is in use by a running process; stop that first", path.display())]
    Running {
        /// Several runs could be continued.
        path: PathBuf,
    },
    /// Several runs could be continued.
    #[error("{} was killed or failed more than once; name the one to resume: {}", target.display(), folders.join(", "))]
    Several {
        /// The run.
        target: PathBuf,
        /// The folders beside it.
        folders: Vec<String>,
    },
    /// The name for a killed or failed run is taken.
    #[error("{} exists already; move it away to resume {}", target.display(), path.display())]
    Taken {
        /// The content.
        target: PathBuf,
        /// The leftovers of its process.
        path: PathBuf,
    },
    /// The journal of a process was changed.
    #[error("{}:{line}: {problem}; restore what the process wrote, or run the scenario again", path.display())]
    Journal {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The problem.
        problem: String,
    },
    /// The journal of a process cannot be read.
    #[error("cannot read {}: {source}; is this the folder of a killed or failed run?", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file of the run cannot be read again.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file system refused an operation.
    #[error("cannot write {}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// A run's folder while it is being filled. If it is dropped before [`RunFolder::finish`], it is removed, unless it can
/// be resumed.
pub struct RunFolder {
    target: PathBuf,
    /// The claim on the name; `None` once the name is assigned.
    claim: Option<Claim>,
    /// Leftovers of the same run from killed or failed processes.
    left: Vec<PathBuf>,
    partial: PathBuf,
    journal: Mutex<Journal>,
    /// The completed trials of the run that this one continues.
    had: Vec<TrialRecord>,
    /// A folder whose whole content is in this one when it is finished.
    replaces: Option<PathBuf>,
    /// True if everything in `target` will be in it.
    in_place: bool,
    finished: bool,
}

impl RunFolder {
    /// Claims `target` and makes a folder beside it. With `force`, an existing run is replaced at the end, not before.
    ///
    /// # Errors
    /// When `target` exists and may not be replaced, another process writes it, or the place is not writable.
    pub fn create(target: &Path, force: bool) -> Result<RunFolder, FolderError> {
        let claim = Claim::new(target, force.then_some(own_files as Listing), "; --force replaces a run")?;
        let target = claim.target().to_owned();
        let mut left = Vec::new();
        for path in claim.leftovers() {
            match StoppedFolder::find(path) {
                // No trial of it can be continued.
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

    /// Continues a run that `had` these completed trials: it takes over the run's place. The folder of a killed run is
    /// removed once this one has all its trials.
    ///
    /// # Errors
    /// As [`RunFolder::create`]; when the name of a killed run is taken.
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

    /// Journals a completed trial of a run with this seed, and the number of scenes that were too long so far.
    pub fn note(&self, trial: &TrialRecord, seed: u64, shortened_scenes: u64) {
        let files = trial.files().into_iter().flatten().map(|file| FileRecord::of(&self.partial, Path::new(file)));
        // A log that cannot be read cannot be continued.
        if let Ok(files) = files.collect() {
            self.journal().note(trial, files, seed, shortened_scenes);
        }
    }

    /// Removes the journal, so that the run cannot be resumed: its content is wrong.
    pub fn forget(&self) {
        self.journal().forget();
    }

    fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The folder for files until the run is finished.
    pub fn path(&self) -> &Path {
        &self.partial
    }

    /// The final path of the run.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Leftovers of the same run from killed or failed processes that can be resumed.
    pub fn left(&self) -> &[PathBuf] {
        &self.left
    }

    /// Writes a text file atomically: a process killed meanwhile leaves the old content.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, name: &str, text: &str) -> Result<(), FolderError> {
        let (path, beside) = (self.partial.join(name), self.partial.join(format!(".{name}.partial")));
        let written = std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, &path));
        written.map_err(|source| io(&path, source))
    }

    /// Writes the manifest with a list of all files in the folder; files that it lists already are not read again.
    ///
    /// # Errors
    /// When a file cannot be read, or the manifest cannot be written.
    pub fn write_manifest(&self, manifest: &mut Manifest) -> Result<(), FolderError> {
        manifest.files = FileRecord::all(&self.partial, &[MANIFEST, JOURNAL], &manifest.files)?;
        self.write(MANIFEST, &manifest.to_json())
    }

    /// Names the folder of a stopped run: `target`, or a free name beside it if another run is there.
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
    /// When it cannot be renamed; an old run is kept then. If another process has taken the name meanwhile, the run
    /// gets another name.
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

    /// Ends the journal: all files are written.
    fn close(&self) {
        self.journal().close();
        // An empty folder would look like a log that was lost.
        let _ = std::fs::remove_dir(self.partial.join("events"));
    }

    /// Cleans up after the folder has its name.
    fn end(&mut self, path: &Path) {
        self.finished = true;
        // The manifest has all of its content.
        let _ = std::fs::remove_file(path.join(JOURNAL));
        // A folder that cannot be removed is only a copy.
        self.replaces.iter().for_each(|replaced| {
            let _ = std::fs::remove_dir_all(replaced);
        });
    }
}

/// The files that belong to a run.
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
        // Leftovers that cannot be removed do no harm.
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

    /// A manifest of a run without trials, with `text` as its status.
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
    fn a_run_appears_completely_or_not_at_all() {
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
    fn leftovers_of_a_killed_process_are_found() {
        let place = tempfile::tempdir().unwrap();
        let target = place.path().join("run");
        assert!(StoppedFolder::find(&target).unwrap().killed.is_none(), "there is nothing");
        let mut running = RunFolder::create(&target, false).unwrap();
        running.write("manifest.json", "{}").unwrap();
        let partial = running.path().to_owned();
        for named in [&target, &partial] {
            assert!(matches!(StoppedFolder::find(named), Err(FolderError::Running { .. })));
        }
        // As if the process had ended: its locks are released, its files are there, and the last line is incomplete.
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
        // An earlier version used other names.
        std::fs::remove_file(partial.join(JOURNAL)).unwrap();
        std::fs::write(partial.join(EARLIER_JOURNAL), line.replace("\"trial\":", "\"arm\":")).unwrap();
        assert_eq!(StoppedFolder::find(&target).unwrap().killed.unwrap().trials.len(), 1);
        // The claim is released, as when no process with this number writes there.
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
    fn a_run_with_the_name_of_a_killed_one_is_unchanged() {
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
    fn a_stopped_run_does_not_replace_a_complete_one() {
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
    fn force_keeps_folders_that_are_no_run() {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("precious.txt"), "x").unwrap();
        let problem = RunFolder::create(place.path(), true).map(|_| ()).unwrap_err().to_string();
        assert!(problem.contains("is not the folder of a run (no manifest.json)"), "{problem}");
        assert!(place.path().join("precious.txt").exists());
    }
}
