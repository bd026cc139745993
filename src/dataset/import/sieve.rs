//! Filters of log rows.
//!
//! They keep rows with known ids, late enough, not repeated, of users and items with enough rows.
//!
//! The log is read twice, once to count and once to write, so that what is held grows with users and items. Both
//! passes take the same rows through [`Sieve::take`]; [`Sieve::fits`] needs the counts of the first.

use super::super::ExternalId;
use super::publisher::{Fields, RawRow, Repeats, Rules, Verdict};
use serde_json::Value;
use std::collections::{HashMap, HashSet};

/// Dense numbers of users or items, how many rows each has, and which of them some kept row names.
pub(super) struct Ids {
    dense: HashMap<ExternalId, u32>,
    /// True if ids come from the log itself.
    open: bool,
    counts: Vec<u32>,
    used: Vec<bool>,
    /// Ids from the log in the order of their first kept row, with that row's fields about them.
    pub(super) taken: Vec<(ExternalId, Fields)>,
}

impl Ids {
    /// Ids that only the log has of.
    pub(super) fn of_log() -> Ids {
        Ids { dense: HashMap::new(), open: true, counts: Vec::new(), used: Vec::new(), taken: Vec::new() }
    }

    /// Closes the table: from now on only ids that were added are known.
    pub(super) fn close(&mut self) {
        self.open = false;
    }

    /// True if ids come from the log itself.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// The number of `id`; ids that are not known get one while the table is open.
    pub(super) fn place(&mut self, id: &ExternalId) -> Option<u32> {
        if let Some(&dense) = self.dense.get(id) {
            return Some(dense);
        }
        let dense = u32::try_from(self.dense.len()).ok().filter(|_| self.open)?;
        self.dense.insert(id.clone(), dense);
        self.counts.push(0);
        self.used.push(false);
        Some(dense)
    }

    /// The number of `id` if it is known.
    pub(super) fn get(&self, id: &ExternalId) -> Option<u32> {
        self.dense.get(id).copied()
    }

    /// True if a kept row names this one.
    pub(super) fn is_used(&self, dense: u32) -> bool {
        self.used.get(dense as usize).copied().unwrap_or(false)
    }

    /// The number of ids in kept rows.
    pub(super) fn used(&self) -> u64 {
        self.used.iter().filter(|&&used| used).count() as u64
    }

    /// Marks one as named by a kept row; `true` the first time.
    pub(super) fn mark(&mut self, dense: u32, id: &ExternalId, fields: Fields) -> bool {
        let Some(used) = self.used.get_mut(dense as usize) else { return false };
        let first = !std::mem::replace(used, true);
        if first && self.open {
            self.taken.push((id.clone(), fields));
        }
        first
    }

    fn count(&self, dense: u32) -> u32 {
        self.counts.get(dense as usize).copied().unwrap_or(0)
    }

    fn add(&mut self, dense: u32) {
        if let Some(count) = self.counts.get_mut(dense as usize) {
            *count = count.saturating_add(1);
        }
    }
}

/// The filters with their state.
pub(super) struct Sieve {
    rules: Rules,
    pub(super) users: Ids,
    pub(super) items: Ids,
    /// Rows before this moment, in milliseconds, are too early.
    cut: Option<i64>,
    same: HashSet<(u32, u32, Option<i64>)>,
    pairs: Vec<Vec<u32>>,
}

impl Sieve {
    pub(super) fn new(rules: Rules, users: Ids, items: Ids, cut: Option<i64>) -> Sieve {
        Sieve { rules, users, items, cut, same: HashSet::new(), pairs: Vec::new() }
    }

    /// Begins the second pass.
    pub(super) fn restart(&mut self) {
        self.same = HashSet::new();
        self.pairs = Vec::new();
    }

    /// The numbers of the row's user and item, or why it is left out.
    pub(super) fn take(&mut self, row: &RawRow) -> Verdict<(u32, u32)> {
        if self.cut.is_some_and(|cut| row.time.is_some_and(|time| time.0 < cut)) {
            return Err("row before the part of the log that is used");
        }
        let item = self.items.place(&row.item).ok_or("row of an item that is not among the items")?;
        self.check_impression(row)?;
        let user = self.users.place(&row.user).ok_or("row of a user who is not among the users")?;
        match self.rules.repeats {
            Repeats::Keep => Ok((user, item)),
            Repeats::Same => {
                let is_new = self.same.insert((user, item, row.time.map(|time| time.0)));
                is_new.then_some((user, item)).ok_or("row with the user, item and time of an earlier row")
            }
            Repeats::Pair => {
                let is_new = self.is_first_of_pair(user, item);
                is_new.then_some((user, item)).ok_or("row with the user and item of an earlier row")
            }
        }
    }

    /// Remembers a pair. One more than the most that a user may have is enough to know that it is too many.
    fn is_first_of_pair(&mut self, user: u32, item: u32) -> bool {
        let user = user as usize;
        if self.pairs.len() <= user {
            self.pairs.resize(user + 1, Vec::new());
        }
        let items = &mut self.pairs[user];
        if items.contains(&item) {
            return false;
        }
        if items.len() <= self.rules.most_of_user as usize {
            items.push(item);
        }
        true
    }

    fn check_impression(&mut self, row: &RawRow) -> Verdict<()> {
        let Some(list) = impression_list(&row.behavior) else { return Ok(()) };
        let place = row.behavior.get("item_pos").and_then(Value::as_u64).and_then(|place| usize::try_from(place).ok());
        if place.and_then(|place| list.get(place)) != Some(&row.item) {
            return Err("row whose item_pos does not name its item in impression_list");
        }
        let known = list.iter().all(|id| self.items.place(id).is_some());
        known.then_some(()).ok_or("row whose impression_list shows an item that is not among the items")
    }

