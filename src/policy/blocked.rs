//! The items that users may not be shown.
//!
//! Items that a user already has, and items that are not on offer.

use crate::dataset::TrainingLog;
use crate::ids::{ItemId, ItemSet, LogUserId, UserId, ones};
use std::sync::Arc;

/// The items that each simulated user has accepted, including those of the log. Users with the same source in the log
/// share its items.
#[derive(Clone, Debug)]
pub struct SeenItems {
    items: usize,
    /// By user of the log.
    before: Arc<[ItemSet]>,
    /// The user of the log whose items each user starts with.
    sources: Arc<[LogUserId]>,
    /// Items that each user accepted since, without those of the log.
    since: Vec<Since>,
}

/// Items that a user accepted since the start.
#[derive(Clone, Debug, Default)]
struct Since {
    /// Bit `i % 64` is set for each item `i` of the set: most items that are not in it need no search.
    residues: u64,
    set: ItemSet,
}

#[inline]
fn residue(item: ItemId) -> u64 {
    1 << (item.0 % 64)
}

#[inline]
fn has_bit(words: &[u64], item: ItemId) -> bool {
    words.get(item.index() / 64).is_some_and(|word| word & residue(item) != 0)
}

/// The items of one user.
#[derive(Clone, Copy, Debug)]
struct Seen<'a> {
    before: &'a ItemSet,
    /// The bits of `before`, if it is made of bits: found once a user and not once an item.
    words: &'a [u64],
    since: &'a Since,
}

impl<'a> Seen<'a> {
    #[inline]
    fn contains(&self, item: ItemId) -> bool {
        let is_before = if self.words.is_empty() { self.before.contains(item) } else { has_bit(self.words, item) };
        is_before || (self.since.residues & residue(item) != 0 && self.since.set.contains(item))
    }

    fn sets(self) -> [&'a ItemSet; 2] {
        [self.before, &self.since.set]
    }
}

impl SeenItems {
    /// The items of each user of a log, as a start.
    pub fn of_log(log: &TrainingLog) -> Arc<[ItemSet]> {
        let of = |user| ItemSet::new(log.of(LogUserId(user)).iter().map(|row| row.item), log.items);
        (0..log.users() as u32).map(of).collect()
    }

    /// Users at the start, with the items that their `sources` have in `before`, from a catalogue of `items`.
    pub fn new(before: Arc<[ItemSet]>, sources: Arc<[LogUserId]>, items: usize) -> SeenItems {
        let since = vec![Since::default(); sources.len()];
        SeenItems { items, before, sources, since }
    }

    /// Adds items that users accepted.
    pub fn insert(&mut self, accepted: impl IntoIterator<Item = (UserId, ItemId)>) {
        for (user, item) in accepted {
            if !self.before[self.sources[user.index()].index()].contains(item) {
                let since = &mut self.since[user.index()];
                since.residues |= residue(item);
                since.set.insert(item, self.items);
            }
        }
    }

    /// Resets a user to the start.
    pub fn restart(&mut self, user: UserId) {
        self.since[user.index()] = Since::default();
    }

    #[inline]
    fn seen(&self, user: UserId) -> Seen<'_> {
        let (before, since) = (&self.before[self.sources[user.index()].index()], &self.since[user.index()]);
        let words: &[u64] = if let ItemSet::Bits { words, .. } = before { words } else { &[] };
        Seen { before, words, since }
    }

    /// The items of a user: those of the log ascending, then those accepted since.
    pub fn of(&self, user: UserId) -> impl Iterator<Item = ItemId> + '_ {
        self.seen(user).sets().into_iter().flat_map(ItemSet::iter)
    }
}

/// The items that users may not be shown.
#[derive(Clone, Copy, Debug)]
pub struct Blocked<'a> {
    /// Bits of items; of one row after the other, or one row for all.
    bits: &'a [u64],
    /// Words of a row in `bits`; 0: one row for all.
    row: usize,
    seen: Option<&'a SeenItems>,
}

impl<'a> Blocked<'a> {
    /// No item is blocked.
    pub const NOTHING: Blocked<'static> = Blocked { bits: &[], row: 0, seen: None };

    /// Blocks the items that each user has accepted.
    pub fn seen(seen: &'a SeenItems) -> Blocked<'a> {
        Blocked { seen: Some(seen), ..Blocked::NOTHING }
    }

    /// Also blocks item `i` for all users if bit `i` of `bits` is set.
    pub fn and_for_all(self, bits: &'a [u64]) -> Blocked<'a> {
        Blocked { bits, row: 0, ..self }
    }

    /// Blocks the items of `bits`, which has a bit for each of `items` and row, with rows in complete words: for few
    /// rows with arbitrary sets.
    pub fn rows(bits: &'a [u64], items: usize) -> Blocked<'a> {
        Blocked { bits, row: items.div_ceil(64), seen: None }
    }

    /// The rows from `first` on, numbered from 0.
    pub(super) fn part_from(self, first: usize) -> Blocked<'a> {
        Blocked { bits: &self.bits[first * self.row..], ..self }
    }

    /// The blocked items of one row.
    #[inline]
    pub(super) fn of(&self, row: usize, user: UserId) -> RowBlocked<'a> {
        let bits = if self.row == 0 { self.bits } else { &self.bits[row * self.row..(row + 1) * self.row] };
        RowBlocked { bits, seen: self.seen.map(|seen| seen.seen(user)) }
    }
}

/// The blocked items of one user.
#[derive(Clone, Copy)]
pub(super) struct RowBlocked<'a> {
    bits: &'a [u64],
    seen: Option<Seen<'a>>,
}

