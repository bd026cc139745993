//! A stopped and resumed run equals the uninterrupted one, bit for bit.

use crate::dynamics::{policies, prepare, tables};
use crate::util::{digests_of, manifest, names_in, read, recmirror, start, text, with_data, write, write_scenario};
use recmirror::experiment::{Experiment, Manifest, Outcome, Progress, RunOptions, Stopped, TickDone};
use recmirror::files::FileRecord;
use recmirror::log::{EventSink, NoSink, ParquetWriter, Recording, TrialName};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Stops a run after some ticks of all trials.
struct StopAfter<'a> {
    left: AtomicU64,
    stop: &'a AtomicBool,
}

impl Progress for StopAfter<'_> {
    fn tick(&self, _: &TickDone<'_>) {
        if self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.stop.store(true, Ordering::Relaxed);
        }
    }
}

/// Runs an experiment into the folder `out` until this many ticks of all trials are computed, from where the run in `from`
/// was stopped; writes events and manifest only.
pub fn stopped_after(ticks: u64, threads: usize, experiment: &Experiment, out: &Path, from: Option<&Path>) -> Outcome {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a thread pool");
    let stop = AtomicBool::new(ticks == 0);
    let progress = StopAfter { left: AtomicU64::new(ticks), stop: &stop };
    let earlier = from.map(manifest);
    let stopped = from.zip(earlier.as_ref()).map(|(folder, earlier)| Stopped {
        folder,
        trials: &earlier.trials,
        files: &earlier.files,
    });
    let events = out.join("events");
    std::fs::create_dir_all(&events).expect("a folder");
    let options = RunOptions { events: Some(&events), progress: &progress, stop: &stop, stopped };
    let outcome = pool.install(|| experiment.run(&options)).unwrap_or_else(|problem| panic!("{problem}"));
    let mut manifest = Manifest::new(experiment, &outcome);
    manifest.files = FileRecord::all(out, &["manifest.json"], &[]).expect("files");
    write(&out.join("manifest.json"), manifest.to_json());
    outcome
}

/// All that follows from the events of a trial.
pub fn trial_results(outcome: &Outcome) -> Vec<String> {
    let trial = |((trial, ticks), file)| {
        let trial: &recmirror::experiment::TrialResult = trial;
        let numbers = format!("{:?} {:?} {:?} {:?}", trial.ticks, trial.finals, trial.curves, trial.short);
        format!("{} {} {} {} {ticks} {file:?} {numbers}", trial.policy, trial.replication, trial.digest, trial.steps)
    };
    outcome.trials.iter().zip(&outcome.ticks).zip(&outcome.files).map(trial).collect()
}

#[test]
fn every_policy_and_dynamic_continues_from_any_tick() {
    let folder = with_data();
    let experiment = prepare(folder.path(), &policies(), &tables(0.1), &[]);
    let run = |name: &str| folder.path().join(name);
    let whole = stopped_after(u64::MAX, 2, &experiment, &run("whole"), None);
    let all = whole.ticks.iter().map(|&ticks| u64::from(ticks)).sum::<u64>();
    for (ticks, threads) in [(1, 1), (all / 3, 2), (all - 1, 1)] {
        let (half, joined) = (run(&format!("half-{ticks}")), run(&format!("joined-{ticks}")));
        let stopped = stopped_after(ticks, threads, &experiment, &half, None);
        assert!(stopped.interrupted);
        // Of two threads, one may end its trial while the other sees that it is to stop.
        assert!(threads == 2 || stopped.ticks.iter().any(|&ticks| (1..14).contains(&ticks)), "{:?}", stopped.ticks);
        let outcome = stopped_after(u64::MAX, 3 - threads, &experiment, &joined, Some(&half));
        assert!(!outcome.interrupted);
        assert_eq!(trial_results(&outcome), trial_results(&whole), "stopped after {ticks} of {all} ticks");
        for file in names_in(&run("whole/events")) {
            let bytes = |run: &Path| std::fs::read(run.join("events").join(&file)).expect("a log");
            assert!(bytes(&joined) == bytes(&run("whole")), "{file}");
        }
    }
}

