//! `export`: training files from distilled pairs.

use crate::util::{names_in, package, place, read, recmirror, write};
use serde_json::Value;
use std::path::Path;

/// A project with 20 distilled pairs.
fn distilled() -> tempfile::TempDir {
    let folder = place();
    let fixture = package().join("tests/fixtures/distill/small");
    for part in ["datasets", "probs"] {
        for file in names_in(&fixture.join(part)) {
            write(&folder.path().join(part).join(&file), read(&fixture.join(part).join(&file)));
        }
    }
    let root = folder.path().to_string_lossy().into_owned();
    recmirror(&["distill", "--project", &root, "--datasets", "ml-1m", "--keep", "20", "-q"]).expect(0);
    folder
}

fn export(project: &Path, more: &[&str]) -> crate::util::Answer {
    let root = project.to_string_lossy().into_owned();
    let mut arguments = vec!["export", "--project", &root, "-q"];
    arguments.extend_from_slice(more);
    recmirror(&arguments)
}

#[test]
fn training_files_hold_the_pairs_in_order() {
    let folder = distilled();
    let file = |name: &str| read(&folder.path().join("datasets").join(name));
    let rows = |name: &str| -> Vec<Value> {
        file(name).lines().map(|line| serde_json::from_str(line).expect("a row")).collect()
    };
    export(folder.path(), &["--task", "preference"]).expect(0);
    export(folder.path(), &["--task", "sft"]).expect(0);
    let pairs = rows("recmirror_pref.jsonl");
    let (preferences, examples) = (rows("recmirror_preference.jsonl"), rows("recmirror_sft.jsonl"));
    assert_eq!((pairs.len(), preferences.len(), examples.len()), (20, 20, 20));
    for ((pair, preference), example) in pairs.iter().zip(&preferences).zip(&examples) {
        assert_eq!(preference["prompt"].as_array().expect("turns").len(), 2);
        assert_eq!(preference["prompt"], example["prompt"]);
        assert_eq!(preference["chosen"][0], pair["messages_chosen"][2]);
        assert_eq!(preference["rejected"][0], pair["messages_rejected"][2]);
        assert_eq!(example["completion"][0], pair["messages_chosen"][2]);
    }
    export(folder.path(), &["--task", "preference", "--form", "reference"]).expect(0);
    assert_eq!(file("recmirror_preference.jsonl"), file("recmirror_pref.jsonl"));
}

#[test]
fn parquet_files_appear_under_their_name_when_complete() {
    let folder = distilled();
    export(folder.path(), &["--task", "preference", "--storage", "parquet"]).expect(0);
    let path = folder.path().join("datasets/recmirror_preference.parquet");
    let bytes = std::fs::read(&path).expect("the file");
    assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
    export(folder.path(), &["--task", "preference", "--storage", "parquet"]).expect(0);
    assert_eq!(std::fs::read(&path).expect("the file"), bytes, "the same pairs, the same bytes");
}

