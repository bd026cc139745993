//! Decisions: rationales with option labels.
//!
//! The strong and the weak model each write several for each scene.
//!
//! Answers go to a journal as they arrive and, when all exist, to `decisions/NAME_decisions_STRENGTH.jsonl` in the
//! order of the scenes. Answers in the journal are not requested again. Malformed answers are stored and counted;
//! `judge` leaves them out.

mod answer;
mod batch;
mod file;
mod work;

pub use self::answer::{Decision, Malformed, parse};
pub use self::batch::write_requests;
pub(super) use self::batch::{foreign, short};
pub use self::file::read_decisions;

use self::work::Work;
use super::answer_journal::{Collector, Journal};
use super::compose::{COMPOSED, Wording, WordingError};
use super::{Project, PromptError, Prompts, Strength, Watch};
use crate::files::{FileError, Tally};
use crate::language::{CompletionRequest, LanguageError, LanguageModel, Sampling};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

/// The deciding model.
#[derive(Clone, Copy)]
pub enum Decider<'a> {
    /// A template over the scene's own facts.
    Composed(&'a Wording),
    /// A language model.
    Model(&'a dyn LanguageModel),
    /// No model: answers are in files of OpenAI batch output.
    Batch {
        /// The model's name.
        model: &'a str,
        /// The files.
        files: &'a [PathBuf],
    },
}

impl Decider<'_> {
    fn name(&self) -> &str {
        match self {
            Decider::Composed(_) => COMPOSED,
            Decider::Model(model) => model.name(),
            Decider::Batch { model, .. } => model,
        }
    }

    /// Further identification of the model.
    fn fingerprint(&self) -> Option<&str> {
        match self {
            Decider::Model(model) => Some(model.fingerprint()),
            _ => None,
        }
    }
}

/// The request.
#[derive(Clone, Copy)]
pub struct DecideOptions<'a> {
    /// The role of the model.
    pub strength: Strength,
    /// Decisions for each scene.
    pub decisions: u32,
    /// How answers are sampled.
    pub sampling: Sampling,
    /// The prompts of scenes.
    pub prompts: &'a Prompts,
    /// Root of the random streams.
    pub seed: u64,
    /// Further settings of the back end that change its answers.
    pub settings: &'a str,
    /// Starts over, even if there are answers.
    pub restart: bool,
    /// Writes the file, even if some scenes have no answer.
    pub skip_failed: bool,
    /// A flag that stops.
    pub stop: &'a AtomicBool,
}

/// A failure of the stage.
#[derive(Debug, thiserror::Error)]
pub enum DecideError {
    /// A problem of a file.
    #[error(transparent)]
    File(#[from] FileError),
    /// A problem of a prompt.
    #[error(transparent)]
    Prompt(#[from] PromptError),
    /// A problem of the wording of composed decisions.
    #[error(transparent)]
    Wording(#[from] WordingError),
    /// A problem of the model.
    #[error(transparent)]
    Language(#[from] LanguageError),
    /// The stage was interrupted.
    #[error("stopped: {have} of {all} answers are in {}; {again} to continue", journal.display())]
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
    #[error("{have} of {all} answers are there, kept in {}; the first that is missing is of scene {scene}{why}; {remedy}", journal.display())]
    Incomplete {
        /// Existing answers.
        have: u64,
        /// Requested answers.
        all: u64,
        /// The journal with the existing answers.
        journal: PathBuf,
        /// The first scene with a missing answer.
        scene: u64,
        /// The reason, if known.
        why: String,
        /// The remedy.
        remedy: String,
    },
}

/// The plan of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Scenes of the file.
    pub scenes: u64,
    /// Existing answers.
    pub have: u64,
    /// Answers to request.
    pub missing: u64,
    /// Requests if the back end returns several answers at once.
    pub requests: u64,
    /// Bytes of the prompts of these requests.
    pub bytes: u64,
    /// True if the file is complete.
    pub complete: bool,
}

/// Makes the decisions of one data set and returns the counts of its file.
///
/// # Errors
/// When a file or the model fails, or answers are missing at the end; arrived answers are stored.
pub fn decide(
    project: &Project,
    dataset: &str,
    options: &DecideOptions<'_>,
    decider: Decider<'_>,
    watch: &dyn Watch,
) -> Result<Tally, DecideError> {
    let work = Work::new(project, dataset, options, decider)?;
    if options.restart || !work.is_finished()? {
        let journal = Journal::open(&work.target, &work.binding, options.restart)?;
        watch.begin(&format!("deciding {dataset} ({})", options.strength.name()), work.all());
        watch.advance(journal.count());
        let collector = Collector::new(&journal, watch, options.stop);
        let asked = match decider {
            Decider::Composed(wording) => work.compose(wording, &journal, &collector),
            Decider::Model(model) => work.ask(model, &journal, &collector),
            Decider::Batch { files, .. } => work.take(files, &|place| journal.has(place), &collector),
        };
        let failures = collector.finish()?;
        asked?;
        work.finish(journal, &failures, decider)?;
    }
    let mut tally = Tally::default();
    read_decisions(project, dataset, options.strength, &work.lengths, &mut tally)?;
    Ok(tally)
}

/// Plans the work of [`decide`]; writes nothing.
///
/// # Errors
/// As [`decide`], before any request.
pub fn plan(
    project: &Project,
    dataset: &str,
    options: &DecideOptions<'_>,
    decider: Decider<'_>,
) -> Result<Plan, DecideError> {
    let work = Work::new(project, dataset, options, decider)?;
    let mut plan = Plan { scenes: work.lengths.len() as u64, ..Plan::default() };
    if !options.restart && work.is_finished()? {
        return Ok(Plan { have: work.all(), complete: true, ..plan });
    }
    let there = work.there()?;
    plan.have = there.len() as u64;
    work.each_missing(&|place| there.contains(&place), &mut |requests, _| {
        plan.requests += requests.len() as u64;
        plan.missing += requests.iter().map(|request| u64::from(request.samples)).sum::<u64>();
        let bytes = |request: &CompletionRequest| request.messages.iter().map(|of| of.content.len()).sum::<usize>();
        plan.bytes += requests.iter().map(bytes).sum::<usize>() as u64;
        Ok(())
    })?;
    Ok(plan)
}
