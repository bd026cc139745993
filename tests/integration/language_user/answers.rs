//! Answers of the user model without a simulation.

use super::*;
use recmirror::dataset::{Column, Field, Fields};
use recmirror::ids::LogUserId;

fn spec(path: &Path) -> LanguageParameters {
    LanguageParameters {
        path: path.to_owned(),
        graph: String::new(),
        mode: LanguageMode::Direct,
        history: 6,
        rotations: 1,
        rationale_temperature: 1.0,
        rationale_top_p: 0.9,
        rationale_tokens: 12,
        probe: 4,
    }
}

fn data() -> (TempDir, Dataset, TrainingLog) {
    let folder = with_data();
    let data = dataset(&folder.path().join("data"));
    let log = data.split(0.2).before;
    (folder, data, log)
}

fn load(spec: &LanguageParameters, data: &Dataset, log: &TrainingLog, slate: usize) -> LanguageUser {
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
fn logits_are_probabilities_of_labels_and_empty_slots_get_none() {
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
        let user = load(&LanguageParameters { rotations, ..spec(model.path()) }, &data, &log, 4);
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
fn a_rationale_comes_from_the_draws_of_its_user_and_tick() {
    if !has_runtime() {
        return;
    }
    let ((_folder, data, log), model) = (data(), model("llama"));
    let user = load(&LanguageParameters { mode: LanguageMode::Rationale, ..spec(model.path()) }, &data, &log, 4);
    let list: &[u32] = &[1, 2, 3, 7];
    let rationales = |users: &[u32], draws: Option<(u32, u32)>| -> Vec<String> {
        let mut scenes = scenes(&user, &log, &[list; 3]);
        // The same user three times: only the draws distinguish them.
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
    let base = rationales(&[4, 5, 4], Some((0, 3)));
    assert!(base[0] == base[2] && base[0] != base[1], "{base:?}");
    assert_eq!(rationales(&[5, 4, 9], Some((0, 3)))[..2], [base[1].clone(), base[0].clone()]);
    assert_ne!(rationales(&[4, 5, 4], Some((0, 4))), base, "another tick");
    assert_ne!(rationales(&[4, 5, 4], Some((1, 3))), base, "another replication");
    let likely = rationales(&[], None);
    assert!(likely[0] == likely[1] && likely[1] == likely[2], "without draws the most likely text: {likely:?}");
}

#[test]
fn a_user_without_history_and_titles_of_all_scripts_get_an_answer() {
    if !has_runtime() {
        return;
    }
    let ((_folder, mut data, log), model) = (data(), model("qwen2"));
    let mut titles: Vec<String> = (0..data.items.len()).map(|item| format!("item {item}")).collect();
    let strange = ["東京", "[B] \"ü\"\n[C]", "🎬\u{0}", ""];
    titles[1..5].iter_mut().zip(strange).for_each(|(title, strange)| *title = strange.to_owned());
    data.item_fields = Fields::new(vec![Field { name: "title".to_owned(), column: Column::Text(titles) }]);
    let user = load(&spec(model.path()), &data, &log, 4);
    let mut scenes = scenes(&user, &log, &[&[1, 2, 3, 4]]);
    let mut fresh = vec![0.0; user.memory().total];
    user.start(&[LogUserId(7)], &mut fresh).expect("a memory");
    scenes.memory.copy_from_slice(&fresh);
    let without = respond(&user, &scenes).choice;
    user.update(&mut [&mut fresh], &[Memorised { item: ItemId(3), rating: f32::NAN, time: -5 }]).expect("an update");
    scenes.memory.copy_from_slice(&fresh);
    let with = respond(&user, &scenes).choice;
    assert!(without.iter().chain(&with).all(|logit| logit.is_finite()) && without != with);
}

/// The message about a damaged model, or about conflicting settings, without the folder's path.
fn refused(damage: impl FnOnce(&Path, &mut LanguageParameters), slate: usize) -> String {
    let ((_folder, data, log), model) = (data(), model("llama"));
    let mut spec = spec(model.path());
    damage(model.path(), &mut spec);
    let problem = LanguageUser::load(&spec, &data, &log, slate, 8, 0).err().expect("it is refused").to_string();
    problem.replace(&model.path().display().to_string(), "DIR")
}

#[test]
fn impossible_settings_are_reported_at_load() {
    if !has_runtime() {
        return;
    }
    let remove = |name: &'static str| {
        move |folder: &Path, _: &mut LanguageParameters| std::fs::remove_file(folder.join(name)).unwrap()
    };
    let error = refused(remove("tokenizer.json"), 4);
    assert!(error.starts_with("DIR/tokenizer.json does not exist; copy it from the checkpoint"), "{error}");
    let error = refused(|_, spec| spec.graph = "other.onnx".to_owned(), 4);
    assert!(error.starts_with("DIR/other.onnx does not exist; the folder has: halves.onnx, model.onnx"), "{error}");
    let error = refused(|folder, _| write(&folder.join("model.onnx"), b"short"), 4);
    assert!(error.contains("DIR/model.onnx"), "{error}");
    let error = refused(|folder, _| write(&folder.join("prompts.toml"), PROMPTS.replace("none =", "nothing =")), 4);
    assert!(error.contains("DIR/prompts.toml") && error.contains("nothing"), "{error}");
    let error = refused(|folder, _| write(&folder.join("template.toml"), TEMPLATE.replace("}}", "}")), 4);
    assert!(error.starts_with("DIR/template.toml: `"), "{error}");
    let wrong = "profile = ''\nitem = '{{ item.title|words(item) }}'\nhistory = ''\n";
    let error = refused(|folder, _| write(&folder.join("template.toml"), wrong), 4);
    assert!(error.starts_with("DIR/template.toml: `item`"), "{error}");
    let card = "kind = 'language'\nversion = 1\nname = 'x'\nsummary = ''\ngraph = 'model.onnx'\n[files.\"prompts.toml\"]\nsha256 = '00'\n";
    let error = refused(|folder, _| write(&folder.join("card.toml"), card), 4);
    assert!(error.starts_with("DIR/prompts.toml: has sha256 ") && error.contains("card.toml says 00"), "{error}");
    let error = refused(
        |folder, _| {
            write(&folder.join("card.toml"), card);
            std::fs::remove_file(folder.join("prompts.toml")).unwrap();
        },
        4,
    );
    assert!(error.starts_with("DIR/prompts.toml does not exist; card.toml lists it"), "{error}");
    assert!(refused(|_, _| (), 26).starts_with("`slate` is 26, but a language user identifies options by labels: 25"));
    let error = refused(|_, spec| (spec.mode, spec.rotations) = (LanguageMode::Rationale, 2), 4);
    assert!(error.starts_with("`user.rotations` is 2, but a rationale speaks of one order of the list"), "{error}");
    let error = refused(|_, spec| (spec.mode, spec.rationale_tokens) = (LanguageMode::Rationale, 250), 4);
    assert!(error.contains("reads at most 256 tokens") && error.contains("`user.rationale_tokens`"), "{error}");
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
    let error = respond_to(&load(&spec(model.path()), &data, &log, 25)).expect_err("too long");
    assert!(error.starts_with("a scene of 25 items has ") && error.contains("lower `slate`"), "{error}");
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
