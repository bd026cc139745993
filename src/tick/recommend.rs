//! Recommend: the policy proposes one slate for each visitor.

use super::TickError;
use crate::dynamics::{Dynamics, Shown};
use crate::ids::ItemId;
use crate::policy::{Foresight, PolicyFailure, Requests};
use crate::scene::{CONTEXT, PopularityClock, SceneBatch};
use crate::user::{Calibrated, Probabilities, Shift};
use crate::world::{
    Candidates, Clock, Fault, Forces, Interest, Model, PolicySlot, Popularity, Proposals, Surroundings, Visits,
};
use bevy_ecs::prelude::{Query, Res, ResMut};

/// What the user model would say of items shown alone, for the policies that look ahead.
struct Sight<'w, 's, 'q, 'i> {
    tick: u32,
    model: &'q Calibrated,
    forces: &'q Dynamics,
    popularity: &'q PopularityClock,
    visits: &'q Visits,
    interests: &'q Query<'w, 's, &'i Interest>,
    time: i64,
}

impl Foresight for Sight<'_, '_, '_, '_> {
    fn acceptance(&self, row: usize, items: &[ItemId], out: &mut Vec<f32>) -> Result<(), String> {
        let width = self.model.model().memory().read;
        let interest = self.interests.get(self.visits.entities[row]).map_err(|problem| problem.to_string())?;
        let mut scenes = SceneBatch::default();
        scenes.reset(items.len(), 1, width);
        scenes.items.copy_from_slice(items);
        scenes.set_time(self.time);
        for (place, &item) in items.iter().enumerate() {
            scenes.memory[place * width..(place + 1) * width].copy_from_slice(&interest.0[..width]);
            scenes.context[place * CONTEXT..(place + 1) * CONTEXT].copy_from_slice(self.popularity.context(item));
        }
        let mut found = Probabilities::default();
        let user = self.visits.users[row];
        let shift = |place: usize, logits: &mut [f32]| {
            self.forces.shift(&Shown { tick: self.tick, user, items: &items[place..=place] }, logits);
        };
        let shift: Option<&Shift<'_>> = if self.forces.is_empty() { None } else { Some(&shift) };
        self.model.shifted(&scenes, shift, &mut found).map_err(|problem| problem.to_string())?;
        out.clear();
        out.extend((0..items.len()).map(|place| found.choice(place)[0]));
        Ok(())
    }

    fn slates(&self, slate: usize, slates: &[ItemId], out: &mut Vec<f64>) -> Result<(), String> {
        let (width, rows) = (self.model.model().memory().read, slates.len() / slate.max(1));
        let mut scenes = SceneBatch::default();
        scenes.reset(rows, slate, width);
        scenes.items.copy_from_slice(slates);
        scenes.set_time(self.time);
        for (row, &entity) in self.visits.entities.iter().enumerate().take(rows) {
            let interest = self.interests.get(entity).map_err(|problem| problem.to_string())?;
            scenes.memory[row * width..(row + 1) * width].copy_from_slice(&interest.0[..width]);
        }
        for (target, &item) in scenes.context.chunks_exact_mut(CONTEXT).zip(slates).filter(|(_, item)| item.is_some()) {
            target.copy_from_slice(self.popularity.context(item));
        }
        let mut found = Probabilities::default();
        let shift = |row: usize, logits: &mut [f32]| {
            let (user, items) = (self.visits.users[row], &slates[row * slate..(row + 1) * slate]);
            self.forces.shift(&Shown { tick: self.tick, user, items }, logits);
        };
        let shift: Option<&Shift<'_>> = if self.forces.is_empty() { None } else { Some(&shift) };
        self.model.shifted(&scenes, shift, &mut found).map_err(|problem| problem.to_string())?;
        let accepted = |row| found.choice(row)[..slate].iter().copied().map(f64::from).sum::<f64>();
        out.clear();
        out.extend((0..rows).map(accepted));
        Ok(())
    }
}

#[expect(clippy::too_many_arguments, reason = "each argument is one resource that the stage reads or writes")]
pub(super) fn recommend(
    clock: Res<Clock>,
    surroundings: Res<Surroundings>,
    visits: Res<Visits>,
    candidates: Res<Candidates>,
    model: Res<Model>,
    forces: Res<Forces>,
    interests: Query<&Interest>,
    mut popularity: ResMut<Popularity>,
    mut policy: ResMut<PolicySlot>,
    mut proposals: ResMut<Proposals>,
    mut fault: ResMut<Fault>,
) {
    // Popularity as the users will see it at this tick; otherwise it is brought up to date when slates are exposed.
    let looks_ahead = policy.0.looks_ahead();
    let time = surroundings.time(clock.tick);
    if looks_ahead {
        popularity.0.refresh(&surroundings.catalogue, time);
    }
    let (tick, model, forces, popularity) = (clock.tick, &*model.0, &forces.0, &popularity.0);
    let sight = Sight { tick, model, forces, popularity, visits: &visits, interests: &interests, time };
    let requests = Requests {
        tick: clock.tick,
        slate: surroundings.slate,
        items: surroundings.catalogue.len(),
        users: &visits.users,
        blocked: &candidates.0,
        streams: clock.streams,
        foresight: if looks_ahead { Some(&sight) } else { None },
    };
    proposals.0.failure = None;
    policy.0.recommend(&requests, &mut proposals.0);
    if let Some(PolicyFailure { user, problem }) = proposals.0.failure.take() {
        let (policy, user) = (surroundings.policy.clone(), user.map(|user| user.0));
        fault.0 = Some(TickError::Policy { policy, tick: clock.tick, user, problem });
    }
}
