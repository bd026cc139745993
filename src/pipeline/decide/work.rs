//! The work on one data set, with its journal.

use super::file::{self, made_from};
use super::{DecideError, DecideOptions, Decider};
use crate::files::{FileError, JsonlWriter};
use crate::language::{Completion, CompletionRequest, Draws, LanguageError, LanguageModel, Sampling};
use crate::pipeline::answer_journal::{Binding, Collector, Failure, Journal, Place, again, file_hash};
use crate::pipeline::compose::{Wording, WordingError, compose};
use crate::pipeline::scene_file::{REMEDY, each_scene, scene_lengths};
use crate::pipeline::{Project, PromptError, PromptKind, SceneRecord, Strength};
use crate::random::{Purpose, Streams};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

/// Scenes whose prompts are in memory at once.
const CHUNK: usize = 4096;

/// Receives requests, each with its scene's row.
type See<'a> = &'a mut dyn FnMut(&[CompletionRequest], &[u64]) -> Result<(), DecideError>;

/// One data set's part of the stage.
pub(super) struct Work<'a> {
    pub(super) dataset: &'a str,
    pub(super) options: &'a DecideOptions<'a>,
    pub(super) scenes: PathBuf,
    pub(super) target: PathBuf,
    pub(super) binding: Binding,
    model: String,
    /// The number of options of each scene.
    pub(super) lengths: Vec<usize>,
}

/// The id of one scene's draws: other data sets, models and rows do not change them.
fn draw_id(dataset: &str, strength: Strength, row: u64) -> u64 {
    let hash = blake3::hash(format!("{dataset}/{}/{row}", strength.name()).as_bytes());
    hash.as_bytes().iter().take(8).fold(0, |id, &byte| (id << 8) | u64::from(byte))
}

impl<'a> Work<'a> {
    pub(super) fn new(
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
            .with("scenes file", file_hash(&scenes, REMEDY)?)
            .with("strength", options.strength.name())
            .with_model("model", decider.name(), decider.fingerprint())
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

    /// Requested answers.
    pub(super) fn all(&self) -> u64 {
        self.lengths.len() as u64 * u64::from(self.options.decisions)
    }

    /// True if the file exists, is complete and has these settings.
    pub(super) fn is_finished(&self) -> Result<bool, FileError> {
        if !self.target.exists() || Journal::<Completion>::holds_answers(&self.target)? {
            return Ok(false);
        }
        match made_from(&self.target, &self.binding.digest())? {
            Ok(()) => Ok(true),
            Err(model) => Err(FileError::whole(
                &self.target,
                format!("the file is there, by {model} and from other scenes or settings; --restart makes it again"),
            )),
        }
    }

    /// The existing answers that a new run would find.
    pub(super) fn there(&self) -> Result<BTreeSet<Place>, FileError> {
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

    /// The ranges of missing samples of one scene: first and length.
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

    /// Passes missing requests, some thousand at a time, each with its scene's row.
    pub(super) fn each_missing(&self, has: &dyn Fn(Place) -> bool, see: See<'_>) -> Result<(), DecideError> {
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

    pub(super) fn ask(
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
                    Err(error) => collector.fail_by((row, request.draws.first), &error),
                }
            };
            Ok(model.complete(requests, &arrived)?)
        })
    }

    pub(super) fn compose(
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

    /// Writes the file and removes the journal, unless a scene has failed: then it can be asked again.
    pub(super) fn finish(
        &self,
        journal: Journal<Completion>,
        failures: &BTreeMap<Place, Failure>,
        decider: Decider<'_>,
    ) -> Result<(), DecideError> {
        let (have, all) = (journal.count(), self.all());
        if have < all && self.options.stop.load(Ordering::Relaxed) {
            let (journal, again) = (journal.path().to_owned(), again(self.options.restart));
            return Err(DecideError::Stopped { have, all, journal, again });
        }
        // A file without any answer would be useless, and its inputs would be unknown.
        if have < all && (!self.options.skip_failed || have == 0) {
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
                let why = failures.range((row, 0)..(row + 1, 0)).next().map_or("no answer", |(_, of)| &of.why);
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
        failures: &BTreeMap<Place, Failure>,
        decider: Decider<'_>,
    ) -> DecideError {
        let lacks = |row: &u64| (0..self.options.decisions).any(|sample| !journal.has((*row, sample)));
        let scene = (0..self.lengths.len() as u64).find(lacks).unwrap_or(0);
        let failure = failures.range((scene, 0)..(scene + 1, 0)).next().map(|(_, failure)| failure);
        let again = again(self.options.restart);
        let remedy = match decider {
            Decider::Batch { .. } if self.options.restart => {
                "give the rest with --batch-in, without --restart, or ask an endpoint for it".to_owned()
            }
            Decider::Batch { .. } => "give the rest with --batch-in or ask an endpoint for it".to_owned(),
            _ if failure.is_some_and(|failure| failure.lasting) => {
                "asked again it would fail again: make the scenes with a shorter history".to_owned()
            }
            _ => format!("{again} to ask for the rest"),
        };
        let skip = match self.options.restart {
            true => "; or leave it out with --skip-failed, without --restart",
            false => "; or leave it out with --skip-failed",
        };
        DecideError::Incomplete {
            have: journal.count(),
            all: self.all(),
            journal: journal.path().to_owned(),
            scene,
            why: failure.map(|failure| format!(" ({})", failure.why)).unwrap_or_default(),
            remedy: remedy + skip,
        }
    }
}
