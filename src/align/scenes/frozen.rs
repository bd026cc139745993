//! Histories that end at the start of the held-out part.
//!
//! They correspond to the open loop of a simulation.

use super::AlignError;
use super::known::beside;
use super::set::SceneSet;
use crate::dataset::{ExternalId, InteractionRow, ItemRow, TextTemplates};
use crate::files::Jsonl;
use std::collections::BTreeMap;

/// The remedy for a missing file.
const REMEDY: &str = "`recmirror import` makes it";

/// The history of each user before the first scene, the latest last.
type Done = BTreeMap<ExternalId, Vec<InteractionRow>>;

impl SceneSet {
    /// For each scene a history with as many lines as its own, which ends before the first scene of its data set. It is
    /// rendered by the text templates of the project, at the time of the scene. `None` if the files of some data set
    /// are not beside the scenes, or scenes have no times.
    ///
    /// # Errors
    /// When a file of the project is damaged.
    pub fn frozen_histories(&self) -> Result<Option<Vec<String>>, AlignError> {
        let mut histories = vec![String::new(); self.len()];
        for dataset in 0..self.datasets.len() {
            if !self.freeze(dataset, &mut histories)? {
                return Ok(None);
            }
        }
        Ok(Some(histories))
    }

    fn freeze(&self, dataset: usize, histories: &mut [String]) -> Result<bool, AlignError> {
        let (Some(begin), Some(files)) = (self.begins[dataset], beside(self, dataset)) else { return Ok(false) };
        if ![&files.interactions, &files.items, &files.template].iter().all(|path| path.is_file()) {
            return Ok(false);
        }
        let templates = TextTemplates::load(&files.template)?;
        let of = |scene: &usize| self.scenes[*scene].dataset == dataset;
        let scenes: Vec<usize> = (0..self.len()).filter(of).collect();
        let mut done: Done =
            scenes.iter().map(|&scene| (self.scenes[scene].record.user_id.clone(), Vec::new())).collect();
        let mut reader = Jsonl::<InteractionRow>::open(&files.interactions, REMEDY)?;
        while let Some((_, row)) = reader.step()? {
            if row.timestamp.is_none_or(|time| time.0 < begin) {
                done.entry(row.user_id.clone()).and_modify(|rows| rows.push(row));
            }
        }
        done.values_mut().for_each(|rows| rows.sort_by_key(|row| row.timestamp));
        let items = items(&files.items, &done)?;
        for scene in scenes {
            let record = &self.scenes[scene].record;
            let wanted = record.text.history.lines().count();
            let rows = done.get(&record.user_id).map(Vec::as_slice).unwrap_or_default();
            let history = rows[rows.len().saturating_sub(wanted)..].iter();
            let history =
                history.filter_map(|row| Some(templates.history(items.get(&row.item_id)?, row, record.timestamp)));
            histories[scene] = history.collect::<Result<Vec<String>, _>>()?.join("\n");
        }
        Ok(true)
    }
}

/// The rows of all items that occur in histories.
fn items(path: &std::path::Path, done: &Done) -> Result<BTreeMap<ExternalId, ItemRow>, AlignError> {
    let mut items: BTreeMap<ExternalId, Option<ItemRow>> = BTreeMap::new();
    done.values().flatten().for_each(|row| {
        items.insert(row.item_id.clone(), None);
    });
    let mut reader = Jsonl::<ItemRow>::open(path, REMEDY)?;
    while let Some((_, row)) = reader.step()? {
        if let Some(entry) = items.get_mut(&row.item_id) {
            *entry = Some(row);
        }
    }
    Ok(items.into_iter().filter_map(|(id, row)| Some((id, row?))).collect())
}
