//! Behaviour probabilities: for each usable decision of a scene P(letter | scene, decision) by a predictor.
//!
//! The predictor is a language model that is asked which letter comes after `Behavior: [`, or a count of shared
//! words where there is no model. Answers go to a journal as they arrive and to
//! `probs/NAME_probs_STRENGTH.jsonl` when all are there, a line for each scene in the scenes' order. A scene without
//! a usable decision has a line with empty lists, so that lines and scenes stay in step.

mod batch;
mod difficulty;

pub use self::batch::{LetterForm, write_requests};
pub use self::difficulty::judge_difficulty;

use super::decide::{Decision, each_scene, read_decisions, scene_lengths};
use super::journal::{Binding, Collector, Journal, Place, file_hash, journal_path};
use super::overlap::{Options, softmax, words};
use super::{ProbsRecord, Project, PromptError, PromptKind, Prompts, SceneRecord, Strength, Watch};
use crate::files::{FileError, Jsonl, JsonlWriter, Tally};
use crate::language::{LanguageError, LanguageModel, Letter, LetterRequest};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

/// Requests whose prompts are in memory at once.
const CHUNK: usize = 4096;

/// The name of the predictor that counts shared words.
pub const OVERLAP: &str = "overlap";

/// How sharply shared words tell the option: a decision with all words of one option and none of another makes it
/// `e^6`, 400 times, as likely.
const OVERLAP_SHARPNESS: f64 = 6.0;

/// Who tells the probabilities.
#[derive(Clone, Copy)]
pub enum Predictor<'a> {
    /// Nobody who understands: a softmax over the words that decision and option share.
    Overlap,
    /// A language model.
    Model(&'a dyn LanguageModel),
    /// A language model whose answers stand in files of OpenAI batch output.
    Batch {
        /// The model's name.
        model: &'a str,
        /// The files.
        files: &'a [PathBuf],
    },
}

impl Predictor<'_> {
    fn name(&self) -> &str {
        match self {
            Predictor::Overlap => OVERLAP,
            Predictor::Model(model) => model.name(),
            Predictor::Batch { model, .. } => model,
        }
    }
}

/// What to judge.
#[derive(Clone, Copy)]
pub struct JudgeOptions<'a> {
    /// The decisions of which of the two models.
    pub strength: Strength,
    /// How scenes and decisions are put.
    pub prompts: &'a Prompts,
    /// Further settings of the back end that change its answers.
    pub settings: &'a str,
    /// Start anew although there are answers.
    pub restart: bool,
    /// Make the file although some decisions have no answer.
    pub skip_failed: bool,
    /// Set from elsewhere to stop.
    pub stop: &'a AtomicBool,
}

/// Probabilities that cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum JudgeError {
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// A prompt.
    #[error(transparent)]
    Prompt(#[from] PromptError),
    /// The model.
    #[error(transparent)]
    Language(#[from] LanguageError),
    /// Somebody stopped it.
    #[error("stopped: {have} of {all} decisions are judged, kept in {}; run the command again to go on", journal.display())]
    Stopped {
        /// Answers that are there.
        have: u64,
        /// Answers wanted.
        all: u64,
        /// Where they are.
        journal: PathBuf,
    },
    /// Some answers are missing.
    #[error("{have} of {all} decisions are judged, kept in {}; the first that is not is decision {decision} of scene {scene}{why}; run the command again to ask for the rest, or leave it out with --skip-failed", journal.display())]
    Incomplete {
        /// Answers that are there.
        have: u64,
        /// Answers wanted.
        all: u64,
        /// Where they are.
        journal: PathBuf,
        /// The first scene that lacks one.
        scene: u64,
        /// The decision.
        decision: u32,
        /// Why, where it is known.
        why: String,
    },
}

/// What a run would do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Usable decisions.
    pub decisions: u64,
    /// Answers that are there.
    pub have: u64,
    /// Requests that would be sent.
    pub requests: u64,
    /// Bytes of their prompts.
    pub bytes: u64,
    /// Whether the file is complete.
    pub complete: bool,
}

/// What the predictor said of one decision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Judgement {
    /// The probability of each letter.
    #[serde(rename = "p")]
    Letters(Vec<f64>),
    /// It named no letter, and would not another time.
    #[serde(rename = "no")]
    NoLetter(String),
}

/// One data set's part of the stage.
struct Work<'a> {
    dataset: &'a str,
    options: &'a JudgeOptions<'a>,
    scenes: PathBuf,
    target: PathBuf,
    binding: Binding,
    predictor: String,
    decisions: Vec<Vec<Decision>>,
    tally: Tally,
}

/// Judges the decisions of one data set and gives the counts.
///
/// # Errors
/// When a file or the model is in the way, or when answers are missing at the end; what arrived is kept.
pub fn judge(
    project: &Project,
    dataset: &str,
    options: &JudgeOptions<'_>,
    predictor: Predictor<'_>,
    watch: &dyn Watch,
) -> Result<Tally, JudgeError> {
    let mut work = Work::new(project, dataset, options, predictor)?;
    if options.restart || !work.is_finished()? {
        let journal = Journal::open(&work.target, &work.binding, options.restart)?;
        watch.begin(&format!("judging {dataset} ({})", options.strength.name()), work.all());
        watch.advance(journal.count());
        let collector = Collector::new(&journal, watch, options.stop);
        let asked = match predictor {
            Predictor::Overlap => work.overlap(&journal, &collector),
            Predictor::Model(model) => work.ask(model, &journal, &collector),
            Predictor::Batch { files, .. } => work.take(files, &|place| journal.has(place), &collector),
        };
        let failures = collector.finish()?;
        asked?;
        work.finish(journal, &failures)?;
    }
    work.count()?;
    Ok(work.tally)
}

