//! The split of a log by time.
//!
//! Each user has a cut of their own, or one time cuts the log for all.

use super::{Dataset, Interaction};
use crate::ids::LogUserId;

/// The part of a log before the start, grouped by user and ordered by time. Its ratings are levels from 1 to 5
/// ([`super::RatingScale::level`]), whatever the scale of the data set, so that its readers have one scale.
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
    pub fn of(&self, user: LogUserId) -> &[Interaction] {
        &self.rows[self.offsets[user.index()]..self.offsets[user.index() + 1]]
    }

    /// The number of interactions of each item.
    pub fn item_counts(&self) -> Vec<u32> {
        let mut counts = vec![0; self.items];
        for row in &self.rows {
            counts[row.item.index()] += 1;
        }
        counts
    }

    /// The latest time of the log, or 0 if it is empty.
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

/// The rule by which a log is cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cut {
    /// For each user apart: of `n` rows the first `ceil((1 - holdout) n)` come before the cut, in the order of the data set.
    /// Statistics over all users then know what others did later than one user's cut ([`Split::later_share`]).
    #[default]
    User,
    /// At one moment for all: the latest moment with at most `1 - holdout` of all rows before it. All rows of that
    /// moment are held out, so the order of the log's lines has no effect.
    Global,
}

impl Cut {
    /// The word of a scenario.
    pub fn word(self) -> &'static str {
        match self {
            Cut::User => "user",
            Cut::Global => "global",
        }
    }
}

/// A log that has no moment at which it could be cut.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the rows of {data} all have the same time, or none, so there is no moment to cut it at; set `data.cut` to \"user\""
)]
pub struct CutError {
    data: String,
}

/// A log cut by time.
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

    /// Cuts the log by user, see [`Cut::User`].
    pub fn split(&self, holdout: f64) -> Split {
        let whole = self.log();
        self.divide(&whole, |user| {
            let rows = whole.of(user).len();
            (((rows as f64) * (1.0 - holdout) - 1e-9).ceil() as usize).min(rows)
        })
    }

    /// Cuts the log.
    ///
    /// # Errors
    /// A cut at one moment, for a log whose rows all have the same time or none.
    pub fn split_by(&self, holdout: f64, cut: Cut) -> Result<Split, CutError> {
        match cut {
            Cut::User => Ok(self.split(holdout)),
            Cut::Global => {
                let moment = self.moment(holdout)?;
                let whole = self.log();
                Ok(self.divide(&whole, |user| whole.of(user).partition_point(|row| row.time < moment)))
            }
        }
    }

    /// The moment with at most `1 - holdout` of the rows before it; all rows of that moment are after the cut.
    fn moment(&self, holdout: f64) -> Result<i64, CutError> {
        let mut times: Vec<i64> = self.interactions.iter().map(|row| row.time).collect();
        times.sort_unstable();
        if times.first() == times.last() {
            return Err(CutError { data: self.name.clone() });
        }
        let kept = ((times.len() as f64) * (1.0 - holdout) - 1e-9).ceil() as usize;
        Ok(times.get(kept).copied().unwrap_or(i64::MAX))
    }

    /// Cuts each user's rows before the first one that is held out by its user and time.
    pub(super) fn split_at(&self, is_held_out: impl Fn(LogUserId, i64) -> bool) -> Split {
        let whole = self.log();
        self.divide(&whole, |user| whole.of(user).partition_point(|row| !is_held_out(user, row.time)))
    }

    fn divide(&self, whole: &TrainingLog, cut: impl Fn(LogUserId) -> usize) -> Split {
        let (users, items) = (self.users.len(), self.items.len());
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for user in (0..users as u32).map(LogUserId) {
            let (first, rest) = whole.of(user).split_at(cut(user));
            before.extend_from_slice(first);
            after.extend_from_slice(rest);
        }
        Split {
            before: TrainingLog::from_sorted(before, users, items),
            held_out: TrainingLog::from_sorted(after, users, items),
        }
    }
}

