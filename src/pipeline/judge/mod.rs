//! Behaviour probabilities P(label | scene, decision) by a predictor.
//!
//! The predictor is a language model that returns the probabilities of option labels after `Behavior: [`, or a count of
//! shared words without a model. Answers go to a journal as they arrive and, when all exist, to
//! `probs/NAME_probs_STRENGTH.jsonl`, a line for each scene in the scenes' order. A scene without a usable decision has
//! a line with empty lists, so that lines and scenes correspond.

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
    /// No model: a softmax over the words that decision and option share.
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
    /// The role of the model whose decisions are judged.
    pub strength: Strength,
    /// The prompts of scenes and decisions.
    pub prompts: &'a Prompts,
    /// Further settings of the back end that change its answers.
    pub settings: &'a str,
    /// Starts over, even if there are answers.
    pub restart: bool,
    /// Writes the file, even if some decisions have no answer.
    pub skip_failed: bool,
    /// A flag that stops.
    pub stop: &'a AtomicBool,
}

/// A failure of the stage.
#[derive(Debug, thiserror::Error)]
pub enum JudgeError {
    /// A problem of a file.
    #[error(transparent)]
    File(#[from] FileError),
    /// A problem of a prompt.
    #[error(transparent)]
    Prompt(#[from] PromptError),
    /// A problem of the model.
    #[error(transparent)]
    Language(#[from] LanguageError),
    /// The stage was interrupted.
    #[error("stopped: {have} of {all} decisions are judged, kept in {}; {again} to continue", journal.display())]
    Stopped {
        /// Existing answers.
        have: u64,
        /// Requested answers.
        all: u64,
        /// The journal with the existing answers.
        journal: PathBuf,
        /// How to continue.
        again: &'static str,
    },
    /// Some answers are missing.
    #[error("{have} of {all} decisions are judged, kept in {}; the first that is not is decision {decision} of scene {scene}{why}; {again} to ask for the rest, or leave it out with --skip-failed", journal.display())]
    Incomplete {
        /// Existing answers.
        have: u64,
        /// Requested answers.
        all: u64,
        /// The journal with the existing answers.
        journal: PathBuf,
        /// The first scene with a missing answer.
        scene: u64,
        /// The decision.
        decision: u32,
        /// The reason, if known.
        why: String,
        /// How to continue.
        again: &'static str,
    },
}

/// The plan of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Usable decisions.
    pub decisions: u64,
    /// Existing answers.
    pub have: u64,
    /// Requests to send.
    pub requests: u64,
    /// Bytes of their prompts.
    pub bytes: u64,
    /// True if the file is complete.
    pub complete: bool,
}

/// Judges the decisions of one data set and returns the counts.
///
/// # Errors
/// When a file or the model fails, or answers are missing at the end; arrived answers are stored.
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
/// As [`judge`], before any request.
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
