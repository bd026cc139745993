//! `import` on wrong files and with its options: clear errors, counted drops, nothing half-written.

use crate::util::{Answer, names_in, place, read, recmirror, text, write};
use std::io::Write;
use std::path::Path;

fn import(family: &str, folder: &Path, more: &[&str]) -> Answer {
    let (from, project) = (folder.join("from"), folder.join("project"));
    let mut arguments = vec!["import", family, text(&from), "--project", text(&project), "-q"];
    if !more.contains(&"--name") {
        arguments.extend(["--name", "x"]);
    }
    arguments.extend_from_slice(more);
    recmirror(&arguments)
}

/// Nothing is under a final name, and nothing was left beside one.
#[track_caller]
fn wrote_nothing(folder: &Path) {
    let raws = folder.join("project/raws");
    assert!(!raws.exists() || names_in(&raws).is_empty(), "{:?}", names_in(&raws));
}

fn ratings() -> String {
    (1..=300).map(|film| format!("1::{film}::4::97830{film:04}\n")).collect()
}

#[test]
fn wrong_files_are_reported_with_their_line_and_nothing_is_written() {
    let bad_line = format!("{}1::7\n", ratings());
    let cases: [(&str, &str, &[u8], &[&str]); 14] = [
        ("movielens", "ratings.dat", b"", &["ratings.dat: the file is empty"]),
        ("movielens", "ratings.dat", b"1\t2\t3\t4\n", &["ratings.dat:1: 1 fields separated by `::`, expected 4"]),
        ("movielens", "ratings.dat", bad_line.as_bytes(), &["ratings.dat:301: 2 fields separated by `::`, expected 4"]),
        (
            "movielens",
            "ratings.csv",
            b"user,movie\n1,2\n",
            &["ratings.csv:1: no column `user_id` or `userId`; the columns are `user`, `movie`"],
        ),
        (
            "movielens",
            "ratings.csv",
            b"userId,movieId,rating,timestamp\n1,2\n",
            &["ratings.csv:2: 2 fields separated by commas, expected 4"],
        ),
        (
            "movielens",
            "ratings.csv",
            b"userId,movieId,rating,timestamp\n1,\xff,3,4\n",
            &["ratings.csv:2: field 2 is not UTF-8"],
        ),
        ("movielens", "ratings.csv", b"userId,movieId,rating,timestamp\n", &["ratings.csv: the file is empty"]),
        ("movielens", "a.inter", b"user_id:token\titem_id:token\n\xff\t1\n", &["a.inter:2: byte 1 is not UTF-8"]),
        (
            "steam",
            "steam_reviews.json",
            b"{u'username': u'a', u'product_id': 7\n",
            &["steam_reviews.json:1: not a valid Python literal record: the text ends before `}` (column 37)"],
        ),
        (
            "steam",
            "steam_reviews.json",
            b"{u'a': __import__('os')}\n",
            &["steam_reviews.json:1", "is no Python literal"],
        ),
        (
            "amazon",
            "Toys.jsonl",
            b"{\"user_id\": \"a\", \"rating\": 4,\n",
            &["Toys.jsonl:1: not a valid JSON record", "line 1 column"],
        ),
        ("amazon", "Toys.jsonl", b"[1, 2]\n", &["Toys.jsonl:1: the line is no record of names and values"]),
        (
            "mind",
            "behaviors.tsv",
            b"1\tU1\t11/13/2019 9:00:00 AM\tN1\tN2-0 N3\n",
            &["behaviors.tsv:1: `N3` is no article with `-0` or `-1` behind it"],
        ),
        (
            "custom",
            "a_interaction.jsonl",
            b"{\"user_id\": 1, \"item_id\": 2, \"timestamp\": \"now\"}\n",
            &["a_interaction.jsonl:1: not a valid record: the time `now`"],
        ),
    ];
    for (family, name, bytes, expected) in cases {
        let folder = place();
        write(&folder.path().join("from").join(name), bytes);
        import(family, folder.path(), &[]).expect(2).says(expected);
        wrote_nothing(folder.path());
    }
}

