//! One's own tables as data sets: any form, any names, any scale, any spelling of times.

mod doubtful;
mod published;

use crate::util::{dataset, place, write};
use recmirror::dataset::{Cleaner, Column, Dataset, read_exposures};
use recmirror::ids::ItemId;
use std::path::Path;

/// A data set of these files.
fn read(files: &[(&str, &str)]) -> Dataset {
    let folder = place();
    files.iter().for_each(|(name, text)| write(&folder.path().join(name), text));
    dataset(folder.path())
}

/// The error on files that are no data set.
fn refused(files: &[(&str, &str)]) -> String {
    let folder = place();
    files.iter().for_each(|(name, text)| write(&folder.path().join(name), text));
    Dataset::read(folder.path()).expect_err("refused").to_string()
}

/// The rows as (user, item, rating, time in seconds).
fn rows(data: &Dataset) -> Vec<(&str, &str, f32, i64)> {
    let row = |row: &recmirror::dataset::Interaction| {
        (data.users.external(row.user.0), data.items.external(row.item.0), row.rating, row.time.div_euclid(1_000))
    };
    data.interactions.iter().map(row).collect()
}

fn kinds(data: &Dataset) -> Vec<(&str, &str)> {
    data.item_fields.iter().map(|field| (field.name.as_str(), field.column.kind())).collect()
}

#[test]
fn zones_order_rows_and_days_are_days() {
    let data = read(&[(
        "shop_interaction.csv",
        "user_id,item_id,timestamp\nu1,late,2020-01-01 02:00:00-08:00\nu1,early,2020-01-01 09:00:00+09:00\n",
    )]);
    let items: Vec<_> = rows(&data).iter().map(|row| (row.1, row.3)).collect();
    assert_eq!(items, [("early", 1_577_836_800), ("late", 1_577_872_800)]);
    let data = read(&[("log.csv", "user,item,date\na,x,20200119\nb,x,20200120\n")]);
    assert_eq!(rows(&data).iter().map(|row| row.3).collect::<Vec<_>>(), [1_579_392_000, 1_579_478_400]);
    assert!(data.notes.iter().any(|note| note.contains("days (YYYYMMDD)")), "{:?}", data.notes);
}

#[test]
fn milliseconds_are_noted_and_order_rows_of_one_second() {
    let text = "user_id,item_id,timestamp,rating\nu1,8,1577934246500,3\nu1,7,1577934246100,4\nu2,7,1577934247000,5\n";
    let data = read(&[("log.csv", text)]);
    let found = |data: &Dataset| -> Vec<(String, i64)> {
        data.interactions.iter().map(|row| (data.items.external(row.item.0).to_owned(), row.time)).collect()
    };
    let wanted = [("7", 1_577_934_246_100), ("8", 1_577_934_246_500), ("7", 1_577_934_247_000)];
    assert_eq!(found(&data), wanted.map(|(item, time)| (item.to_owned(), time)));
    let notes = data.notes.join("\n");
    assert!(notes.contains("`timestamp` holds milliseconds since 1970") && !notes.contains("cut to"), "{notes}");
    let finer = read(&[("log.csv", "user_id,item_id,timestamp\nu1,8,1577934246100900\nu1,7,1577934246100100\n")]);
    assert_eq!(found(&finer), [("7".to_owned(), 1_577_934_246_100), ("8".to_owned(), 1_577_934_246_100)]);
    assert!(finer.notes.join("\n").contains("cut to whole milliseconds"), "{:?}", finer.notes);
    let problem = refused(&[("log.csv", "user,item,time\na,x,1577934245\na,y,1577934246500\n")]);
    assert!(problem.contains("log.csv:3: the time `1577934246500` is in milliseconds"), "{problem}");
    let problem = refused(&[("log.csv", "user,item,time\na,x,1577934245\na,y,soon\n")]);
    assert!(problem.contains("log.csv:3: `soon` is not a time"), "{problem}");
}

