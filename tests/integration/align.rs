//! `align` on files of scenes: every kind of model, the reference code's form, and what it says of wrong input.

use crate::util::{
    Answer, Log, csv_rows, has_runtime, names_in, package, place, read, recmirror, text, write, write_scenario,
};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const TEMPLATE: &str =
    "profile = \"{{ user.occupation }}\"\nitem = \"{{ item.title }}\"\nhistory = \"{{ item.title }}\"\n";

/// Prompts of a few letters: the small models read 256 tokens, and a token is a byte.
const PROMPTS: &str = "name = 'short'\nsystem_decision = 'D'\nsystem_letter = 'S'\nnone = '-'\n\
    user = \"{{ profile }}|{{ history }}|{% for option in options %}{{ option.letter }}{{ option.text }};{% endfor %}\"\n\
    assistant = \"{{ decision }}[{{ letter }}]\"\n";

/// A folder with a small data set in `data`, and a project in `p` with scenes of it.
fn project(more: &[&str]) -> TempDir {
    let folder = place();
    let (data, project) = (folder.path().join("data"), folder.path().join("p"));
    Log::synthetic(60, 80).write_grouplens(&data);
    let (from, to) = (text(&data), text(&project));
    recmirror(&["import", "movielens", from, "--project", to, "--name", "small", "--quiet"]).expect(0);
    write(&project.join("raws/small_template.toml"), TEMPLATE);
    let train: &[&str] = if more.contains(&"--train") { &[] } else { &["--train", "0"] };
    let scenes = ["scenes", "--project", to, "--datasets", "small", "--history", "2-3", "--quiet"];
    recmirror(&[&scenes, train, more].concat()).expect(0);
    folder
}

fn scenes_of(folder: &Path) -> PathBuf {
    folder.join("p/datasets/small_eval.jsonl")
}

/// A copy of a small random language model with short prompts of its own.
fn language(folder: &Path, kind: &str) -> PathBuf {
    let (from, to) = (package().join("tests/fixtures/language").join(kind), folder.join(kind));
    for name in names_in(&from) {
        write(&to.join(&name), std::fs::read(from.join(&name)).expect("a file of the fixture"));
    }
    write(&to.join("prompts.toml"), PROMPTS);
    to
}

fn align(model: &str, scenes: &Path, more: &[&str]) -> Answer {
    recmirror(&[&["align", model, text(scenes), "--quiet"], more].concat())
}

fn found(answer: Answer) -> Value {
    serde_json::from_str(&answer.expect(0).stdout).expect("JSON")
}

/// The figure over all scenes.
fn figure<'a>(found: &'a Value, who: &str, measure: &str) -> &'a Value {
    let figures = found["figures"].as_array().expect("figures");
    let fits = |of: &&Value| {
        let all = ["dataset", "list", "length"].iter().all(|key| of[*key].is_null());
        all && of["scope"] == "all" && of["who"] == who && of["measure"] == measure
    };
    figures.iter().find(fits).unwrap_or_else(|| panic!("no {measure} of {who}"))
}

fn estimate(found: &Value, who: &str, measure: &str) -> f64 {
    figure(found, who, measure)["estimate"].as_f64().expect("a number")
}

#[test]
fn a_user_model_is_measured_beside_chance_and_rules() {
    let folder = project(&["--eval", "120", "--lists", "random:1,popularity-matched:1"]);
    let (scenes, data) = (scenes_of(folder.path()), folder.path().join("data"));
    let out = folder.path().join("out");
    let more = ["--data", text(&data), "--rotations", "--json", "--out", text(&out)];
    let answer = align("parametric", &scenes, &more).expect(0);
    let again = align("parametric", &scenes, &[&more[..], &["--threads", "1"]].concat()).expect(0);
    assert_eq!(answer.stdout, again.stdout, "threads change nothing");
    assert_eq!(answer.stdout, read(&out.join("align.json")));
    let found: Value = serde_json::from_str(&answer.stdout).expect("JSON");
    assert_eq!((found["scenes"].as_u64(), found["left_out"].as_u64()), (Some(120), Some(0)));
    assert!((estimate(&found, "chance", "accuracy") - 0.2).abs() < 1e-9);
    assert!((estimate(&found, "chance", "log loss") - libm::log(5.0)).abs() < 1e-9);
    // The groups of the synthetic people are plain to see for whoever looks at the history.
    let own = estimate(&found, "parametric", "accuracy");
    let swapped = estimate(&found, "parametric, another user's memory", "accuracy");
    assert!(own > 0.25 && own > swapped, "{own} and {swapped}");
    assert!(estimate(&found, "item-kNN", "accuracy") > 0.25);
    for rule in ["first slot", "longest text", "word centre", "list centre", "popularity", "newest"] {
        let of = figure(&found, rule, "accuracy");
        assert!(of["low"].as_f64() <= of["estimate"].as_f64() && of["estimate"].as_f64() <= of["high"].as_f64());
    }
    // Its position bias shows when lists are turned.
    assert!(estimate(&found, "parametric", "rotation gap at A") > 0.0);
    for measure in ["AUC 1:1", "F1 1:9", "rating RMSE", "rating Kolmogorov-Smirnov", "popularity gap"] {
        figure(&found, "parametric", measure);
    }
    let rows = csv_rows(&out.join("align.csv"));
    assert_eq!(rows.len(), found["figures"].as_array().expect("figures").len());
    assert!(rows.iter().any(|row| row[1] == "random" && row[4] == "parametric" && row[5] == "accuracy"));
    let page = read(&out.join("align.html"));
    for words in ["How well parametric mirrors people", "random lists", "(best that sees no user)"] {
        assert!(page.contains(words), "no `{words}`");
    }
}

