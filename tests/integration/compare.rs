//! `recmirror compare`: several runs in one table.

use crate::util::{csv_rows, place, read, recmirror, text, with_data, write_scenario};
use std::path::{Path, PathBuf};

/// Runs `popular` and `random` into `name` of `folder`, with overrides.
fn run(folder: &Path, name: &str, settings: &[&str]) -> PathBuf {
    let scenario = write_scenario(folder, &["popular", "random"]);
    let out = folder.join(name);
    let overrides: Vec<&str> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
    recmirror(&[&["run", text(&scenario), "--out", text(&out), "--quiet"], &overrides[..]].concat()).expect(0);
    out
}

#[test]
fn runs_of_one_setting_are_paired() {
    let folder = with_data();
    let one = run(folder.path(), "one", &[]);
    let two = run(folder.path(), "two", &["name=again", "engine.chunk=32", "policy.popular.half_life=2"]);
    let table = folder.path().join("found.csv");
    let answer = recmirror(&["compare", text(&one), text(&two), "--out", text(&table)]).expect(0);
    assert_eq!(answer.stderr, "", "nothing that matters differs");
    assert!(answer.stdout.contains("one/popular") && answer.stdout.contains("two/random"), "{}", answer.stdout);
    let rows = csv_rows(&table);
    // Six metrics, four policies.
    assert_eq!(rows.len(), 6 * 4);
    let summary = csv_rows(&one.join("summary.csv"));
    assert_eq!(rows[0][..3], ["acceptance_rate", "one", "popular"].map(str::to_owned));
    assert_eq!(rows[0][3..6], summary[0][2..5], "the numbers of the run");
    let compared = csv_rows(&one.join("compare.csv"));
    // Intervals hold for all pairs of the table at once, so more policies make them wider than those of the run.
    assert_eq!(rows[1][7], compared[0][3], "the paired difference of the run");
    // The same policy with the same random numbers.
    assert_eq!((rows[3][2].as_str(), &rows[3][7..10]), ("random", &rows[1][7..10]));
    assert!(rows.iter().all(|row| row[11] == if row[1] == "one" && row[2] == "popular" { "" } else { "paired" }));
    for format in ["json", "parquet"] {
        let file = folder.path().join(format!("found.{format}"));
        recmirror(&["compare", text(&one), text(&two), "--out", text(&file)]).expect(0);
        assert!(std::fs::metadata(&file).is_ok_and(|file| file.len() > 500));
    }
    let json: serde_json::Value = serde_json::from_str(&read(&folder.path().join("found.json"))).expect("JSON");
    assert_eq!(
        json[1]["difference"].as_f64().map(|value| value.to_string()),
        rows[1][7].parse::<f64>().ok().map(|value| value.to_string())
    );
}

#[test]
fn differences_are_reported_or_refused() {
    let folder = with_data();
    let base = run(folder.path(), "base", &[]);
    let seed = run(folder.path(), "seed", &["seed=6", "ticks=5"]);
    let answer = recmirror(&["compare", text(&base), text(&seed), "--baseline", "seed/random"]).expect(0);
    assert!(
        answer.stdout.contains("Difference from `seed/random`") && answer.stdout.contains(" ~"),
        "{}",
        answer.stdout
    );
    answer.says(&["note: seed: 5 in base, 6 in seed", "note: ticks: 6 in base, 5 in seed"]);
    let users = run(folder.path(), "users", &["user.taste=1"]);
    let arguments = ["compare", text(&base), text(&users)];
    recmirror(&arguments).expect(2).says(&["user.taste: 3.0 in base, 1.0 in users", "--anyway"]);
    recmirror(&[&arguments[..], &["--anyway"]].concat()).expect(0).says(&["note: user.taste"]);
    crate::util::Log::synthetic(60, 81).write_recbole(&folder.path().join("data"));
    let data = run(folder.path(), "data2", &[]);
    recmirror(&["compare", text(&base), text(&data)]).expect(2).says(&["data set: data ("]);
}

#[test]
fn folders_that_are_no_runs_are_named() {
    let folder = with_data();
    let base = run(folder.path(), "base", &[]);
    let empty = place();
    recmirror(&["compare", text(&base), text(empty.path())]).expect(2).says(&["manifest.json", "folder of a run"]);
    recmirror(&["compare", text(&base), text(&base)]).expect(2).says(&["is named twice"]);
    recmirror(&["compare", text(&base), "--baseline", "ease"]).expect(2).says(&["`ease`", "`base/popular`"]);
    recmirror(&["compare", text(&base), "--out", "x.txt"]).expect(2).says(&["x.txt", ".csv, .json or .parquet"]);
    recmirror(&["compare", text(&base), "--to-see", "much"]).expect(2).says(&["--to-see `much` is no difference"]);
    let answer = recmirror(&["compare", text(&base), "--to-see", "1%"]).expect(0);
    assert!(answer.stdout.contains("would show a difference of 1 pp in acceptance_rate"), "{}", answer.stdout);
    recmirror(&["compare"]).expect(2);
    std::fs::remove_file(base.join("finals.csv")).expect("removed");
    recmirror(&["compare", text(&base)]).expect(2).says(&["finals.csv", "run the scenario again"]);
}
