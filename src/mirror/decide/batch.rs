//! OpenAI batch files: requests out, answers in.

use super::file::{answers, scene_of};
use super::work::Work;
use super::{DecideError, DecideOptions, Decider};
use crate::files::{Jsonl, JsonlWriter};
use crate::language::Completion;
use crate::language::endpoint::{Extra, completion_body};
use crate::mirror::journal::Collector;
use crate::mirror::{DecisionRecord, Project};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Writes a request line for each scene of the data sets that lacks answers; gives their number.
///
/// # Errors
/// When a file cannot be read or written.
pub fn write_requests(
    project: &Project,
    datasets: &[String],
    options: &DecideOptions<'_>,
    model: &str,
    extra: &Extra,
    path: &Path,
) -> Result<u64, DecideError> {
    let mut writer = JsonlWriter::create(path)?;
    for dataset in datasets {
        let work = Work::new(project, dataset, options, Decider::Batch { model, files: &[] })?;
        if !options.restart && work.is_finished()? {
            continue;
        }
        let there = work.there()?;
        let mut last = None;
        work.each_missing(&|place| there.contains(&place), &mut |requests, rows| {
            for (request, row) in requests.iter().zip(rows) {
                // One line a scene: gaps in the middle are filled by a later file.
                if last.replace(*row) == Some(*row) {
                    continue;
                }
                let body = completion_body(model, request, request.draws.first, request.samples, extra);
                let id = format!("{dataset}-{row}");
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
    /// Takes the answers of batch output files into the journal; lines of other data sets are passed over.
    pub(super) fn take(
        &self,
        files: &[PathBuf],
        has: &dyn Fn((u64, u32)) -> bool,
        collector: &Collector<'_, Completion>,
    ) -> Result<(), DecideError> {
        for path in files {
            let mut reader = Jsonl::<DecisionRecord>::open(path, "give the output file of a batch")?;
            while let Some((_, record)) = reader.step()? {
                let Some(row) = scene_of(&record.custom_id, self.dataset) else { continue };
                if row >= self.lengths.len() as u64 {
                    let problem =
                        format!("custom_id `{}` names no scene of {}", record.custom_id, self.scenes.display());
                    return Err(reader.error(problem).into());
                }
                match answers(&record) {
                    Err(why) => collector.fail((row, 0), why),
                    Ok(answers) => {
                        let free = (0..self.options.decisions).map(|sample| (row, sample)).filter(|&at| !has(at));
                        let placed: Vec<_> = free.zip(answers).collect();
                        collector.keep(&placed);
                    }
                }
            }
        }
        Ok(())
    }
}
