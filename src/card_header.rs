//! The header of all model cards.
//!
//! A kind and a version decide the rest of `card.toml`.

use serde::de::DeserializeOwned;

/// Reads a card of one of these kinds, the current name first, and this version. A card of another kind or version is
/// reported as such, and not by its unknown keys.
pub(crate) fn parse_card<T: DeserializeOwned>(text: &str, kinds: &[&str], version: u32) -> Result<T, String> {
    let message = |problem: toml::de::Error| problem.to_string();
    let table: toml::Table = toml::from_str(text).map_err(message)?;
    let (known, now) = (|found: &&str| kinds.contains(found), kinds.first().copied().unwrap_or_default());
    if let Some(found) = table.get("kind").and_then(toml::Value::as_str).filter(|found| !known(found)) {
        return Err(format!("kind is `{found}`, expected `{now}`"));
    }
    let found = table.get("version").and_then(toml::Value::as_integer);
    if let Some(found) = found.filter(|&found| found != i64::from(version)) {
        return Err(format!("version is {found}, this build reads version {version}"));
    }
    // A table has no lines: a message needs the text.
    table.try_into().or_else(|_| toml::from_str(text).map_err(message))
}

/// The kind that a card names.
pub(crate) fn kind_of(text: &str) -> Option<String> {
    text.parse::<toml::Table>().ok()?.get("kind")?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Card {
        kind: String,
        version: u32,
    }

    #[test]
    fn the_kind_is_reported_before_the_keys() {
        let read = |text: &str| parse_card::<Card>(text, &["ranker", "scorer"], 1);
        let card = read("kind = \"ranker\"\nversion = 1").unwrap();
        assert!(card.kind == "ranker" && card.version == 1);
        assert_eq!(read("kind = \"scorer\"\nversion = 1").unwrap().kind, "scorer", "an earlier name");
        for (text, expected) in [
            ("kind = \"mirror\"\nversion = 1\ndims = 3", "kind is `mirror`, expected `ranker`"),
            ("kind = \"ranker\"\nversion = 2\nshape = 3", "version is 2, this build reads version 1"),
            ("kind = \"ranker\"\nversion = -1", "version is -1, this build reads version 1"),
            ("kind = \"ranker\"\nversion = 1\ndims = 3", "unknown field `dims`"),
            ("kind = 3\nversion = 1", "invalid type: integer `3`, expected a string"),
            ("version = 1", "missing field `kind`"),
            ("kind = ", "TOML"),
        ] {
            let problem = read(text).unwrap_err();
            assert!(problem.contains(expected), "{text}: {problem}");
        }
    }
}
