//! Users on their way down a policy's list.
//!
//! A user's responses depend on the user's own slates alone, and draws are keyed by user and slate. So fewer rows are a
//! prefix of more rows: a walk continues where it stopped, and reports its state at any number of acceptances.

use crate::ids::ItemId;
use std::collections::BTreeSet;

/// The most passes over a list.
const ROUNDS: u32 = 20;

/// An item that was accepted, and how far the walk was then.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Taken {
    pub(super) item: ItemId,
    pub(super) rating: f32,
    slates: u32,
    shown: usize,
}

/// A user's way down a list.
#[derive(Clone, Debug)]
pub(super) struct Walk {
    list: Vec<ItemId>,
    place: usize,
    rounds: u32,
    slates: u32,
    /// Every item of every slate.
    shown: Vec<ItemId>,
    taken: Vec<Taken>,
}

impl Walk {
    pub(super) fn new(list: Vec<ItemId>) -> Walk {
        Walk { list, place: 0, rounds: 0, slates: 0, shown: Vec::new(), taken: Vec::new() }
    }

    /// True if the user still has to accept something for `quota`, and the list is not exhausted.
    pub(super) fn goes_on(&self, quota: usize) -> bool {
        self.taken.len() < quota && !self.list.is_empty() && self.rounds < ROUNDS
    }

    /// Slates so far: the number of the next one.
    pub(super) fn slates(&self) -> u32 {
        self.slates
    }

    /// The next slate; at the end of the list it begins again without what was taken.
    pub(super) fn next(&mut self, slate: usize) -> Vec<ItemId> {
        let end = (self.place + slate).min(self.list.len());
        let items = self.list[self.place..end].to_vec();
        self.place = end;
        self.slates += 1;
        self.shown.extend(&items);
        if end == self.list.len() {
            self.place = 0;
            self.rounds += 1;
        }
        items
    }

    /// Hears what the user took of the last slate.
    pub(super) fn answered(&mut self, taken: Option<(ItemId, f32)>) {
        if let Some((item, rating)) = taken {
            self.taken.push(Taken { item, rating, slates: self.slates, shown: self.shown.len() });
        }
        if self.place == 0 {
            let taken: BTreeSet<ItemId> = self.taken.iter().map(|taken| taken.item).collect();
            self.list.retain(|item| !taken.contains(item));
        }
    }

    /// The first `quota` items that were accepted.
    pub(super) fn taken(&self, quota: usize) -> &[Taken] {
        &self.taken[..quota.min(self.taken.len())]
    }

    /// Slates until there were `quota` of them, and the items that were shown by then and not accepted.
    pub(super) fn until(&self, quota: usize) -> (u32, Vec<ItemId>) {
        let taken = self.taken(quota);
        let (slates, shown) = match (taken.last(), taken.len() < quota) {
            (_, true) => (self.slates, self.shown.len()),
            (Some(last), false) => (last.slates, last.shown),
            (None, false) => (0, 0),
        };
        let seen: BTreeSet<ItemId> = self.shown[..shown].iter().copied().collect();
        let taken: BTreeSet<ItemId> = taken.iter().map(|taken| taken.item).collect();
        (slates, seen.difference(&taken).copied().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_continues_and_remembers_its_position() {
        let mut walk = Walk::new([4, 1, 7, 2, 9].map(ItemId).to_vec());
        assert_eq!((walk.goes_on(0), walk.goes_on(2)), (false, true));
        assert_eq!(walk.next(2), [4, 1].map(ItemId));
        walk.answered(None);
        assert_eq!(walk.next(2), [7, 2].map(ItemId));
        walk.answered(Some((ItemId(7), 5.0)));
        assert_eq!(walk.until(1), (2, [1, 2, 4].map(ItemId).to_vec()));
        assert_eq!(walk.next(2), [ItemId(9)], "the end of the list");
        walk.answered(Some((ItemId(9), 3.0)));
        assert_eq!(walk.next(2), [4, 1].map(ItemId), "again, without what was taken");
        walk.answered(None);
        assert_eq!((walk.until(0), walk.until(1).0), ((0, Vec::new()), 2), "as it was then");
        assert_eq!(walk.until(2), (3, [1, 2, 4].map(ItemId).to_vec()));
        assert_eq!(walk.until(3).0, 4, "fewer than asked for: all of the way");
        assert_eq!((walk.taken(1)[0].item, walk.taken(9).len(), walk.slates()), (ItemId(7), 2, 4));
    }
}
