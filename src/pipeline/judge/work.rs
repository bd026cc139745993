//! The work on one data set, with its journal.

use super::{JudgeError, JudgeOptions, Predictor};
use crate::files::{FileError, Jsonl, JsonlWriter, Tally};
use crate::language::{LanguageError, LanguageModel, Letter, LetterRequest};
use crate::pipeline::answer_journal::{Binding, Collector, Failure, Journal, Place, again, file_hash};
use crate::pipeline::decide::{Decision, read_decisions};
use crate::pipeline::overlap::{Options, softmax, words};
use crate::pipeline::scene_file::{each_scene, scene_lengths};
use crate::pipeline::{ProbsRecord, Project, PromptError, PromptKind, SceneRecord};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::Ordering;

/// Requests whose prompts are in memory at once.
const CHUNK: usize = 4096;

/// The weight of shared words in the choice of the option: a decision with all words of one option and none of another
/// makes it `e^6`, 400 times, as likely.
const OVERLAP_SHARPNESS: f64 = 6.0;

/// The predictor's answer about one decision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Judgement {
    /// The probability of each label.
    #[serde(rename = "p")]
    Letters(Vec<f64>),
    /// It named no label, and would not in another attempt.
    #[serde(rename = "no")]
    NoLetter(String),
}

/// Receives requests, each with the place of its decision.
type See<'a> = &'a mut dyn FnMut(&[LetterRequest], &[Place]) -> Result<(), JudgeError>;

/// One data set's part of the stage.
pub(super) struct Work<'a> {
    pub(super) dataset: &'a str,
    options: &'a JudgeOptions<'a>,
    pub(super) scenes: PathBuf,
    pub(super) target: PathBuf,
    pub(super) binding: Binding,
    predictor: String,
    pub(super) decisions: Vec<Vec<Decision>>,
    pub(super) tally: Tally,
}

