//! The mirror model on MovieLens-100K: exact whatever the batch, as good as its card says, and safe to damage.

mod foreign_logs;

use crate::util::{
    dataset, has_data_and_runtime, manifest, model, movielens, names_in, place, read, recmirror, text, write,
};
use recmirror::align::{AlignOptions, align};
use recmirror::dataset::{Dataset, TrainingLog};
use recmirror::ids::{ItemId, LogUserId};
use recmirror::random::{Purpose, Streams, below, unit};
use recmirror::scene::{CONTEXT, SceneBatch, item_vectors};
use recmirror::user::{Card, Memorised, Mirror, RATINGS, Responses, UserModel, memories_of};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::sync::OnceLock;

/// MovieLens-100K and its log before the cut.
fn data() -> &'static (Dataset, TrainingLog) {
    static DATA: OnceLock<(Dataset, TrainingLog)> = OnceLock::new();
    DATA.get_or_init(|| {
        let data = dataset(&movielens());
        let before = data.split(0.2).before;
        (data, before)
    })
}

/// The shipped model with this chunk.
fn load(chunk: usize) -> Mirror {
    let (data, before) = data();
    let model = Mirror::load(&model(), data, before, chunk);
    model.unwrap_or_else(|problem| panic!("{problem}"))
}

/// The same, loaded once.
fn mirror() -> &'static Mirror {
    static MIRROR: OnceLock<Mirror> = OnceLock::new();
    MIRROR.get_or_init(|| load(128))
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// The log of the first users, of each user the rows that `keep(position, rows)` keeps.
fn log_of(users: u32, keep: impl Fn(usize, usize) -> bool) -> TrainingLog {
    let (data, before) = data();
    let mut rows = Vec::new();
    for user in (0..users).map(LogUserId) {
        let all = before.of(user);
        rows.extend(all.iter().enumerate().filter(|(place, _)| keep(*place, all.len())).map(|(_, row)| *row));
    }
    TrainingLog::from_sorted(rows, users as usize, data.items.len())
}

#[test]
fn an_updated_memory_equals_one_from_scratch() {
    if !has_data_and_runtime() {
        return;
    }
    let (model, users) = (mirror(), 40);
    let total = model.memory().total;
    let whole = log_of(users, |_, _| true);
    let expected = memories_of(model, &whole).expect("memories");
    let mut memory = memories_of(model, &log_of(users, |place, all| place < all / 2)).expect("memories");
    assert_ne!(bits(&memory), bits(&expected));
    // One user after the other, one item after the other.
    for (user, memory) in (0..users).map(LogUserId).zip(memory.chunks_exact_mut(total)) {
        let rows = whole.of(user);
        for row in &rows[rows.len() / 2..] {
            model
                .update(&mut [memory], &[Memorised { item: row.item, rating: row.rating, time: row.time }])
                .expect("an update");
        }
    }
    assert!(bits(&memory) == bits(&expected));
}

/// Scenes of random items, some slots empty, for memories of the log.
fn scenes(rows: usize, slate: usize) -> SceneBatch {
    let model = mirror();
    let shape = model.memory();
    let memory = memories_of(model, &log_of(50, |place, _| place < 15)).expect("memories");
    let mut scenes = SceneBatch::default();
    scenes.reset(rows, slate, shape.read);
    for row in 0..rows {
        let mut rng = Streams::new(3, 0).derive(Purpose::Scenes, row as u64, 0);
        let from = (row % 50) * shape.total;
        scenes.memory[row * shape.read..(row + 1) * shape.read].copy_from_slice(&memory[from..from + shape.read]);
        let filled = if row % 9 == 0 { slate - 2 } else { slate };
        for place in row * slate..row * slate + filled {
            scenes.items[place] = ItemId(below(&mut rng, data().0.items.len() as u32));
            for value in &mut scenes.context[place * CONTEXT..(place + 1) * CONTEXT] {
                *value = unit(&mut rng) as f32 * 2.0 - 1.0;
            }
        }
    }
    scenes
}

/// The scenes at these places, in this order.
fn pick(all: &SceneBatch, places: &[usize]) -> SceneBatch {
    let mut scenes = SceneBatch::default();
    scenes.reset(0, all.slate, all.width);
    for &place in places {
        scenes.memory.extend_from_slice(all.memory_of(place));
        scenes.items.extend_from_slice(all.items_of(place));
        scenes.context.extend_from_slice(all.context_of(place));
    }
    scenes
}

