//! Target policies from files.
//!
//! A target policy that is given by its actions: a table of its probabilities, or its own log.

use super::import::{ProbabilityRow, read_probabilities};
use super::{DataError, Dataset};
use crate::files::FileError;
use crate::ids::{ItemId, LogUserId};
use std::collections::BTreeMap;
use std::path::Path;

/// One item that the target showed in its own log.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TargetRound {
    /// The user, numbered from 0 in the target's own log.
    pub user: u32,
    /// The item; `None` if the data set does not have it.
    pub item: Option<ItemId>,
    /// In which slot, counted from 0.
    pub slot: u16,
    /// True if it was taken.
    pub taken: bool,
    /// The rating; NaN without one.
    pub rating: f32,
}

/// A user and a slot; `None` means all of them.
type Place = (Option<LogUserId>, Option<u16>);

/// See the module's documentation.
#[derive(Clone, Debug, Default)]
pub struct TargetPolicy {
    /// Its name.
    pub name: String,
    /// Its own exposures; empty if it is given by its probabilities.
    pub rounds: Vec<TargetRound>,
    /// By user and slot; `None` means all of them.
    shares: BTreeMap<Place, Vec<(ItemId, f64)>>,
    /// The share of its probability that lies on items that the data set does not have.
    pub unknown: f64,
    /// Guesses and omissions, one sentence each.
    pub notes: Vec<String>,
}

/// Probabilities of a user and slot may miss 1 by this much: they are often rounded.
const SLACK: f64 = 0.02;

/// Reads a target policy for the items of `data`: a table with an item, a probability and, if the policy depends on
/// them, a slot and a user; or a log of the policy as in [`super::read_exposures`]. In a log the probability of an item
/// is the share of the rows of its slot that show it: the policy is assumed to ignore the user.
///
/// # Errors
/// A file that cannot be read, invalid probabilities, or no item of `data` in it.
pub fn read_target(name: &str, path: &Path, data: &Dataset) -> Result<TargetPolicy, DataError> {
    if !path.is_file() {
        let remedy = "give the file with the target's log or its probabilities".to_owned();
        return Err(FileError::Missing { path: path.to_owned(), remedy }.into());
    }
    let target = match read_probabilities(path)? {
        Some(rows) => of_probabilities(path, &rows, data)?,
        None => of_log(&Dataset::read(path)?, data, path)?,
    };
    if target.shares.values().all(Vec::is_empty) {
        let problem = format!("no item of it is in the log {}: are the ids the same?", data.name);
        return Err(FileError::whole(path, problem).into());
    }
    Ok(TargetPolicy { name: name.to_owned(), ..target })
}

fn of_probabilities(path: &Path, rows: &[ProbabilityRow], data: &Dataset) -> Result<TargetPolicy, DataError> {
    let mut target = TargetPolicy::default();
    let mut sums: BTreeMap<(Option<LogUserId>, Option<u16>), (f64, u64)> = BTreeMap::new();
    let (mut unknown, mut total, mut strangers) = (0.0, 0.0, 0u64);
    for row in rows {
        let user = match &row.user {
            None => None,
            Some(user) => match data.users.get(user) {
                Some(user) => Some(LogUserId(user)),
                None => {
                    strangers += 1;
                    continue;
                }
            },
        };
        let sum = sums.entry((user, row.slot)).or_insert((0.0, row.line));
        sum.0 += row.probability;
        total += row.probability;
        let shares = target.shares.entry((user, row.slot)).or_default();
        match data.items.get(&row.item) {
            Some(item) => shares.push((ItemId(item), row.probability)),
            None => unknown += row.probability,
        }
    }
    if let Some((sum, line)) = sums.values().find(|(sum, _)| (sum - 1.0).abs() > SLACK) {
        let problem = format!(
            "the probabilities of the user and slot of this line add up to {sum:.4}, not to 1: give each item that the target \
             may show, once for each user and slot on which it depends"
        );
        return Err(FileError::line(path, *line, problem).into());
    }
    target.unknown = if total > 0.0 { unknown / total } else { 0.0 };
    if strangers > 0 {
        target.notes.push(format!("{strangers} rows of users that the log does not have are left out"));
    }
    target.merge();
    Ok(target)
}

fn of_log(log: &Dataset, data: &Dataset, path: &Path) -> Result<TargetPolicy, DataError> {
    let lists = &log.impressions;
    if lists.is_empty() {
        let problem = "it is neither a table of probabilities (item_id, probability; position, user_id) nor a log of what was \
                       shown (item_id, user_id, clicked; position)";
        return Err(FileError::whole(path, problem).into());
    }
    let item_of = |item: ItemId| data.items.get(log.items.external(item.0)).map(ItemId);
    let mut target = TargetPolicy { notes: log.notes.clone(), ..TargetPolicy::default() };
    let mut at = 0;
    for list in lists.iter() {
        for (place, &item) in list.items.iter().enumerate() {
            let rating = lists.ratings.get(at + place).copied().unwrap_or(f32::NAN);
            let (slot, taken) = (list.slots[place], list.taken[place]);
            target.rounds.push(TargetRound { user: list.user.0, item: item_of(item), slot, taken, rating });
        }
        at += list.items.len();
    }
    let mut sizes: BTreeMap<u16, f64> = BTreeMap::new();
    target.rounds.iter().for_each(|round| *sizes.entry(round.slot).or_default() += 1.0);
    for round in &target.rounds {
        let shares = target.shares.entry((None, Some(round.slot))).or_default();
        shares.extend(round.item.map(|item| (item, 1.0 / sizes[&round.slot])));
    }
    let unknown = target.rounds.iter().filter(|round| round.item.is_none()).count();
    target.unknown = unknown as f64 / target.rounds.len() as f64;
    target.merge();
    Ok(target)
}

