//! The tables of a scenario file.

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

/// One table of a list of kinds: a `[[policy]]`, a `[[dynamic]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct KindSpec {
    /// Unique name; the kind when not given.
    pub name: String,
    /// A kind of the registry.
    pub kind: String,
    /// Its parameters, defaults filled in.
    pub params: toml::Table,
}

/// A list of tables of kinds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KindList {
    /// The name in double brackets, which is how messages call one of them.
    pub name: &'static str,
    /// How messages call several.
    pub plural: &'static str,
    /// The purpose of the list, in a sentence.
    pub heading: &'static str,
    /// The keys that every table has besides those of its kind.
    pub keys: &'static [Key],
}

/// One kind of a section or list that comes in several kinds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Variant {
    /// The value of `kind`.
    pub name: &'static str,
    /// A description of this kind, to be read after its name and a colon.
    pub summary: &'static str,
    /// The keys that only this kind takes.
    pub keys: &'static [Key],
}
