//! Log rows, and the rules that make interactions of them.
//!
//! No rule depends on the order of lines of a log with times:
//! - of rows of one user, item and time with other ratings the highest rating is kept;
//! - of rows of one user and item at other times the earliest is kept; weights of dropped rows are added to it;
//! - rows of a user at one time are in the order of the items' ids.
//!
//! A row without a time counts as earlier than all that have one, in the order of the file. Where that order means nothing
//! ([`Publisher::is_unordered`](crate::dataset::import::Publisher)), as in a matrix, such rows are scattered by a hash of their ids:
//! otherwise the last columns would be held out of every user's rows.

use crate::dataset::clock::Instant;
use crate::dataset::{Cleaner, Cleanup, Interaction};
use crate::ids::{ItemId, LogUserId};
use rayon::slice::ParallelSliceMut;

/// One row. Without a time `seconds` is [`UNDATED`] and `nanos` counts the rows.
#[derive(Clone, Copy, Debug)]
struct Row {
    user: u32,
    item: u32,
    seconds: i64,
    nanos: u32,
    rating: f32,
    weight: f32,
    /// The row's line in the log, or its number where a log has several files.
    line: u32,
}

const UNDATED: i64 = i64::MIN;

impl Row {
    fn milliseconds(&self) -> i64 {
        self.seconds * 1_000 + i64::from(self.nanos / 1_000_000)
    }
}

/// The content of a row apart from user and item.
#[derive(Clone, Copy, Debug)]
pub(in crate::dataset) struct RowValues {
    pub(in crate::dataset) time: Option<Instant>,
    /// NaN where the row has none.
    pub(in crate::dataset) rating: f32,
    /// NaN where the row has none.
    pub(in crate::dataset) weight: f32,
    pub(in crate::dataset) line: u64,
}

/// All rows so far.
#[derive(Default)]
pub(in crate::dataset) struct Rows {
    rows: Vec<Row>,
    undated: u32,
    first_undated: u64,
}

/// The interactions of a log.
pub(in crate::dataset) struct Finished {
    pub(in crate::dataset) interactions: Vec<Interaction>,
    /// One for each interaction; empty where no row has a weight.
    pub(in crate::dataset) weights: Vec<f32>,
    pub(in crate::dataset) is_timed: bool,
    /// True if some times are finer than milliseconds.
    pub(in crate::dataset) is_finer: bool,
}

/// A number for a user and an item, by which rows without a time and without an order are sorted.
pub(in crate::dataset) type Scatter<'a> = &'a (dyn Fn(u32, u32) -> u64 + Sync);

/// A number that looks drawn and depends on the two ids alone.
pub(in crate::dataset) fn scattered(user: &str, item: &str) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(user.len() as u64).to_le_bytes());
    hasher.update(user.as_bytes());
    hasher.update(item.as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    u64::from_le_bytes(first)
}

impl Rows {
    pub(in crate::dataset) fn push(&mut self, user: u32, item: u32, values: RowValues) {
        let (seconds, nanos) = match values.time {
            Some(time) => (time.seconds, time.nanos),
            None => {
                if self.undated == 0 {
                    self.first_undated = values.line;
                }
                self.undated += 1;
                (UNDATED, self.undated)
            }
        };
        let line = u32::try_from(values.line).unwrap_or(u32::MAX);
        self.rows.push(Row { user, item, seconds, nanos, rating: values.rating, weight: values.weight, line });
    }

    pub(in crate::dataset) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Gives users and items their final numbers.
    pub(in crate::dataset) fn renumber(&mut self, users: &[u32], items: &[u32]) {
        for row in &mut self.rows {
            (row.user, row.item) = (users[row.user as usize], items[row.item as usize]);
        }
    }

