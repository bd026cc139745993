//! The sparse user-item matrix for similarity and factor models.
//!
//! One row for each user of the data set. An item of the user's log has weight 1; an item accepted since has the share
//! of the simulated users with this source who accepted it. So a log counts once however many simulated users share it,
//! a weight never exceeds 1, and the matrix cannot outgrow (users of the data set) x (items). With one simulated user
//! for each data-set user it is the plain binary matrix of the log and all observed acceptances.

use super::{Histories, PolicyContext};
use crate::dataset::TrainingLog;
use crate::ids::LogUserId;
use crate::log::EventBatch;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The log and the acceptances since, by data-set user.
pub(super) struct Feedback {
    log: Arc<TrainingLog>,
    sources: Arc<[LogUserId]>,
    /// The number of simulated users with each data-set user as their source.
    copies: Vec<u32>,
    /// How many of them accepted an item; items of the log are left out.
    accepted: Vec<BTreeMap<u32, u32>>,
}

impl Feedback {
    /// The log without acceptances.
    pub fn new(context: &PolicyContext) -> Feedback {
        let mut copies = vec![0; context.log.users()];
        for source in context.sources.iter() {
            copies[source.index()] += 1;
        }
        let accepted = vec![BTreeMap::new(); copies.len()];
        Feedback { log: context.log.clone(), sources: context.sources.clone(), copies, accepted }
    }

    /// Counts the accepted items of one tick that are new to their user; `before` are the histories
    /// without this tick.
    pub fn observe(&mut self, events: &EventBatch, before: &Histories) {
        for (row, &user) in events.users.iter().enumerate() {
            if let Some(item) = events.accepted_item(row).filter(|&item| !before.contains(user, item)) {
                *self.accepted[self.sources[user.index()].index()].entry(item.0).or_default() += 1;
            }
        }
    }

    /// The current matrix: rows are data-set users, columns items.
    pub fn matrix(&self) -> Sparse {
        let mut matrix = Sparse::new(self.log.items);
        for (source, accepted) in self.accepted.iter().enumerate() {
            let logged = self.log.of(LogUserId(source as u32)).iter().map(|row| (row.item.0, 1.0));
            let copies = f64::from(self.copies[source].max(1));
            let since = accepted.iter().map(|(&item, &count)| (item, (f64::from(count) / copies) as f32));
            let mut row: Vec<(u32, f32)> = logged.chain(since).collect();
            row.sort_by_key(|entry| entry.0);
            row.dedup_by_key(|entry| entry.0);
            matrix.push_row(row);
        }
        matrix
    }
}

/// A sparse matrix stored by rows; the entries of a row keep the order in which they were added.
pub(super) struct Sparse {
    columns: usize,
    offsets: Vec<usize>,
    entries: Vec<(u32, f32)>,
}

impl Sparse {
    /// A matrix without rows.
    pub fn new(columns: usize) -> Sparse {
        Sparse { columns, offsets: vec![0], entries: Vec::new() }
    }

    /// Appends a row.
    pub fn push_row(&mut self, row: impl IntoIterator<Item = (u32, f32)>) {
        self.entries.extend(row);
        self.offsets.push(self.entries.len());
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.offsets.len() - 1
    }

    /// (column, value) of one row.
    #[inline]
    pub fn row(&self, row: usize) -> &[(u32, f32)] {
        &self.entries[self.offsets[row]..self.offsets[row + 1]]
    }

    /// The transposed matrix.
    pub fn transposed(&self) -> Sparse {
        let mut offsets = vec![0; self.columns + 1];
        for entry in &self.entries {
            offsets[entry.0 as usize + 1] += 1;
        }
        for column in 0..self.columns {
            offsets[column + 1] += offsets[column];
        }
        let mut next = offsets.clone();
        let mut entries = vec![(0, 0.0); self.entries.len()];
        for row in 0..self.rows() {
            for &(column, value) in self.row(row) {
                entries[next[column as usize]] = (row as u32, value);
                next[column as usize] += 1;
            }
        }
        Sparse { columns: self.rows(), offsets, entries }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::testing::World;

    #[test]
    fn an_accepted_item_weighs_the_share_of_the_copies_who_accepted_it() {
        let world = World::with_log(2, 6, &[&[4, 1], &[0]]).cloned(2);
        let context = world.context();
        let (mut feedback, mut histories) = (Feedback::new(&context), Histories::new(&context));
        // Users 0 and 2 start from 0, users 1 and 3 from 1.
        for (tick, choices) in [[Some(2), Some(3), Some(1), Some(3)], [Some(2), None, Some(5), None]].iter().enumerate()
        {
            let events = world.accept(tick as u32, choices);
            feedback.observe(&events, &histories);
            histories.observe(&events, |_, _, _| ());
        }
        let matrix = feedback.matrix();
        assert_eq!(matrix.row(0), [(1, 1.0), (2, 0.5), (4, 1.0), (5, 0.5)]);
        assert_eq!(matrix.row(1), [(0, 1.0), (3, 1.0)]);
        let by_item = matrix.transposed();
        assert_eq!(by_item.row(3), [(1, 1.0)]);
        assert_eq!(by_item.rows(), 6);
    }
}
