//! Defaults of code against defaults of files.

use super::*;
use crate::params::{Key, Kind};
use crate::{dynamics, policy, user};
use toml::Table;

/// A file with one table of parameters in the place of `head`, and all else by default.
fn parse(head: &str, keys: &Table) -> Result<Scenario, ScenarioError> {
    let keys: String = keys.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
    let random = if head == "[[policy]]" { "" } else { "[[policy]]\nkind = 'random'\n" };
    Scenario::parse(
        &format!("data.path = '.'\n{random}{head}\n{keys}"),
        Path::new("one.toml"),
        &Registry::builtin(),
        &[],
    )
}

/// A value that a key without a default may have.
fn some_value(key: &Key) -> toml::Value {
    match key.kind {
        Kind::Number { min, .. } => min.into(),
        Kind::Integer { min, .. } => min.into(),
        Kind::Texts => vec!["x"].into(),
        _ => "x".into(),
    }
}

fn check(head: &str, kinds: &[(&str, &[Key])], unset: Vec<Table>) {
    assert_eq!(kinds.len(), unset.len());
    for ((name, keys), table) in kinds.iter().zip(unset) {
        assert_eq!(table["kind"].as_str(), Some(*name));
        let needed: Vec<&Key> = keys.iter().filter(|key| key.is_required()).collect();
        let alone = Table::from_iter([("kind".to_owned(), (*name).into())]);
        match parse(head, &table) {
            Ok(scenario) => assert_eq!(scenario, parse(head, &alone).expect("no key is needed"), "{name}"),
            Err(error) => {
                let problems = error.problems();
                assert_eq!(problems.len(), needed.len(), "{name}: {error}");
                let is_named =
                    |key: &Key| problems.iter().any(|problem| problem.message.contains(&format!(".{}`", key.name)));
                assert!(needed.iter().all(|key| is_named(key)), "{name}: {error}");
                let with = |table: &Table| {
                    let given = needed.iter().map(|key| (key.name.to_owned(), some_value(key)));
                    parse(head, &table.clone().into_iter().chain(given).collect()).expect(name)
                };
                assert_eq!(with(&table), with(&alone), "{name}: the keys with a default");
            }
        }
    }
}

#[test]
fn parameters_that_code_leaves_unset_are_the_defaults_of_files() {
    let kinds: Vec<_> = policy::KINDS.iter().map(|kind| (kind.name, kind.keys)).collect();
    check("[[policy]]", &kinds, policy::unset_parameters().expect("tables"));
    let kinds: Vec<_> = dynamics::KINDS.iter().map(|kind| (kind.name, kind.keys)).collect();
    check("[[dynamic]]", &kinds, dynamics::unset_parameters().expect("tables"));
    let kinds: Vec<_> = user::KINDS.iter().map(|kind| (kind.name, kind.keys)).collect();
    check("[user]", &kinds, user::unset_parameters().expect("tables"));
}
