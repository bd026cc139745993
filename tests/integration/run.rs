//! `recmirror run` and `replay`: what a run leaves behind, what is refused, what an interruption keeps.

mod replay;
mod rogues;

use crate::util::{
    Answer, Log, csv_rows, digests, digests_of, manifest, names_in, prepare, read, recmirror, run_on, text, with_data,
    write, write_scenario,
};
use recmirror::log::{DigestState, read_batches};
use recmirror::random::{Purpose, Streams, below};
use std::path::{Path, PathBuf};

/// The files of a complete run.
const FILES: [&str; 15] = [
    "compare.csv",
    "curves.csv",
    "events",
    "finals.csv",
    "items.csv",
    "levels.csv",
    "manifest.json",
    "pairs.csv",
    "policies.csv",
    "report.html",
    "series.csv",
    "summary.csv",
    "tables",
    "ticks.csv",
    "users.csv",
];

/// The tables that also are in `tables`, as JSON and Parquet.
const TABLES: [&str; 9] = ["compare", "curves", "finals", "levels", "pairs", "policies", "series", "summary", "ticks"];

/// A data set, a scenario with two policies, and its finished run in `out`.
fn finished(extra: &[&str]) -> (tempfile::TempDir, PathBuf, PathBuf) {
    let folder = with_data();
    let scenario = write_scenario(folder.path(), &["popular", "random"]);
    let out = folder.path().join("out");
    run(&scenario, &out, extra).expect(0);
    (folder, scenario, out)
}

fn run(scenario: &Path, out: &Path, extra: &[&str]) -> Answer {
    recmirror(&[&["run", text(scenario), "--out", text(out)], extra].concat())
}

#[test]
fn a_run_leaves_its_files_and_nothing_else() {
    let (folder, _, out) = finished(&[]);
    assert_eq!(names_in(&out), FILES);
    let events = ["00-popular-r000", "00-popular-r001", "01-random-r000", "01-random-r001"];
    assert_eq!(names_in(&out.join("events")), events.map(|name| format!("{name}.parquet")));
    assert_eq!(names_in(folder.path()), ["data", "out", "small.toml"]);
    let manifest = manifest(&out);
    assert_eq!((manifest.status.as_str(), manifest.seed, manifest.trials.len()), ("complete", 5, 4));
    assert_eq!((manifest.data.users, manifest.data.items, manifest.user.kind.as_str()), (60, 80, "parametric"));
    assert!(manifest.trials.iter().all(|trial| trial.ticks == 6 && trial.user_steps > 0));
    let items = csv_rows(&out.join("items.csv"));
    assert_eq!((items.len(), items[7].as_slice()), (80, &["7", "8", "Café 7", ""].map(str::to_owned)[..]));
    let users = csv_rows(&out.join("users.csv"));
    assert_eq!((users.len(), users[3].as_slice()), (60, &["all", "3", "4"].map(str::to_owned)[..]));
    assert_eq!(csv_rows(&out.join("summary.csv")).len(), 2 * 6);
    assert_eq!(csv_rows(&out.join("compare.csv")).len(), 6);
    assert_eq!(csv_rows(&out.join("pairs.csv")).len(), 6);
    assert_eq!(csv_rows(&out.join("ticks.csv")).len(), 2 * 2 * 6 * 6);
    let both = TABLES.iter().flat_map(|name| ["json", "parquet"].map(|format| format!("{name}.{format}")));
    let mut tables: Vec<String> = both.chain(["items.parquet", "users.parquet"].map(str::to_owned)).collect();
    tables.sort();
    assert_eq!(names_in(&out.join("tables")), tables);
    for name in TABLES {
        let rows: Vec<serde_json::Value> =
            serde_json::from_str(&read(&out.join(format!("tables/{name}.json")))).expect("JSON");
        assert_eq!(rows.len(), csv_rows(&out.join(format!("{name}.csv"))).len(), "{name}");
    }
    assert_eq!(csv_rows(&out.join("series.csv")).len(), 2 * 6 * 6);
    assert_eq!(csv_rows(&out.join("finals.csv")).len(), 2 * 2 * 6);
    assert_eq!(csv_rows(&out.join("curves.csv")).len(), 2 * 101, "the exposure curve of `gini`");
    let html = read(&out.join("report.html"));
    assert!(html.starts_with("<!doctype html>") || html.starts_with("<!DOCTYPE html>"));
    assert!(html.contains("Small") && html.contains(&manifest.digest));
}

#[test]
fn results_go_to_stdout_and_progress_to_stderr() {
    let folder = with_data();
    let scenario = write_scenario(folder.path(), &["popular", "random"]);
    let loud = run(&scenario, &folder.path().join("loud"), &[]).expect(0);
    assert!(loud.stderr.contains("data: nothing to clean up") && loud.stderr.contains("user-steps"), "{loud:?}");
    let quiet = run(&scenario, &folder.path().join("quiet"), &["--quiet"]).expect(0);
    assert_eq!(quiet.stderr, "");
    let digest = format!("digest {}\n", manifest(&folder.path().join("quiet")).digest);
    assert!(quiet.stdout.contains(&digest) && quiet.stdout.contains("popular"), "{}", quiet.stdout);
    let without_path = |answer: &Answer| answer.stdout.lines().filter(|line| !line.starts_with("report ")).count();
    assert_eq!(without_path(&loud), without_path(&quiet));
}

