//! A text file, read line by line and unpacked.

use super::FileError;
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Lines longer than this are refused: no known data set comes near, a binary file does.
const LONGEST_LINE: usize = 16 << 20;

/// Bytes at the start of a file from which its form is recognised.
const HEAD: u64 = 1 << 16;

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// A file of lines. What it holds is recognised by its first bytes, not by its name.
pub struct Source {
    path: PathBuf,
    input: Reader,
    bytes: Vec<u8>,
    line: u64,
    /// The line terminator: old programs wrote a carriage return alone.
    end: u8,
}

/// The unpacked bytes of a file, and how far in the file itself they are.
pub struct Reader {
    input: Box<dyn BufRead + Send + Sync>,
    taken: Arc<AtomicU64>,
    size: u64,
    left: usize,
}

impl Reader {
    /// Bytes read from the file so far; of a packed file the packed bytes.
    pub fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Begins a record: reading past [`Reader::LONGEST_RECORD`] in it is an error.
    pub fn begin_record(&mut self) {
        self.left = Reader::LONGEST_RECORD;
    }

    /// The most that is read for one record, in unpacked bytes.
    pub const LONGEST_RECORD: usize = LONGEST_LINE;
}

impl Read for Reader {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        if self.left == 0 {
            return Err(std::io::Error::other("the record is longer than 16 MiB; is a quote not closed?"));
        }
        let most = bytes.len().min(self.left);
        let read = self.input.read(&mut bytes[..most])?;
        self.left -= read;
        Ok(read)
    }
}

/// Counts the bytes that are read of a file.
struct Counted {
    file: File,
    taken: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read(bytes)?;
        self.taken.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

impl Source {
    /// Opens `path`; `remedy` is the advice if it does not exist.
    ///
    /// # Errors
    /// When the file is missing or cannot be read.
    pub fn open(path: &Path, remedy: &str) -> Result<Source, FileError> {
        let head = Source::head(path, remedy)?;
        let end = if head.contains(&b'\r') && !head.contains(&b'\n') { b'\r' } else { b'\n' };
        let input = unpacked(path, remedy)?;
        Ok(Source { path: path.to_owned(), input, bytes: Vec::new(), line: 0, end })
    }

    /// The first unpacked bytes of `path`, at most 64 KiB, from which its form is recognised.
    ///
    /// # Errors
    /// When the file is missing, cannot be read, or is text in an encoding that its first bytes name.
    pub fn head(path: &Path, remedy: &str) -> Result<Vec<u8>, FileError> {
        let mut head = Vec::new();
        // Damage is reported where the file is read, with the line.
        let _ = unpacked(path, remedy)?.take(HEAD).read_to_end(&mut head);
        match super::charset::named(&head) {
            Some(encoding) => {
                let problem = format!("the file is {encoding}; convert it to UTF-8 (`iconv -f {encoding} -t UTF-8`)");
                Err(FileError::whole(path, problem))
            }
            None => Ok(head),
        }
    }

    /// The unpacked bytes as a reader, for formats with a parser of their own.
    ///
    /// # Errors
    /// When the file is missing or cannot be read.
    pub fn reader(path: &Path, remedy: &str) -> Result<Reader, FileError> {
        unpacked(path, remedy)
    }

    /// Steps to the next line that is not blank; `false` at the end of the file.
    ///
    /// # Errors
    /// When the file cannot be read, is cut off inside its compression, or holds a line of more than 16 MiB.
    pub fn advance(&mut self) -> Result<bool, FileError> {
        loop {
            self.bytes.clear();
            let read = (&mut self.input.input).take(LONGEST_LINE as u64 + 1).read_until(self.end, &mut self.bytes);
            self.line += 1;
            read.map_err(|source| self.broken(&source))?;
            if self.bytes.is_empty() {
                return Ok(false);
            }
            if self.bytes.len() > LONGEST_LINE {
                return Err(self.error("the line is longer than 16 MiB; is this a text file?"));
            }
            while matches!(self.bytes.last(), Some(b'\n' | b'\r')) {
                self.bytes.pop();
            }
            if self.line == 1 && self.bytes.starts_with(b"\xef\xbb\xbf") {
                self.bytes.drain(..3);
            }
            if !self.bytes.iter().all(u8::is_ascii_whitespace) {
                return Ok(true);
            }
        }
    }

    /// The current line.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The current line as UTF-8.
    ///
    /// # Errors
    /// When it is not.
    pub fn text(&self) -> Result<&str, FileError> {
        std::str::from_utf8(&self.bytes).map_err(|problem| {
            self.error(super::charset::not_utf8(&format!("byte {}", problem.valid_up_to() + 1), &self.bytes))
        })
    }

    /// The current line, read as Latin-1 if it is not UTF-8. The flag is true for Latin-1.
    pub fn lossless(&self) -> (String, bool) {
        match std::str::from_utf8(&self.bytes) {
            Ok(text) => (text.to_owned(), false),
            Err(_) => (self.bytes.iter().map(|&byte| char::from(byte)).collect(), true),
        }
    }

    /// The number of the current line, counted from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// Bytes of the file that were read so far, see [`Reader::taken`].
    pub fn taken(&self) -> u64 {
        self.input.taken()
    }

