//! Names of earlier versions.
//!
//! A name in a file or an option that has changed keeps working for one version, with a note that says the new one.

/// The note on an earlier name.
pub fn renamed(earlier: &str, now: &str) -> String {
    format!("`{earlier}` is now `{now}`; this version still takes the earlier name, the next one does not")
}
