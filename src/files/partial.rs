//! A file that gets its name when it is complete.
//!
//! It is a temporary file of the crate `tempfile` beside its name. In addition to that crate, files that belong
//! together get their names together, and leftovers of killed processes are removed. A leftover is recognised by its
//! name and by its lock, which ended with its process.

use super::{FileError, is_at};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// A file that is written beside its final name. Dropped before [`Partial::finish`], it is removed.
pub struct Partial {
    target: PathBuf,
    output: Output,
}

enum Output {
    Open(BufWriter<NamedTempFile>),
    /// All is on the disk.
    Sealed(NamedTempFile),
    /// It has its name, or cannot be written.
    Over,
}

impl Partial {
    /// Starts a file that will be named `target`; the folders above it are made.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn create(target: &Path) -> Result<Partial, FileError> {
        let folder = match target.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        std::fs::create_dir_all(folder).map_err(|source| FileError::write(folder, source))?;
        let start = format!(".{}.partial-", target.file_name().unwrap_or_default().to_string_lossy());
        remove_leftovers(folder, &start);
        let file = locked(folder, &start).map_err(|source| FileError::write(target, source))?;
        let output = Output::Open(BufWriter::with_capacity(1 << 18, file));
        Ok(Partial { target: target.to_owned(), output })
    }

    /// Gives the file its name.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn finish(self) -> Result<(), FileError> {
        Partial::finish_all(vec![self])
    }

    /// Gives files that belong together their names, in this order, when all of them are on the disk and no name is
    /// taken by a folder: as much together as a file system can. What got no name is removed.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn finish_all(mut files: Vec<Partial>) -> Result<(), FileError> {
        files.iter_mut().try_for_each(Partial::seal)?;
        files.iter_mut().try_for_each(Partial::name)
    }

    /// Ends writing.
    fn seal(&mut self) -> Result<(), FileError> {
        let fail = |source| FileError::write(&self.target, source);
        if let Output::Open(output) = std::mem::replace(&mut self.output, Output::Over) {
            let file = output.into_inner().map_err(|problem| fail(problem.into_error()))?;
            file.as_file().sync_all().map_err(fail)?;
            self.output = Output::Sealed(file);
        }
        if self.target.is_dir() { Err(fail(std::io::ErrorKind::IsADirectory.into())) } else { Ok(()) }
    }

    fn name(&mut self) -> Result<(), FileError> {
        if let Output::Sealed(file) = std::mem::replace(&mut self.output, Output::Over) {
            file.persist(&self.target).map_err(|problem| FileError::write(&self.target, problem.error))?;
        }
        Ok(())
    }

    /// The name that the file will have.
    pub fn target(&self) -> &Path {
        &self.target
    }
}

impl Write for Partial {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match &mut self.output {
            Output::Open(output) => output.write(bytes),
            _ => Err(std::io::Error::other("the file is finished")),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        if let Output::Open(output) = &mut self.output { output.flush() } else { Ok(()) }
    }
}

/// A new file in `folder`, locked as long as it has no name.
fn locked(folder: &Path, start: &str) -> std::io::Result<NamedTempFile> {
    loop {
        let mut builder = tempfile::Builder::new();
        builder.prefix(start);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // The usual permissions of a new file; the process's mask restricts them.
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        let file = builder.tempfile_in(folder)?;
        // Another process may have taken it for a leftover before it was locked.
        match file.as_file().try_lock() {
            Ok(()) if is_at(file.as_file(), file.path()) => return Ok(file),
            Err(std::fs::TryLockError::Error(_)) => return Ok(file),
            _ => {}
        }
    }
}

/// Removes the files of this name that no process writes.
fn remove_leftovers(folder: &Path, start: &str) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_one = entry.file_name().to_string_lossy().starts_with(start);
        if is_one && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            let file = File::options().read(true).write(true).open(entry.path());
            if file.as_ref().is_ok_and(|file| file.try_lock().is_ok()) {
                // Leftovers that cannot be removed do no harm.
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).expect("a folder");
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn a_file_appears_when_it_is_complete() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("deep").join("a.txt");
        let mut file = Partial::create(&path).expect("a file");
        file.write_all(b"all of it").expect("written");
        assert!(!path.exists());
        file.finish().expect("finished");
        assert_eq!(std::fs::read_to_string(&path).expect("the file"), "all of it");
        assert_eq!(names(path.parent().expect("a folder")), ["a.txt"]);
    }

    #[test]
    fn files_get_their_names_together_or_not_at_all() {
        let folder = tempfile::tempdir().expect("a folder");
        let paths = ["a.txt", "b.txt"].map(|name| folder.path().join(name));
        let finish = || {
            let file = |path: &PathBuf| {
                let mut file = Partial::create(path).expect("a file");
                file.write_all(b"new").expect("written");
                file
            };
            Partial::finish_all(paths.iter().map(file).collect())
        };
        std::fs::write(&paths[0], "old").expect("written");
        std::fs::create_dir(&paths[1]).expect("a folder in the way");
        let problem = finish().expect_err("a folder is in the way").to_string();
        assert!(problem.contains("b.txt") && problem.contains("directory"), "{problem}");
        assert_eq!(std::fs::read_to_string(&paths[0]).expect("the file"), "old");
        let mut left = names(folder.path());
        left.sort();
        assert_eq!(left, ["a.txt", "b.txt"], "nothing stays beside the names");
        std::fs::remove_dir(&paths[1]).expect("removed");
        finish().expect("finished");
        assert!(paths.iter().all(|path| std::fs::read(path).expect("the file") == b"new"));
    }

    #[test]
    fn a_dropped_file_leaves_nothing_and_keeps_the_old_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.txt");
        std::fs::write(&path, "old").expect("written");
        let mut file = Partial::create(&path).expect("a file");
        file.write_all(b"half").expect("written");
        drop(file);
        assert_eq!(std::fs::read_to_string(&path).expect("the file"), "old");
        assert_eq!(names(folder.path()), ["a.txt"]);
    }

    #[test]
    fn leftovers_of_killed_processes_alone_are_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.txt");
        let live = Partial::create(&path).expect("a file");
        std::fs::write(folder.path().join(".a.txt.partial-dead"), "half").expect("written");
        std::fs::write(folder.path().join(".b.txt.partial-dead"), "half").expect("written");
        let second = Partial::create(&path).expect("a file");
        assert_eq!(names(folder.path()).len(), 3, "both that are written and that of another name");
        live.finish().expect("finished");
        second.finish().expect("finished");
        let mut left = names(folder.path());
        left.sort();
        assert_eq!(left, [".b.txt.partial-dead", "a.txt"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_may_be_read_by_whom_the_mask_allows() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let mode = |name: &str| folder.path().join(name).metadata().expect("a file").permissions().mode();
        std::fs::write(folder.path().join("plain"), "").expect("written");
        Partial::create(&folder.path().join("a")).expect("a file").finish().expect("finished");
        assert_eq!(mode("a"), mode("plain"));
    }
}
