//! Expose: checked slates become scenes.

use super::TickError;
use super::{
    Candidates, Clock, Events, Fault, Interest, Model, Popularity, Proposals, Scenes, Seen, ShortSlates, Surroundings,
    Visits,
};
use crate::ids::ItemId;
use crate::log::EventBatch;
use crate::policy::{Request, Requests, Slates};
use crate::random::Purpose;
use crate::scene::{CONTEXT, PopularityClock, SceneBatch, SceneDraws};
use bevy_ecs::entity::Entity;
use bevy_ecs::prelude::{Query, Res, ResMut};
use rayon::prelude::*;

/// Rows that one parallel task handles.
const ROWS_PER_TASK: usize = 128;

#[expect(clippy::too_many_arguments, reason = "each argument is one resource that the stage reads or writes")]
pub(super) fn expose(
    clock: Res<Clock>,
    surroundings: Res<Surroundings>,
    visits: Res<Visits>,
    candidates: Res<Candidates>,
    seen: Res<Seen>,
    model: Res<Model>,
    mut proposals: ResMut<Proposals>,
    mut popularity: ResMut<Popularity>,
    mut scenes: ResMut<Scenes>,
    mut events: ResMut<Events>,
    mut short: ResMut<ShortSlates>,
    mut fault: ResMut<Fault>,
    interests: Query<&'static Interest>,
) {
    // A policy that writes its slates itself may know nothing of scores and propensities.
    let Slates { items, scores, propensities, .. } = &mut proposals.0;
    [scores, propensities].into_iter().for_each(|numbers| numbers.resize(items.len(), f32::NAN));
    let time = surroundings.time(clock.tick);
    popularity.0.refresh(&surroundings.catalogue, time);
    let (slate, width) = (surroundings.slate, model.0.model().memory().read);
    let requests = Requests {
        tick: clock.tick,
        slate,
        items: surroundings.catalogue.len(),
        users: &visits.users,
        blocked: candidates.blocked(&seen, &surroundings),
        streams: clock.streams,
        oracle_access: None,
    };
    let exposure =
        Exposure { checker: Checker { requests }, popularity: &popularity.0, visitors: &visits.entities, interests };
    scenes.0.reset(visits.users.len(), slate, width);
    let gathered = exposure.gather(&proposals.0.items, &mut scenes.0);
    match gathered.and_then(|found| check_numbers(&proposals.0, slate).map(|()| found)) {
        Ok(found) => *short += found,
        Err((row, problem)) => {
            let (policy, user) = (surroundings.policy.clone(), visits.users.get(row).map(|user| user.0));
            fault.0 = Some(TickError::Policy { policy, tick: clock.tick, user, problem });
            return;
        }
    }
    scenes.0.set_time(time);
    scenes.0.users.clone_from(&visits.users);
    scenes.0.draws = Some(SceneDraws { streams: clock.streams, purpose: Purpose::Rationale, tick: clock.tick });
    hand_over(&clock, slate, &visits, &mut proposals.0, &mut events.0);
}

/// Hands the slates over to the events of the tick.
fn hand_over(clock: &Clock, slate: usize, visits: &Visits, proposals: &mut Slates, batch: &mut EventBatch) {
    batch.tick = clock.tick;
    batch.slate = slate;
    batch.users.clone_from(&visits.users);
    std::mem::swap(&mut batch.items, &mut proposals.items);
    std::mem::swap(&mut batch.scores, &mut proposals.scores);
    std::mem::swap(&mut batch.propensities, &mut proposals.propensities);
}

/// The buffers that turn checked slates into scenes.
struct Exposure<'a, 'w, 's> {
    checker: Checker<'a>,
    popularity: &'a PopularityClock,
    visitors: &'a [Entity],
    interests: Query<'w, 's, &'static Interest>,
}

