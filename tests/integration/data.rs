//! Data sets: both formats, clean-ups, the split, and what is said about files that cannot be read.

use crate::util::{Log, Person, Rating, dataset, place, read, recmirror, scenario_text, text, write};
use recmirror::dataset::{Cleaner, Column, Dataset, Fields};
use recmirror::ids::{ItemId, LogUserId};
use std::collections::BTreeSet;
use std::path::Path;

/// The categories of each row of a field by name.
fn names(fields: &Fields, field: &str) -> Vec<BTreeSet<String>> {
    let column = &fields.get(field).unwrap_or_else(|| panic!("no field `{field}`")).column;
    let table = column.names().expect("categories");
    let of = |row| column.categories(row).iter().map(|&code| table.external(code).to_owned()).collect();
    (0..column.len()).map(of).collect()
}

/// The numbers of a field.
fn numbers<'a>(fields: &'a Fields, field: &str) -> &'a [f32] {
    match fields.get(field).map(|field| &field.column) {
        Some(Column::Number(numbers)) => numbers,
        other => panic!("`{field}` has no numbers: {other:?}"),
    }
}

fn titles(data: &Dataset) -> Vec<&str> {
    (0..data.items.len() as u32).map(|item| data.title_of(ItemId(item))).collect()
}

fn ids(table: &recmirror::dataset::IdTable) -> Vec<&str> {
    (0..table.len() as u32).map(|dense| table.external(dense)).collect()
}

#[test]
fn both_formats_of_the_same_data_give_the_same_data_set() {
    let folder = place();
    let log = Log::synthetic(60, 80);
    log.write_grouplens(&folder.path().join("a"));
    log.write_recbole(&folder.path().join("b"));
    let (left, right) = (dataset(&folder.path().join("a")), dataset(&folder.path().join("b")));
    assert_eq!((left.family, right.family), ("movielens", "recbole"));
    assert_eq!(ids(&left.users), ids(&right.users));
    assert_eq!(ids(&left.items), ids(&right.items));
    for field in ["gender", "occupation"] {
        assert_eq!(names(&left.user_fields, field), names(&right.user_fields, field));
    }
    assert_eq!(numbers(&left.user_fields, "age"), numbers(&right.user_fields, "age"));
    assert_eq!(titles(&left), titles(&right));
    assert_eq!(numbers(&left.item_fields, "year"), numbers(&right.item_fields, "year"));
    assert_eq!(names(&left.item_fields, "genres"), names(&right.item_fields, "genres"));
    assert_eq!(left.interactions, right.interactions);
    assert_eq!(left.interactions.len(), log.ratings.len());
    assert_ne!(left.hash, right.hash, "the hash is over the files");
    assert!(right.cleanup.is_empty(), "{}", right.cleanup);
}

#[test]
fn interactions_are_sorted_by_user_and_time_and_keep_what_the_file_says() {
    let folder = place();
    let log = Log::synthetic(60, 80);
    log.write_recbole(folder.path());
    let data = dataset(folder.path());
    let mut rows = log.ratings.clone();
    rows.sort_by_key(|row| (row.user, row.time));
    for (found, row) in data.interactions.iter().zip(&rows) {
        let expected = (row.user, row.item, row.rating as f32, row.time * 1_000);
        assert_eq!((found.user.index(), found.item.index(), found.rating, found.time), expected);
    }
    let person: &Person = &log.people[7];
    assert_eq!(numbers(&data.user_fields, "age")[7], person.age as f32);
    for (field, wanted) in [("gender", person.gender), ("occupation", person.occupation)] {
        assert_eq!(names(&data.user_fields, field)[7], BTreeSet::from([wanted.to_owned()]));
    }
}

#[test]
fn titles_in_latin_1_are_read_and_counted() {
    let folder = place();
    Log::synthetic(10, 30).write_grouplens(folder.path());
    let data = dataset(folder.path());
    assert_eq!(titles(&data)[17], "Café 17");
    assert_eq!(data.cleanup.of(Cleaner::Latin1Title), 3, "films 7, 17 and 27");
    assert!(data.cleanup.to_string().contains("3 titles read as Latin-1"), "{}", data.cleanup);
}

#[test]
fn untitled_and_undated_items_are_counted() {
    let folder = place();
    let mut log = Log::synthetic(10, 30);
    log.films[3].title = String::new();
    log.films[4].year = None;
    log.write_recbole(folder.path());
    let data = dataset(folder.path());
    assert_eq!(titles(&data)[3], "4", "an item without a title is shown by its id");
    assert!(numbers(&data.item_fields, "year")[4].is_nan());
    assert_eq!((data.cleanup.of(Cleaner::UntitledItem), data.cleanup.of(Cleaner::MissingYear)), (1, 1));
}

