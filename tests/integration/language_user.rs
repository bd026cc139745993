//! Language users, on small random models: the same bits whatever runs beside them, and clear about what cannot work.

use crate::resume::stopped_after;
use crate::util::{
    dataset, digests, digests_of, has_runtime, manifest, names_in, package, place, prepare, read, recmirror, text,
    with_data, write, write_scenario,
};
use recmirror::dataset::{Dataset, TrainingLog};
use recmirror::experiment::{DecisionRecord, NoProgress, RunOptions};
use recmirror::ids::{ItemId, UserId};
use recmirror::language::Sampling;
use recmirror::log::{read_batches, read_decisions};
use recmirror::random::{Purpose, Streams};
use recmirror::scene::{SceneBatch, SceneDraws};
use recmirror::user::{
    EMPTY_SLOT, LanguageMode, LanguageSpec, LanguageUser, Memorised, RATINGS, Responses, UserModel, memories_of,
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
type Found = (Vec<(String, u32, String)>, Vec<Option<DecisionRecord>>);

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
fn neither_threads_nor_chunks_nor_what_was_read_before_change_a_bit() {
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
fn a_run_that_was_stopped_and_goes_on_is_the_whole_one() {
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
        // Both arms were begun, and neither was whole.
        let ticks: Vec<u32> = manifest(&run("half")).arms.iter().map(|arm| arm.ticks).collect();
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
        let told = |name: &str| {
            let manifest = manifest(&run(name));
            (manifest.digest, manifest.arms.into_iter().map(|arm| arm.decisions).collect::<Vec<_>>())
        };
        assert_eq!(told("joined"), told("whole"));
    }
}

#[test]
fn a_run_keeps_what_users_thought_and_replays() {
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
    for arm in &manifest.arms {
        let record = arm.decisions.as_ref().expect("decisions");
        assert_eq!(record.lines, arm.user_steps);
        let (mut lines, mut texts) = (Vec::new(), std::collections::BTreeSet::new());
        read_decisions(&out.join(record.file.as_ref().expect("a file")), |line| {
            let sum: f32 = line.letters.iter().sum();
            assert!(line.letters.len() == 5 && (sum - 1.0).abs() < 1e-5, "{line:?}");
            lines.push((line.tick, line.user));
            texts.insert(line.text);
        })
        .expect("decisions");
        let mut events = Vec::new();
        let file = out.join(arm.events.as_ref().expect("a log"));
        read_batches(&file, |batch| events.extend(batch.users.iter().map(|&user| (batch.tick, user)))).expect("a log");
        assert_eq!(lines, events);
        assert!(texts.len() * 2 > lines.len(), "texts differ: {} of {}", texts.len(), lines.len());
    }
    stories_tell_thoughts(&out);
    let replay = |extra: &[&str]| recmirror(&[&["replay", text(&out), "--quiet"], extra].concat());
    replay(&["--threads", "1", "--set", "engine.chunk=3", "--set", "engine.cache_mb=0"]).expect(0);
    // A decision that was touched is found, as is one that is gone.
    let file = out.join("decisions/01-random-r000.jsonl");
    let whole = read(&file);
    write(&file, whole.replacen("\"user\":", "\"user\": ", 1));
    replay(&["--logs-only"]).expect(3).says(&["1 differences", "01-random-r000.jsonl has digest"]);
    std::fs::remove_file(&file).expect("removed");
    replay(&["--logs-only"]).expect(3).says(&["01-random-r000.jsonl"]);
    // Without events there are no files, and the digests are the same.
    let bare = folder.path().join("bare");
    let no_events =
        [&["run", text(&scenario), "--out", text(&bare), "--set", "engine.events=false"], settings.as_slice()];
    recmirror(&no_events.concat()).expect(0);
    assert!(!names_in(&bare).contains(&"decisions".to_owned()));
    assert_eq!(digests_of(&bare), digests_of(&out));
    let thought = |folder: &Path| -> Vec<String> {
        crate::util::manifest(folder).arms.into_iter().map(|arm| arm.decisions.expect("decisions").digest).collect()
    };
    assert_eq!(thought(&bare), thought(&out));
}

/// What the users of a run thought is told in their stories, with the draws that it came from.
fn stories_tell_thoughts(out: &Path) {
    let mut thoughts = Vec::new();
    read_decisions(&out.join("decisions/01-random-r000.jsonl"), |line| thoughts.push(line)).expect("decisions");
    let mut told = 0;
    for user in 0..6 {
        let number = user.to_string();
        let answer = recmirror(&["story", text(out), "--user", &number, "--policy", "random", "--json"]).expect(0);
        let story: serde_json::Value = serde_json::from_str(&answer.stdout).expect("JSON");
        for step in story["steps"].as_array().expect("steps") {
            let tick = step["tick"].as_u64().expect("a tick") as u32;
            let line = thoughts.iter().find(|line| (line.user, line.tick) == (UserId(user), tick)).expect("a thought");
            let mut draws = Streams::new(5, 0).derive(Purpose::Rationale, u64::from(user), tick);
            let draw = recmirror::random::unit(&mut draws);
            assert_eq!(step["thought"]["text"], line.text.as_str());
            assert!(step["thought"]["draw"].as_f64().is_some_and(|told| (told - draw).abs() < 1e-12), "{step}");
            assert_eq!(step["traced"], true, "{step}");
            told += 1;
        }
    }
    assert_eq!(told, thoughts.len());
}

fn spec(path: &Path) -> LanguageSpec {
    LanguageSpec {
        path: path.to_owned(),
        graph: None,
        mode: LanguageMode::Direct,
        history: 6,
        rotations: 1,
        sampling: Sampling { temperature: 1.0, top_p: 0.9, max_tokens: 12 },
        probe: 4,
    }
}

fn data() -> (TempDir, Dataset, TrainingLog) {
    let folder = with_data();
    let data = dataset(&folder.path().join("data"));
    let log = data.split(0.2).before;
    (folder, data, log)
}

fn load(spec: &LanguageSpec, data: &Dataset, log: &TrainingLog, slate: usize) -> LanguageUser {
    LanguageUser::load(spec, data, log, slate, 8, 1 << 24).unwrap_or_else(|problem| panic!("{problem}"))
}

/// Scenes of these lists for the first users of the log.
fn scenes(user: &LanguageUser, log: &TrainingLog, lists: &[&[u32]]) -> SceneBatch {
    let (width, memory) = (user.memory().read, memories_of(user, log).expect("memories"));
    let mut scenes = SceneBatch::default();
    scenes.reset(lists.len(), lists[0].len(), width);
    scenes.memory.copy_from_slice(&memory[..lists.len() * width]);
    for (slot, &item) in scenes.items.iter_mut().zip(lists.iter().copied().flatten()) {
        *slot = if item == u32::MAX { ItemId::NONE } else { ItemId(item) };
    }
    scenes.set_time(log.end());
    scenes
}

fn respond(user: &LanguageUser, scenes: &SceneBatch) -> Responses {
    let mut out = Responses::default();
    user.respond(scenes, &mut out).unwrap_or_else(|problem| panic!("{problem}"));
    out
}

const NONE: u32 = u32::MAX;

#[test]
fn logits_are_probabilities_of_letters_and_empty_slots_get_none() {
    if !has_runtime() {
        return;
    }
    let ((_folder, data, log), model) = (data(), model("llama"));
    let user = load(&spec(model.path()), &data, &log, 4);
    let lists: [&[u32]; 4] = [&[1, 2, 3, 7], &[1, 2, 3, NONE], &[9, NONE, NONE, NONE], &[NONE, NONE, NONE, NONE]];
    let out = respond(&user, &scenes(&user, &log, &lists));
    for (row, list) in lists.iter().enumerate() {
        let choice = &out.choice[row * 5..(row + 1) * 5];
        let total: f64 =
            choice.iter().filter(|&&logit| logit > EMPTY_SLOT).map(|&logit| libm::exp(f64::from(logit))).sum();
        assert!((total - 1.0).abs() < 1e-5, "{choice:?}");
        for (logit, &item) in choice.iter().zip(*list) {
            assert_eq!(*logit == EMPTY_SLOT, item == NONE, "{choice:?}");
        }
    }
    assert_eq!(out.choice[19], 0.0, "nothing on the screen: nothing is taken");
    assert!(out.rating.len() == 4 * 4 * RATINGS && out.rating.iter().all(|logit| logit.is_finite()));
    assert!(out.decisions.is_empty());
    assert_eq!(user.shortened_scenes(), 0);
}

#[test]
fn all_rotations_of_a_list_get_the_same_answer() {
    if !has_runtime() {
        return;
    }
    let ((_folder, data, log), model) = (data(), model("llama"));
    let answers = |rotations: usize| -> Vec<Vec<f32>> {
        let user = load(&LanguageSpec { rotations, ..spec(model.path()) }, &data, &log, 4);
        let items = [3, 11, 17, 40];
        let answer = |shift: usize| {
            let mut list = items.to_vec();
            list.rotate_left(shift);
            let mut choice = respond(&user, &scenes(&user, &log, &[&list])).choice;
            choice[..4].rotate_right(shift);
            choice
        };
        (0..4).map(answer).collect()
    };
    let differ = |answers: &[Vec<f32>]| {
        let pairs = answers.iter().flat_map(|answer| answer.iter().zip(&answers[0]));
        pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    };
    assert!(differ(&answers(1)) > 0.1, "a random model likes places");
    assert!(differ(&answers(4)) < 1e-5);
    // More rotations than items are as many as items.
    assert_eq!(answers(25), answers(4));
}

#[test]
fn a_thought_comes_from_the_draws_of_its_user_and_tick() {
    if !has_runtime() {
        return;
    }
    let ((_folder, data, log), model) = (data(), model("llama"));
    let user = load(&LanguageSpec { mode: LanguageMode::Rationale, ..spec(model.path()) }, &data, &log, 4);
    let list: &[u32] = &[1, 2, 3, 7];
    let thoughts = |users: &[u32], draws: Option<(u32, u32)>| -> Vec<String> {
        let mut scenes = scenes(&user, &log, &[list; 3]);
        // The same person three times: only the draws tell them apart.
        let width = scenes.width;
        scenes.memory.copy_within(0..width, width);
        scenes.memory.copy_within(0..width, 2 * width);
        scenes.users = users.iter().map(|&user| UserId(user)).collect();
        scenes.draws = draws.map(|(replication, tick)| SceneDraws {
            streams: Streams::new(1, replication),
            purpose: Purpose::Rationale,
            tick,
        });
        respond(&user, &scenes).decisions.into_iter().map(|decision| decision.text).collect()
    };
    let base = thoughts(&[4, 5, 4], Some((0, 3)));
    assert!(base[0] == base[2] && base[0] != base[1], "{base:?}");
    assert_eq!(thoughts(&[5, 4, 9], Some((0, 3)))[..2], [base[1].clone(), base[0].clone()]);
    assert_ne!(thoughts(&[4, 5, 4], Some((0, 4))), base, "another tick");
    assert_ne!(thoughts(&[4, 5, 4], Some((1, 3))), base, "another replication");
    let likely = thoughts(&[], None);
    assert!(likely[0] == likely[1] && likely[1] == likely[2], "without draws the most likely text: {likely:?}");
}

#[test]
fn a_user_without_history_and_titles_of_all_scripts_get_an_answer() {
    if !has_runtime() {
        return;
    }
    let ((_folder, mut data, log), model) = (data(), model("qwen2"));
    data.catalogue.titles[1] = "東京".to_owned();
    data.catalogue.titles[2] = "[B] \"ü\"\n[C]".to_owned();
    data.catalogue.titles[3] = "🎬\u{0}".to_owned();
    data.catalogue.titles[4] = String::new();
    let user = load(&spec(model.path()), &data, &log, 4);
    let mut scenes = scenes(&user, &log, &[&[1, 2, 3, 4]]);
    let mut fresh = vec![0.0; user.memory().total];
    user.start(&[UserId(7)], &mut fresh).expect("a memory");
    scenes.memory.copy_from_slice(&fresh);
    let without = respond(&user, &scenes).choice;
    user.update(&mut [&mut fresh], &[Memorised { item: ItemId(3), rating: f32::NAN, time: -5 }]).expect("an update");
    scenes.memory.copy_from_slice(&fresh);
    let with = respond(&user, &scenes).choice;
    assert!(without.iter().chain(&with).all(|logit| logit.is_finite()) && without != with);
}

/// What is said of a model that was damaged, or of settings that do not go together; the folder's path is taken out.
fn refused(damage: impl FnOnce(&Path, &mut LanguageSpec), slate: usize) -> String {
    let ((_folder, data, log), model) = (data(), model("llama"));
    let mut spec = spec(model.path());
    damage(model.path(), &mut spec);
    let problem = LanguageUser::load(&spec, &data, &log, slate, 8, 0).err().expect("it is refused").to_string();
    problem.replace(&model.path().display().to_string(), "DIR")
}

#[test]
fn what_cannot_work_is_told_at_load() {
    if !has_runtime() {
        return;
    }
    let remove = |name: &'static str| {
        move |folder: &Path, _: &mut LanguageSpec| std::fs::remove_file(folder.join(name)).unwrap()
    };
    let told = refused(remove("tokenizer.json"), 4);
    assert!(told.starts_with("DIR/tokenizer.json does not exist; copy it from the checkpoint"), "{told}");
    let told = refused(|folder, _| write(&folder.join("model.onnx"), b"short"), 4);
    assert!(told.contains("DIR/model.onnx"), "{told}");
    let told = refused(|folder, _| write(&folder.join("prompts.toml"), PROMPTS.replace("none =", "nothing =")), 4);
    assert!(told.contains("DIR/prompts.toml") && told.contains("nothing"), "{told}");
    let told = refused(|folder, _| write(&folder.join("template.toml"), TEMPLATE.replace("}}", "}")), 4);
    assert!(told.starts_with("DIR/template.toml: `"), "{told}");
    let wrong = "profile = ''\nitem = '{{ item.title|words(item) }}'\nhistory = ''\n";
    let told = refused(|folder, _| write(&folder.join("template.toml"), wrong), 4);
    assert!(told.starts_with("DIR/template.toml: `item`"), "{told}");
    let card = "kind = 'language'\nversion = 1\nname = 'x'\nsummary = ''\ngraph = 'model.onnx'\n[files.\"prompts.toml\"]\nsha256 = '00'\n";
    let told = refused(|folder, _| write(&folder.join("card.toml"), card), 4);
    assert!(told.starts_with("DIR/prompts.toml: has sha256 ") && told.contains("card.toml says 00"), "{told}");
    let told = refused(
        |folder, _| {
            write(&folder.join("card.toml"), card);
            std::fs::remove_file(folder.join("prompts.toml")).unwrap();
        },
        4,
    );
    assert!(told.starts_with("DIR/prompts.toml does not exist; card.toml lists it"), "{told}");
    assert!(
        refused(|_, _| (), 26).starts_with("`slate` is 26, but a language user tells options apart by letters: 25")
    );
    let told = refused(|_, spec| (spec.mode, spec.rotations) = (LanguageMode::Rationale, 2), 4);
    assert!(told.starts_with("`user.rotations` is 2, but a rationale speaks of one order of the list"), "{told}");
    let told = refused(|_, spec| (spec.mode, spec.sampling.max_tokens) = (LanguageMode::Rationale, 250), 4);
    assert!(told.contains("reads at most 256 tokens") && told.contains("`user.rationale_tokens`"), "{told}");
}