#[test]
fn words_that_a_model_was_not_trained_with_are_told() {
    if !has_runtime() {
        return;
    }
    let folder = project(&["--eval", "4"]);
    let (scenes, model) = (scenes_of(folder.path()), language(folder.path(), "llama"));
    let note = || align(text(&model), &scenes, &["--quick"]).expect(0).stderr;
    assert!(!note().contains("in other words"), "it has no template of its own");
    // The same templates in another order, with a comment.
    let lines: Vec<&str> = TEMPLATE.lines().rev().collect();
    write(&model.join("template.toml"), format!("# mine\n{}\n", lines.join("\n")));
    assert!(!note().contains("in other words"));
    write(&model.join("template.toml"), TEMPLATE.replace("history = \"", "history = \"+"));
    let told = note();
    for words in
        ["the scenes of small are in other words", "`history` of", "small_template.toml", "make the scenes again"]
    {
        assert!(told.contains(words), "no `{words}` in: {told}");
    }
    write(&model.join("template.toml"), "profile = 1\n");
    align(text(&model), &scenes, &["--quick"]).expect(2).says(&["template.toml"]);
}

#[test]
fn a_liking_for_letters_is_taken_away() {
    if !has_runtime() {
        return;
    }
    let folder = project(&["--eval", "30"]);
    let (scenes, model) = (scenes_of(folder.path()), language(folder.path(), "llama"));
    // How much more likely the first place is than the third, in nats, in each scene.
    let lead = |liking: &str| -> Vec<f64> {
        write(&model.join("letters.toml"), format!("[[list]]\nlists = 1000\nliking = {liking}\n"));
        let out = folder.path().join("out");
        align(text(&model), &scenes, &["--quick", "--out", text(&out)]).expect(0);
        let lead = |line: &str| {
            let row: Value = serde_json::from_str(line).expect("JSON");
            let said = row["probabilities"].as_object().and_then(|said| said.values().next()).expect("an answer");
            let log = |place: usize| libm::log(said[place].as_f64().expect("a number"));
            log(0) - log(2)
        };
        read(&out.join("answers.jsonl")).lines().map(lead).collect()
    };
    let (plain, without) = (lead("[0.0, 0.0, 0.0, 0.0, 0.0]"), lead("[0.5, 0.25, -0.25, 0.0, -0.5]"));
    assert!(plain.len() == 30 && plain.iter().zip(&without).all(|(a, b)| (a - b - 0.75).abs() < 1e-9), "{without:?}");
    assert_eq!(lead("[0.5, 0.25, -0.25, 0.0]"), plain, "lists of four are other lists");
    write(&model.join("letters.toml"), "[[list]]\nliking = [1.0, 'a']\n");
    align(text(&model), &scenes, &["--quick"]).expect(2).says(&["letters.toml"]);
}

