//! `recmirror story`: one user's life in a run, from its folder alone.

use crate::util::{manifest, read, recmirror, text, with_data, write, write_scenario};
use recmirror::files::FileRecord;
use recmirror::log::{EventSink, ParquetWriter, REJECTED, TrialName, read_batches};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A finished run in `out`.
fn finished(extra: &[&str]) -> (TempDir, PathBuf) {
    let folder = with_data();
    let scenario = write_scenario(folder.path(), &["popular", "random as chance"]);
    let out = folder.path().join("out");
    recmirror(&[&["run", text(&scenario), "--out", text(&out), "--quiet"], extra].concat()).expect(0);
    (folder, out)
}

fn story(out: &Path, extra: &[&str]) -> serde_json::Value {
    let answer = recmirror(&[&["story", text(out), "--json"], extra].concat()).expect(0);
    serde_json::from_str(&answer.stdout).unwrap_or_else(|problem| panic!("{problem}: {}", answer.stdout))
}

#[test]
fn the_report_shows_the_beginning_of_the_life_of_the_user_of_the_middle() {
    let (_folder, out) = finished(&["--set", "population.users=15", "--set", "ticks=30"]);
    let story_of = |user: u32| story(&out, &["--user", &user.to_string()]);
    let stories: Vec<serde_json::Value> = (0..15).map(story_of).collect();
    let steps = |story: &serde_json::Value| story["steps"].as_array().expect("steps").clone();
    let accepted = |story: &serde_json::Value| steps(story).iter().filter(|step| step["accepted"].is_u64()).count();
    let mut order: Vec<usize> = stories.iter().filter(|story| !steps(story).is_empty()).map(accepted).collect();
    order.sort_unstable();
    let middle = order[(order.len() - 1) / 2];
    let user = stories.iter().position(|story| !steps(story).is_empty() && accepted(story) == middle).expect("a user");
    let report = read(&out.join("report.html"));
    let command = format!("recmirror story out --user {user} --policy popular --replication 0");
    assert!(report.contains(&command), "user {user}");
    assert_eq!(report.matches("reject all: ").count(), steps(&stories[user]).len().min(8));
    let (_folder, without) = finished(&["--set", "engine.events=false"]);
    assert!(!read(&without.join("report.html")).contains("<h2 id=\"life\">"));
}

#[test]
fn every_slate_of_every_user_is_shown_and_traced() {
    let extra = ["--set", "population.users=12", "--set", "session.leave_after=1", "--set", "ticks=12"];
    let (_folder, out) = finished(&extra);
    for (policy, file) in [("popular", "00-popular-r001"), ("chance", "01-chance-r001")] {
        let (mut in_stories, mut logged) = (BTreeSet::new(), BTreeSet::new());
        read_batches(&out.join(format!("events/{file}.parquet")), |batch| {
            for (row, user) in batch.users.iter().enumerate() {
                let accepted = batch.accepted_item(row).map(|item| item.0);
                logged.insert((u64::from(user.0), u64::from(batch.tick), accepted.map(u64::from)));
            }
        })
        .expect("a log");
        for user in 0..12_u64 {
            let number = user.to_string();
            let story = story(&out, &["--user", &number, "--policy", policy, "--replication", "1"]);
            assert_eq!(
                (&story["policy"], &story["replication"], &story["user"]),
                (&policy.into(), &1.into(), &user.into())
            );
            let mut session_open = false;
            for step in story["steps"].as_array().expect("steps") {
                assert_eq!(step["traced"], true, "{step}");
                assert_eq!(step["arrival"].is_number(), !session_open, "{step}");
                session_open = step["end"].is_null();
                let slot = step["accepted"].as_u64().map(|slot| slot as usize);
                let item = slot.map(|slot| step["shown"][slot - 1]["item"].as_u64().expect("an item"));
                in_stories.insert((user, step["tick"].as_u64().expect("a tick"), item));
                let shown = step["shown"].as_array().expect("a slate").iter();
                let sum: f64 = shown.map(|shown| shown["probability"].as_f64().expect("a number")).sum();
                assert!((sum + step["reject"].as_f64().expect("a number") - 1.0).abs() < 1e-6);
            }
        }
        assert_eq!(in_stories, logged, "{policy}");
    }
}

