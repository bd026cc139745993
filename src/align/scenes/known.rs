//! The log behind the scenes.
//!
//! Users, items and times, for rules that need ids.

use super::AlignError;
use super::set::SceneSet;
use crate::dataset::{Catalogue, Dataset, IdTable, Interaction, InteractionHead, ItemRow, TrainingLog, UnifiedFiles};
use crate::files::Jsonl;
use crate::ids::{ItemId, LogUserId};
use crate::scene::CoOccurrence;
use std::path::PathBuf;

/// The remedy for a missing file.
const REMEDY: &str = "`recmirror import` makes it";

/// The log of one data set. Times are milliseconds since 1970.
pub(crate) struct Known {
    users: IdTable,
    items: IdTable,
    whole: TrainingLog,
    /// By item, ascending.
    times: Vec<Vec<i64>>,
    /// The release time of each item, if known.
    released: Vec<Option<i64>>,
    /// Counts before the first scene.
    near: CoOccurrence,
    /// The share of items that are more popular before the first scene; items of equal counts share the middle of their
    /// ranks.
    ranks: Vec<f64>,
}

impl Known {
    /// The log of a data set in memory. `begin` is the time of the first scene.
    pub(crate) fn of_dataset(data: &Dataset, begin: i64) -> Known {
        let rows = data.interactions.clone();
        // In thousandths of a year: integers have a total order.
        let catalogue = Catalogue::of(data);
        let released = (0..data.items.len() as u32).map(|item| catalogue.year(ItemId(item)));
        let released = released.map(|year| (!year.is_nan()).then_some((f64::from(year) * 1e3) as i64)).collect();
        Known::new(data.users.clone(), data.items.clone(), rows, released, begin)
    }

    /// The log in the unified form; `None` if there is no such file.
    pub(crate) fn of_raws(files: &UnifiedFiles, begin: i64) -> Result<Option<Known>, AlignError> {
        if !files.interactions.is_file() {
            return Ok(None);
        }
        let (mut users, mut items, mut rows) = (IdTable::default(), IdTable::default(), Vec::new());
        let mut reader = Jsonl::<InteractionHead>::open(&files.interactions, REMEDY)?;
        while let Some((_, row)) = reader.step()? {
            let (user, _) = users.insert(&row.user_id.to_string());
            let (item, _) = items.insert(&row.item_id.to_string());
            // A row without a time is earlier than all others, as in `scenes`.
            let time = row.timestamp.map_or(i64::MIN, |time| time.0);
            rows.push(Interaction { user: LogUserId(user), item: ItemId(item), rating: f32::NAN, time });
        }
        rows.sort_by_key(|row| (row.user, row.time));
        let mut released = vec![None; items.len()];
        if files.items.is_file() {
            let mut reader = Jsonl::<ItemRow>::open(&files.items, REMEDY)?;
            while let Some((_, row)) = reader.step()? {
                let (item, is_new) = items.insert(&row.item_id.to_string());
                if is_new {
                    released.push(None);
                }
                released[item as usize] = row.released().map(|time| time.0);
            }
        }
        Ok(Some(Known::new(users, items, rows, released, begin)))
    }

    fn new(users: IdTable, items: IdTable, rows: Vec<Interaction>, released: Vec<Option<i64>>, begin: i64) -> Known {
        let mut times = vec![Vec::new(); items.len()];
        rows.iter().for_each(|row| times[row.item.index()].push(row.time));
        times.iter_mut().for_each(|times| times.sort_unstable());
        let before: Vec<Interaction> = rows.iter().filter(|row| row.time < begin).copied().collect();
        let before = TrainingLog::from_sorted(before, users.len(), items.len());
        let near = CoOccurrence::without_neighbours(&before);
        let ranks = ranks(&before.item_counts());
        let whole = TrainingLog::from_sorted(rows, users.len(), items.len());
        Known { users, items, whole, times, released, near, ranks }
    }

    /// The number of an item.
    pub(crate) fn item(&self, id: &str) -> Option<ItemId> {
        self.items.get(id).map(ItemId)
    }

    /// The history of a user before a point in time, the latest last.
    pub(crate) fn history(&self, user: &str, time: i64) -> &[Interaction] {
        let rows = self.users.get(user).map(|user| self.whole.of(LogUserId(user))).unwrap_or_default();
        &rows[..rows.partition_point(|row| row.time < time)]
    }

    /// The number of times that an item was taken before a moment.
    pub(crate) fn count(&self, item: ItemId, time: i64) -> usize {
        self.times[item.index()].partition_point(|&earlier| earlier < time)
    }

    /// The release time of an item, in a unit for comparison alone.
    pub(crate) fn released(&self, item: ItemId) -> Option<i64> {
        self.released[item.index()]
    }

    /// The cosine of the users of two items before the first scene.
    pub(crate) fn cosine(&self, a: ItemId, b: ItemId) -> f64 {
        self.near.cosine(a, b)
    }

    /// The popularity rank of an item before the first scene: 0 is the most popular item, 1 the least.
    pub(crate) fn rank(&self, item: ItemId) -> f64 {
        self.ranks[item.index()]
    }
}

fn ranks(counts: &[u32]) -> Vec<f64> {
    let mut sorted = counts.to_vec();
    sorted.sort_unstable();
    let most = counts.len().saturating_sub(1).max(1) as f64;
    let rank = |&count: &u32| {
        let below = sorted.partition_point(|&other| other < count);
        let above = counts.len() - sorted.partition_point(|&other| other <= count);
        let equal = counts.len() - below - above;
        (above as f64 + (equal.saturating_sub(1)) as f64 / 2.0) / most
    };
    counts.iter().map(rank).collect()
}

/// The unified files beside a file of scenes in a project: `P/datasets/NAME_eval.jsonl` belongs to `P/raws/NAME_*`.
pub(crate) fn beside(set: &SceneSet, dataset: usize) -> Option<UnifiedFiles> {
    let file = set.scenes.iter().find(|scene| scene.dataset == dataset)?.file;
    let path = &set.files[file];
    let folder = path
        .parent()
        .map(|folder| if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder.to_owned() })?;
    let project = folder.canonicalize().ok()?.parent()?.to_owned();
    Some(UnifiedFiles::of(&project.join("raws"), &set.datasets[dataset]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_by_hand() {
        // 9 is first, the two 4 share places 1 and 2, 0 is last: of 3 steps 0, 1.5, 1.5, 3.
        assert_eq!(ranks(&[4, 9, 0, 4]), [0.5, 0.0, 1.0, 0.5]);
        assert_eq!(ranks(&[5]), [0.0]);
        assert_eq!(ranks(&[]), [0.0; 0]);
    }
}