impl Exposure<'_, '_, '_> {
    /// Checks all slates and fills `scenes`, in one pass over the rows; returns the numbers of short slates, or the
    /// first broken row.
    fn gather(&self, items: &[ItemId], scenes: &mut SceneBatch) -> Result<ShortSlates, (usize, String)> {
        let (slate, width) = (self.checker.requests.slate, scenes.width);
        self.checker.check_size(self.visitors.len(), items)?;
        // A model without memory has rows of no width, which cannot be cut into chunks.
        let mut none = Vec::new();
        let (memory, step) = match width {
            0 => {
                none.resize(self.visitors.len(), 0.0);
                (&mut none, 1)
            }
            _ => (&mut scenes.memory, width),
        };
        let tasks = scenes.items.par_chunks_mut(slate * ROWS_PER_TASK);
        let tasks = tasks.zip(scenes.context.par_chunks_mut(slate * CONTEXT * ROWS_PER_TASK));
        let tasks = tasks.zip(memory.par_chunks_mut(step * ROWS_PER_TASK)).enumerate();
        let outcome = tasks.map(|(task, ((shown, context), memory))| {
            let first = task * ROWS_PER_TASK;
            let proposed = &items[first * slate..first * slate + shown.len()];
            let mut short = ShortSlates::default();
            for (row, proposed) in proposed.chunks_exact(slate).enumerate() {
                short += self.checker.check_row(first + row, proposed).map_err(|problem| (first + row, problem))?;
            }
            shown.copy_from_slice(proposed);
            self.describe(shown, context);
            if width > 0 {
                self.remember(first, memory, width);
            }
            Ok(short)
        });
        outcome
            .try_reduce(ShortSlates::default, |a, b| Ok(a + b))
            .map_err(|met| self.checker.first_broken(items).unwrap_or(met))
    }

    fn describe(&self, items: &[ItemId], context: &mut [f32]) {
        for (target, &item) in context.chunks_exact_mut(CONTEXT).zip(items) {
            if item.is_some() {
                target.copy_from_slice(self.popularity.context(item));
            }
        }
    }

    fn remember(&self, first: usize, memory: &mut [f32], width: usize) {
        // Users are never despawned, so every visitor is found.
        let interests = self.interests.iter_many(&self.visitors[first..]).flatten();
        for (row, interest) in memory.chunks_exact_mut(width).zip(interests) {
            row.copy_from_slice(&interest.0[..width]);
        }
    }
}

/// Refuses infinite propensities, and scores of minus infinity. Plus infinity is the score of an item that must be
/// tried; NaN means unknown to the policy.
fn check_numbers(slates: &Slates, slate: usize) -> Result<(), (usize, String)> {
    let bad_score = slates.scores.iter().position(|&score| score == f32::NEG_INFINITY);
    let bad_propensity = slates.propensities.iter().position(|propensity| propensity.is_infinite());
    for (what, numbers, bad) in
        [("score", &slates.scores, bad_score), ("propensity", &slates.propensities, bad_propensity)]
    {
        if let Some(place) = bad {
            return Err((place / slate, format!("the {what} in slot {} is {}", place % slate, numbers[place])));
        }
    }
    Ok(())
}

/// Checks slates against the contract of a policy.
struct Checker<'a> {
    requests: Requests<'a>,
}

impl Checker<'_> {
    fn check_size(&self, rows: usize, items: &[ItemId]) -> Result<(), (usize, String)> {
        let slate = self.requests.slate;
        if items.len() == rows * slate {
            return Ok(());
        }
        Err((0, format!("{} slots for {rows} slates of {}", items.len(), slate)))
    }

    /// The first broken row: a parallel search finds an arbitrary one, but the message must not depend on that.
    fn first_broken(&self, items: &[ItemId]) -> Option<(usize, String)> {
        let mut rows = items.chunks_exact(self.requests.slate).enumerate();
        rows.find_map(|(row, slate)| self.check_row(row, slate).err().map(|problem| (row, problem)))
    }

    /// The kind of short slate, if it is one; or the defect.
    fn check_row(&self, row: usize, slate: &[ItemId]) -> Result<ShortSlates, String> {
        let request = self.requests.get(row);
        let filled = slate.iter().take_while(|item| item.is_some()).count();
        // Bit `i % 64` is set for each item `i` above: most items need no search for a repeat.
        let mut above = 0u64;
        for (slot, &item) in slate[..filled].iter().enumerate() {
            let bit = 1 << (item.0 % 64);
            let is_new = above & bit == 0 || !slate[..slot].contains(&item);
            if item.index() >= request.items || !request.allows(item) || !is_new {
                return Err(defect(&request, slot, item));
            }
            above |= bit;
        }
        if filled == request.slate {
            return Ok(ShortSlates::default());
        }
        if let Some(place) = slate[filled..].iter().position(|item| item.is_some()) {
            return Err(format!("slot {} is filled behind an empty slot", filled + place));
        }
        let left = request.candidate_count();
        Ok(ShortSlates { short: 1, exhausted: u64::from(left <= filled), empty: u64::from(filled == 0) })
    }
}

