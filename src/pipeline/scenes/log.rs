//! The interactions of a log in a scratch file.
//!
//! Sorted by user and time; memory holds one number for each user, and one of 64 parts of the log at a time.
//!
//! The *clock* of an interaction is its time in milliseconds. In a log without times it is the interaction's place in
//! its user's sequence, in the order of the file, as a share of the sequence: 0 is the first, and 2^32 would follow the
//! last. "Before" and "after" refer to either.
//!
//! In a log with times a row without one precedes all rows with one, in the order of the file: publishers use such rows
//! for a user's past. It becomes no scene, and shares of the log do not count it.

use super::ScenesError;
use super::raws::{Raws, place};
use super::spill::{Record, Scratch, Spill, SpillWriter, wide};
use crate::dataset::InteractionHead;
use crate::files::{FileError, Jsonl, Tally};
use crate::pipeline::Watch;
use std::collections::HashSet;

/// Parts into which users are divided before each part is sorted.
const PARTS: usize = 64;
/// Write buffer of each part.
const BUFFER: usize = 1 << 16;
/// Rows between two reports of progress.
const STRIDE: u64 = 1 << 12;

/// The clock of an interaction without a time in a log with times.
pub(super) const UNDATED: i64 = i64::MIN;

/// One interaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) user: u32,
    pub(super) item: u32,
    /// [`UNDATED`] while no time is known.
    pub(super) clock: i64,
    /// The row's line in the file.
    pub(super) line: u64,
    /// Lower for a higher rating: of rows of one user, item and time the highest rating is kept.
    pub(super) rank: u32,
    /// The number of shown items in the row ([`MANY`] for as many or more); `None` if the row has none.
    pub(super) shown: Option<u8>,
}

/// More items than any list of a scene has.
const MANY: u8 = u8::MAX - 1;

impl Record for Entry {
    const SIZE: usize = 28;

    fn put(self, bytes: &mut [u8]) {
        bytes[..4].copy_from_slice(&self.user.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.item.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.clock.to_le_bytes());
        bytes[24..].copy_from_slice(&self.rank.to_le_bytes());
        bytes[16..24].copy_from_slice(
            &(self.line << 8 | u64::from(self.shown.map_or(0, |shown| shown.min(MANY) + 1))).to_le_bytes(),
        );
    }

    fn get(bytes: &[u8]) -> Entry {
        let line = wide(&bytes[16..24]);
        Entry {
            user: u32::get(&bytes[..4]),
            item: u32::get(&bytes[4..8]),
            clock: wide(&bytes[8..16]) as i64,
            line: line >> 8,
            rank: u32::get(&bytes[24..]),
            shown: (line as u8).checked_sub(1),
        }
    }
}

/// The interactions by user, then clock, then item.
pub(super) struct Log {
    entries: Spill<Entry>,
    offsets: Vec<u64>,
    /// True if the log has times.
    pub(super) dated: bool,
    undated: u64,
}

impl Log {
    /// Reads `NAME_interaction.jsonl`.
    pub(super) fn read(
        raws: &Raws,
        scratch: &Scratch,
        tally: &mut Tally,
        watch: &dyn Watch,
    ) -> Result<Log, ScenesError> {
        let (parts, dated) = divide(raws, scratch, tally, watch)?;
        let mut sorter = Sorter {
            raws,
            dated,
            tally,
            output: scratch.start(1 << 20)?,
            offsets: Vec::with_capacity(raws.users.len() + 1),
            undated: 0,
        };
        watch.begin("sorting interactions", parts.iter().map(Spill::records).sum());
        for part in parts {
            let rows = part.read(0..part.records())?;
            sorter.sort(rows)?;
            watch.advance(part.records());
        }
        let Sorter { output, mut offsets, undated, .. } = sorter;
        offsets.resize(raws.users.len() + 1, output.records());
        tally.set("interactions used", output.records());
        if undated > 0 {
            tally.set("without a time and taken as earlier than the others", undated);
        }
        if output.records() == undated {
            let problem = format!("the file holds no usable interaction; what was dropped:\n{tally}");
            return Err(FileError::whole(&raws.files.interactions, problem.trim_end()).into());
        }
        Ok(Log { entries: output.finish()?, offsets, dated, undated })
    }

