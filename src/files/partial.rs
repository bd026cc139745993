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
        Ok(Partial { target: target.to_owned(), partial, output })
    }

    /// Gives the file its name.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn finish(mut self) -> Result<(), FileError> {
        let fail = |source| FileError::write(&self.target, source);
        if let Some(output) = self.output.take() {
            let file = output.into_inner().map_err(|problem| fail(problem.into_error()));
            let synced = file.and_then(|file| file.sync_all().map_err(fail));
            if let Err(problem) = synced {
                let _ = std::fs::remove_file(&self.partial);
                return Err(problem);
            }
        }
        std::fs::rename(&self.partial, &self.target).map_err(fail)
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
        if self.output.take().is_some() {
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