#[test]
fn a_deeply_nested_literal_is_refused() {
    let folder = place();
    write(&folder.path().join("from/steam_reviews.json"), format!("{{u'a': {}\n", "[".repeat(500_000)));
    import("steam", folder.path(), &[]).expect(2).says(&["steam_reviews.json:1", "more than 64 containers"]);
    wrote_nothing(folder.path());
}

#[test]
fn truncated_packed_files_are_errors_and_keep_earlier_imports() {
    let folder = place();
    let plain = folder.path().join("from/ratings.dat");
    write(&plain, ratings());
    import("movielens", folder.path(), &[]).expect(0);
    let before = read(&folder.path().join("project/raws/x_interaction.jsonl"));
    assert_eq!(before.lines().count(), 300);
    std::fs::remove_file(&plain).expect("removed");
    let csv = format!("userId,movieId,rating,timestamp\n{}", ratings().replace("::", ","));
    for (name, content) in [("ratings.dat.gz", ratings()), ("ratings.csv.gz", csv)] {
        let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        writer.write_all(content.as_bytes()).expect("packed");
        let packed = writer.finish().expect("packed");
        let path = folder.path().join("from").join(name);
        write(&path, &packed[..packed.len() / 2]);
        let file = format!("{name}:");
        import("movielens", folder.path(), &[]).expect(2).says(&[&file, "damaged or cut off: fetch it again"]);
        std::fs::remove_file(&path).expect("removed");
    }
    let raws = folder.path().join("project/raws");
    assert_eq!(read(&raws.join("x_interaction.jsonl")), before);
    assert_eq!(names_in(&raws).len(), 4, "{:?}", names_in(&raws));
}

#[test]
fn ids_of_one_side_and_missing_values_are_counted_drops() {
    let folder = place();
    let at = |name: &str| folder.path().join("from").join(name);
    write(
        &at("ratings.dat"),
        "1::1::4::978300001\n1::2::4::\n1::3::four::978300001\n1::9::4::978300001\n9::1::4::978300001\n1::1::4::soon\n::1::4::978300001\n1::2::5::978300000\n",
    );
    write(
        &at("movies.dat"),
        "1::One (1990)::Drama\n2::Two (1991)::Drama\n3::Three (1992)::\n1::One more (1990)::\n::None::\n",
    );
    write(&at("users.dat"), "1::F::1::10::00000\n2::F::1::10::00000\n");
    let answer = import("movielens", folder.path(), &["--least", "1", "--examples", "0"]).expect(0);
    let drops: Vec<&str> = answer.stdout.lines().filter(|line| line.starts_with("  dropped")).map(str::trim).collect();
    assert_eq!(
        drops,
        [
            "dropped         1  item that no kept interaction names (first: movies.dat:3)",
            "dropped         1  item whose id stood before (first: movies.dat:4)",
            "dropped         1  row of a user who is not among the users (first: ratings.dat:5)",
            "dropped         1  row of an item that is not among the items (first: ratings.dat:4)",
            "dropped         1  row whose rating is not a number (first: ratings.dat:3)",
            "dropped         1  row whose time cannot be read (first: ratings.dat:6)",
            "dropped         1  row without a time (first: ratings.dat:2)",
            "dropped         2  row without a user's or an item's id (first: ratings.dat:7)",
            "dropped         1  user that no kept interaction names (first: users.dat:2)",
        ]
    );
    assert!(answer.stdout.contains("8 rows read, 2 interactions kept, 1 of them earlier"), "{}", answer.stdout);
    assert!(!answer.stdout.contains("profile:"));
    let none = import("movielens", folder.path(), &["--least", "3", "--name", "y"]).expect(2);
    none.says(&["no interaction is left, nothing was written", "row of a user with fewer than 3"]);
}

