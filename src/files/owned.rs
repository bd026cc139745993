//! The files of a folder that the program owns.
//!
//! A list with hashes; no other file is ever removed.

use super::FileError;
use super::claim::Listing;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

/// A file of a folder, as the folder's own list names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    /// Its path inside the folder, with `/` between its parts.
    pub path: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// Its SHA-256, hexadecimal.
    pub sha256: String,
}

impl FileRecord {
    /// Describes a file of `folder`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn of(folder: &Path, path: &Path) -> Result<FileRecord, FileError> {
        let (bytes, sha256) = hash(&folder.join(path))?;
        let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
        Ok(FileRecord { path: parts.join("/"), bytes, sha256 })
    }

    /// Describes a file `path` that will hold `text`.
    pub fn of_text(path: &str, text: &str) -> FileRecord {
        FileRecord { path: path.to_owned(), bytes: text.len() as u64, sha256: super::sha256(text.as_bytes()) }
    }

    /// Describes all files of `folder` but `except`, in order of their paths. What is in `known` is not read again.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn all(folder: &Path, except: &[&str], known: &[FileRecord]) -> Result<Vec<FileRecord>, FileError> {
        let mut files = Vec::new();
        walk(folder, Path::new(""), &mut |path, is_file| {
            if is_file && !except.iter().any(|name| Path::new(name) == path) {
                files.push(path.to_owned());
            }
            true
        })
        .map_err(|source| FileError::read(folder, source))?;
        files.sort();
        let record = |path: &PathBuf| match known.iter().find(|known| Path::new(&known.path) == path) {
            Some(known) => Ok(known.clone()),
            None => FileRecord::of(folder, path),
        };
        files.par_iter().map(record).collect()
    }

    /// Checks that the file in `folder` is still the described one.
    ///
    /// # Errors
    /// When it is not, or cannot be read.
    pub fn check(&self, folder: &Path) -> Result<(), FileError> {
        let path = folder.join(&self.path);
        if path.symlink_metadata().is_err_and(|problem| problem.kind() == ErrorKind::NotFound) {
            let remedy = "the list of its folder names it: put it back, or run the scenario again".to_owned();
            return Err(FileError::Missing { path, remedy });
        }
        let (bytes, sha256) = hash(&path)?;
        if (bytes, &sha256) == (self.bytes, &self.sha256) {
            return Ok(());
        }
        let short = |hash: &str| hash.chars().take(12).collect::<String>();
        let problem = format!(
            "it is not the file that the list of its folder names ({} bytes, sha256 {}; listed {} bytes, {}); it was changed, \
             or taken from another folder: put back the right one, or run the scenario again",
            bytes,
            short(&sha256),
            self.bytes,
            short(&self.sha256)
        );
        Err(FileError::whole(path, problem))
    }
}

/// Length and hash of a file.
fn hash(path: &Path) -> Result<(u64, String), FileError> {
    let fail = |source| FileError::read(path, source);
    let mut file = super::open_regular(path).map_err(fail)?;
    let (mut hasher, mut bytes) = (Sha256::new(), 0);
    let mut buffer = vec![0; 1 << 16];
    loop {
        let count = file.read(&mut buffer).map_err(fail)?;
        if count == 0 {
            break;
        }
        hasher.update(&buffer[..count]);
        bytes += count as u64;
    }
    Ok((bytes, hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()))
}

/// The object behind a name.
pub(super) enum Contents {
    /// Nothing is there.
    Nothing,
    /// A folder without files.
    Empty,
    /// A folder all of whose files its own list names: the list.
    Own(BTreeSet<PathBuf>),
    /// A folder without such a list, with the reason.
    Unlisted(String),
    /// A folder that holds something else: what.
    Foreign(PathBuf),
}

/// The content of `folder`, by the list that `listing` reads.
pub(super) fn contents(folder: &Path, listing: Option<Listing>) -> std::io::Result<Contents> {
    match folder.symlink_metadata() {
        Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => return Ok(Contents::Nothing),
        Err(problem) => return Err(problem),
        Ok(found) if !found.is_dir() => return Ok(Contents::Unlisted("it is not a folder".to_owned())),
        Ok(_) => {}
    }
    if std::fs::read_dir(folder)?.next().is_none() {
        return Ok(Contents::Empty);
    }
    let own = match listing.map(|listing| listing(folder)) {
        Some(Ok(own)) => own,
        Some(Err(problem)) => return Ok(Contents::Unlisted(problem)),
        None => return Ok(Contents::Unlisted("it is not empty".to_owned())),
    };
    let folders = folders_of(&own);
    let mut foreign: Option<PathBuf> = None;
    walk(folder, Path::new(""), &mut |path, is_file| {
        let is_own = if is_file { own.contains(path) } else { folders.contains(path) };
        if !is_own && foreign.as_ref().is_none_or(|found| path < found) {
            foreign = Some(path.to_owned());
        }
        is_own
    })?;
    Ok(foreign.map_or(Contents::Own(own), Contents::Foreign))
}

/// The folders in which listed files lie.
fn folders_of(own: &BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
    own.iter().flat_map(|file| file.ancestors().skip(1)).map(Path::to_owned).collect()
}

/// Removes the listed files of a folder, and then the folders that are empty; returns true if nothing is left.
pub(super) fn remove_own(folder: &Path, own: &BTreeSet<PathBuf>) -> bool {
    let is_inside = |path: &&PathBuf| path.components().all(|part| matches!(part, std::path::Component::Normal(_)));
    for file in own.iter().filter(is_inside) {
        let _ = std::fs::remove_file(folder.join(file));
    }
    // The deepest first: a folder is sorted before its subfolders.
    for inner in folders_of(own).iter().rev().filter(is_inside) {
        let _ = std::fs::remove_dir(folder.join(inner));
    }
    folder.symlink_metadata().is_err()
}

/// Calls `each` for everything below `at` in `folder`: files (or other non-folders), and folders; it enters folders for
/// which `each` returns true. Links are not followed.
fn walk(folder: &Path, at: &Path, each: &mut impl FnMut(&Path, bool) -> bool) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder.join(at))? {
        let entry = entry?;
        let path = at.join(entry.file_name());
        let is_folder = entry.file_type()?.is_dir();
        if each(&path, !is_folder) && is_folder {
            walk(folder, &path, each)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_file_differs_from_the_listed_one() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("deep")).unwrap();
        std::fs::write(folder.path().join("deep/a.txt"), "abc").unwrap();
        std::fs::write(folder.path().join("list"), "x").unwrap();
        let all = FileRecord::all(folder.path(), &["list"], &[]).unwrap();
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".to_owned();
        assert_eq!(all, [FileRecord { path: "deep/a.txt".to_owned(), bytes: 3, sha256 }]);
        all[0].check(folder.path()).unwrap();
        std::fs::write(folder.path().join("deep/a.txt"), "abd").unwrap();
        let problem = all[0].check(folder.path()).unwrap_err().to_string();
        assert!(problem.contains("a.txt: it is not the file that the list of its folder names"), "{problem}");
    }

    #[test]
    fn a_list_cannot_reach_out_of_its_folder() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("out");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(place.path().join("other"), "x").unwrap();
        std::fs::write(folder.join("own"), "x").unwrap();
        let own = ["../other", "own"].map(PathBuf::from).into();
        assert!(remove_own(&folder, &own));
        assert!(place.path().join("other").exists());
    }
}