#[test]
fn options_override_the_file() {
    let (folder, scenario, out) = finished(&[]);
    let base = manifest(&out);
    let with = |name: &str, extra: &[&str]| {
        let out = folder.path().join(name);
        run(&scenario, &out, extra).expect(0);
        manifest(&out)
    };
    assert_eq!(with("same", &["--seed", "5"]).digest, base.digest);
    let other = with("other", &["--seed", "6"]);
    assert_eq!(other.seed, 6);
    assert!(base.trials.iter().zip(&other.trials).all(|(left, right)| left.digest != right.digest));
    let more = with("more", &["--replications", "3"]);
    assert_eq!(more.trials.len(), 6);
    assert_eq!(more.trials[0].digest, base.trials[0].digest, "a replication does not depend on their number");
    let short = with("short", &["--set", "ticks=2", "--set", "slate=3", "--set", "policy.random.name=chance"]);
    assert_eq!((short.trials[0].ticks, short.trials[3].policy.as_str()), (2, "chance"));
    let last = with("last", &["--set", "seed=9", "--seed", "5"]);
    assert_eq!(last.digest, base.digest, "--seed counts more than --set");
}

#[test]
fn bad_input_ends_with_code_2_and_leaves_nothing() {
    let folder = with_data();
    let scenario = write_scenario(folder.path(), &["popular", "random"]);
    for (setting, words) in [
        ("data.path=/nowhere", "/nowhere does not exist"),
        ("data.format=grouplens", "u.item"),
        ("slate=81", "has only 80 items"),
        ("population.min_history=500", "the most is"),
        ("user.kind=mirror", "card.toml"),
        ("seed=-1", "--set seed=-1"),
        ("baseline=nobody", "nobody"),
    ] {
        let out = folder.path().join("out");
        run(&scenario, &out, &["--set", setting]).expect(2).says(&["error: ", words]);
        assert_eq!(names_in(folder.path()), ["data", "small.toml"], "{setting}");
    }
    run(&scenario, &folder.path().join("out"), &["--seed", "18446744073709551615"]).expect(2);
    let under_a_file = scenario.join("out");
    run(&scenario, &under_a_file, &[]).expect(2).says(&["cannot write"]);
}

#[test]
fn an_existing_folder_is_refused_and_force_replaces_runs_only() {
    let (folder, scenario, out) = finished(&[]);
    let first = manifest(&out).digest;
    run(&scenario, &out, &["--seed", "8"]).expect(2).says(&["exists already", "--force"]);
    assert_eq!(manifest(&out).digest, first);
    // A failing run leaves the old one alone.
    run(&scenario, &out, &["--force", "--set", "data.path=/nowhere"]).expect(2);
    assert_eq!((manifest(&out).digest, names_in(&out)), (first.clone(), FILES.map(str::to_owned).to_vec()));
    run(&scenario, &out, &["--seed", "8", "--force"]).expect(0);
    assert_ne!(manifest(&out).digest, first);
    assert_eq!(names_in(&out), FILES);
    let precious = folder.path().join("precious");
    write(&precious.join("thesis.txt"), "x");
    run(&scenario, &precious, &["--force"]).expect(2).says(&["is not the folder of a run"]);
    run(&scenario, &precious, &[]).expect(2).says(&["exists already"]);
    run(&scenario, &scenario, &["--force"]).expect(2);
    assert_eq!(names_in(&precious), ["thesis.txt"]);
    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).expect("a folder");
    run(&scenario, &empty, &[]).expect(0);
    assert_eq!(names_in(folder.path()), ["data", "empty", "out", "precious", "small.toml"]);
}

#[test]
fn until_stops_early_and_replays_as_many_replications() {
    let (folder, scenario, plain) = finished(&["--replications", "4"]);
    let until = |name: &str, extra: &[&str]| {
        let out = folder.path().join(name);
        let answer = run(&scenario, &out, &[&["--replications", "9", "--quiet"], extra].concat()).expect(0);
        (answer, manifest(&out), out)
    };
    // A confidence sequence excludes nothing before the fourth replication, and then anything is narrower than this.
    let (answer, stopped, out) = until("wide", &["--until", "acceptance_rate ci<90%"]);
    let record = stopped.until.as_ref().expect("a record");
    assert_eq!((record.rule.as_str(), record.met, record.most, record.ran), ("acceptance_rate ci<90%", true, 9, 4));
    assert_eq!((record.sequences.len(), stopped.status.as_str()), (1, "complete"));
    assert_eq!(stopped.digest, manifest(&plain).digest, "the same four replications");
    assert!(answer.stdout.contains("Ran 4 of at most 9 replications until `acceptance_rate ci<90%`"), "{answer:?}");
    assert!(read(&out.join("report.html")).contains("Ran 4 of at most 9 replications"));
    let replayed = recmirror(&["replay", text(&out), "--quiet"]).expect(0);
    assert!(replayed.stdout.contains("8 trials with equal digests"), "{replayed:?}");
    // Wherever it stops, threads do not matter.
    let (_, one, _) = until("one", &["--until", "ci<12%", "--threads", "1"]);
    let (_, four, _) = until("four", &["--until", "ci<12%", "--threads", "4"]);
    assert_eq!((one.digest, one.until), (four.digest, four.until));
    let (answer, never, _) = until("never", &["--until", "ci<0.000001%"]);
    let record = never.until.expect("a record");
    assert_eq!((record.met, record.ran, never.trials.len()), (false, 9, 18));
    assert!(answer.stdout.contains("the most replications ran"), "{answer:?}");
}

