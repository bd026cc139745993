//! Tests of scenario files: exact messages, shipped files, round trips, mutated texts.

mod files;
mod inner;
mod mutation;
mod problems;
mod round_trip;

use super::*;
use crate::policy::PolicyKind;
use crate::registry::Registry;
use std::path::Path;

/// The shipped kinds, and two with keys of every type.
fn registry() -> Registry {
    const KNN: &[Key] = &[
        Key {
            name: "neighbours",
            doc: "Neighbours of an item.",
            kind: Kind::Integer { min: 1, max: 1000, default: Some(50) },
        },
        Key {
            name: "shrinkage",
            doc: "Added to the denominator of a similarity.",
            kind: Kind::Number { min: 0.0, max: f64::MAX, default: Some(10.0) },
        },
        Key {
            name: "weights",
            doc: "How to weigh.",
            kind: Kind::Word { words: &["idf", "none"], default: Some("none") },
        },
    ];
    const FILE: &[Key] = &[
        Key { name: "scores", doc: "File of scores.", kind: Kind::Path { default: None } },
        Key { name: "cache", doc: "Folder of the cache.", kind: Kind::Path { default: Some("cache") } },
        Key { name: "label", doc: "Shown nowhere.", kind: Kind::Text { default: Some("") } },
        Key { name: "sorted", doc: "Whether the file is sorted.", kind: Kind::Bool { default: Some(false) } },
    ];
    let build: fn(&Params<'_>, &crate::policy::PolicyContext) -> _ =
        |_, _| Err(crate::policy::PolicyError::new("not built in tests"));
    let kind = |name, keys| PolicyKind { name, summary: "For tests.", keys, build };
    Registry::builtin().with(kind("test_knn", KNN)).with(kind("test_file", FILE))
}

/// Checks a text as if it were the file `/project/s.toml`, with `--set` texts `KEY=VALUE`.
fn parse_with(text: &str, settings: &[&str]) -> Result<Scenario, ScenarioError> {
    let pair = |setting: &&str| setting.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned())).unwrap();
    let settings: Vec<_> = settings.iter().map(pair).collect();
    Scenario::parse(text, Path::new("/project/s.toml"), &registry(), &settings)
}

fn parse(text: &str) -> Scenario {
    parse_with(text, &[]).unwrap_or_else(|error| panic!("{error}"))
}

/// The problems of a text as users see them.
fn problems(text: &str) -> String {
    problems_with(text, &[])
}

fn problems_with(text: &str, settings: &[&str]) -> String {
    match parse_with(text, settings) {
        Ok(scenario) => panic!("no problem in {scenario:?}"),
        Err(error) => without_lists(&error.to_string()),
    }
}

/// Lists of everything that there is are as a word, so that a new policy, dynamic or metric changes no message here.
fn without_lists(text: &str) -> String {
    let list = |names: &mut dyn Iterator<Item = &str>, quote: char| {
        names.map(|name| format!("{quote}{name}{quote}")).collect::<Vec<_>>().join(", ")
    };
    let registry = registry();
    text.replace(&list(&mut registry.policies().iter().map(|kind| kind.name), '`'), "POLICIES")
        .replace(&list(&mut crate::dynamics::all().iter().map(|kind| kind.name), '`'), "DYNAMICS")
        .replace(&list(&mut METRIC_NAMES.iter().copied(), '"'), "METRICS")
}

/// A scenario with nothing but what has no default; more top-level keys may follow.
const VALID: &str = "policy = [{ kind = 'popular' }]\ndata.path = 'd'\n";
