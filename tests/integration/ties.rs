//! Files of a run that are not the run's own are refused by every command that reads them.

use crate::util::{manifest, read, recmirror, start, text, with_data, write, write_scenario};
use recmirror::files::FileRecord;
use std::path::{Path, PathBuf};

/// A finished run of `popular` and `random`.
fn finished() -> (tempfile::TempDir, PathBuf) {
    let folder = with_data();
    let scenario = write_scenario(folder.path(), &["popular", "random"]);
    let out = folder.path().join("out");
    recmirror(&["run", text(&scenario), "--out", text(&out), "--quiet"]).expect(0);
    (folder, out)
}

/// Lists a file in its current state: an attacker who exchanges a file may change the list, too.
fn list_anew(out: &Path, name: &str) {
    let mut manifest = manifest(out);
    let record = manifest.files.iter_mut().find(|file| file.path == name).expect("a listed file");
    *record = FileRecord::of(out, Path::new(name)).expect("a file");
    write(&out.join("manifest.json"), manifest.to_json());
}

fn logs(out: &Path) -> Vec<String> {
    manifest(out).trials.into_iter().map(|trial| trial.events.expect("a log")).collect()
}

#[test]
fn the_manifest_lists_every_file() {
    let (_folder, out) = finished();
    let listed: Vec<String> = manifest(&out).files.into_iter().map(|file| file.path).collect();
    for name in ["events/00-popular-r000.parquet", "finals.csv", "report.html", "tables/finals.parquet", "users.csv"] {
        assert!(listed.iter().any(|file| file == name), "{name} in {listed:?}");
    }
    assert_eq!(FileRecord::all(&out, &["manifest.json"], &[]).expect("files"), manifest(&out).files);
}

#[test]
fn the_log_of_another_trial_is_refused() {
    let (_folder, out) = finished();
    let logs = logs(&out);
    let (popular, random) = (&logs[0], &logs[2]);
    let story = ["story", text(&out), "--user", "3", "--policy", "popular"];
    let evaluate = ["evaluate", text(&out), "--target", "popular", "--from", "random", "--quiet", "--resamples", "10"];
    recmirror(&story).expect(0);
    recmirror(&evaluate).expect(0);
    let own = std::fs::read(out.join(popular)).expect("a log");
    for other in [random, &logs[1]] {
        std::fs::copy(out.join(other), out.join(popular)).expect("copied");
        for command in [&story[..], &evaluate] {
            recmirror(command).expect(2).says(&[popular, "it is not the file that the list of its folder names"]);
        }
        list_anew(&out, popular);
        let trial = if other == random { "`random`, replication 0" } else { "`popular`, replication 1" };
        let expected =
            format!("it is the log of policy {trial}, seed 5, not of policy `popular`, replication 0, seed 5");
        for command in [&story[..], &evaluate] {
            recmirror(command).expect(2).says(&[popular, &expected]);
        }
        recmirror(&["replay", text(&out), "--logs-only"]).expect(3).says(&["1 differences", &expected]);
    }
    write(&out.join(popular), own);
    list_anew(&out, popular);
    recmirror(&["replay", text(&out)]).expect(0);
}

#[test]
fn changed_tables_are_refused() {
    let (folder, out) = finished();
    let change = |name: &str| {
        let path = out.join(name);
        let before = read(&path);
        write(&path, before.replacen('1', "2", 1));
        (path, before)
    };
    let expect = |name: &str, command: &[&str]| {
        let (path, before) = change(name);
        recmirror(command).expect(2).says(&[name, "it is not the file that the list of its folder names"]);
        recmirror(&["replay", text(&out), "--logs-only"]).expect(3).says(&[name]);
        write(&path, before);
        recmirror(command).expect(0);
    };
    expect("finals.csv", &["compare", text(&out)]);
    expect("users.csv", &["story", text(&out), "--user", "3"]);
    expect("items.csv", &["story", text(&out), "--user", "3"]);
    // A file that the list does not name is nobody's.
    let mut fewer = manifest(&out);
    fewer.files.retain(|file| file.path != "finals.csv");
    write(&out.join("manifest.json"), fewer.to_json());
    recmirror(&["compare", text(&out)]).expect(2).says(&["finals.csv", "does not list it"]);
    // A trial twice would count a replication twice.
    let mut twice = manifest(&out);
    twice.trials[1].replication = 0;
    write(&out.join("manifest.json"), twice.to_json());
    for command in ["compare", "replay", "resume"] {
        recmirror(&[command, text(&out)]).expect(2).says(&["replication 0 of policy `popular` occurs twice"]);
    }
    drop(folder);
}

#[test]
fn a_changed_journal_is_refused() {
    let folder = with_data();
    let scenario = write_scenario(folder.path(), &["popular", "random"]);
    let run = folder.path().join("run");
    let settings = ["--set", "ticks=300", "--replications", "3", "--threads", "1", "--quiet"];
    let mut child = start(&[], &[&["run", text(&scenario), "--out", text(&run)], &settings[..]].concat());
    let left = folder.path().join(format!(".run.partial-{}-0", child.id()));
    let journal = left.join("trials.jsonl");
    while std::fs::read_to_string(&journal).map_or(0, |text| text.lines().count()) < 2 {
        assert!(child.try_wait().expect("a process").is_none(), "it was over before it could be killed");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    child.kill().expect("a process");
    child.wait().expect("a process");
    let whole = read(&journal);
    let refused = |then: &str, now: &str, words: &[&str]| {
        assert!(whole.contains(then), "{then} in {whole}");
        write(&journal, whole.replacen(then, now, 1));
        recmirror(&["resume", text(&run), "--quiet"]).expect(2).says(words);
        write(&journal, &whole);
    };
    let line = ["trials.jsonl:1: ", "`check` does not fit", "run the scenario again"];
    refused("\"replication\":0", "\"replication\":2", &line);
    refused("\"seed\":5", "\"seed\":6", &line);
    refused("\"policy\":\"popular\"", "\"policy\":\"random\"", &line);
    let first = whole.lines().next().expect("a line");
    refused(first, &format!("{first}\n{first}"), &["trials.jsonl:2: ", "occurs twice"]);
    // The logs of two trials change places: both rows are as they were written.
    let trial = |line: &str| -> serde_json::Value { serde_json::from_str(line).expect("JSON") };
    let paths: Vec<PathBuf> =
        whole.lines().take(2).map(|line| left.join(trial(line)["trial"]["events"].as_str().expect("a log"))).collect();
    let bytes = std::fs::read(&paths[0]).expect("a log");
    std::fs::copy(&paths[1], &paths[0]).expect("copied");
    recmirror(&["resume", text(&run), "--quiet"]).expect(2).says(&["it is not the file that the list"]);
    write(&paths[0], bytes);
    // Half a line is no trial, and is reported.
    write(&journal, format!("{whole}{}\n", &first[..first.len() / 2]));
    recmirror(&["resume", text(&run), "--quiet"]).expect(0).says(&["1 lines of trials.jsonl are cut off"]);
    recmirror(&["replay", text(&run), "--quiet"]).expect(0);
}
