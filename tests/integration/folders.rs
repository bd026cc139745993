//! Names of folders: claimed at the start, and files of others are never removed.

use crate::util::{Answer, manifest, names_in, read, recmirror, start, text, wait, with_data, write, write_scenario};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

/// A place with data, a scenario, and a name for a run.
fn place() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let folder = with_data();
    let scenario = write_scenario(folder.path(), &["popular", "random"]);
    let out = folder.path().join("out");
    (folder, scenario, out)
}

fn arguments<'a>(scenario: &'a Path, out: &'a Path, more: &[&'a str]) -> Vec<&'a str> {
    [&["run", text(scenario), "--out", text(out), "--quiet"], more].concat()
}

fn run(scenario: &Path, out: &Path, more: &[&str]) -> Answer {
    recmirror(&arguments(scenario, out, more))
}

/// Starts a run that is at work for a while, and waits until it has begun its logs.
fn working(scenario: &Path, out: &Path, more: &[&str]) -> Child {
    let mut child = start(&[], &arguments(scenario, out, &[more, &["--set", "ticks=400"]].concat()));
    let name = out.file_name().expect("a name").to_string_lossy().into_owned();
    let events = out.with_file_name(format!(".{name}.partial-{}-0", child.id())).join("events");
    while !events.is_dir() || names_in(&events).is_empty() {
        assert!(child.try_wait().expect("a process").is_none(), "it was over too soon");
        std::thread::sleep(Duration::from_millis(1));
    }
    child
}

#[test]
fn files_at_the_place_of_a_run_stay() {
    let (folder, scenario, out) = place();
    let child = working(&scenario, &out, &[]);
    assert!(std::fs::create_dir(&out).is_err(), "the name is held from the start");
    write(&out.join("thesis.txt"), "years");
    let answer = wait(child).expect(2);
    answer.says(&["was filled by somebody else meanwhile (thesis.txt)", "out-2"]);
    assert_eq!((names_in(&out), read(&out.join("thesis.txt"))), (vec!["thesis.txt".to_owned()], "years".to_owned()));
    let kept = folder.path().join("out-2");
    assert_eq!(manifest(&kept).status, "complete");
    recmirror(&["replay", text(&kept), "--logs-only"]).expect(0);
    assert_eq!(names_in(folder.path()), ["data", "out", "out-2", "small.toml"]);
}

#[test]
fn two_runs_cannot_have_one_name() {
    let (folder, scenario, out) = place();
    for force in [&[][..], &["--force"]] {
        let child = working(&scenario, &out, force);
        let process = format!("is being written by another process ({})", child.id());
        run(&scenario, &out, force).expect(2).says(&[&process]);
        run(&scenario, &out, &["--force"]).expect(2).says(&[&process]);
        wait(child).expect(0);
        assert_eq!(manifest(&out).trials[0].ticks, 400, "the run that was first");
        assert_eq!(names_in(folder.path()), ["data", "out", "small.toml"]);
    }
}

#[test]
fn a_run_is_replaced_only_where_all_files_are_its_own() {
    let (_folder, scenario, out) = place();
    run(&scenario, &out, &[]).expect(0);
    let files = names_in(&out);
    write(&out.join("events/notes.md"), "mine");
    run(&scenario, &out, &["--force"]).expect(2).says(&["it holds events/notes.md,", "move that file away"]);
    std::fs::remove_file(out.join("events/notes.md")).expect("removed");
    run(&scenario, &out, &["--force", "--seed", "9"]).expect(0);
    assert_eq!((names_in(&out), manifest(&out).seed), (files, 9));
    // Files that are put into it while another run is made of it stay, and that run has another name.
    let child = working(&scenario, &out, &["--force", "--seed", "10"]);
    write(&out.join("notes.md"), "mine");
    wait(child).expect(2).says(&["(notes.md)", "out-2"]);
    assert_eq!((read(&out.join("notes.md")), manifest(&out).seed), ("mine".to_owned(), 9));
    assert_eq!(manifest(&out.with_file_name("out-2")).seed, 10);
}

#[test]
#[cfg(unix)]
fn links_and_the_current_folder_are_refused_at_the_start() {
    let (folder, scenario, out) = place();
    let real = folder.path().join("real");
    std::fs::create_dir(&real).expect("a folder");
    std::os::unix::fs::symlink(&real, &out).expect("a link");
    let wrong = ["--set", "data.path=/nowhere"];
    run(&scenario, &out, &wrong).expect(2).says(&["is a symbolic link to", "name the folder itself"]);
    for here in [".", "..", "./"] {
        // The binary is started in the folder of the package.
        let answer = run(&scenario, Path::new(here), &[&wrong[..], &["--force"]].concat());
        answer.expect(2).says(&["is the current folder or holds it"]);
    }
    assert_eq!(names_in(folder.path()), ["data", "out", "real", "small.toml"]);
    assert!(names_in(&real).is_empty());
}

#[test]
fn a_wrong_name_is_reported_before_anything_is_computed() {
    let (folder, scenario, out) = place();
    write(&out.join("thesis.txt"), "years");
    let data = folder.path().join("nowhere");
    // Each would fail for its missing data later.
    run(&scenario, &out, &["--set", "data.path=/nowhere"]).expect(2).says(&["exists already"]);
    recmirror(&["tensors", "--data", text(&data), "--out", text(&out)]).expect(2).says(&["exists already"]);
    recmirror(&["fit", text(&data), "--out", text(&out)]).expect(2).says(&["exists already"]);
    let scenes = folder.path().join("scenes.jsonl");
    let align = ["align", "parametric", text(&scenes), "--data", text(&data), "--out", text(&out)];
    recmirror(&align).expect(2).says(&["exists already"]);
    recmirror(&[&align[..], &["--force"]].concat()).expect(2).says(&["is not the folder of `align --out`"]);
    assert_eq!((names_in(&out), names_in(folder.path()).len()), (vec!["thesis.txt".to_owned()], 3));
    // A command that fails leaves nothing of the name that it claimed.
    let other = folder.path().join("other");
    recmirror(&["tensors", "--data", text(&data), "--out", text(&other)]).expect(2).says(&["nowhere"]);
    recmirror(&[&align[..6], &[text(&other.join("deep/out"))]].concat()).expect(2);
    assert_eq!(names_in(folder.path()).len(), 3);
}

#[test]
fn leftovers_of_killed_processes_are_cleaned() {
    let (folder, _, out) = place();
    let left = folder.path().join(".out.partial-1-0");
    write(&left.join("meta.json"), "{");
    write(&folder.path().join(".out.lock"), "1");
    let data = folder.path().join("data");
    recmirror(&["tensors", "--data", text(&data), "--out", text(&out)]).expect(0);
    assert_eq!(names_in(folder.path()), ["data", "out", "small.toml"]);
    let table = folder.path().join("table.csv");
    write(&folder.path().join(".table.csv.partial-abc"), "half");
    let (scenario, run_of) = (folder.path().join("small.toml"), folder.path().join("run"));
    run(&scenario, &run_of, &[]).expect(0);
    recmirror(&["compare", text(&run_of), "--out", text(&table)]).expect(0);
    assert_eq!(names_in(folder.path()), ["data", "out", "run", "small.toml", "table.csv"]);
}
