//! The setting of a run's policies, and its differences between two runs.

use crate::experiment::manifest::Manifest;
use std::collections::BTreeMap;

/// The part of a run that its policies do not influence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunSetting {
    /// By dotted name: the scenario's values and the inputs found.
    facts: BTreeMap<String, String>,
    seed: u64,
    /// Version of recmirror.
    version: String,
}

/// The keys of a scenario that are no part of the setting: texts, measurement and computation, and paths, which the
/// hashes of their content replace.
const NO_SETTING: [&str; 10] =
    ["name", "question", "seed", "replications", "baseline", "metrics", "engine", "policy", "data.path", "user.path"];

/// A difference between two settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// A description.
    pub what: String,
    /// Of the first run.
    pub first: String,
    /// Of the other run.
    pub other: String,
    /// True if the runs answer different questions because of it.
    pub forbids: bool,
}

impl Difference {
    /// The difference in a sentence.
    pub fn sentence(&self, first: &str, other: &str) -> String {
        let what = &self.what;
        let follows = if self.forbids { "" } else { "; their policies are not paired with each other" };
        format!("{what}: {} in {first}, {} in {other}{follows}", self.first, self.other)
    }
}

impl RunSetting {
    /// The setting of a run; `scenario` is the one in its manifest.
    pub fn new(manifest: &Manifest, scenario: &toml::Table) -> RunSetting {
        let mut facts = BTreeMap::new();
        flatten("", scenario, &mut facts);
        facts.insert("data set".to_owned(), format!("{} ({})", manifest.data.name, short(&manifest.data.hash)));
        let user = &manifest.user;
        facts.insert("user model".to_owned(), format!("{} ({}) {}", user.name, user.kind, short(&user.hash)));
        RunSetting { facts, seed: manifest.seed, version: manifest.recmirror.clone() }
    }

    /// Differences from another scenario, the seed included, in the order of names; those that forbid a comparison are marked.
    pub fn differences(&self, other: &RunSetting) -> Vec<Difference> {
        let names = self.facts.keys().chain(other.facts.keys().filter(|name| !self.facts.contains_key(*name)));
        let absent = || "none".to_owned();
        let fact = |name: &String| {
            let (first, other) = (self.facts.get(name).cloned(), other.facts.get(name).cloned());
            (name.clone(), first.unwrap_or_else(absent), other.unwrap_or_else(absent))
        };
        let mut all: Vec<(String, String, String)> = names.map(fact).collect();
        all.push(("seed".to_owned(), self.seed.to_string(), other.seed.to_string()));
        all.push(("version of recmirror".to_owned(), self.version.clone(), other.version.clone()));
        let differing = all.into_iter().filter(|(_, first, other)| first != other);
        differing.map(|(what, first, other)| Difference { forbids: forbids(&what), what, first, other }).collect()
    }

    /// True if equal replications of both runs had the same users, arrivals and random numbers.
    pub fn is_paired_with(&self, other: &RunSetting) -> bool {
        self == other
    }
}

/// Other data and other users are other questions.
fn forbids(what: &str) -> bool {
    ["data.", "user."].iter().any(|section| what.starts_with(section)) || what == "data set" || what == "user model"
}

fn flatten(prefix: &str, table: &toml::Table, facts: &mut BTreeMap<String, String>) {
    for (key, value) in table {
        let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        if NO_SETTING.contains(&name.as_str()) {
            continue;
        }
        match value {
            toml::Value::Table(inner) => flatten(&name, inner, facts),
            other => {
                facts.insert(name, other.to_string());
            }
        }
    }
}

/// The beginning of a hash.
fn short(hash: &str) -> String {
    hash.chars().take(12).collect()
}