    /// Bytes of the file.
    pub fn size(&self) -> u64 {
        self.input.size
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// An error at the current line.
    pub fn error(&self, problem: impl Into<String>) -> FileError {
        FileError::line(&self.path, self.line, problem)
    }

    fn broken(&self, source: &std::io::Error) -> FileError {
        self.error(format!("{source}; the file is damaged or cut off: fetch it again"))
    }
}

fn unpacked(path: &Path, remedy: &str) -> Result<Reader, FileError> {
    let mut file = super::open_regular(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => FileError::Missing { path: path.to_owned(), remedy: remedy.to_owned() },
        _ => FileError::read(path, source),
    })?;
    let mut head = Vec::with_capacity(4);
    (&mut file).take(4).read_to_end(&mut head).map_err(|source| FileError::read(path, source))?;
    let size = file.metadata().map_err(|source| FileError::read(path, source))?.len();
    let taken = Arc::new(AtomicU64::new(head.len() as u64));
    let reader = |input| Reader { input, taken: Arc::clone(&taken), size, left: Reader::LONGEST_RECORD };
    let whole = Cursor::new(head.clone()).chain(Counted { file, taken: Arc::clone(&taken) });
    let packed = BufReader::with_capacity(1 << 17, whole);
    if head.starts_with(&GZIP) {
        let plain = flate2::bufread::MultiGzDecoder::new(packed);
        return Ok(reader(Box::new(BufReader::with_capacity(1 << 17, plain))));
    }
    if head.starts_with(&ZSTD) {
        let plain = unzstd(packed).map_err(|source| FileError::read(path, source))?;
        return Ok(reader(Box::new(BufReader::with_capacity(1 << 17, plain))));
    }
    Ok(reader(Box::new(packed)))
}

#[cfg(feature = "parquet")]
fn unzstd(packed: impl BufRead + Send + Sync) -> std::io::Result<impl Read + Send + Sync> {
    zstd::Decoder::with_buffer(packed)
}

#[cfg(not(feature = "parquet"))]
fn unzstd(_packed: impl BufRead + Send + Sync) -> std::io::Result<std::io::Empty> {
    Err(std::io::Error::other(
        "this program is built without zstd; unpack the file, or build with the feature `parquet`",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    const TEXT: &str = "first\n\nsecond\r\nthird";

    fn packed(kind: &str) -> Vec<u8> {
        match kind {
            "gzip" => {
                let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
                writer.write_all(TEXT.as_bytes()).expect("packed");
                writer.finish().expect("packed")
            }
            "zstd" => zstd::encode_all(TEXT.as_bytes(), 3).expect("packed"),
            _ => TEXT.as_bytes().to_vec(),
        }
    }

    fn read(bytes: &[u8]) -> Result<Vec<(u64, String)>, FileError> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("lines");
        std::fs::write(&path, bytes).expect("written");
        let mut source = Source::open(&path, "make it")?;
        let mut lines = Vec::new();
        while source.advance()? {
            lines.push((source.line(), source.text()?.to_owned()));
        }
        assert_eq!((source.taken(), source.size()), (bytes.len() as u64, bytes.len() as u64));
        Ok(lines)
    }

    #[test]
    fn packed_files_read_as_plain_ones() {
        let wanted = vec![(1, "first".to_owned()), (3, "second".to_owned()), (4, "third".to_owned())];
        for kind in ["plain", "gzip", "zstd"] {
            assert_eq!(read(&packed(kind)).expect("readable"), wanted, "{kind}");
        }
    }

    #[test]
    fn lone_carriage_returns_end_lines_and_other_encodings_are_named() {
        let wanted = vec![(1, "first".to_owned()), (2, "second".to_owned())];
        assert_eq!(read(b"first\rsecond\r").expect("readable"), wanted);
        let problem = read(b"\xff\xfef\0i\0").expect_err("UTF-16").to_string();
        assert!(problem.contains("the file is UTF-16LE; convert it to UTF-8"), "{problem}");
        let problem = read(b"\xb5\xe7\xd3\xb0\n").expect_err("GBK").to_string();
        assert!(problem.contains("lines:1: byte 1 is not UTF-8, it looks like GBK"), "{problem}");
    }

    #[test]
    fn a_cut_off_file_is_an_error_with_its_line() {
        for kind in ["gzip", "zstd"] {
            let whole = packed(kind);
            let problem = read(&whole[..whole.len() - 6]).expect_err("cut off").to_string();
            assert!(problem.contains("lines:") && problem.contains("fetch it again"), "{kind}: {problem}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_device_or_pipe_is_refused_at_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let link = folder.path().join("log.csv");
        std::os::unix::fs::symlink("/dev/zero", &link).expect("a link");
        let problem = Source::open(&link, "make it").err().expect("refused").to_string();
        assert!(problem.contains("log.csv: it is not a regular file"), "{problem}");
    }

    #[test]
    fn a_missing_file_says_what_to_do() {
        let problem = Source::open(Path::new("nowhere.txt"), "make it").err().expect("missing").to_string();
        assert_eq!(problem, "nowhere.txt does not exist; make it");
    }
}
