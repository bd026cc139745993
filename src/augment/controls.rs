//! Lists without a user model: what additions are compared with.

use super::{Additions, Augmentation};
use crate::dataset::TrainingLog;
use crate::experiment::ExperimentError;
use crate::ids::{ItemId, LogUserId};
use crate::random::{Purpose, Streams, shuffle};

/// The order of `item_knn` with its default keys.
pub(super) fn item_knn(of: &Augmentation<'_>, seed: u32) -> Result<Vec<Vec<ItemId>>, ExperimentError> {
    let mut policy = of.experiment.policy_of_kind("item_knn", of.experiment.start().log.clone(), seed)?;
    of.lists_of(policy.as_mut(), seed)
}

/// All items, the most frequent first, for every user.
pub(super) fn popular(log: &TrainingLog) -> Vec<Vec<ItemId>> {
    let counts = log.item_counts();
    let mut order: Vec<ItemId> = (0..log.items as u32).map(ItemId).collect();
    order.sort_by_key(|item| std::cmp::Reverse(counts[item.index()]));
    vec![order; log.users()]
}

/// All items in an order of chance for each user.
pub(super) fn random(log: &TrainingLog, streams: &Streams) -> Vec<Vec<ItemId>> {
    let of = |user: usize| {
        let mut order: Vec<ItemId> = (0..log.items as u32).map(ItemId).collect();
        shuffle(&mut streams.derive(Purpose::Augmentation, user as u64, u32::MAX), &mut order);
        order
    };
    (0..log.users()).map(of).collect()
}

/// For each user what the others accepted, those next in activity first.
pub(super) fn swapped(log: &TrainingLog, accepted: &Additions) -> Vec<Vec<ItemId>> {
    let mut users: Vec<u32> = (0..log.users() as u32).collect();
    users.sort_by_key(|&user| log.of(LogUserId(user)).len());
    let mut lists = vec![Vec::new(); users.len()];
    for (place, &user) in users.iter().enumerate() {
        let wanted = accepted.accepted[user as usize].len();
        let list = &mut lists[user as usize];
        let mut known = std::collections::BTreeSet::new();
        for step in 1..users.len() {
            let donor = users[(place + step) % users.len()] as usize;
            let own = log.of(LogUserId(user));
            let items = accepted.accepted[donor].iter().map(|row| row.item);
            list.extend(items.filter(|item| known.insert(*item) && own.iter().all(|row| row.item != *item)));
            if list.len() >= wanted {
                break;
            }
        }
    }
    lists
}
