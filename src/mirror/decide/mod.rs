//! Decisions: for each scene several rationales, each with the letter that it ends in, by the strong and the weak model.
//!
//! Answers go to a journal as they arrive and to `decisions/NAME_decisions_STRENGTH.jsonl`, in the order of the
//! scenes, when all are there. What the journal has is not asked again. Malformed answers are kept and counted;
//! `judge` leaves them out.

mod answer;
mod batch;
mod file;

pub use self::answer::{Decision, Malformed, parse};
pub use self::batch::write_requests;
pub use self::file::read_decisions;

use super::compose::{COMPOSED, Wording, WordingError, compose};
use super::journal::{Binding, Collector, Journal, Place, file_hash, journal_path};
use super::{Project, PromptError, PromptKind, Prompts, SceneRecord, Strength, Watch};
use crate::files::{FileError, Jsonl, JsonlWriter, Tally};
use crate::language::{Completion, CompletionRequest, Draws, LanguageError, LanguageModel, Sampling};
use crate::random::{Purpose, Streams};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Scenes whose prompts are in memory at once.
const CHUNK: usize = 4096;

const SCENES: &str = "`recmirror scenes` makes it";

/// Who decides.
#[derive(Clone, Copy)]
pub enum Decider<'a> {
    /// A template over the scene's own facts.
    Composed(&'a Wording),
    /// A language model.
    Model(&'a dyn LanguageModel),
    /// Nobody: the answers of a model stand in files of OpenAI batch output.
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
}

/// What to ask for.
#[derive(Clone, Copy)]
pub struct DecideOptions<'a> {
    /// As which of the two models.
    pub strength: Strength,
    /// Decisions for each scene.
    pub decisions: u32,
    /// How answers are drawn.
    pub sampling: Sampling,
    /// How scenes are put.
    pub prompts: &'a Prompts,
    /// Root of the random streams.
    pub seed: u64,
    /// Further settings of the back end that change its answers.
    pub settings: &'a str,
    /// Start anew although there are answers.
    pub restart: bool,
    /// Make the file although some scenes have no answer.
    pub skip_failed: bool,
    /// Set from elsewhere to stop.
    pub stop: &'a AtomicBool,
}

/// Decisions that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum DecideError {
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// A prompt.
    #[error(transparent)]
    Prompt(#[from] PromptError),
    /// The wording of composed decisions.
    #[error(transparent)]
    Wording(#[from] WordingError),
    /// The model.
    #[error(transparent)]
    Language(#[from] LanguageError),
    /// Somebody stopped it.
    #[error("stopped: {have} of {all} answers are in {}; run the command again to go on", journal.display())]
    Stopped {
        /// Answers that are there.
        have: u64,
        /// Answers wanted.
        all: u64,
        /// Where they are.
        journal: PathBuf,
    },
    /// Some answers are missing.
    #[error("{have} of {all} answers are there, kept in {}; the first that is missing is of scene {scene}{why}; {remedy}", journal.display())]
    Incomplete {
        /// Answers that are there.
        have: u64,
        /// Answers wanted.
        all: u64,
        /// Where they are.
        journal: PathBuf,
        /// The first scene that lacks one.
        scene: u64,
        /// Why, where it is known.
        why: String,
        /// What to do.
        remedy: &'static str,
    },
}

/// What a run would do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Scenes of the file.
    pub scenes: u64,
    /// Answers that are there.
    pub have: u64,
    /// Answers that would be asked for.
    pub missing: u64,
    /// Requests when the back end gives several answers at once.
    pub requests: u64,
    /// Bytes of the prompts of these requests.
    pub bytes: u64,
    /// Whether the file is complete.
    pub complete: bool,
}

/// One data set's part of the stage.
struct Work<'a> {
    dataset: &'a str,
    options: &'a DecideOptions<'a>,
    scenes: PathBuf,
    target: PathBuf,
    binding: Binding,
    model: String,
    /// The number of options of each scene.
    lengths: Vec<usize>,
}

/// Makes the decisions of one data set and gives the counts of its file.
///
/// # Errors
/// When a file or the model is in the way, or when answers are missing at the end; what arrived is kept.
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

/// What [`decide`] would do; nothing is written.
///
/// # Errors
/// As [`decide`], before anything is asked.
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

/// Reads and checks the scenes; gives the number of options of each.
pub(super) fn scene_lengths(path: &Path) -> Result<Vec<usize>, FileError> {
    let mut lengths = Vec::new();
    each_scene(path, &mut |_, scene| {
        lengths.push(scene.options());
        Ok::<(), FileError>(())
    })?;
    if lengths.is_empty() {
        return Err(FileError::whole(path, format!("there is no scene in it; {SCENES}")));
    }
    Ok(lengths)
}

