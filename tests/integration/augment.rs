//! `recmirror augment` as a command: its folder, its table, and what it refuses.

use crate::util::{csv_rows, names_in, read, recmirror, text, with_data, write_scenario};

#[test]
fn logs_with_additions_and_what_policies_learn_from_them() {
    let folder = with_data();
    let scenario = write_scenario(folder.path(), &["popular", "item_knn"]);
    let out = folder.path().join("out");
    let command = ["augment", text(&scenario), "--out", text(&out), "--amounts", "0.5", "--seeds", "2"];
    let output = recmirror(&command).expect(0).stdout;
    assert!(output.contains("NDCG@10 on held-out interactions") && output.contains("simulated-50"), "{output}");
    let names = names_in(&out);
    assert_eq!(
        names,
        ["augment.csv", "item_knn-50", "plain", "policy-50", "popular-50", "random-50", "simulated-50", "swapped-50"]
    );
    // Two policies, six kinds, six measures.
    assert_eq!(csv_rows(&out.join("augment.csv")).len(), 2 * 6 * 6);
    let inside = names_in(&out.join("simulated-50"));
    assert_eq!(inside, ["held_out.csv", "interactions.csv", "recbole", "rejected.csv"]);
    let rows = |name: &str| read(&out.join(name).join("interactions.csv")).lines().count();
    assert!(rows("simulated-50") > rows("plain") && rows("simulated-50") == rows("random-50"));
    let atomic = names_in(&out.join("simulated-50/recbole/simulated-50"));
    assert_eq!(atomic, ["simulated-50.test.inter", "simulated-50.train.inter", "simulated-50.valid.inter"]);
    let first = read(&out.join("augment.csv"));
    recmirror(&command).expect(2).says(&["--force"]);
    recmirror(&[&command[..], &["--force"]].concat()).expect(0);
    assert_eq!(read(&out.join("augment.csv")), first, "the same seed gives the same table");
}

#[test]
fn impossible_additions_are_refused() {
    let folder = with_data();
    let scenario = write_scenario(folder.path(), &["popular", "item_knn"]);
    let out = folder.path().join("out");
    let command = ["augment", text(&scenario), "--out", text(&out)];
    recmirror(&[&command[..], &["--amounts", "0"]].concat()).expect(2).says(&["--amounts has 0"]);
    recmirror(&[&command[..], &["--policy", "bpr"]].concat()).expect(2).says(&["`bpr`", "popular, item_knn"]);
    assert!(!out.exists(), "nothing is left behind");
}
