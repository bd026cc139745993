//! What a policy remembers of its users: the log before the start plus what it observed since.

use super::PolicyContext;
use crate::dataset::TrainingLog;
use crate::ids::{ItemId, UserId};
use crate::log::EventBatch;
use std::sync::Arc;

/// Each simulated user's items, oldest first. Users that start from the same source share its log.
#[derive(Clone)]
pub struct Histories {
    log: Arc<TrainingLog>,
    sources: Arc<[UserId]>,
    since: Vec<Vec<(ItemId, f32)>>,
}

impl Histories {
    /// The histories at the start.
    pub fn new(context: &PolicyContext) -> Histories {
        let since = vec![Vec::new(); context.sources.len()];
        Histories { log: context.log.clone(), sources: context.sources.clone(), since }
    }

    /// Adds the accepted items of one tick; calls `changed` for each user whose history grew.
    pub fn observe(&mut self, events: &EventBatch, mut changed: impl FnMut(UserId, ItemId, f32)) {
        for (row, &user) in events.users.iter().enumerate() {
            if let Some(item) = events.accepted_item(row) {
                self.since[user.index()].push((item, events.ratings[row]));
                changed(user, item, events.ratings[row]);
            }
        }
    }

    /// All items of one user with their ratings (NaN = none), oldest first.
    pub fn of(&self, user: UserId) -> impl DoubleEndedIterator<Item = (ItemId, f32)> + '_ {
        let logged = self.log.of(self.sources[user.index()]).iter().map(|row| (row.item, row.rating));
        logged.chain(self.since[user.index()].iter().copied())
    }

    /// Whether the user has the item already.
    pub fn contains(&self, user: UserId, item: ItemId) -> bool {
        self.of(user).any(|(held, _)| held == item)
    }

    /// Number of items of one user.
    pub fn len_of(&self, user: UserId) -> usize {
        self.log.of(self.sources[user.index()]).len() + self.since[user.index()].len()
    }
}