#[test]
fn scales_are_read_or_given_and_ratings_outside_have_a_line() {
    let scale = |ratings: &str| {
        let lines: String = ratings.split(' ').enumerate().map(|(at, rating)| format!("u{at},i,{rating}\n")).collect();
        let scale = read(&[("log.csv", &format!("user,item,rating\n{lines}"))]).scale.expect("a scale");
        (scale.min, scale.max)
    };
    assert_eq!(scale("87.5 12 100 0"), (0.0, 100.0));
    assert_eq!((scale("0.5 4.5"), scale("0 1"), scale("-10 7.5")), ((0.5, 5.0), (0.0, 1.0), (-10.0, 7.5)));
    let log = ("log.csv", "user,item,rating\na,x,3\nb,x,11\n");
    let problem = refused(&[log, ("data.toml", "scale = [0, 10]\n")]);
    assert!(problem.contains("log.csv:3: rating 11 is outside the scale from 0 to 10"), "{problem}");
    let data = read(&[("log.csv", "user,item,rating\na,x,3\nb,x,4\n"), ("data.toml", "scale = [-10, 10]\n")]);
    assert_eq!(data.scale.map(|scale| (scale.min, scale.max)), Some((-10.0, 10.0)));
    let problem = refused(&[("log.csv", "user,item,rating\na,x,good\n")]);
    assert!(problem.contains("log.csv:2: rating `good` is not a finite number"), "{problem}");
}

#[test]
fn semicolons_decimal_commas_marks_and_line_ends_do_not_matter() {
    let plain =
        read(&[("log.csv", "user_id,item_id,time,rating\nu1,7,2020-01-02 03:04:05,4.5\nu1,8,2020-01-03,2.0\n")]);
    for text in [
        "user_id;item_id;time;rating\nu1;7;2020-01-02 03:04:05;4,5\nu1;8;2020-01-03;2,0\n",
        "\u{feff}user_id,item_id,time,rating\r\nu1,7,2020-01-02 03:04:05,4.5\r\nu1,8,2020-01-03,2.0\r\n",
        "user_id\titem_id\ttime\trating\ru1\t7\t2020-01-02 03:04:05\t4.5\ru1\t8\t2020-01-03\t2.0\r",
        "{\"user_id\": \"u1\", \"item_id\": 7, \"time\": \"2020-01-02 03:04:05\", \"rating\": 4.5}\n\
         {\"user_id\": \"u1\", \"item_id\": \"8\", \"time\": \"2020-01-03\", \"rating\": 2}\n",
    ] {
        assert_eq!(rows(&read(&[("log.csv", text)])), rows(&plain), "{text}");
    }
    let folder = place();
    write(&folder.path().join("log.csv"), b"user_id,item_id\n1,\xb5\xe7\xd3\xb0\n");
    let problem = Dataset::read(&folder.path().join("log.csv")).expect_err("GBK").to_string();
    assert!(problem.contains("log.csv:2: field 2 is not UTF-8, it looks like GBK"), "{problem}");
}

#[test]
fn a_mark_at_the_beginning_of_atomic_files_is_no_part_of_a_name() {
    let head = "\u{feff}user_id:token\titem_id:token\trating:float\ttimestamp:float\n";
    let data = read(&[("bom.inter", &format!("{head}u1\ti1\t4\t1577934245\nu2\ti2\t1\t1577934248\n"))]);
    assert_eq!(rows(&data), [("u1", "i1", 4.0, 1_577_934_245), ("u2", "i2", 1.0, 1_577_934_248)]);
}

