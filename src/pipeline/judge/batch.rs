//! OpenAI batch files of label requests.
//!
//! The id is `DATASET-LINE-DECISION.DIGEST`; the digest identifies the inputs, and files made elsewhere need none.

use super::work::{Judgement, Work};
use super::{JudgeError, JudgeOptions, Predictor};
use crate::files::{Jsonl, JsonlWriter};
use crate::language::endpoint::{Extra, LetterStyle, NoLetters, error_message, letter_body, read_letters};
use crate::pipeline::answer_journal::{Collector, Place};
use crate::pipeline::decide::{foreign, short};
use crate::pipeline::scene_file::scene_lengths;
use crate::pipeline::{DecisionRecord, Project};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// The form of label requests.
#[derive(Clone, Copy)]
pub struct LetterForm<'a> {
    /// The model's name.
    pub model: &'a str,
    /// The style of the question for the label.
    pub style: LetterStyle,
    /// Most likely tokens to request.
    pub top: u32,
    /// The user's own keys.
    pub extra: &'a Extra,
}

/// Writes a request line for each decision of the data sets that is not judged; returns their number.
///
/// # Errors
/// When a file cannot be read or written.
pub fn write_requests(
    project: &Project,
    datasets: &[String],
    options: &JudgeOptions<'_>,
    form: LetterForm<'_>,
    path: &Path,
) -> Result<u64, JudgeError> {
    let mut writer = JsonlWriter::create(path)?;
    for dataset in datasets {
        let work = Work::new(project, dataset, options, Predictor::Batch { model: form.model, files: &[] })?;
        if !options.restart && work.is_finished()? {
            continue;
        }
        let there = work.there()?;
        work.each_missing(&|place| there.contains(&place), &mut |requests, places| {
            for (request, (row, decision)) in requests.iter().zip(places) {
                let body = letter_body(form.model, request, form.style, form.top, form.extra);
                let id = format!("{dataset}-{row}-{decision}.{}", short(&work.binding));
                let line = json!({"custom_id": id, "method": "POST", "url": "/v1/chat/completions", "body": body});
                writer.push(&line)?;
            }
            Ok(())
        })?;
    }
    let rows = writer.rows();
    writer.finish()?;
    Ok(rows)
}

impl Work<'_> {
    /// Moves the answers of batch output files into the journal; lines of other data sets are skipped.
    pub(super) fn take(
        &self,
        files: &[PathBuf],
        has: &dyn Fn(Place) -> bool,
        collector: &Collector<'_, Judgement>,
    ) -> Result<(), JudgeError> {
        let lengths = scene_lengths(&self.scenes)?;
        for path in files {
            let mut reader = Jsonl::<DecisionRecord>::open(path, "give the output file of a batch")?;
            while let Some((_, record)) = reader.step()? {
                let (id, digest) = match record.custom_id.rsplit_once('.') {
                    Some((id, digest)) if place_of(id, self.dataset).is_some() => (id, Some(digest)),
                    _ => (record.custom_id.as_str(), None),
                };
                let Some((row, place)) = place_of(id, self.dataset) else { continue };
                let wanted = short(&self.binding);
                if digest.is_some_and(|digest| digest != wanted) {
                    return Err(reader.error(foreign(&record.custom_id, &wanted)).into());
                }
                let scene = usize::try_from(row).ok().and_then(|row| self.decisions.get(row).zip(lengths.get(row)));
                let Some((_, &options)) = scene.filter(|(decisions, _)| (place as usize) < decisions.len()) else {
                    return Err(reader.error(format!("custom_id `{}` names no decision", record.custom_id)).into());
                };
                if has((row, place)) {
                    continue;
                }
                match read(&record, options) {
                    Ok(judgement) => collector.keep(&[((row, place), judgement)]),
                    Err(why) => collector.fail((row, place), why),
                }
            }
        }
        Ok(())
    }
}

fn place_of(custom_id: &str, dataset: &str) -> Option<Place> {
    let (row, place) = custom_id.strip_prefix(dataset)?.strip_prefix('-')?.split_once('-')?;
    Some((row.parse().ok()?, place.parse().ok()?))
}

fn read(record: &DecisionRecord, options: usize) -> Result<Judgement, String> {
    let Some(response) = &record.response else {
        return Err(record.error.as_ref().map_or("no response".to_owned(), error_message));
    };
    match response.get("status_code").and_then(Value::as_u64) {
        None | Some(200..=299) => {}
        Some(status) => return Err(format!("status {status}: {}", error_message(&response["body"]["error"]))),
    }
    match read_letters(&response["body"], options) {
        Ok(letters) => Ok(Judgement::Letters(letters.probabilities)),
        Err(NoLetters::None(tokens)) => Ok(Judgement::NoLetter(tokens)),
        Err(NoLetters::Unsupported) => Err("no log-probabilities".to_owned()),
        Err(NoLetters::Shape(problem)) => Err(problem),
    }
}
