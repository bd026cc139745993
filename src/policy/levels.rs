//! The rating matrix for policies that use ratings.
//!
//! One row for each user of the data set. A rating of the user's log has weight 1. An item rated since has the mean
//! level of the simulated users with this source who rated it, weighted by their share. So a log counts once however
//! many simulated users share it. Acceptances without a rating are left out.

use super::{Histories, PolicyContext, PolicyError};
use crate::dataset::TrainingLog;
use crate::ids::LogUserId;
use crate::log::EventBatch;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The log and the ratings since, by data-set user.
pub(super) struct Levels {
    log: Arc<TrainingLog>,
    sources: Arc<[LogUserId]>,
    /// The number of simulated users with each data-set user as their source.
    copies: Vec<u32>,
    /// By data-set user and item: the sum of the levels since, and their number.
    since: Vec<BTreeMap<u32, (f64, u32)>>,
}

impl Levels {
    /// The log without later ratings. It may be empty: then everything is learned from the policy's own users.
    ///
    /// # Errors
    /// When the log has interactions and none is rated; `kind` is the policy that needs ratings.
    pub fn new(context: &PolicyContext, kind: &str) -> Result<Levels, PolicyError> {
        if !context.log.rows.is_empty() && context.log.rows.iter().all(|row| row.rating.is_nan()) {
            return Err(PolicyError::new(format!(
                "`{kind}` learns from ratings, and the log before the start has none; take a log with ratings, or a policy \
                 that needs none, such as `popular`, `item_knn` or `ials`"
            )));
        }
        let mut copies = vec![0; context.log.users()];
        for source in context.sources.iter() {
            copies[source.index()] += 1;
        }
        let since = vec![BTreeMap::new(); copies.len()];
        Ok(Levels { log: context.log.clone(), sources: context.sources.clone(), copies, since })
    }

    /// Counts the ratings of one tick for items that are new to their user; `before` are the histories without this tick.
    pub fn observe(&mut self, events: &EventBatch, before: &Histories) {
        for (row, &user) in events.users.iter().enumerate() {
            let rating = events.ratings[row];
            let Some(item) = events.accepted_item(row).filter(|&item| !before.contains(user, item)) else { continue };
            if !rating.is_nan() {
                let sum = self.since[self.sources[user.index()].index()].entry(item.0).or_default();
                *sum = (sum.0 + f64::from(rating), sum.1 + 1);
            }
        }
    }

    /// The current matrix: rows are data-set users, columns items.
    pub fn matrix(&self) -> Rated {
        let mut matrix = Rated { columns: self.log.items, offsets: vec![0], entries: Vec::new() };
        for (source, since) in self.since.iter().enumerate() {
            let rows = self.log.of(LogUserId(source as u32)).iter().filter(|row| !row.rating.is_nan());
            let logged = rows.map(|row| Entry { column: row.item.0, level: row.rating, weight: 1.0 });
            let copies = f64::from(self.copies[source].max(1));
            let since = since.iter().map(|(&column, &(sum, count))| {
                let level = (sum / f64::from(count)) as f32;
                Entry { column, level, weight: (f64::from(count) / copies) as f32 }
            });
            let mut row: Vec<Entry> = logged.chain(since).collect();
            row.sort_by_key(|entry| entry.column);
            row.dedup_by_key(|entry| entry.column);
            matrix.entries.extend(row);
            matrix.offsets.push(matrix.entries.len());
        }
        matrix
    }
}

/// One rating of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Entry {
    /// The item, or the user in a transposed matrix.
    pub column: u32,
    /// From 1 to 5.
    pub level: f32,
    /// Its weight.
    pub weight: f32,
}

/// A sparse matrix of ratings stored by rows, each in the order of its columns.
pub(super) struct Rated {
    columns: usize,
    offsets: Vec<usize>,
    entries: Vec<Entry>,
}

impl Rated {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.offsets.len() - 1
    }

    /// One row.
    #[inline]
    pub fn row(&self, row: usize) -> &[Entry] {
        &self.entries[self.offsets[row]..self.offsets[row + 1]]
    }

    /// The weighted mean of all levels; 0 without any.
    pub fn mean(&self) -> f64 {
        mean(&self.entries)
    }

    /// The transposed matrix.
    pub fn transposed(&self) -> Rated {
        let mut offsets = vec![0; self.columns + 1];
        for entry in &self.entries {
            offsets[entry.column as usize + 1] += 1;
        }
        for column in 0..self.columns {
            offsets[column + 1] += offsets[column];
        }
        let mut next = offsets.clone();
        let mut entries = vec![Entry::default(); self.entries.len()];
        for row in 0..self.rows() {
            for &entry in self.row(row) {
                let place = &mut next[entry.column as usize];
                entries[*place] = Entry { column: row as u32, ..entry };
                *place += 1;
            }
        }
        Rated { columns: self.rows(), offsets, entries }
    }
}

fn mean(entries: &[Entry]) -> f64 {
    let weight: f64 = entries.iter().map(|entry| f64::from(entry.weight)).sum();
    let sum: f64 = entries.iter().map(|entry| f64::from(entry.weight) * f64::from(entry.level)).sum();
    if weight > 0.0 { sum / weight } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::testing::World;

    #[test]
    fn a_rating_since_weighs_the_share_of_the_copies_who_gave_it() {
        // The level of item i in the log is i % 5 + 1; accepted items are rated 4.
        let world = World::with_log(2, 6, &[&[4, 1], &[0]]).cloned(2);
        let context = world.context();
        let (mut levels, histories) = (Levels::new(&context, "test").unwrap(), Histories::new(&context));
        // Users 0 and 2 start from 0, users 1 and 3 from 1.
        let mut events = world.accept(0, &[Some(2), Some(3), Some(1), Some(3)]);
        events.ratings = vec![4.0, 5.0, 4.0, 2.0];
        levels.observe(&events, &histories);
        let entry = |column, level, weight| Entry { column, level, weight };
        let matrix = levels.matrix();
        assert_eq!(matrix.row(0), [entry(1, 2.0, 1.0), entry(2, 4.0, 0.5), entry(4, 5.0, 1.0)]);
        assert_eq!(matrix.row(1), [entry(0, 1.0, 1.0), entry(3, 3.5, 1.0)]);
        assert_eq!(matrix.transposed().row(3), [entry(1, 3.5, 1.0)]);
        // (2 + 4 / 2 + 5 + 1 + 3.5) / 4.5
        assert!((matrix.mean() - 3.0).abs() < 1e-12);
    }
}