#[test]
fn a_run_that_is_stopped_again_loses_nothing() {
    let folder = with_data();
    let experiment = prepare(folder.path(), &["popular", "random", "ials"], &tables(0.1), &[]);
    let run = |name: &str| folder.path().join(name);
    let whole = stopped_after(u64::MAX, 2, &experiment, &run("whole"), None);
    let first = stopped_after(30, 2, &experiment, &run("first"), None);
    // Once before a trial has begun, once while the log is played back.
    for (number, ticks) in [(0, 0), (1, 3)] {
        let name = format!("second-{number}");
        let second = stopped_after(ticks, 2, &experiment, &run(&name), Some(&run("first")));
        assert!(second.interrupted);
        let reached = |outcome: &Outcome| -> Vec<(String, u32, u32)> {
            let trials = outcome.trials.iter().zip(&outcome.ticks);
            trials.map(|(trial, &ticks)| (trial.policy.clone(), trial.replication, ticks)).collect()
        };
        for trial in reached(&first) {
            let mut again = reached(&second).into_iter().filter(|now| (&now.0, now.1) == (&trial.0, trial.1));
            assert!(again.next().is_some_and(|now| now.2 >= trial.2), "{trial:?}");
        }
        let third = stopped_after(u64::MAX, 2, &experiment, &run(&format!("third-{number}")), Some(&run(&name)));
        assert_eq!(trial_results(&third), trial_results(&whole));
    }
}

/// The folder of a run of `popular` and `random` that was stopped, and its scenario.
fn stopped(folder: &Path, settings: &[&str]) -> (PathBuf, PathBuf) {
    let (scenario, out) = (write_scenario(folder, &["popular", "random"]), folder.join("run"));
    let experiment: Experiment = crate::util::prepare(folder, &["popular", "random"], settings);
    stopped_after(8, 1, &experiment, &out, None);
    (scenario, out)
}

#[test]
fn the_resumed_command_gives_the_uninterrupted_result() {
    let folder = with_data();
    let (scenario, out) = stopped(folder.path(), &[]);
    let whole = folder.path().join("whole");
    let answer = recmirror(&["run", text(&scenario), "--out", text(&whole), "--quiet"]).expect(0);
    let again = recmirror(&["resume", text(&out), "--quiet"]).expect(0);
    assert_eq!(again.stdout.replace(text(&out), "DIR"), answer.stdout.replace(text(&whole), "DIR"));
    assert_eq!(digests_of(&out), digests_of(&whole));
    assert_eq!((names_in(&out), manifest(&out).status.as_str()), (names_in(&whole), "complete"));
    for table in ["ticks", "series", "finals", "summary", "compare", "pairs", "curves", "items", "users"] {
        let table = &format!("{table}.csv");
        assert_eq!(read(&out.join(table)), read(&whole.join(table)), "{table}");
    }
    recmirror(&["replay", text(&out), "--quiet"]).expect(0);
    recmirror(&["resume", text(&out)]).expect(2).says(&["was not interrupted (its status is complete)"]);
}

#[test]
fn a_stopping_rule_continues_too() {
    let folder = with_data();
    let scenario = write_scenario(folder.path(), &["popular", "random"]);
    let (whole, out) = (folder.path().join("whole"), folder.path().join("run"));
    let rule = ["--until", "acceptance_rate ci<4%", "--replications", "40", "--quiet"];
    let answer = recmirror(&[&["run", text(&scenario), "--out", text(&whole)], &rule[..]].concat()).expect(0);
    let ran = manifest(&whole).until.expect("a rule").ran;
    assert!((4..40).contains(&ran), "{ran}: {}", answer.stdout);
    // The state when it is stopped in its third replication.
    let experiment = crate::util::prepare(folder.path(), &["popular", "random"], &["replications=3"]);
    stopped_after(31, 1, &experiment, &out, None);
    let mut record: Manifest = manifest(&out);
    let mut until = manifest(&whole).until.expect("a rule");
    (until.met, until.ran, until.reason) = (false, 3, "interrupted".to_owned());
    record.until = Some(until);
    write(&out.join("manifest.json"), record.to_json());
    let again = recmirror(&["resume", text(&out), "--quiet"]).expect(0);
    assert_eq!(again.stdout.replace(text(&out), "DIR"), answer.stdout.replace(text(&whole), "DIR"));
    assert_eq!(manifest(&out).until, manifest(&whole).until);
}

