//! Imports between the modules of the crate point down only.

use crate::util::package;
use std::path::{Path, PathBuf};

/// The modules, those that may import all that follow first. A module imports from later ones only.
const ORDER: [&str; 31] = [
    "cli",
    "report",
    "story",
    "augment",
    "align",
    "validate",
    "off_policy",
    "environment",
    "experiment",
    "pipeline",
    "fit",
    "simulation",
    "scenario",
    "registry",
    "metrics",
    "policy",
    "user",
    "dynamics",
    "language",
    "log",
    "scene",
    "dataset",
    "params",
    "onnx",
    "jinja",
    "guard",
    "linalg",
    "random",
    "files",
    "card_header",
    "ids",
];

/// Files of tests alone, which may use whatever they test with.
fn is_of_tests(path: &Path) -> bool {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let named = ["tests", "testing", "contract", "testing_graphs", "simulated"].contains(&stem.as_str());
    named || path.iter().any(|part| part == "tests")
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") && !is_of_tests(&path) {
            found.push(path);
        }
    }
}

/// The modules of the crate that a line of code names.
fn named(code: &str) -> Vec<&str> {
    let is_part = |letter: char| letter.is_ascii_lowercase() || letter == '_';
    let word = |text: &str| text.find(|letter| !is_part(letter)).unwrap_or(text.len());
    let mut found = Vec::new();
    for rest in code.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            Some(group) => found.extend(group.split(',').map(|part| part.trim_start()).map(|part| &part[..word(part)])),
            None => found.push(&rest[..word(rest)]),
        }
    }
    found
}

/// `FILE:LINE` of every import that does not point down, and how many imports were looked at.
fn upward(root: &Path) -> (Vec<String>, usize) {
    let place = |module: &str| ORDER.iter().position(|known| *known == module);
    let (mut found, mut wrong, mut seen) = (Vec::new(), Vec::new(), 0);
    files(root, &mut found);
    found.sort();
    for path in found {
        let inside = path.strip_prefix(root).expect("inside");
        let first = inside.iter().next().expect("a name").to_string_lossy();
        let own = first.trim_end_matches(".rs");
        if ["lib", "main"].contains(&own) {
            continue;
        }
        let own_place = place(own).unwrap_or_else(|| panic!("`{own}` has no layer: name it in ORDER"));
        let text = std::fs::read_to_string(&path).expect("text");
        let before_tests = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        for (line, number) in before_tests.lines().zip(1..).filter(|(line, _)| !line.trim_start().starts_with("//")) {
            for module in named(line).into_iter().filter(|module| !module.is_empty() && *module != own) {
                seen += 1;
                if place(module).is_none_or(|other| other <= own_place) {
                    wrong.push(format!("{}:{number}: `{own}` imports `{module}`", inside.display()));
                }
            }
        }
    }
    (wrong, seen)
}

#[test]
fn imports_point_down() {
    let (wrong, seen) = upward(&package().join("src"));
    assert_eq!(wrong, Vec::<String>::new());
    assert!(seen > 500, "the search finds the imports: {seen}");
}

#[test]
fn an_import_that_points_up_is_found() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("policy")).expect("a folder");
    let text = "//! crate::cli is named in a comment.\nuse crate::ids::UserId;\nuse crate::{cli, ids};\nuse crate::simulation::Trial;\n";
    std::fs::write(folder.path().join("policy/mod.rs"), text).expect("written");
    let (wrong, _) = upward(folder.path());
    assert_eq!(wrong, ["policy/mod.rs:3: `policy` imports `cli`", "policy/mod.rs:4: `policy` imports `simulation`"]);
}
