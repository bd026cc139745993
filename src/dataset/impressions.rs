//! Impressions: shown lists with their taken items.

use crate::ids::{ItemId, LogUserId};
use serde::{Deserialize, Serialize};

/// Shown lists with none, one or more taken items. Columns by impression, items flat.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Impressions {
    /// `[n]`: who saw the list.
    pub users: Vec<LogUserId>,
    /// `[n]`: when, in milliseconds since 1970.
    pub times: Vec<i64>,
    /// `[n + 1]`: list `i` has the entries `offsets[i]..offsets[i + 1]`.
    pub offsets: Vec<u64>,
    /// The items in the order shown.
    pub items: Vec<ItemId>,
    /// True for taken items.
    pub taken: Vec<bool>,
    /// The slot of each item, from 0, if the log has one; otherwise the position in the list.
    pub slots: Vec<u16>,
    /// The logging policy's probability of showing each item in its slot; empty if the log has none.
    pub propensities: Vec<f32>,
    /// The rating of each item, in the data set's own scale, NaN without one; empty if the log has no ratings.
    pub ratings: Vec<f32>,
}

/// One impression.
#[derive(Clone, Copy, Debug)]
pub struct Impression<'a> {
    /// The user who saw the list.
    pub user: LogUserId,
    /// When, in milliseconds since 1970.
    pub time: i64,
    /// The items in the order shown.
    pub items: &'a [ItemId],
    /// True for taken items.
    pub taken: &'a [bool],
    /// The slot of each item, counted from 0.
    pub slots: &'a [u16],
}

impl Impressions {
    /// Number of lists.
    pub fn len(&self) -> usize {
        self.users.len()
    }

    /// True without any list.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// Adds a list; `taken` and `slots` have as many entries as `items`.
    pub fn push(&mut self, user: LogUserId, time: i64, entries: impl Iterator<Item = (ItemId, bool, u16)>) {
        if self.offsets.is_empty() {
            self.offsets.push(0);
        }
        for (item, taken, slot) in entries {
            self.items.push(item);
            self.taken.push(taken);
            self.slots.push(slot);
        }
        self.users.push(user);
        self.times.push(time);
        self.offsets.push(self.items.len() as u64);
    }

    /// One list.
    pub fn get(&self, place: usize) -> Impression<'_> {
        let range = self.offsets[place] as usize..self.offsets[place + 1] as usize;
        Impression {
            user: self.users[place],
            time: self.times[place],
            items: &self.items[range.clone()],
            taken: &self.taken[range.clone()],
            slots: &self.slots[range],
        }
    }

    /// All lists in their order.
    pub fn iter(&self) -> impl Iterator<Item = Impression<'_>> {
        (0..self.len()).map(|place| self.get(place))
    }

    /// Lists from which 0, 1, and more than one item were taken.
    pub fn counts_by_taken(&self) -> [usize; 3] {
        let mut counts = [0; 3];
        for list in self.iter() {
            counts[list.taken.iter().filter(|&&taken| taken).count().min(2)] += 1;
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_with_nothing_one_and_more_taken_are_kept() {
        let mut lists = Impressions::default();
        let entry = |item: u32, taken: bool| (ItemId(item), taken, item as u16);
        lists.push(LogUserId(3), 10, [entry(0, false), entry(1, false)].into_iter());
        lists.push(LogUserId(4), 11, [entry(2, true)].into_iter());
        lists.push(LogUserId(3), 12, [entry(0, true), entry(1, true), entry(2, false)].into_iter());
        assert_eq!((lists.len(), lists.counts_by_taken()), (3, [1, 1, 1]));
        assert_eq!(lists.get(1).items, &[ItemId(2)]);
        assert_eq!((lists.get(2).user, lists.get(2).taken), (LogUserId(3), &[true, true, false][..]));
    }
}
