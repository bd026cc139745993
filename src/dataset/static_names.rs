//! Names of the program that data sets keep.
//!
//! Such as that of the family; they are read back from where a data set was stored.

use serde::{Deserialize, Deserializer};
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// A name of the program: not a reference in name, which what is read back would have to outlive.
pub(super) type StaticName = &'static str;

/// Each name once, however often data sets are read back.
static KNOWN: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

/// Reads a word.
pub(super) fn read<'de, D: Deserializer<'de>>(source: D) -> Result<&'static str, D::Error> {
    let word = String::deserialize(source)?;
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(&word) = known.get(word.as_str()) {
        return Ok(word);
    }
    let word: &'static str = word.leak();
    known.insert(word);
    Ok(word)
}
