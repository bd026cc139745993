//! Names of policies in a form that other programs accept.
//!
//! MLflow allows letters, digits, `_`, `-`, `.`, blanks and `/` in the key of a metric, which must also be a plain path
//! of at most 250 characters; file systems and TensorBoard have similar rules. A key has only letters, digits, `_`, `-`
//! and `.`, does not begin with `-` or `.`, and is unique even if case is ignored.

use std::collections::BTreeSet;

/// The most characters of a key.
const LONGEST: usize = 100;

/// A key for each name, in order: the name itself if it is a valid key.
pub(super) fn keys<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Vec<String> {
    // A valid name keeps its key in any order of names.
    let mut taken: BTreeSet<String> =
        names.clone().filter(|name| plain(name) == *name).map(str::to_ascii_lowercase).collect();
    let mut own: BTreeSet<String> = taken.clone();
    let mut key = |name: &str| {
        let plain = plain(name);
        if plain == name && own.remove(&plain.to_ascii_lowercase()) {
            return plain;
        }
        let numbered = |number: u32| format!("{plain}-{number}");
        let mut all = std::iter::once(plain.clone()).chain((2..).map(numbered));
        let found = all.find(|key| taken.insert(key.to_ascii_lowercase()));
        found.unwrap_or(plain)
    };
    names.map(&mut key).collect()
}

fn plain(name: &str) -> String {
    let keep = |letter: char| if letter.is_ascii_alphanumeric() || "_-.".contains(letter) { letter } else { '_' };
    let mut key: String = name.chars().map(keep).take(LONGEST).collect();
    if key.is_empty() || key.starts_with(['-', '.']) {
        key.insert(0, '_');
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(names: &[&str]) -> Vec<String> {
        keys(names.iter().copied())
    }

    #[test]
    fn keys_are_safe_and_differ() {
        assert_eq!(all(&["ials", "item_knn", "v1.2-b"]), ["ials", "item_knn", "v1.2-b"]);
        assert_eq!(all(&["50% off!", "50% off?", "..", "a//b", ""]), ["50__off_", "50__off_-2", "_..", "a__b", "_"]);
        assert_eq!(all(&["a b", "a_b", "A_B"]), ["a_b-2", "a_b", "A_B-3"], "a name that is a key stays as it is");
        assert_eq!(all(&["größe", "gr__e"]), ["gr__e-2", "gr__e"]);
        let long = "x".repeat(300);
        assert_eq!(all(&[&long, &format!("{long}y")]), ["x".repeat(100), format!("{}-2", "x".repeat(100))]);
    }
}
