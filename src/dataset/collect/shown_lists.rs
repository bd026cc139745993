//! Lists as they were shown, while they are read.
//!
//! Items shown to a user at one time, or under one list id, are one list. Its items are ordered by slot, then in the order
//! of the file. Lists are by time, then by user, then by their ids. The time of a list is that of its earliest row: many logs
//! give each row of a list the moment at which it was seen or clicked. A pause of more than a day between rows of one id
//! begins another list. An item that is in one slot of a list several times, as
//! where showing and clicking are rows of their own, counts once, and is taken if one of these rows says so.

use crate::dataset::clock::Instant;
use crate::dataset::import::ShownRow;
use crate::dataset::{IdTable, Impressions};
use crate::ids::{ItemId, LogUserId};
use std::collections::BTreeSet;

/// One item that was shown.
#[derive(Clone, Copy, Debug)]
struct Entry {
    user: u32,
    time: Instant,
    /// A place in the table of lists; `u32::MAX` where the log names none.
    list: u32,
    slot: u16,
    item: u32,
    /// The number of the row.
    row: u32,
    taken: bool,
    propensity: f32,
    rating: f32,
}

/// Seconds between two rows of one id after which the id is used again, for another list.
const LONGEST_PAUSE: i64 = 86_400;

/// The slot of an item of which the log has none.
const NO_SLOT: u16 = u16::MAX;

/// All items that were shown so far.
#[derive(Default)]
pub(in crate::dataset) struct Lists {
    entries: Vec<Entry>,
    names: IdTable,
    has_times: bool,
    /// Rows that are a list of their own, because neither an id nor a time joins them to others.
    unnamed: u32,
    /// See [`Lists::settle`].
    remarks: Vec<String>,
    is_settled: bool,
}

/// The content of a row about a shown item.
pub(in crate::dataset) struct Shown<'r> {
    pub(super) time: Option<Instant>,
    pub(super) list: Option<&'r str>,
    pub(super) slot: Option<u16>,
    pub(super) taken: bool,
    pub(super) propensity: Option<f64>,
    pub(super) rating: Option<f64>,
}

impl Shown<'_> {
    /// The content of a log row.
    pub(in crate::dataset) fn of(row: &ShownRow) -> Shown<'_> {
        Shown {
            time: row.time,
            list: row.list.as_deref(),
            slot: row.slot,
            taken: row.taken,
            propensity: row.propensity,
            rating: row.rating,
        }
    }
}

impl Lists {
    pub(in crate::dataset) fn push(&mut self, user: u32, item: u32, shown: &Shown<'_>) {
        // Without an id and a time it is unknown which rows belong together, so each is a list of its own.
        let list = match (shown.list, shown.time) {
            (Some(name), _) => self.names.insert(name).0,
            (None, Some(_)) => u32::MAX,
            (None, None) => {
                self.unnamed += 1;
                self.names.insert(&format!("\u{0}{:010}", self.unnamed)).0
            }
        };
        self.has_times |= shown.time.is_some();
        self.entries.push(Entry {
            user,
            time: shown.time.unwrap_or_default(),
            list,
            slot: shown.slot.unwrap_or(NO_SLOT),
            item,
            row: self.entries.len() as u32,
            taken: shown.taken,
            propensity: shown.propensity.map_or(f32::NAN, |value| value as f32),
            rating: shown.rating.map_or(f32::NAN, |value| value as f32),
        });
    }

    pub(in crate::dataset) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// True if each list has one item, without a slot or propensity.
    pub(in crate::dataset) fn are_single_items(&self) -> bool {
        let is_bare = |entry: &Entry| entry.slot == NO_SLOT && entry.propensity.is_nan();
        let mut seen = BTreeSet::new();
        let list = |entry: &Entry| (Some(entry.time).filter(|_| entry.list == u32::MAX), entry.user, entry.list);
        self.entries.iter().all(|entry| is_bare(entry) && seen.insert(list(entry)))
    }