#[test]
fn duplicate_rows_and_repeated_items_are_dropped_and_counted() {
    for grouplens in [true, false] {
        let folder = place();
        let mut log = Log::with_counts(&[5, 3]);
        let first = log.ratings[1];
        log.ratings.push(first); // the same user, item and second
        log.ratings.push(Rating { rating: 1, time: first.time + 9, ..first }); // later: dropped
        let early = log.ratings[4];
        log.ratings.push(Rating { rating: 2, time: early.time - 3_000, ..early }); // earlier: it replaces
        if grouplens {
            log.write_grouplens(folder.path())
        } else {
            log.write_recbole(folder.path())
        }
        let data = dataset(folder.path());
        assert_eq!(data.interactions.len(), 8);
        assert_eq!((data.cleanup.of(Cleaner::DuplicateRow), data.cleanup.of(Cleaner::RepeatedItem)), (1, 2));
        let kept = data.interactions.iter().find(|row| row.user.0 == 0 && row.item.0 == 4).expect("item 4");
        assert_eq!((kept.rating, kept.time), (2.0, (early.time - 3_000) * 1_000));
        assert_eq!(data.interactions[0], *kept, "it is the user's first row now");
    }
}

#[test]
fn the_latest_fifth_of_each_user_is_held_out() {
    let folder = place();
    // 1, 2, 5, 6, 10 and 13 rows: ceil(0.8 n) = 1, 2, 4, 5, 8 and 11 come before the cut.
    Log::with_counts(&[1, 2, 5, 0, 6, 10, 13]).write_recbole(folder.path());
    let data = dataset(folder.path());
    let split = data.split(0.2);
    let counts = |log: &recmirror::dataset::TrainingLog| -> Vec<usize> {
        (0..7).map(|user| log.of(LogUserId(user)).len()).collect()
    };
    assert_eq!(counts(&split.before), [1, 2, 4, 0, 5, 8, 11]);
    assert_eq!(counts(&split.held_out), [0, 0, 1, 0, 1, 2, 2]);
    let last = split.before.of(LogUserId(5)).last().expect("a row").time;
    assert!(split.held_out.of(LogUserId(5)).iter().all(|row| row.time > last));
    assert_eq!(counts(&data.split(0.0).held_out), [0; 7]);
}

#[test]
fn empty_lines_and_carriage_returns_do_not_matter() {
    let folder = place();
    Log::synthetic(10, 30).write_recbole(folder.path());
    let plain = dataset(folder.path());
    let path = folder.path().join("small.inter");
    write(&path, read(&path).replace('\n', "\r\n\n"));
    assert_eq!(dataset(folder.path()).interactions, plain.interactions);
}

/// A change to one file of a data set that makes it unreadable, and the words that must be in the message.
struct Broken {
    file: &'static str,
    change: fn(&str) -> Vec<u8>,
    words: &'static [&'static str],
}

/// Replaces line `number` (from 1).
fn line(text: &str, number: usize, new: &str) -> Vec<u8> {
    let lines = text.lines().zip(1..).map(|(old, at)| if at == number { new } else { old });
    (lines.collect::<Vec<_>>().join("\n") + "\n").into_bytes()
}

const FLAGS_OFF: &str = "0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0";

