//! Features for training and simulation alike.
//!
//! This is the one place that defines them.

use crate::dataset::{Catalogue, TrainingLog};
use crate::ids::ItemId;

/// Numbers that depend on item and moment: popularity so far, age of the item.
pub const CONTEXT: usize = 2;

/// Seconds of a mean Gregorian year.
const YEAR_SECONDS: f64 = 31_556_952.0;

/// The context of one item at one moment: `ln((count + 1) / (total + 1000)) + 7` with the item's and all items'
/// interactions so far, and the item's age in tens of years (0 if the year is unknown, NaN). `time` is in milliseconds
/// since 1970.
pub fn context(count: f64, total: f64, year: f32, time: i64) -> [f32; CONTEXT] {
    let share = (count + 1.0) / (total + 1000.0);
    let now = 1970.0 + time as f64 / 1_000.0 / YEAR_SECONDS;
    let age = if year.is_nan() { 0.0 } else { (now - f64::from(year)) / 10.0 };
    [(libm::log(share) + 7.0) as f32, age as f32]
}

/// Popularity so far at any moment of a log (interactions strictly before the moment). If all interactions have the
/// same time, a log has no order, and the popularity is that of the whole log.
pub struct LogClock {
    by_item: Vec<Vec<i64>>,
    all: Vec<i64>,
}

impl LogClock {
    /// Indexes the times of a log.
    pub fn new(log: &TrainingLog) -> LogClock {
        let mut by_item = vec![Vec::new(); log.items];
        let mut all = Vec::with_capacity(log.rows.len());
        for row in &log.rows {
            by_item[row.item.index()].push(row.time);
            all.push(row.time);
        }
        by_item.iter_mut().for_each(|times| times.sort_unstable());
        all.sort_unstable();
        LogClock { by_item, all }
    }

    /// The context of an item just before `time`.
    pub fn context(&self, catalogue: &Catalogue, item: ItemId, time: i64) -> [f32; CONTEXT] {
        self.context_without(catalogue, item, time, 0.0)
    }

    /// The context of an item just before `time`, if the log had `own` interactions with it less.
    pub(crate) fn context_without(&self, catalogue: &Catalogue, item: ItemId, time: i64, own: f64) -> [f32; CONTEXT] {
        let before = |times: &[i64]| match self.is_timeless() {
            true => times.len() as f64,
            false => times.partition_point(|&earlier| earlier < time) as f64,
        };
        let (count, total) = (before(&self.by_item[item.index()]), before(&self.all));
        context((count - own).max(0.0), (total - own).max(0.0), catalogue.year(item), time)
    }

    /// True if all interactions have the same time.
    pub(crate) fn is_timeless(&self) -> bool {
        self.all.first() == self.all.last()
    }
}

/// Popularity so far in a running simulation, and the context table of the current tick.
#[derive(Clone, Debug)]
pub struct PopularityClock {
    counts: Vec<f64>,
    total: f64,
    weight: f64,
    table: Vec<f32>,
}

impl PopularityClock {
    /// Starts from the counts of the log. Each accepted item adds `weight`: the users of the log divided by the
    /// simulated users, so that a population of any size represents the users of the log.
    pub fn new(log_counts: &[u32], weight: f64) -> PopularityClock {
        let counts: Vec<f64> = log_counts.iter().map(|&count| f64::from(count)).collect();
        let (total, table) = (counts.iter().sum(), vec![0.0; counts.len() * CONTEXT]);
        PopularityClock { counts, total, weight, table }
    }

    /// Counts one accepted item.
    pub fn accept(&mut self, item: ItemId) {
        self.counts[item.index()] += self.weight;
        self.total += self.weight;
    }

    /// Recomputes the context of all items for a tick that takes place at `time`.
    pub fn refresh(&mut self, catalogue: &Catalogue, time: i64) {
        for (item, row) in self.table.chunks_exact_mut(CONTEXT).enumerate() {
            row.copy_from_slice(&context(self.counts[item], self.total, catalogue.year(ItemId(item as u32)), time));
        }
    }

    /// The context of one item at the current tick.
    #[inline]
    pub fn context(&self, item: ItemId) -> &[f32] {
        &self.table[item.index() * CONTEXT..(item.index() + 1) * CONTEXT]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn context_by_hand() {
        let [share, age] = context(9.0, 4000.0, 1970.0, 10 * 31_556_952_000);
        assert!((f64::from(share) - (libm::log(10.0 / 5000.0) + 7.0)).abs() < 1e-6);
        assert!((age - 1.0).abs() < 1e-6, "ten years");
        assert_eq!(context(0.0, 0.0, f32::NAN, 0)[1], 0.0);
    }

    #[test]
    fn a_population_of_any_size_represents_the_log() {
        let catalogue = Catalogue::unknown(2);
        let context_after = |accepted: u32, weight: f64| {
            let mut clock = PopularityClock::new(&[10, 20], weight);
            (0..accepted).for_each(|_| clock.accept(ItemId(0)));
            clock.refresh(&catalogue, 0);
            clock.context(ItemId(0)).to_vec()
        };
        assert_eq!(context_after(2, 1.0), context_after(20, 0.1));
    }
}