impl<'a> Work<'a> {
    pub(super) fn new(
        project: &Project,
        dataset: &'a str,
        options: &'a JudgeOptions<'a>,
        predictor: Predictor<'_>,
    ) -> Result<Work<'a>, FileError> {
        let scenes = project.train(dataset);
        let lengths = scene_lengths(&scenes)?;
        let mut tally = Tally::default();
        let decisions = read_decisions(project, dataset, options.strength, &lengths, &mut tally)?;
        let mut binding = Binding::default()
            .with("data set", dataset)
            .with("scenes file", file_hash(&scenes, "")?)
            .with("decisions file", file_hash(&project.decisions(dataset, options.strength), "")?)
            .with_model("predictor", predictor.name(), predictor.fingerprint())
            .with("prompts", format!("{} ({})", options.prompts.name(), options.prompts.digest()));
        if !options.settings.is_empty() {
            binding = binding.with("settings", options.settings);
        }
        let target = project.probs(dataset, options.strength);
        let predictor = format!("{} {}", predictor.name(), binding.digest());
        Ok(Work { dataset, options, scenes, target, binding, predictor, decisions, tally })
    }

    /// Requested answers.
    pub(super) fn all(&self) -> u64 {
        self.decisions.iter().map(|of| of.len() as u64).sum()
    }

    /// True if the file exists, is complete and has these settings.
    pub(super) fn is_finished(&self) -> Result<bool, FileError> {
        if !self.target.exists() || Journal::<Judgement>::holds_answers(&self.target)? {
            return Ok(false);
        }
        let mut reader = Jsonl::<ProbsRecord>::open(&self.target, "")?;
        let by = reader.step()?.and_then(|(_, record)| record.predictor);
        if by.as_ref() == Some(&self.predictor) {
            return Ok(true);
        }
        let by = by.unwrap_or_else(|| "an unknown predictor".to_owned());
        let problem = format!("the file is there, by {by} and not {}; --restart makes it again", self.predictor);
        Err(FileError::whole(&self.target, problem))
    }

    /// The existing answers that a new run would find.
    pub(super) fn there(&self) -> Result<BTreeSet<Place>, FileError> {
        match self.options.restart {
            true => Ok(BTreeSet::new()),
            false => Ok(Journal::<Judgement>::peek(&self.target, &self.binding)?.into_iter().collect()),
        }
    }

    /// The scene's decisions that are not judged, with their places.
    fn missing(&self, row: u64, has: &dyn Fn(Place) -> bool) -> Vec<(Place, &Decision)> {
        let decisions = usize::try_from(row).ok().and_then(|row| self.decisions.get(row));
        let placed = (0..).map(|place| (row, place)).zip(decisions.into_iter().flatten());
        placed.filter(|(place, _)| !has(*place)).collect()
    }

    fn request(&self, scene: &SceneRecord, decision: &Decision) -> Result<LetterRequest, PromptError> {
        let mut messages = self.options.prompts.question(scene, PromptKind::Decision)?;
        let (unfinished, said) = self.options.prompts.unfinished(&decision.text)?;
        messages.push(unfinished);
        Ok(LetterRequest { messages, options: scene.options(), items: scene.text.action_list.len(), said })
    }

    /// Passes missing requests, some thousand at a time.
    pub(super) fn each_missing(&self, has: &dyn Fn(Place) -> bool, see: See<'_>) -> Result<(), JudgeError> {
        let (mut requests, mut places) = (Vec::new(), Vec::new());
        each_scene(&self.scenes, &mut |row, scene| {
            for (place, decision) in self.missing(row, has) {
                requests.push(self.request(&scene, decision)?);
                places.push(place);
            }
            if requests.len() >= CHUNK {
                see(&requests, &places)?;
                requests.clear();
                places.clear();
            }
            Ok::<(), JudgeError>(())
        })?;
        if requests.is_empty() { Ok(()) } else { see(&requests, &places) }
    }

    pub(super) fn ask(
        &self,
        model: &dyn LanguageModel,
        journal: &Journal<Judgement>,
        collector: &Collector<'_, Judgement>,
    ) -> Result<(), JudgeError> {
        self.each_missing(&|place| journal.has(place), &mut |requests, places| {
            if self.options.stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            let arrived = |at: usize, answer: Result<Vec<f64>, LanguageError>| match answer {
                Ok(letters) if letters.iter().any(|share| !share.is_finite()) => {
                    let why = "the probabilities are no numbers".to_owned();
                    collector.keep(&[(places[at], Judgement::NoLetter(why))]);
                }
                Ok(letters) => collector.keep(&[(places[at], Judgement::Letters(letters))]),
                Err(LanguageError::Answer(why)) => collector.keep(&[(places[at], Judgement::NoLetter(why))]),
                Err(error) => collector.fail_by(places[at], &error),
            };
            Ok(model.letters(requests, &arrived)?)
        })
    }

    pub(super) fn overlap(
        &self,
        journal: &Journal<Judgement>,
        collector: &Collector<'_, Judgement>,
    ) -> Result<(), JudgeError> {
        let mut scenes: Vec<(u64, SceneRecord)> = Vec::new();
        let all = |scenes: &[(u64, SceneRecord)]| {
            scenes.par_iter().for_each(|(row, scene)| {
                if self.options.stop.load(Ordering::Relaxed) {
                    return;
                }
                let offered = scene.offers_none.then_some(self.options.prompts.none());
                let options = Options::new(scene.text.action_list.iter().map(String::as_str).chain(offered));
                let of = |decision: &Decision| softmax(&options.shares(&words(&decision.text)), OVERLAP_SHARPNESS);
                let missing = self.missing(*row, &|place| journal.has(place));
                let found = missing.into_iter().map(|(place, decision)| (place, Judgement::Letters(of(decision))));
                collector.keep(&found.collect::<Vec<_>>());
            });
        };
        each_scene(&self.scenes, &mut |row, scene| {
            scenes.push((row, scene));
            if scenes.len() >= CHUNK {
                all(&scenes);
                scenes.clear();
            }
            Ok::<(), JudgeError>(())
        })?;
        all(&scenes);
        Ok(())
    }

    /// Writes the file and removes the journal, unless a request has failed: then it can be asked again.
    pub(super) fn finish(
        &self,
        journal: Journal<Judgement>,
        failures: &BTreeMap<Place, Failure>,
    ) -> Result<(), JudgeError> {
        let (have, all) = (journal.count(), self.all());
        if have < all && self.options.stop.load(Ordering::Relaxed) {
            let (journal, again) = (journal.path().to_owned(), again(self.options.restart));
            return Err(JudgeError::Stopped { have, all, journal, again });
        }
        // Without any answer the failure is not one of single requests.
        if have < all && (!self.options.skip_failed || have == 0) {
            return Err(self.incomplete(&journal, failures));
        }
        let mut writer = JsonlWriter::create(&self.target)?;
        each_scene(&self.scenes, &mut |row, scene| {
            writer.push(&self.record(row, scene, &journal)?)?;
            Ok::<(), JudgeError>(())
        })?;
        writer.finish()?;
        if have == all {
            journal.remove()?;
        }
        Ok(())
    }

    fn record(&self, row: u64, scene: SceneRecord, journal: &Journal<Judgement>) -> Result<ProbsRecord, FileError> {
        let (mut texts, mut choice, mut behavior) = (Vec::new(), Vec::new(), Vec::new());
        for (place, decision) in self.missing(row, &|_| false) {
            let Some(Judgement::Letters(letters)) = journal.get(place)? else { continue };
            texts.push(decision.text.clone());
            choice.push(Letter::first(letters.len()).zip(letters).collect());
            behavior.push(decision.letter);
        }
        Ok(ProbsRecord {
            user_id: scene.user_id,
            item_id: scene.item_id,
            decision_list: texts,
            choice,
            behavior: Some(behavior),
            predictor: Some(self.predictor.clone()),
        })
    }

    fn incomplete(&self, journal: &Journal<Judgement>, failures: &BTreeMap<Place, Failure>) -> JudgeError {
        let rows = 0..self.decisions.len() as u64;
        let mut missing = rows.flat_map(|row| self.missing(row, &|place| journal.has(place)));
        let (scene, decision) = missing.next().map_or((0, 0), |(place, _)| place);
        let why = failures.get(&(scene, decision)).map(|of| format!(" ({})", of.why)).unwrap_or_default();
        let (path, again) = (journal.path().to_owned(), again(self.options.restart));
        JudgeError::Incomplete { have: journal.count(), all: self.all(), journal: path, scene, decision, why, again }
    }

    /// Counts the entries of the file. Answers missing in the journal have failed; a file without a journal is
    /// complete.
    pub(super) fn count(&mut self) -> Result<(), FileError> {
        let mut reader = Jsonl::<ProbsRecord>::open(&self.target, "")?;
        let (mut judged, mut without) = (0, 0);
        while let Some((_, record)) = reader.step()? {
            judged += record.choice.len() as u64;
            without += u64::from(record.choice.is_empty());
        }
        self.tally.set("judged decisions", judged);
        let lost = self.all().saturating_sub(judged);
        let failed = match Journal::<Judgement>::holds_answers(&self.target)? {
            true => {
                let there = Journal::<Judgement>::peek(&self.target, &self.binding)?;
                self.all().saturating_sub(there.len() as u64)
            }
            false => 0,
        };
        self.tally.drop_many(
            "usable decisions for which the predictor named no option label",
            lost.saturating_sub(failed),
            String::new,
        );
        let reason = "usable decisions whose request failed (asked again next time)";
        self.tally.drop_many(reason, failed, String::new);
        self.tally.drop_many("scenes without a judged decision (their lines stay, empty)", without, String::new);
        Ok(())
    }
}
