//! Scratch files of records of fixed size.
//!
//! A scratch file loses its name as soon as it is open, so no file remains, however the program ends.

use crate::files::FileError;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::marker::PhantomData;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Records read at once in a pass over a file.
const BLOCK: u64 = 1 << 15;

/// A record of a scratch file.
pub(super) trait Record: Copy {
    /// Its bytes.
    const SIZE: usize;

    /// Writes it to `SIZE` bytes.
    fn put(self, bytes: &mut [u8]);

    /// Reads it from `SIZE` bytes.
    fn get(bytes: &[u8]) -> Self;
}

impl Record for u32 {
    const SIZE: usize = 4;

    fn put(self, bytes: &mut [u8]) {
        bytes.copy_from_slice(&self.to_le_bytes());
    }

    fn get(bytes: &[u8]) -> u32 {
        bytes.iter().rev().fold(0, |value, &byte| value << 8 | u32::from(byte))
    }
}

/// A little-endian number of 8 bytes.
pub(super) fn wide(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte))
}

/// The folder in which scratch files are made.
pub(super) struct Scratch {
    folder: PathBuf,
    made: AtomicU32,
}

impl Scratch {
    /// Scratch files inside `folder`.
    pub(super) fn new(folder: &Path) -> Scratch {
        Scratch { folder: folder.to_owned(), made: AtomicU32::new(0) }
    }

    /// Starts a file with a write buffer of `buffer` bytes.
    pub(super) fn start<T: Record>(&self, buffer: usize) -> Result<SpillWriter<T>, FileError> {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let path = self.folder.join(format!(".scenes-{}-{number}.scratch", std::process::id()));
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path);
        let file = opened.map_err(|source| FileError::write(&path, source))?;
        std::fs::remove_file(&path).map_err(|source| FileError::write(&path, source))?;
        Ok(SpillWriter { output: BufWriter::with_capacity(buffer, file), path, records: 0, kind: PhantomData })
    }
}

/// A scratch file that is being written.
pub(super) struct SpillWriter<T> {
    output: BufWriter<File>,
    path: PathBuf,
    records: u64,
    kind: PhantomData<T>,
}

impl<T: Record> SpillWriter<T> {
    /// Adds a record.
    pub(super) fn push(&mut self, record: T) -> Result<(), FileError> {
        let mut bytes = [0; 32];
        record.put(&mut bytes[..T::SIZE]);
        self.records += 1;
        self.output.write_all(&bytes[..T::SIZE]).map_err(|source| FileError::write(&self.path, source))
    }

    /// Records so far.
    pub(super) fn records(&self) -> u64 {
        self.records
    }

    /// Ends writing.
    pub(super) fn finish(self) -> Result<Spill<T>, FileError> {
        let file = self.output.into_inner().map_err(|problem| FileError::write(&self.path, problem.into_error()))?;
        Ok(Spill { file, path: self.path, records: self.records, kind: PhantomData })
    }
}

/// A scratch file that can be read, by any thread.
pub(super) struct Spill<T> {
    file: File,
    path: PathBuf,
    records: u64,
    kind: PhantomData<T>,
}

impl<T: Record> Spill<T> {
    /// Number of records.
    pub(super) fn records(&self) -> u64 {
        self.records
    }

    /// The records of a range.
    pub(super) fn read(&self, range: Range<u64>) -> Result<Vec<T>, FileError> {
        let mut records = Vec::with_capacity((range.end - range.start) as usize);
        self.pass(range, |record| records.push(record))?;
        Ok(records)
    }

    /// Passes the records of a range one after the other.
    pub(super) fn pass(&self, range: Range<u64>, mut each: impl FnMut(T)) -> Result<(), FileError> {
        let mut bytes = vec![0; (BLOCK.min(range.end - range.start) as usize) * T::SIZE];
        let mut next = range.start;
        while next < range.end {
            let count = BLOCK.min(range.end - next);
            let block = &mut bytes[..count as usize * T::SIZE];
            read_at(&self.file, next * T::SIZE as u64, block).map_err(|source| FileError::read(&self.path, source))?;
            block.chunks_exact(T::SIZE).for_each(|record| each(T::get(record)));
            next += count;
        }
        Ok(())
    }
}

#[cfg(unix)]
fn read_at(file: &File, place: u64, bytes: &mut [u8]) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, place)
}

#[cfg(windows)]
fn read_at(file: &File, mut place: u64, mut bytes: &mut [u8]) -> std::io::Result<()> {
    while !bytes.is_empty() {
        let read = std::os::windows::fs::FileExt::seek_read(file, bytes, place)?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        (place, bytes) = (place + read as u64, &mut bytes[read..]);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_and_the_file_has_no_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let scratch = Scratch::new(folder.path());
        let mut writer = scratch.start::<u32>(64).expect("a file");
        let count = BLOCK as u32 + 5;
        (0..count).for_each(|value| writer.push(value * 3).expect("written"));
        assert_eq!(writer.records(), u64::from(count));
        let spill = writer.finish().expect("finished");
        assert_eq!(spill.read(BLOCK - 2..BLOCK + 2).expect("read"), [98_298, 98_301, 98_304, 98_307]);
        let mut sum = 0;
        spill.pass(0..spill.records(), |value| sum += u64::from(value)).expect("read");
        assert_eq!(sum, 3 * u64::from(count) * u64::from(count - 1) / 2);
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
    }
}
