//! Language users, on small random models: the same bits whatever runs beside them, and clear about what cannot work.

mod answers;

use crate::resume::stopped_after;
use crate::util::{
    dataset, digests, digests_of, has_runtime, manifest, names_in, package, place, prepare, read, recmirror, text,
    with_data, write, write_scenario,
};
use recmirror::dataset::{Dataset, TrainingLog};
use recmirror::experiment::{DecisionFileRecord, NoProgress, RunOptions};
use recmirror::ids::{ItemId, UserId};
use recmirror::log::{read_batches, read_decisions};
use recmirror::random::{Purpose, Streams};
use recmirror::scene::{SceneBatch, SceneDraws};
use recmirror::user::{
    EMPTY_SLOT, LanguageMode, LanguageParameters, LanguageUser, Memorised, RATINGS, Responses, UserModel, memories_of,
};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use tempfile::TempDir;

/// Prompts and texts so short that the small models can read them: they know 256 tokens, and nearly every letter is one.
const PROMPTS: &str = "name = 'tiny'\nsystem_decision = 'Why?'\nsystem_letter = 'Which?'\n\
    user = '{{ profile }};{{ history }};{% for option in options %}[{{ option.letter }}]{{ option.text }}{% endfor %}'\n\
    none = '-'\nassistant = '{% if decision %}{{ decision }} {% endif %}Behavior: [{{ letter }}]'\n";
const TEMPLATE: &str = "profile = '{{ user.age }}'\nitem = \"{{ item.title|replace('Film ', '') }}\"\n\
    history = \"{{ item.title|replace('Film ', '') }}={{ behavior.rating }}\"\n";

/// A copy of a small model with its own prompts and texts.
pub(crate) fn model(kind: &str) -> TempDir {
    let folder = place();
    for entry in std::fs::read_dir(package().join("tests/fixtures/language").join(kind)).expect("a folder") {
        let path = entry.expect("an entry").path();
        std::fs::copy(&path, folder.path().join(path.file_name().expect("a name"))).expect("a copy");
    }
    write(&folder.path().join("prompts.toml"), PROMPTS);
    write(&folder.path().join("template.toml"), TEMPLATE);
    folder
}

const SMALL: [&str; 10] = [
    "user.kind=language",
    "population.users=6",
    "replications=1",
    "ticks=4",
    "slate=4",
    "arrival.probability=0.7",
    "user.history=6",
    "user.rationale_tokens=12",
    "user.probe=5",
    "engine.cache_mb=64",
];