#[test]
fn files_of_another_run_are_refused_and_kept() {
    let folder = with_data();
    let (_, out) = stopped(folder.path(), &[]);
    let before = digests_of(&out);
    let log = out.join(manifest(&out).trials[0].events.as_deref().expect("a log"));
    let resume = |words: &[&str]| {
        recmirror(&["resume", text(&out), "--quiet"]).expect(2).says(words);
        assert_eq!((digests_of(&out), manifest(&out).status.as_str()), (before.clone(), "interrupted"));
        assert_eq!(names_in(folder.path()).iter().filter(|name| name.contains("partial")).count(), 0);
    };
    let manifest_text = read(&out.join("manifest.json"));
    let seed = manifest_text.replace("seed = 5", "seed = 6");
    write(&out.join("manifest.json"), &seed);
    resume(&["the run has the seed 5, its scenario 6"]);
    write(&out.join("manifest.json"), seed.replace("\"seed\": 5", "\"seed\": 6"));
    resume(&["the acceptance level is not the one of the run", "a run resumes with its own inputs only"]);
    // The manifest is JSON, the scenario in it TOML: a line of it ends in `\\n`.
    let patience = |value: u32| format!("patience = {value}\\n");
    assert!(manifest_text.contains(&patience(3)));
    write(&out.join("manifest.json"), manifest_text.replace(&patience(3), &patience(1)));
    resume(&["policy `", "the stored log has other visitors", "run the scenario again"]);
    write(&out.join("manifest.json"), &manifest_text);
    let bytes = std::fs::read(&log).expect("a log");
    write(&log, &bytes[..bytes.len() / 2]);
    resume(&["00-popular-r000.parquet"]);
    std::fs::remove_file(&log).expect("removed");
    resume(&["00-popular-r000.parquet", "restore what is missing or damaged, or run the scenario again"]);
    // The log of another policy is whole and readable, and not this one's.
    let other = manifest(&out).trials.into_iter().find(|trial| trial.policy == "random").and_then(|trial| trial.events);
    std::fs::copy(out.join(other.expect("a log")), &log).expect("copied");
    resume(&["00-popular-r000.parquet", "it is not the file that"]);
    write(&log, &bytes);
    let data = folder.path().join("data/small.inter");
    let rows = read(&data);
    write(&data, format!("{rows}1\t80\t5\t1\n"));
    resume(&["the data set is not the one of the run", "a run resumes with its own inputs only"]);
    write(&data, rows);
    let ticks = manifest_text.replacen("\"ticks\": ", "\"ticks\": 9", 1);
    write(&out.join("manifest.json"), ticks);
    recmirror(&["resume", text(&out), "--quiet"]).expect(2).says(&["manifest.json: `popular` has 9", "ticks of 6"]);
    // Another version may give other last bits: that is said, and no more.
    let version = format!("\"recmirror\": \"{}\"", env!("CARGO_PKG_VERSION"));
    assert!(manifest_text.contains(&version));
    write(&out.join("manifest.json"), manifest_text.replace(&version, "\"recmirror\": \"0.0.1\""));
    recmirror(&["resume", text(&out), "--quiet"]).expect(0).says(&["note: recmirror was 0.0.1 and is "]);
}