#[test]
fn a_story_reads_as_text() {
    let (_folder, out) = finished(&[]);
    // The first user with a slate.
    let number = (0..60)
        .map(|user| user.to_string())
        .find(|user| story(&out, &["--user", user])["steps"].as_array().is_some_and(|steps| !steps.is_empty()));
    let number = number.expect("somebody came");
    let output = recmirror(&["story", text(&out), "--user", &number]).expect(0).stdout;
    let first = format!("User {number} of `Small` under policy `popular`, replication 0\n");
    assert!(output.starts_with(&first), "{output}");
    for words in
        ["mirrors user ", "user model parametric; seed 5", "session 1 begins (arrival draw ", "reject all", "draws: "]
    {
        assert!(output.contains(words), "no `{words}` in: {output}");
    }
    assert!(!output.contains("the log differs from these draws"), "{output}");
}

#[test]
fn a_log_that_was_changed_does_not_follow_from_the_draws() {
    let (_folder, out) = finished(&["--replications", "1"]);
    // A log of the right name, listed with the right hash, in which everybody did something else.
    let name = "events/00-popular-r000.parquet";
    let mut batches = Vec::new();
    read_batches(&out.join(name), |batch| batches.push(batch.clone())).expect("a log");
    let trial = TrialName { policy: "popular".to_owned(), replication: 0, seed: 5 };
    let mut writer = ParquetWriter::create(&out.join(name), &trial, 5).expect("a log");
    for batch in &mut batches {
        batch.accepted.iter_mut().for_each(|slot| *slot = if *slot == REJECTED { 0 } else { REJECTED });
        writer.write(batch).expect("written");
    }
    writer.finish().expect("written");
    let mut manifest = manifest(&out);
    let record = manifest.files.iter_mut().find(|file| file.path == name).expect("a listed file");
    *record = FileRecord::of(&out, Path::new(name)).expect("a file");
    write(&out.join("manifest.json"), manifest.to_json());
    let traced =
        |user: u32| story(&out, &["--user", &user.to_string()])["steps"].to_string().contains("\"traced\":false");
    assert!((0..60).any(traced));
}

#[test]
fn missing_users_and_policies_are_reported() {
    let (folder, out) = finished(&["--set", "population.users=5"]);
    let wrong = |extra: &[&str], words: &[&str]| {
        recmirror(&[&["story", text(&out)], extra].concat()).expect(2).says(words);
    };
    wrong(&["--user", "5"], &["there is no user 5: the users of replication 0 are 0 to 4"]);
    wrong(&["--user", "0", "--policy", "chanse"], &["no policy of the run is called `chanse`; did you mean `chance`?"]);
    wrong(&["--user", "0", "--replication", "2"], &["policy `popular` has no replication 2; there are 0, 1"]);
    wrong(&["--user", "minus"], &["--user"]);
    recmirror(&["story", text(folder.path()), "--user", "0"]).expect(2).says(&["is this the folder of a run?"]);
    let (_folder, bare) = finished(&["--set", "engine.events=false"]);
    recmirror(&["story", text(&bare), "--user", "0"]).expect(2).says(&["has no events", "engine.events=true"]);
    std::fs::remove_file(out.join("items.csv")).expect("removed");
    wrong(&["--user", "0"], &["items.csv"]);
    // A user of the data set whose name is no user's number.
    let users = read(&out.join("users.csv"));
    let row: Vec<&str> = users.lines().find(|line| line.starts_with("0,3,")).expect("a row").split(',').collect();
    if row[2].parse::<u32>().is_ok_and(|person| person >= 5) {
        wrong(&["--user", row[2]], &["of the data set is mirrored by", "3"]);
    }
}
