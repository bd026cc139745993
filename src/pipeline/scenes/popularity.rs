//! Exact popularity of items at any time.
//!
//! One sweep over the log in order of time.

use super::log::{Log, UNDATED};
use super::quantiles::quantiles;
use super::sample::Draft;
use super::spill::{Record, Scratch, Spill, SpillWriter, wide};
use crate::files::FileError;
use crate::pipeline::Watch;
use rayon::prelude::*;

/// Parts into which the log is divided by time before each part is sorted.
const PARTS: usize = 64;
/// The number of most popular items on a scene's shelf.
pub(super) const POPULAR: usize = 300;
/// Ranks in a window of equal popularity, and the reach of windows around an item on either side.
pub(super) const WINDOW: u32 = 51;

#[derive(Clone, Copy)]
struct Taken {
    clock: i64,
    item: u32,
}

impl Record for Taken {
    const SIZE: usize = 12;

    fn put(self, bytes: &mut [u8]) {
        bytes[..8].copy_from_slice(&self.clock.to_le_bytes());
        bytes[8..].copy_from_slice(&self.item.to_le_bytes());
    }

    fn get(bytes: &[u8]) -> Taken {
        Taken { clock: wide(&bytes[..8]) as i64, item: u32::get(&bytes[8..12]) }
    }
}

/// The items on offer at the time of a scene, by popularity.
pub(super) struct Shelf {
    /// The most popular items with interactions, the most popular first.
    pub(super) top: Vec<u32>,
    /// The ranks around the real item.
    pub(super) around: Vec<u32>,
    /// The real item's index in `around`.
    pub(super) real: u32,
}

/// The log in the order of time.
pub(super) struct Timeline<'a> {
    watch: &'a dyn Watch,
    parts: Vec<Spill<Taken>>,
    /// The count of each item before the first moment.
    earlier: Vec<u32>,
}

impl<'a> Timeline<'a> {
    pub(super) fn new(
        log: &Log,
        items: usize,
        scratch: &Scratch,
        watch: &'a dyn Watch,
    ) -> Result<Timeline<'a>, FileError> {
        let shares: Vec<f64> = (1..PARTS).map(|part| part as f64 / PARTS as f64).collect();
        let mut ends = quantiles(log, &shares, watch)?;
        ends.dedup();
        let mut writers: Vec<SpillWriter<Taken>> =
            (0..=ends.len()).map(|_| scratch.start(1 << 16)).collect::<Result<_, _>>()?;
        let mut outcome = Ok(());
        let mut earlier = vec![0; items];
        log.watched_pass("popularity", watch, |entry, _| {
            if entry.clock == UNDATED {
                earlier[entry.item as usize] += 1;
                return;
            }
            let part = ends.partition_point(|&end| end <= entry.clock);
            if outcome.is_ok() {
                outcome = writers[part].push(Taken { clock: entry.clock, item: entry.item });
            }
        })?;
        outcome?;
        let parts = writers.into_iter().map(SpillWriter::finish).collect::<Result<_, _>>()?;
        Ok(Timeline { watch, parts, earlier })
    }

    /// Calls `at` for each moment (in ascending order) with the ranking of earlier interactions.
    fn sweep(&self, clocks: &[i64], mut at: impl FnMut(usize, &Ranking)) -> Result<(), FileError> {
        let rows = self.parts.iter().map(Spill::records).sum();
        self.watch.begin("popularity at the scenes", rows);
        let mut ranking = Ranking::new(self.earlier.len());
        for (item, &count) in (0..).zip(&self.earlier) {
            (0..count).for_each(|_| ranking.add(item));
        }
        let mut next = 0;
        for part in &self.parts {
            let mut rows = part.read(0..part.records())?;
            rows.par_sort_unstable_by_key(|row| (row.clock, row.item));
            for row in rows {
                while next < clocks.len() && clocks[next] <= row.clock {
                    at(next, &ranking);
                    next += 1;
                }
                ranking.add(row.item);
            }
            self.watch.advance(part.records());
        }
        (next..clocks.len()).for_each(|place| at(place, &ranking));
        Ok(())
    }

    /// The shelf of each draft.
    pub(super) fn shelves(&self, drafts: &[Draft]) -> Result<Vec<Shelf>, FileError> {
        let order = by_clock(drafts.iter().map(|draft| draft.clock));
        let clocks: Vec<i64> = order.iter().map(|&place| drafts[place].clock).collect();
        let mut shelves: Vec<Option<Shelf>> = drafts.iter().map(|_| None).collect();
        self.sweep(&clocks, |step, ranking| shelves[order[step]] = Some(ranking.shelf(drafts[order[step]].item)))?;
        Ok(shelves.into_iter().flatten().collect())
    }

    /// The number of users who had taken each of the items of some lists, at the moment of each list.
    pub(super) fn counts(&self, lists: &[(i64, &[u32])]) -> Result<Vec<Vec<u32>>, FileError> {
        let order = by_clock(lists.iter().map(|&(clock, _)| clock));
        let clocks: Vec<i64> = order.iter().map(|&place| lists[place].0).collect();
        let mut counts = vec![Vec::new(); lists.len()];
        self.sweep(&clocks, |step, ranking| {
            let place = order[step];
            counts[place] = lists[place].1.iter().map(|&item| ranking.counts[item as usize]).collect();
        })?;
        Ok(counts)
    }
}