/// The bits of the answers to each scene.
fn answers(model: &Mirror, scenes: &SceneBatch) -> Vec<Vec<u32>> {
    let mut out = Responses::default();
    model.respond(scenes, &mut out).expect("answers");
    let (choice, rating) = (out.choice.len() / scenes.len(), out.rating.len() / scenes.len());
    let rows = out.choice.chunks_exact(choice).zip(out.rating.chunks_exact(rating));
    rows.map(|(choice, rating)| [bits(choice), bits(rating)].concat()).collect()
}

#[test]
fn choices_and_ratings_apart_have_the_bits_of_both_together() {
    if !has_data_and_runtime() {
        return;
    }
    let (model, scenes) = (mirror(), scenes(200, 10));
    assert!(model.rates_apart());
    let (mut whole, mut apart) = (Responses::default(), Responses::default());
    model.respond(&scenes, &mut whole).expect("answers");
    model.choose(&scenes, &mut apart).expect("choices");
    assert!(bits(&whole.choice) == bits(&apart.choice) && apart.rating.is_empty());
    let filled = |&(row, slot): &(usize, usize)| scenes.items_of(row)[slot].is_some();
    let slots: Vec<(usize, usize)> = (0..200).flat_map(|row| [(row, row % 10), (row, 0)]).filter(filled).collect();
    let mut ratings = vec![0.0; slots.len() * RATINGS];
    model.rate(&scenes, &slots, &mut ratings).expect("ratings");
    for (&(row, slot), rating) in slots.iter().zip(ratings.chunks_exact(RATINGS)) {
        let start = (row * 10 + slot) * RATINGS;
        assert_eq!(bits(&whole.rating[start..start + RATINGS]), bits(rating), "scene {row}, slot {slot}");
    }
}

