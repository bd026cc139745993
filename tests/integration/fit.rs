//! `recmirror fit` on a small log: from files to a model that is measured and that simulates.

use crate::util::{Log, has_runtime, names_in, place, read, recmirror, text, write};
use std::path::Path;

fn fit(data: &Path, out: &Path, more: &[&str]) -> crate::util::Answer {
    let fixed = ["fit", text(data), "--out", text(out), "--epochs", "3", "--scenes", "200"];
    recmirror(&[&fixed[..], more].concat())
}

#[test]
fn a_log_becomes_a_model_that_is_measured_and_simulates() {
    if !has_runtime() {
        return;
    }
    let folder = place();
    let (data, model) = (folder.path().join("shop"), folder.path().join("models").join("mine"));
    Log::synthetic(80, 60).write_recbole(&data);
    let terms = ["--licence", "mine alone", "--replicates", "1"];
    let output = fit(&data, &model, &terms).expect(0).stdout;
    for word in ["verdict:", "item-kNN", "another user's memory", "popularity-matched"] {
        assert!(output.contains(word), "no `{word}` in: {output}");
    }
    assert_eq!(names_in(&folder.path().join("models")), ["mine"], "nothing is left beside the model");
    let files = ["card.toml", "choice.onnx", "item.onnx", "replicates", "start.onnx", "training.json"];
    let more = ["update.onnx", "vector_items.json", "vectors.npy"];
    assert_eq!(names_in(&model), [&files[..], &more].concat());
    let card: toml::Table = toml::from_str(&read(&model.join("card.toml"))).expect("a card");
    assert_eq!(card["version"].as_integer(), Some(2));
    assert_eq!(card["licence"]["data"].as_str(), Some("mine alone"));
    assert!(card["measured"]["verdict"].as_str().is_some_and(|verdict| !verdict.is_empty()));
    assert!(!read(&model.join("card.toml")).contains("MovieLens"), "no other data's words");
    let output = recmirror(&["align", text(&model), text(&data), "--scenes", "100"]).expect(0).stdout;
    assert!(output.contains("verdict: only 100 held-out scenes"), "{output}");
    recmirror(&["align", text(&model.join("replicates/bootstrap-1")), text(&data), "--scenes", "50"]).expect(0);
    let scenario = folder.path().join("try.toml");
    write(
        &scenario,
        "seed = 1\nticks = 3\n[data]\npath = \"shop\"\n[user]\nkind = \"mirror\"\npath = \"models/mine\"\n[[policy]]\nkind = \"popular\"\n",
    );
    recmirror(&["run", text(&scenario), "--out", text(&folder.path().join("run"))]).expect(0);
}

#[test]
fn the_same_log_gives_the_same_bytes_on_any_number_of_threads() {
    if !has_runtime() {
        return;
    }
    let folder = place();
    let data = folder.path().join("shop");
    Log::synthetic(60, 40).write_recbole(&data);
    for threads in ["1", "3"] {
        fit(&data, &folder.path().join(threads), &["--threads", threads]).expect(0);
    }
    for name in names_in(&folder.path().join("1")) {
        let [one, three] =
            ["1", "3"].map(|threads| std::fs::read(folder.path().join(threads).join(&name)).expect("a file"));
        // The name of the model is that of its folder.
        assert!(one == three || name == "card.toml", "{name}");
    }
    let [one, three] = ["1", "3"].map(|threads| read(&folder.path().join(threads).join("card.toml")));
    assert_eq!(one.replace("name = \"1\"", ""), three.replace("name = \"3\"", ""));
}

#[test]
fn unusable_logs_are_reported_before_anything_is_computed() {
    let folder = place();
    let data = folder.path().join("shop");
    Log::synthetic(20, 10).write_recbole(&data);
    let taken = folder.path().join("taken");
    write(&taken.join("notes.txt"), "mine");
    fit(&data, &taken, &[]).expect(2).says(&["exists already", "--force"]);
    fit(&data, &taken, &["--force"]).expect(2).says(&["is not replaced: it is not a model", "card.toml"]);
    assert_eq!(names_in(&taken), ["notes.txt"]);
    fit(&data, &folder.path().join("m"), &["--holdout", "0.95"]).expect(2).says(&["--holdout is 0.95"]);
    fit(&folder.path().join("nowhere"), &folder.path().join("m"), &[]).expect(2).says(&["nowhere"]);
    write(&folder.path().join("m.fit"), "no state");
    fit(&data, &folder.path().join("m"), &["--holdout", "0.2"]).expect(2);
    assert!(!folder.path().join("m").exists());
}

/// A log of 60 users and 30 items with a category, a price and a title each; `category` names that of an item.
fn shop(folder: &Path, category: impl Fn(u32) -> String, items: &str, item: impl Fn(u32, String) -> String) {
    let mut rows = "user,item,rating,timestamp\n".to_owned();
    for user in 0..60u32 {
        for step in 0..12u32 {
            let item = (user * 7 + step * (1 + user % 3)) % 30;
            rows +=
                &format!("u{user},i{item},{},{}\n", 1 + (user + item) % 5, 1_500_000_000 + user * 1_000 + step * 60);
        }
    }
    write(&folder.join("interactions.csv"), &rows);
    let lines: String = (0..30).map(|number| item(number, category(number)) + "\n").collect();
    write(&folder.join("items.csv"), format!("{items}\n{lines}"));
}

