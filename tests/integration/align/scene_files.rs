//! Files of scenes: evaluation sets as they are published, and what is wrong in a file.

use super::*;

/// A scene as the reference code writes it.
fn reference(number: usize, items: usize, place: usize, history: &str) -> Value {
    let list: Vec<String> = (0..items).map(|item| format!("東{} {item}", number * 7 % 11)).collect();
    json!({
        "text": { "profile": "é", "history": history, "action_list": list }, "user_id": format!("u{}", number % 5),
        "item_id": number, "timestamp": "2001-02-03 04:05:06", "item_pos": place, "choice_cnt": items, "dataset": "Ünï",
    })
}

fn write_scenes(path: &Path, scenes: &[Value]) {
    write(path, scenes.iter().map(|scene| format!("{scene}\n")).collect::<String>());
}

#[test]
fn evaluation_sets_of_the_reference_load_as_they_are() {
    if !has_runtime() {
        return;
    }
    let folder = place();
    let (path, model) = (folder.path().join("eval.jsonl"), language(folder.path(), "qwen2"));
    // Lists of 2 and 5, and somebody without history.
    let mut scenes: Vec<Value> =
        (0..12).map(|number| reference(number, 2 + number % 2 * 3, number % 2, "a\nb")).collect();
    scenes.push(reference(12, 5, 4, ""));
    write_scenes(&path, &scenes);
    let found = found(align(text(&model), &path, &["--json"]));
    assert_eq!((found["scenes"].as_u64(), found["users"].as_u64()), (Some(13), Some(5)));
    assert_eq!(found["lists"], json!(["not stated"]));
    let notes = found["notes"].to_string();
    assert!(
        notes.contains("13 of 13 scenes have no `items`") && notes.contains("the log of Ünï is not known"),
        "{notes}"
    );
    let lengths: Vec<&Value> = found["figures"].as_array().expect("figures").iter().map(|of| &of["length"]).collect();
    assert!(lengths.contains(&&json!(2)) && lengths.contains(&&json!(5)), "groups by length");
}

#[test]
fn prompts_that_are_too_long_are_left_out_and_counted() {
    if !has_runtime() {
        return;
    }
    let folder = place();
    let (path, model) = (folder.path().join("eval.jsonl"), language(folder.path(), "llama"));
    let long = "x".repeat(400);
    let scenes: Vec<Value> =
        (0..8).map(|number| reference(number, 2, 0, if number == 3 { &long } else { "a" })).collect();
    write_scenes(&path, &scenes);
    let table = align(text(&model), &path, &[]).expect(0).stdout;
    for words in ["on 7 scenes", "1 scenes are left out for all", "eval.jsonl:4: the prompt has"] {
        assert!(table.contains(words), "no `{words}` in {table}");
    }
    write_scenes(&path, &scenes[3..4]);
    align(text(&model), &path, &[]).expect(2).says(&["llama answered none of 1 scenes", "the prompt has"]);
}

#[test]
fn wrong_scenes_are_reported_with_file_and_line() {
    let folder = project(&["--eval", "12"]);
    let (path, data) = (folder.path().join("eval.jsonl"), folder.path().join("data"));
    let good = reference(1, 5, 0, "");
    let with = |key: &str, value: Value| {
        let mut scene = good.clone();
        scene[key] = value;
        scene
    };
    let wrong = [
        (with("item_pos", json!(5)), "item_pos 5 is beyond the list of 5 options"),
        (reference(1, 30, 0, ""), "30 options, expected 2 to 26"),
        (reference(1, 0, 0, ""), "0 options, expected 2 to 26"),
        (with("choice_cnt", json!(4)), "choice_cnt is 4 but action_list has 5 items"),
        (with("items", json!([1, 2])), "items has 2 ids but action_list has 5 items"),
        (with("timestamp", json!("yesterday")), "the time `yesterday`"),
        (json!({ "text": "x" }), "not a valid record"),
    ];
    for (scene, words) in wrong {
        write_scenes(&path, &[good.clone(), scene]);
        align("parametric", &path, &["--data", text(&data)]).expect(2).says(&["eval.jsonl:2: ", words]);
    }
    write_scenes(&path, std::slice::from_ref(&good));
    let unfit = [
        (good.clone(), "the scene has no `items`"),
        (with("items", json!([1, 2, 3, 4, 5])), "user u1 is not in data"),
        (with("items", json!(null)), "make the scenes again"),
        (with("timestamp", json!(null)), "the scene has no time, so the earlier interactions of its user in data"),
        (with("timestamp", json!(null)), "`recmirror align MODEL DATA`"),
    ];
    for (scene, words) in unfit {
        write_scenes(&path, &[scene]);
        align("parametric", &path, &["--data", text(&data)]).expect(2).says(&["eval.jsonl:1: ", words]);
    }
    write(&path, "");
    align("parametric", &path, &["--data", text(&data)]).expect(2).says(&["there is no scene in it"]);
    align("parametric", &folder.path().join("no.jsonl"), &["--data", text(&data)]).expect(2).says(&["does not exist"]);
}

