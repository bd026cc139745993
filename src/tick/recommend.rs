//! Recommend: the policy proposes one slate for each visitor.

use super::TickError;
use crate::policy::{PolicyFailure, Requests};
use crate::world::{Candidates, Clock, Fault, PolicySlot, Proposals, Surroundings, Visits};
use bevy_ecs::prelude::{Res, ResMut};

pub(super) fn recommend(
    clock: Res<Clock>,
    surroundings: Res<Surroundings>,
    visits: Res<Visits>,
    candidates: Res<Candidates>,
    mut policy: ResMut<PolicySlot>,
    mut proposals: ResMut<Proposals>,
    mut fault: ResMut<Fault>,
) {
    let requests = Requests {
        tick: clock.tick,
        slate: surroundings.slate,
        items: surroundings.catalogue.len(),
        users: &visits.users,
        blocked: &candidates.0,
        streams: clock.streams,
    };
    proposals.0.failure = None;
    policy.0.recommend(&requests, &mut proposals.0);
    if let Some(PolicyFailure { user, problem }) = proposals.0.failure.take() {
        let (policy, user) = (surroundings.policy.clone(), user.map(|user| user.0));
        fault.0 = Some(TickError::Policy { policy, tick: clock.tick, user, problem });
    }
}
