//! The policy `external`: the example runs, and a program that misbehaves costs its own run alone.
//!
//! The programs are Python; where there is none, nothing is tested here.

use crate::util::{
    csv_rows, digests_of, manifest, package, read, recmirror, recmirror_with, scenario_text, text, with_data, write,
};
use recmirror::Registry;
use recmirror::scenario::Scenario;
use std::path::{Path, PathBuf};

fn has_python() -> bool {
    std::process::Command::new("python3").arg("--version").output().is_ok()
}

/// A scenario with `random` and `external`, which runs this program with these keys besides.
fn scenario(folder: &Path, program: &Path, keys: &str) -> PathBuf {
    let command = format!("command = ['python3', '{}']\n{keys}\n", program.display());
    let path = folder.join("small.toml");
    write(&path, scenario_text(&["random"]) + "\n[[policy]]\nkind = 'external'\n" + &command);
    path
}

#[test]
fn the_example_runs_and_repeats() {
    if !has_python() {
        return;
    }
    let folder = with_data();
    let path = scenario(folder.path(), &package().join("examples/external_policy.py"), "");
    let run = |name: &str, threads: &str| {
        let out = folder.path().join(name);
        recmirror(&["run", "--allow-external", text(&path), "--out", text(&out), "--threads", threads]).expect(0);
        out
    };
    let (one, two) = (run("one", "1"), run("two", "2"));
    assert_eq!(digests_of(&one), digests_of(&two));
    assert_eq!(manifest(&one).trials.iter().map(|trial| trial.short_slates).sum::<u64>(), 0);
    recmirror(&["replay", "--allow-external", text(&one)]).expect(0);
}

#[test]
fn the_example_that_wraps_a_library_runs_and_repeats() {
    let python = package().join(".recmirror/peers/bin/python");
    if !python.is_file() {
        eprintln!("skipped: no {}; `make peers` makes it", python.display());
        return;
    }
    let folder = with_data();
    let (path, program) = (folder.path().join("small.toml"), package().join("examples/external_implicit.py"));
    let command = format!("command = ['{}', '{}']", python.display(), program.display());
    let external = format!("\n[[policy]]\nkind = 'external'\nname = 'implicit'\n{command}\n");
    write(&path, scenario_text(&["random"]) + &external);
    let run = |name: &str, threads: &str| {
        let out = folder.path().join(name);
        // It trains again at tick 10.
        let arguments =
            ["run", "--allow-external", text(&path), "--out", text(&out), "--threads", threads, "--set", "ticks=12"];
        recmirror(&arguments).expect(0);
        out
    };
    let (one, two) = (run("one", "1"), run("two", "2"));
    assert_eq!(digests_of(&one), digests_of(&two));
    let manifest = manifest(&one);
    assert!(manifest.trials.iter().all(|trial| trial.short_slates == 0 && trial.ticks == 12));
    recmirror(&["replay", "--allow-external", text(&one)]).expect(0);
    let rate = |policy: &str| {
        let rows = csv_rows(&one.join("finals.csv"));
        let of: Vec<f64> = rows
            .iter()
            .filter(|row| row[0] == policy && row[2] == "acceptance_rate")
            .map(|row| row[3].parse().expect("a number"))
            .collect();
        assert_eq!(of.len(), 2, "{rows:?}");
        of.iter().sum::<f64>() / 2.0
    };
    assert!(rate("implicit") > rate("random"), "it learned nothing");
}

/// A program that behaves until tick 2 and then does `deed`.
fn rogue(deed: &str) -> String {
    format!(
        "import json, os, sys, time\n\
         for line in sys.stdin:\n\
         \x20   message = json.loads(line)\n\
         \x20   kind, tick = message['type'], message.get('tick', -1)\n\
         \x20   answer = {{'type': {{'start': 'ready', 'observe': 'observed', 'recommend': 'slates'}}[kind]}}\n\
         \x20   if kind == 'recommend':\n\
         \x20       users = message['users']\n\
         \x20       open = [[i for i in range(80) if i not in set(row)] for row in message['blocked']]\n\
         \x20       answer['slates'] = [row[:message['slate']] for row in open]\n\
         \x20       if tick == 2:\n\
         \x20           {deed}\n\
         \x20   print(json.dumps(answer), flush=True)\n"
    )
}