#[test]
fn failed_imports_are_reported() {
    let folder = place();
    write(&folder.path().join("from/readme.txt"), "hello");
    import("movilens", folder.path(), &[]).expect(2).says(&["a similar value exists: 'movielens'"]);
    import("movielens", folder.path(), &[]).expect(2).says(&[
        "holds no log of `movielens`",
        "`u.data`",
        "it holds: readme.txt",
    ]);
    import("movielens", folder.path(), &["--format", "tsv"])
        .expect(2)
        .says(&["`movielens` has no format `tsv`", "`recbole`"]);
    import("movielens", folder.path(), &["--latest", "0"]).expect(2).says(&["expected a share above 0"]);
    import("movielens", folder.path(), &["--name", "../x"])
        .expect(2)
        .says(&["`../x` is not a valid name of a data set"]);
    write(&folder.path().join("from/user_artists.dat"), "userID\tartistID\tweight\n1\t2\t3\n");
    import("lastfm", folder.path(), &["--latest", "0.5"])
        .expect(2)
        .says(&["user_artists.dat: the log has no times, which --latest needs"]);
    let nowhere = folder.path().join("nowhere");
    let project = folder.path().join("project");
    recmirror(&["import", "steam", text(&nowhere), "--project", text(&project)])
        .expect(2)
        .says(&["does not exist", "SOURCE is the folder"]);
    wrote_nothing(folder.path());
}

#[test]
fn a_format_can_be_named_if_a_folder_has_several() {
    let folder = place();
    write(&folder.path().join("from/ratings.dat"), ratings());
    write(&folder.path().join("from/ratings.csv"), "userId,movieId,rating,timestamp\n1,2,3,4\n");
    let output = |more: &[&str]| import("movielens", folder.path(), more).expect(0).stdout;
    assert!(output(&[]).contains("(movielens, colons)"));
    assert!(output(&["--format", "csv", "--least", "1"]).contains("(movielens, csv)"));
}

#[test]
fn a_file_that_was_singled_out_is_the_log() {
    let folder = place();
    let (from, project) = (folder.path().join("from"), folder.path().join("project"));
    write(&from.join("ratings.dat"), ratings());
    write(&from.join("ratings.csv"), "userId,movieId,rating,timestamp\n1,2,3,4\n");
    write(&from.join("movies.csv"), "movieId,title,genres\n2,Two (1991),Drama\n");
    let run = |family: &str, file: &str| {
        let source = from.join(file);
        recmirror(&["import", family, text(&source), "--project", text(&project), "--name", "x", "-q", "--least", "1"])
    };
    let output = run("movielens", "ratings.csv").expect(0).stdout;
    assert!(output.contains("(movielens, csv)") && output.contains("1 interactions kept"), "{output}");
    assert!(output.contains("Two"), "the file of films beside it: {output}");
    let output = run("movielens", "ratings.dat").expect(0).stdout;
    assert!(output.contains("(movielens, colons)") && output.contains("300 interactions kept"), "{output}");
    run("movielens", "movies.csv").expect(2).says(&["holds no log of `movielens`"]);
    write(&from.join("ratings.csv"), "user_id,book_id,rating\n1,2,3\n1,3,3\n");
    write(&from.join("ratings_sample.csv"), "user_id,book_id,rating\n1,2,3\n");
    for (file, kept) in [("ratings_sample.csv", 1), ("ratings.csv", 2)] {
        let output = run("goodreads", file).expect(0).stdout;
        assert!(output.contains(&format!("{kept} interactions kept")), "{file}: {output}");
    }
}

#[test]
fn a_folder_in_the_way_of_a_file_keeps_all_old_files() {
    let folder = place();
    write(&folder.path().join("from/ratings.dat"), ratings());
    let raws = folder.path().join("project/raws");
    import("movielens", folder.path(), &[]).expect(0);
    std::fs::remove_file(raws.join("x_template.toml")).expect("removed");
    let whole = names_in(&raws).into_iter().map(|name| (name.clone(), read(&raws.join(&name)))).collect::<Vec<_>>();
    write(&folder.path().join("from/ratings.dat"), ratings().replace("::4::", "::5::"));
    // The templates come last: nothing else may have been replaced before they fail.
    std::fs::create_dir(raws.join("x_template.toml")).expect("a folder");
    import("movielens", folder.path(), &["--force"]).expect(2).says(&["x_template.toml", "directory"]);
    std::fs::remove_dir(raws.join("x_template.toml")).expect("removed");
    std::fs::rename(raws.join("x_interaction.jsonl"), raws.join("kept")).expect("moved");
    std::fs::create_dir(raws.join("x_interaction.jsonl")).expect("a folder");
    import("movielens", folder.path(), &[]).expect(2).says(&["x_interaction.jsonl", "directory"]);
    std::fs::remove_dir(raws.join("x_interaction.jsonl")).expect("removed");
    std::fs::rename(raws.join("kept"), raws.join("x_interaction.jsonl")).expect("moved");
    let left = names_in(&raws).into_iter().map(|name| (name.clone(), read(&raws.join(&name)))).collect::<Vec<_>>();
    assert_eq!(whole, left, "the old files, nothing beside them, no templates");
}

