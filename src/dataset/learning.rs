//! The learning part and the held-out part of a log.
//!
//! The training data of a user model, and the held-out data that measure it.
//!
//! A log without impressions is cut for each user separately ([`Dataset::split`]). With impressions, lists are the
//! unit: most users have few, and the response to a list must not be known before it. So such a log is cut at one
//! moment: lists and interactions of that moment or later are held out. Without times, users are drawn, and all their
//! data are held out. A list before the moment with a taken item of the held-out interactions is in neither part.

use super::{Dataset, Split};
use crate::ids::{ItemId, LogUserId};
use crate::random::{Purpose, Streams, unit};
use std::collections::BTreeSet;

/// Lists below which impressions teach too little to be used.
pub const LEAST_LISTS: usize = 100;

/// A log, cut for a fit.
#[derive(Clone, Debug)]
pub struct LearningSplit {
    /// The interactions. What comes before the cut of a user is the beginning of that user's rows.
    pub log: Split,
    /// The lists to learn from, as places in [`Dataset::impressions`]; empty where the log has too few, or none without a
    /// held-out answer.
    pub lists: Vec<u32>,
    /// The lists that are held out.
    pub held_out: Vec<u32>,
    /// The moment of the cut, in seconds since 1970; `None` if users have different ones.
    pub moment: Option<i64>,
}

impl LearningSplit {
    /// True if training uses lists.
    pub fn has_lists(&self) -> bool {
        !self.lists.is_empty()
    }

    /// The held-out part, as a clause.
    pub fn rule(&self) -> &'static str {
        match (self.has_lists() || !self.held_out.is_empty(), self.moment) {
            (false, _) => "by time, per user: the latest interactions are held out",
            (true, Some(_)) => "at one moment: lists and interactions of that moment or later are held out",
            (true, None) => {
                "by user, because the log has no times: all lists and interactions of drawn users are held out"
            }
        }
    }
}

impl Dataset {
    /// Cuts the log for a fit: by lists if there are at least [`LEAST_LISTS`], otherwise as [`Dataset::split`].
    pub fn split_to_learn(&self, holdout: f64) -> LearningSplit {
        let filled: Vec<u32> = (0..self.impressions.len())
            .filter(|&list| !self.impressions.get(list).items.is_empty())
            .map(|list| list as u32)
            .collect();
        if filled.len() < LEAST_LISTS {
            return LearningSplit { log: self.split(holdout), lists: Vec::new(), held_out: Vec::new(), moment: None };
        }
        let mut times: Vec<i64> = filled.iter().map(|&list| self.impressions.times[list as usize]).collect();
        times.sort_unstable();
        let kept = ((times.len() as f64) * (1.0 - holdout) - 1e-9).ceil() as usize;
        let moment = times.get(kept).copied().filter(|moment| self.has_times && *moment > times[0]);
        let is_held_out = |user: LogUserId, time: i64| match moment {
            Some(moment) => time >= moment,
            None => is_drawn(user, holdout),
        };
        let log = self.split_at(is_held_out);
        let (held_out, mut lists): (Vec<u32>, Vec<u32>) = filled.into_iter().partition(|&list| {
            let list = list as usize;
            is_held_out(self.impressions.users[list], self.impressions.times[list])
        });
        // A list that was shown before the moment may have been answered after it: its answer is held out, so it is in no part.
        let later: BTreeSet<(LogUserId, ItemId)> = log.held_out.rows.iter().map(|row| (row.user, row.item)).collect();
        lists.retain(|&list| {
            let list = self.impressions.get(list as usize);
            let mut taken = list.items.iter().zip(list.taken).filter(|(_, taken)| **taken);
            !taken.any(|(&item, _)| later.contains(&(list.user, item)))
        });
        LearningSplit { log, lists, held_out, moment }
    }
}

/// True if a user of a log without times is held out: a fixed function of the user's number.
pub(crate) fn is_drawn(user: LogUserId, share: f64) -> bool {
    unit(&mut Streams::new(0, 0).derive(Purpose::Folds, u64::from(user.0), 1)) < share
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 200 lists of three items at the times 1 to 200, of users 0 to 39; of every second one the first item is taken.
    fn shown(has_times: bool) -> Dataset {
        let time = |list: u32| if has_times { i64::from(list) + 1 } else { 0 };
        let rows = (0..200u32).filter(|list| list % 2 == 0);
        let rows =
            rows.map(|list| (format!("u{}", list % 40), format!("i{}", list / 2), None, has_times.then(|| time(list))));
        let mut data = Dataset::from_rows("shown", rows).expect("a data set");
        for list in 0..200u32 {
            let user = data.users.insert(&format!("u{}", list % 40)).0;
            let entry = |slot: u32| (ItemId((list / 2 + slot) % 100), slot == 0 && list % 2 == 0, slot as u16);
            data.impressions.push(LogUserId(user), time(list), (0..3).map(entry));
        }
        data
    }

    #[test]
    fn lists_and_their_taken_items_are_cut_at_one_moment() {
        let split = shown(true).split_to_learn(0.25);
        assert_eq!((split.lists.len(), split.held_out.len(), split.moment), (150, 50, Some(151)));
        assert!(split.log.before.rows.iter().all(|row| row.time < 151) && split.log.before.rows.len() == 75);
        assert!(split.log.held_out.rows.iter().all(|row| row.time >= 151) && split.log.held_out.rows.len() == 25);
    }

    #[test]
    fn a_list_that_is_answered_after_the_moment_is_in_no_part() {
        let mut data = shown(true);
        let row = data.interactions.iter_mut().find(|row| row.time == 149).expect("the answer to list 148");
        row.time = 160;
        let split = data.split_to_learn(0.25);
        assert_eq!((split.lists.len(), split.held_out.len(), split.moment), (149, 50, Some(151)));
        assert!(!split.lists.contains(&148) && !split.held_out.contains(&148));
    }

    #[test]
    fn without_times_complete_users_are_held_out() {
        let data = shown(false);
        let split = data.split_to_learn(0.25);
        assert!(split.moment.is_none() && split.has_lists() && !split.held_out.is_empty());
        let users = |lists: &[u32]| -> std::collections::BTreeSet<LogUserId> {
            lists.iter().map(|&list| data.impressions.users[list as usize]).collect()
        };
        let (learned, later) = (users(&split.lists), users(&split.held_out));
        assert!(learned.is_disjoint(&later));
        assert!(later.iter().all(|&user| split.log.before.of(user).is_empty()));
        assert!(learned.iter().all(|&user| split.log.held_out.of(user).is_empty()));
    }

    #[test]
    fn a_log_without_lists_is_cut_as_ever() {
        let mut data = shown(true);
        data.impressions = crate::dataset::Impressions::default();
        let (found, wanted) = (data.split_to_learn(0.25), data.split(0.25));
        assert!(!found.has_lists() && found.held_out.is_empty());
        let shown = |split: &Split| format!("{:?} {:?}", split.before.rows, split.held_out.rows);
        assert_eq!(shown(&found.log), shown(&wanted));
    }
}
