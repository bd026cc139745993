//! JSON, one record a line.

use super::{FileError, Partial, Source};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::Write;
use std::marker::PhantomData;
use std::path::Path;

/// Reads records with the number of their line.
pub struct Jsonl<T> {
    source: Source,
    record: PhantomData<T>,
}

impl<T: DeserializeOwned> Jsonl<T> {
    /// Opens `path`, plain or packed; `remedy` is the advice if it does not exist.
    ///
    /// # Errors
    /// When the file is missing or cannot be read.
    pub fn open(path: &Path, remedy: &str) -> Result<Jsonl<T>, FileError> {
        Ok(Jsonl { source: Source::open(path, remedy)?, record: PhantomData })
    }

    /// The next record and its line; `None` at the end of the file.
    ///
    /// # Errors
    /// When the file cannot be read, or the line is no such record.
    pub fn step(&mut self) -> Result<Option<(u64, T)>, FileError> {
        if !self.source.advance()? {
            return Ok(None);
        }
        match serde_json::from_slice(self.source.bytes()) {
            Ok(record) => Ok(Some((self.source.line(), record))),
            Err(problem) => Err(self.source.error(format!("not a valid record: {}", error_message(&problem)))),
        }
    }

    /// Bytes read from the file so far; of a packed file the packed bytes.
    pub fn taken(&self) -> u64 {
        self.source.taken()
    }

    /// Bytes of the file.
    pub fn size(&self) -> u64 {
        self.source.size()
    }

    /// An error at the current line.
    pub fn error(&self, problem: impl Into<String>) -> FileError {
        self.source.error(problem)
    }

    /// All records.
    #[cfg(test)]
    pub fn all(mut self) -> Result<Vec<T>, FileError> {
        let mut records = Vec::new();
        while let Some((_, record)) = self.step()? {
            records.push(record);
        }
        Ok(records)
    }
}

/// The parser counts lines within the record; of its place only the column means something to a reader.
fn error_message(problem: &serde_json::Error) -> String {
    let text = problem.to_string();
    let place = format!(" at line {} column {}", problem.line(), problem.column());
    match text.strip_suffix(&place) {
        Some(what) => format!("{what} (column {})", problem.column()),
        None => text,
    }
}

/// Writes records to a file that gets its name when it is complete.
pub struct JsonlWriter {
    output: Partial,
    rows: u64,
}

impl JsonlWriter {
    /// Starts a file that will be named `path`.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create(path: &Path) -> Result<JsonlWriter, FileError> {
        Ok(JsonlWriter { output: Partial::create(path)?, rows: 0 })
    }

    /// Writes one record.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn push(&mut self, record: &impl Serialize) -> Result<(), FileError> {
        let written = serde_json::to_writer(&mut self.output, record).map_err(std::io::Error::from);
        let written = written.and_then(|()| self.output.write_all(b"\n"));
        self.rows += 1;
        written.map_err(|source| FileError::write(self.output.target(), source))
    }

    /// Records so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Gives the file its name.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn finish(self) -> Result<(), FileError> {
        self.output.finish()
    }

    /// The file without its name, to be finished together with others.
    pub fn into_partial(self) -> Partial {
        self.output
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_with_their_lines() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.jsonl");
        let mut writer = JsonlWriter::create(&path).expect("a file");
        writer.push(&vec![1, 2]).expect("written");
        writer.push(&vec![3]).expect("written");
        assert_eq!(writer.rows(), 2);
        writer.finish().expect("finished");
        let mut reader = Jsonl::<Vec<u32>>::open(&path, "").expect("readable");
        assert_eq!(reader.step().expect("a record"), Some((1, vec![1, 2])));
        assert_eq!(reader.step().expect("a record"), Some((2, vec![3])));
        assert_eq!(reader.step().expect("the end"), None);
    }

    #[test]
    fn a_wrong_record_names_line_and_column() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.jsonl");
        std::fs::write(&path, "[1]\n[1,\"x\"]\n").expect("written");
        let problem = Jsonl::<Vec<u32>>::open(&path, "").expect("readable").all().expect_err("wrong").to_string();
        assert!(problem.contains("a.jsonl:2: not a valid record") && problem.ends_with("(column 6)"), "{problem}");
    }
}