#[test]
fn until_refuses_invalid_rules() {
    let folder = with_data();
    let scenario = write_scenario(folder.path(), &["popular", "random"]);
    for (rule, count, words) in [
        ("narrow", "9", "is not a rule"),
        ("gini ci<1%", "9", "not a share"),
        ("ci<0", "9", "a number above 0"),
        ("nothing ci<1", "9", "not among the scenario's metrics"),
        ("ci<1%", "3", "at least 4 replications"),
    ] {
        let arguments = ["--until", rule, "--replications", count];
        run(&scenario, &folder.path().join("out"), &arguments).expect(2).says(&["error: ", words]);
        assert_eq!(names_in(folder.path()), ["data", "small.toml"], "{rule}");
    }
}

#[test]
fn a_run_without_events_has_equal_digests() {
    let (folder, scenario, out) = finished(&[]);
    let without = folder.path().join("without");
    run(&scenario, &without, &["--set", "engine.events=false"]).expect(0);
    assert_eq!(names_in(&without), FILES.into_iter().filter(|&name| name != "events").collect::<Vec<_>>());
    assert_eq!(digests_of(&without), digests_of(&out));
    assert_eq!(read(&without.join("summary.csv")), read(&out.join("summary.csv")));
    recmirror(&["replay", text(&without)]).expect(0);
    recmirror(&["replay", text(&without), "--logs-only"]).expect(2).says(&["engine.events"]);
}

#[test]
fn stored_events_have_the_digest_of_the_library() {
    let (folder, _, out) = finished(&[]);
    let experiment = prepare(folder.path(), &["popular", "random"], &[]);
    assert_eq!(digests(&run_on(2, &experiment)), digests_of(&out));
    for trial in manifest(&out).trials {
        let (mut digest, mut steps) = (DigestState::default(), 0);
        let each = |batch: &recmirror::log::EventBatch| {
            digest.update(batch);
            steps += batch.len() as u64;
        };
        read_batches(&out.join(trial.events.as_deref().expect("a log")), each).expect("a readable log");
        assert_eq!((digest.finish().to_string(), steps), (trial.digest, trial.user_steps));
    }
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_keeps_what_it_has() {
    use crate::util::{start, wait};
    use std::time::Duration;
    let folder = with_data();
    let scenario = write_scenario(folder.path(), &["popular", "random"]);
    let out = folder.path().join("out");
    let long = ["ticks=100000", "population.users=2000", "candidates.rule=repeats", "replications=3"];
    let settings = long.iter().flat_map(|setting| ["--set", setting]);
    let arguments: Vec<&str> = ["run", text(&scenario), "--out", text(&out)].into_iter().chain(settings).collect();
    let mut child = start(&[], &arguments);
    let events = folder.path().join(format!(".out.partial-{}-0/events", child.id()));
    let started = || events.is_dir() && !names_in(&events).is_empty();
    let mut patience = 6_000;
    while !started() && patience > 0 && child.try_wait().expect("a status").is_none() {
        std::thread::sleep(Duration::from_millis(10));
        patience -= 1;
    }
    std::thread::sleep(Duration::from_millis(300));
    let kill = std::process::Command::new("sh").args(["-c", &format!("kill -INT {}", child.id())]).status();
    assert!(kill.is_ok_and(|status| status.success()), "{:?}", wait(child));
    wait(child).expect(1).says(&[
        "stopping after this tick",
        "interrupted: 0 of 6 trials are complete",
        "`recmirror resume ",
    ]);
    assert_eq!(names_in(&out), ["events", "items.csv", "manifest.json", "tables", "users.csv"]);
    assert_eq!(names_in(folder.path()), ["data", "out", "small.toml"]);
    let manifest = manifest(&out);
    assert_eq!(manifest.status, "interrupted");
    assert!(!manifest.trials.is_empty());
    for trial in &manifest.trials {
        let mut digest = DigestState::default();
        let file = trial.events.as_deref().expect("a log");
        read_batches(&out.join(file), |batch| digest.update(batch)).expect("a readable log");
        assert_eq!(digest.finish().to_string(), trial.digest);
        assert!((1..100_000).contains(&trial.ticks));
    }
    recmirror(&["replay", text(&out), "--logs-only"]).expect(0);
    run(&scenario, &out, &["--force"]).expect(0);
    assert_eq!(names_in(&out), FILES);
}
