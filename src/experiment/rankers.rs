//! The rankers of a scenario's policies, nested ones included.

use crate::files::{MOST_OF_TEXT, read_bounded, sha256};
use crate::policy::note_on_kind;
use crate::scenario::Scenario;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// A network that ranks for a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RankerRecord {
    /// Name of the policy that runs it, directly or as an inner policy.
    pub policy: String,
    /// Hash of its `card.toml`, which contains the hash of the graph.
    pub hash: String,
}

/// The rankers in the order of the policies, and notes on their cards.
pub(super) fn rankers(scenario: &Scenario) -> (Vec<RankerRecord>, Vec<String>) {
    let (mut found, mut notes) = (Vec::new(), Vec::new());
    for policy in &scenario.policies {
        let mut folders = Vec::new();
        collect(&policy.kind, &policy.params, &mut folders);
        // The policy reports an unreadable card when it is built.
        for path in folders.into_iter().map(|folder| Path::new(folder).join("card.toml")) {
            let Ok(card) = read_bounded(&path, MOST_OF_TEXT) else { continue };
            found.push(RankerRecord { policy: policy.name.clone(), hash: sha256(&card) });
            notes.extend(note_on_kind(&path, &card).filter(|note| !notes.contains(note)));
        }
    }
    (found, notes)
}

/// The folders that a policy of this kind reads, including those of its inner policies.
fn collect<'t>(kind: &str, params: &'t toml::Table, folders: &mut Vec<&'t str>) {
    if kind == "onnx" {
        folders.extend(params.get("path").and_then(toml::Value::as_str));
    }
    for value in params.values() {
        let inner = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        for table in inner.iter().filter_map(toml::Value::as_table) {
            let kind = table.get("kind").and_then(toml::Value::as_str).unwrap_or_default();
            collect(kind, table, folders);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_earlier_kind_of_card_is_noted_once() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("card.toml"), "kind = \"scorer\"\n").unwrap();
        let path = folder.path().display();
        let text = format!(
            "name = 's'\ndata.path = 'd'\n[[policy]]\nkind = 'onnx'\npath = '{path}'\n[[policy]]\nname = 'two'\nkind = 'onnx'\npath = \
             '{path}'\n"
        );
        let scenario = Scenario::parse(&text, Path::new("s.toml"), &crate::Registry::builtin(), &[]).unwrap();
        let (found, notes) = rankers(&scenario);
        assert_eq!((found.len(), notes.len()), (2, 1), "{notes:?}");
        assert!(notes[0].contains("`scorer` is now `ranker`"), "{notes:?}");
    }

    #[test]
    fn rankers_are_found_inside_other_policies() {
        let text =
            "path = 'no'\ninner = { kind = 'mix', parts = [{ kind = 'onnx', path = 'a' }, { kind = 'popular' }] }";
        let params: toml::Table = toml::from_str(text).unwrap();
        let mut folders = Vec::new();
        collect("mmr", &params, &mut folders);
        assert_eq!(folders, ["a"]);
        collect("onnx", &params, &mut folders);
        assert_eq!(folders, ["a", "no", "a"]);
    }
}
