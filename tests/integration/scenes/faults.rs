//! Rows, files and options that cannot be used.

use super::*;

#[test]
fn rows_that_cannot_be_used_are_counted() {
    let (folder, mut raws) = (place(), Raws::new());
    raws.rows[5].2 = None;
    let again = raws.rows[7].clone();
    raws.rows.push(again);
    raws.rows.push((900, 3, Some(5), json!({})));
    raws.rows.push((1, 800, Some(5), json!({})));
    let mut lines = raws.lines();
    lines[0].push(lines[0][0].clone());
    write_lines(folder.path(), "x", &lines);
    let answer = scenes(folder.path(), "x", &["--train", "20", "--eval", "10"]).expect(0);
    let count = raws.rows.len();
    for (reason, line) in [
        ("an interaction of a user without a row", count - 1),
        ("an interaction with an item without a row", count),
        ("an interaction with an item that the user had taken before", count - 2),
    ] {
        let expected = format!("dropped         1  {reason} (first: ");
        assert!(answer.stdout.contains(&expected), "{reason} in {}", answer.stdout);
        assert!(answer.stdout.contains(&format!("x_interaction.jsonl:{line})")), "{reason}: {line}");
    }
    assert!(answer.stdout.contains("dropped         1  a user's row once more"));
    assert!(answer.stdout.contains(" 1 without a time and taken as earlier than the others"), "{}", answer.stdout);
}

#[test]
fn rows_without_a_time_are_the_past_of_those_with_one() {
    let (folder, mut raws) = (place(), Raws::new());
    // What everybody did first has no time; the file says it last, and backwards.
    raws.rows.sort_by_key(|row| (row.0, row.2));
    let (mut past, mut dated) = (Vec::new(), Vec::new());
    for mine in raws.rows.chunk_by(|a, b| a.0 == b.0) {
        let (first, rest) = mine.split_at(3.min(mine.len()));
        past.extend(first.iter().rev().map(|row| (row.0, row.1, None, row.3.clone())));
        dated.extend_from_slice(rest);
    }
    let known = past.clone();
    raws.rows = dated.into_iter().chain(past).collect();
    write_lines(folder.path(), "x", &raws.lines());
    let answer = scenes(folder.path(), "x", &["--train", "500", "--eval", "500", "--history", "10-10"]).expect(0);
    assert!(
        answer.stdout.contains(&format!(" {} without a time and taken as earlier than the others", known.len())),
        "{}",
        answer.stdout
    );
    let mut first = 0;
    for scene in records(folder.path(), "x_train.jsonl").iter().chain(&records(folder.path(), "x_eval.jsonl")) {
        assert!(scene.timestamp.is_some());
        let mine: Vec<usize> = known.iter().filter(|row| row.0 == user(scene)).map(|row| row.1).collect();
        assert!(!mine.contains(&number_of_id(scene)), "a row without a time is nobody's scene");
        let history: Vec<usize> = scene.text.history.lines().map(number).collect();
        if history.len() == mine.len() {
            assert_eq!(history, mine, "in the order of the file");
            first += 1;
        }
        assert!(scene.text.action_list.iter().all(|text| !mine.contains(&number(text))), "the user knows them");
    }
    assert!(first > 20, "{first}");
}

