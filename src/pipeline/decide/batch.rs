//! OpenAI batch files: requests out, answers in.
//!
//! The id is `DATASET-LINE.FIRST.DIGEST`: the first requested sample, and the digest of the inputs. Files made
//! elsewhere have `DATASET-LINE`, which starts at the first sample and matches any inputs.

use super::file::{answers, scene_of};
use super::work::Work;
use super::{DecideError, DecideOptions, Decider};
use crate::files::{Jsonl, JsonlWriter};
use crate::language::Completion;
use crate::language::endpoint::{Extra, completion_body};
use crate::pipeline::answer_journal::{Binding, Collector};
use crate::pipeline::{DecisionRecord, Project};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Writes a request line for each scene of the data sets with missing answers; returns their number.
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
        work.each_missing(&|place| there.contains(&place), &mut |requests, rows| {
            for (request, row) in requests.iter().zip(rows) {
                let first = request.draws.first;
                let body = completion_body(model, request, first, request.samples, extra);
                let id = format!("{dataset}-{row}.{first}.{}", work.digest());
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
    fn digest(&self) -> String {
        short(&self.binding)
    }

    /// Moves the answers of batch output files into the journal; lines of other data sets are skipped.
    pub(super) fn take(
        &self,
        files: &[PathBuf],
        has: &dyn Fn((u64, u32)) -> bool,
        collector: &Collector<'_, Completion>,
    ) -> Result<(), DecideError> {
        for path in files {
            let mut reader = Jsonl::<DecisionRecord>::open(path, "give the output file of a batch")?;
            while let Some((_, record)) = reader.step()? {
                let Some((row, first, digest)) = parts(&record.custom_id, self.dataset) else { continue };
                if digest.is_some_and(|digest| digest != self.digest()) {
                    return Err(reader.error(foreign(&record.custom_id, &self.digest())).into());
                }
                if row >= self.lengths.len() as u64 {
                    let problem =
                        format!("custom_id `{}` names no scene of {}", record.custom_id, self.scenes.display());
                    return Err(reader.error(problem).into());
                }
                match answers(&record) {
                    Err(why) => collector.fail((row, first), why),
                    Ok(answers) => {
                        let places = (first..self.options.decisions).map(|sample| (row, sample));
                        let placed: Vec<_> = places.zip(answers).filter(|(at, _)| !has(*at)).collect();
                        collector.keep(&placed);
                    }
                }
            }
        }
        Ok(())
    }
}

/// The suffix of an id.
pub(in crate::pipeline) fn short(binding: &Binding) -> String {
    binding.digest()[..8].to_owned()
}

/// The message for an answer to another request.
pub(in crate::pipeline) fn foreign(custom_id: &str, digest: &str) -> String {
    format!(
        "custom_id `{custom_id}` belongs to other scenes, prompts or settings (it would end in {digest}); call the command with those, or write the requests again with --batch-out"
    )
}

/// The scene, the first sample and the digest of an id; `None` for another data set.
fn parts<'a>(custom_id: &'a str, dataset: &str) -> Option<(u64, u32, Option<&'a str>)> {
    if let Some(row) = scene_of(custom_id, dataset) {
        return Some((row, 0, None));
    }
    let (rest, digest) = custom_id.rsplit_once('.')?;
    let (scene, first) = rest.rsplit_once('.')?;
    Some((scene_of(scene, dataset)?, first.parse().ok()?, Some(digest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_scene_the_sample_and_the_digest() {
        assert_eq!(parts("a.b-1-12", "a.b-1"), Some((12, 0, None)));
        assert_eq!(parts("a.b-1-12.3.0a1b", "a.b-1"), Some((12, 3, Some("0a1b"))));
        for other in ["a.b-1-12.3.0a1b", "a.b-1", "a-1-2.0.x", "a-1.0", "a-1.x.y", "b-1"] {
            assert_eq!(parts(other, "a"), None, "{other}");
        }
    }
}
