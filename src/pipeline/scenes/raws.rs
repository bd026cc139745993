//! Ids of users and items, and item rows.
//!
//! Dense numbers follow the order of the external ids, so the order of the files has no effect.

use super::ScenesError;
use crate::dataset::{ExternalId, ItemRow, TextTemplates, UnifiedFiles, UserRow};
use crate::files::{Jsonl, Tally};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// The remedy for a missing file.
const REMEDY: &str = "`recmirror import` makes it";

/// External ids in order, and their dense numbers.
pub(super) struct Ids {
    external: Vec<ExternalId>,
    dense: HashMap<ExternalId, u32>,
}

impl Ids {
    fn new(mut external: Vec<ExternalId>) -> Ids {
        external.sort_unstable();
        let dense = external.iter().cloned().zip(0..).collect();
        Ids { external, dense }
    }

    pub(super) fn get(&self, id: &ExternalId) -> Option<u32> {
        self.dense.get(id).copied()
    }

    pub(super) fn external(&self, dense: u32) -> &ExternalId {
        &self.external[dense as usize]
    }

    pub(super) fn len(&self) -> usize {
        self.external.len()
    }
}

/// The users, the items and the templates of one data set.
pub(super) struct Raws {
    pub(super) files: UnifiedFiles,
    pub(super) templates: TextTemplates,
    pub(super) users: Ids,
    pub(super) items: Ids,
    /// By dense number.
    pub(super) rows: Vec<ItemRow>,
    /// The release time of each item, in milliseconds since 1970; `i64::MIN` if unknown.
    pub(super) released: Vec<i64>,
}

#[derive(Deserialize)]
struct UserHead {
    user_id: ExternalId,
}

impl Raws {
    /// Reads users, items and templates.
    pub(super) fn read(raws: &Path, name: &str, tally: &mut Tally) -> Result<Raws, ScenesError> {
        let files = UnifiedFiles::of(raws, name);
        if !files.template.is_file() {
            let (path, remedy) = (files.template.clone(), REMEDY.to_owned());
            return Err(crate::files::FileError::Missing { path, remedy }.into());
        }
        let templates = TextTemplates::load(&files.template)?;
        let users = Ids::new(user_ids(&files, tally)?);
        let mut items = item_rows(&files, tally)?;
        items.sort_by(|a, b| a.item_id.cmp(&b.item_id));
        let ids = Ids::new(items.iter().map(|row| row.item_id.clone()).collect());
        let released = items.iter().map(|row| row.released().map_or(i64::MIN, |time| time.0)).collect();
        tally.set("users", users.len() as u64);
        tally.set("items", ids.len() as u64);
        Ok(Raws { files, templates, users, items: ids, rows: items, released })
    }

    /// The rows of the users that `wanted` names by dense number.
    pub(super) fn user_rows(&self, wanted: &BTreeMap<u32, ()>) -> Result<BTreeMap<u32, UserRow>, ScenesError> {
        let mut found = BTreeMap::new();
        let mut reader = Jsonl::<UserRow>::open(&self.files.users, REMEDY)?;
        while let Some((_, row)) = reader.step()? {
            if let Some(user) = self.users.get(&row.user_id).filter(|user| wanted.contains_key(user)) {
                found.entry(user).or_insert(row);
            }
        }
        Ok(found)
    }

    /// The text of an item outside any scene.
    pub(super) fn text(&self, item: usize) -> Result<String, ScenesError> {
        Ok(self.templates.item(&self.rows[item], None)?)
    }
}

/// A line of a file of the project, without the project's folder.
pub(super) fn place(path: &Path, line: u64) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    format!("{}:{line}", name.unwrap_or_default())
}

fn user_ids(files: &UnifiedFiles, tally: &mut Tally) -> Result<Vec<ExternalId>, ScenesError> {
    let mut known: HashMap<ExternalId, ()> = HashMap::new();
    let mut ids = Vec::new();
    let mut reader = Jsonl::<UserHead>::open(&files.users, REMEDY)?;
    while let Some((line, head)) = reader.step()? {
        if known.insert(head.user_id.clone(), ()).is_some() {
            tally.drop("a user's row once more", || place(&files.users, line));
            continue;
        }
        ids.push(head.user_id);
    }
    Ok(ids)
}

fn item_rows(files: &UnifiedFiles, tally: &mut Tally) -> Result<Vec<ItemRow>, ScenesError> {
    let mut known: HashMap<ExternalId, ()> = HashMap::new();
    let mut rows = Vec::new();
    let mut reader = Jsonl::<ItemRow>::open(&files.items, REMEDY)?;
    while let Some((line, row)) = reader.step()? {
        if known.insert(row.item_id.clone(), ()).is_some() {
            tally.drop("an item's row once more", || place(&files.items, line));
            continue;
        }
        rows.push(row);
    }
    Ok(rows)
}
