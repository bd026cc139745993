//! `distill` against results of the paper's reference code, and its behaviour on wrong files.

use crate::util::{Answer, names_in, package, place, read, recmirror, write};
use serde_json::Value;
use std::path::{Path, PathBuf};

fn rows(path: &Path) -> Vec<Value> {
    read(path).lines().map(|line| serde_json::from_str(line).expect("a record")).collect()
}

/// A copy of a fixture's project; the fixture itself is never written to.
fn project(name: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = place();
    let fixture = package().join("tests/fixtures/distill").join(name);
    for part in ["datasets", "probs"] {
        for file in names_in(&fixture.join(part)) {
            write(&folder.path().join(part).join(&file), read(&fixture.join(part).join(&file)));
        }
    }
    (folder, fixture)
}

fn distill(project: &Path, datasets: &str, more: &[&str]) -> Answer {
    let root = project.to_string_lossy().into_owned();
    let mut arguments = vec!["distill", "--project", &root, "--datasets", datasets, "--quiet"];
    arguments.extend_from_slice(more);
    recmirror(&arguments)
}

fn agrees_with_the_reference(name: &str, datasets: &str, keep: &str) {
    let (folder, fixture) = project(name);
    let metrics = folder.path().join("metrics.jsonl");
    let metrics_out = metrics.to_string_lossy().into_owned();
    let answer =
        distill(folder.path(), datasets, &["--keep", keep, "--name", "x", "--metrics-out", &metrics_out]).expect(0);
    assert!(answer.stdout.contains("pairs kept"));
    let wanted = rows(&fixture.join("expected_metrics.jsonl"));
    let found = rows(&metrics);
    assert_eq!(found.len(), wanted.len());
    for (found, wanted) in found.iter().zip(&wanted) {
        for (key, value) in wanted.as_object().expect("an object") {
            match value.as_f64() {
                Some(number) if value.is_f64() => {
                    let mine = found[key].as_f64().expect("a number");
                    assert!((mine - number).abs() < 1e-9, "{key}: {mine} and not {number} in {wanted}");
                }
                _ => assert_eq!(&found[key], value, "{key} in {wanted}"),
            }
        }
    }
    let wanted = rows(&fixture.join("expected_pairs.jsonl"));
    let found = rows(&folder.path().join("datasets/x_pref.jsonl"));
    assert_eq!(found.len(), wanted.len());
    for (found, wanted) in found.iter().zip(&wanted) {
        for key in ["dataset", "user_id", "item_id", "timestamp", "behavior_chosen", "behavior_rejected"] {
            assert_eq!(found[key], wanted[key], "{key} in {wanted}");
        }
        for (messages, text) in [("messages_chosen", "assistant_chosen"), ("messages_rejected", "assistant_rejected")] {
            let roles: Vec<&Value> =
                found[messages].as_array().expect("messages").iter().map(|of| &of["role"]).collect();
            assert_eq!(roles, ["system", "user", "assistant"]);
            assert_eq!(found[messages][2]["content"], wanted[text]);
        }
    }
}

#[test]
fn one_data_set_gives_what_the_reference_gives() {
    agrees_with_the_reference("small", "ml-1m", "20");
}

#[test]
fn several_data_sets_give_what_the_reference_gives_in_any_order_of_their_names() {
    agrees_with_the_reference("mixed", "ml-1m,MIND,steam", "150");
    agrees_with_the_reference("mixed", "steam,ml-1m,MIND", "150");
}

/// Takes the recorded behaviours out, so that they are drawn.
fn without_behaviors(project: &Path) {
    for name in names_in(&project.join("probs")) {
        let path = project.join("probs").join(name);
        let strip = |mut row: Value| {
            row.as_object_mut().expect("an object").remove("behavior");
            row.to_string() + "\n"
        };
        write(&path, rows(&path).into_iter().map(strip).collect::<String>());
    }
}

#[test]
fn drawn_behaviors_follow_the_seed_and_not_the_threads() {
    let (folder, _) = project("mixed");
    without_behaviors(folder.path());
    let pairs = |seed: &str, threads: &str, rank: &str| {
        let more = ["--keep", "50", "--name", "x", "--seed", seed, "--threads", threads, "--rank", rank];
        distill(folder.path(), "ml-1m,MIND", &more).expect(0);
        read(&folder.path().join("datasets/x_pref.jsonl"))
    };
    for rank in ["gap", "random", "accuracy", "inaccuracy"] {
        assert_eq!(pairs("1", "1", rank), pairs("1", "2", rank), "{rank}");
        assert_ne!(pairs("1", "1", rank), pairs("2", "1", rank), "{rank}");
    }
}

#[test]
fn wrong_files_are_reported_and_nothing_is_written() {
    type Damage = fn(&str) -> String;
    let damages: [(&str, Damage, &str); 5] = [
        (
            "probs/ml-1m_probs_weak.jsonl",
            |text| text.replacen("\"A\"", "\"Z\"", 1),
            "the option label `Z` in `choice` is beyond",
        ),
        (
            "probs/ml-1m_probs_weak.jsonl",
            |text| text.lines().skip(1).collect::<Vec<_>>().join("\n"),
            "are not those of the scene",
        ),
        ("probs/ml-1m_probs_strong.jsonl", |text| text[..text.len() / 2].to_owned(), "not a valid record"),
        ("probs/ml-1m_probs_strong.jsonl", |_| String::new(), "the file ends before the scenes do, at record 0"),
        (
            "datasets/ml-1m_train.jsonl",
            |text| text.replacen("\"item_pos\": ", "\"item_pos\": 9", 1),
            "is beyond the list of",
        ),
    ];
    for (file, damage, expected) in damages {
        let (folder, _) = project("small");
        let path = folder.path().join(file);
        write(&path, damage(&read(&path)));
        let answer = distill(folder.path(), "ml-1m", &["--name", "x"]).expect(2);
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        answer.says(&[expected, &name]);
        assert_eq!(names_in(&folder.path().join("datasets")), ["ml-1m_train.jsonl"]);
    }
}

#[test]
fn missing_files_and_wrong_names_are_reported() {
    let (folder, _) = project("small");
    for (datasets, more, expected) in [
        ("ml-1m,steam", &[][..], "steam_train.jsonl does not exist; `recmirror scenes` makes it"),
        ("ml-1m,ml-1m", &[], "--datasets names `ml-1m` twice"),
        ("../ml-1m", &[], "`../ml-1m` is not a valid name of a data set"),
        ("ml-1m", &["--rank", "ifd"], "ml-1m_ifd.jsonl does not exist; `recmirror judge --ifd` makes it"),
        ("ml-1m", &["--prompts", "nowhere.toml"], "cannot read the prompts nowhere.toml"),
    ] {
        distill(folder.path(), datasets, more).expect(2).says(&[expected]);
    }
}

#[test]
fn a_dry_run_counts_and_writes_nothing() {
    let (folder, _) = project("small");
    let answer = distill(folder.path(), "ml-1m", &["--keep", "20", "--name", "x", "--dry-run"]).expect(0);
    assert!(answer.stdout.starts_with("would write") && answer.stdout.contains("20 pairs kept"), "{}", answer.stdout);
    assert_eq!(names_in(&folder.path().join("datasets")), ["ml-1m_train.jsonl"]);
}