/// What is wrong with an item.
fn defect(request: &Request<'_>, slot: usize, item: ItemId) -> String {
    let id = item.0;
    if item.index() >= request.items {
        format!("slot {slot} shows item {id}, the catalogue has {} items", request.items)
    } else if !request.allows(item) {
        format!("slot {slot} shows item {id}, which is not a candidate for this user")
    } else {
        format!("slot {slot} shows item {id} for the second time")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::UserId;
    use crate::policy::Blocked;
    use crate::random::Streams;

    fn check(slate: &[u32], blocked: u64) -> Result<ShortSlates, String> {
        let (blocked, users) = ([blocked], [UserId(0)]);
        let items: Vec<ItemId> = slate.iter().map(|&item| ItemId(item)).collect();
        let (blocked, streams) = (Blocked::rows(&blocked, 10), Streams::new(1, 0));
        let (tick, slate) = (0, slate.len());
        let requests = Requests { tick, slate, items: 10, users: &users, blocked, streams, oracle_access: None };
        Checker { requests }.check_row(0, &items)
    }

    #[test]
    fn propensities_are_finite_or_unknown_and_scores_not_below_all_numbers() {
        let check = |scores: &[f32], propensities: &[f32]| {
            let (scores, propensities) = (scores.to_vec(), propensities.to_vec());
            check_numbers(&Slates { scores, propensities, ..Slates::default() }, 2)
        };
        let fine = [0.5, f32::NAN, 1.0, 0.0];
        assert_eq!(check(&fine, &fine), Ok(()));
        let with = |last: f32| [0.5, 0.5, 0.5, last];
        for broken in [f32::INFINITY, f32::NEG_INFINITY] {
            assert_eq!(check(&fine, &with(broken)), Err((1, format!("the propensity in slot 1 is {broken}"))));
        }
        assert_eq!(check(&with(f32::NEG_INFINITY), &fine), Err((1, "the score in slot 1 is -inf".to_owned())));
        assert_eq!(check(&with(f32::INFINITY), &fine), Ok(()), "an item that must be tried");
    }

    #[test]
    fn contract_of_a_slate() {
        const NONE: u32 = u32::MAX;
        let short = |short, exhausted, empty| Ok(ShortSlates { short, exhausted, empty });
        assert_eq!(check(&[3, 4, 5], 0), short(0, 0, 0));
        assert_eq!(check(&[3, NONE, NONE], 0), short(1, 0, 0), "two candidates more were left");
        assert_eq!(check(&[3, NONE, NONE], 0b11_1111_0111), short(1, 1, 0), "item 3 is the only candidate");
        assert_eq!(check(&[NONE, NONE, NONE], 0), short(1, 0, 1), "the policy skips the user");
        assert_eq!(check(&[NONE, NONE, NONE], 0b11_1111_1111), short(1, 1, 1), "there is nothing to show");
        assert!(check(&[3, 4, 3], 0).unwrap_err().contains("second time"));
        assert!(check(&[3, 4, 10], 0).unwrap_err().contains("the catalogue has 10 items"));
        assert!(check(&[3, 4], 1 << 4).unwrap_err().contains("not a candidate"));
        assert!(check(&[NONE, 4], 0).unwrap_err().contains("behind an empty slot"));
    }
}
