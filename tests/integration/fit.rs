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
    let told = fit(&data, &model, &terms).expect(0).stdout;
    for word in ["verdict:", "item-kNN", "another user's memory", "popularity-matched"] {
        assert!(told.contains(word), "no `{word}` in: {told}");
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
    let told = recmirror(&["align", text(&model), text(&data), "--scenes", "100"]).expect(0).stdout;
    assert!(told.contains("verdict: only 100 held-out scenes"), "{told}");
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
fn what_cannot_be_fitted_is_said_before_anything_is_computed() {
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