    /// Number of users, including those without interactions.
    pub(super) fn users(&self) -> u32 {
        (self.offsets.len() - 1) as u32
    }

    /// Number of interactions.
    pub(super) fn len(&self) -> u64 {
        self.entries.records()
    }

    /// Number of interactions with a clock.
    pub(super) fn clocked(&self) -> u64 {
        self.len() - self.undated
    }

    /// The interactions of one user in order.
    pub(super) fn of(&self, user: u32) -> Result<Vec<Entry>, FileError> {
        self.entries.read(self.offsets[user as usize]..self.offsets[user as usize + 1])
    }

    /// [`Log::pass`] with progress.
    pub(super) fn watched_pass(
        &self,
        what: &str,
        watch: &dyn Watch,
        mut each: impl FnMut(Entry, u32),
    ) -> Result<(), FileError> {
        watch.begin(what, self.len());
        let mut passed = 0;
        self.pass(|entry, earlier| {
            passed += 1;
            if passed % STRIDE == 0 {
                watch.advance(STRIDE);
            }
            each(entry, earlier);
        })
    }

    /// The number of users whose interactions are all at one moment, and of users with any.
    pub(super) fn at_one_moment(&self) -> Result<[u64; 2], FileError> {
        let (mut all, mut spread) = (0, 0);
        let (mut user, mut is_spread) = (u32::MAX, false);
        self.pass(|entry, earlier| {
            if entry.user != user {
                (user, is_spread) = (entry.user, false);
                all += 1;
            }
            if earlier > 0 && !is_spread {
                is_spread = true;
                spread += 1;
            }
        })?;
        Ok([all - spread, all])
    }

    /// Passes each interaction with the number of its user's earlier ones, which excludes those of the same moment.
    pub(super) fn pass(&self, mut each: impl FnMut(Entry, u32)) -> Result<(), FileError> {
        let (mut user, mut clock, mut place, mut earlier) = (u32::MAX, UNDATED, 0, 0);
        self.entries.pass(0..self.len(), |entry| {
            place = if entry.user == user { place + 1 } else { 0 };
            if place == 0 || entry.clock > clock {
                earlier = place;
            }
            (user, clock) = (entry.user, entry.clock);
            each(entry, earlier);
        })
    }
}

/// The rank of a rating: the highest first, a missing one last.
fn rank(rating: Option<f64>) -> u32 {
    let Some(rating) = rating.filter(|rating| !rating.is_nan()) else { return u32::MAX };
    let bits = (rating as f32).to_bits();
    // The bits of a float in the order of its values.
    let ascending = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
    u32::MAX - 1 - ascending
}

/// Reads the rows once and divides them by user; returns true if the log has times.
fn divide(
    raws: &Raws,
    scratch: &Scratch,
    tally: &mut Tally,
    watch: &dyn Watch,
) -> Result<(Vec<Spill<Entry>>, bool), ScenesError> {
    let path = &raws.files.interactions;
    let mut reader = Jsonl::<InteractionHead>::open(path, "`recmirror import` makes it")?;
    let mut parts: Vec<SpillWriter<Entry>> = (0..PARTS).map(|_| scratch.start(BUFFER)).collect::<Result<_, _>>()?;
    let (mut read, mut dated) = (0, false);
    watch.begin("reading interactions (bytes)", reader.size());
    let mut reported = 0;
    while let Some((line, head)) = reader.step()? {
        read += 1;
        if read % STRIDE == 0 {
            watch.advance(reader.taken() - reported);
            reported = reader.taken();
        }
        let place = || place(path, line);
        let Some(user) = raws.users.get(&head.user_id) else {
            tally.drop("an interaction of a user without a row", place);
            continue;
        };
        let Some(item) = raws.items.get(&head.item_id) else {
            tally.drop("an interaction with an item without a row", place);
            continue;
        };
        dated |= head.timestamp.is_some();
        let clock = head.timestamp.map_or(UNDATED, |time| time.0);
        let rank = rank(head.behavior.rating);
        let shown = head.behavior.shown.map(|count| count.min(MANY as usize) as u8);
        let part = user as usize * PARTS / raws.users.len();
        parts[part].push(Entry { user, item, clock, line, rank, shown })?;
    }
    tally.set("interactions read", read);
    let parts = parts.into_iter().map(SpillWriter::finish).collect::<Result<_, _>>()?;
    Ok((parts, dated))
}