    /// The interactions by user and time. `rank` orders items at one time; `scatter` orders a user's rows without a
    /// time, by default in the order of the file; `place` returns the place of a line.
    pub(in crate::dataset) fn finish(
        mut self,
        rank: &[u32],
        scatter: Option<Scatter<'_>>,
        cleanup: &mut Cleanup,
        place: impl Fn(u32) -> String,
    ) -> Finished {
        let has_weights = self.rows.iter().any(|row| !row.weight.is_nan());
        self.rows.par_sort_unstable_by(|one, other| {
            let key = |row: &Row| (row.user, row.item, row.seconds, row.nanos);
            let by_rating = || rated(other.rating).total_cmp(&rated(one.rating));
            let rest = || other.weight.total_cmp(&one.weight).then(one.line.cmp(&other.line));
            key(one).cmp(&key(other)).then_with(by_rating).then_with(rest)
        });
        let dropped = merge(&mut self.rows, has_weights);
        for (cleaner, (count, line)) in CLEANERS.into_iter().zip(dropped) {
            cleanup.count_many(cleaner, count, || place(line));
        }
        let order = |row: &Row| match scatter {
            Some(scatter) if row.seconds == UNDATED => scatter(row.user, row.item),
            _ => u64::from(row.nanos),
        };
        self.rows.par_sort_unstable_by_key(|row| (row.user, row.seconds, order(row), rank[row.item as usize]));
        let is_timed = self.rows.iter().any(|row| row.seconds != UNDATED);
        if is_timed && self.undated > 0 {
            let line = u32::try_from(self.first_undated).unwrap_or(u32::MAX);
            cleanup.count_many(Cleaner::UndatedRow, self.undated as usize, || place(line));
        }
        let first = self.rows.iter().map(|row| row.seconds).filter(|seconds| *seconds != UNDATED).min();
        let before = first.map_or(0, |first| (first - 1) * 1_000);
        let time = |row: &Row| if row.seconds == UNDATED { before } else { row.milliseconds() };
        Finished {
            is_finer: self.rows.iter().any(|row| row.seconds != UNDATED && !row.nanos.is_multiple_of(1_000_000)),
            is_timed,
            weights: if has_weights { self.rows.iter().map(|row| row.weight).collect() } else { Vec::new() },
            interactions: self.rows.iter().map(|row| interaction(row, time(row))).collect(),
        }
    }
}

fn interaction(row: &Row, time: i64) -> Interaction {
    Interaction { user: LogUserId(row.user), item: ItemId(row.item), rating: row.rating, time }
}

/// A row without a rating is worth less than any that has one.
fn rated(rating: f32) -> f32 {
    if rating.is_nan() { f32::NEG_INFINITY } else { rating }
}

const CLEANERS: [Cleaner; 3] = [Cleaner::DuplicateRow, Cleaner::ContradictingRow, Cleaner::RepeatedItem];