#[test]
fn other_fields_than_in_training_are_counted_or_refused() {
    if !has_runtime() {
        return;
    }
    let folder = place();
    let at = |name: &str| folder.path().join(name);
    let kind = |item: u32| format!("kind {}", item % 4);
    let whole = "item,category,price,title";
    shop(&at("mine"), kind, whole, |item, of| format!("i{item},{of},{}.5,the item {item}", item * 3));
    fit(&at("mine"), &at("model"), &[]).expect(0);
    let run = |data: &str, out: &str| {
        let scenario =
            "seed = 1\nticks = 2\n[user]\nkind = \"mirror\"\npath = \"model\"\n[[policy]]\nkind = \"popular\"\n";
        write(&at("try.toml"), format!("{scenario}[data]\npath = \"{data}\"\n"));
        recmirror(&["run", text(&at("try.toml")), "--out", text(&at(out))])
    };
    let manifest = |out: &str| read(&at(out).join("manifest.json"));
    run("mine", "same").expect(0);
    assert!(!manifest("same").contains("they count as other"), "the log of the training");
    // A new category in ten items, and no price.
    let other = |item: u32| if item.is_multiple_of(3) { "brand new".to_owned() } else { kind(item) };
    shop(&at("other"), other, "item,category,title", |item, of| format!("i{item},{of},the item {item}"));
    run("other", "drifted").expect(0);
    for word in [
        "was trained on another log",
        "no field `price`",
        "1 names of `category`",
        "`brand new` is the first",
        "in 10 rows",
    ] {
        assert!(manifest("drifted").contains(word), "no `{word}` in {}", manifest("drifted"));
    }
    // Categories where training had numbers.
    shop(&at("wrong"), kind, whole, |item, of| {
        format!("i{item},{of},{},the item {item}", ["dear", "cheap"][item as usize % 2])
    });
    run("wrong", "refused").expect(2).says(&["`price` is of type category", "made for type number", "data.toml"]);
    assert!(!at("refused").exists());
}

#[test]
fn lists_that_were_shown_are_learned_and_measured() {
    if !has_runtime() {
        return;
    }
    let folder = place();
    let (data, model) = (folder.path().join("feed"), folder.path().join("model"));
    // Of each list of five an item of kind 3 is taken, if there is one; the last users take nothing.
    let (mut rows, mut items) = ("user,item,time,position,clicked,user_age\n".to_owned(), "item,kind\n".to_owned());
    (0..40u32).for_each(|item| items += &format!("i{item},k{}\n", item % 4));
    for list in 0..600u32 {
        let user = list % 50;
        let shown: Vec<u32> = (0..5).map(|slot| (list * 11 + slot * (7 + list % 5 * 2)) % 40).collect();
        let taken = shown.iter().position(|item| item % 4 == 3 && user < 45 && list % 7 > 1);
        for (slot, item) in shown.iter().enumerate() {
            let clicked = u8::from(taken == Some(slot));
            rows += &format!("u{user},i{item},{},{},{clicked},{}\n", 1_600_000_000 + list * 60, slot + 1, 20 + user);
        }
    }
    write(&data.join("log.csv"), &rows);
    write(&data.join("items.csv"), &items);
    write(&data.join("data.toml"), "[columns]\nuser_fields = [\"user_age\"]\n");
    let output =
        recmirror(&["fit", text(&data), "--out", text(&model), "--epochs", "12", "--scenes", "500"]).expect(0).stdout;
    for word in [
        "learned from 480 lists that were shown: 2400 items",
        "at one moment",
        "click gain",
        "constant by slot",
        "level of the held-out lists",
    ] {
        assert!(output.contains(word), "no `{word}` in: {output}");
    }
    assert!(output.contains("verdict: ") && output.contains("120 held-out lists"), "{output}");
    let is_gain = |line: &&str| line.starts_with("click gain") && line.contains("model over constant by slot");
    let gain = output.lines().find(is_gain).expect("a gain on all held-out lists");
    let low = gain.split_whitespace().rev().nth(2).and_then(|low| low.parse::<f64>().ok());
    assert!(low.is_some_and(|low| low > 0.0), "lists teach more than the share by slot: {gain}");
    let card: toml::Table = toml::from_str(&read(&model.join("card.toml"))).expect("a card");
    let learned = &card["training"]["lists"];
    assert_eq!((learned["lists"].as_integer(), learned["items"].as_integer()), (Some(480), Some(2400)));
    assert_eq!(learned["cut"].as_integer(), Some((1_600_000_000 + 480 * 60) * 1000), "milliseconds");
    assert!(card["measured"]["lists"]["temperature"].as_float().is_some_and(|found| found > 0.0), "{card:?}");
    let users = card["features"]["users"]["fields"].as_array().expect("fields");
    assert!(
        users.iter().any(|field| field["field"].as_str() == Some("user_age")),
        "users of whom nothing was taken have an age"
    );
    let output = recmirror(&["align", text(&model), text(&data), "--scenes", "100"]).expect(0).stdout;
    assert!(output.contains("100 held-out lists as they were shown"), "{output}");
    fit(&data, &folder.path().join("weighed"), &["--propensities", "inverse"]).expect(2).says(&["has no propensities"]);
}
