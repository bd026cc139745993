//! Recommend: the policy proposes one slate for each visitor.

use crate::policy::Requests;
use crate::world::{Candidates, Clock, PolicySlot, Proposals, Surroundings, Visits};
use bevy_ecs::prelude::{Res, ResMut};

pub(super) fn recommend(
    clock: Res<Clock>,
    surroundings: Res<Surroundings>,
    visits: Res<Visits>,
    candidates: Res<Candidates>,
    mut policy: ResMut<PolicySlot>,
    mut proposals: ResMut<Proposals>,
) {
    let requests = Requests {
        tick: clock.tick,
        slate: surroundings.slate,
        items: surroundings.catalogue.len(),
        users: &visits.users,
        blocked: &candidates.0,
        streams: clock.streams,
    };
    policy.0.recommend(&requests, &mut proposals.0);
}