#[test]
fn without_logs_there_is_nothing_to_resume() {
    let folder = with_data();
    let (_, out) = stopped(folder.path(), &[]);
    let mut record = manifest(&out);
    record.trials.iter_mut().for_each(|trial| trial.events = None);
    write(&out.join("manifest.json"), record.to_json());
    recmirror(&["resume", text(&out)]).expect(2).says(&["has no logs to resume from", "run the scenario again"]);
    recmirror(&["resume", text(folder.path())]).expect(2).says(&["manifest.json", "is this the folder of a run?"]);
}

#[test]
fn users_answer_from_the_log_to_its_end() {
    let folder = with_data();
    let experiment = crate::util::prepare(folder.path(), &["popular"], &["arrival.probability=1"]);
    let population = experiment.population(0).expect("users");
    let start = || {
        let spec = &experiment.scenario.policies[0];
        experiment.trial(spec, 0, &population, NoSink).expect("a simulation")
    };
    let mut first = start();
    first.tick().expect("a tick");
    // No user model would say so: everybody takes what is in the last slot, for sure.
    let mut batch = first.events().clone();
    for row in batch.probabilities.chunks_mut(batch.slate) {
        row.fill(0.0);
        row[4] = 1.0;
    }
    batch.accepted.fill(4);
    batch.ratings.fill(2.0);
    let log = folder.path().join("log.parquet");
    let trial = TrialName { policy: "popular".to_owned(), replication: 0, seed: 5 };
    let mut writer = ParquetWriter::create(&log, &trial, batch.slate).expect("a log");
    writer.write(&batch).and_then(|()| writer.finish()).expect("written");
    let mut again = start();
    again.recall(Recording::open(&log, &trial, None, 1).expect("a recording"));
    again.tick().expect("a tick");
    assert!(!batch.is_empty() && again.events().probabilities == batch.probabilities);
    assert_eq!((&again.events().accepted, &again.events().ratings), (&batch.accepted, &batch.ratings));
    again.tick().expect("a tick");
    assert!(again.events().probabilities.iter().all(|&share| share < 1.0), "the model is asked again");
}

#[test]
fn a_run_whose_process_was_killed_resumes() {
    let folder = with_data();
    let scenario = write_scenario(folder.path(), &["popular", "random", "item_knn"]);
    let (whole, run) = (folder.path().join("whole"), folder.path().join("run"));
    let arguments = |out| ["run", text(&scenario), "--out", out, "--quiet", "--threads", "1", "--set", "ticks=300"];
    recmirror(&arguments(text(&whole))).expect(0);
    let mut child = start(&[], &arguments(text(&run)));
    let left = folder.path().join(format!(".run.partial-{}-0", child.id()));
    let lines = || std::fs::read_to_string(left.join("trials.jsonl")).map_or(0, |text| text.lines().count());
    while lines() < 2 {
        assert!(child.try_wait().expect("a process").is_none(), "it was over before it could be killed");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    recmirror(&["resume", text(&run)]).expect(2).says(&["is in use by a running process"]);
    child.kill().expect("a process");
    child.wait().expect("a process");
    assert!(names_in(&run).is_empty() && left.exists(), "the name is held, and the trials are kept");
    let trials = lines();
    // A second one that was killed at once: it has nothing, and both are reported.
    let other = folder.path().join(".run.partial-1-0");
    std::fs::create_dir(&other).expect("a folder");
    for name in ["manifest.json", "trials.jsonl"] {
        write(&other.join(name), if name == "trials.jsonl" { String::new() } else { read(&left.join(name)) });
    }
    let expected = format!("run.partial-{}-0 ({trials} completed trials)", child.id());
    recmirror(&["resume", text(&run)]).expect(2).says(&[
        "was killed or failed more than once",
        &expected,
        "partial-1-0 (0 completed trials)",
    ]);
    recmirror(&["resume", text(&other)]).expect(2).says(&["no logs to resume from", "before a trial was"]);
    // A run that has the name stays; what is left beside it is reported.
    let again = recmirror(&["run", text(&scenario), "--out", text(&run), "--quiet"]).expect(0);
    again.says(&["note: ", &format!("`recmirror resume {}` continues it", left.display())]);
    assert!(!other.exists(), "nobody could resume it");
    recmirror(&["resume", text(&left)]).expect(2).says(&["exists already; move it away to resume"]);
    recmirror(&["resume", text(&run)]).expect(2).says(&["note: ", "that was killed or failed", "was not interrupted"]);
    std::fs::remove_dir_all(&run).expect("a folder");
    // A log may be gone, as those of a policy are that failed later: its trial is run again.
    let noted = read(&left.join("trials.jsonl"));
    let first: serde_json::Value = serde_json::from_str(noted.lines().next().expect("a trial")).expect("JSON");
    std::fs::remove_file(left.join(first["trial"]["events"].as_str().expect("a log"))).expect("removed");
    // It may have been killed after its last tick.
    write(&left.join("manifest.json"), read(&left.join("manifest.json")).replace("\"interrupted\"", "\"complete\""));
    recmirror(&["resume", text(&left), "--quiet"]).expect(0);
    assert_eq!(digests_of(&run), digests_of(&whole));
    assert_eq!(manifest(&run).status, "complete");
    assert_eq!(names_in(&run), names_in(&whole));
    assert!(!left.exists(), "all that it had is in the run");
}

/// Runs with a limit of 40,960 bytes a file: the logs have less, and the report has more. Returns the message, and the folder to
/// resume.
#[cfg(unix)]
fn fails_for_want_of_room(arguments: &[&str]) -> (String, String) {
    let limited = "trap '' XFSZ; ulimit -f 80; exec \"$@\"";
    let command = ["-c", limited, "sh", env!("CARGO_BIN_EXE_recmirror"), "run"];
    let out = std::process::Command::new("sh").args(command).args(arguments).output().expect("a shell");
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(2), "{said}");
    assert!(said.contains("report.html") && said.contains("the completed trials are kept"), "{said}");
    let left = said.split('`').nth(1).and_then(|command| command.strip_prefix("recmirror resume ")).expect("a command");
    let left = left.to_owned();
    (said, left)
}

