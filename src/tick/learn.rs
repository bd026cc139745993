//! Learn: the policy sees what its users did.

use crate::world::{Events, PolicySlot};
use bevy_ecs::prelude::{Res, ResMut};

pub(super) fn learn(events: Res<Events>, mut policy: ResMut<PolicySlot>) {
    policy.0.observe(&events.0);
}