const GROUPLENS: &[Broken] = &[
    Broken { file: "u.data", change: |t| line(t, 3, "1\t2\t3"), words: &["u.data:3:", "3 fields", "expected 4"] },
    Broken { file: "u.data", change: |t| line(t, 2, "1\t2\t3\t4\t5"), words: &["u.data:2:", "5 fields"] },
    Broken {
        file: "u.data",
        change: |t| line(t, 1, "1\t2\tNaN\t9"),
        words: &["u.data:1:", "rating is not a number", "`NaN`"],
    },
    Broken {
        file: "u.data",
        change: |t| line(t, 1, "1\t2\tinf\t9"),
        words: &["u.data:1:", "rating is not a number", "`inf`"],
    },
    Broken {
        file: "u.data",
        change: |t| line(t, 1, "1\t2\t1e39\t9"),
        words: &["u.data:1:", "rating", "is not a finite number"],
    },
    Broken {
        file: "u.data",
        change: |t| line(t, 1, "1\t2\t3\tnow"),
        words: &["u.data:1:", "time cannot be read", "`now`"],
    },
    Broken {
        file: "u.data",
        change: |t| line(t, 1, "1\t2\t3\t1e300"),
        words: &["u.data:1:", "time cannot be read", "`1e300`"],
    },
    Broken { file: "u.data", change: |_| Vec::new(), words: &["u.data", "the file is empty"] },
    Broken { file: "u.data", change: |_| b"\n\n\r\n".to_vec(), words: &["u.data", "the file is empty"] },
    Broken { file: "u.data", change: |_| vec![0xff; 3000], words: &["u.data:1:", "expected 4"] },
    Broken { file: "u.data", change: |_| vec![b'7'; (16 << 20) + 9], words: &["u.data:1:", "16 MiB"] },
    Broken { file: "u.user", change: |t| line(t, 2, "1|2|M|artist|0"), words: &["u.user:2:", "`1`", "second time"] },
    Broken {
        file: "u.user",
        change: |t| line(t, 2, "2|old|M|artist|0"),
        words: &["`age`", "`old`", "no finite number"],
    },
    Broken { file: "u.user", change: |t| line(t, 2, "2|24|M"), words: &["u.user:2:", "3 fields"] },
    Broken { file: "u.item", change: |_| Vec::new(), words: &["u.item"] },
    Broken { file: "u.item", change: |t| line(t, 5, "5|A (1990)|||x|1|0"), words: &["u.item:5:", "7 fields"] },
    Broken {
        file: "u.item",
        change: |t| line(t, 5, &format!("4|A (1990)|||x|{FLAGS_OFF}")),
        words: &["u.item:5:", "`4`", "second time"],
    },
    Broken {
        file: "u.item",
        change: |t| line(t, 5, &format!("5|A (1990)|||x|{}", FLAGS_OFF.replacen('0', "2", 1))),
        words: &["u.item:5:", "`unknown`", "`2`", "expected 0 or 1"],
    },
];

const RECBOLE: &[Broken] = &[
    Broken { file: "small.inter", change: |t| line(t, 3, "1\t2\t3"), words: &["small.inter:3:", "3 fields"] },
    Broken {
        file: "small.inter",
        change: |t| line(t, 3, "1\t2\t1e39\t9"),
        words: &["small.inter:3:", "rating `1e39`"],
    },
    Broken { file: "small.inter", change: |t| line(t, 3, "1\t2\tinf\t9"), words: &["small.inter:3:", "rating `inf`"] },
    Broken {
        file: "small.inter",
        change: |t| line(t, 3, "1\t2\t3\tnow"),
        words: &["small.inter:3:", "timestamp `now`"],
    },
    Broken {
        file: "small.inter",
        change: |t| line(t, 3, "1\t2\t3\t1577934245000"),
        words: &["small.inter:3:", "milliseconds since 1970, but", "in one unit"],
    },
    Broken {
        file: "small.inter",
        change: |t| line(t, 1, "user_id:token\tfilm:token\trating:float\ttimestamp:float"),
        words: &["small.inter:1:", "no column `item_id`", "film"],
    },
    Broken { file: "small.inter", change: |_| Vec::new(), words: &["small.inter", "the file is empty"] },
    Broken {
        file: "small.inter",
        change: |t| t.lines().take(1).collect::<String>().into_bytes(),
        words: &["small.inter", "no interactions"],
    },
    Broken { file: "small.inter", change: |_| vec![0x80, 0, 0x81], words: &["small.inter:1:", "UTF-8"] },
    Broken {
        file: "small.item",
        change: |t| line(t, 3, "1\tA\t1990\tDrama"),
        words: &["small.item:3:", "second time"],
    },
    Broken {
        file: "small.item",
        change: |t| line(t, 1, "id\ttitle\tyear\tclass"),
        words: &["small.item:1:", "`item_id`"],
    },
    Broken { file: "small.item", change: |_| Vec::new(), words: &["small.item"] },
    Broken { file: "small.user", change: |t| line(t, 3, "1\t2\tM\ta\t0"), words: &["small.user:3:", "second time"] },
    Broken {
        file: "small.user",
        change: |t| line(t, 3, "2\tinf\tM\ta\t0"),
        words: &["`age`", "`inf`", "no finite number"],
    },
];

/// Applies each change to a fresh copy and looks at the message.
fn refuse(changes: &[Broken], write_log: impl Fn(&Log, &Path)) {
    let log = Log::synthetic(8, 24);
    for broken in changes {
        let folder = place();
        write_log(&log, folder.path());
        let path = folder.path().join(broken.file);
        let old: String = std::fs::read(&path).expect("a file").iter().map(|&byte| char::from(byte)).collect();
        write(&path, (broken.change)(&old));
        let problem = match Dataset::read(folder.path()) {
            Err(problem) => problem.to_string(),
            Ok(_) => panic!("{} with {:?} was read", broken.file, broken.words),
        };
        for word in broken.words {
            assert!(problem.contains(word), "no `{word}` in: {problem}");
        }
    }
}