#[test]
fn a_program_that_misbehaves_is_named_and_the_others_are_kept() {
    if !has_python() {
        return;
    }
    let last = "answer['slates'][3]";
    for (deed, words) in [
        ("sys.exit(7)", vec!["tick 2: ", "did not answer `recommend`: it ended with exit status: 7"]),
        ("raise ValueError('no good day')", vec!["tick 2: ", "its last words", "ValueError: no good day"]),
        ("time.sleep(600)", vec!["tick 2: ", "did not answer `recommend` within 0.5 s (key `timeout`)"]),
        ("answer = 5", vec!["tick 2: ", "a line that is not in the protocol", ": 5"]),
        ("answer['slates'].pop()", vec!["tick 2: ", "slates for"]),
        ("answer = {'type': 'ready'}", vec!["tick 2: ", "answered `recommend` with `ready`, not with `slates`"]),
        ("answer = {'type': 'error', 'message': 'no model'}", vec!["tick 2: ", "no model"]),
        (&format!("{last}[1] = {last}[0]"), vec!["tick 2, user ", "for the second time"]),
        (&format!("{last}[0] = -1"), vec!["tick 2, user ", "there is no item -1"]),
        (&format!("{last}[0] = 80"), vec!["tick 2, user ", "the catalogue has 80 items"]),
        (&format!("{last}.append({last}[0])"), vec!["tick 2, user ", "6 items, its slots are 5"]),
        ("answer['scores'] = [[1.0]] * len(users)", vec!["tick 2, user ", "1 numbers for 5 items"]),
        ("answer['scores'] = [[1e39] * 5] * len(users)", vec!["tick 2, user ", "a score is inf"]),
        ("answer['scores'] = [[-1e39] * 5] * len(users)", vec!["tick 2, user ", "a score is -inf"]),
        (
            "answer['scores'] = [[float('nan')] * 5] * len(users)",
            vec!["tick 2: ", "a line that is not in the protocol"],
        ),
        ("answer['propensities'] = [[2.0] * 5] * len(users)", vec!["tick 2, user ", "above 0 and at most 1"]),
    ] {
        let folder = with_data();
        let program = folder.path().join("rogue.py");
        write(&program, rogue(deed));
        let path = scenario(folder.path(), &program, "timeout = 0.5");
        let out = folder.path().join("out");
        let answer = recmirror(&[
            "run",
            "--allow-external",
            text(&path),
            "--out",
            text(&out),
            "--quiet",
            "--set",
            "arrival.probability=1",
        ]);
        let answer = answer.expect(2).says(&["policy `external`, ", "the others are complete"]).says(&words);
        assert!(answer.stdout.contains("random"), "{deed}: {}", answer.stdout);
        let manifest = manifest(&out);
        assert_eq!(manifest.status, "partial", "{deed}");
        assert_eq!(manifest.trials.iter().map(|trial| trial.policy.as_str()).collect::<Vec<_>>(), ["random", "random"]);
        assert_eq!((manifest.failures.len(), manifest.failures[0].replication), (1, 0));
        assert_eq!(crate::util::names_in(&out.join("events")).len(), 2, "{deed}");
        assert!(read(&out.join("report.html")).contains("The policy is left out"), "{deed}");
        recmirror(&["replay", "--allow-external", text(&out), "--logs-only"]).expect(0);
    }
}

