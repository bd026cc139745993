//! A completeness check of shared libraries before the loader reads them.
//!
//! The loader maps as many bytes as the headers of an ELF file state. If the file is shorter (an interrupted download),
//! the first access to a missing page ends the process with a bus error and no message.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

/// Bytes of the file's header.
const HEADER: usize = 64;
/// Bytes of one segment's header.
const SEGMENT: usize = 56;
/// The kind of segment that is mapped.
const LOAD: u64 = 1;

/// Refuses a 64-bit little-endian ELF file that is shorter than its headers state. The loader itself reports problems
/// of other and unreadable files.
pub(super) fn check_whole(path: &Path) -> Result<(), String> {
    match shortfall(path) {
        Ok(Some((length, wanted))) => Err(format!("incomplete: {length} bytes of at least {wanted}")),
        _ => Ok(()),
    }
}

/// The file's length and the length that its headers state, if it is shorter.
fn shortfall(path: &Path) -> std::io::Result<Option<(u64, u64)>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut header = [0; HEADER];
    file.read_exact(&mut header)?;
    if !header.starts_with(b"\x7fELF\x02\x01") {
        return Ok(None);
    }
    let (first, size, count) = (number(&header, 32..40), number(&header, 54..56), number(&header, 56..58));
    if size != SEGMENT as u64 {
        return Ok(None);
    }
    let table = first.saturating_add(size * count);
    if table > length {
        return Ok(Some((length, table)));
    }
    file.seek(SeekFrom::Start(first))?;
    let mut wanted = table;
    for _ in 0..count {
        let mut segment = [0; SEGMENT];
        file.read_exact(&mut segment)?;
        if number(&segment, 0..4) == LOAD {
            wanted = wanted.max(number(&segment, 8..16).saturating_add(number(&segment, 32..40)));
        }
    }
    Ok((wanted > length).then_some((length, wanted)))
}

/// A little-endian number.
fn number(bytes: &[u8], place: Range<usize>) -> u64 {
    bytes[place].iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(all(target_os = "linux", target_pointer_width = "64", target_endian = "little"))]
    #[test]
    fn a_file_that_breaks_off_is_incomplete() {
        let whole = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("library");
        let check = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            check_whole(&path)
        };
        assert_eq!(check(&whole), Ok(()));
        for length in [HEADER, HEADER + 1, 5_000, 100_000] {
            let problem = check(&whole[..length]).unwrap_err();
            assert!(problem.starts_with(&format!("incomplete: {length} bytes")), "{problem}");
        }
    }

    #[test]
    fn other_files_are_left_to_the_loader() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("library");
        assert_eq!(check_whole(&path), Ok(()));
        assert_eq!(check_whole(folder.path()), Ok(()));
        for content in [&b""[..], b"\x7fELF", &[7; 300], b"\x7fELF\x02\x01"] {
            std::fs::write(&path, content).unwrap();
            assert_eq!(check_whole(&path), Ok(()));
        }
    }
}