#[test]
fn a_list_has_25_items_at_most_and_must_fit() {
    if !has_runtime() {
        return;
    }
    let ((_folder, data, log), model) = (data(), model("llama"));
    let list: Vec<u32> = (0..25).collect();
    let respond_to = |user: &LanguageUser| {
        let mut out = Responses::default();
        user.respond(&scenes(user, &log, &[&list]), &mut out).map(|()| out).map_err(|problem| problem.to_string())
    };
    write(&model.path().join("template.toml"), "profile = ''\nhistory = ''\nitem = 'x'\n");
    let choice = respond_to(&load(&spec(model.path()), &data, &log, 25)).expect("an answer").choice;
    assert!(choice.len() == 26 && choice.iter().all(|logit| logit.is_finite()));
    write(&model.path().join("template.toml"), "profile = ''\nhistory = ''\nitem = 'a much longer text'\n");
    let told = respond_to(&load(&spec(model.path()), &data, &log, 25)).expect_err("too long");
    assert!(told.starts_with("a scene of 25 items has ") && told.contains("lower `slate`"), "{told}");
    // In a scenario it is an error before anything runs.
    let folder = with_data();
    let scenario = write_scenario(folder.path(), &["random"]);
    let (path, out) = (format!("user.path={}", model.path().display()), folder.path().join("out"));
    let settings = settings(&path, &["slate=25"]);
    let settings: Vec<&str> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
    let answer = recmirror(&[&["run", text(&scenario), "--out", text(&out)], settings.as_slice()].concat());
    answer.expect(2).says(&["a scene of 25 items has"]);
    assert!(!out.exists());
}

#[test]
fn a_policy_that_looks_ahead_sees_language_users_too() {
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