    /// Makes one list of all that was shown to a user, in the order of the rows. An item that was shown at several times stays as
    /// often.
    pub(in crate::dataset) fn join_by_user(&mut self) {
        self.settle();
        for entry in &mut self.entries {
            (entry.time, entry.list) = (Instant::default(), u32::MAX);
        }
    }

    /// Gives users and items their final numbers.
    pub(super) fn renumber(&mut self, users: &[u32], items: &[u32]) {
        for entry in &mut self.entries {
            (entry.user, entry.item) = (users[entry.user as usize], items[entry.item as usize]);
        }
    }

    /// Gives each list one time and each of its items one row in a slot. [`Lists::finish`] gives the remarks.
    fn settle(&mut self) {
        if std::mem::replace(&mut self.is_settled, true) {
            return;
        }
        let key = |entry: &Entry| (entry.user, entry.list);
        let is_near = |one: &Entry, other: &Entry| {
            one.time == Instant::default() || other.time.seconds - one.time.seconds <= LONGEST_PAUSE
        };
        let is_one = |one: &Entry, other: &Entry| one.list != u32::MAX && key(one) == key(other) && is_near(one, other);
        self.entries.sort_unstable_by_key(|entry| (key(entry), entry.time, entry.row));
        let (mut spread, mut widest) = (0_u64, 0);
        for list in self.entries.chunk_by_mut(is_one) {
            let dated = || list.iter().map(|entry| entry.time).filter(|time| *time != Instant::default());
            let (Some(first), Some(last)) = (dated().min(), dated().max()) else { continue };
            spread += u64::from(first != last);
            widest = widest.max(last.seconds - first.seconds);
            list.iter_mut().for_each(|entry| entry.time = first);
        }
        if spread > 0 {
            self.remarks.push(format!(
                "{spread} lists have rows of several times, up to {widest} seconds apart; their earliest counts"
            ));
        }
        let place = |entry: &Entry| (key(entry), entry.time, entry.item, entry.slot);
        self.entries.sort_unstable_by_key(|entry| (place(entry), entry.row));
        let before = self.entries.len();
        self.entries.dedup_by(|again, kept| {
            let is_again = place(again) == place(kept);
            if is_again {
                kept.taken |= again.taken;
                kept.propensity = if kept.propensity.is_nan() { again.propensity } else { kept.propensity };
                kept.rating = if kept.rating.is_nan() { again.rating } else { kept.rating };
            }
            is_again
        });
        let again = before - self.entries.len();
        if again > 0 {
            self.remarks.push(format!(
                "{again} rows show an item once more in the same list and slot; it counts once, as taken if one row says so"
            ));
        }
    }

