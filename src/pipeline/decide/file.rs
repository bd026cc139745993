//! Files of decisions.
//!
//! Written in the order of the scenes, read in any order.

use super::answer::{Decision, parse};
use crate::files::{FileError, Jsonl, Tally};
use crate::language::Completion;
use crate::language::endpoint::{error_message, read_completions};
use crate::pipeline::{DecisionRecord, Project, Strength};
use serde_json::{Value, json};
use std::path::Path;

const REMEDY: &str = "`recmirror decide` makes it";

/// The line of a scene's answers, with the digest of their inputs.
pub(super) fn record(custom_id: String, model: &str, digest: &str, answers: &[(u32, Completion)]) -> DecisionRecord {
    let choice = |(place, answer): &(u32, Completion)| {
        json!({
            "index": place,
            "message": {"role": "assistant", "content": answer.text},
            "finish_reason": answer.finish,
        })
    };
    let choices: Vec<Value> = answers.iter().map(choice).collect();
    let body = json!({"model": model, "choices": choices});
    let response = json!({"status_code": 200, "request_id": request_id(digest), "body": body});
    DecisionRecord { custom_id, response: Some(response), error: None }
}

/// The line of a scene without an answer.
pub(super) fn failure(custom_id: String, why: &str) -> DecisionRecord {
    DecisionRecord { custom_id, response: None, error: Some(json!({"message": why})) }
}

/// The request id in our own files, from which a later run reads the digest of the inputs.
fn request_id(digest: &str) -> String {
    format!("recmirror-{digest}")
}

/// True if a finished file has this `digest` of its inputs; otherwise the model that it names.
pub(super) fn made_from(path: &Path, digest: &str) -> Result<Result<(), String>, FileError> {
    let mut reader = Jsonl::<DecisionRecord>::open(path, REMEDY)?;
    while let Some((_, record)) = reader.step()? {
        if let Some(response) = record.response {
            let same = response["request_id"] == request_id(digest).as_str();
            let model = response["body"]["model"].as_str().unwrap_or("no model").to_owned();
            return Ok(if same { Ok(()) } else { Err(model) });
        }
    }
    Ok(Err("no model".to_owned()))
}

/// The scene of `DATASET-LINE`; `None` for another data set.
pub(super) fn scene_of(custom_id: &str, dataset: &str) -> Option<u64> {
    custom_id.strip_prefix(dataset)?.strip_prefix('-')?.parse().ok()
}

/// The answers of a record, or the reason for their absence.
pub(super) fn answers(record: &DecisionRecord) -> Result<Vec<Completion>, String> {
    let Some(response) = &record.response else {
        return Err(record.error.as_ref().map_or("no response".to_owned(), error_message));
    };
    match response["status_code"].as_u64() {
        None | Some(200..=299) => read_completions(&response["body"]),
        Some(status) => Err(format!("status {status}: {}", error_message(&response["body"]["error"]))),
    }
}

/// The usable decisions of every scene, in the order of the scenes. `tally` counts the others.
///
/// `options` are the scenes' numbers of options. Lines may be in any order, as in batch output.
///
/// # Errors
/// When the file is missing, damaged, or names a scene twice or one that does not exist.
pub fn read_decisions(
    project: &Project,
    dataset: &str,
    strength: Strength,
    options: &[usize],
    tally: &mut Tally,
) -> Result<Vec<Vec<Decision>>, FileError> {
    let path = project.decisions(dataset, strength);
    let mut reader = Jsonl::<DecisionRecord>::open(&path, REMEDY)?;
    let mut found: Vec<Option<Vec<Decision>>> = vec![None; options.len()];
    let (mut all, mut usable) = (0u64, 0u64);
    while let Some((line, record)) = reader.step()? {
        let id = &record.custom_id;
        let scene = scene_of(id, dataset).and_then(|scene| usize::try_from(scene).ok());
        let Some(slot) = scene.and_then(|scene| found.get_mut(scene)) else {
            let last = options.len().saturating_sub(1);
            let problem = format!("custom_id `{id}` names no scene; `{dataset}-0` to `{dataset}-{last}` do");
            return Err(reader.error(problem));
        };
        if slot.is_some() {
            return Err(reader.error(format!("custom_id `{id}` is there twice")));
        }
        let place = || format!("{}:{line}", path.display());
        let (answers, decisions) = usable_of(&record, options[scene.unwrap_or(0)], &place, tally);
        all += answers;
        usable += decisions.len() as u64;
        *slot = Some(decisions);
    }
    let absent = found.iter().filter(|slot| slot.is_none()).count() as u64;
    let first = found.iter().position(Option::is_none).unwrap_or(0);
    tally.drop_many("scenes that the file does not have", absent, || format!("{dataset} scene {first}"));
    for (what, count) in [("scenes", options.len() as u64), ("answers", all), ("usable decisions", usable)] {
        tally.set(what, count);
    }
    Ok(found.into_iter().map(Option::unwrap_or_default).collect())
}