/// Keeps the first of the rows of each user and item; returns counts and first lines for [`CLEANERS`].
fn merge(rows: &mut Vec<Row>, has_weights: bool) -> [(usize, u32); 3] {
    let mut dropped = [(0, u32::MAX); 3];
    rows.dedup_by(|row, kept| {
        if (row.user, row.item) != (kept.user, kept.item) {
            return false;
        }
        let is_same_time = (row.seconds, row.nanos) == (kept.seconds, kept.nanos) && row.seconds != UNDATED;
        let kind = match (is_same_time, row.rating == kept.rating || row.rating.is_nan()) {
            (false, _) => 2,
            (true, true) => 0,
            (true, false) => 1,
        };
        dropped[kind].0 += 1;
        dropped[kind].1 = dropped[kind].1.min(row.line);
        if has_weights && !row.weight.is_nan() && kind != 0 {
            kept.weight = if kept.weight.is_nan() { row.weight } else { kept.weight + row.weight };
        }
        true
    });
    dropped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(seconds: i64, rating: f32, line: u64) -> RowValues {
        RowValues { time: Some(Instant { seconds, nanos: 0 }), rating, weight: f32::NAN, line }
    }

    fn finish(rows: &[(u32, u32, RowValues)], cleanup: &mut Cleanup) -> Finished {
        let mut all = Rows::default();
        rows.iter().for_each(|&(user, item, values)| all.push(user, item, values));
        all.finish(&[0, 1, 2, 3], None, cleanup, |line| format!("log:{line}"))
    }

    #[test]
    fn no_rule_hangs_on_the_order_of_lines() {
        let mut rows = vec![
            (0, 1, values(50, 4.0, 2)),
            (0, 1, values(50, 5.0, 3)), // the same second, another rating
            (0, 1, values(50, 5.0, 4)), // the same row
            (0, 1, values(90, 1.0, 5)), // later
            (0, 0, values(50, 2.0, 6)), // the same second, another item
            (0, 2, values(10, 3.0, 7)),
        ];
        let wanted = [(2, 3.0, 10_000), (0, 2.0, 50_000), (1, 5.0, 50_000)];
        for _ in 0..6 {
            rows.rotate_left(1);
            let mut cleanup = Cleanup::default();
            let found = finish(&rows, &mut cleanup);
            let seen: Vec<_> = found.interactions.iter().map(|row| (row.item.0, row.rating, row.time)).collect();
            assert_eq!(seen, wanted);
            let counts = CLEANERS.map(|cleaner| cleanup.of(cleaner));
            assert_eq!(counts, [1, 1, 1], "{cleanup}");
        }
        let mut cleanup = Cleanup::default();
        finish(&rows, &mut cleanup);
        assert!(cleanup.to_string().contains("the highest kept (first: log:2)"), "{cleanup}");
    }

    #[test]
    fn finer_times_order_rows_of_one_second_and_weights_add_up() {
        let at = |micros: u32, weight| RowValues {
            time: Some(Instant { seconds: 5, nanos: micros * 1_000 }),
            rating: f32::NAN,
            weight,
            line: 2,
        };
        let found = finish(
            &[(0, 0, at(700_009, 1.0)), (0, 1, at(300_000, 2.0)), (0, 1, at(900_000, 4.0))],
            &mut Cleanup::default(),
        );
        let seen: Vec<_> = found.interactions.iter().map(|row| (row.item.0, row.time)).collect();
        assert_eq!((seen, found.weights, found.is_finer), (vec![(1, 5_300), (0, 5_700)], vec![6.0, 1.0], true));
    }

    #[test]
    fn rows_without_times_keep_their_order_and_come_first() {
        let without = |line| RowValues { time: None, rating: f32::NAN, weight: f32::NAN, line };
        let found = finish(&[(0, 3, without(2)), (0, 1, without(3)), (0, 3, without(4))], &mut Cleanup::default());
        assert_eq!(found.interactions.iter().map(|row| (row.item.0, row.time)).collect::<Vec<_>>(), [(3, 0), (1, 0)]);
        assert!(!found.is_timed);
        let mut cleanup = Cleanup::default();
        let found = finish(&[(0, 2, values(100, 1.0, 2)), (0, 1, without(3))], &mut cleanup);
        assert_eq!(
            found.interactions.iter().map(|row| (row.item.0, row.time)).collect::<Vec<_>>(),
            [(1, 99_000), (2, 100_000)]
        );
        assert_eq!(cleanup.of(Cleaner::UndatedRow), 1);
    }

    #[test]
    fn rows_of_a_matrix_are_scattered_alike_whatever_their_order() {
        let order = |items: &[u32]| -> Vec<u32> {
            let mut rows = Rows::default();
            let without = RowValues { time: None, rating: 1.0, weight: f32::NAN, line: 1 };
            items.iter().for_each(|&item| rows.push(0, item, without));
            let scatter = |user: u32, item: u32| scattered(&user.to_string(), &item.to_string());
            let found =
                rows.finish(&(0..40).collect::<Vec<u32>>(), Some(&scatter), &mut Cleanup::default(), |_| String::new());
            found.interactions.iter().map(|row| row.item.0).collect()
        };
        let (up, down): (Vec<u32>, Vec<u32>) = ((0..40).collect(), (0..40).rev().collect());
        assert_eq!(order(&up), order(&down));
        assert_ne!(order(&up), up);
        // The mean of the last ten of 0 to 39 would be 34.5 in the order of the columns; its deviation here is about 3.3.
        let last = order(&up)[30..].iter().sum::<u32>() as f32 / 10.0;
        assert!((last - 19.5).abs() < 10.0, "{last}");
    }
}
