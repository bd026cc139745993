//! Claims of folder names before the work begins.
//!
//! The claim is a locked file beside the name, which ends with its process, and an empty folder if there was none, so
//! that neither this program nor another one takes the name meanwhile. Files of others are never removed: a folder is
//! replaced only if its own list names every file in it, and only these files are removed.

use super::owned::{Contents, contents, remove_own};
use std::collections::BTreeSet;
use std::fs::{File, TryLockError};
use std::io::{Error, ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// The files that a folder's own list names, relative to it; else why it is not one that this program wrote.
pub type Listing = fn(&Path) -> Result<BTreeSet<PathBuf>, String>;

/// A name that cannot be claimed, or given.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// There is something already.
    #[error("{} exists already and is not empty; name another folder{remedy}", path.display())]
    Exists {
        /// The folder.
        path: PathBuf,
        /// The other remedies.
        remedy: &'static str,
    },
    /// There is something that this program did not write.
    #[error("{} is not replaced: {problem}; name another folder, or move it away", path.display())]
    NotOwn {
        /// The folder.
        path: PathBuf,
        /// The reason why it is not recognised as this program's.
        problem: String,
    },
    /// Beside this program's files lies another one.
    #[error(
        "{} is not replaced: it holds {}, which its list of files does not name; move that file away, or name another folder",
        path.display(), file.display()
    )]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// The file.
        file: PathBuf,
    },
    /// A name that is a link.
    #[error("{} is a symbolic link{to}; name the folder itself", path.display())]
    Link {
        /// The name.
        path: PathBuf,
        /// Its target.
        to: String,
    },
    /// The folder in which the program was started, or one above it.
    #[error("{} is the current folder or holds it; name a new folder, such as {}", path.display(), path.join("out").display())]
    Current {
        /// The folder.
        path: PathBuf,
    },
    /// A file has the name.
    #[error("{} is a file; name a folder", path.display())]
    NotAFolder {
        /// The name.
        path: PathBuf,
    },
    /// Another process has claimed it.
    #[error("{} is being written by another process{process}; wait until that ends, or name another folder", path.display())]
    Taken {
        /// The folder.
        path: PathBuf,
        /// Its number, if known.
        process: String,
    },
    /// Somebody used the name while this program worked.
    #[error("{} was filled by somebody else meanwhile ({}), so it stays as it is; what was made is in {}", path.display(), file.display(), kept.display())]
    Intruded {
        /// The folder.
        path: PathBuf,
        /// Its content.
        file: PathBuf,
        /// The place of the new folder.
        kept: PathBuf,
    },
    /// The folder has its name, but what it replaced holds more than its own files.
    #[error("{} is complete; the folder that it replaced holds other files, which stay in {}", path.display(), old.display())]
    OldStays {
        /// The folder.
        path: PathBuf,
        /// The remains of the old one.
        old: PathBuf,
    },
    /// The file system refused.
    #[error("cannot write {}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The reason.
        source: Error,
    },
}

/// A name for a folder that belongs to this process until it is dropped.
#[derive(Debug)]
pub struct Claim {
    target: PathBuf,
    replaces: Option<Listing>,
    /// The locked file; `None` after the end.
    lock: Option<(PathBuf, File)>,
    /// True if an empty folder was made to hold the name.
    is_held: bool,
    /// The folders above it that were made for it, the lowest first.
    made: Vec<PathBuf>,
    leftovers: Vec<PathBuf>,
}

impl Claim {
    /// Claims `target`, where nothing or an empty folder may be, or, with `replaces`, a folder whose own list names all its
    /// files. Folders above it are made. `remedy` ends the message about a folder that is in the way.
    ///
    /// # Errors
    /// When the name cannot be claimed.
    pub fn new(target: &Path, replaces: Option<Listing>, remedy: &'static str) -> Result<Claim, ClaimError> {
        let target = plain(target)?;
        let above: Vec<PathBuf> = target.ancestors().skip(1).map(Path::to_owned).collect();
        let made = above.iter().take_while(|folder| folder.symlink_metadata().is_err()).cloned().collect();
        let mut claim = Claim { target, replaces, lock: None, is_held: false, made, leftovers: Vec::new() };
        if let Some(above) = above.first() {
            std::fs::create_dir_all(above).map_err(|source| io(above, source))?;
        }
        claim.lock = Some(take_lock(&claim.target)?);
        claim.recover()?;
        claim.check(remedy)?;
        claim.is_held = match std::fs::create_dir(&claim.target) {
            Ok(()) => true,
            Err(problem) if problem.kind() == ErrorKind::AlreadyExists => false,
            Err(source) => return Err(io(&claim.target, source)),
        };
        claim.leftovers = beside(&claim.target, "partial-");
        Ok(claim)
    }

