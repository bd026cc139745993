//! Rules about the source itself: heavy dependencies behind one door each, short files, no hidden panics.

use crate::util::{package, read};
use std::path::{Path, PathBuf};

/// Lines of a file before its tests at most.
const LONGEST: usize = 400;

/// `.expect(` and the like outside tests, each with its reason.
const MAY_PANIC: &[(&str, &str)] = &[];

/// All source files except those that hold tests alone: paths from `src/`, and the lines before the tests.
fn sources() -> Vec<(PathBuf, Vec<String>)> {
    let root = package().join("src");
    let mut folders = vec![root.clone()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    let tests_alone = |path: &Path| {
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let module = path.parent().map(|folder| folder.join("mod.rs")).unwrap_or_default();
        let beside = path.parent().map(|folder| folder.with_extension("rs")).unwrap_or_default();
        let declared = format!("#[cfg(test)]\nmod {name};");
        let declared_pub = format!("#[cfg(test)]\npub(crate) mod {name};");
        let parents = [module, beside];
        let mut texts = parents.iter().filter(|parent| parent.is_file() && *parent != path).map(|parent| read(parent));
        let in_tests = path.strip_prefix(&root).is_ok_and(|path| path.iter().any(|part| part == "tests"));
        in_tests || texts.any(|text| text.contains(&declared) || text.contains(&declared_pub))
    };
    let files = files.into_iter().filter(|path| !tests_alone(path));
    let before_tests = |path: &Path| -> Vec<String> {
        let text = read(path);
        let lines: Vec<&str> = text.lines().collect();
        let inline =
            |at: usize| lines[at] == "#[cfg(test)]" && lines.get(at + 1).is_some_and(|line| line.ends_with('{'));
        let end = (0..lines.len()).find(|&at| inline(at)).unwrap_or(lines.len());
        lines[..end].iter().map(|line| (*line).to_owned()).collect()
    };
    files.map(|path| (path.strip_prefix(&root).expect("inside").to_owned(), before_tests(&path))).collect()
}

/// `path:line` of the code lines (comments left out) of files that `applies` picks, which `hit` finds.
fn places(applies: impl Fn(&Path) -> bool, hit: impl Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for (path, lines) in sources().iter().filter(|(path, _)| applies(path)) {
        for (line, number) in lines.iter().zip(1..) {
            let code = line.trim_start();
            if !code.starts_with("//") && hit(code) {
                found.push(format!("{}:{number}: {code}", path.display()));
            }
        }
    }
    found
}

/// Returns true if `name` is in `code` as the whole name of a crate or module.
fn names(code: &str, name: &str) -> bool {
    let is_part = |letter: Option<char>| letter.is_some_and(|letter| letter.is_alphanumeric() || letter == '_');
    code.match_indices(name)
        .any(|(at, _)| !is_part(code[..at].chars().next_back()) && !is_part(code[at + name.len()..].chars().next()))
}

#[test]
fn bevy_ecs_stays_in_the_simulation() {
    let outside = |path: &Path| !path.starts_with("simulation");
    assert_eq!(places(outside, |code| names(code, "bevy_ecs")), Vec::<String>::new());
    assert!(!places(|path| !outside(path), |code| names(code, "bevy_ecs")).is_empty(), "the search finds something");
}

#[test]
fn ort_stays_in_onnx() {
    let names_ort = |code: &str| code.contains("ort::") && names(code, "ort");
    assert_eq!(places(|path| !path.starts_with("onnx"), names_ort), Vec::<String>::new());
    assert!(!places(|path| path.starts_with("onnx"), names_ort).is_empty(), "the search finds something");
}

#[test]
fn ureq_stays_in_the_endpoint() {
    let inside = |path: &Path| path.starts_with("language/endpoint");
    assert_eq!(places(|path| !inside(path), |code| names(code, "ureq")), Vec::<String>::new());
    assert!(!places(inside, |code| names(code, "ureq")).is_empty(), "the search finds something");
}

#[test]
fn what_is_printed_goes_through_the_terminal_module() {
    let inside = |path: &Path| path == Path::new("cli/terminal.rs") || path == Path::new("cli/mod.rs");
    let prints = |code: &str| ["println!(", "print!(", "stdout()", "stderr()"].iter().any(|word| code.contains(word));
    let asks = |place: &String| place.ends_with(".is_terminal();");
    let found = places(|path| !inside(path), prints).into_iter().filter(|place| !asks(place));
    assert_eq!(found.collect::<Vec<_>>(), Vec::<String>::new());
    assert!(!places(inside, prints).is_empty(), "the search finds something");
}

#[test]
fn files_are_short() {
    let long = sources().into_iter().filter(|(_, lines)| lines.len() > LONGEST);
    assert_eq!(long.map(|(path, lines)| (path, lines.len())).collect::<Vec<_>>(), []);
}

#[test]
fn nothing_panics_on_purpose() {
    let words = [".unwrap()", ".expect(", "panic!(", "unreachable!(", "todo!(", "unimplemented!(", "dbg!("];
    let found = places(|_| true, |code| words.iter().any(|word| code.contains(word)));
    let allowed = |place: &String| MAY_PANIC.iter().any(|(start, _)| place.starts_with(start));
    assert_eq!(found.into_iter().filter(|place| !allowed(place)).collect::<Vec<_>>(), Vec::<String>::new());
}