#[test]
fn conflicting_arguments_are_reported() {
    let folder = project(&["--eval", "12"]);
    let (scenes, data) = (scenes_of(folder.path()), folder.path().join("data"));
    let nowhere = folder.path().join("nowhere");
    align(text(&nowhere), &scenes, &[]).expect(2).says(&["is no model", "parametric", "--endpoint"]);
    align("parametric", &scenes, &[]).expect(2).says(&["parametric knows items by their id", "--data DIR"]);
    align("parametric", &scenes, &["--data", text(&data), "--write-card"]).expect(2).says(&["--write-card"]);
    align("parametric", &scenes, &["--top-p", "0"]).expect(2).says(&["--top-p is 0"]);
    align("parametric", &data, &["--rotations"]).expect(2).says(&["--rotations is for files of scenes"]);
    align("parametric", &data, &[]).expect(2).says(&["`parametric` is measured on files of scenes", "--data DIR"]);
    let speaks = language(folder.path(), "llama");
    align(text(&speaks), &data, &[]).expect(2).says(&["the language model", "is measured on files of scenes"]);
    recmirror(&["align", "parametric"]).expect(2).says(&["no data: name files"]);
    let twice = recmirror(&["align", "parametric", text(&scenes), text(&scenes), "--data", text(&data)]);
    twice.expect(2).says(&["named twice"]);
    write(&folder.path().join("m/card.toml"), "kind = \"oracle\"\n");
    align(text(&folder.path().join("m")), &scenes, &[]).expect(2).says(&["kind is `oracle`"]);
    let server = ["--endpoint", "http://127.0.0.1:9/v1", "--model", "m", "--retries", "0", "--quiet"];
    let gone = recmirror(&[&["align", text(&scenes)], &server[..]].concat());
    assert!(gone.code == Some(1) || gone.code == Some(2), "{}", gone.stderr);
}

/// Writes scenes as the paper's authors publish them: Parquet with a group, a list in it, and times in nanoseconds.
fn write_parquet(path: &Path, scenes: &[Value]) {
    use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    let schema = "message m { optional group text { optional group action_list (LIST) { repeated group list { optional binary \
        element (STRING); } } optional binary history (STRING); optional binary profile (STRING); } optional binary user_id \
        (STRING); optional binary item_id (STRING); optional int64 timestamp (TIMESTAMP(NANOS,false)); optional int64 item_pos; \
                  optional int64 choice_cnt; optional binary dataset (STRING); }";
    let schema = std::sync::Arc::new(parquet::schema::parser::parse_message_type(schema).expect("a schema"));
    let properties = WriterProperties::builder().set_compression(parquet::basic::Compression::SNAPPY).build();
    let file = std::fs::File::create(path).expect("a file");
    let mut writer = SerializedFileWriter::new(file, schema, std::sync::Arc::new(properties)).expect("a writer");
    let mut group = writer.next_row_group().expect("a group");
    let bytes =
        |value: &Value| ByteArray::from(value.as_str().map_or_else(|| value.to_string(), str::to_owned).as_str());
    for column in 0.. {
        let Some(mut columns) = group.next_column().expect("a column") else { break };
        if column == 0 {
            let lists = scenes.iter().map(|scene| scene["text"]["action_list"].as_array().expect("a list"));
            let (mut values, mut repetition) = (Vec::new(), Vec::new());
            for list in lists {
                values.extend(list.iter().map(bytes));
                repetition.extend((0..list.len()).map(|place| i16::from(place > 0)));
            }
            let definition = vec![4; values.len()];
            columns
                .typed::<ByteArrayType>()
                .write_batch(&values, Some(&definition), Some(&repetition))
                .expect("written");
        } else if (5..8).contains(&column) {
            let values: Vec<i64> = scenes
                .iter()
                .map(|scene| match column {
                    5 => 981_173_106_000_000_000,
                    6 => scene["item_pos"].as_i64().expect("a place"),
                    _ => scene["choice_cnt"].as_i64().expect("a count"),
                })
                .collect();
            let definition = vec![1; values.len()];
            columns.typed::<Int64Type>().write_batch(&values, Some(&definition), None).expect("written");
        } else {
            let of = |scene: &Value| match column {
                1 => bytes(&scene["text"]["history"]),
                2 => bytes(&scene["text"]["profile"]),
                3 => bytes(&scene["user_id"]),
                4 => bytes(&scene["item_id"]),
                _ => bytes(&scene["dataset"]),
            };
            let values: Vec<ByteArray> = scenes.iter().map(of).collect();
            let definition = vec![if column < 3 { 2 } else { 1 }; values.len()];
            columns.typed::<ByteArrayType>().write_batch(&values, Some(&definition), None).expect("written");
        }
        columns.close().expect("closed");
    }
    group.close().expect("closed");
    writer.close().expect("closed");
}

#[test]
fn published_sets_are_the_same_in_parquet() {
    if !has_runtime() {
        return;
    }
    let folder = place();
    let (lines, packed) = (folder.path().join("eval.jsonl"), folder.path().join("eval.parquet"));
    let model = language(folder.path(), "llama");
    let scenes: Vec<Value> = (0..9).map(|number| reference(number, 3, number % 3, "a")).collect();
    write_scenes(&lines, &scenes);
    write_parquet(&packed, &scenes);
    let of = |path: &Path| {
        let mut found = found(align(text(&model), path, &["--json", "--quick"]));
        found["files"].take();
        found
    };
    assert_eq!(of(&lines), of(&packed));
    write_parquet(&packed, &[reference(0, 3, 0, ""), reference(0, 3, 7, "")]);
    align(text(&model), &packed, &[]).expect(2).says(&["eval.parquet:2: item_pos 7 is beyond"]);
    let whole = std::fs::read(&packed).expect("a file");
    for bytes in [&whole[..whole.len() / 2], b"no parquet", b""] {
        write(&packed, bytes);
        align(text(&model), &packed, &[]).expect(2).says(&["eval.parquet: no scenes in Parquet"]);
    }
    align(text(&model), &folder.path().join("no.parquet"), &[]).expect(2).says(&["does not exist"]);
}
