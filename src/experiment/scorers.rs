//! The rankers of a scenario's policies, nested ones included.

use crate::files::{MOST_OF_TEXT, read_bounded, sha256};
use crate::scenario::Scenario;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// A network that scores for a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScorerRecord {
    /// Name of the policy that runs it, by itself or inside.
    pub policy: String,
    /// Hash of its `card.toml`, which has that of the graph.
    pub hash: String,
}

/// The scorers in the order of the policies.
pub(super) fn scorers(scenario: &Scenario) -> Vec<ScorerRecord> {
    let mut found = Vec::new();
    for policy in &scenario.policies {
        let mut folders = Vec::new();
        collect(&policy.kind, &policy.params, &mut folders);
        // A card that cannot be read is the policy's to report, when it is built.
        let hash =
            |folder: &str| read_bounded(&Path::new(folder).join("card.toml"), MOST_OF_TEXT).map(|bytes| sha256(&bytes));
        let hashes = folders.into_iter().filter_map(|folder| hash(folder).ok());
        found.extend(hashes.map(|hash| ScorerRecord { policy: policy.name.clone(), hash }));
    }
    found
}

/// The folders that a policy of this kind and the policies in its tables read.
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
    fn scorers_are_found_inside_other_policies() {
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
