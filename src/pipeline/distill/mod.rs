//! Distillation: from judged decisions to preference pairs.
//!
//! The files are read twice: once for the measures of every scene, which are small, and once for the texts of the
//! selected pairs. Memory is bounded by the number of scenes and the texts of the selected pairs.

mod judged;
mod score;
mod select;
mod uncertainty;

pub use self::score::SceneMeasures;
pub use self::select::{Group, Rank};
pub use self::uncertainty::{LEAST, Uncertainty, clean, entropy};

use self::judged::{JudgedScene, JudgedScenes};
use self::score::{Pick, ScoredScene, Useless, score};
use super::difficulty::{Difficulties, DifficultyError};
use super::{PairRecord, Project, PromptError, PromptKind, Prompts, Strength, Watch};
use crate::dataset::ExternalId;
use crate::files::{FileError, JsonlWriter, Partial, Tally};
use crate::language::Message;
use crate::random::Streams;
use std::collections::BTreeMap;
use std::path::Path;

/// A failure of the stage.
#[derive(Debug, thiserror::Error)]
pub enum DistillError {
    /// A problem of a file.
    #[error(transparent)]
    File(#[from] FileError),
    /// A problem of a prompt.
    #[error(transparent)]
    Prompt(#[from] PromptError),
    /// A problem of the difficulties that `--rank ifd` needs.
    #[error(transparent)]
    Difficulty(#[from] DifficultyError),
}

/// The input of distillation.
#[derive(Clone, Debug)]
pub struct DistillOptions<'a> {
    /// The data sets, by name.
    pub datasets: &'a [String],
    /// Maximum number of pairs.
    pub keep: usize,
    /// The order of scenes.
    pub rank: Rank,
    /// Root of the draws.
    pub streams: Streams,
}

/// The result of scoring, before pairs are made.
#[derive(Debug)]
pub struct Distillation {
    scenes: Vec<ScoredScene>,
    kept: Vec<usize>,
    /// The groups with their offered and selected pairs.
    pub groups: Vec<Group>,
    /// Counts and drop reasons.
    pub tally: Tally,
}

/// Measures every scene and selects the pairs.
///
/// # Errors
/// When a file is missing, damaged, or holds a row that does not belong to its scene.
pub fn distill(
    project: &Project,
    options: &DistillOptions<'_>,
    watch: &dyn Watch,
) -> Result<Distillation, DistillError> {
    let mut names: Vec<&String> = options.datasets.iter().collect();
    names.sort();
    let mut tally = Tally::default();
    let mut scenes = Vec::new();
    let mut read = 0;
    for name in names {
        watch.begin(&format!("measuring {name}"), 0);
        let mut rows = JudgedScenes::open(project, name, options.streams)?;
        while let Some(judged) = rows.step()? {
            read += 1;
            watch.advance(1);
            match score(&judged, name) {
                Ok(scored) => scenes.push(scored),
                Err(useless) => tally.drop(reason(useless), || format!("{name} scene {}", judged.row)),
            }
        }
    }
    let difficulty = match options.rank {
        Rank::Ifd => difficulties(project, &scenes)?,
        _ => Vec::new(),
    };
    let (kept, groups) = select::select(&scenes, &difficulty, options.rank, options.keep, options.streams);
    count(&mut tally, read, &scenes, kept.len());
    let unknown = difficulty.iter().filter(|value| **value < 0.0).count() as u64;
    if unknown > 0 {
        tally.set("without a difficulty, ranked last", unknown);
    }
    Ok(Distillation { scenes, kept, groups, tally })
}

fn count(tally: &mut Tally, read: u64, scenes: &[ScoredScene], kept: usize) {
    let offered = scenes.iter().filter(|scene| scene.pair.is_some()).count();
    for (what, count) in [("scenes", read), ("with a hit", scenes.len() as u64), ("with a pair", offered as u64)] {
        tally.set(what, count);
    }
    tally.set("pairs kept", kept as u64);
    let without: Vec<&ScoredScene> = scenes.iter().filter(|scene| scene.pair.is_none()).collect();
    let place = || without.first().map(|of| format!("{} scene {}", of.measures.dataset, of.measures.cid));
    let reason = "no hit of the strong model, or no miss of either";
    tally.drop_many(reason, without.len() as u64, || place().unwrap_or_default());
    tally.drop_many("ranked below the pairs that were kept", (offered - kept) as u64, String::new);
}

fn reason(useless: Useless) -> &'static str {
    match useless {
        Useless::NoHit => "no decision of either model hits",
        Useless::NoDecision(Strength::Strong) => "no usable decision of the strong model",
        Useless::NoDecision(Strength::Weak) => "no usable decision of the weak model",
    }
}

/// The difficulty of the chosen decision of each scene. It is 0 if the scene offers no pair, and below all difficulties
/// if it could not be measured, so that the scene ranks last.
fn difficulties(project: &Project, scenes: &[ScoredScene]) -> Result<Vec<f64>, DistillError> {
    let mut known: BTreeMap<&str, Difficulties> = BTreeMap::new();
    let mut found = Vec::with_capacity(scenes.len());
    for scene in scenes {
        let name = scene.measures.dataset.as_str();
        if !known.contains_key(name) {
            known.insert(name, Difficulties::read(project, name)?);
        }
        found.push(match (scene.pair, known.get(name)) {
            (Some((hit, _)), Some(of)) => of.get(scene.measures.cid, hit.place)?.unwrap_or(-1.0),
            _ => 0.0,
        });
    }
    Ok(found)
}

impl Distillation {
    /// The measures of every scene in which some decision hits, by data set and row.
    pub fn measures(&self) -> impl Iterator<Item = &SceneMeasures> {
        self.scenes.iter().map(|scene| &scene.measures)
    }

