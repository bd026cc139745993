//! The audit of lists, and sentence embeddings for them.

use super::*;

#[test]
fn the_audit_finds_artefacts_of_a_builder() {
    let (folder, raws) = (place(), Raws::new());
    raws.write(folder.path(), "x");
    // Texts share a word within a saga of six: what is most like the real item is of its saga.
    let answer =
        scenes(folder.path(), "x", &["--train", "200", "--eval", "150", "--lists", "reference,random"]).expect(0);
    let audit: Value = serde_json::from_str(&read(&folder.path().join("datasets/x_audit.json"))).expect("an audit");
    assert_eq!(
        (&audit["dataset"], &audit["content"], &audit["lists"]),
        (&json!("x"), &json!("tfidf"), &json!("reference:1,random:1"))
    );
    let finding = |lists: &str, rule: &str| -> Value {
        let all = audit["audit"]["eval"].as_array().expect("findings");
        all.iter().find(|of| of["lists"] == lists && of["rule"] == rule).expect("a finding").clone()
    };
    let given_away = finding("reference", "word centre");
    assert_eq!((&given_away["chance"], &given_away["warning"]), (&json!(0.2), &json!(true)), "{given_away}");
    assert!(given_away["found"].as_f64().expect("a share") >= 0.3, "{given_away}");
    assert_eq!(finding("random", "word centre")["warning"], false);
    assert_eq!(finding("random", "last slot")["warning"], false);
    assert!(answer.stdout.contains("warning: in reference lists the rule `word centre` finds"));
    let again = scenes(folder.path(), "x", &["--train", "200", "--eval", "150", "--content", "none"]).expect(0);
    assert!(again.stdout.contains("content none"));
}

#[test]
fn sentence_embeddings_are_stored_and_recomputed_when_stale() {
    if !has_data_and_runtime() {
        return;
    }
    let (folder, raws) = (place(), Raws::new());
    raws.write(folder.path(), "x");
    let embedder = package().join("tests/fixtures/embedder").to_string_lossy().into_owned();
    let made = || {
        let answer = scenes(folder.path(), "x", &["--train", "40", "--eval", "10", "--embedder", &embedder]).expect(0);
        (answer.stdout, read(&folder.path().join("datasets/x_train.jsonl")))
    };
    let (output, first) = made();
    assert!(output.contains("(vectors computed now)") && output.contains("sentence centre"), "{output}");
    assert_eq!(names_in(&folder.path().join("embeddings")), ["x_items.json", "x_items.npy"]);
    let (output, second) = made();
    assert!(output.contains("(vectors kept in embeddings/)"), "{output}");
    assert_eq!(first, second);
    let file = folder.path().join("embeddings/x_items.npy");
    let whole = std::fs::read(&file).expect("vectors");
    let mut bytes = whole.clone();
    *bytes.last_mut().expect("a byte") ^= 1;
    write(&file, &bytes);
    let (output, third) = made();
    assert!(output.contains("(vectors computed now)"), "a damaged file: {output}");
    assert!(first == third && std::fs::read(&file).expect("vectors") == whole);
    let items = folder.path().join("raws/x_item_feature.jsonl");
    write(&items, read(&items).replacen("river saga0 t0", "a new film t0", 1));
    assert!(made().0.contains("(vectors computed now)"), "another text");
}
