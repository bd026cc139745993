//! Decide: the user model gives the response probabilities of all scenes, shifted by the dynamics.

use super::TickError;
use crate::dynamics::Shown;
use crate::user::Shift;
use crate::world::{Choices, Clock, Fault, Forces, Model, Scenes, Visits};
use bevy_ecs::prelude::{Res, ResMut};

pub(super) fn decide(
    clock: Res<Clock>,
    forces: Res<Forces>,
    model: Res<Model>,
    visits: Res<Visits>,
    scenes: Res<Scenes>,
    mut choices: ResMut<Choices>,
    mut fault: ResMut<Fault>,
) {
    let shift = |row: usize, logits: &mut [f32]| {
        let shown = Shown { tick: clock.tick, user: visits.users[row], items: scenes.0.items_of(row) };
        forces.0.shift(&shown, logits);
    };
    let shift: Option<&Shift<'_>> = if forces.0.is_empty() { None } else { Some(&shift) };
    if let Err(source) = model.0.shifted(&scenes.0, shift, &mut choices.0) {
        fault.0 = Some(TickError::User { tick: clock.tick, source });
    }
}
