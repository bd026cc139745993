//! Names of earlier versions.
//!
//! An old name in a file or an option works for one more version, with a note that gives the new one.

/// The note on an earlier name.
pub fn renamed(earlier: &str, now: &str) -> String {
    format!("`{earlier}` is now `{now}`; this version still takes the earlier name, the next one does not")
}