#[test]
fn a_language_model_gives_the_same_on_any_threads() {
    if !has_runtime() {
        return;
    }
    let folder = project(&["--eval", "30", "--reject-share", "0.2"]);
    let scenes = scenes_of(folder.path());
    for kind in ["llama", "qwen2"] {
        let model = language(folder.path(), kind);
        let more = ["--json", "--rotations"];
        let one = align(text(&model), &scenes, &[&more[..], &["--threads", "1"]].concat()).expect(0);
        let two = align(text(&model), &scenes, &[&more[..], &["--threads", "2"]].concat()).expect(0);
        assert_eq!(one.stdout, two.stdout, "{kind}");
        let found: Value = serde_json::from_str(&one.stdout).expect("JSON");
        assert_eq!(found["contenders"][0]["unanswered"], 0, "{}", found["contenders"][0]);
        assert!(found["contenders"][0]["prompts"].as_str().expect("prompts").starts_with("short "));
        assert!((estimate(&found, "chance", "accuracy") - 1.0 / 6.0).abs() < 1e-9, "none of these is an option");
        for measure in ["reject rate", "log loss", "largest rotation gap", "AUC 1:9", "accuracy of drawn answers"] {
            figure(&found, kind, measure);
        }
        figure(&found, &format!("{kind}, another user's memory"), "accuracy");
        figure(&found, &format!("{kind}, frozen memory"), "accuracy");
        assert!(estimate(&found, "item-kNN", "accuracy") > 0.0, "the log beside the scenes is read");
    }
}

#[test]
fn models_stand_beside_each_other_and_the_gate_speaks_of_the_first() {
    if !has_runtime() {
        return;
    }
    let folder = project(&["--eval", "12"]);
    let (scenes, data) = (scenes_of(folder.path()), folder.path().join("data"));
    let (llama, copy) = (language(folder.path(), "llama"), language(&folder.path().join("b"), "llama"));
    let more = ["--beside", text(&copy), "--beside", "parametric", "--data", text(&data), "--quick"];
    let table = align(text(&llama), &scenes, &more).expect(0).stdout;
    for words in ["llama on 12 scenes", &format!("llama ({})", copy.display()), "parametric", "chance", "item-kNN"] {
        assert!(table.contains(words), "no `{words}` in {table}");
    }
    let refused = align(text(&llama), &scenes, &["--quick", "--min-accuracy", "1"]).expect(3);
    refused.says(&["choice accuracy on all scenes is 0.", "less than 1"]);
    align(text(&llama), &scenes, &["--quick", "--min-accuracy", "0"]).expect(0);
}

#[test]
fn figures_go_into_the_card_of_a_language_model() {
    if !has_runtime() {
        return;
    }
    let folder = project(&["--eval", "12"]);
    let (scenes, model) = (scenes_of(folder.path()), language(folder.path(), "llama"));
    align(text(&model), &scenes, &["--quick", "--write-card"]).expect(2).says(&["needs a model with a card"]);
    let card =
        "kind = \"language\"\nversion = 1\nname = \"tiny\"\nsummary = \"x\"\ngraph = \"model.onnx\"\n\n[files]\n";
    write(&model.join("card.toml"), card);
    for _ in 0..2 {
        align(text(&model), &scenes, &["--quick", "--write-card"]).expect(0);
        let written = read(&model.join("card.toml"));
        assert!(written.starts_with(card) && written.matches("[measured]").count() == 1, "{written}");
        let table: toml::Table = toml::from_str(&written).expect("a card");
        assert_eq!(table["measured"]["scenes"].as_integer(), Some(12));
        assert!(table["measured"]["all"].as_array().expect("rows").len() > 10);
    }
}

/// A scene as the reference code writes it.
fn reference(number: usize, items: usize, place: usize, history: &str) -> Value {
    let list: Vec<String> = (0..items).map(|item| format!("東{} {item}", number * 7 % 11)).collect();
    json!({
        "text": { "profile": "é", "history": history, "action_list": list }, "user_id": format!("u{}", number % 5),
        "item_id": number, "timestamp": "2001-02-03 04:05:06", "item_pos": place, "choice_cnt": items, "dataset": "Ünï",
    })
}

fn write_scenes(path: &Path, scenes: &[Value]) {
    write(path, scenes.iter().map(|scene| format!("{scene}\n")).collect::<String>());
}

