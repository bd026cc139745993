//! `recmirror encode`: item texts become a field of vectors, which every other command reads.

use crate::util::{Log, has_runtime, package, place, read, recmirror, text, write};
use std::path::Path;

fn encode(data: &Path, more: &[&str]) -> crate::util::Answer {
    let embedder = package().join("tests/fixtures/embedder");
    recmirror(&[&["encode", text(data), "--embedder", text(&embedder), "--quiet"], more].concat())
}

#[test]
fn vectors_of_texts_are_a_field_of_every_command() {
    if !has_runtime() {
        return;
    }
    let folder = place();
    let data = folder.path().join("shop");
    Log::synthetic(60, 40).write_recbole(&data);
    let before = recmirror(&["data", text(&data)]).expect(0).stdout;
    assert!(!before.contains("item_vectors"), "{before}");
    let output = encode(&data, &[]).expect(0).stdout;
    assert!(output.contains("for each of 40 items, the field `item_vectors`"), "{output}");
    let one = std::fs::read(data.join("item_vectors.npy")).expect("vectors");
    let after = recmirror(&["data", text(&data)]).expect(0).stdout;
    assert!(after.contains("item_vectors.npy has vectors of") && after.contains("for 40 of 40 items"), "{after}");
    let again = encode(&data, &[]).expect(2).stderr;
    assert!(again.contains("item_vectors.npy exists; --force replaces it"), "{again}");
    encode(&data, &["--force", "--threads", "1"]).expect(0);
    assert!(one == std::fs::read(data.join("item_vectors.npy")).expect("vectors"), "the same bytes");
    let model = folder.path().join("model");
    recmirror(&["fit", text(&data), "--out", text(&model), "--epochs", "2", "--scenes", "50"]).expect(0);
    let card = read(&model.join("card.toml"));
    assert!(card.contains("field = \"item_vectors\""), "{card}");
    // A data set without the files has a model's field missing, and says so.
    for name in ["item_vectors.npy", "item_vectors.json"] {
        std::fs::remove_file(data.join(name)).expect("a file less");
    }
    let scenario = folder.path().join("try.toml");
    write(
        &scenario,
        "ticks = 2\n[data]\npath = \"shop\"\n[user]\nkind = \"mirror\"\npath = \"model\"\n[[policy]]\nkind = \"popular\"\n",
    );
    let run = recmirror(&["run", text(&scenario), "--out", text(&folder.path().join("run"))]).expect(0);
    assert!((run.stdout.clone() + &run.stderr).contains("item_vectors"), "{} {}", run.stdout, run.stderr);
}

#[test]
fn wrong_encoders_and_data_are_named() {
    let folder = place();
    let data = folder.path().join("shop");
    Log::synthetic(20, 20).write_recbole(&data);
    let error = recmirror(&["encode", text(&data), "--embedder", "nowhere", "--quiet"]).expect(2).stderr;
    assert!(error.contains("nowhere"), "{error}");
    let error = encode(&folder.path().join("none"), &[]).expect(2).stderr;
    assert!(error.contains("none") && error.contains("does not exist"), "{error}");
    assert!(!data.join("item_vectors.npy").exists() && !data.join("item_vectors.json").exists());
}
