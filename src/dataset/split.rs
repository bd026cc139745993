//! The split by time, per user: what came before the start, and what is held out.

use super::{Dataset, Interaction};
use crate::ids::UserId;

/// The part of a log that happened before the start, grouped by user and ordered by time. Its ratings are levels from 1 to
/// 5 ([`super::RatingScale::level`]), whatever the scale of the data set: all that reads it works on one scale.
#[derive(Clone, Debug, Default)]
pub struct TrainingLog {
    /// Items of the catalogue.
    pub items: usize,
    /// `[users + 1]`: the rows of user `u` are `offsets[u]..offsets[u + 1]`.
    pub offsets: Vec<usize>,
    /// Sorted by user, then time; `rating` is a level from 1 to 5, NaN where nothing was rated.
    pub rows: Vec<Interaction>,
}

impl TrainingLog {
    /// Number of users, those without rows included.
    pub fn users(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// The interactions of one user, oldest first.
    pub fn of(&self, user: UserId) -> &[Interaction] {
        &self.rows[self.offsets[user.index()]..self.offsets[user.index() + 1]]
    }

    /// How many interactions each item has.
    pub fn item_counts(&self) -> Vec<u32> {
        let mut counts = vec![0; self.items];
        for row in &self.rows {
            counts[row.item.index()] += 1;
        }
        counts
    }

    /// The latest time of the log, or 0 when it is empty.
    pub fn end(&self) -> i64 {
        self.rows.iter().map(|row| row.time).max().unwrap_or(0)
    }

    /// Groups rows that are sorted by user.
    pub fn from_sorted(rows: Vec<Interaction>, users: usize, items: usize) -> TrainingLog {
        let mut offsets = vec![0; users + 1];
        for row in &rows {
            offsets[row.user.index() + 1] += 1;
        }
        for user in 0..users {
            offsets[user + 1] += offsets[user];
        }
        TrainingLog { items, offsets, rows }
    }
}

/// A log cut by time, per user: the first `1 - holdout` of each user's interactions come before the cut.
#[derive(Clone, Debug)]
pub struct Split {
    /// Before the cut.
    pub before: TrainingLog,
    /// After the cut, in the same form.
    pub held_out: TrainingLog,
}

impl Dataset {
    /// All rows as one log, with their ratings as levels.
    pub fn log(&self) -> TrainingLog {
        let level = |row: &Interaction| Interaction {
            rating: self.scale.map_or(row.rating, |scale| scale.level(row.rating)),
            ..*row
        };
        let rows = self.interactions.iter().map(level).collect();
        TrainingLog::from_sorted(rows, self.users.len(), self.items.len())
    }

    /// Cuts the log: of a user with `n` interactions the first `ceil((1 - holdout) n)` come before the cut. The ratings
    /// become levels.
    pub fn split(&self, holdout: f64) -> Split {
        let users = self.users.len();
        let whole = self.log();
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for user in 0..users {
            let rows = whole.of(UserId(user as u32));
            let cut = ((rows.len() as f64) * (1.0 - holdout) - 1e-9).ceil() as usize;
            before.extend_from_slice(&rows[..cut.min(rows.len())]);
            after.extend_from_slice(&rows[cut.min(rows.len())..]);
        }
        Split {
            before: TrainingLog::from_sorted(before, users, self.items.len()),
            held_out: TrainingLog::from_sorted(after, users, self.items.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::RatingScale;
    use crate::ids::ItemId;

    #[test]
    fn ratings_of_a_log_are_levels() {
        let row = |item: u32, rating: f32| Interaction { user: UserId(0), item: ItemId(item), rating, time: 0 };
        let mut data = Dataset {
            interactions: vec![row(0, 0.0), row(1, 50.0), row(2, f32::NAN), row(3, 100.0)],
            scale: Some(RatingScale { min: 0.0, max: 100.0 }),
            ..Dataset::default()
        };
        data.users.insert("u");
        for item in 0..4 {
            data.items.insert(&item.to_string());
        }
        let split = data.split(0.25);
        let levels = |log: &TrainingLog| log.rows.iter().map(|row| row.rating).collect::<Vec<_>>();
        assert_eq!(levels(&split.before)[..2], [1.0, 3.0]);
        assert!(levels(&split.before)[2].is_nan());
        assert_eq!(levels(&split.held_out), [5.0]);
    }
}
