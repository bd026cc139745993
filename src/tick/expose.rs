//! Expose: slates are checked, and become the scenes that visitors have in front of them.

use super::TickError;
use crate::ids::ItemId;
use crate::policy::Slates;
use crate::scene::CONTEXT;
use crate::world::{
    Candidates, Clock, Events, Fault, Interest, Model, Popularity, Proposals, Scenes, ShortSlates, Surroundings, Visits,
};
use bevy_ecs::prelude::{Query, Res, ResMut};
use rayon::prelude::*;

/// Rows that one parallel task handles.
const ROWS_PER_TASK: usize = 128;

#[expect(clippy::too_many_arguments, reason = "each argument is one resource that the stage reads or writes")]
pub(super) fn expose(
    clock: Res<Clock>,
    surroundings: Res<Surroundings>,
    mut visits: ResMut<Visits>,
    mut candidates: ResMut<Candidates>,
    model: Res<Model>,
    mut proposals: ResMut<Proposals>,
    mut popularity: ResMut<Popularity>,
    mut scenes: ResMut<Scenes>,
    mut events: ResMut<Events>,
    mut short: ResMut<ShortSlates>,
    mut fault: ResMut<Fault>,
    interests: Query<&Interest>,
) {
    // A policy that writes its slates itself may know nothing of scores and propensities.
    let Slates { items, scores, propensities, .. } = &mut proposals.0;
    [scores, propensities].into_iter().for_each(|numbers| numbers.resize(items.len(), f32::NAN));
    drop_empty(surroundings.slate, &mut visits, &mut proposals.0, &mut candidates.0);
    let checker = Checker { items: surroundings.catalogue.len(), slate: surroundings.slate, blocked: &candidates.0 };
    match checker.check(visits.users.len(), &proposals.0.items) {
        Ok(found) => short.0 += found,
        Err((row, problem)) => {
            let (policy, user) = (surroundings.policy.clone(), visits.users.get(row).map(|user| user.0));
            fault.0 = Some(TickError::Policy { policy, tick: clock.tick, user, problem });
            return;
        }
    }
    let batch = &mut events.0;
    batch.tick = clock.tick;
    batch.slate = surroundings.slate;
    batch.users.clone_from(&visits.users);
    std::mem::swap(&mut batch.items, &mut proposals.0.items);
    std::mem::swap(&mut batch.scores, &mut proposals.0.scores);
    std::mem::swap(&mut batch.propensities, &mut proposals.0.propensities);
    popularity
        .0
        .refresh(&surroundings.catalogue, surroundings.start + i64::from(clock.tick) * surroundings.tick_seconds);
    let (slate, width) = (surroundings.slate, model.0.model().memory().read);
    let scenes = &mut scenes.0;
    scenes.reset(visits.users.len(), slate, width);
    scenes.items.copy_from_slice(&batch.items);
    let memories: Vec<&[f32]> =
        interests.iter_many(&visits.entities).flatten().map(|interest| &interest.0[..width]).collect();
    if width > 0 {
        let rows = scenes.memory.par_chunks_exact_mut(width).with_min_len(ROWS_PER_TASK);
        rows.zip(&memories).for_each(|(row, memory)| row.copy_from_slice(memory));
    }
    let rows = scenes.context.par_chunks_exact_mut(CONTEXT * slate).with_min_len(ROWS_PER_TASK);
    rows.zip(scenes.items.par_chunks_exact(slate)).for_each(|(context, items)| {
        for (target, &item) in context.chunks_exact_mut(CONTEXT).zip(items) {
            if item.is_some() {
                target.copy_from_slice(popularity.0.context(item));
            }
        }
    });
}

