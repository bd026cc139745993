//! The command line as users meet it: help, wrong words, and all errors of a file at once.

use crate::util::{names_in, place, recmirror, text, with_data, write, write_scenario};

#[test]
fn every_command_explains_itself() {
    let help = recmirror(&["--help"]).expect(0).stdout;
    for command in ["run", "replay", "scenario", "align", "tensors", "doctor"] {
        assert!(help.contains(&format!("\n  {command} ")), "{help}");
        let own = recmirror(&[command, "--help"]).expect(0).stdout;
        assert!(own.contains("Usage: recmirror"), "{own}");
    }
    for command in ["check", "schema", "reference"] {
        assert!(recmirror(&["scenario", command, "--help"]).expect(0).stdout.contains("Usage"));
    }
    let version = recmirror(&["--version"]).expect(0).stdout;
    assert_eq!(version, format!("recmirror {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
#[cfg(target_os = "linux")]
fn results_that_cannot_be_written_are_a_failure() {
    let folder = with_data();
    let scenario = write_scenario(folder.path(), &["popular"]);
    let full = |arguments: &[&str]| {
        let device = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("a device that is always full");
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_recmirror"));
        let output = command.args(arguments).stdout(device).stderr(std::process::Stdio::piped()).output();
        let output = output.expect("a process");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for arguments in [&["scenario", "schema"][..], &["scenario", "reference"], &["scenario", "check", text(&scenario)]]
    {
        let (code, said) = full(arguments);
        assert!(
            code == Some(1) && said.contains("cannot write the results to stdout"),
            "{arguments:?}: {code:?} {said}"
        );
    }
    let out = folder.path().join("run");
    let (code, said) = full(&["run", text(&scenario), "--out", text(&out), "--quiet"]);
    assert!(code == Some(1) && said.contains("cannot write the results to stdout"), "{code:?} {said}");
    assert!(out.join("report.html").is_file(), "the run itself is kept");
}

#[test]
fn a_reader_that_has_gone_away_is_no_failure() {
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_recmirror"))
        .args(["scenario", "schema"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("a process");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("an end");
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
}

#[test]
fn wrong_words_end_with_code_2() {
    for arguments in [
        &[][..],
        &["runn"],
        &["run"],
        &["run", "x.toml"],
        &["run", "x.toml", "--out", "y", "--threads", "0"],
        &["run", "x.toml", "--out", "y", "--seed", "minus"],
        &["scenario"],
        &["scenario", "check"],
        &["replay", "/nowhere/at/all"],
        &["align", "/nowhere", "/nowhere"],
        &["align", "/nowhere", "/nowhere", "--chunk", "1"],
        &["tensors", "--data", "/nowhere", "--out", "/nowhere/out"],
        &["doctor", "--nonsense"],
    ] {
        recmirror(arguments).expect(2);
    }
    recmirror(&["run", "/nowhere/x.toml", "--out", "/nowhere/out"]).expect(2).says(&["there is no such file"]);
}

#[test]
fn check_prints_every_problem_with_its_line() {
    let folder = place();
    let path = folder.path().join("bad.toml");
    write(&path, "ticks = 0\nslate = 'ten'\ntiks = 3\n\n[data]\npath = 'data'\n\n[[policy]]\nkind = 'populr'\n");
    let answer = recmirror(&["scenario", "check", text(&path)]).expect(2);
    let at = |line: usize| format!("{}:{line}: ", path.display());
    answer.says(&[&at(1), &at(2), &at(3), &at(9), "did you mean `ticks`?", "did you mean `popular`?", "4 problems in"]);
}

#[test]
fn check_reads_several_files_and_separates_valid_from_invalid() {
    let folder = with_data();
    let good = write_scenario(folder.path(), &["random", "popular"]);
    let bad = folder.path().join("bad.toml");
    write(&bad, "nonsense");
    let fine = recmirror(&["scenario", "check", text(&good)]).expect(0).stdout;
    assert!(fine.contains("fine; 2 policies x 2 replications x 6 ticks"), "{fine}");
    let both = recmirror(&["scenario", "check", text(&good), text(&bad)]).expect(2);
    assert!(both.stdout.contains("small.toml: fine") && both.stderr.contains("bad.toml:1:"), "{both:?}");
}

#[test]
fn wrong_settings_end_with_code_2() {
    let folder = with_data();
    let good = write_scenario(folder.path(), &["random"]);
    for (setting, words) in [
        ("nonsense", "expected KEY=VALUE"),
        ("=3", "expected KEY=VALUE"),
        ("tiks=3", "did you mean `ticks`?"),
        ("slate=1000", "--set slate=1000"),
        ("policy.popular.name=x", "no policy is called `popular`"),
        ("engine=3", "is a section"),
    ] {
        recmirror(&["scenario", "check", text(&good), "--set", setting]).expect(2).says(&[words]);
        let out = folder.path().join("out");
        let run = recmirror(&["run", text(&good), "--out", text(&out), "--set", setting]);
        run.expect(2).says(&[words]);
        assert!(!out.exists());
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let mut child = crate::util::start(&[], &["scenario", "reference"]);
    drop(child.stdout.take());
    let status = child.wait().expect("a status");
    assert_eq!(status.code(), Some(0));
}

#[test]
fn tensors_are_the_same_twice_and_replace_nothing() {
    let folder = with_data();
    let data = folder.path().join("data");
    let tensors = |name: &str| {
        let out = folder.path().join(name);
        (recmirror(&["tensors", "--data", text(&data), "--out", text(&out)]), out)
    };
    let ((first, a), (second, b)) = (tensors("a"), tensors("b"));
    assert_eq!(first.expect(0).stdout, format!("{}\n", a.display()));
    second.expect(0);
    assert!(names_in(&a).len() > 3, "{:?}", names_in(&a));
    assert_eq!(names_in(&a), names_in(&b));
    for name in names_in(&a) {
        let bytes = |folder: &std::path::Path| std::fs::read(folder.join(&name)).expect("a file");
        assert!(bytes(&a) == bytes(&b), "{name}");
    }
    tensors("a").0.expect(2).says(&["exists already"]);
    assert_eq!(names_in(folder.path()), ["a", "b", "data"]);
}
