//! Names of the files of a trial.

use std::path::{Path, PathBuf};

/// The file name of a trial. Characters of the policy's name other than letters, digits, `-` and `_` become `_`; the
/// policy's number makes names unique.
pub(super) fn file_name(number: usize, policy: &str, replication: u32) -> String {
    let keep = |letter: char| if letter.is_ascii_alphanumeric() || "-_".contains(letter) { letter } else { '_' };
    let name: String = policy.chars().map(keep).take(60).collect();
    format!("{number:02}-{name}-r{replication:03}.parquet")
}

/// The file of decisions that belongs to a file of events.
pub(super) fn decisions_beside(events: &Path) -> PathBuf {
    let name = Path::new(events.file_name().unwrap_or_default()).with_extension("jsonl");
    events.parent().map(|folder| folder.with_file_name("decisions")).unwrap_or_default().join(name)
}
