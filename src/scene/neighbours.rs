//! Cosine similarity of items by co-occurrence.

use crate::dataset::TrainingLog;
use crate::ids::ItemId;
use rayon::prelude::*;

/// Neighbours kept for each item.
const KEPT: usize = 50;
/// Items that one task counts at least.
const SHARE: usize = 16;

/// Items with their co-occurrence neighbours, most similar first.
pub struct CoOccurrence {
    users_of: Vec<Vec<u32>>,
    neighbours: Vec<Vec<ItemId>>,
    holders: Vec<Vec<ItemId>>,
}

impl CoOccurrence {
    /// Counts co-occurrence in `log`: `cos(a, b) = n_ab / sqrt(n_a n_b)`, zeros left out.
    pub fn new(log: &TrainingLog) -> CoOccurrence {
        let mut users_of = vec![Vec::new(); log.items];
        for row in &log.rows {
            users_of[row.item.index()].push(row.user.0);
        }
        let neighbours: Vec<Vec<ItemId>> = (0..log.items)
            .into_par_iter()
            .with_min_len(SHARE)
            .map_init(|| vec![0u32; log.items], |counts, item| nearest(log, item, &users_of, counts))
            .collect();
        let mut holders = vec![Vec::new(); log.items];
        for (holder, held) in neighbours.iter().enumerate() {
            for item in held {
                holders[ItemId::index(*item)].push(ItemId(holder as u32));
            }
        }
        CoOccurrence { users_of, neighbours, holders }
    }

    /// Counts co-occurrence for [`CoOccurrence::cosine`] and [`CoOccurrence::count`] alone: no item gets neighbours. Long
    /// histories then cost nothing.
    pub fn without_neighbours(log: &TrainingLog) -> CoOccurrence {
        let mut users_of = vec![Vec::new(); log.items];
        log.rows.iter().for_each(|row| users_of[row.item.index()].push(row.user.0));
        let none = vec![Vec::new(); log.items];
        CoOccurrence { users_of, neighbours: none.clone(), holders: none }
    }

    /// The (at most 50) nearest neighbours of an item.
    pub fn neighbours(&self, item: ItemId) -> &[ItemId] {
        &self.neighbours[item.index()]
    }

    /// The items that have `item` among their neighbours.
    pub fn holders(&self, item: ItemId) -> &[ItemId] {
        &self.holders[item.index()]
    }

    /// The cosine of two items.
    pub fn cosine(&self, a: ItemId, b: ItemId) -> f64 {
        let (left, right) = (&self.users_of[a.index()], &self.users_of[b.index()]);
        if left.is_empty() || right.is_empty() {
            return 0.0;
        }
        let (mut i, mut j, mut both) = (0, 0, 0u32);
        while i < left.len() && j < right.len() {
            both += u32::from(left[i] == right[j]);
            (i, j) = (i + usize::from(left[i] <= right[j]), j + usize::from(left[i] >= right[j]));
        }
        f64::from(both) / ((left.len() * right.len()) as f64).sqrt()
    }

    /// The number of users of each item.
    pub fn count(&self, item: ItemId) -> usize {
        self.users_of[item.index()].len()
    }
}

/// Most similar first, of equals the lower id. `counts` are all 0, and are left so.
fn nearest(log: &TrainingLog, item: usize, users_of: &[Vec<u32>], counts: &mut [u32]) -> Vec<ItemId> {
    let users = &users_of[item];
    let mut met: Vec<u32> = Vec::new();
    for &user in users {
        for row in log.of(crate::ids::LogUserId(user)) {
            let count = &mut counts[row.item.index()];
            if *count == 0 {
                met.push(row.item.0);
            }
            *count += 1;
        }
    }
    let mut found: Vec<(f64, u32)> = Vec::with_capacity(met.len());
    for other in met {
        let both = std::mem::take(&mut counts[other as usize]);
        if other as usize != item {
            let cosine = f64::from(both) / ((users.len() * users_of[other as usize].len()) as f64).sqrt();
            found.push((cosine, other));
        }
    }
    let order = |a: &(f64, u32), b: &(f64, u32)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
    if found.len() > KEPT {
        found.select_nth_unstable_by(KEPT, order);
        found.truncate(KEPT);
    }
    found.sort_unstable_by(order);
    let mut kept: Vec<ItemId> = found.into_iter().map(|(_, other)| ItemId(other)).collect();
    // Collecting in place keeps room for all items that were met.
    kept.shrink_to_fit();
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Interaction;
    use crate::ids::LogUserId;

    fn log(pairs: &[(u32, u32)]) -> TrainingLog {
        let rows = pairs.iter().enumerate().map(|(time, &(user, item))| Interaction {
            user: LogUserId(user),
            item: ItemId(item),
            rating: 4.0,
            time: time as i64,
        });
        TrainingLog::from_sorted(rows.collect(), 3, 4)
    }

    #[test]
    fn cosines_by_hand() {
        let found = CoOccurrence::new(&log(&[(0, 0), (0, 1), (1, 0), (1, 1), (1, 2), (2, 0)]));
        assert!((found.cosine(ItemId(0), ItemId(1)) - 2.0 / 6f64.sqrt()).abs() < 1e-12);
        assert!((found.cosine(ItemId(1), ItemId(2)) - 1.0 / 2f64.sqrt()).abs() < 1e-12);
        assert_eq!(found.cosine(ItemId(0), ItemId(3)), 0.0);
        assert_eq!(found.neighbours(ItemId(0)), &[ItemId(1), ItemId(2)]);
        assert_eq!(found.holders(ItemId(2)), &[ItemId(0), ItemId(1)]);
        assert!(found.neighbours(ItemId(3)).is_empty());
    }
}
