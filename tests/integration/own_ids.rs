//! Own tables with ids of any text go through everything: the pipeline, `align`, runs.

use crate::util::{place, read, recmirror, text, write};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

const USERS: [&str; 5] = ["00", "7f3e-\u{fc}", "a, b", "say \"hi\"", "\u{6771}\u{4eac}"];
const ITEMS: [&str; 4] = ["001", "x,y", "caf\u{e9}", "id with spaces"];

fn user(number: usize) -> String {
    format!("{}#{number}", USERS[number % USERS.len()])
}

fn item(number: usize) -> String {
    format!("{}#{number}", ITEMS[number % ITEMS.len()])
}

/// A cell of a CSV file.
fn cell(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// A log and a table of items; half of the rows share their second with another one.
fn tables(folder: &Path) {
    let mut log = "customer,sku,time,rating\n".to_owned();
    for number in 0..60 {
        for step in 0..12 {
            let (user, item) = (user(number), item((number * 7 + step * (number % 3 + 1)) % 40));
            let time = 1_577_934_245_000_u64 + (number * 10_000 + step * 500) as u64;
            let _ = writeln!(log, "{},{},{time},{}", cell(&user), cell(&item), (number + step) % 11);
        }
    }
    let mut items = "sku,label,price,kind\n".to_owned();
    for number in 0..40 {
        let _ = writeln!(items, "{},Thing {number},{}.5,k{}", cell(&item(number)), number, number % 4);
    }
    write(&folder.join("events.csv"), log);
    write(&folder.join("products.csv"), items);
    write(
        &folder.join("data.toml"),
        "log = 'events.csv'\n[columns]\nuser = 'customer'\nitem = 'sku'\n[items]\nfile = 'products.csv'\nid = 'sku'\ntitle = 'label'\n",
    );
}

#[test]
fn ids_of_any_text_go_through_the_pipeline_alignment_and_runs() {
    let folder = place();
    let (shop, project) = (folder.path().join("shop"), folder.path().join("p"));
    tables(&shop);
    let wanted = ["--train", "40", "--eval", "20", "--lists", "random", "--train-lists", "5"];
    let made = [&["scenes", text(&shop), "--project", text(&project)], &wanted[..]].concat();
    let output = recmirror(&made).expect(0).stdout;
    assert!(output.contains("wrote shop (tables, tables)") && output.contains("eval scenes"), "{output}");
    let scenes = project.join("datasets/shop_eval.jsonl");
    let known: BTreeSet<String> = (0..60).map(user).collect();
    for line in read(&scenes).lines() {
        let scene: serde_json::Value = serde_json::from_str(line).expect("a scene");
        assert!(known.contains(scene["user_id"].as_str().expect("an id")), "{line}");
        let list = scene["text"]["action_list"].as_array().expect("a list");
        assert!(
            list.iter()
                .all(|text| text.as_str().is_some_and(|text| text.starts_with("Thing ") && text.contains("price: "))),
            "{line}"
        );
    }
    // A second time the data set is in the project, and the scenes are the same.
    let before = read(&scenes);
    recmirror(&made).expect(0);
    recmirror(&[&["scenes", "--project", text(&project), "--datasets", "shop"], &wanted[..]].concat()).expect(0);
    assert_eq!(read(&scenes), before);
    recmirror(&["align", "parametric", text(&scenes), "--data", text(&shop), "--quick", "--quiet"]).expect(0);

    let out = folder.path().join("run");
    let scenario = folder.path().join("s.toml");
    write(
        &scenario,
        "ticks = 3\nreplications = 1\n[data]\npath = 'shop'\n[user]\nkind = 'parametric'\n[[policy]]\nkind = 'popular'\n",
    );
    recmirror(&["run", text(&scenario), "--out", text(&out), "--quiet"]).expect(0);
    let users = read(&out.join("users.csv"));
    assert!(users.contains("00#0") && users.contains("\u{6771}\u{4eac}#4"), "{users}");
}

#[test]
fn lists_of_own_tables_are_those_of_scenes() {
    let folder = place();
    let (shop, project) = (folder.path().join("shop"), folder.path().join("p"));
    let mut log = "user_id,timestamp,article_ids_inview,article_ids_clicked\n".to_owned();
    for user in 0..30 {
        for step in 0..8 {
            let list: Vec<String> = (0..4).map(|slot| format!("a{}", (user * 3 + step * 4 + slot) % 50)).collect();
            let taken = if step % 4 == 3 { "" } else { list[(user + step) % 4].as_str() };
            let _ = writeln!(log, "u{user},{},{},{taken}", 1_577_934_245 + user * 9 + step * 100, list.join(" "));
        }
    }
    write(&shop.join("log.csv"), log);
    let output = recmirror(&["scenes", text(&shop), "--project", text(&project), "--train", "20", "--eval", "10"])
        .expect(0)
        .stdout;
    let lines = read(&project.join("datasets/shop_eval.jsonl"));
    assert!(lines.lines().count() >= 5, "{output}");
    for line in lines.lines() {
        let scene: serde_json::Value = serde_json::from_str(line).expect("a scene");
        let list: Vec<usize> = scene["items"]
            .as_array()
            .expect("items")
            .iter()
            .map(|id| id.as_str().expect("an id")[1..].parse().expect("a number"))
            .collect();
        assert!(list.windows(2).all(|pair| pair[1] == (pair[0] + 1) % 50), "the list as it was shown: {line}");
        assert_eq!(scene["items"][scene["item_pos"].as_u64().expect("a place") as usize], scene["item_id"]);
    }
}