impl<'a> RowBlocked<'a> {
    fn sets(&self) -> impl Iterator<Item = &'a ItemSet> + use<'a> {
        self.seen.into_iter().flat_map(Seen::sets)
    }

    #[inline(always)]
    pub fn contains(&self, item: ItemId) -> bool {
        has_bit(self.bits, item) || self.seen.is_some_and(|seen| seen.contains(item))
    }

    /// The number of blocked items among `items`.
    pub fn count(&self, items: usize) -> usize {
        let bits: usize = self.bits.iter().map(|word| word.count_ones() as usize).sum();
        // Bits beyond the last item may be set and do not count.
        let beyond = self.bits.get(items / 64).filter(|_| !items.is_multiple_of(64));
        let beyond = beyond.map_or(0, |word| (word >> (items % 64)).count_ones() as usize);
        let seen = self.sets();
        let seen: usize = match self.bits {
            [] => seen.map(ItemSet::len).sum(),
            _ => seen.flat_map(ItemSet::iter).filter(|&item| !has_bit(self.bits, item)).count(),
        };
        bits - beyond + seen
    }

    /// The blocked items, ascending.
    pub fn items(self, items: usize) -> impl Iterator<Item = ItemId> + use<'a> {
        let mut found: Vec<ItemId> = self.sets().flat_map(ItemSet::iter).collect();
        found.extend(ones(self.bits).filter(|item| item.index() < items));
        found.sort_unstable();
        found.dedup();
        found.into_iter()
    }

    /// The items that are not blocked, ascending.
    pub fn others(self, items: usize) -> impl Iterator<Item = ItemId> + use<'a> {
        let empty = const { &ItemSet::Sorted(Vec::new()) };
        let mut sets = self.seen.map_or([empty; 2], Seen::sets).map(|set| set.iter().peekable());
        (0..items as u32).map(ItemId).filter(move |item| {
            let mut is_seen = false;
            for set in &mut sets {
                is_seen |= set.next_if_eq(item).is_some();
            }
            !is_seen && !has_bit(self.bits, *item)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Interaction;

    fn seen() -> SeenItems {
        let row = |user, item| Interaction { user: LogUserId(user), item: ItemId(item), rating: 4.0, time: 0 };
        let log = TrainingLog::from_sorted(vec![row(0, 5), row(0, 2), row(0, 2), row(1, 69)], 2, 70);
        let mut seen = SeenItems::new(SeenItems::of_log(&log), [1, 0, 0].map(LogUserId).into(), 70);
        seen.insert([(UserId(1), ItemId(2)), (UserId(1), ItemId(0)), (UserId(2), ItemId(64))]);
        seen
    }

    #[test]
    fn users_share_the_log_and_nothing_else() {
        let mut seen = seen();
        let of = |seen: &SeenItems, user| seen.of(UserId(user)).map(|item| item.0).collect::<Vec<_>>();
        assert_eq!((of(&seen, 0), of(&seen, 1), of(&seen, 2)), (vec![69], vec![2, 5, 0], vec![2, 5, 64]));
        seen.restart(UserId(1));
        assert_eq!(of(&seen, 1), [2, 5]);
    }

    #[test]
    fn seen_and_withheld_items_are_blocked() {
        let seen = seen();
        // Items 1 and 5 are withheld; the last bit is beyond the catalogue.
        let withheld = [0b10_0010, 1 << 63];
        let of = |blocked: Blocked<'_>, user| {
            let row = blocked.of(0, UserId(user));
            let found: Vec<u32> = (0..70).filter(|&item| row.contains(ItemId(item))).collect();
            assert_eq!(found.len(), row.count(70));
            assert!(row.items(70).map(|item| item.0).eq(found.iter().copied()));
            let others = (0..70).filter(|item| !found.contains(item));
            assert!(row.others(70).map(|item| item.0).eq(others));
            found
        };
        assert_eq!(of(Blocked::NOTHING, 1), Vec::<u32>::new());
        assert_eq!(of(Blocked::seen(&seen), 1), [0, 2, 5]);
        assert_eq!(of(Blocked::seen(&seen).and_for_all(&withheld), 1), [0, 1, 2, 5]);
        assert_eq!(of(Blocked::NOTHING.and_for_all(&withheld), 2), [1, 5]);
    }

    #[test]
    fn rows_have_sets_of_their_own() {
        for (items, bits, wanted) in [
            (70, vec![0b101, 0b1], 3),
            (70, vec![0b101, 0b1 | !0 << 6], 3),
            (70, vec![!0, !0], 70),
            (64, vec![!0 << 1], 63),
            (0, vec![], 0),
        ] {
            let row = Blocked::rows(&bits, items).of(0, UserId(0));
            assert_eq!((row.count(items), row.others(items).count()), (wanted, items - wanted));
        }
        let rows = Blocked::rows(&[0, 1, 2], 64);
        let first = |blocked: Blocked<'_>, row| (0..3).find(|&item| blocked.of(row, UserId(9)).contains(ItemId(item)));
        assert_eq!((first(rows, 0), first(rows, 1), first(rows, 2)), (None, Some(0), Some(1)));
        assert_eq!((first(rows.part_from(1), 0), first(rows.part_from(1), 1)), (Some(0), Some(1)));
    }
}