fn settings<'s>(path: &'s str, extra: &[&'s str]) -> Vec<&'s str> {
    SMALL.iter().copied().chain([path]).chain(extra.iter().copied()).collect()
}

/// Digests of events and of decisions.
type Found = (Vec<(String, u32, String)>, Vec<Option<DecisionFileRecord>>);

/// Prepares and runs in a pool of this many threads.
fn outcome(threads: usize, folder: &Path, settings: &[&str]) -> Found {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a thread pool");
    pool.install(|| {
        let stop = AtomicBool::new(false);
        let experiment = prepare(folder, &["popular", "random"], settings);
        let options = RunOptions { events: None, progress: &NoProgress, stop: &stop, stopped: None };
        let outcome = experiment.run(&options).unwrap_or_else(|problem| panic!("{problem}"));
        (digests(&outcome), outcome.decisions)
    })
}

#[test]
fn neither_threads_nor_chunks_nor_the_cache_change_a_bit() {
    if !has_runtime() {
        return;
    }
    let folder = with_data();
    for (kind, extra) in [
        ("llama", &["user.mode=direct"][..]),
        ("qwen2", &["user.mode=direct", "user.rotations=3"]),
        ("llama", &["user.mode=rationale"]),
        ("qwen2", &["user.mode=rationale", "user.history=30", "user.rationale_tokens=60"]),
    ] {
        let model = model(kind);
        let path = format!("user.path={}", model.path().display());
        let with = |more: &[&'static str]| -> Vec<String> {
            settings(&path, extra).into_iter().chain(more.iter().copied()).map(str::to_owned).collect()
        };
        let run = |threads: usize, more: &[&'static str]| {
            let all = with(more);
            outcome(threads, folder.path(), &all.iter().map(String::as_str).collect::<Vec<_>>())
        };
        let base = run(1, &[]);
        assert_eq!(base.0.len(), 2);
        let writes = extra.contains(&"user.mode=rationale");
        assert!(base.1.iter().all(|record| record.is_some() == writes), "{:?}", base.1);
        assert_eq!(run(2, &[]), base, "{kind} {extra:?}: two threads");
        assert_eq!(run(2, &["engine.chunk=2"]), base, "{kind} {extra:?}: chunks of 2");
        assert_eq!(run(1, &["engine.chunk=3", "engine.cache_mb=0"]), base, "{kind} {extra:?}: no cache");
        assert_ne!(run(1, &["seed=6"]).0, base.0);
    }
}

#[test]
fn a_stopped_and_resumed_run_equals_the_complete_one() {
    if !has_runtime() {
        return;
    }
    let folder = with_data();
    for (kind, mode) in [("llama", "rationale"), ("qwen2", "direct")] {
        let (model, mode) = (model(kind), format!("user.mode={mode}"));
        let path = format!("user.path={}", model.path().display());
        let settings = settings(&path, &[&mode]);
        let experiment = prepare(folder.path(), &["random", "popular"], &settings);
        let run = |name: &str| folder.path().join(format!("{kind}-{name}"));
        stopped_after(u64::MAX, 1, &experiment, &run("whole"), None);
        stopped_after(3, 1, &experiment, &run("half"), None);
        stopped_after(u64::MAX, 1, &experiment, &run("joined"), Some(&run("half")));
        // Both trials were begun, and neither was whole.
        let ticks: Vec<u32> = manifest(&run("half")).trials.iter().map(|trial| trial.ticks).collect();
        assert!(ticks.iter().sum::<u32>() == 3, "{ticks:?}");
        assert_eq!(manifest(&run("half")).status, "interrupted");
        for part in ["events", "decisions"] {
            let files = |name: &str| -> Vec<(String, Vec<u8>)> {
                let folder = run(name).join(part);
                let names = if folder.exists() { names_in(&folder) } else { Vec::new() };
                names
                    .into_iter()
                    .map(|file| (file.clone(), std::fs::read(folder.join(file)).expect("a file")))
                    .collect()
            };
            assert!(files("joined") == files("whole"), "{kind} {part}");
            assert_eq!(files("whole").len(), if part == "events" || kind == "llama" { 2 } else { 0 });
        }
        let recorded = |name: &str| {
            let manifest = manifest(&run(name));
            (manifest.digest, manifest.trials.into_iter().map(|trial| trial.decisions).collect::<Vec<_>>())
        };
        assert_eq!(recorded("joined"), recorded("whole"));
    }
}

#[test]
fn a_run_keeps_rationales_and_replays() {
    if !has_runtime() {
        return;
    }
    let (folder, model) = (with_data(), model("llama"));
    let scenario = write_scenario(folder.path(), &["popular", "random"]);
    let path = format!("user.path={}", model.path().display());
    let settings = settings(&path, &["user.mode=rationale", "user.history=30", "user.rationale_tokens=60"]);
    let settings: Vec<&str> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
    let out = folder.path().join("out");
    let answer = recmirror(&[&["run", text(&scenario), "--out", text(&out)], settings.as_slice()].concat()).expect(0);
    assert!(answer.stdout.contains("scenes were too long for the user model"), "{}", answer.stdout);
    let manifest = manifest(&out);
    assert_eq!((manifest.user.kind.as_str(), manifest.user.hash.len()), ("language", 16));
    assert!(manifest.user.shortened_scenes > 0 && !manifest.user.runtime.is_empty());
    assert_eq!(names_in(&out.join("decisions")), ["00-popular-r000.jsonl", "01-random-r000.jsonl"]);
    for trial in &manifest.trials {
        let record = trial.decisions.as_ref().expect("decisions");
        assert_eq!(record.lines, trial.user_steps);
        let (mut lines, mut texts) = (Vec::new(), std::collections::BTreeSet::new());
        read_decisions(&out.join(record.file.as_ref().expect("a file")), |line| {
            let sum: f32 = line.letters.iter().sum();
            assert!(line.letters.len() == 5 && (sum - 1.0).abs() < 1e-5, "{line:?}");
            lines.push((line.tick, line.user));
            texts.insert(line.text);
        })
        .expect("decisions");
        let mut events = Vec::new();
        let file = out.join(trial.events.as_ref().expect("a log"));
        read_batches(&file, |batch| events.extend(batch.users.iter().map(|&user| (batch.tick, user)))).expect("a log");
        assert_eq!(lines, events);
        assert!(texts.len() * 2 > lines.len(), "texts differ: {} of {}", texts.len(), lines.len());
    }
    stories_tell_rationales(&out);
    let replay = |extra: &[&str]| recmirror(&[&["replay", text(&out), "--quiet"], extra].concat());
    replay(&["--threads", "1", "--set", "engine.chunk=3", "--set", "engine.cache_mb=0"]).expect(0);
    // A decision that was touched is found, as is one that is gone.
    let file = out.join("decisions/01-random-r000.jsonl");
    let whole = read(&file);
    write(&file, whole.replacen("\"user\":", "\"user\": ", 1));
    replay(&["--logs-only"]).expect(3).says(&["1 differences", "01-random-r000.jsonl: it is not the file that"]);
    std::fs::remove_file(&file).expect("removed");
    replay(&["--logs-only"]).expect(3).says(&["01-random-r000.jsonl"]);
    // Without events there are no files, and the digests are the same.
    let bare = folder.path().join("bare");
    let no_events =
        [&["run", text(&scenario), "--out", text(&bare), "--set", "engine.events=false"], settings.as_slice()];
    recmirror(&no_events.concat()).expect(0);
    assert!(!names_in(&bare).contains(&"decisions".to_owned()));
    assert_eq!(digests_of(&bare), digests_of(&out));
    let rationale = |folder: &Path| -> Vec<String> {
        crate::util::manifest(folder)
            .trials
            .into_iter()
            .map(|trial| trial.decisions.expect("decisions").digest)
            .collect()
    };
    assert_eq!(rationale(&bare), rationale(&out));
}

/// What the users of a run wrote is reported in their stories, with the draws that it came from.
fn stories_tell_rationales(out: &Path) {
    let mut rationales = Vec::new();
    read_decisions(&out.join("decisions/01-random-r000.jsonl"), |line| rationales.push(line)).expect("decisions");
    let mut checked = 0;
    for user in 0..6 {
        let number = user.to_string();
        let answer = recmirror(&["story", text(out), "--user", &number, "--policy", "random", "--json"]).expect(0);
        let story: serde_json::Value = serde_json::from_str(&answer.stdout).expect("JSON");
        for step in story["steps"].as_array().expect("steps") {
            let tick = step["tick"].as_u64().expect("a tick") as u32;
            let line =
                rationales.iter().find(|line| (line.user, line.tick) == (UserId(user), tick)).expect("a rationale");
            let mut draws = Streams::new(5, 0).derive(Purpose::Rationale, u64::from(user), tick);
            let draw = recmirror::random::unit(&mut draws);
            assert_eq!(step["rationale"]["text"], line.text.as_str());
            assert!(step["rationale"]["draw"].as_f64().is_some_and(|value| (value - draw).abs() < 1e-12), "{step}");
            assert_eq!(step["traced"], true, "{step}");
            checked += 1;
        }
    }
    assert_eq!(checked, rationales.len());
}

#[test]
fn a_policy_with_oracle_access_sees_language_users_too() {
    if !has_runtime() {
        return;
    }
    let (folder, model) = (with_data(), model("llama"));
    let path = format!("user.path={}", model.path().display());
    for mode in ["user.mode=direct", "user.mode=rationale"] {
        let extra = [mode, "ticks=1", "population.users=2", "user.rationale_tokens=3", "arrival.probability=1"];
        let experiment = prepare(folder.path(), &["oracle"], &settings(&path, &extra));
        let base = digests(&crate::util::run_on(1, &experiment));
        assert_eq!(digests(&crate::util::run_on(2, &experiment)), base, "{mode}");
    }
}
