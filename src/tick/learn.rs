//! Learn: the policy sees what its users did.

use crate::world::{Events, Lessons, PolicySlot};
use bevy_ecs::prelude::{Res, ResMut};

#[expect(clippy::disallowed_methods, reason = "the seconds of training are reported and never enter a result")]
pub(super) fn learn(events: Res<Events>, mut policy: ResMut<PolicySlot>, mut lessons: ResMut<Lessons>) {
    let started = std::time::Instant::now();
    policy.0.observe(&events.0);
    let seconds = started.elapsed().as_secs_f64();
    let training = &mut lessons.0;
    training.during += seconds;
    if seconds > training.longest {
        (training.longest, training.longest_tick) = (seconds, events.0.tick);
    }
}