#[test]
fn wrong_files_are_reported_and_nothing_is_written() {
    type Damage = fn(&Path);
    let damages: [(Damage, &str); 9] = [
        (|file| write(file, ""), "holds no usable interaction"),
        (
            // The one row with a time is dropped, as a repeat, so that none of those that are left has one.
            |file| {
                let row = |item: usize| format!("{{\"user_id\":1,\"item_id\":\"i{item}\",\"timestamp\":null}}\n");
                let rows: String = (0..6).map(row).collect();
                write(file, rows + "{\"user_id\":1,\"item_id\":\"i0\",\"timestamp\":5}\n");
            },
            "holds no usable interaction; what was dropped:",
        ),
        (
            |file| write(file, read(file).replacen(",\"user_id\":1}", "}", 1)),
            "x_interaction.jsonl:1: not a valid record: missing field `user_id`",
        ),
        (
            |file| write(file, read(file).replacen("\"timestamp\":", "\"timestamp\":\"soon\", \"old\":", 1)),
            "x_interaction.jsonl:1: not a valid record: the time `soon`",
        ),
        (|file| write(file, &packed(&read(file))[..2_000]), "is damaged or cut off"),
        (
            |file| write(file, read(file).lines().take(3).collect::<Vec<_>>().join("\n")),
            "has 3 earlier ones of its user",
        ),
        (
            |file| write(file, read(file).replace("\"item_id\":\"i", "\"item_id\":\"j")),
            "an interaction with an item without a row",
        ),
        (
            |file| std::fs::remove_file(file).expect("removed"),
            "x_interaction.jsonl does not exist; `recmirror import` makes it",
        ),
        (
            |file| {
                write(
                    &file.with_file_name("x_template.toml"),
                    TEMPLATE.replace("{{ item.title }}", "{{ item.title|words('a') }}"),
                )
            },
            "x_template.toml: `item`",
        ),
    ];
    for (damage, expected) in damages {
        let (folder, raws) = (place(), Raws::new());
        raws.write(folder.path(), "x");
        damage(&folder.path().join("raws/x_interaction.jsonl"));
        scenes(folder.path(), "x", &["--train", "20", "--eval", "10"]).expect(2).says(&[expected]);
        assert_eq!(names_in(folder.path()), ["raws"], "{expected}");
    }
}

fn packed(text: &str) -> Vec<u8> {
    use std::io::Write;
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    writer.write_all(text.as_bytes()).expect("packed");
    writer.finish().expect("packed")
}

#[test]
fn packed_files_give_what_plain_ones_give() {
    let (folder, raws) = (place(), Raws::new());
    raws.write(folder.path(), "x");
    let made = || {
        scenes(folder.path(), "x", &["--train", "40", "--eval", "10"]).expect(0);
        read(&folder.path().join("datasets/x_train.jsonl"))
    };
    let plain = made();
    let file = folder.path().join("raws/x_interaction.jsonl");
    write(&file, packed(&read(&file)));
    assert_eq!(plain, made());
}

#[test]
fn wrong_options_are_reported() {
    let (folder, raws) = (place(), Raws::new());
    raws.write(folder.path(), "x");
    for (more, expected) in [
        (&["--train-lists", "1-5"][..], "--train-lists 1-5: lists have 2 to 25 items"),
        (&["--eval-lists", "30"], "--eval-lists 30: lists have 2 to 25 items"),
        (&["--lists", "near"], "`near` is no list builder; there are reference, random"),
        (&["--reject-share", "1"], "--reject-share 1: a share from 0 to 0.9"),
        (&["--content", "embedder"], "--content embedder needs --embedder DIR"),
        (&["--embedder", "nowhere"], "nowhere/model.onnx: "),
        (&["--train", "0", "--eval", "0"], "there is nothing to make"),
        (&["--snapshots", "0"], "--snapshots 0: a number from 1 to 64"),
    ] {
        scenes(folder.path(), "x", more).expect(2).says(&[expected]);
    }
}

#[test]
fn the_runtime_prints_nothing_itself() {
    if !crate::util::has_runtime() {
        return;
    }
    let folder = place();
    write_lines(folder.path(), "x", &Raws::new().lines());
    let (embedder, fixture) = (folder.path().join("embedder"), package().join("tests/fixtures/embedder"));
    write(&embedder.join("model.onnx"), std::fs::read(fixture.join("model.onnx")).expect("a graph"));
    // A word with a number that the graph has no row for: the run of the graph fails, and the library would log it.
    let tokenizer = read(&fixture.join("tokenizer.json"));
    assert!(tokenizer.contains("\"night\": 17") || tokenizer.contains("\"night\":17"));
    let tokenizer = tokenizer.replace("\"night\": 17", "\"night\": 170017").replace("\"night\":17", "\"night\":170017");
    write(&embedder.join("tokenizer.json"), tokenizer);
    let path = embedder.display().to_string();
    let answer = scenes(folder.path(), "x", &["--train", "20", "--eval", "10", "--embedder", &path]).expect(2);
    assert!(!answer.stderr.contains('\u{1b}') && !answer.stderr.contains("[E:onnxruntime"), "{}", answer.stderr);
    answer.says(&["error: ", "170017"]);
}
