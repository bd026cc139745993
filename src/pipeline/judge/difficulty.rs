//! Instruction-following difficulty of the strong model's judged decisions: `probs/NAME_ifd.jsonl`.
//!
//! Each decision takes two likelihoods: of its text after the scene, and of its text alone.

use super::{JudgeError, JudgeOptions};
use crate::files::{FileError, Jsonl, JsonlWriter, Tally};
use crate::language::{LanguageError, LanguageModel, Likelihood, LikelihoodRequest};
use crate::pipeline::answer_journal::{Binding, Collector, Failure, Journal, Place, again, file_hash};
use crate::pipeline::scene_file::{REMEDY, each_scene};
use crate::pipeline::{DifficultyRecord, ProbsRecord, Project, PromptKind, SceneRecord, Strength, Watch};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::Ordering;

/// Requests whose texts are in memory at once.
const CHUNK: usize = 4096;

const PROBS: &str = "`recmirror judge --strength strong` makes it";

/// Computes the difficulty of each judged decision of the strong model.
///
/// # Errors
/// When a file or the model fails; arrived answers are stored.
pub fn judge_difficulty(
    project: &Project,
    dataset: &str,
    options: &JudgeOptions<'_>,
    model: &dyn LanguageModel,
    watch: &dyn Watch,
) -> Result<Tally, JudgeError> {
    let (scenes, probs) = (project.train(dataset), project.probs(dataset, Strength::Strong));
    let digest = file_hash(&probs, PROBS)?;
    let binding = Binding::default()
        .with("data set", dataset)
        .with("scenes file", file_hash(&scenes, REMEDY)?)
        .with("probabilities file", &digest)
        .with_model("model", model.name(), Some(model.fingerprint()))
        .with("prompts", format!("{} ({})", options.prompts.name(), options.prompts.digest()));
    let predictor = format!("{} {}", model.name(), binding.digest());
    let work = Work { scenes, probs, target: project.difficulties(dataset), options, digest, predictor };
    if !options.restart && work.is_finished()? {
        return work.count();
    }
    let mut places = Vec::new();
    work.each(&mut |row, _, probs| {
        places.extend((0..probs.decision_list.len() as u32).map(|place| (row, place)));
        Ok(())
    })?;
    let journal = Journal::open(&work.target, &binding, options.restart)?;
    watch.begin(&format!("measuring the difficulty of {dataset}"), places.len() as u64);
    watch.advance(journal.count());
    let collector = Collector::new(&journal, watch, options.stop);
    let asked = work.ask(model, &journal, &collector);
    let failures = collector.finish()?;
    asked?;
    work.finish(journal, &failures, &places)
}

struct Work<'a> {
    scenes: PathBuf,
    probs: PathBuf,
    target: PathBuf,
    options: &'a JudgeOptions<'a>,
    /// The hash of the file of probabilities.
    digest: String,
    /// The measuring model and a hash of its inputs.
    predictor: String,
}

