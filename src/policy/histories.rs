//! A policy's histories of its users.
//!
//! If items may repeat, a history grows without bound, but its distinct items do not. Use [`Histories::first_of`] or
//! [`Histories::latest_of`], whose length is bounded by the number of items, to ask which items a user has.

use super::PolicyContext;
use crate::dataset::TrainingLog;
use crate::ids::{ItemId, LogUserId, UserId};
use crate::log::EventBatch;
use std::sync::Arc;

/// Each simulated user's items, oldest first. Users with the same source share its log.
#[derive(Clone)]
pub struct Histories {
    log: Arc<TrainingLog>,
    sources: Arc<[LogUserId]>,
    since: Vec<Since>,
}

/// Items that a user accepted since the start.
#[derive(Clone, Default)]
struct Since {
    rows: Vec<(ItemId, f32)>,
    /// `None` until an item is accepted again.
    distinct: Option<Box<Distinct>>,
}

/// Each item of some rows once.
#[derive(Clone, Default)]
struct Distinct {
    /// In the order of first acceptance, with the first rating.
    first: Vec<(ItemId, f32)>,
    /// In the order of last acceptance, with the last rating.
    latest: Vec<(ItemId, f32)>,
}

impl Since {
    fn push(&mut self, item: ItemId, rating: f32) {
        if self.distinct.is_none() && self.rows.iter().any(|row| row.0 == item) {
            self.distinct = Some(Box::new(Distinct { first: self.rows.clone(), latest: self.rows.clone() }));
        }
        if let Some(distinct) = &mut self.distinct {
            distinct.push(item, rating);
        }
        self.rows.push((item, rating));
    }

    fn first(&self) -> &[(ItemId, f32)] {
        self.distinct.as_ref().map_or(&self.rows, |distinct| &distinct.first)
    }

    fn latest(&self) -> &[(ItemId, f32)] {
        self.distinct.as_ref().map_or(&self.rows, |distinct| &distinct.latest)
    }
}

impl Distinct {
    fn push(&mut self, item: ItemId, rating: f32) {
        match self.first.iter_mut().find(|row| row.0 == item) {
            Some(known) if known.1.is_nan() => known.1 = rating,
            Some(_) => {}
            None => self.first.push((item, rating)),
        }
        self.latest.retain(|row| row.0 != item);
        self.latest.push((item, rating));
    }
}

impl Histories {
    /// The histories at the start.
    pub fn new(context: &PolicyContext) -> Histories {
        let since = vec![Since::default(); context.sources.len()];
        Histories { log: context.log.clone(), sources: context.sources.clone(), since }
    }

    /// Adds the accepted items of one tick; calls `changed` for each user whose history grew.
    pub fn observe(&mut self, events: &EventBatch, mut changed: impl FnMut(UserId, ItemId, f32)) {
        for (row, &user) in events.users.iter().enumerate() {
            if let Some(item) = events.accepted_item(row) {
                self.since[user.index()].push(item, events.ratings[row]);
                changed(user, item, events.ratings[row]);
            }
        }
    }

    /// All items that one user accepted, with ratings (NaN = none), oldest first: an item occurs as often as it was
    /// accepted.
    pub fn of(&self, user: UserId) -> impl DoubleEndedIterator<Item = (ItemId, f32)> + '_ {
        self.logged(user).chain(self.since[user.index()].rows.iter().copied())
    }

    /// The items of one user in the order of first acceptance, with the first rating. Only an item of the log that was
    /// accepted again occurs twice.
    pub fn first_of(&self, user: UserId) -> impl Iterator<Item = (ItemId, f32)> + '_ {
        self.logged(user).chain(self.since[user.index()].first().iter().copied())
    }

    /// The items of one user in the order of last acceptance, the newest first. Only an item of the log that was
    /// accepted again occurs twice.
    pub fn latest_of(&self, user: UserId) -> impl Iterator<Item = (ItemId, f32)> + '_ {
        self.logged(user).chain(self.since[user.index()].latest().iter().copied()).rev()
    }

    fn logged(&self, user: UserId) -> impl DoubleEndedIterator<Item = (ItemId, f32)> + '_ {
        self.log.of(self.sources[user.index()]).iter().map(|row| (row.item, row.rating))
    }

    /// True if the user has the item already.
    pub fn contains(&self, user: UserId, item: ItemId) -> bool {
        self.first_of(user).any(|(held, _)| held == item)
    }

    /// Number of items of one user.
    pub fn len_of(&self, user: UserId) -> usize {
        self.log.of(self.sources[user.index()]).len() + self.since[user.index()].rows.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::testing::World;
    use proptest::prelude::*;

    /// The first of equal items, in order.
    fn distinct(items: impl Iterator<Item = (ItemId, f32)>) -> Vec<u32> {
        let mut found: Vec<u32> = Vec::new();
        for (item, _) in items {
            if !found.contains(&item.0) {
                found.push(item.0);
            }
        }
        found
    }

    proptest! {
        #[test]
        fn distinct_items_have_the_order_of_the_complete_history(accepted in prop::collection::vec(prop::option::of(0_u32..6), 0..40)) {
            let world = World::with_log(1, 6, &[&[4, 1]]);
            let mut histories = Histories::new(&world.context());
            for (tick, &item) in accepted.iter().enumerate() {
                histories.observe(&world.accept(tick as u32, &[item]), |_, _, _| ());
            }
            let user = UserId(0);
            prop_assert_eq!(distinct(histories.first_of(user)), distinct(histories.of(user)));
            prop_assert_eq!(distinct(histories.latest_of(user)), distinct(histories.of(user).rev()));
            // Two of the log, and each of six items once.
            prop_assert!(histories.first_of(user).count() <= 8 && histories.latest_of(user).count() <= 8);
            prop_assert_eq!(histories.len_of(user), 2 + accepted.iter().flatten().count());
            for item in 0..6 {
                let held = histories.of(user).any(|(held, _)| held.0 == item);
                prop_assert_eq!(histories.contains(user, ItemId(item)), held);
            }
        }
    }

    #[test]
    fn the_first_rating_counts_where_there_is_one() {
        let mut since = Since::default();
        for (item, rating) in [(3, f32::NAN), (5, 2.0), (3, 4.0), (5, 1.0), (3, 1.0)] {
            since.push(ItemId(item), rating);
        }
        assert_eq!(since.first(), [(ItemId(3), 4.0), (ItemId(5), 2.0)]);
        assert_eq!(since.latest(), [(ItemId(5), 1.0), (ItemId(3), 1.0)]);
        assert_eq!(since.rows.len(), 5);
    }
}
