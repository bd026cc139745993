//! The log at the first step, without late arrivals.

use crate::dataset::TrainingLog;
use crate::ids::{ItemId, LogUserId};
use std::sync::Arc;

/// The log as policies and the platform know it: without the items that are not out yet and without the users who have
/// not joined yet.
#[derive(Clone, Debug)]
pub struct Known {
    /// The rest of the log, and after its users one without rows for each simulated user who joins later.
    pub log: Arc<TrainingLog>,
    /// The user of that log with whose rows each simulated user starts.
    pub sources: Arc<[LogUserId]>,
}

impl Known {
    /// `None` if all are present from the start. `joins` is the tick at which each simulated user joins, or empty;
    /// `releases` are the items with later releases. The rows of a user whom only late users mirror are unknown.
    pub fn new(log: &TrainingLog, sources: &[LogUserId], joins: &[u32], releases: &[(u32, ItemId)]) -> Option<Known> {
        if joins.is_empty() && releases.is_empty() {
            return None;
        }
        let is_late = |user: usize| joins.get(user).is_some_and(|&tick| tick > 0);
        let (mut unknown, mut unreleased) = (vec![false; log.users()], vec![false; log.items]);
        for late in [true, false] {
            let found = sources.iter().enumerate().filter(|&(user, _)| is_late(user) == late);
            found.for_each(|(_, source)| unknown[source.index()] = late);
        }
        releases.iter().for_each(|(_, item)| unreleased[item.index()] = true);
        let rows = log.rows.iter().filter(|row| !unknown[row.user.index()] && !unreleased[row.item.index()]);
        let mut users = log.users();
        let known = sources.iter().enumerate().map(|(user, &source)| {
            if !is_late(user) {
                return source;
            }
            users += 1;
            LogUserId(users as u32 - 1)
        });
        let sources: Arc<[LogUserId]> = known.collect();
        Some(Known { log: Arc::new(TrainingLog::from_sorted(rows.copied().collect(), users, log.items)), sources })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Interaction;

    #[test]
    fn late_users_and_late_items_have_no_rows() {
        let row = |user, item| Interaction { user: LogUserId(user), item: ItemId(item), rating: 4.0, time: 0 };
        let rows = vec![row(0, 0), row(0, 1), row(1, 0), row(1, 2), row(2, 1)];
        let log = TrainingLog::from_sorted(rows, 3, 70);
        let sources = [0, 1, 1, 2].map(LogUserId);
        assert!(Known::new(&log, &sources, &[], &[]).is_none());
        // Simulated users 2 and 3 join later; user 1 of the log also has simulated user 1, user 2 has no other.
        let known = Known::new(&log, &sources, &[0, 0, 4, 1], &[(3, ItemId(0))]).expect("something is late");
        assert_eq!(*known.sources, [0, 1, 3, 4].map(LogUserId));
        assert_eq!(known.log.users(), 5);
        assert_eq!(known.log.rows, [row(0, 1), row(1, 2)]);
    }
}