#[test]
fn an_answer_depends_on_its_scene_alone() {
    if !has_data_and_runtime() {
        return;
    }
    let all = scenes(200, 10);
    let base = answers(mirror(), &all);
    assert!(base.iter().flatten().all(|&bits| f32::from_bits(bits).is_finite()));
    let check = |model: &Mirror, places: &[usize], what: &str| {
        for (found, &place) in answers(model, &pick(&all, places)).iter().zip(places) {
            assert!(*found == base[place], "{what}: scene {place}");
        }
    };
    let turned: Vec<usize> = (0..200).rev().collect();
    let mixed: Vec<usize> = (0..200).map(|place| place * 37 % 200).collect();
    check(mirror(), &turned, "turned");
    check(mirror(), &mixed, "mixed");
    for first in [0, 60, 121, 193] {
        check(mirror(), &(first..first + 7).collect::<Vec<_>>(), "seven");
    }
    for place in [0, 1, 9, 127, 128, 199] {
        check(mirror(), &[place], "alone");
    }
    let whole: Vec<usize> = (0..200).collect();
    for chunk in [32, 64] {
        let other = load(chunk);
        check(&other, &whole, "another chunk");
        check(&other, &[5], "another chunk, alone");
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread pool");
    pool.install(|| check(mirror(), &whole, "one thread"));
}

#[test]
fn the_memory_does_not_depend_on_the_chunk() {
    if !has_data_and_runtime() {
        return;
    }
    let log = log_of(70, |place, _| place < 12);
    let base = memories_of(mirror(), &log).expect("memories");
    for chunk in [32, 64] {
        assert!(bits(&memories_of(&load(chunk), &log).expect("memories")) == bits(&base), "chunk {chunk}");
    }
}

/// (measure, who, list, least, most): what the model promises on held-out users.
const TARGETS: &[(&str, &str, &str, f64, f64)] = &[
    ("choice", "model", "popularity-matched", 0.60, 1.0),
    ("choice", "model", "anchored", 0.52, 1.0),
    ("choice", "model", "random", 0.72, 1.0),
    ("choice", "model, another user's memory", "popularity-matched", 0.0, 0.25),
    ("accept", "model", "1:1", 0.82, 1.0),
    ("calibration", "model", "1:1", 0.0, 0.025),
    ("rating", "model", "RMSE", 0.0, 0.945),
];

#[test]
fn the_model_is_as_good_as_its_card_says() {
    if !has_data_and_runtime() {
        return;
    }
    let measured = &mirror().card().measured;
    let number = |key: &str| measured.get(key).and_then(toml::Value::as_integer).expect("a number");
    let options = AlignOptions { scenes: number("scenes") as usize, seed: number("seed") as u64, holdout: 0.2 };
    assert!(options.scenes >= 3_000);
    let found = align(mirror(), &data().0, options).expect("figures");
    for &(measure, who, list, least, most) in TARGETS {
        let value = found.estimate(measure, who, list).expect(who);
        assert!((least..=most).contains(&value), "{measure} of {who} on {list}: {value}, not {least} to {most}");
    }
    let all = measured.get("all").and_then(toml::Value::as_array).expect("figures");
    for row in all {
        let word = |key: &str| row.get(key).and_then(toml::Value::as_str).expect("a word");
        let stated = row.get("estimate").and_then(toml::Value::as_float).expect("an estimate");
        let value = found.estimate(word("measure"), word("who"), word("list")).expect("the figure");
        // The same scenes: only another processor's rounding may move a choice between two equals.
        assert!((value - stated).abs() <= 0.005, "{row}: now {value}");
    }
    assert_eq!(all.len(), found.figures.len(), "the card has all figures");
}

#[test]
fn the_graphs_are_small() {
    let folder = model();
    let graphs = names_in(&folder).into_iter().filter(|name| name.ends_with(".onnx"));
    let total: u64 = graphs.map(|name| folder.join(name).metadata().expect("a file").len()).sum();
    assert!(total > 0 && total <= 4 << 20, "{total} bytes");
}

/// The files of the shipped model; the replicates beside them are models of their own.
fn files_of_model() -> Vec<String> {
    names_in(&model()).into_iter().filter(|name| model().join(name).is_file()).collect()
}

/// A copy of the shipped model in which `change` has damaged something.
fn damaged(change: impl FnOnce(&Path)) -> tempfile::TempDir {
    let folder = place();
    for name in files_of_model() {
        std::fs::copy(model().join(&name), folder.path().join(&name)).expect("a copy");
    }
    change(folder.path());
    folder
}

/// Replaces a part of the card; the part must be there.
fn edit(folder: &Path, old: &str, new: &str) {
    let path = folder.join("card.toml");
    let card = read(&path);
    assert!(card.contains(old), "`{old}` is not in the card");
    write(&path, card.replacen(old, new, 1));
}

/// Replaces `KEY = NUMBER` of the card.
fn set(folder: &Path, key: &str, value: usize) {
    let path = folder.join("card.toml");
    let start = format!("{key} = ");
    let old = read(&path);
    let lines =
        old.lines().map(|line| if line.starts_with(&start) { format!("{start}{value}") } else { line.to_owned() });
    let new = lines.collect::<Vec<_>>().join("\n") + "\n";
    assert_ne!(new, old, "{key}");
    write(&path, new);
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Replaces a graph and its hash in the card.
fn replace(folder: &Path, graph: &str, bytes: &[u8]) {
    let path = folder.join(format!("{graph}.onnx"));
    let old = std::fs::read(&path).expect("a graph");
    edit(folder, &sha256(&old), &sha256(bytes));
    write(&path, bytes);
}

/// Expects the damaged model to be refused in these words.
#[track_caller]
fn refuse(words: &[&str], change: impl FnOnce(&Path)) {
    let folder = damaged(change);
    let (data, before) = data();
    let outcome = Mirror::load(folder.path(), data, before, 32);
    let problem = outcome.err().unwrap_or_else(|| panic!("loaded; expected {words:?}")).to_string();
    for word in words {
        assert!(problem.contains(word), "no `{word}` in: {problem}");
    }
}

#[test]
fn a_broken_card_is_refused() {
    if !has_data_and_runtime() {
        return;
    }
    refuse(&["cannot read", "card.toml"], |folder| std::fs::remove_file(folder.join("card.toml")).expect("removed"));
    refuse(&["card.toml", "kind is `language`"], |folder| edit(folder, "kind = \"mirror\"", "kind = \"language\""));
    for version in [1, 3] {
        let expected = format!("version is {version}, this build reads version 2; fit the model again: recmirror fit");
        refuse(&["card.toml", &expected], |folder| edit(folder, "version = 2", &format!("version = {version}")));
    }
    refuse(&["card.toml", "colour"], |folder| edit(folder, "version = 2", "version = 2\ncolour = 3"));
    refuse(&["card.toml"], |folder| write(&folder.join("card.toml"), "x = "));
    refuse(&["card.toml", "dims.attributes is 22"], |folder| set(folder, "attributes", 22));
    refuse(&["card.toml", "dims.vectors"], |folder| set(folder, "rank", 47));
    refuse(&["card.toml", "dims.choice_item is 9000"], |folder| set(folder, "choice_item", 9_000));
    refuse(&["card.toml", "1 to 65536"], |folder| set(folder, "state", 70_000));
    refuse(&["card.toml", "`../item.onnx` is not a plain file name"], |folder| {
        edit(folder, "\"item.onnx\"", "\"../item.onnx\"")
    });
    refuse(&["card.toml", "no [files.choice]"], |folder| edit(folder, "[files.choice]", "[files.choices]"));
}

#[test]
fn a_broken_graph_is_refused() {
    if !has_data_and_runtime() {
        return;
    }
    refuse(&["cannot read", "choice.onnx"], |folder| {
        std::fs::remove_file(folder.join("choice.onnx")).expect("removed")
    });
    refuse(&["start.onnx has sha256", "the card says"], |folder| {
        let path = folder.join("start.onnx");
        let mut bytes = std::fs::read(&path).expect("a graph");
        bytes[1000] ^= 1;
        write(&path, bytes);
    });
    for graph in ["item", "start", "update", "choice"] {
        let bytes = std::fs::read(model().join(format!("{graph}.onnx"))).expect("a graph");
        let file = format!("{graph}.onnx");
        refuse(&["cannot load", &file], |folder| replace(folder, graph, &bytes[..bytes.len() / 2]));
        refuse(&[&file], |folder| replace(folder, graph, b""));
        refuse(&["cannot load", &file], |folder| replace(folder, graph, b"this is no graph"));
    }
    // Another size of a tensor than the graph has.
    refuse(&["item.onnx", "`item` has shape", "1040"], |folder| set(folder, "item", 1_040));
    refuse(&["start.onnx", "`query` has shape", "1130"], |folder| set(folder, "query", 1_130));
    refuse(&["choice.onnx", "`item` has shape", "17"], |folder| set(folder, "choice_item", 17));
}

#[test]
fn swapped_graphs_are_refused() {
    if !has_data_and_runtime() {
        return;
    }
    let graph = |name: &str| std::fs::read(model().join(format!("{name}.onnx"))).expect("a graph");
    for (left, right, words) in [
        ("start", "update", ["start.onnx", "no input `profile`"]),
        ("item", "choice", ["item.onnx", "no input `attributes`"]),
        ("update", "choice", ["update.onnx", "no input `state`"]),
    ] {
        refuse(&words, |folder| {
            let (a, b) = (graph(left), graph(right));
            // The first replacement makes both hashes equal; the second one finds the remaining one by name.
            let card = read(&folder.join("card.toml"));
            let card = card.replace(&sha256(&a), "LEFT").replace(&sha256(&b), &sha256(&a)).replace("LEFT", &sha256(&b));
            write(&folder.join("card.toml"), card);
            write(&folder.join(format!("{left}.onnx")), &b);
            write(&folder.join(format!("{right}.onnx")), &a);
        });
    }
}

#[test]
fn align_prints_checks_and_writes_figures() {
    if !has_data_and_runtime() {
        return;
    }
    let folder = damaged(|folder| edit(folder, "name = \"mirror", "name = \"copy"));
    let (copy, data) = (folder.path().to_owned(), movielens());
    let align = |extra: &[&str]| recmirror(&[&["align", text(&copy), text(&data), "--scenes", "100"], extra].concat());
    let json: serde_json::Value = serde_json::from_str(&align(&["--json"]).expect(0).stdout).expect("JSON");
    assert_eq!((json["scenes"].as_u64(), json["seed"].as_u64()), (Some(100), Some(1)));
    let lists = ["popularity-matched", "anchored", "random", "mixed"];
    let figures = json["figures"].as_array().expect("figures");
    let count = |measure: &str| {
        let of_lists = figures.iter().filter(|of| lists.iter().any(|list| of["list"] == *list));
        of_lists.filter(|of| of["measure"] == measure).count()
    };
    assert_eq!((count("choice"), count("lead")), (4 * 8, 4 * 4));
    align(&["--min-accuracy", "0.2"]).expect(0);
    align(&["--min-accuracy", "1.0"]).expect(3).says(&["choice accuracy on popularity-matched lists", "less than 1"]);
    align(&["--holdout", "0.95"]).expect(2).says(&["--holdout is 0.95"]);
    let table = align(&["--seed", "2", "--write-card"]).expect(0).stdout;
    assert!(table.starts_with("ml-100k: 100 held-out scenes of each list type, seed 2\n"), "{table}");
    let card = Card::read(&copy).unwrap_or_else(|problem| panic!("{problem}"));
    assert_eq!(card.name, mirror().card().name.replace("mirror", "copy"));
    assert_eq!(card.measured.get("seed").and_then(toml::Value::as_integer), Some(2));
    assert_eq!(card.hash(), mirror().card().hash());
    assert_eq!(names_in(&copy), files_of_model(), "nothing is left beside the card");
}
