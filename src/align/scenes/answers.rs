//! The answers of models to each scene, as a file: `answers.jsonl`.

use super::answer::Heard;
use super::set::SceneSet;
use crate::dataset::{ExternalId, Moment};
use crate::files::{FileError, JsonlWriter};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// The answers to one scene.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AnswerRecord {
    /// The file of the scene, without its folder.
    pub file: String,
    /// Its line, counted from 1.
    pub line: u64,
    /// The data set.
    pub dataset: String,
    /// The user.
    pub user_id: ExternalId,
    /// The item that the user took.
    pub item_id: ExternalId,
    /// The time.
    #[serde(default)]
    pub timestamp: Option<Moment>,
    /// The position of the real item, from 0; the number of items if the list lacks it.
    pub item_pos: usize,
    /// True if "none of these" was an option.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub offers_none: bool,
    /// The listed items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<Vec<ExternalId>>,
    /// By the name of the model, the probability of each option: the items, then "none of these" if it is offered.
    pub probabilities: BTreeMap<String, Vec<f64>>,
}

/// The answers of each model, `heard[model][scene]`, to the scenes that all of them answered, without variations.
pub(super) fn answers(set: &SceneSet, names: &[&str], heard: &[Vec<Heard>], kept: &[usize]) -> Vec<AnswerRecord> {
    let of = |&place: &usize| {
        let scene = &set.scenes[place];
        let record = &scene.record;
        let said = names.iter().zip(heard).filter_map(|(name, heard)| {
            let answer = heard[place].plain.as_ref()?;
            Some(((*name).to_owned(), answer.options.clone()))
        });
        let file = set.files[scene.file].file_name();
        AnswerRecord {
            file: file.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
            line: scene.line,
            dataset: record.dataset.clone(),
            user_id: record.user_id.clone(),
            item_id: record.item_id.clone(),
            timestamp: record.timestamp,
            item_pos: record.item_pos,
            offers_none: record.offers_none,
            items: record.items.clone(),
            probabilities: said.collect(),
        }
    };
    kept.iter().map(of).collect()
}

/// Writes a line for each scene.
///
/// # Errors
/// When the file cannot be written.
pub fn write_answers(path: &Path, answers: &[AnswerRecord]) -> Result<(), FileError> {
    let mut writer = JsonlWriter::create(path)?;
    for answer in answers {
        writer.push(answer)?;
    }
    writer.finish()
}