/// Takes out the visitors for whom the policy has nothing at all: they are shown nothing, and nothing is recorded.
fn drop_empty(slate: usize, visits: &mut Visits, proposals: &mut Slates, blocked: &mut Vec<u64>) {
    let served = |slots: &[ItemId]| slots.iter().any(|item| item.is_some());
    if proposals.items.len() != visits.users.len() * slate || proposals.items.chunks_exact(slate).all(served) {
        return;
    }
    let words = blocked.len() / visits.users.len().max(1);
    let mut kept = 0;
    for row in 0..visits.users.len() {
        if !served(&proposals.items[row * slate..(row + 1) * slate]) {
            continue;
        }
        visits.users[kept] = visits.users[row];
        visits.entities[kept] = visits.entities[row];
        proposals.items.copy_within(row * slate..(row + 1) * slate, kept * slate);
        proposals.scores.copy_within(row * slate..(row + 1) * slate, kept * slate);
        proposals.propensities.copy_within(row * slate..(row + 1) * slate, kept * slate);
        blocked.copy_within(row * words..(row + 1) * words, kept * words);
        kept += 1;
    }
    visits.users.truncate(kept);
    visits.entities.truncate(kept);
    proposals.items.truncate(kept * slate);
    proposals.scores.truncate(kept * slate);
    proposals.propensities.truncate(kept * slate);
    blocked.truncate(kept * words);
}

/// Checks slates against the contract of a policy.
struct Checker<'a> {
    items: usize,
    slate: usize,
    blocked: &'a [u64],
}

impl Checker<'_> {
    /// The number of slates that are shorter than they had to be, or the first broken row.
    fn check(&self, rows: usize, items: &[ItemId]) -> Result<u64, (usize, String)> {
        if items.len() != rows * self.slate {
            return Err((0, format!("{} slots for {rows} slates of {}", items.len(), self.slate)));
        }
        let slates = items.par_chunks_exact(self.slate).enumerate().with_min_len(ROWS_PER_TASK);
        let outcomes = slates.map(|(row, slate)| self.check_row(row, slate).map_err(|problem| (row, problem)));
        outcomes.try_reduce(|| 0, |a, b| Ok(a + b)).map_err(|first| self.first_broken(items).unwrap_or(first))
    }

    /// Which error a parallel search meets first is chance; the message must not be.
    fn first_broken(&self, items: &[ItemId]) -> Option<(usize, String)> {
        let mut rows = items.chunks_exact(self.slate).enumerate();
        rows.find_map(|(row, slate)| self.check_row(row, slate).err().map(|problem| (row, problem)))
    }

    fn check_row(&self, row: usize, slate: &[ItemId]) -> Result<u64, String> {
        let words = self.items.div_ceil(64);
        let blocked = &self.blocked[row * words..(row + 1) * words];
        let filled = slate.iter().take_while(|item| item.is_some()).count();
        for (slot, item) in slate.iter().enumerate() {
            if slot >= filled {
                if item.is_some() {
                    return Err(format!("slot {slot} is filled behind an empty slot"));
                }
                continue;
            }
            if item.index() >= self.items {
                return Err(format!("slot {slot} shows item {}, the catalogue has {} items", item.0, self.items));
            }
            if blocked[item.index() / 64] >> (item.index() % 64) & 1 == 1 {
                return Err(format!("slot {slot} shows item {}, which is not a candidate for this user", item.0));
            }
            if slate[..slot].contains(item) {
                return Err(format!("slot {slot} shows item {} for the second time", item.0));
            }
        }
        if filled == self.slate {
            return Ok(0);
        }
        let left = words * 64 - blocked.iter().map(|word| word.count_ones() as usize).sum::<usize>();
        Ok(u64::from(left > filled))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(slate: &[u32], blocked: u64) -> Result<u64, (usize, String)> {
        let blocked = [blocked | !0 << 10];
        let items: Vec<ItemId> = slate.iter().map(|&item| ItemId(item)).collect();
        Checker { items: 10, slate: slate.len(), blocked: &blocked }.check(1, &items)
    }

    #[test]
    fn contract_of_a_slate() {
        const NONE: u32 = u32::MAX;
        assert_eq!(check(&[3, 4, 5], 0), Ok(0));
        assert_eq!(check(&[3, NONE, NONE], 0), Ok(1), "two candidates more were left");
        assert_eq!(check(&[3, NONE, NONE], 0b11_1111_0111), Ok(0), "item 3 is the only candidate");
        assert!(check(&[3, 4, 3], 0).unwrap_err().1.contains("second time"));
        assert!(check(&[3, 4, 10], 0).unwrap_err().1.contains("the catalogue has 10 items"));
        assert!(check(&[3, 4], 1 << 4).unwrap_err().1.contains("not a candidate"));
        assert!(check(&[NONE, 4], 0).unwrap_err().1.contains("behind an empty slot"));
    }
}