/// Gives each scene with its row.
pub(super) fn each_scene<E: From<FileError>>(
    path: &Path,
    see: &mut dyn FnMut(u64, SceneRecord) -> Result<(), E>,
) -> Result<(), E> {
    let mut reader = Jsonl::<SceneRecord>::open(path, SCENES)?;
    let mut row = 0;
    while let Some((_, scene)) = reader.step()? {
        if let Some(fault) = scene.fault() {
            return Err(reader.error(fault).into());
        }
        see(row, scene)?;
        row += 1;
    }
    Ok(())
}

/// The id of the draws of one scene: other data sets, models and rows do not change them.
fn draw_id(dataset: &str, strength: Strength, row: u64) -> u64 {
    let hash = blake3::hash(format!("{dataset}/{}/{row}", strength.name()).as_bytes());
    hash.as_bytes().iter().take(8).fold(0, |id, &byte| (id << 8) | u64::from(byte))
}

impl<'a> Work<'a> {
    fn new(
        project: &Project,
        dataset: &'a str,
        options: &'a DecideOptions<'a>,
        decider: Decider<'_>,
    ) -> Result<Work<'a>, FileError> {
        let scenes = project.train(dataset);
        let lengths = scene_lengths(&scenes)?;
        let Sampling { temperature, top_p, max_tokens } = options.sampling;
        let mut binding = Binding::default()
            .with("data set", dataset)
            .with("scenes file", file_hash(&scenes, SCENES)?)
            .with("strength", options.strength.name())
            .with("model", decider.name())
            .with("decisions", options.decisions)
            .with("prompts", format!("{} ({})", options.prompts.name(), options.prompts.digest()))
            .with("seed", options.seed);
        if let Decider::Composed(wording) = decider {
            binding = binding.with("wording", wording.digest());
        } else {
            binding = binding.with("temperature", temperature).with("top-p", top_p).with("max-tokens", max_tokens);
        }
        if !options.settings.is_empty() {
            binding = binding.with("settings", options.settings);
        }
        let target = project.decisions(dataset, options.strength);
        Ok(Work { dataset, options, scenes, target, binding, model: decider.name().to_owned(), lengths })
    }

    /// Answers wanted.
    fn all(&self) -> u64 {
        self.lengths.len() as u64 * u64::from(self.options.decisions)
    }

    /// Whether the file is there, complete and of these settings.
    fn is_finished(&self) -> Result<bool, FileError> {
        if !self.target.exists() || journal_path(&self.target).exists() {
            return Ok(false);
        }
        match file::made_from(&self.target, &self.binding.digest())? {
            Ok(()) => Ok(true),
            Err(model) => Err(FileError::whole(
                &self.target,
                format!("the file is there, by {model} and from other scenes or settings; --restart makes it anew"),
            )),
        }
    }

    /// The answers that are there, by what a new run would find.
    fn there(&self) -> Result<BTreeSet<Place>, FileError> {
        match self.options.restart {
            true => Ok(BTreeSet::new()),
            false => Ok(Journal::<Completion>::peek(&self.target, &self.binding)?.into_iter().collect()),
        }
    }

    fn request(
        &self,
        row: u64,
        scene: &SceneRecord,
        first: u32,
        samples: u32,
    ) -> Result<CompletionRequest, PromptError> {
        let messages = self.options.prompts.question(scene, PromptKind::Decision)?;
        let draws = self.draws(row, first);
        Ok(CompletionRequest { messages, samples, sampling: self.options.sampling, draws })
    }

    fn draws(&self, row: u64, first: u32) -> Draws {
        let streams = Streams::new(self.options.seed, 0);
        Draws { streams, purpose: Purpose::Decision, id: draw_id(self.dataset, self.options.strength, row), first }
    }

    /// The runs of samples of one scene that are not there: first and length.
    fn missing(&self, row: u64, has: &dyn Fn(Place) -> bool) -> Vec<(u32, u32)> {
        let mut runs: Vec<(u32, u32)> = Vec::new();
        for sample in (0..self.options.decisions).filter(|&sample| !has((row, sample))) {
            match runs.last_mut() {
                Some((first, length)) if *first + *length == sample => *length += 1,
                _ => runs.push((sample, 1)),
            }
        }
        runs
    }

    /// Gives what is missing, some thousand requests at a time, each with its scene's row.
    fn each_missing(
        &self,
        has: &dyn Fn(Place) -> bool,
        see: &mut dyn FnMut(&[CompletionRequest], &[u64]) -> Result<(), DecideError>,
    ) -> Result<(), DecideError> {
        let (mut requests, mut rows) = (Vec::new(), Vec::new());
        each_scene(&self.scenes, &mut |row, scene| {
            for (first, samples) in self.missing(row, has) {
                requests.push(self.request(row, &scene, first, samples)?);
                rows.push(row);
            }
            if requests.len() >= CHUNK {
                see(&requests, &rows)?;
                requests.clear();
                rows.clear();
            }
            Ok::<(), DecideError>(())
        })?;
        if requests.is_empty() { Ok(()) } else { see(&requests, &rows) }
    }

    fn ask(
        &self,
        model: &dyn LanguageModel,
        journal: &Journal<Completion>,
        collector: &Collector<'_, Completion>,
    ) -> Result<(), DecideError> {
        self.each_missing(&|place| journal.has(place), &mut |requests, rows| {
            if self.options.stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            let given: Vec<AtomicU32> = requests.iter().map(|_| AtomicU32::new(0)).collect();
            let arrived = |at: usize, answers: Result<Vec<Completion>, LanguageError>| {
                let (request, row) = (&requests[at], rows[at]);
                match answers {
                    Ok(answers) => {
                        let part = answers.len() as u32;
                        let first = request.draws.first + given[at].fetch_add(part, Ordering::Relaxed);
                        let placed: Vec<_> = (first..).map(|sample| (row, sample)).zip(answers).collect();
                        collector.keep(&placed);
                    }
                    Err(error) => collector.fail((row, request.draws.first), error.to_string()),
                }
            };
            Ok(model.complete(requests, &arrived)?)
        })
    }

    fn compose(
        &self,
        wording: &Wording,
        journal: &Journal<Completion>,
        collector: &Collector<'_, Completion>,
    ) -> Result<(), DecideError> {
        let mut scenes: Vec<(u64, SceneRecord)> = Vec::new();
        let all = |scenes: &[(u64, SceneRecord)]| -> Result<(), WordingError> {
            scenes.par_iter().try_for_each(|(row, scene)| {
                if self.options.stop.load(Ordering::Relaxed) {
                    return Ok(());
                }
                let mut answers = Vec::new();
                for sample in (0..self.options.decisions).filter(|&sample| !journal.has((*row, sample))) {
                    let draws = self.draws(*row, sample);
                    let none = self.options.prompts.none();
                    answers.push(((*row, sample), compose(wording, scene, none, self.options.strength, draws)?));
                }
                collector.keep(&answers);
                Ok(())
            })
        };
        each_scene(&self.scenes, &mut |row, scene| {
            scenes.push((row, scene));
            if scenes.len() >= CHUNK {
                all(&scenes)?;
                scenes.clear();
            }
            Ok::<(), DecideError>(())
        })?;
        Ok(all(&scenes)?)
    }

    /// Writes the file and takes the journal away, unless a scene has failed: then it can be asked again.
    fn finish(
        &self,
        journal: Journal<Completion>,
        failures: &BTreeMap<Place, String>,
        decider: Decider<'_>,
    ) -> Result<(), DecideError> {
        let (have, all) = (journal.count(), self.all());
        if have < all && self.options.stop.load(Ordering::Relaxed) {
            return Err(DecideError::Stopped { have, all, journal: journal.path().to_owned() });
        }
        if have < all && !self.options.skip_failed {
            return Err(self.incomplete(&journal, failures, decider));
        }
        let digest = self.binding.digest();
        let mut writer = JsonlWriter::create(&self.target)?;
        for row in 0..self.lengths.len() as u64 {
            let mut answers = Vec::new();
            for sample in 0..self.options.decisions {
                if let Some(answer) = journal.get((row, sample))? {
                    answers.push((sample, answer));
                }
            }
            let id = format!("{}-{row}", self.dataset);
            if answers.is_empty() {
                let why = failures.range((row, 0)..(row + 1, 0)).next().map_or("no answer", |(_, why)| why);
                writer.push(&file::failure(id, why))?;
            } else {
                writer.push(&file::record(id, &self.model, &digest, &answers))?;
            }
        }
        writer.finish()?;
        if have == all {
            journal.remove()?;
        }
        Ok(())
    }

    fn incomplete(
        &self,
        journal: &Journal<Completion>,
        failures: &BTreeMap<Place, String>,
        decider: Decider<'_>,
    ) -> DecideError {
        let lacks = |row: &u64| (0..self.options.decisions).any(|sample| !journal.has((*row, sample)));
        let scene = (0..self.lengths.len() as u64).find(lacks).unwrap_or(0);
        let why = failures.range((scene, 0)..(scene + 1, 0)).next().map(|(_, why)| format!(" ({why})"));
        let remedy = match decider {
            Decider::Batch { .. } => {
                "give the rest with --batch-in or ask an endpoint for it, or leave it out with --skip-failed"
            }
            _ => "run the command again to ask for the rest, or leave it out with --skip-failed",
        };
        DecideError::Incomplete {
            have: journal.count(),
            all: self.all(),
            journal: journal.path().to_owned(),
            scene,
            why: why.unwrap_or_default(),
            remedy,
        }
    }
}