impl Work<'_> {
    /// True if the file exists, is complete and has these settings.
    fn is_finished(&self) -> Result<bool, FileError> {
        if !self.target.exists() || Journal::<f64>::holds_answers(&self.target)? {
            return Ok(false);
        }
        let mut reader = Jsonl::<DifficultyRecord>::open(&self.target, "")?;
        let by = reader.step()?.and_then(|(_, record)| record.predictor);
        if by.as_ref() == Some(&self.predictor) {
            return Ok(true);
        }
        let by = by.unwrap_or_else(|| "an unknown model".to_owned());
        let problem = format!("the file is there, by {by} and not {}; --restart makes it again", self.predictor);
        Err(FileError::whole(&self.target, problem))
    }

    /// Counts the entries of the file.
    fn count(&self) -> Result<Tally, JudgeError> {
        let mut reader = Jsonl::<DifficultyRecord>::open(&self.target, "")?;
        let (mut scenes, mut found, mut absent) = (0, 0, 0);
        while let Some((_, record)) = reader.step()? {
            scenes += 1;
            found += record.ifd.iter().flatten().count() as u64;
            absent += record.ifd.iter().filter(|value| value.is_none()).count() as u64;
        }
        let mut tally = Tally::default();
        tally.set("scenes", scenes);
        tally.set("difficulties", found);
        tally.drop_many(
            "decisions whose request failed (`null` in the file, asked again next time)",
            absent,
            String::new,
        );
        Ok(tally)
    }

    /// Passes each scene with its row and its record of probabilities.
    fn each(
        &self,
        see: &mut dyn FnMut(u64, SceneRecord, ProbsRecord) -> Result<(), JudgeError>,
    ) -> Result<(), JudgeError> {
        let mut reader = Jsonl::<ProbsRecord>::open(&self.probs, PROBS)?;
        each_scene(&self.scenes, &mut |row, scene| {
            let Some((_, probs)) = reader.step()? else {
                let problem = format!("the file ends before the scenes do, at record {row}; {PROBS}");
                return Err(FileError::whole(&self.probs, problem).into());
            };
            see(row, scene, probs)
        })
    }

    fn ask(
        &self,
        model: &dyn LanguageModel,
        journal: &Journal<f64>,
        collector: &Collector<'_, f64>,
    ) -> Result<(), JudgeError> {
        let (mut requests, mut places) = (Vec::new(), Vec::new());
        self.each(&mut |row, scene, probs| {
            for (place, text) in (0..).zip(probs.decision_list) {
                if journal.has((row, place)) {
                    continue;
                }
                let messages = self.options.prompts.question(&scene, PromptKind::Decision)?;
                requests.push(LikelihoodRequest { messages, text: text.clone() });
                requests.push(LikelihoodRequest { messages: Vec::new(), text });
                places.push((row, place));
            }
            if requests.len() >= CHUNK {
                self.ask_some(model, &requests, &places, collector)?;
                requests.clear();
                places.clear();
            }
            Ok(())
        })?;
        self.ask_some(model, &requests, &places, collector)
    }

    /// Requests come in pairs: after the scene, and alone.
    fn ask_some(
        &self,
        model: &dyn LanguageModel,
        requests: &[LikelihoodRequest],
        places: &[Place],
        collector: &Collector<'_, f64>,
    ) -> Result<(), JudgeError> {
        if requests.is_empty() || self.options.stop.load(Ordering::Relaxed) {
            return Ok(());
        }
        let halves: Mutex<BTreeMap<usize, Likelihood>> = Mutex::default();
        let arrived = |at: usize, answer: Result<Likelihood, LanguageError>| {
            let place = places[at / 2];
            let likelihood = match answer {
                Ok(likelihood) => likelihood,
                Err(error) => return collector.fail_by(place, &error),
            };
            let Ok(mut halves) = halves.lock() else { return };
            let Some(other) = halves.remove(&(at ^ 1)) else {
                halves.insert(at, likelihood);
                return;
            };
            drop(halves);
            let (after, alone) = if at.is_multiple_of(2) { (likelihood, other) } else { (other, likelihood) };
            match difficulty(after, alone) {
                Some(difficulty) => collector.keep(&[(place, difficulty)]),
                None => collector.fail(place, format!("no difficulty from {after:?} and {alone:?}")),
            }
        };
        Ok(model.likelihoods(requests, &arrived)?)
    }

    fn finish(
        &self,
        journal: Journal<f64>,
        failures: &BTreeMap<Place, Failure>,
        places: &[Place],
    ) -> Result<Tally, JudgeError> {
        let (have, all) = (journal.count(), places.len() as u64);
        if let Some(&place) = places.iter().find(|place| !journal.has(**place)) {
            let (path, again) = (journal.path().to_owned(), again(self.options.restart));
            if self.options.stop.load(Ordering::Relaxed) {
                return Err(JudgeError::Stopped { have, all, journal: path, again });
            }
            if !self.options.skip_failed || have == 0 {
                let why = failures.get(&place).map(|of| format!(" ({})", of.why)).unwrap_or_default();
                let (scene, decision) = place;
                return Err(JudgeError::Incomplete { have, all, journal: path, scene, decision, why, again });
            }
        }
        let mut writer = JsonlWriter::create(&self.target)?;
        self.each(&mut |row, scene, probs| {
            let count = probs.decision_list.len() as u32;
            let ifd = (0..count).map(|place| journal.get((row, place))).collect::<Result<Vec<Option<f64>>, _>>()?;
            let (probs, predictor) = (Some(self.digest.clone()), Some(self.predictor.clone()));
            let record = DifficultyRecord { user_id: scene.user_id, item_id: scene.item_id, ifd, probs, predictor };
            Ok(writer.push(&record)?)
        })?;
        writer.finish()?;
        if have == all {
            journal.remove()?;
        }
        self.count()
    }
}

/// The ratio of the perplexities of a text after the scene and alone; `None` if it is not finite.
fn difficulty(after: Likelihood, alone: Likelihood) -> Option<f64> {
    let mean = |of: Likelihood| -of.log / of.tokens as f64;
    let found = libm::exp(mean(after) - mean(alone));
    found.is_finite().then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_difficulty_is_a_ratio_of_perplexities() {
        let of = |tokens, probability: f64| Likelihood { tokens, log: tokens as f64 * libm::log(probability) };
        let found = difficulty(of(3, 0.5), of(4, 0.25)).expect("a number");
        assert!((found - 0.5).abs() < 1e-12);
        assert_eq!(difficulty(of(0, 0.5), of(4, 0.25)), None);
    }
}