#[test]
fn the_order_of_lines_changes_nothing_where_there_are_times() {
    let mut lines = [
        "u1,a,1577934245,4",
        "u1,a,1577934245,5",
        "u1,b,1577934345,2",
        "u2,a,1577934246,3",
        "u10,a,1577934246,3",
        "u1,c,1577934345,1",
        "u2,c,1577934246,3",
        "u1,b,1577934999,5",
    ];
    let mut seen: Option<(Vec<_>, usize)> = None;
    for turn in 0..lines.len() {
        lines.rotate_left(1);
        lines.swap(turn, 3);
        let text = format!("user_id,item_id,timestamp,rating\n{}\n", lines.join("\n"));
        let data = read(&[("log.csv", &text)]);
        let found: Vec<(String, String, f32, i64)> =
            rows(&data).into_iter().map(|row| (row.0.to_owned(), row.1.to_owned(), row.2, row.3)).collect();
        let counts = [Cleaner::ContradictingRow, Cleaner::RepeatedItem].map(|cleaner| data.cleanup.of(cleaner));
        assert_eq!(counts, [1, 1], "{}", data.cleanup);
        assert_eq!(*seen.get_or_insert((found.clone(), data.users.len())), (found, data.users.len()));
    }
    let (rows, _) = seen.expect("rows");
    assert_eq!(rows[0], ("u1".to_owned(), "a".to_owned(), 5.0, 1_577_934_245), "the highest rating is kept");
    assert_eq!((rows[1].1.as_str(), rows[2].1.as_str()), ("b", "c"), "one second: in the order of ids");
}

#[test]
fn logs_without_items_show_ids() {
    let data = read(&[("shop_interaction.csv", "user_id,item_id,timestamp\nu1,a,1577934245\nu1,b,1577934246\n")]);
    assert_eq!((data.title_of(ItemId(0)), data.title_of(ItemId(1)), data.title.is_none()), ("a", "b", true));
    assert!(data.notes.iter().any(|note| note.contains("no table of items")), "{:?}", data.notes);
    assert!(data.scale.is_none() && data.interactions.iter().all(|row| row.rating.is_nan()));
}

#[test]
fn logs_without_times_keep_the_order_of_the_file() {
    let data = read(&[("log.csv", "user,item\nb,z\na,y\nb,x\n")]);
    assert_eq!(rows(&data).iter().map(|row| (row.0, row.1)).collect::<Vec<_>>(), [("a", "y"), ("b", "z"), ("b", "x")]);
    assert!(!data.has_times && data.notes.iter().any(|note| note.contains("has no times")), "{:?}", data.notes);
}

#[test]
fn ids_are_any_text() {
    let ids = ["007", "7", "a,b", "say \"x\"", "two\nlines", "日本 語", "c7ad-41"];
    let quoted = |id: &&str| format!("u,\"{}\"\n", id.replace('"', "\"\""));
    let log = format!("user,item\n{}", ids.iter().map(quoted).collect::<String>());
    let item = |id: &&str| format!("\"{}\",N\n", id.replace('"', "\"\""));
    let items = format!("item_id,name\n{}", ids.iter().rev().map(item).collect::<String>());
    let data = read(&[("log.csv", &log), ("items.csv", &items)]);
    let mut found: Vec<&str> = rows(&data).iter().map(|row| row.1).collect();
    found.sort_unstable();
    let mut wanted = ids.to_vec();
    wanted.sort_unstable();
    assert_eq!(found, wanted);
    assert_eq!((data.items.len(), data.cleanup.of(Cleaner::UnknownItem)), (ids.len(), 0));
}

const ITEMS: &str = "sku,name,price,tags,zip,launched,blurb,maker\n\
    001,Cup,4.50,red|small,0123,2020-01-31,A cup that holds more tea than any other cup,Acme\n\
    002,Plate,6,red,0123,2021-03-01,A plate that is as flat as the plates of old,Acme\n\
    003,Bowl,,small,0456,,A bowl for soup or for fish that nobody wants,Bolt\n";

