//! Decide: response probabilities of all scenes.

use super::TickError;
use super::{Choices, Clock, Events, Fault, Forces, Model, Recorded, Scenes, Surroundings, Visits};
use crate::dynamics::Shown;
use crate::log::Recording;
use crate::user::{Probabilities, Shift};
use bevy_ecs::prelude::{Res, ResMut};

#[expect(clippy::too_many_arguments, reason = "each argument is one resource that the stage reads or writes")]
pub(super) fn decide(
    clock: Res<Clock>,
    surroundings: Res<Surroundings>,
    forces: Res<Forces>,
    model: Res<Model>,
    visits: Res<Visits>,
    scenes: Res<Scenes>,
    events: Res<Events>,
    mut recorded: ResMut<Recorded>,
    mut choices: ResMut<Choices>,
    mut fault: ResMut<Fault>,
) {
    if let Some(recording) = recorded.0.as_mut().filter(|recording| recording.has(clock.tick)) {
        fault.0 = recall(recording, &events, &surroundings.policy, &mut choices.0).err();
        return;
    }
    let shift = |row: usize, logits: &mut [f32]| {
        let shown = Shown { tick: clock.tick, user: visits.users[row], items: scenes.0.items_of(row) };
        forces.0.shift(&shown, logits);
    };
    let shift: Option<&Shift<'_>> = if forces.0.is_empty() { None } else { Some(&shift) };
    if let Err(source) = model.0.choices(&scenes.0, shift, &mut choices.0) {
        fault.0 = Some(TickError::User { tick: clock.tick, source });
    }
}

/// The probabilities that the same users gave the same slates before.
fn recall(
    recording: &mut Recording,
    events: &Events,
    policy: &str,
    choices: &mut Probabilities,
) -> Result<(), TickError> {
    let tick = events.0.tick;
    let (batch, decisions) = recording.tick(tick).map_err(|source| TickError::Log { tick, source })?;
    if batch.users != events.0.users || batch.items != events.0.items {
        let problem = if batch.users == events.0.users { "other slates" } else { "other visitors" };
        return Err(TickError::Recorded { policy: policy.to_owned(), tick, problem });
    }
    choices.recall(&batch, decisions);
    Ok(())
}