#[test]
fn evaluation_sets_of_the_reference_load_as_they_are() {
    if !has_runtime() {
        return;
    }
    let folder = place();
    let (path, model) = (folder.path().join("eval.jsonl"), language(folder.path(), "qwen2"));
    // Lists of 2 and 5, and somebody without history.
    let mut scenes: Vec<Value> =
        (0..12).map(|number| reference(number, 2 + number % 2 * 3, number % 2, "a\nb")).collect();
    scenes.push(reference(12, 5, 4, ""));
    write_scenes(&path, &scenes);
    let found = found(align(text(&model), &path, &["--json"]));
    assert_eq!((found["scenes"].as_u64(), found["users"].as_u64()), (Some(13), Some(5)));
    assert_eq!(found["lists"], json!(["not told"]));
    let notes = found["notes"].to_string();
    assert!(
        notes.contains("13 of 13 scenes have no `items`") && notes.contains("the log of Ünï is not known"),
        "{notes}"
    );
    let lengths: Vec<&Value> = found["figures"].as_array().expect("figures").iter().map(|of| &of["length"]).collect();
    assert!(lengths.contains(&&json!(2)) && lengths.contains(&&json!(5)), "groups by length");
}

#[test]
fn prompts_that_are_too_long_are_left_out_and_told() {
    if !has_runtime() {
        return;
    }
    let folder = place();
    let (path, model) = (folder.path().join("eval.jsonl"), language(folder.path(), "llama"));
    let long = "x".repeat(400);
    let scenes: Vec<Value> =
        (0..8).map(|number| reference(number, 2, 0, if number == 3 { &long } else { "a" })).collect();
    write_scenes(&path, &scenes);
    let table = align(text(&model), &path, &[]).expect(0).stdout;
    for words in ["on 7 scenes", "1 scenes are left out for all", "eval.jsonl:4: the prompt has"] {
        assert!(table.contains(words), "no `{words}` in {table}");
    }
    write_scenes(&path, &scenes[3..4]);
    align(text(&model), &path, &[]).expect(2).says(&["llama answered none of 1 scenes", "the prompt has"]);
}

#[test]
fn wrong_scenes_are_told_with_file_and_line() {
    let folder = project(&["--eval", "12"]);
    let (path, data) = (folder.path().join("eval.jsonl"), folder.path().join("data"));
    let good = reference(1, 5, 0, "");
    let with = |key: &str, value: Value| {
        let mut scene = good.clone();
        scene[key] = value;
        scene
    };
    let wrong = [
        (with("item_pos", json!(5)), "item_pos 5 is beyond the list of 5 options"),
        (reference(1, 30, 0, ""), "30 options, expected 2 to 26"),
        (reference(1, 0, 0, ""), "0 options, expected 2 to 26"),
        (with("choice_cnt", json!(4)), "choice_cnt is 4 but action_list has 5 items"),
        (with("items", json!([1, 2])), "items has 2 ids but action_list has 5 items"),
        (with("timestamp", json!("yesterday")), "the time `yesterday`"),
        (json!({ "text": "x" }), "not a valid record"),
    ];
    for (scene, words) in wrong {
        write_scenes(&path, &[good.clone(), scene]);
        align("parametric", &path, &["--data", text(&data)]).expect(2).says(&["eval.jsonl:2: ", words]);
    }
    write_scenes(&path, std::slice::from_ref(&good));
    let unfit = [
        (good.clone(), "the scene has no `items`"),
        (with("items", json!([1, 2, 3, 4, 5])), "user u1 is not in data"),
        (with("items", json!(null)), "make the scenes anew"),
    ];
    for (scene, words) in unfit {
        write_scenes(&path, &[scene]);
        align("parametric", &path, &["--data", text(&data)]).expect(2).says(&["eval.jsonl:1: ", words]);
    }
    write(&path, "");
    align("parametric", &path, &["--data", text(&data)]).expect(2).says(&["there is no scene in it"]);
    align("parametric", &folder.path().join("no.jsonl"), &["--data", text(&data)]).expect(2).says(&["does not exist"]);
}

#[test]
fn what_does_not_go_together_is_told() {
    let folder = project(&["--eval", "12"]);
    let (scenes, data) = (scenes_of(folder.path()), folder.path().join("data"));
    let nowhere = folder.path().join("nowhere");
    align(text(&nowhere), &scenes, &[]).expect(2).says(&["is no model", "parametric", "--endpoint"]);
    align("parametric", &scenes, &[]).expect(2).says(&["parametric knows items by their id", "--data DIR"]);
    align("parametric", &scenes, &["--data", text(&data), "--write-card"]).expect(2).says(&["--write-card"]);
    align("parametric", &scenes, &["--top-p", "0"]).expect(2).says(&["--top-p is 0"]);
    align("parametric", &data, &["--rotations"]).expect(2).says(&["--rotations is for files of scenes"]);
    recmirror(&["align", "parametric"]).expect(2).says(&["on what?"]);
    let twice = recmirror(&["align", "parametric", text(&scenes), text(&scenes), "--data", text(&data)]);
    twice.expect(2).says(&["named twice"]);
    write(&folder.path().join("m/card.toml"), "kind = \"oracle\"\n");
    align(text(&folder.path().join("m")), &scenes, &[]).expect(2).says(&["kind is `oracle`"]);
    let server = ["--endpoint", "http://127.0.0.1:9/v1", "--model", "m", "--retries", "0", "--quiet"];
    let gone = recmirror(&[&["align", text(&scenes)], &server[..]].concat());
    assert!(gone.code == Some(1) || gone.code == Some(2), "{}", gone.stderr);
}

