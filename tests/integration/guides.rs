//! The examples of the guides: scenarios are checked, data sets are read.
//!
//! Shell commands are parsed in `src/cli/pages.rs`, Rust runs as doc tests, Python in `python/tests/test_guides.py`.

use crate::util::{package, place, read, write};
use recmirror::Registry;
use recmirror::dataset::Dataset;
use recmirror::scenario::Scenario;
use std::collections::BTreeSet;
use std::path::Path;

/// A fenced block: language, what follows the language, text.
struct Block {
    language: String,
    mark: String,
    text: String,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(info) = line.strip_prefix("```") {
            let (language, mark) = info.split_once(' ').unwrap_or((info, ""));
            let body: Vec<&str> = lines.by_ref().take_while(|line| !line.starts_with("```")).collect();
            let text = body.join("\n") + "\n";
            found.push(Block { language: language.to_owned(), mark: mark.to_owned(), text });
        }
    }
    found
}

fn guides() -> Vec<(String, Vec<Block>)> {
    let mut found = Vec::new();
    for folder in ["docs/start", "docs/guides"] {
        for entry in std::fs::read_dir(package().join(folder)).expect("a folder") {
            let path = entry.expect("an entry").path();
            found.push((path.display().to_string(), blocks(&read(&path))));
        }
    }
    found
}

/// The problem of a scenario, or of a part of one, to which data and a policy are added if it has none.
fn problem(text: &str) -> Option<String> {
    let folder = place();
    let data = if text.contains("[data]") { "" } else { "data.path = \".\"\n" };
    let policy = if text.contains("[[policy]]") { "" } else { "\n[[policy]]\nkind = \"random\"\n" };
    let path = folder.path().join("scenarios/guide.toml");
    write(&path, format!("{data}{text}{policy}"));
    Scenario::load(&path, &Registry::builtin(), &[]).err().map(|problem| problem.to_string())
}

#[test]
fn scenarios_of_the_guides_are_correct() {
    let mut count = 0;
    for (page, blocks) in guides() {
        for block in blocks.iter().filter(|block| block.language == "toml" && !block.mark.contains('/')) {
            assert_eq!(
                block.mark, "scenario",
                "{page}: mark TOML as a `scenario` or with the name of its file\n{}",
                block.text
            );
            assert_eq!(problem(&block.text), None, "{page}:\n{}", block.text);
            count += 1;
        }
    }
    assert!(count >= 6, "{count} scenarios");
}

#[test]
fn a_wrong_key_in_a_guide_would_be_found() {
    let found = problem("[user]\nkind = \"parametric\"\nacceptence = 0.3\n");
    assert!(found.is_some_and(|problem| problem.contains("acceptence")));
}

/// Writes the files of a page that have a name; returns their folders.
fn write_files(blocks: &[Block], place: &Path) -> BTreeSet<String> {
    let named = blocks.iter().filter(|block| block.mark.contains('/'));
    named
        .map(|block| {
            write(&place.join(&block.mark), &block.text);
            block.mark.split('/').next().unwrap_or_default().to_owned()
        })
        .collect()
}

#[test]
fn data_sets_of_the_guides_are_read() {
    let page = blocks(&read(&package().join("docs/guides/own-data.md")));
    let place = place();
    let folders = write_files(&page, place.path());
    assert_eq!(folders.iter().collect::<Vec<_>>(), ["clicks", "shop"]);
    let shop = Dataset::read(&place.path().join("shop")).expect("the shop of the guide");
    assert_eq!((shop.users.len(), shop.items.len(), shop.interactions.len()), (3, 3, 5));
    let clicks = Dataset::read(&place.path().join("clicks")).expect("the clicks of the guide");
    assert_eq!((clicks.interactions.len(), clicks.impressions.len()), (1, 2));
}
