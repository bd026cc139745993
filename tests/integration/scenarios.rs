//! The shipped scenario files: each one loads, the generated ones are up to date, and each one runs.

use crate::util::{has_data_and_runtime, manifest, model, movielens, names_in, package, place, read, recmirror, text};
use recmirror::Registry;
use recmirror::scenario::Scenario;
use std::path::PathBuf;

/// The scenario files that ship with the crate.
fn files() -> Vec<PathBuf> {
    let folder = package().join("scenarios");
    let names = names_in(&folder).into_iter().filter(|name| name.ends_with(".toml"));
    names.map(|name| folder.join(name)).collect()
}

#[test]
fn every_file_loads() {
    let files = files();
    assert!(files.len() >= 3, "{files:?}");
    for file in &files {
        let scenario = Scenario::load(file, &Registry::builtin(), &[]);
        let scenario = scenario.unwrap_or_else(|problem| panic!("{problem}"));
        assert!(!scenario.policies.is_empty());
        if let Some(path) = scenario.user.model.path().filter(|_| scenario.user.model.is("mirror")) {
            assert!(path.join("card.toml").is_file(), "{}", path.display());
        }
    }
    let arguments: Vec<&str> = ["scenario", "check"].into_iter().chain(files.iter().map(|file| text(file))).collect();
    let output = recmirror(&arguments).expect(0).stdout;
    assert_eq!(output.lines().filter(|line| line.contains(": fine;")).count(), files.len());
}

#[test]
fn the_generated_files_are_up_to_date() {
    for (word, file) in [("reference", "scenarios/reference.toml"), ("schema", "scenarios/schema.json")] {
        let fresh = recmirror(&["scenario", word]).expect(0).stdout;
        assert!(fresh == read(&package().join(file)), "run `recmirror scenario {word} > {file}`");
    }
}

/// A language user takes its time.
const QUICK: [&str; 5] = ["ticks=1", "population.users=2", "user.history=2", "user.rationale_tokens=4", "user.probe=2"];

#[test]
fn every_file_runs() {
    if !has_data_and_runtime() {
        return;
    }
    let folder = place();
    let (data, user) = (format!("data.path={}", movielens().display()), format!("user.path={}", model().display()));
    // The reference knows neither the reader's ranker nor the reader's program.
    let ranker = format!("policy.onnx.path={}", package().join("models/sasrec").display());
    let start = format!("policy.external.folder={}", package().join("examples").display());
    let program = [&start, "policy.external.command=['python3', 'external_policy.py']"];
    for (number, file) in files().iter().enumerate() {
        let out = folder.path().join(number.to_string());
        let scenario = Scenario::load(file, &Registry::builtin(), &[]).unwrap_or_else(|problem| panic!("{problem}"));
        let mut settings = vec!["ticks=2", "replications=1", "population.users=50", "slate=5", &data];
        let model = &scenario.user.model;
        if let Some(path) = model.path().filter(|_| model.is("language")) {
            // `make lm` makes the model, which is no part of the project; its file was checked above.
            if !path.join("tokenizer.json").is_file() {
                eprintln!("{} is not run: there is no model in {}", file.display(), path.display());
                continue;
            }
            settings.extend(QUICK);
        }
        if scenario.user.model.is("mirror") {
            settings.push(&user);
        }
        if scenario.policies.iter().any(|policy| policy.kind == "onnx") {
            settings.push(&ranker);
        }
        if scenario.policies.iter().any(|policy| policy.kind == "external") {
            settings.extend(program);
        }
        let settings = settings.iter().flat_map(|setting| ["--set", setting]);
        let arguments: Vec<&str> =
            ["run", "--allow-external", text(file), "--out", text(&out)].into_iter().chain(settings).collect();
        recmirror(&arguments).expect(0);
        assert_eq!(manifest(&out).trials.len(), scenario.policies.len(), "{}", file.display());
    }
}
