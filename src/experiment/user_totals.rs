//! Totals of each user of the log.
//!
//! Items accepted by each user of the log, through the simulated users who mirror that user, and totals: the data for
//! the second source of uncertainty, other users, and for real levels.

use crate::ids::{ItemId, LogUserId};
use crate::log::{EventBatch, REJECTED};
use crate::user::RATINGS;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Slates shown and accepted, by user of the log (up to the last one served), and further counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserTotals {
    /// Slates shown.
    pub shown: Vec<u32>,
    /// Slates from which something was accepted.
    pub accepted: Vec<u32>,
    /// Acceptances of each item, up to the last accepted one.
    #[serde(default)]
    pub items: Vec<u32>,
    /// Accepted items by the level of their rating, 1 to 5.
    #[serde(default)]
    pub ratings: [u64; RATINGS],
    /// Ticks between a user's visits, summed.
    #[serde(default)]
    pub gap_ticks: u64,
    /// Visits that followed another of the same user.
    #[serde(default)]
    pub gaps: u64,
}

impl UserTotals {
    /// Slates shown and accepted by one user of the log.
    pub fn of(&self, user: usize) -> (f64, f64) {
        let at = |values: &[u32]| values.get(user).copied().map_or(0.0, f64::from);
        (at(&self.shown), at(&self.accepted))
    }

    fn accept(&mut self, item: ItemId, rating: f32) {
        grow(&mut self.items, item.index());
        self.items[item.index()] += 1;
        if rating >= 1.0 {
            self.ratings[(rating as usize - 1).min(RATINGS - 1)] += 1;
        }
    }
}

fn grow(counts: &mut Vec<u32>, place: usize) {
    if counts.len() <= place {
        counts.resize(place + 1, 0);
    }
}

/// Counts [`UserTotals`].
pub(super) struct UserTally {
    sources: Arc<[LogUserId]>,
    totals: UserTotals,
    /// Of each simulated user the tick of the last visit, plus 1; 0 before the first.
    visits: Vec<u32>,
}

impl UserTally {
    /// A tally for simulated users who mirror these users of the log.
    pub(super) fn new(sources: Arc<[LogUserId]>) -> UserTally {
        UserTally { visits: vec![0; sources.len()], sources, totals: UserTotals::default() }
    }

    /// Counts the slates of a step.
    pub(super) fn fold(&mut self, batch: &EventBatch) {
        for (row, (user, &slot)) in batch.users.iter().zip(&batch.accepted).enumerate() {
            let Some(source) = self.sources.get(user.index()).map(|source| source.index()) else { continue };
            let totals = &mut self.totals;
            grow(&mut totals.shown, source);
            grow(&mut totals.accepted, source);
            totals.shown[source] += 1;
            let before = std::mem::replace(&mut self.visits[user.index()], batch.tick + 1);
            if before > 0 {
                totals.gaps += 1;
                totals.gap_ticks += u64::from(batch.tick + 1 - before);
            }
            if slot != REJECTED {
                totals.accepted[source] += 1;
                totals.accept(batch.items[row * batch.slate + usize::from(slot)], batch.ratings[row]);
            }
        }
    }

    /// The counts so far.
    pub(super) fn totals(&self) -> &UserTotals {
        &self.totals
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::UserId;

    #[test]
    fn simulated_users_of_one_user_count_together() {
        let mut tally = UserTally::new([2, 0, 2].map(LogUserId).to_vec().into());
        let batch = EventBatch {
            slate: 1,
            users: [0, 1, 2].map(UserId).to_vec(),
            items: [5, 1, 1].map(ItemId).to_vec(),
            accepted: vec![0, REJECTED, REJECTED],
            ratings: vec![4.0, f32::NAN, f32::NAN],
            ..EventBatch::default()
        };
        tally.fold(&batch);
        tally.fold(&EventBatch { tick: 3, ..batch });
        let expected = UserTotals {
            shown: vec![2, 0, 4],
            accepted: vec![0, 0, 2],
            items: vec![0, 0, 0, 0, 0, 2],
            ratings: [0, 0, 0, 2, 0],
            gap_ticks: 9,
            gaps: 3,
        };
        assert_eq!(*tally.totals(), expected);
        assert_eq!((tally.totals().of(2), tally.totals().of(9)), ((4.0, 2.0), (0.0, 0.0)));
    }
}
