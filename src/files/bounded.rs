//! Small files, read at once.
//!
//! Cards, manifests, graphs. A name may lead to a device, a pipe or an endless file; such a name is an error here,
//! instead of a program that waits or fills the memory.

use std::fs::File;
use std::io::{Error, ErrorKind, Read};
use std::path::Path;

/// Bytes of a text that users write: cards, templates, prompts.
pub const MOST_OF_TEXT: u64 = 4 << 20;
/// Bytes of a tokenizer or of a configuration of one.
pub const MOST_OF_TOKENIZER: u64 = 64 << 20;
/// Bytes of a manifest.
pub const MOST_OF_MANIFEST: u64 = 256 << 20;

/// The bytes of a regular file of at most `most` bytes.
///
/// # Errors
/// When the file cannot be read, is no regular file, or is larger.
pub fn read_bounded(path: &Path, most: u64) -> std::io::Result<Vec<u8>> {
    let file = open_regular(path)?;
    let length = file.metadata()?.len();
    let mut bytes = Vec::with_capacity(usize::try_from(length.min(most)).unwrap_or(0));
    // The length that a file states may be wrong: some files have none and never end.
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(Error::new(ErrorKind::FileTooLarge, format!("it is larger than {}", readable_size(most))));
    }
    Ok(bytes)
}

/// Opens a file that is no device, pipe or folder.
///
/// # Errors
/// When it is one, or cannot be opened.
pub fn open_regular(path: &Path) -> std::io::Result<File> {
    // Before it is opened: opening a pipe waits for its other end.
    if std::fs::metadata(path)?.is_file() {
        return File::open(path);
    }
    Err(Error::new(ErrorKind::InvalidInput, "it is not a regular file"))
}

/// The text, in UTF-8, of a regular file that has at most `most` bytes.
///
/// # Errors
/// Those of [`read_bounded`], and a file that is not UTF-8.
pub fn read_text(path: &Path, most: u64) -> std::io::Result<String> {
    String::from_utf8(read_bounded(path, most)?).map_err(|problem| {
        let at = problem.utf8_error().valid_up_to();
        Error::new(ErrorKind::InvalidData, format!("byte {} is not UTF-8", at + 1))
    })
}

fn readable_size(bytes: u64) -> String {
    match bytes >> 20 {
        0 => format!("{bytes} bytes"),
        mebibytes => format!("{mebibytes} MiB"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_the_bound() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("card.toml");
        std::fs::write(&path, "12345").unwrap();
        assert_eq!(read_text(&path, 5).unwrap(), "12345");
        assert_eq!(read_bounded(&path, 4).unwrap_err().to_string(), "it is larger than 4 bytes");
        std::fs::write(&path, [b'a', 0xff]).unwrap();
        assert_eq!(read_text(&path, 5).unwrap_err().to_string(), "byte 2 is not UTF-8");
        assert_eq!(read_bounded(&folder.path().join("none"), 5).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(read_bounded(folder.path(), 5).unwrap_err().to_string(), "it is not a regular file");
    }

    #[cfg(unix)]
    #[test]
    fn devices_and_pipes_are_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("/dev/zero", &link).unwrap();
        let mut paths = vec![Path::new("/dev/zero"), &link];
        paths.extend(made.is_ok_and(|status| status.success()).then_some(pipe.as_path()));
        for path in paths {
            assert_eq!(read_bounded(path, 5).unwrap_err().to_string(), "it is not a regular file", "{path:?}");
        }
    }
}
