//! The tables of a scenario file.
//!
//! The tables of a scenario file that are not lists.

use super::Key;

/// One table of a scenario file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Section {
    /// The name in brackets; empty for the keys at the top of the file.
    pub name: &'static str,
    /// The purpose of the section, in a sentence.
    pub heading: &'static str,
    /// The keys that always apply.
    pub keys: &'static [Key],
    /// The kinds between which its `kind` key chooses, if it has one.
    pub variants: &'static [Variant],
}

/// One kind of a section that comes in several kinds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Variant {
    /// The value of `kind`.
    pub name: &'static str,
    /// A description of this kind, to be read after its name and a colon.
    pub summary: &'static str,
    /// The keys that only this kind takes.
    pub keys: &'static [Key],
}