#[test]
fn times_out_of_reach_are_counted_drops() {
    let folder = place();
    let review = |item: u32, time: &str| {
        format!("{{\"user_id\": \"u\", \"parent_asin\": \"P{item}\", \"rating\": 4, \"timestamp\": {time}}}\n")
    };
    let far = ["9223372036854775807", "-9223372036854775808", "100000000000001"];
    let log: String = far.iter().map(|time| review(1, time)).collect();
    let log = log + &review(1, "100000000000000") + &review(1, "-100000000000000");
    write(&folder.path().join("from/Toys.jsonl"), &log);
    let seconds = log.replace("timestamp", "unixReviewTime").replace("\"parent_asin\"", "\"asin\"");
    write(&folder.path().join("from/Toys.json"), seconds.replace("user_id", "reviewerID"));
    for (format, kept) in [("2023", 2), ("2018", 0)] {
        // Five of one item are too few once the wrong ones are gone, so the tally is reported as an error.
        let answer = import("amazon", folder.path(), &["--format", format, "--latest", "1", "--least", "1"]).expect(2);
        answer.says(&[
            &format!("dropped         {}  row whose time cannot be read (first: Toys.json", 5 - kept),
            "no interaction is left",
        ]);
    }
}

#[test]
fn edited_templates_stay_unless_forced() {
    let folder = place();
    write(&folder.path().join("from/ratings.dat"), ratings());
    let first = import("movielens", folder.path(), &[]).expect(0);
    assert!(first.stdout.contains("how rows become text"), "{}", first.stdout);
    let path = folder.path().join("project/raws/x_template.toml");
    let shipped = read(&path);
    assert!(import("movielens", folder.path(), &[]).expect(0).stdout.contains("is as shipped"));
    let edited = "profile = \"\"\nitem = \"film {{ item.title }}\"\nhistory = \"\"\n";
    write(&path, edited);
    let kept = import("movielens", folder.path(), &[]).expect(0);
    assert!(kept.stdout.contains("was edited and stays; --force replaces it"), "{}", kept.stdout);
    assert!(kept.stdout.contains("item:    film item 1\n"), "{}", kept.stdout);
    assert_eq!(read(&path), edited);
    write(&path, "profile = \"{% if\"\nitem = \"\"\nhistory = \"\"\n");
    import("movielens", folder.path(), &[]).expect(2).says(&["x_template.toml: `profile`"]);
    import("movielens", folder.path(), &["--force"]).expect(0);
    assert_eq!(read(&path), shipped);
}

#[test]
fn a_dry_run_counts_and_writes_nothing() {
    let folder = place();
    write(&folder.path().join("from/ratings.dat"), ratings());
    let answer = import("movielens", folder.path(), &["--dry-run"]).expect(0);
    assert!(answer.stdout.starts_with("would write x (movielens, colons)"), "{}", answer.stdout);
    assert!(
        answer.stdout.contains("300 rows read, 300 interactions kept") && answer.stdout.contains("history: item 1;")
    );
    assert!(!folder.path().join("project").exists());
}

#[test]
fn a_data_set_is_called_after_its_folder_or_file() {
    let folder = place();
    write(&folder.path().join("ml-tiny/ratings.dat"), ratings());
    let (from, project) = (folder.path().join("ml-tiny"), folder.path().join("project"));
    recmirror(&["import", "movielens", text(&from), "--project", text(&project), "-q"]).expect(0);
    assert!(names_in(&project.join("raws")).contains(&"ml-tiny_interaction.jsonl".to_owned()));
}
