//! Decide: the user model gives the response probabilities of all scenes.

use super::TickError;
use crate::world::{Choices, Clock, Fault, Model, Scenes};
use bevy_ecs::prelude::{Res, ResMut};

pub(super) fn decide(
    clock: Res<Clock>,
    model: Res<Model>,
    scenes: Res<Scenes>,
    mut choices: ResMut<Choices>,
    mut fault: ResMut<Fault>,
) {
    if let Err(source) = model.0.probabilities(&scenes.0, &mut choices.0) {
        fault.0 = Some(TickError::User { tick: clock.tick, source });
    }
}