/// The number of a scene's answers, and those that are decisions; `tally` counts the others.
fn usable_of(
    record: &DecisionRecord,
    options: usize,
    place: &dyn Fn() -> String,
    tally: &mut Tally,
) -> (u64, Vec<Decision>) {
    let answers = answers(record).unwrap_or_else(|why| {
        tally.drop("scenes without an answer", || format!("{}, {why}", place()));
        Vec::new()
    });
    let read: Vec<_> = answers.iter().map(|answer| parse(answer, options)).collect();
    read.iter().filter_map(|read| read.as_ref().err()).for_each(|kind| tally.drop(kind.reason(), place));
    (answers.len() as u64, read.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::{Finish, Letter};

    fn read(lines: &[String], options: &[usize]) -> Result<(Vec<Vec<Decision>>, Tally), String> {
        let folder = tempfile::tempdir().expect("a folder");
        let project = Project::new(folder.path());
        let path = project.decisions("a-b", Strength::Weak);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, lines.join("\n")).expect("written");
        let mut tally = Tally::default();
        let found = read_decisions(&project, "a-b", Strength::Weak, options, &mut tally);
        found.map(|found| (found, tally)).map_err(|problem| problem.to_string())
    }

    fn line(scene: u64, texts: &[&str]) -> String {
        let answer = |text: &&str| Completion { text: (*text).to_owned(), finish: Finish::Stop };
        let answers: Vec<(u32, Completion)> = (0..).zip(texts.iter().map(answer)).collect();
        serde_json::to_string(&record(format!("a-b-{scene}"), "m", "0", &answers)).expect("a line")
    }

    #[test]
    fn lines_in_any_order_come_back_by_scene_and_malformed_ones_are_counted() {
        let failed = serde_json::to_string(&failure("a-b-2".to_owned(), "too long")).expect("a line");
        let lines = [line(1, &["x\nBehavior: [B]", "y", "z\nBehavior: [C]"]), failed, line(0, &["v Behavior: [A]"])];
        let (found, tally) = read(&lines, &[2, 2, 2, 2]).expect("decisions");
        let places: Vec<Vec<usize>> =
            found.iter().map(|of| of.iter().map(|decision| decision.letter.place()).collect()).collect();
        assert_eq!(places, [vec![0], vec![1], vec![], vec![]]);
        assert_eq!(found[0][0], Decision { text: "v".to_owned(), letter: Letter::of(0).expect("A") });
        let reasons: Vec<(&str, u64)> = tally.reasons().map(|(reason, drops)| (reason, drops.count)).collect();
        let wanted = [
            ("malformed: an option label beyond the list", 1),
            ("malformed: no `Behavior:`", 1),
            ("scenes that the file does not have", 1),
            ("scenes without an answer", 1),
        ];
        assert_eq!(reasons, wanted);
        assert_eq!((tally.count("answers"), tally.count("usable decisions")), (Some(4), Some(2)));
    }

    #[test]
    fn wrong_lines_are_reported() {
        for (lines, expected) in [
            (vec![line(0, &["x"]), line(0, &["x"])], ":2: custom_id `a-b-0` is there twice"),
            (vec![line(7, &["x"])], "`a-b-7` names no scene; `a-b-0` to `a-b-1` do"),
            (vec!["{\"custom_id\": \"a-0\", \"response\": null}".to_owned()], "`a-0` names no scene"),
            (vec!["{}".to_owned()], ":1: not a valid record"),
        ] {
            let problem = read(&lines, &[2, 2]).expect_err("wrong");
            assert!(problem.contains(expected), "{problem}");
        }
    }
}