    /// Checks that the existing folder may be replaced.
    fn check(&self, remedy: &'static str) -> Result<(), ClaimError> {
        let path = self.target.clone();
        match (contents(&path, self.replaces).map_err(|source| io(&path, source))?, self.replaces) {
            (Contents::Nothing | Contents::Empty | Contents::Own(_), _) => Ok(()),
            (_, None) => Err(ClaimError::Exists { path, remedy }),
            (Contents::Unlisted(problem), _) => Err(ClaimError::NotOwn { path, problem }),
            (Contents::Foreign(file), _) => Err(ClaimError::Foreign { path, file }),
        }
    }

    /// Ends what a process that was killed between two names has left of the folder that it replaced.
    fn recover(&self) -> Result<(), ClaimError> {
        for old in beside(&self.target, "old-") {
            if matches!(contents(&self.target, None), Ok(Contents::Nothing)) {
                std::fs::rename(&old, &self.target).map_err(|source| io(&old, source))?;
            } else if let Some(Ok(own)) = self.replaces.map(|list| list(&old)) {
                // Other files in it stay.
                remove_own(&old, &own);
            }
        }
        Ok(())
    }

    /// The name, absolute.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Unfinished folders of the same name that processes have left which are no more.
    pub fn leftovers(&self) -> &[PathBuf] {
        &self.leftovers
    }

    /// Makes the folder that will have the name, beside it.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn start(&self) -> Result<PathBuf, ClaimError> {
        // In containers a process that was killed had the same number.
        let named = |more: u32| sibling(&self.target, &format!("partial-{}-{more}", std::process::id()));
        let partial = (0..).map(named).find(|path| !path.exists()).unwrap_or_else(|| named(0));
        std::fs::create_dir(&partial).map_err(|source| io(&partial, source))?;
        Ok(partial)
    }

    /// Removes leftovers that cannot be resumed.
    pub fn remove_leftovers(&mut self) {
        // Leftovers that cannot be removed do no harm.
        self.leftovers.drain(..).for_each(|path| drop(std::fs::remove_dir_all(path)));
    }

    /// Gives the name to the folder `partial`. If another process has filled it meanwhile, the folder gets another
    /// name.
    ///
    /// # Errors
    /// When the name could not be given; the message has the place of the folder.
    pub fn give(mut self, partial: &Path) -> Result<PathBuf, ClaimError> {
        let found = contents(&self.target, self.replaces).map_err(|source| io(&self.target, source))?;
        let file = match found {
            Contents::Own(own) => return self.replace(partial, &own),
            Contents::Nothing | Contents::Empty => match name_empty(partial, &self.target) {
                Ok(()) => return Ok(self.end()),
                Err(source) => match first_in(&self.target) {
                    Some(file) => file,
                    None => return Err(io(&self.target, source)),
                },
            },
            Contents::Foreign(file) => file,
            Contents::Unlisted(_) => first_in(&self.target).unwrap_or_default(),
        };
        let kept = self.beside(partial, "", 2)?;
        self.is_held = false;
        Err(ClaimError::Intruded { path: self.target.clone(), file, kept })
    }

    /// Gives the folder `partial` a free name beside the claimed one, with `ending` in it.
    ///
    /// # Errors
    /// When it cannot be renamed.
    pub fn give_beside(self, partial: &Path, ending: &str) -> Result<PathBuf, ClaimError> {
        self.beside(partial, ending, 1)
    }

    fn beside(&self, partial: &Path, ending: &str, first: u32) -> Result<PathBuf, ClaimError> {
        let name = self.target.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let free = |number: u32| self.target.with_file_name(format!("{name}{ending}-{number}"));
        let kept = (first..).map(free).find(|path| path.symlink_metadata().is_err()).unwrap_or_else(|| free(0));
        std::fs::rename(partial, &kept).map_err(|source| io(&kept, source))?;
        Ok(kept)
    }

    fn replace(mut self, partial: &Path, own: &BTreeSet<PathBuf>) -> Result<PathBuf, ClaimError> {
        let named = |more: u32| sibling(&self.target, &format!("old-{}-{more}", std::process::id()));
        let old = (0..).map(named).find(|path| !path.exists()).unwrap_or_else(|| named(0));
        std::fs::rename(&self.target, &old).map_err(|source| io(&self.target, source))?;
        if let Err(source) = std::fs::rename(partial, &self.target) {
            let _ = std::fs::rename(&old, &self.target);
            return Err(io(&self.target, source));
        }
        let target = self.end();
        if remove_own(&old, own) { Ok(target) } else { Err(ClaimError::OldStays { path: target, old }) }
    }

    /// The name is given and belongs to this process no more.
    fn end(&mut self) -> PathBuf {
        self.is_held = false;
        self.target.clone()
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.is_held {
            // It stays if another process has put something into it.
            let _ = std::fs::remove_dir(&self.target);
        }
        if let Some((path, file)) = self.lock.take() {
            // Removed while it is locked, so that a waiting process sees that it is gone.
            let _ = std::fs::remove_file(path);
            drop(file);
        }
        // Folders that are not empty stay.
        self.made.iter().for_each(|folder| drop(std::fs::remove_dir(folder)));
    }
}

