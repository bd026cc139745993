//! The leftovers of an unfinished run.

use super::trial_journal::lines;
use super::{EARLIER_JOURNAL, FolderError, JOURNAL, io};
use crate::experiment::manifest::TrialRecord;
use crate::files::FileRecord;
use std::fs::{File, TryLockError};
use std::io::Read;
use std::path::{Path, PathBuf};

/// The folder of an unfinished run.
#[derive(Debug)]
pub struct StoppedFolder {
    /// Its path.
    pub path: PathBuf,
    /// The path of the finished run.
    pub target: PathBuf,
    /// The progress when the process was killed or failed; `None` if neither happened.
    pub killed: Option<Noted>,
    /// Leftovers of the run from processes that were killed or failed.
    pub others: Vec<PathBuf>,
    /// Locked while a process continues the run.
    _journal: Option<File>,
    /// True if no process writes to it.
    pub(super) is_over: bool,
}

/// The content of a killed process's journal.
#[derive(Debug, Default)]
pub struct Noted {
    /// The completed trials.
    pub trials: Vec<TrialRecord>,
    /// Their files.
    pub files: Vec<FileRecord>,
    /// The seed of the run; `None` without trials.
    pub seed: Option<u64>,
    /// Scenes too long for a language model, up to the last completed trial.
    pub shortened_scenes: u64,
    /// Incomplete lines, whose trials are unknown.
    pub torn: usize,
}

impl StoppedFolder {
    /// Finds the unfinished run of the path `folder`: the folder itself, or the leftovers beside it of a process that
    /// was killed before the folder had its name. `folder` may also name the leftovers.
    ///
    /// # Errors
    /// When its process runs, or there are several leftovers.
    pub fn find(folder: &Path) -> Result<StoppedFolder, FolderError> {
        let folder = std::path::absolute(folder).map_err(|source| io(folder, source))?;
        if let Some(target) = belongs(&folder) {
            return StoppedFolder::of_killed(folder, target);
        }
        let mut left = Vec::new();
        let mut running = None;
        for path in left_beside(&folder) {
            match StoppedFolder::of_killed(path, folder.clone()) {
                Ok(found) => left.push(found),
                Err(problem) => running = Some(problem),
            }
        }
        let has_name = folder.join("manifest.json").is_file();
        match (has_name, left.len(), running) {
            (false, 1, _) => Ok(left.remove(0)),
            (false, 0, Some(problem)) => Err(problem),
            (false, 2.., _) => {
                let describe = |one: &StoppedFolder| {
                    let trials = one.killed.as_ref().map_or(0, |noted| noted.trials.len());
                    format!("{} ({trials} completed trials)", one.path.display())
                };
                Err(FolderError::Several { folders: left.iter().map(describe).collect(), target: folder })
            }
            _ => {
                let others = left.into_iter().map(|one| one.path).collect();
                Ok(StoppedFolder {
                    path: folder.clone(),
                    target: folder,
                    killed: None,
                    others,
                    _journal: None,
                    is_over: true,
                })
            }
        }
    }

    fn of_killed(path: PathBuf, target: PathBuf) -> Result<StoppedFolder, FolderError> {
        let earlier = Some(path.join(EARLIER_JOURNAL)).filter(|earlier| earlier.is_file());
        let place = earlier.unwrap_or_else(|| path.join(JOURNAL));
        let fail = |source| FolderError::Read { path: place.clone(), source };
        // Some file systems lock only files that are open for writing.
        let mut journal = File::options().read(true).write(true).open(&place).map_err(fail)?;
        let lock = journal.try_lock();
        if matches!(lock, Err(TryLockError::WouldBlock)) {
            return Err(FolderError::Running { path });
        }
        // Reads through the handle with the lock: on some systems the lock keeps all other handles out.
        let mut text = String::new();
        journal.read_to_string(&mut text).map_err(fail)?;
        let (lines, torn) =
            lines(&text).map_err(|(line, problem)| FolderError::Journal { path: place, line, problem })?;
        let shortened_scenes = lines.iter().map(|line| line.shortened_scenes).max().unwrap_or(0);
        let seed = lines.first().map(|line| line.seed);
        let (trials, files): (Vec<_>, Vec<_>) = lines.into_iter().map(|line| (line.trial, line.files)).unzip();
        let noted = Noted { trials, files: files.concat(), seed, shortened_scenes, torn };
        let is_over = lock.is_ok();
        Ok(StoppedFolder { path, target, killed: Some(noted), others: Vec::new(), _journal: Some(journal), is_over })
    }
}

/// The run that an unfinished folder belongs to.
fn belongs(partial: &Path) -> Option<PathBuf> {
    let (name, process) = partial.file_name()?.to_str()?.strip_prefix('.')?.rsplit_once(".partial-")?;
    let (process, more) = process.split_once('-')?;
    let numbers = process.parse::<u32>().is_ok() && more.parse::<u32>().is_ok();
    numbers.then(|| partial.with_file_name(name))
}

/// The leftovers of a run from killed processes, in order of their names.
fn left_beside(target: &Path) -> Vec<PathBuf> {
    let entries = target.parent().and_then(|above| std::fs::read_dir(above).ok()).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    found.retain(|path| belongs(path).as_deref() == Some(target) && path.join("manifest.json").is_file());
    found.sort();
    found
}