struct Sorter<'a> {
    raws: &'a Raws,
    dated: bool,
    tally: &'a mut Tally,
    output: SpillWriter<Entry>,
    offsets: Vec<u64>,
    undated: u64,
}

impl Sorter<'_> {
    /// Sorts the rows of some users and writes the kept ones.
    fn sort(&mut self, mut rows: Vec<Entry>) -> Result<(), FileError> {
        rows.sort_unstable_by_key(|row| match self.dated {
            true if row.clock != UNDATED => (row.user, row.clock, row.item, row.rank, row.line),
            _ => (row.user, UNDATED, 0, 0, row.line),
        });
        for mine in rows.chunk_by_mut(|a, b| a.user == b.user) {
            self.one_user(mine)?;
        }
        Ok(())
    }

    fn one_user(&mut self, rows: &mut [Entry]) -> Result<(), FileError> {
        let path = &self.raws.files.interactions;
        let mut seen = HashSet::with_capacity(rows.len());
        let mut kept = Vec::with_capacity(rows.len());
        for row in rows.iter() {
            if seen.insert(row.item) {
                kept.push(*row);
            } else {
                let place = || place(path, row.line);
                self.tally.drop("an interaction with an item that the user had taken before", place);
            }
        }
        let Some(first) = kept.first() else { return Ok(()) };
        self.offsets.resize(first.user as usize + 1, self.output.records());
        let count = kept.len() as i64;
        for (place, mut row) in (0..).zip(kept) {
            if !self.dated {
                row.clock = (place << 32) / count;
            }
            self.undated += u64::from(row.clock == UNDATED);
            self.output.push(row)?;
        }
        Ok(())
    }
}

#[cfg(test)]
impl Log {
    /// A log of `(user, item, clock)`, by user and clock.
    pub(super) fn with_rows(rows: &[(u32, u32, i64)], users: usize, scratch: &Scratch) -> Log {
        let mut output = scratch.start(1 << 10).expect("a file");
        let mut offsets = vec![0; users + 1];
        for (&(user, item, clock), line) in rows.iter().zip(1..) {
            offsets[user as usize + 1] += 1;
            output.push(Entry { user, item, clock, line, rank: 0, shown: None }).expect("written");
        }
        (1..=users).for_each(|user| offsets[user] += offsets[user - 1]);
        let undated = rows.iter().filter(|row| row.2 == UNDATED).count() as u64;
        Log { entries: output.finish().expect("finished"), offsets, dated: true, undated }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_survive_the_file() {
        for shown in [None, Some(0), Some(7), Some(MANY)] {
            let entry = Entry { user: 7, item: u32::MAX, clock: -5, line: 1 << 40, rank: 77, shown };
            let mut bytes = [0; Entry::SIZE];
            entry.put(&mut bytes);
            assert_eq!(Entry::get(&bytes), entry);
        }
    }

    #[test]
    fn higher_ratings_come_first() {
        let ratings = [Some(f64::MAX), Some(5.0), Some(4.5), Some(0.0), Some(-2.0), Some(-3.0), Some(f64::MIN), None];
        let ranks: Vec<u32> = ratings.iter().map(|&rating| rank(rating)).collect();
        assert!(ranks.is_sorted() && ranks.windows(2).all(|pair| pair[0] < pair[1]), "{ranks:?}");
        assert_eq!(rank(Some(f64::NAN)), rank(None));
    }

    #[test]
    fn earlier_rows_of_a_user_are_counted_by_the_clock() {
        let folder = tempfile::tempdir().expect("a folder");
        let scratch = Scratch::new(folder.path());
        let rows = [(0, 3, UNDATED), (0, 7, 1), (0, 1, 2), (0, 2, 2), (0, 4, 3), (2, 3, 0)];
        let log = Log::with_rows(&rows, 3, &scratch);
        let mut counted = Vec::new();
        log.pass(|entry, earlier| counted.push((entry.user, earlier))).expect("read");
        assert_eq!(counted, [(0, 0), (0, 1), (0, 2), (0, 2), (0, 4), (2, 0)]);
        assert_eq!(log.of(0).expect("read").len(), 5);
        assert!(log.of(1).expect("read").is_empty());
    }
}
