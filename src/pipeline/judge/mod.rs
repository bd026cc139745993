//! Behaviour probabilities P(label | scene, decision) by a predictor.
//!
//! The predictor is a language model that is asked which letter comes after `Behavior: [`, or a count of shared
//! words where there is no model. Answers go to a journal as they arrive and to
//! `probs/NAME_probs_STRENGTH.jsonl` when all are there, a line for each scene in the scenes' order. A scene without
//! a usable decision has a line with empty lists, so that lines and scenes stay in step.

mod batch;
mod difficulty;
mod work;

pub use self::batch::{LetterForm, write_requests};
pub use self::difficulty::judge_difficulty;

use self::work::Work;
use super::answer_journal::{Collector, Journal};
use super::{Project, PromptError, Prompts, Strength, Watch};
use crate::files::{FileError, Tally};
use crate::language::{LanguageError, LanguageModel, LetterRequest};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

/// The name of the predictor that counts shared words.
pub const OVERLAP: &str = "overlap";

/// The source of the probabilities.
#[derive(Clone, Copy)]
pub enum Predictor<'a> {
    /// Nobody who understands: a softmax over the words that decision and option share.
    Overlap,
    /// A language model.
    Model(&'a dyn LanguageModel),
    /// A language model whose answers are in files of OpenAI batch output.
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

    /// Further identification of the model.
    fn fingerprint(&self) -> Option<&str> {
        match self {
            Predictor::Model(model) => Some(model.fingerprint()),
            _ => None,
        }
    }
}

/// The input of judging.
#[derive(Clone, Copy)]
pub struct JudgeOptions<'a> {
    /// The decisions of which of the two models.
    pub strength: Strength,
    /// How scenes and decisions are put.
    pub prompts: &'a Prompts,
    /// Further settings of the back end that change its answers.
    pub settings: &'a str,
    /// Start over although there are answers.
    pub restart: bool,
    /// Make the file although some decisions have no answer.
    pub skip_failed: bool,
    /// Set from elsewhere to stop.
    pub stop: &'a AtomicBool,
}

/// Probabilities that cannot be determined.
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
    #[error("stopped: {have} of {all} decisions are judged, kept in {}; {again} to continue", journal.display())]
    Stopped {
        /// Answers that are there.
        have: u64,
        /// Answers wanted.
        all: u64,
        /// Where they are.
        journal: PathBuf,
        /// How.
        again: &'static str,
    },
    /// Some answers are missing.
    #[error("{have} of {all} decisions are judged, kept in {}; the first that is not is decision {decision} of scene {scene}{why}; {again} to ask for the rest, or leave it out with --skip-failed", journal.display())]
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
        /// How.
        again: &'static str,
    },
}

/// The plan of a run.
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
    /// True if the file is complete.
    pub complete: bool,
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

/// Plans the work of [`judge`]; writes nothing.
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

#[cfg(test)]
mod tests;
