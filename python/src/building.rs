//! What an environment is built from.

use crate::data::Dataset;
use recmirror::environment as native;
use std::collections::BTreeMap;
use std::fmt::Display;

/// A table of a policy or a dynamic: its kind, and its keys as text.
pub(crate) type Table = (String, BTreeMap<String, String>);

/// Settings as `KEY`, `VALUE` in the words of scenario files.
pub(crate) fn builder(
    data: &Dataset,
    settings: Vec<(String, String)>,
    policies: Vec<Table>,
    dynamics: Vec<Table>,
) -> native::EnvironmentBuilder {
    let mut builder = native::Environment::builder(&data.inner);
    for (key, value) in settings {
        builder = builder.set(&key, value);
    }
    for (kind, keys) in policies {
        builder = builder.policy(&kind, &pairs(&keys));
    }
    for (kind, keys) in dynamics {
        builder = builder.dynamic(&kind, &pairs(&keys));
    }
    builder
}

fn pairs(keys: &BTreeMap<String, String>) -> Vec<(&str, &dyn Display)> {
    keys.iter().map(|(key, value)| (key.as_str(), value as &dyn Display)).collect()
}