#[test]
fn fields_are_typed_by_their_values_or_as_given() {
    let log = ("orders.csv", "customer_id,sku,qty,when\n9,001,2,2022-01-01\n9,003,1,2022-01-02\n10,002,5,2022-01-03\n");
    let data = read(&[
        log,
        ("products.csv", ITEMS),
        ("people.jsonl", "{\"customer_id\": 9, \"vip\": true}\n{\"customer_id\": 10}\n"),
    ]);
    let wanted = [
        ("name", "text"),
        ("price", "number"),
        ("tags", "categories"),
        ("zip", "category"),
        ("launched", "time"),
        ("blurb", "text"),
        ("maker", "category"),
    ];
    assert_eq!(kinds(&data), wanted);
    assert_eq!((data.title.as_deref(), data.released.as_deref()), (Some("name"), None));
    assert_eq!(data.title_of(ItemId(2)), "Bowl");
    assert_eq!(data.user_fields.get("vip").map(|field| field.column.filled()), Some(1));
    assert_eq!(data.weights, [2.0, 1.0, 5.0]);
    let toml =
        "[items]\nprovider = 'maker'\nreleased = 'launched'\n[items.fields]\nprice = 'category'\nblurb = 'ignore'\n";
    let data = read(&[log, ("products.csv", ITEMS), ("data.toml", toml)]);
    assert_eq!((data.provider.as_deref(), data.released.as_deref()), (Some("maker"), Some("launched")));
    assert!(data.item_fields.get("blurb").is_none());
    assert!(matches!(&data.item_fields.get("price").expect("price").column, Column::Category { .. }));
    let catalogue = recmirror::dataset::Catalogue::of(&data);
    let years: Vec<f32> = (0..3).map(|item| catalogue.year(ItemId(item)).floor()).collect();
    assert_eq!(years[..2], [2020.0, 2021.0]);
    assert!(years[2].is_nan());
    let problem = refused(&[log, ("products.csv", ITEMS), ("data.toml", "[items.fields]\nname = 'number'\n")]);
    assert!(problem.contains("the field `name` has the value `Cup`, which is no finite number"), "{problem}");
    let problem = refused(&[log, ("products.csv", ITEMS), ("data.toml", "[colums]\nuser = 'x'\n")]);
    assert!(problem.contains("data.toml") && problem.contains("unknown field `colums`"), "{problem}");
}

#[test]
fn columns_may_have_any_name() {
    let log = ("events.tsv", "wer\twas\twann\twie\nu\tx\t2020-01-01\t3\n");
    let problem = refused(&[log]);
    assert!(
        problem.contains("no table has columns like `user_id` and `item_id`") && problem.contains("events.tsv"),
        "{problem}"
    );
    let toml = "[columns]\nuser = 'wer'\nitem = 'was'\ntime = 'wann'\nrating = 'wie'\n";
    assert_eq!(rows(&read(&[log, ("data.toml", toml)])), [("u", "x", 3.0, 1_577_836_800)]);
    let toml = "log = 'events.tsv'\n[columns]\nuser = 'who'\n";
    let problem = refused(&[log, ("data.toml", toml)]);
    assert!(problem.contains("events.tsv:1: no column `who`, which data.toml names"), "{problem}");
}

const FLAT: &str = "user_id,item_id,timestamp,clicked,position,propensity\n\
    u1,b,100,0,2,0.2\nu1,a,100,1,1,0.5\nu1,c,100,1,3,0.3\nu2,a,90,0,1,0.5\nu2,b,90,0,2,0.2\nu1,c,200,1,1,0.3\n";

#[test]
fn flat_tables_of_exposures_are_lists() {
    let data = read(&[("log.csv", FLAT)]);
    assert_eq!(data.impressions.counts_by_taken(), [1, 1, 1]);
    let list = data.impressions.get(1);
    let items: Vec<&str> = list.items.iter().map(|item| data.items.external(item.0)).collect();
    assert_eq!((items, list.taken, list.slots), (vec!["a", "b", "c"], &[true, false, true][..], &[0, 1, 2][..]));
    assert_eq!(data.impressions.propensities[..2], [0.5, 0.2]);
    let taken: Vec<_> = rows(&data).iter().map(|row| (row.0, row.1, row.3)).collect();
    assert_eq!(taken, [("u1", "a", 100), ("u1", "c", 100)], "only what was taken is an interaction, and once");
    assert_eq!((data.users.len(), data.items.len()), (2, 3));
    let grouped = "request_id,user_id,item_id,clicked\nr1,u,a,0\nr2,u,b,1\nr1,u,b,0\nr3,v,a,1\nr3,v,b,1\n";
    assert_eq!(read(&[("log.csv", grouped)]).impressions.counts_by_taken(), [1, 1, 1]);
    let problem = refused(&[("log.csv", "user,item,clicked\nu,a,7\n")]);
    assert!(problem.contains("log.csv:2: clicked `7` is neither 0 nor 1"), "{problem}");
}