/// What [`judge`] would do; nothing is written.
///
/// # Errors
/// As [`judge`], before anything is asked.
pub fn plan(
    project: &Project,
    dataset: &str,
    options: &JudgeOptions<'_>,
    predictor: Predictor<'_>,
) -> Result<Plan, JudgeError> {
    let work = Work::new(project, dataset, options, predictor)?;
    let mut plan = Plan { decisions: work.all(), ..Plan::default() };
    if !options.restart && work.is_finished()? {
        return Ok(Plan { have: plan.decisions, complete: true, ..plan });
    }
    let there = work.there()?;
    plan.have = there.len() as u64;
    work.each_missing(&|place| there.contains(&place), &mut |requests, _| {
        plan.requests += requests.len() as u64;
        let bytes = |request: &LetterRequest| request.messages.iter().map(|of| of.content.len()).sum::<usize>();
        plan.bytes += requests.iter().map(bytes).sum::<usize>() as u64;
        Ok(())
    })?;
    Ok(plan)
}

impl<'a> Work<'a> {
    fn new(
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
            .with("predictor", predictor.name())
            .with("prompts", format!("{} ({})", options.prompts.name(), options.prompts.digest()));
        if !options.settings.is_empty() {
            binding = binding.with("settings", options.settings);
        }
        let target = project.probs(dataset, options.strength);
        let predictor = format!("{} {}", predictor.name(), binding.digest());
        Ok(Work { dataset, options, scenes, target, binding, predictor, decisions, tally })
    }

    /// Answers wanted.
    fn all(&self) -> u64 {
        self.decisions.iter().map(|of| of.len() as u64).sum()
    }

    /// Whether the file is there, complete and of these settings.
    fn is_finished(&self) -> Result<bool, FileError> {
        if !self.target.exists() || journal_path(&self.target).exists() {
            return Ok(false);
        }
        let mut reader = Jsonl::<ProbsRecord>::open(&self.target, "")?;
        let by = reader.step()?.and_then(|(_, record)| record.predictor);
        if by.as_ref() == Some(&self.predictor) {
            return Ok(true);
        }
        let by = by.unwrap_or_else(|| "an unknown predictor".to_owned());
        let problem = format!("the file is there, by {by} and not {}; --restart makes it anew", self.predictor);
        Err(FileError::whole(&self.target, problem))
    }

    /// The answers that are there, by what a new run would find.
    fn there(&self) -> Result<BTreeSet<Place>, FileError> {
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
        messages.push(self.options.prompts.unfinished(&decision.text)?);
        Ok(LetterRequest { messages, options: scene.options() })
    }

    /// Gives what is missing, some thousand requests at a time.
    fn each_missing(
        &self,
        has: &dyn Fn(Place) -> bool,
        see: &mut dyn FnMut(&[LetterRequest], &[Place]) -> Result<(), JudgeError>,
    ) -> Result<(), JudgeError> {
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

    fn ask(
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
                Ok(letters) => collector.keep(&[(places[at], Judgement::Letters(letters))]),
                Err(LanguageError::Answer(why)) => collector.keep(&[(places[at], Judgement::NoLetter(why))]),
                Err(error) => collector.fail(places[at], error.to_string()),
            };
            Ok(model.letters(requests, &arrived)?)
        })
    }

    fn overlap(&self, journal: &Journal<Judgement>, collector: &Collector<'_, Judgement>) -> Result<(), JudgeError> {
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

    /// Writes the file and takes the journal away, unless a request has failed: then it can be asked again.
    fn finish(&self, journal: Journal<Judgement>, failures: &BTreeMap<Place, String>) -> Result<(), JudgeError> {
        let (have, all) = (journal.count(), self.all());
        if have < all && self.options.stop.load(Ordering::Relaxed) {
            return Err(JudgeError::Stopped { have, all, journal: journal.path().to_owned() });
        }
        if have < all && !self.options.skip_failed {
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

    fn incomplete(&self, journal: &Journal<Judgement>, failures: &BTreeMap<Place, String>) -> JudgeError {
        let rows = 0..self.decisions.len() as u64;
        let mut missing = rows.flat_map(|row| self.missing(row, &|place| journal.has(place)));
        let (scene, decision) = missing.next().map_or((0, 0), |(place, _)| place);
        let why = failures.get(&(scene, decision)).map(|why| format!(" ({why})")).unwrap_or_default();
        let path = journal.path().to_owned();
        JudgeError::Incomplete { have: journal.count(), all: self.all(), journal: path, scene, decision, why }
    }

    /// Counts what the file holds.
    fn count(&mut self) -> Result<(), FileError> {
        let mut reader = Jsonl::<ProbsRecord>::open(&self.target, "")?;
        let (mut judged, mut without) = (0, 0);
        while let Some((_, record)) = reader.step()? {
            judged += record.choice.len() as u64;
            without += u64::from(record.choice.is_empty());
        }
        self.tally.set("judged decisions", judged);
        let lost = self.all().saturating_sub(judged);
        self.tally.drop_many("usable decisions for which the predictor named no letter", lost, String::new);
        self.tally.drop_many("scenes without a judged decision (their lines stay, empty)", without, String::new);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