#[test]
fn a_broken_grouplens_file_is_named_with_line_and_value() {
    refuse(GROUPLENS, |log, folder| log.write_grouplens(folder));
}

#[test]
fn a_broken_recbole_file_is_named_with_line_and_value() {
    refuse(RECBOLE, |log, folder| log.write_recbole(folder));
}

#[test]
fn any_number_of_genres_is_read() {
    let folder = place();
    Log::synthetic(8, 24).write_recbole(folder.path());
    let path = folder.path().join("small.item");
    let (old, genres) = (read(&path), (0..70).map(|number| format!("G{number} ")).collect::<String>());
    write(&path, line(&old, 25, &format!("24\tA\t1990\t{genres}")));
    let data = dataset(folder.path());
    let found = names(&data.item_fields, "genres");
    assert_eq!((found.iter().flatten().collect::<BTreeSet<_>>().len(), found[23].len()), (76, 70));
}

#[test]
fn tables_of_users_and_items_may_be_missing_and_rows_of_unknown_ones_are_counted() {
    let log = Log::synthetic(8, 24);
    for file in ["u.item", "u.user", "small.item", "small.user"] {
        let folder = place();
        if file.starts_with("u.") {
            log.write_grouplens(folder.path())
        } else {
            log.write_recbole(folder.path())
        }
        std::fs::remove_file(folder.path().join(file)).expect("removed");
        let data = dataset(folder.path());
        assert_eq!(data.interactions.len(), log.ratings.len(), "{file}");
        assert!(data.notes.iter().any(|note| note.contains("there is no")), "{file}: {:?}", data.notes);
        assert_eq!(file.ends_with("item"), data.item_fields.is_empty(), "{file}");
        assert_eq!(data.title_of(recmirror::ids::ItemId(0)), if file.ends_with("item") { "1" } else { "Film 0" });
    }
    let folder = place();
    log.write_recbole(folder.path());
    let path = folder.path().join("small.inter");
    write(&path, read(&path) + "77777\t2\t3\t9\n1\tx9\t\t9\n");
    let data = dataset(folder.path());
    assert_eq!((data.cleanup.of(Cleaner::UnknownUser), data.cleanup.of(Cleaner::UnknownItem)), (1, 1));
    assert_eq!((data.users.external(8), data.items.external(24)), ("77777", "x9"));
    assert!(data.cleanup.to_string().contains("kept without fields (first: small.inter:"), "{}", data.cleanup);
    assert!(data.notes.contains(&"1 rows have no rating".to_owned()), "{:?}", data.notes);
}

#[test]
fn folders_without_a_log_or_with_several_are_reported() {
    let log = Log::synthetic(8, 24);
    let folder = place();
    log.write_recbole(folder.path());
    write(&folder.path().join("other.inter"), "x");
    let problem = Dataset::read(folder.path()).expect_err("two files").to_string();
    assert!(problem.contains("several logs (other.inter, small.inter)"), "{problem}");
    assert_eq!(
        Dataset::read(&folder.path().join("small.inter")).expect("the one").interactions.len(),
        log.ratings.len()
    );
    let empty = place();
    let problem = Dataset::read(empty.path()).expect_err("no file").to_string();
    assert!(problem.contains("holds no log") && problem.contains("it holds: no files"), "{problem}");
    let problem = Dataset::read(&empty.path().join("none")).expect_err("no folder").to_string();
    assert!(problem.contains("none does not exist") && problem.contains("make data"), "{problem}");
    let problem = Dataset::read(&folder.path().join("small.item")).expect_err("no log").to_string();
    assert!(problem.contains("small.item"), "{problem}");
}

#[test]
fn the_command_ends_with_code_2_and_names_file_line_and_value() {
    let folder = place();
    Log::synthetic(8, 24).write_recbole(&folder.path().join("data"));
    let path = folder.path().join("data/small.inter");
    write(&path, line(&read(&path), 3, "1\t2\t1e39\t9"));
    write(&folder.path().join("small.toml"), scenario_text(&["random"]));
    let out = folder.path().join("out");
    let answer = recmirror(&["run", text(&folder.path().join("small.toml")), "--out", text(&out)]);
    answer.expect(2).says(&[&format!("{}:3:", path.display()), "rating `1e39` is not a finite number"]);
    assert!(!out.exists());
    let listing = crate::util::names_in(folder.path());
    assert_eq!(listing, ["data", "small.toml"], "nothing is left behind");
}