#[test]
#[cfg(unix)]
fn leftovers_of_a_full_disk_resume() {
    let folder = with_data();
    let scenario = write_scenario(folder.path(), &["popular", "random"]);
    let (whole, run) = (folder.path().join("whole"), folder.path().join("run"));
    recmirror(&["run", text(&scenario), "--out", text(&whole), "--quiet"]).expect(0);
    let (said, left) = fails_for_want_of_room(&[text(&scenario), "--out", text(&run), "--quiet"]);
    assert!(!run.exists() && !said.contains("moved away"), "{said}");
    recmirror(&["resume", &left, "--quiet"]).expect(0);
    assert_eq!((digests_of(&run), names_in(&run)), (digests_of(&whole), names_in(&whole)));
    assert!(names_in(folder.path()).iter().all(|name| !name.contains("partial")), "nothing is left beside it");
}

#[test]
#[cfg(unix)]
fn a_run_that_was_to_be_replaced_stays_until_it_is_moved_away() {
    let folder = with_data();
    let scenario = write_scenario(folder.path(), &["popular", "random"]);
    let (run, moved) = (folder.path().join("run"), folder.path().join("moved"));
    let arguments = [text(&scenario), "--out", text(&run), "--quiet"];
    recmirror(&[&["run"], &arguments[..]].concat()).expect(0);
    let before = (digests_of(&run), names_in(&run));
    let (said, left) = fails_for_want_of_room(&[&arguments[..], &["--force", "--seed", "9"]].concat());
    assert!(said.contains(&format!("continues from them, once {} is moved away", run.display())), "{said}");
    assert_eq!((digests_of(&run), names_in(&run)), before);
    recmirror(&["resume", &left, "--quiet"]).expect(2);
    assert_eq!((digests_of(&run), names_in(&run)), before, "what has the name is not replaced");
    std::fs::rename(&run, &moved).unwrap();
    recmirror(&["resume", &left, "--quiet"]).expect(0);
    assert!(digests_of(&run) != before.0 && names_in(&run) == before.1);
}
