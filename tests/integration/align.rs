//! `align` on files of scenes: every kind of model, the reference code's form, and what it says of wrong input.

mod scene_files;

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
    align("parametric", &scenes, &more).expect(2).says(&["exists already", "--force replaces"]);
    let again = align("parametric", &scenes, &[&more[..], &["--threads", "1", "--force"]].concat()).expect(0);
    assert_eq!(answer.stdout, again.stdout, "threads change nothing");
    assert_eq!(answer.stdout, read(&out.join("align.json")));
    let found: Value = serde_json::from_str(&answer.stdout).expect("JSON");
    assert_eq!((found["scenes"].as_u64(), found["left_out"].as_u64()), (Some(120), Some(0)));
    assert!((estimate(&found, "chance", "accuracy") - 0.2).abs() < 1e-9);
    assert!((estimate(&found, "chance", "log loss") - libm::log(5.0)).abs() < 1e-9);
    // The groups of the synthetic users are evident from the history.
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
    for words in ["Alignment of parametric with users", "random lists", "(best that sees no user)"] {
        assert!(page.contains(words), "no `{words}`");
    }
}

#[test]
fn words_that_a_model_was_not_trained_with_are_reported() {
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
    let message = note();
    for words in
        ["the scenes of small are in other words", "`history` of", "small_template.toml", "make the scenes again"]
    {
        assert!(message.contains(words), "no `{words}` in: {message}");
    }
    write(&model.join("template.toml"), "profile = 1\n");
    align(text(&model), &scenes, &["--quick"]).expect(2).says(&["template.toml"]);
}

#[test]
fn position_bias_is_removed() {
    if !has_runtime() {
        return;
    }
    let folder = project(&["--eval", "30"]);
    let (scenes, model) = (scenes_of(folder.path()), language(folder.path(), "llama"));
    // How much more likely the first place is than the third, in nats, in each scene.
    let lead = |liking: &str| -> Vec<f64> {
        write(&model.join("letters.toml"), format!("[[list]]\nlists = 1000\nliking = {liking}\n"));
        let out = folder.path().join("out");
        align(text(&model), &scenes, &["--quick", "--force", "--out", text(&out)]).expect(0);
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
        for measure in
            ["reject rate", "reject AUC", "log loss", "largest rotation gap", "AUC 1:9", "accuracy of drawn answers"]
        {
            figure(&found, kind, measure);
        }
        figure(&found, &format!("{kind}, another user's memory"), "accuracy");
        figure(&found, &format!("{kind}, frozen memory"), "accuracy");
        assert!(estimate(&found, "item-kNN", "accuracy") > 0.0, "the log beside the scenes is read");
    }
}

#[test]
fn models_are_compared_and_the_gate_is_about_the_first() {
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

#[test]
fn policies_are_ranked_in_the_simulator_and_on_the_log() {
    let folder = project(&["--eval", "12"]);
    let (scenes, data) = (scenes_of(folder.path()), folder.path().join("data"));
    let scenario = write_scenario(folder.path(), &["popular", "random", "item_knn", "oracle"]);
    let more = ["--data", text(&data), "--policy-order", text(&scenario), "--json", "--quick"];
    let found = found(align("parametric", &scenes, &more));
    let order = &found["policy_order"];
    let spearman = order["agreements"][2]["spearman"]["estimate"].as_f64().expect("a number");
    assert!((-1.0..=1.0).contains(&spearman) && order["agreements"][2]["measure"] == "ndcg", "{order}");
    assert_eq!(order["pairs"].as_array().expect("pairs").len(), 3);
    let learning = &order["learning"];
    assert!(learning["replications"] == 2 && learning["policies"].as_array().expect("policies").len() == 3, "{order}");
    let policies: Vec<&str> =
        order["policies"].as_array().expect("policies").iter().filter_map(|of| of["policy"].as_str()).collect();
    assert_eq!(policies, ["popular", "random", "item_knn"]);
    assert!(order["left_out"][0].as_str().expect("why").starts_with("oracle: "), "{order}");
    let table = align("parametric", &scenes, &more[..4]).expect(0).stdout;
    assert!(table.contains("policy order of Small: first slates") && table.contains("what learning adds"), "{table}");
    align("parametric", &scenes, &["--data", text(&data), "--policy-order", text(&scenes)]).expect(2);
}

#[test]
fn programs_of_policies_whose_order_is_asked_for_need_to_be_allowed() {
    let folder = project(&["--eval", "12"]);
    let (scenes, data) = (scenes_of(folder.path()), folder.path().join("data"));
    let scenario = write_scenario(folder.path(), &["popular", "random"]);
    let trace = folder.path().join("trace");
    let command = format!("command = ['python3', '-c', \"open('{}', 'w')\"]", trace.display());
    // Inside another policy it is a program all the same.
    for policy in [
        format!("[[policy]]\nkind = 'external'\n{command}\n"),
        format!("[[policy]]\nkind = 'epsilon_greedy'\nepsilon = 0.5\ninner = {{ kind = 'external', {command} }}\n"),
    ] {
        let path = folder.path().join("program.toml");
        write(&path, format!("{}\n{policy}", read(&scenario)));
        let more = ["--data", text(&data), "--quick", "--policy-order", text(&path)];
        let asked = align("parametric", &scenes, &more).expect(2);
        asked.says(&["would run the program `python3", "--allow-external"]);
        assert!(!trace.exists(), "it ran unasked");
    }
}

#[test]
fn the_answers_of_each_scene_are_written() {
    let folder = project(&["--train", "40", "--eval", "20", "--lists", "random", "--reject-share", "0.2"]);
    let (data, out) = (folder.path().join("data"), folder.path().join("out"));
    let scenes = folder.path().join("p/datasets/small_train.jsonl");
    align("parametric", &scenes, &["--data", text(&data), "--out", text(&out)]).expect(0);
    let answers = read(&out.join("answers.jsonl"));
    let lines: Vec<Value> = answers.lines().map(|line| serde_json::from_str(line).expect("an answer")).collect();
    assert!(lines.len() >= 40 && lines.iter().any(|line| line["item_pos"] == line["items"].as_array().unwrap().len()));
    for line in &lines {
        let said = line["probabilities"]["parametric"].as_array().expect("probabilities");
        let options = line["items"].as_array().expect("items").len() + usize::from(line["offers_none"] == true);
        let sum = said.iter().map(|share| share.as_f64().expect("a number")).sum::<f64>();
        assert!(said.len() == options && (sum - 1.0).abs() < 1e-4, "{line}");
    }
}