fn by_clock(clocks: impl Iterator<Item = i64>) -> Vec<usize> {
    let mut order: Vec<(i64, usize)> = clocks.zip(0..).collect();
    order.sort_unstable();
    order.into_iter().map(|(_, place)| place).collect()
}

/// The items by popularity, maintained while counts grow by one: a grown item swaps places with the first item that had
/// its count.
struct Ranking {
    counts: Vec<u32>,
    ranked: Vec<u32>,
    rank_of: Vec<u32>,
    /// The number of items above this count.
    above: Vec<u32>,
}

impl Ranking {
    fn new(items: usize) -> Ranking {
        let ranked: Vec<u32> = (0..items as u32).collect();
        Ranking { counts: vec![0; items], rank_of: ranked.clone(), ranked, above: vec![0] }
    }

    fn add(&mut self, item: u32) {
        let count = self.counts[item as usize] as usize;
        let (from, to) = (self.rank_of[item as usize], self.above[count]);
        let other = self.ranked[to as usize];
        self.ranked.swap(from as usize, to as usize);
        (self.rank_of[item as usize], self.rank_of[other as usize]) = (to, from);
        self.counts[item as usize] += 1;
        self.above[count] += 1;
        if self.above.len() == count + 1 {
            self.above.push(0);
        }
    }

    fn shelf(&self, item: u32) -> Shelf {
        let taken = self.above[0] as usize;
        let rank = self.rank_of[item as usize];
        let start = rank.saturating_sub(WINDOW - 1);
        let end = (rank + WINDOW).min(self.ranked.len() as u32);
        Shelf {
            top: self.ranked[..taken.min(POPULAR)].to_vec(),
            around: self.ranked[start as usize..end as usize].to_vec(),
            real: rank - start,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::Part;
    use super::*;
    use crate::pipeline::Quiet;
    use crate::random::{Streams, below};

    #[test]
    fn the_ranking_is_by_count_at_every_step() {
        let mut rng = Streams::new(5, 0).derive(crate::random::Purpose::Scenes, 0, 0);
        let mut ranking = Ranking::new(40);
        let mut counts = vec![0; 40];
        for _ in 0..600 {
            let item = below(&mut rng, 40).min(below(&mut rng, 40));
            ranking.add(item);
            counts[item as usize] += 1;
            assert_eq!(ranking.counts, counts);
            let ranked: Vec<u32> = ranking.ranked.iter().map(|&item| counts[item as usize]).collect();
            assert!(ranked.is_sorted_by(|a, b| a >= b), "{ranked:?}");
            assert!((0..40).all(|item| ranking.ranked[ranking.rank_of[item as usize] as usize] == item));
        }
    }

    #[test]
    fn rows_without_times_count_from_the_first_moment_on() {
        let folder = tempfile::tempdir().expect("a folder");
        let scratch = Scratch::new(folder.path());
        let rows = [(0, 2, UNDATED), (0, 1, 5), (1, 2, UNDATED), (1, 3, UNDATED), (1, 0, 9), (2, 1, 9)];
        let log = Log::with_rows(&rows, 3, &scratch);
        let timeline = Timeline::new(&log, 4, &scratch, &Quiet).expect("a timeline");
        let drafts = [(0, 9), (1, 5)].map(|(item, clock)| Draft::at(item, clock, Part::Train));
        let shelves = timeline.shelves(&drafts).expect("shelves");
        assert_eq!(shelves[1].top, [2, 3], "the first moment of all");
        assert_eq!(shelves[0].top, [2, 3, 1]);
        let counts = timeline.counts(&[(5, &[0, 1, 2, 3]), (9, &[1, 2]), (10, &[1, 0])]).expect("counts");
        assert_eq!(counts, [vec![0, 0, 2, 1], vec![1, 2], vec![2, 1]]);
    }

    #[test]
    fn shelves_have_taken_items_and_the_ranks_around() {
        let mut ranking = Ranking::new(200);
        [7, 7, 3].into_iter().for_each(|item| ranking.add(item));
        let shelf = ranking.shelf(3);
        assert_eq!(shelf.top, [7, 3]);
        assert_eq!((shelf.around.len(), shelf.real), (52, 1));
        let last = ranking.ranked[199];
        let shelf = ranking.shelf(last);
        assert_eq!((shelf.around.len(), shelf.real, shelf.around[50]), (51, 50, last));
    }
}