    /// The lists, and what must be said of them. Propensities and ratings are empty where no row has one.
    pub(in crate::dataset) fn finish(mut self) -> (Impressions, Vec<String>) {
        if self.is_empty() {
            return (Impressions::default(), Vec::new());
        }
        self.settle();
        let rank = super::side::ranks(&self.names);
        let rank = |list: u32| rank.get(list as usize).map_or(u32::MAX, |rank| *rank);
        self.entries.sort_unstable_by_key(|entry| (entry.time, entry.user, rank(entry.list), entry.slot, entry.row));
        let has_propensities = self.entries.iter().any(|entry| !entry.propensity.is_nan());
        let has_ratings = self.entries.iter().any(|entry| !entry.rating.is_nan());
        let mut found = Impressions::default();
        let is_one =
            |one: &Entry, other: &Entry| (one.time, one.user, one.list) == (other.time, other.user, other.list);
        for list in self.entries.chunk_by(is_one) {
            let slot = |(place, entry): (usize, &Entry)| if entry.slot == NO_SLOT { place as u16 } else { entry.slot };
            let entries = list.iter().enumerate().map(|entry| (ItemId(entry.1.item), entry.1.taken, slot(entry)));
            found.push(LogUserId(list[0].user), list[0].time.moment().0, entries);
            if has_propensities {
                found.propensities.extend(list.iter().map(|entry| entry.propensity));
            }
            if has_ratings {
                found.ratings.extend(list.iter().map(|entry| entry.rating));
            }
        }
        (found, self.remarks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(seconds: Option<i64>, list: Option<&str>, slot: Option<u16>, taken: bool) -> Shown<'_> {
        let time = seconds.map(|seconds| Instant { seconds, nanos: 0 });
        Shown { time, list, slot, taken, propensity: None, rating: None }
    }

    #[test]
    fn rows_of_one_user_and_time_or_of_one_id_are_a_list() {
        let mut lists = Lists::default();
        lists.push(0, 5, &shown(Some(20), None, None, false));
        lists.push(1, 6, &shown(Some(20), None, None, true));
        lists.push(0, 4, &shown(Some(20), None, None, false));
        lists.push(0, 3, &shown(Some(10), Some("b"), Some(1), true));
        lists.push(0, 2, &shown(Some(10), Some("b"), Some(0), true));
        lists.push(0, 2, &shown(Some(10), Some("a"), Some(0), false));
        let (found, _) = lists.finish();
        let items: Vec<Vec<u32>> = found.iter().map(|list| list.items.iter().map(|item| item.0).collect()).collect();
        assert_eq!(items, [vec![2], vec![2, 3], vec![5, 4], vec![6]]);
        assert_eq!(found.counts_by_taken(), [2, 1, 1]);
        assert_eq!(found.get(2).slots, [0, 1]);
        assert!(found.propensities.is_empty() && found.ratings.is_empty());
    }

    #[test]
    fn an_id_joins_rows_of_several_times_and_an_item_counts_once_in_a_slot() {
        let mut lists = Lists::default();
        lists.push(0, 5, &shown(Some(20), Some("a"), None, false));
        lists.push(0, 6, &shown(Some(23), Some("a"), None, false));
        lists.push(0, 6, &shown(Some(29), Some("a"), None, true)); // the click is a row of its own
        lists.push(1, 6, &shown(Some(24), Some("a"), None, false)); // the list of another user
        lists.push(0, 6, &shown(None, Some("a"), Some(7), false)); // no time, and another slot
        lists.push(0, 5, &shown(Some(29 + 86_401), Some("a"), None, false)); // the id is used again
        assert!(!lists.are_single_items());
        let (found, remarks) = lists.finish();
        let items: Vec<Vec<(u32, bool)>> = found
            .iter()
            .map(|list| list.items.iter().map(|item| item.0).zip(list.taken.iter().copied()).collect())
            .collect();
        assert_eq!(items, [vec![(6, false), (5, false), (6, true)], vec![(6, false)], vec![(5, false)]]);
        assert_eq!(found.times, [20_000, 24_000, 86_430_000]);
        assert!(remarks[0].starts_with("1 lists have rows of several times, up to 9 seconds apart"), "{remarks:?}");
        assert!(remarks[1].starts_with("1 rows show an item once more"), "{remarks:?}");
    }

    #[test]
    fn what_was_shown_alone_several_times_stays_in_the_list_of_its_user() {
        let mut lists = Lists::default();
        for (seconds, taken) in [(20, true), (30, false), (30, false)] {
            lists.push(0, 5, &shown(Some(seconds), None, None, taken));
        }
        assert!(!lists.are_single_items(), "two rows of one moment are a list");
        let mut lists = Lists::default();
        for (seconds, taken) in [(20, true), (30, false)] {
            lists.push(0, 5, &shown(Some(seconds), None, None, taken));
        }
        assert!(lists.are_single_items());
        lists.join_by_user();
        let (found, remarks) = lists.finish();
        assert_eq!((found.len(), found.taken, remarks), (1, vec![true, false], Vec::new()));
    }

    #[test]
    fn without_ids_and_times_each_row_is_a_list() {
        let mut lists = Lists::default();
        for item in [7, 8] {
            lists.push(0, item, &shown(None, None, Some(2), item == 8));
        }
        let (found, _) = lists.finish();
        assert_eq!((found.len(), found.counts_by_taken(), found.get(1).slots), (2, [1, 1, 0], &[2_u16][..]));
    }
}