impl Split {
    /// The share of facts at the start that were unknown when the users' parts ended: for each user with held-out rows,
    /// the share of the *other* users' rows before their cuts that are not earlier than the user's own first held-out
    /// row; the mean over these users. `None` if nothing is held out. After a cut at one moment it is 0.
    pub fn later_share(&self) -> Option<f64> {
        let mut times: Vec<i64> = self.before.rows.iter().map(|row| row.time).collect();
        times.sort_unstable();
        let (mut sum, mut users) = (0.0, 0u32);
        for user in (0..self.held_out.users() as u32).map(LogUserId) {
            let (Some(first), own) = (self.held_out.of(user).first(), self.before.of(user)) else { continue };
            let late = |count: usize, earlier: usize| (count - earlier) as f64;
            let all = late(times.len(), times.partition_point(|&time| time < first.time));
            let mine = late(own.len(), own.partition_point(|row| row.time < first.time));
            let others = times.len() - own.len();
            if others > 0 {
                sum += (all - mine) / others as f64;
                users += 1;
            }
        }
        (users > 0).then(|| sum / f64::from(users))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::RatingScale;
    use crate::ids::ItemId;

    /// Rows `(user, time)`, each with an item of its own.
    fn timed(rows: &[(u32, i64)]) -> Dataset {
        let mut data = Dataset { name: "timed".to_owned(), ..Dataset::default() };
        for (item, &(user, time)) in rows.iter().enumerate() {
            data.items.insert(&item.to_string());
            (0..=user).for_each(|user| {
                data.users.insert(&user.to_string());
            });
            data.interactions.push(Interaction { user: LogUserId(user), item: ItemId(item as u32), rating: 4.0, time });
        }
        data
    }

    #[test]
    fn a_cut_at_one_moment_keeps_rows_of_a_moment_together() {
        let data = timed(&[(0, 1), (0, 2), (0, 3), (1, 3), (1, 3), (1, 9), (2, 4), (2, 5)]);
        let times = |log: &TrainingLog| log.rows.iter().map(|row| row.time).collect::<Vec<_>>();
        let of = |holdout: f64| {
            data.split_by(holdout, Cut::Global).map(|split| (times(&split.before), times(&split.held_out)))
        };
        // Five of eight rows may stay, and the sixth has time 4.
        assert_eq!(of(0.4), Ok((vec![1, 2, 3, 3, 3], vec![9, 4, 5])));
        // Four may stay, and the fifth has time 3: all rows of time 3 are held out.
        assert_eq!(of(0.5), Ok((vec![1, 2], vec![3, 3, 3, 9, 4, 5])));
        assert_eq!(of(0.0).map(|(_, held_out)| held_out), Ok(vec![]));
        let split = data.split_by(0.4, Cut::Global).expect("times");
        assert_eq!(split.later_share(), Some(0.0));
        assert_eq!(data.split_by(0.4, Cut::User).map(|split| times(&split.before)), Ok(times(&data.split(0.4).before)));
        let timeless = timed(&[(0, 7), (1, 7)]).split_by(0.2, Cut::Global).expect_err("no moment").to_string();
        assert!(timeless.contains("timed") && timeless.contains("`data.cut` to \"user\""), "{timeless}");
    }

    #[test]
    fn later_rows_of_others_by_hand() {
        // Before the cuts: user 0 has times 1 and 2, user 1 has 5 and 6; held out are 3 and 7.
        let split = timed(&[(0, 1), (0, 2), (0, 3), (1, 5), (1, 6), (1, 7)]).split(0.4);
        // User 0's cut is at 3, and both rows of user 1 are later; user 1's is at 7, and none of user 0's is.
        assert_eq!(split.later_share(), Some(0.5));
        assert_eq!(timed(&[(0, 1), (1, 2)]).split(0.0).later_share(), None);
    }

    #[test]
    fn ratings_of_a_log_are_levels() {
        let row = |item: u32, rating: f32| Interaction { user: LogUserId(0), item: ItemId(item), rating, time: 0 };
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