/// Writes scenes as the paper's authors publish them: Parquet with a group, a list in it, and times in nanoseconds.
fn write_parquet(path: &Path, scenes: &[Value]) {
    use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    let schema = "message m { optional group text { optional group action_list (LIST) { repeated group list { optional binary \
        element (STRING); } } optional binary history (STRING); optional binary profile (STRING); } optional binary user_id \
        (STRING); optional binary item_id (STRING); optional int64 timestamp (TIMESTAMP(NANOS,false)); optional int64 item_pos; \
        optional int64 choice_cnt; optional binary dataset (STRING); }";
    let schema = std::sync::Arc::new(parquet::schema::parser::parse_message_type(schema).expect("a schema"));
    let properties = WriterProperties::builder().set_compression(parquet::basic::Compression::SNAPPY).build();
    let file = std::fs::File::create(path).expect("a file");
    let mut writer = SerializedFileWriter::new(file, schema, std::sync::Arc::new(properties)).expect("a writer");
    let mut group = writer.next_row_group().expect("a group");
    let bytes =
        |value: &Value| ByteArray::from(value.as_str().map_or_else(|| value.to_string(), str::to_owned).as_str());
    for column in 0.. {
        let Some(mut columns) = group.next_column().expect("a column") else { break };
        if column == 0 {
            let lists = scenes.iter().map(|scene| scene["text"]["action_list"].as_array().expect("a list"));
            let (mut values, mut repetition) = (Vec::new(), Vec::new());
            for list in lists {
                values.extend(list.iter().map(bytes));
                repetition.extend((0..list.len()).map(|place| i16::from(place > 0)));
            }
            let definition = vec![4; values.len()];
            columns
                .typed::<ByteArrayType>()
                .write_batch(&values, Some(&definition), Some(&repetition))
                .expect("written");
        } else if (5..8).contains(&column) {
            let values: Vec<i64> = scenes
                .iter()
                .map(|scene| match column {
                    5 => 981_173_106_000_000_000,
                    6 => scene["item_pos"].as_i64().expect("a place"),
                    _ => scene["choice_cnt"].as_i64().expect("a count"),
                })
                .collect();
            let definition = vec![1; values.len()];
            columns.typed::<Int64Type>().write_batch(&values, Some(&definition), None).expect("written");
        } else {
            let of = |scene: &Value| match column {
                1 => bytes(&scene["text"]["history"]),
                2 => bytes(&scene["text"]["profile"]),
                3 => bytes(&scene["user_id"]),
                4 => bytes(&scene["item_id"]),
                _ => bytes(&scene["dataset"]),
            };
            let values: Vec<ByteArray> = scenes.iter().map(of).collect();
            let definition = vec![if column < 3 { 2 } else { 1 }; values.len()];
            columns.typed::<ByteArrayType>().write_batch(&values, Some(&definition), None).expect("written");
        }
        columns.close().expect("closed");
    }
    group.close().expect("closed");
    writer.close().expect("closed");
}

#[test]
fn published_sets_are_the_same_in_parquet() {
    if !has_runtime() {
        return;
    }
    let folder = place();
    let (lines, packed) = (folder.path().join("eval.jsonl"), folder.path().join("eval.parquet"));
    let model = language(folder.path(), "llama");
    let scenes: Vec<Value> = (0..9).map(|number| reference(number, 3, number % 3, "a")).collect();
    write_scenes(&lines, &scenes);
    write_parquet(&packed, &scenes);
    let of = |path: &Path| {
        let mut found = found(align(text(&model), path, &["--json", "--quick"]));
        found["files"].take();
        found
    };
    assert_eq!(of(&lines), of(&packed));
    write_parquet(&packed, &[reference(0, 3, 0, ""), reference(0, 3, 7, "")]);
    align(text(&model), &packed, &[]).expect(2).says(&["eval.parquet:2: item_pos 7 is beyond"]);
    let whole = std::fs::read(&packed).expect("a file");
    for bytes in [&whole[..whole.len() / 2], b"no parquet", b""] {
        write(&packed, bytes);
        align(text(&model), &packed, &[]).expect(2).says(&["eval.parquet: no scenes in Parquet"]);
    }
    align(text(&model), &folder.path().join("no.parquet"), &[]).expect(2).says(&["does not exist"]);
}