impl TargetPolicy {
    /// Adds up the shares of an item, in the order of items.
    fn merge(&mut self) {
        for shares in self.shares.values_mut() {
            shares.sort_by_key(|&(item, _)| item);
            let mut merged: Vec<(ItemId, f64)> = Vec::with_capacity(shares.len());
            for &(item, share) in shares.iter() {
                match merged.last_mut() {
                    Some((last, sum)) if *last == item => *sum += share,
                    _ => merged.push((item, share)),
                }
            }
            *shares = merged;
        }
    }

    /// The items that it may show a user in a slot, with their probabilities; empty if unknown.
    pub fn shares(&self, user: LogUserId, slot: u16) -> &[(ItemId, f64)] {
        let keys = [(Some(user), Some(slot)), (Some(user), None), (None, Some(slot)), (None, None)];
        keys.iter().find_map(|key| self.shares.get(key)).map_or(&[], Vec::as_slice)
    }

    /// The probability of showing an item to a user in a slot.
    pub fn probability(&self, user: LogUserId, slot: u16, item: ItemId) -> f64 {
        let shares = self.shares(user, slot);
        shares.binary_search_by_key(&item, |&(item, _)| item).map_or(0.0, |place| shares[place].1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data() -> Dataset {
        let rows = (0..12i64).map(|n| (format!("u{}", n % 3), format!("i{}", n % 4), Some(3.0), Some(n)));
        Dataset::from_rows("shop", rows).expect("a data set")
    }

    fn read(text: &str) -> Result<TargetPolicy, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("target.csv");
        std::fs::write(&path, text).expect("written");
        read_target("new", &path, &data()).map_err(|problem| problem.to_string())
    }

    fn item(data: &Dataset, name: &str) -> ItemId {
        ItemId(data.items.get(name).expect("an item"))
    }

    #[test]
    fn probabilities_hold_for_all_users_and_slots_that_they_do_not_name() {
        let target =
            read("item_id,position,probability\ni0,1,0.25\ni1,1,0.75\ni2,2,0.5\nnew,2,0.5\n").expect("a target");
        let (data, user) = (data(), LogUserId(1));
        assert_eq!(target.probability(user, 0, item(&data, "i1")), 0.75);
        assert_eq!(target.probability(user, 1, item(&data, "i2")), 0.5);
        assert_eq!((target.probability(user, 1, item(&data, "i0")), target.unknown), (0.0, 0.25));
        assert!(target.shares(user, 2).is_empty() && target.rounds.is_empty());
        let target = read("user_id,item_id,prob\nu1,i0,1\nu2,i1,1\nu9,i1,1\n").expect("a target");
        let of = |user: &str| LogUserId(data.users.get(user).expect("a user"));
        assert_eq!(target.probability(of("u1"), 5, item(&data, "i0")), 1.0);
        assert!(target.shares(of("u0"), 0).is_empty() && target.notes[0].contains("1 rows of users"), "{target:?}");
    }

    #[test]
    fn a_log_gives_shares_by_slot_and_what_was_taken() {
        let log = "user_id,item_id,position,clicked,timestamp\nx,i0,1,1,5\ny,i0,1,0,6\nx,i3,1,0,7\nz,other,1,0,8\nx,i1,2,1,9\n";
        let target = read(log).expect("a target");
        let data = data();
        assert_eq!(target.probability(LogUserId(0), 0, item(&data, "i0")), 0.5);
        assert_eq!(target.probability(LogUserId(2), 0, item(&data, "i3")), 0.25);
        assert_eq!(target.probability(LogUserId(2), 1, item(&data, "i1")), 1.0);
        assert_eq!((target.rounds.len(), target.unknown), (5, 0.2));
        assert_eq!(target.rounds.iter().filter(|round| round.taken).count(), 2);
    }

    #[test]
    fn invalid_policies_are_reported() {
        let problem = read("item_id,probability\ni0,0.5\ni1,0.4\n").expect_err("too little");
        assert!(problem.contains("add up to 0.9000") && problem.contains("target.csv"), "{problem}");
        let problem = read("item_id,probability\ni0,1.5\n").expect_err("too much");
        assert!(problem.contains("1.5 is not between 0 and 1"), "{problem}");
        let problem = read("item_id,probability\nother,1\n").expect_err("strangers");
        assert!(problem.contains("no item of it is in the log shop"), "{problem}");
        let problem = read("user_id,item_id,timestamp\nu1,i1,3\n").expect_err("no exposures");
        assert!(problem.contains("neither a table of probabilities"), "{problem}");
    }
}