    /// Counts a row in the first pass.
    pub(super) fn count(&mut self, user: u32, item: u32) {
        self.users.add(user);
        self.items.add(item);
    }

    /// True if user and item have the required rows, all of them counted.
    pub(super) fn fits(&self, user: u32, item: u32) -> Result<(), String> {
        let Rules { least_of_user, most_of_user, least_of_item, .. } = self.rules;
        let rows = self.users.count(user);
        if rows < least_of_user {
            return Err(format!("row of a user with fewer than {least_of_user}"));
        }
        if rows > most_of_user {
            return Err(format!("row of a user with more than {most_of_user}"));
        }
        if self.items.count(item) < least_of_item {
            return Err(format!("row of an item with fewer than {least_of_item}"));
        }
        Ok(())
    }

    /// Marks what a kept row names; `true` when its user was not named before.
    pub(super) fn mark(&mut self, row: &mut RawRow, user: u32, item: u32) -> bool {
        self.items.mark(item, &row.item, std::mem::take(&mut row.item_description));
        for id in impression_list(&row.behavior).unwrap_or_default() {
            if let Some(dense) = self.items.get(&id) {
                self.items.mark(dense, &id, Fields::new());
            }
        }
        self.users.mark(user, &row.user, std::mem::take(&mut row.user_description))
    }
}

/// The shown items, if the log has them. An entry that is no id cannot be an item.
fn impression_list(behavior: &Fields) -> Option<Vec<ExternalId>> {
    let list = behavior.get("impression_list")?.as_array()?;
    Some(
        list.iter()
            .map(|id| match id {
                Value::Number(number) if number.is_i64() => ExternalId::Number(number.as_i64().unwrap_or_default()),
                Value::String(text) => ExternalId::Text(text.clone()),
                other => ExternalId::Text(other.to_string()),
            })
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Moment;

    fn row(user: i64, item: i64, time: i64) -> RawRow {
        RawRow::new(ExternalId::Number(user), ExternalId::Number(item), Some(Moment(time)))
    }

    fn sieve(rules: Rules) -> Sieve {
        Sieve::new(rules, Ids::of_log(), Ids::of_log(), None)
    }

    #[test]
    fn users_and_items_need_their_rows() {
        let rules = Rules { least_of_user: 2, most_of_user: 3, least_of_item: 2, ..Rules::FIVE };
        let mut sieve = sieve(rules);
        // User 1 has two rows, user 2 one, user 3 four; item 9 only one.
        for (user, item) in [(1, 7), (1, 9), (2, 7), (3, 7), (3, 7), (3, 8), (3, 8)] {
            let (user, item) = sieve.take(&row(user, item, 0)).expect("taken");
            sieve.count(user, item);
        }
        sieve.restart();
        let mut refusal = |user, item| {
            let (user, item) = sieve.take(&row(user, item, 0)).expect("taken");
            sieve.fits(user, item).err()
        };
        assert_eq!(refusal(1, 7), None);
        assert_eq!(refusal(1, 9).as_deref(), Some("row of an item with fewer than 2"));
        assert_eq!(refusal(2, 7).as_deref(), Some("row of a user with fewer than 2"));
        assert_eq!(refusal(3, 7).as_deref(), Some("row of a user with more than 3"));
    }

    #[test]
    fn repeats_are_found_by_pair_or_by_moment() {
        let mut same = sieve(Rules { repeats: Repeats::Same, ..Rules::FIVE });
        assert!(same.take(&row(1, 1, 5)).is_ok() && same.take(&row(1, 1, 6)).is_ok());
        assert!(same.take(&row(1, 1, 5)).is_err());
        same.restart();
        assert!(same.take(&row(1, 1, 5)).is_ok());
        let mut pair = sieve(Rules { repeats: Repeats::Pair, most_of_user: 2, ..Rules::FIVE });
        assert!(pair.take(&row(1, 1, 5)).is_ok() && pair.take(&row(2, 1, 6)).is_ok());
        assert!(pair.take(&row(1, 1, 6)).is_err());
        for item in 2..9 {
            assert!(pair.take(&row(1, item, 6)).is_ok());
        }
        assert_eq!(pair.pairs.iter().map(Vec::len).max(), Some(3), "bounded by the most that a user may have");
    }

    #[test]
    fn impressions_must_hold_their_item() {
        let mut items = Ids::of_log();
        for item in [1, 2] {
            items.place(&ExternalId::Number(item));
        }
        items.close();
        let mut sieve = Sieve::new(Rules::FIVE, Ids::of_log(), items, None);
        let mut shown = |list: Value, place: i64| {
            let mut row = row(1, 1, 0);
            row.behavior.insert("impression_list".to_owned(), list);
            row.behavior.insert("item_pos".to_owned(), place.into());
            sieve.take(&row).err()
        };
        assert_eq!(shown(serde_json::json!([2, 1]), 1), None);
        assert!(shown(serde_json::json!([2, 1]), 0).is_some_and(|reason| reason.contains("item_pos")));
        assert!(shown(serde_json::json!([2, 1]), -1).is_some_and(|reason| reason.contains("item_pos")));
        assert!(shown(serde_json::json!([3, 1]), 1).is_some_and(|reason| reason.contains("impression_list shows")));
    }
}