    /// Writes the measures, one scene a line, to a file that has no name yet.
    fn start_measures(&self, path: &Path) -> Result<Partial, FileError> {
        let mut writer = JsonlWriter::create(path)?;
        self.measures().try_for_each(|measures| writer.push(measures))?;
        Ok(writer.into_partial())
    }

    /// Reads the texts of the selected pairs and writes them to `path`, and the measures to `measures`; returns the
    /// number of pairs. Both files appear together.
    ///
    /// # Errors
    /// When a file has changed since it was measured, or cannot be read or written.
    pub fn write_pairs(
        &self,
        project: &Project,
        prompts: &Prompts,
        streams: Streams,
        path: &Path,
        measures: Option<&Path>,
        watch: &dyn Watch,
    ) -> Result<u64, DistillError> {
        let mut wanted: BTreeMap<&str, BTreeMap<u64, usize>> = BTreeMap::new();
        for (rank, &place) in self.kept.iter().enumerate() {
            let measures = &self.scenes[place].measures;
            wanted.entry(&measures.dataset).or_default().insert(measures.cid, rank);
        }
        let mut pairs: Vec<Option<PairRecord>> = vec![None; self.kept.len()];
        watch.begin("collecting pairs", self.kept.len() as u64);
        for (name, rows) in wanted {
            let mut judged = JudgedScenes::open(project, name, streams)?;
            while let Some(scene) = judged.step()? {
                let Some(&rank) = rows.get(&scene.row) else { continue };
                if let Some((hit, miss)) = self.scenes[self.kept[rank]].pair {
                    pairs[rank] = Some(pair(&scene, name, hit, miss, prompts)?);
                }
                watch.advance(1);
            }
        }
        let mut writer = JsonlWriter::create(path)?;
        for (pair, &place) in pairs.iter().zip(&self.kept) {
            let measures = &self.scenes[place].measures;
            let gone = || {
                let problem = format!("scene {} is gone: the file changed while it was read", measures.cid);
                FileError::whole(project.train(&measures.dataset), problem)
            };
            writer.push(pair.as_ref().ok_or_else(gone)?)?;
        }
        let rows = writer.rows();
        let mut files = vec![writer.into_partial()];
        files.extend(measures.map(|path| self.start_measures(path)).transpose()?);
        Partial::finish_all(files)?;
        Ok(rows)
    }
}

fn pair(
    judged: &JudgedScene,
    name: &str,
    hit: Pick,
    miss: Pick,
    prompts: &Prompts,
) -> Result<PairRecord, DistillError> {
    let question = prompts.question(&judged.scene, PromptKind::Decision)?;
    let conversation = |pick: Pick| -> Result<Vec<Message>, DistillError> {
        let text = judged.of(pick.strength).texts.get(pick.place).map_or("", String::as_str);
        let mut messages = question.clone();
        messages.push(prompts.answer(text.trim(), pick.letter)?);
        Ok(messages)
    };
    // Ids are written as text, as the paper's reference code writes them here.
    let text = |id: &ExternalId| ExternalId::Text(id.to_string());
    Ok(PairRecord {
        dataset: name.to_owned(),
        user_id: text(&judged.scene.user_id),
        item_id: text(&judged.scene.item_id),
        timestamp: judged.scene.timestamp,
        messages_chosen: conversation(hit)?,
        messages_rejected: conversation(miss)?,
        behavior_chosen: hit.letter,
        behavior_rejected: miss.letter,
    })
}
