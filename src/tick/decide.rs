//! Decide: the user model gives the response probabilities of all scenes.

use super::TickError;
use crate::world::{Choices, Clock, Events, Fault, Model, Scenes};
use bevy_ecs::prelude::{Res, ResMut};
use rayon::prelude::*;

/// Rows that one parallel task copies.
const ROWS_PER_TASK: usize = 512;

pub(super) fn decide(
    clock: Res<Clock>,
    model: Res<Model>,
    scenes: Res<Scenes>,
    mut choices: ResMut<Choices>,
    mut events: ResMut<Events>,
    mut fault: ResMut<Fault>,
) {
    if let Err(source) = model.0.probabilities(&scenes.0, &mut choices.0) {
        fault.0 = Some(TickError::User { tick: clock.tick, source });
        return;
    }
    let slate = scenes.0.slate;
    let probabilities = &mut events.0.probabilities;
    probabilities.resize(scenes.0.len() * slate, 0.0);
    let rows = probabilities.par_chunks_exact_mut(slate).with_min_len(ROWS_PER_TASK).enumerate();
    rows.for_each(|(row, target)| target.copy_from_slice(&choices.0.choice(row)[..slate]));
}