#[test]
fn policies_are_ranked_in_the_simulator_and_on_the_log() {
    let folder = project(&["--eval", "12"]);
    let (scenes, data) = (scenes_of(folder.path()), folder.path().join("data"));
    let scenario = write_scenario(folder.path(), &["popular", "random", "item_knn", "oracle"]);
    let more = ["--data", text(&data), "--policy-order", text(&scenario), "--json", "--quick"];
    let found = found(align("parametric", &scenes, &more));
    let order = &found["policy_order"];
    let spearman = order["spearman"].as_f64().expect("a number");
    assert!((-1.0..=1.0).contains(&spearman) && order["replications"] == 2, "{order}");
    let policies: Vec<&str> =
        order["policies"].as_array().expect("policies").iter().filter_map(|of| of["policy"].as_str()).collect();
    assert_eq!(policies, ["popular", "random", "item_knn"]);
    assert!(order["left_out"][0].as_str().expect("why").starts_with("oracle: "), "{order}");
    let table = align("parametric", &scenes, &more[..4]).expect(0).stdout;
    assert!(table.contains("policy order of Small: Spearman"), "{table}");
    align("parametric", &scenes, &["--data", text(&data), "--policy-order", text(&scenes)]).expect(2);
}

#[test]
fn answers_become_labels_of_training() {
    let folder = project(&["--train", "40", "--eval", "20", "--lists", "random", "--reject-share", "0.2"]);
    let (data, out) = (folder.path().join("data"), folder.path().join("out"));
    let scenes = folder.path().join("p/datasets/small_train.jsonl");
    align("parametric", &scenes, &["--data", text(&data), "--out", text(&out)]).expect(0);
    let answers = out.join("answers.jsonl");
    let lines: Vec<Value> = read(&answers).lines().map(|line| serde_json::from_str(line).expect("an answer")).collect();
    assert!(lines.len() >= 40 && lines.iter().any(|line| line["item_pos"] == line["items"].as_array().unwrap().len()));
    let tensors = |name: &str, more: &[&str]| {
        let to = folder.path().join(name);
        let sizes = ["--passes", "1", "--rank", "4", "--answers", text(&answers)];
        recmirror(&[&["tensors", "--data", text(&data), "--out", text(&to)], &sizes[..], more].concat())
    };
    tensors("t", &[]).expect(0).says(&["answers of parametric", "scenes are labels"]);
    let made = folder.path().join("t");
    let number = |name: &str| ndarray_npy::read_npy::<_, ndarray::Array1<i32>>(made.join(name)).expect("numbers");
    let shares: ndarray::Array2<f32> = ndarray_npy::read_npy(made.join("soft_probability.npy")).expect("numbers");
    let (items, rows, labels): (ndarray::Array2<i32>, _, _) = (
        ndarray_npy::read_npy(made.join("soft_items.npy")).expect("numbers"),
        number("soft_row.npy"),
        number("soft_label.npy"),
    );
    let taken = number("rows_item.npy");
    assert!(!rows.is_empty() && shares.rows().into_iter().all(|row| (row.sum() - 1.0).abs() < 1e-4));
    for (place, (&row, &label)) in rows.iter().zip(&labels).enumerate() {
        let listed = items.row(place).iter().position(|&item| item == taken[row as usize]);
        assert_eq!(
            listed.map_or(-1, |slot| slot as i32),
            label,
            "the label is the item of the row, where it is listed"
        );
    }
    assert!(labels.iter().any(|&label| label < 0), "lists without the real item are among them");
    tensors("u", &["--of", "nobody"]).expect(2).says(&["answers.jsonl:1", "no answer of `nobody`", "`parametric`"]);
    let broken =
        read(&answers).replacen("\"probabilities\":{\"parametric\":[", "\"probabilities\":{\"parametric\":[0.9,", 1);
    write(&answers, broken);
    tensors("u", &[]).expect(2).says(&["answers.jsonl:1", "numbers that sum to 1"]);
    assert!(!folder.path().join("u").exists());
}