#[test]
fn what_users_did_in_scenes_is_exported_in_the_words_of_the_prompts() {
    let folder = distilled();
    let prompts = package().join("models/lm-adapter/prompts.toml").to_string_lossy().into_owned();
    let arguments = ["--task", "choice", "--name", "ml-1m", "--prompts", &prompts];
    export(folder.path(), &arguments).expect(0);
    let datasets = folder.path().join("datasets");
    let rows = |name: &str| -> Vec<Value> {
        read(&datasets.join(name)).lines().map(|line| serde_json::from_str(line).expect("a row")).collect()
    };
    let (scenes, choices) = (rows("ml-1m_train.jsonl"), rows("ml-1m_choice.jsonl"));
    assert_eq!(scenes.len(), choices.len());
    for (scene, choice) in scenes.iter().zip(&choices) {
        let place = scene["item_pos"].as_u64().expect("a place") as usize;
        let letter = char::from(b'A' + place as u8);
        assert_eq!(choice["completion"][0]["content"], format!("Behavior: [{letter}]"));
        assert_eq!(choice["options"], scene["choice_cnt"]);
        let question = choice["prompt"][1]["content"].as_str().expect("a question");
        let text = scene["text"]["action_list"][place].as_str().expect("an item");
        assert!(question.contains(&format!("\n{text} [{letter}]")), "{question}");
        assert!(question.contains(scene["text"]["history"].as_str().expect("a history")), "{question}");
    }
    export(folder.path(), &[&arguments[..], &["--form", "reference"]].concat()).expect(0);
    let reference = rows("ml-1m_choice.jsonl");
    assert_eq!(reference[0]["messages"][2], choices[0]["completion"][0]);
    assert_eq!(reference[0]["user_id"].as_str(), Some(scenes[0]["user_id"].to_string().trim_matches('"')));
    export(folder.path(), &["--task", "choice", "--name", "none"]).expect(2).says(&["none_train.jsonl"]);
    for other in [&["--prompts", &prompts][..], &["--rotations"]] {
        export(folder.path(), &[&["--task", "sft"], other].concat()).expect(2).says(&["--task choice"]);
    }
}

#[test]
fn with_rotations_no_label_is_taken_more_often() {
    let folder = distilled();
    let prompts = package().join("models/lm-adapter/prompts.toml").to_string_lossy().into_owned();
    export(folder.path(), &["--task", "choice", "--name", "ml-1m", "--prompts", &prompts, "--rotations"]).expect(0);
    let datasets = folder.path().join("datasets");
    let rows = |name: &str| -> Vec<Value> {
        read(&datasets.join(name)).lines().map(|line| serde_json::from_str(line).expect("a row")).collect()
    };
    let (scenes, choices) = (rows("ml-1m_train.jsonl"), rows("ml-1m_choice.jsonl"));
    let mut left = choices.as_slice();
    for scene in &scenes {
        let (turns, rest) = left.split_at(scene["choice_cnt"].as_u64().expect("a count") as usize);
        left = rest;
        let place = scene["item_pos"].as_u64().expect("a place") as usize;
        let text = scene["text"]["action_list"][place].as_str().expect("an item");
        let mut letters = Vec::new();
        for turn in turns {
            let answer = turn["completion"][0]["content"].as_str().expect("an answer");
            let letter = answer.strip_prefix("Behavior: [").and_then(|rest| rest.strip_suffix("]")).expect("a letter");
            let question = turn["prompt"][1]["content"].as_str().expect("a question");
            assert!(question.contains(&format!("\n{text} [{letter}]")), "{question}");
            letters.push(letter);
        }
        letters.sort_unstable();
        letters.dedup();
        assert_eq!(letters.len(), turns.len(), "{letters:?}");
    }
    assert!(left.is_empty() && choices.len() > scenes.len());
}

#[test]
fn failed_exports_are_reported() {
    let folder = distilled();
    export(folder.path(), &["--task", "sft", "--name", "other"]).expect(2).says(&["other_pref.jsonl does not exist"]);
    let path = folder.path().join("datasets/recmirror_pref.jsonl");
    let whole = read(&path);
    write(&path, whole.replacen("\"assistant\"", "\"user\"", 1));
    export(folder.path(), &["--task", "sft"])
        .expect(2)
        .says(&["recmirror_pref.jsonl:1: `messages_chosen` does not end"]);
    write(&path, &whole[..whole.len() - 30]);
    export(folder.path(), &["--task", "sft"]).expect(2).says(&["recmirror_pref.jsonl:20: not a valid record"]);
    write(&path, "");
    export(folder.path(), &["--task", "sft"]).expect(2).says(&["the file holds no pairs"]);
    assert_eq!(names_in(&folder.path().join("datasets")), ["ml-1m_train.jsonl", "recmirror_pref.jsonl"]);
}
