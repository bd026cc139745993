//! Keys in a line each.

use super::{Key, Kind};

/// The key of a whole number in a range.
pub const fn whole(name: &'static str, doc: &'static str, range: (i64, i64), default: i64) -> Key {
    Key { name, doc, kind: Kind::Integer { min: range.0, max: range.1, default: Some(default) } }
}

/// The key of a number in a range.
pub const fn number(name: &'static str, doc: &'static str, range: (f64, f64), default: f64) -> Key {
    Key { name, doc, kind: Kind::Number { min: range.0, max: range.1, default: Some(default) } }
}

/// The key of a text.
pub const fn text(name: &'static str, doc: &'static str, default: &'static str) -> Key {
    Key { name, doc, kind: Kind::Text { default: Some(default) } }
}

/// The key of one of some words.
pub const fn word(name: &'static str, doc: &'static str, words: &'static [&'static str], default: &'static str) -> Key {
    Key { name, doc, kind: Kind::Word { words, default: Some(default) } }
}
