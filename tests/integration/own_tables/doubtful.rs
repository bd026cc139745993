//! Logs of which a part could be lost or misunderstood silently: each is read whole, noted, or refused.

use super::{read, refused, rows};

#[test]
fn parts_of_a_log_are_named() {
    let data = read(&[("test.csv", "user,item,rating\nu,a,5\n"), ("train.csv", "user,item,rating\nu,b,1\n")]);
    let notes = data.notes.join("\n");
    assert!(notes.contains("the log has 2 parts with the same columns: test.csv, train.csv"), "{notes}");
    let notes = read(&[("train.csv", "user,item,rating\nu,b,1\n")]).notes.join("\n");
    assert!(!notes.contains("parts"), "{notes}");
}

#[test]
fn tables_that_cannot_be_read_are_not_left_out() {
    const LOG: (&str, &str) = ("log.csv", "user,item\nu,a\n");
    let problem = refused(&[LOG, ("log2.csv", "")]);
    assert!(problem.contains("log2.csv: the file is empty") && problem.contains("move it away"), "{problem}");
    let problem = refused(&[LOG, ("products.json", "[{\"sku\": \"a\"}]")]);
    assert!(problem.contains("products.json: the file is one JSON value"), "{problem}");
    let problem = refused(&[("log.csv", "")]);
    assert!(problem.contains("log.csv: the file is empty"), "{problem}");
    // What is neither called like a table of the data nor written like its log is noted; so is all that a named log leaves.
    let notes = read(&[LOG, ("about.json", "[1]")]).notes.join("\n");
    assert!(notes.contains("not read:") && notes.contains("about.json: the file is one JSON value"), "{notes}");
    let notes = read(&[LOG, ("log2.csv", ""), ("data.toml", "log = 'log.csv'\n")]).notes.join("\n");
    assert!(notes.contains("log2.csv: the file is empty"), "{notes}");
}

#[test]
fn rows_without_a_click_are_counted() {
    let data = read(&[("log.csv", "user,item,impression,clicked\nu,a,1,1\nu,b,1,\nv,a,2,NULL\nv,b,2,0\n")]);
    assert_eq!((data.impressions.counts_by_taken(), rows(&data).len()), ([1, 1, 0], 1));
    let notes = data.notes.join("\n");
    assert!(notes.contains("2 rows have no value in `clicked`") && notes.contains("log.csv:3"), "{notes}");
}

#[test]
fn rows_of_one_list_may_have_times_of_their_own() {
    let log = "user_id,item_id,request_id,position,clicked,timestamp\n\
        u,a,r1,1,0,1700000000\nu,b,r1,2,0,1700000004\nu,b,r1,2,1,1700000009\nu,a,r2,1,0,1700090000\n";
    let data = read(&[("log.csv", log)]);
    assert_eq!((data.impressions.counts_by_taken(), data.impressions.items.len()), ([1, 1, 0], 3));
    assert_eq!(data.impressions.times[0], 1_700_000_000_000);
    let notes = data.notes.join("\n");
    assert!(notes.contains("1 lists have rows of several times, up to 9 seconds apart"), "{notes}");
    assert!(notes.contains("1 rows show an item once more in the same list and slot"), "{notes}");
}

#[test]
fn quotes_may_be_letters() {
    let log = "user\titem\ttrack\nu\ta\t\"Heroes\nv\tb\tx\nv\ta\t\"Low\nu\tb\ty\n";
    let problem = refused(&[("log.tsv", log)]);
    assert!(problem.contains("log.tsv:2: a quote opens in field 3"), "{problem}");
    let data = read(&[("log.tsv", log), ("data.toml", "quotes = false\n[columns]\nitem_fields = ['track']\n")]);
    assert_eq!(rows(&data).len(), 4);
}

#[test]
fn numbers_may_stand_for_no_rating() {
    let log = ("log.csv", "user_id,anime_id,rating\nu,a,-1\nu,b,10\nv,a,7\n");
    let data = read(&[log]);
    let scale = data.scale.expect("a scale");
    let notes = data.notes.join("\n");
    assert_eq!(scale.min, -1.0);
    assert!(notes.contains("the rating -1 is given 1 times, and all others are from 7 to 10"), "{notes}");
    let data = read(&[log, ("data.toml", "unrated = [-1]\n")]);
    assert!(rows(&data)[0].2.is_nan() && data.scale.is_some_and(|scale| scale.min == 1.0), "{:?}", data.scale);
    assert!(data.notes.iter().any(|note| note == "1 rows have no rating"), "{:?}", data.notes);
    for log in ["user,item,rating\nu,a,0\nu,b,1\n", "user,item,rating\nu,a,-10\nu,b,3\nv,b,-2.5\n"] {
        assert!(!read(&[("log.csv", log)]).notes.join("\n").contains("unrated"), "{log}");
    }
}

#[test]
fn values_in_records_have_names_with_points() {
    let log = "{\"event\": {\"user\": {\"id\": \"u\"}, \"item\": \"a\"}, \"meta\": {\"ts\": 1600000000}}\n";
    let problem = refused(&[("events.jsonl", log)]);
    assert!(problem.contains("holds no log") && problem.contains("name your columns in a `data.toml`"), "{problem}");
    let toml = "[columns]\nuser = 'event.user.id'\nitem = 'event.item'\ntime = 'meta.ts'\n";
    let data = read(&[("events.jsonl", log), ("data.toml", toml)]);
    assert_eq!(rows(&data)[0].3, 1_600_000_000);
    let problem = refused(&[("events.jsonl", log), ("data.toml", &toml.replace("meta.ts", "meta.time"))]);
    assert!(problem.contains("no column `meta.time`") && problem.contains("`event.user.id`"), "{problem}");
}

#[test]
fn tables_that_are_not_about_items_can_be_left_out() {
    let log = ("events.csv", "visitorid,itemid\nu,7\n");
    let long = "itemid,property,value\n7,a,1\n7,b,2\n";
    let problem = refused(&[log, ("properties1.csv", long), ("properties2.csv", long)]);
    assert!(
        problem.contains("several tables could hold the items") && problem.contains("`file = \"\"` for none"),
        "{problem}"
    );
    let problem = refused(&[log, ("properties.csv", long)]);
    assert!(problem.contains("properties.csv:3: item id `7` occurs for the second time"), "{problem}");
    assert!(problem.contains("none with `[items]`, `file = \"\"`"), "{problem}");
    let data = read(&[log, ("properties.csv", long), ("data.toml", "[items]\nfile = ''\n")]);
    assert!(
        data.item_fields.is_empty() && data.notes.join("\n").contains("not read: properties.csv"),
        "{:?}",
        data.notes
    );
}

#[test]
fn folders_without_tables_say_what_they_hold() {
    let problem = refused(&[("train/log.csv", "user,item\nu,a\n"), ("log.zip", "PK")]);
    assert!(problem.contains("it holds: log.zip, and the folders train; log.zip is an archive"), "{problem}");
}