#[test]
fn columns_of_lists_are_lists() {
    let lists = "user_id,impression_time,article_ids_inview,article_ids_clicked\n\
        u,2020-01-01,a b c,b\nv,2020-01-02,a b,\nu,2020-01-03,\"[\"\"c\"\", \"\"a\"\"]\",c a\n";
    let data = read(&[("behaviors.csv", lists)]);
    assert_eq!(data.impressions.counts_by_taken(), [1, 1, 1]);
    assert_eq!(rows(&data).iter().map(|row| (row.0, row.1)).collect::<Vec<_>>(), [("u", "b"), ("u", "a"), ("u", "c")]);
    let custom = "user_id,item_id,timestamp,impression_list,item_pos\nu,7,5,8 7,1\nu,8,6,8 7,0\n";
    assert_eq!(read(&[("shop_interaction.csv", custom)]).impressions.counts_by_taken(), [0, 2, 0]);
    let problem = refused(&[("log.csv", "user,shown,clicks\nu,a b,c\n")]);
    assert!(problem.contains("log.csv:2: `c` was taken, but it is not in the list"), "{problem}");
}

#[test]
fn parts_of_a_log_are_one_log_and_other_logs_are_reported() {
    let data = read(&[("2020.csv", "user,item,time\nu,a,5\n"), ("2021.csv", "user,item,time\nu,b,6\n")]);
    assert_eq!(data.interactions.len(), 2);
    let problem = refused(&[("a.csv", "user,item\nu,a\n"), ("b.csv", "user,item,rating\nu,a,1\n")]);
    assert!(problem.contains("several logs (a.csv, b.csv)"), "{problem}");
    let data = read(&[
        ("a.csv", "user,item\nu,a\n"),
        ("b.csv", "user,item,rating\nu,a,1\n"),
        ("data.toml", "log = 'b.csv'\n"),
    ]);
    assert_eq!(rows(&data)[0].2, 1.0);
}

#[test]
fn exposures_are_aligned_to_the_log() {
    let data = read(&[("log.csv", "user,item,rating\n0,0,5\n0,1,3\n1,1,4\n1,2,1\n")]);
    let folder = place();
    let read = |name: &str, text: &str| {
        write(&folder.path().join(name), text);
        read_exposures(&folder.path().join(name), &data)
    };
    // Two users and three items: 0 means "not shown".
    let dense = read("test.ascii", "0 4 5\n1 0 0\n").expect("a matrix");
    let first = dense.impressions.get(0);
    assert_eq!((first.items, dense.impressions.len()), (&[ItemId(1), ItemId(2)][..], 2));
    assert_eq!(dense.impressions.ratings, [4.0, 5.0, 1.0]);
    assert_eq!(dense.scale, data.scale);
    let flat = read("flat.csv", "user,item,clicked\n0,2,1\n0,1,0\n9,1,1\n0,77,0\n").expect("a table");
    assert_eq!((flat.impressions.items.len(), flat.impressions.counts_by_taken()), (2, [0, 1, 0]));
    assert!(flat.impressions.ratings.is_empty() && flat.scale.is_none());
    let notes = flat.notes.join("\n");
    assert!(notes.contains("1 rows of users that the log does not have") && notes.contains("flat.csv:4"), "{notes}");
    let rated = read("rated.csv", "user,item,rating\n1,0,2\n1,2,3\n0,2,5\n").expect("a table");
    assert_eq!((rated.impressions.len(), rated.impressions.ratings.clone()), (2, vec![5.0, 2.0, 3.0]));
    let problem = read("wrong.csv", "user,item,rating\n1,0,6\n").expect_err("outside").to_string();
    assert!(problem.contains("wrong.csv:2: rating 6 is outside the scale of the log from 1 to 5"), "{problem}");
    let problem = read("other.csv", "user,item,rating\nx,y,3\n").expect_err("others").to_string();
    assert!(problem.contains("are the ids the same?"), "{problem}");
    assert!(read_exposures(Path::new("nowhere.csv"), &data).is_err());
}
