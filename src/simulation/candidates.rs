//! Candidates: the items that can be shown at a step.
//!
//! Candidates: which items can be shown at all; what each user has had is [`Seen`](crate::simulation::Seen)'s.

use super::{Candidates, Clock, Forces};
use bevy_ecs::prelude::{Res, ResMut};

pub(super) fn candidates(clock: Res<Clock>, mut forces: ResMut<Forces>, mut candidates: ResMut<Candidates>) {
    candidates.withheld.clear();
    // Time passes for the catalogue even if no user comes.
    if !forces.0.is_empty() {
        candidates.withheld.extend_from_slice(forces.0.supply(clock.tick));
    }
}