/// Returns true if a process of this number runs.
#[cfg(target_os = "linux")]
fn runs(number: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{number}/stat"));
    stat.is_ok_and(|stat| !stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z')))
}

#[test]
#[cfg(target_os = "linux")]
fn programs_that_a_program_started_end_with_it() {
    if !has_python() {
        return;
    }
    for deed in ["time.sleep(600)", "sys.exit(7)", "pass"] {
        let folder = with_data();
        let (program, note) = (folder.path().join("rogue.py"), folder.path().join("started"));
        let start = format!(
            "import subprocess\nstarted = subprocess.Popen(['sleep', '600'])\nopen(r'{}', 'a').write(str(started.pid) + chr(10))",
            note.display()
        );
        write(&program, format!("{start}\n{}", rogue(deed)));
        let path = scenario(folder.path(), &program, "timeout = 0.5");
        let out = folder.path().join("out");
        let run = ["run", text(&path), "--out", text(&out), "--quiet", "--allow-external"];
        recmirror(&run).expect(if deed == "pass" { 0 } else { 2 });
        let started = read(&note);
        assert!(started.lines().count() > 0);
        for number in started.lines() {
            let mut patience = 200;
            while runs(number) && patience > 0 {
                std::thread::sleep(std::time::Duration::from_millis(10));
                patience -= 1;
            }
            assert!(!runs(number), "{deed}: {number} still runs");
        }
    }
}

#[test]
fn slates_that_are_too_short_are_shown_short_and_counted() {
    if !has_python() {
        return;
    }
    let folder = with_data();
    let program = folder.path().join("short.py");
    write(&program, rogue("answer['slates'] = [row[:2] for row in answer['slates']]"));
    let path = scenario(folder.path(), &program, "");
    let out = folder.path().join("out");
    let answer = recmirror(&["run", "--allow-external", text(&path), "--out", text(&out), "--quiet"]).expect(0);
    assert!(answer.stdout.contains("slates had fewer items than slots"), "{}", answer.stdout);
    let short = |policy: &str| {
        let all = manifest(&out).trials;
        all.iter().filter(|trial| trial.policy == policy).map(|trial| trial.short_slates).sum::<u64>()
    };
    assert!(short("external") > 0 && short("random") == 0);
}

#[test]
fn a_program_that_cannot_start_says_where_it_was_looked_for() {
    let folder = with_data();
    let registry = Registry::builtin();
    for (command, words) in
        [("['no-such-program-here']", "cannot start `no-such-program-here` in"), ("['']", "cannot start ``")]
    {
        let scenario = format!("{}\n[[policy]]\nkind = 'external'\ncommand = {command}\n", scenario_text(&[]));
        let scenario = Scenario::parse(&scenario, &folder.path().join("small.toml"), &registry, &[]);
        let experiment = recmirror::experiment::Experiment::prepare(scenario.expect("a scenario"), registry.clone());
        let experiment = experiment.expect("an experiment");
        let stop = std::sync::atomic::AtomicBool::new(false);
        let options = recmirror::experiment::RunOptions {
            events: None,
            progress: &recmirror::experiment::NoProgress,
            stop: &stop,
            stopped: None,
        };
        let problem = experiment.run(&options).err().expect("nothing can run").to_string();
        assert!(problem.contains(words) && problem.contains("see `command` and `folder`"), "{problem}");
    }
}

#[test]
fn a_program_runs_only_where_that_is_asked_for() {
    if !has_python() {
        return;
    }
    let folder = with_data();
    // A program that leaves a trace before it does anything else.
    let (program, trace) = (folder.path().join("trace.py"), folder.path().join("trace"));
    write(&program, format!("open('{}', 'w').close()\n{}", trace.display(), rogue("pass")));
    let path = scenario(folder.path(), &program, "");
    let out = folder.path().join("out");
    let words = ["policy `external` would run the program `python3", "trace.py", "--allow-external"];
    let refuse = |arguments: &[&str]| {
        recmirror(arguments).expect(2).says(&words);
        assert!(!trace.exists(), "it ran: {arguments:?}");
    };
    refuse(&["run", text(&path), "--out", text(&out)]);
    assert!(!out.exists());
    let checked = recmirror(&["scenario", "check", text(&path)]).expect(0).stdout;
    assert!(checked.contains("policy `external` would run the program `python3"), "{checked}");
    assert!(!trace.exists());
    recmirror(&["run", "--allow-external", text(&path), "--out", text(&out)]).expect(0);
    assert!(trace.exists());
    std::fs::remove_file(&trace).expect("removed");
    refuse(&["replay", text(&out)]);
    refuse(&["evaluate", text(&out), "--target", "external", "--from", "random"]);
    refuse(&["compare", text(&out), "--trust"]);
    recmirror(&["replay", text(&out), "--logs-only"]).expect(0);
    recmirror(&["compare", text(&out)]).expect(0);
    assert!(!trace.exists(), "nothing of this simulates");
    let answer = recmirror_with(&[("RECMIRROR_ALLOW_EXTERNAL", "1")], &["replay", text(&out)]);
    answer.expect(0);
    assert!(trace.exists());
    // An inner policy is no way around.
    let inner = "\n[[policy]]\nkind = 'mmr'\ninner = { kind = 'external', command = ['python3', 'x'] }\n";
    write(&path, scenario_text(&["random"]) + inner);
    let answer = recmirror(&["run", text(&path), "--out", text(&folder.path().join("b"))]);
    answer.expect(2).says(&["policy `mmr` would run the program `python3 x`"]);
}