/// The absolute form of a name that can be given to a new folder.
fn plain(target: &Path) -> Result<PathBuf, ClaimError> {
    let target = std::path::absolute(target).map_err(|source| io(target, source))?;
    let found = target.symlink_metadata();
    if found.as_ref().is_ok_and(std::fs::Metadata::is_symlink) {
        let to = std::fs::read_link(&target).map(|to| format!(" to {}", to.display())).unwrap_or_default();
        return Err(ClaimError::Link { path: target, to });
    }
    if found.as_ref().is_ok_and(std::fs::Metadata::is_file) {
        return Err(ClaimError::NotAFolder { path: target });
    }
    let current = std::env::current_dir().and_then(|folder| folder.canonicalize());
    let holds = |folder: PathBuf| current.is_ok_and(|current| current.starts_with(folder));
    if target.file_name().is_none() || target.canonicalize().is_ok_and(holds) {
        return Err(ClaimError::Current { path: target });
    }
    Ok(target)
}

/// Locks the file beside `target`.
fn take_lock(target: &Path) -> Result<(PathBuf, File), ClaimError> {
    let path = sibling(target, "lock");
    loop {
        let opened = File::options().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = opened.map_err(|source| io(&path, source))?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => {
                let mut process = String::new();
                let _ = file.read_to_string(&mut process);
                let process = if process.is_empty() { process } else { format!(" ({process})") };
                return Err(ClaimError::Taken { path: target.to_owned(), process });
            }
            // The process that had it has removed it meanwhile.
            Ok(()) if !super::is_at(&file, &path) => {}
            // On file systems without locks, the folder with the name keeps others out.
            Ok(()) | Err(TryLockError::Error(_)) => {
                let _ = file.set_len(0).and_then(|()| file.rewind());
                let _ = file.write_all(std::process::id().to_string().as_bytes());
                return Ok((path, file));
            }
        }
    }
}

/// Renames a folder to a name that nothing or an empty folder has; never over something else.
fn name_empty(partial: &Path, target: &Path) -> Result<(), Error> {
    if cfg!(not(unix)) {
        match std::fs::remove_dir(target) {
            Err(problem) if problem.kind() != ErrorKind::NotFound => return Err(problem),
            _ => {}
        }
    }
    std::fs::rename(partial, target)
}

/// Something that lies in a folder.
fn first_in(folder: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).ok()?.flatten();
    entries.map(|entry| PathBuf::from(entry.file_name())).min()
}

/// `.NAME.ENDING` beside `NAME`.
pub(super) fn sibling(target: &Path, ending: &str) -> PathBuf {
    let name = target.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    target.with_file_name(format!(".{name}.{ending}"))
}

/// The folders `.NAME.BEGINNING<process>-<number>` beside `NAME`, in order.
fn beside(target: &Path, beginning: &str) -> Vec<PathBuf> {
    let start = sibling(target, beginning).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let is_ours = |path: &PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let numbers = name.strip_prefix(&start).and_then(|rest| rest.split_once('-'));
        numbers.is_some_and(|(process, more)| process.parse::<u32>().is_ok() && more.parse::<u32>().is_ok())
    };
    let entries = target.parent().and_then(|above| std::fs::read_dir(above).ok()).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_ours).collect();
    found.sort();
    found
}

