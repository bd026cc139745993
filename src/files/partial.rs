//! A file that gets its name when it is complete.

use super::FileError;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// A file that is written beside its final name. Dropped before [`Partial::finish`], it is removed.
pub struct Partial {
    target: PathBuf,
    partial: PathBuf,
    output: Option<BufWriter<File>>,
    is_named: bool,
}

impl Partial {
    /// Starts a file that will be named `target`; the folders above it are made.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn create(target: &Path) -> Result<Partial, FileError> {
        if let Some(folder) = target.parent() {
            std::fs::create_dir_all(folder).map_err(|source| FileError::write(folder, source))?;
        }
        let mut name = target.file_name().unwrap_or_default().to_owned();
        name.push(format!(".partial-{}", std::process::id()));
        let partial = target.with_file_name(name);
        let file = File::create(&partial).map_err(|source| FileError::write(&partial, source))?;
        let output = Some(BufWriter::with_capacity(1 << 18, file));
        Ok(Partial { target: target.to_owned(), partial, output, is_named: false })
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
        if let Some(output) = self.output.take() {
            let file = output.into_inner().map_err(|problem| fail(problem.into_error()))?;
            file.sync_all().map_err(fail)?;
        }
        if self.target.is_dir() { Err(fail(std::io::ErrorKind::IsADirectory.into())) } else { Ok(()) }
    }

    fn name(&mut self) -> Result<(), FileError> {
        std::fs::rename(&self.partial, &self.target).map_err(|source| FileError::write(&self.target, source))?;
        self.is_named = true;
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
            Some(output) => output.write(bytes),
            None => Err(std::io::Error::other("the file is finished")),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.output.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        drop(self.output.take());
        if !self.is_named {
            let _ = std::fs::remove_file(&self.partial);
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
}
