//! Tests of scenario files: exact messages, shipped files, round trips, mutated texts.

mod files;
mod inner;
mod mutation;
mod problems;
mod round_trip;

use super::*;
use crate::params::{Parameters, parameters, words};
use crate::policy::{BuildPolicy, Policy, PolicyContext, PolicyError, PolicyKind};
use crate::registry::Registry;
use std::path::{Path, PathBuf};

/// The shipped kinds, and two with keys of every type.
fn registry() -> Registry {
    Registry::builtin().with(PolicyKind::of::<KnnSpec>()).with(PolicyKind::of::<FileSpec>())
}

words! {
    /// How to weigh.
    enum Weights { Idf = "idf", None = "none" }
}

parameters! {
    /// For tests.
    struct KnnSpec = "test_knn" {
        /// Neighbours of an item.
        #[range(1..=1000)]
        neighbours: i64 = 50,
        /// Added to the denominator of a similarity.
        #[range(0.0..=f64::MAX)]
        shrinkage: f64 = 10.0,
        /// How to weigh.
        weights: Weights = Weights::None,
    }
}

parameters! {
    /// For tests.
    struct FileSpec = "test_file" {
        /// File of scores.
        scores: PathBuf,
        /// Folder of the cache.
        cache: PathBuf = "cache",
        /// Shown nowhere.
        label: String = "",
        /// Whether the file is sorted.
        sorted: bool = false,
    }
}

impl BuildPolicy for KnnSpec {
    fn build(self, _: &PolicyContext) -> Result<Box<dyn Policy>, PolicyError> {
        Err(PolicyError::new("not built in tests"))
    }
}

impl BuildPolicy for FileSpec {
    fn build(self, _: &PolicyContext) -> Result<Box<dyn Policy>, PolicyError> {
        Err(PolicyError::new("not built in tests"))
    }
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

/// The problems of a text as printed.
fn problems(text: &str) -> String {
    problems_with(text, &[])
}

fn problems_with(text: &str, settings: &[&str]) -> String {
    match parse_with(text, settings) {
        Ok(scenario) => panic!("no problem in {scenario:?}"),
        Err(error) => without_lists(&error.to_string()),
    }
}

/// Replaces lists of all kinds by a word, so that a new policy, dynamic or metric changes no message here.
fn without_lists(text: &str) -> String {
    let list = |names: &mut dyn Iterator<Item = &str>, quote: char| {
        names.map(|name| format!("{quote}{name}{quote}")).collect::<Vec<_>>().join(", ")
    };
    let registry = registry();
    text.replace(&list(&mut registry.policies().iter().map(|kind| kind.name), '`'), "POLICIES")
        .replace(&list(&mut crate::dynamics::all().iter().map(|kind| kind.name), '`'), "DYNAMICS")
        .replace(&list(&mut METRIC_NAMES.iter().copied(), '"'), "METRICS")
}

/// A scenario with only the required keys; more top-level keys may follow.
const VALID: &str = "policy = [{ kind = 'popular' }]\ndata.path = 'd'\n";