fn io(path: &Path, source: Error) -> ClaimError {
    ClaimError::Io { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(folder: &Path) -> Result<BTreeSet<PathBuf>, String> {
        let text = std::fs::read_to_string(folder.join("list")).map_err(|_| "it has no list".to_owned())?;
        Ok(text.lines().map(PathBuf::from).chain([PathBuf::from("list")]).collect())
    }

    fn claim(target: &Path, force: bool) -> Result<Claim, ClaimError> {
        Claim::new(target, force.then_some(listed as Listing), "")
    }

    fn fill(claim: &Claim, text: &str) -> PathBuf {
        let partial = claim.start().unwrap();
        std::fs::create_dir(partial.join("deep")).unwrap();
        std::fs::write(partial.join("deep/a"), text).unwrap();
        std::fs::write(partial.join("list"), "deep/a\n").unwrap();
        partial
    }

    fn make(target: &Path, force: bool, text: &str) -> Result<PathBuf, ClaimError> {
        let claim = claim(target, force)?;
        let partial = fill(&claim, text);
        claim.give(&partial)
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn says<T: std::fmt::Debug>(found: Result<T, ClaimError>, words: &str) {
        let problem = found.expect_err(words).to_string();
        assert!(problem.contains(words), "{problem}");
    }

    #[test]
    fn a_name_is_taken_from_the_start_and_leaves_nothing_beside_it() {
        let place = tempfile::tempdir().unwrap();
        let target = place.path().join("above/out");
        let first = claim(&target, false).unwrap();
        assert!(std::fs::create_dir(&target).is_err(), "the name is held");
        says(claim(&target, false), &format!("is being written by another process ({})", std::process::id()));
        says(claim(&target, true), "is being written by another process");
        drop(first);
        assert_eq!(names(place.path()), Vec::<String>::new());
        make(&target, false, "first").unwrap();
        assert_eq!(names(&place.path().join("above")), ["out"]);
        says(claim(&target, false), "exists already");
        make(&target, true, "second").unwrap();
        assert_eq!(std::fs::read_to_string(target.join("deep/a")).unwrap(), "second");
        assert_eq!(names(&place.path().join("above")), ["out"]);
    }

    #[test]
    fn files_of_others_stay() {
        let place = tempfile::tempdir().unwrap();
        let target = place.path().join("out");
        for force in [false, true] {
            let claimed = claim(&target, force).unwrap();
            let partial = fill(&claimed, "made");
            std::fs::write(target.join("thesis.txt"), "years").unwrap();
            says(claimed.give(&partial), "(thesis.txt), so it stays as it is; what was made is in");
            assert_eq!(std::fs::read_to_string(target.join("thesis.txt")).unwrap(), "years");
            assert_eq!(names(place.path()), ["out", "out-2"]);
            assert_eq!(std::fs::read_to_string(place.path().join("out-2/deep/a")).unwrap(), "made");
            std::fs::remove_dir_all(place.path().join("out-2")).unwrap();
            std::fs::remove_dir_all(&target).unwrap();
        }
        make(&target, false, "old").unwrap();
        std::fs::create_dir(target.join("notes")).unwrap();
        says(claim(&target, true), "it holds notes,");
        std::fs::write(target.join("deep/b"), "b").unwrap();
        std::fs::remove_dir(target.join("notes")).unwrap();
        says(claim(&target, true), "it holds deep/b,");
        std::fs::remove_file(target.join("deep/b")).unwrap();
        let claimed = claim(&target, true).unwrap();
        let partial = fill(&claimed, "new");
        std::fs::write(target.join("thesis.txt"), "years").unwrap();
        says(claimed.give(&partial), "(thesis.txt)");
        assert_eq!(std::fs::read_to_string(target.join("deep/a")).unwrap(), "old");
        std::fs::remove_file(target.join("list")).unwrap();
        says(claim(&target, true), "it has no list");
    }

    #[test]
    fn only_a_plain_name_is_claimed() {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("file"), "x").unwrap();
        says(claim(&place.path().join("file"), true), "is a file");
        says(claim(Path::new("."), true), "is the current folder");
        says(claim(Path::new(".."), true), "is the current folder");
        says(claim(Path::new("/"), true), "is the current folder");
        #[cfg(unix)]
        for to in ["file", "nowhere"] {
            let link = place.path().join(format!("to-{to}"));
            std::os::unix::fs::symlink(to, &link).unwrap();
            says(claim(&link, true), &format!("is a symbolic link to {to}"));
        }
    }

    #[test]
    fn leftovers_of_killed_processes_are_removed_or_named() {
        let place = tempfile::tempdir().unwrap();
        let (target, old) = (place.path().join("out"), place.path().join(".out.old-1-0"));
        make(&target, false, "whole").unwrap();
        std::fs::rename(&target, &old).unwrap();
        std::fs::write(place.path().join(".out.lock"), "1").unwrap();
        says(claim(&target, false), "exists already");
        assert_eq!(names(place.path()), ["out"], "the folder that was to be replaced has its name again");
        make(&old, false, "older").unwrap();
        std::fs::create_dir(place.path().join(".out.partial-1-0")).unwrap();
        std::fs::create_dir(place.path().join(".out.partial-mine")).unwrap();
        let mut claimed = claim(&target, true).unwrap();
        assert_eq!(claimed.leftovers(), [place.path().join(".out.partial-1-0")]);
        claimed.remove_leftovers();
        drop(claimed);
        assert_eq!(names(place.path()), [".out.partial-mine", "out"]);
        assert_eq!(std::fs::read_to_string(target.join("deep/a")).unwrap(), "whole");
    }
}
