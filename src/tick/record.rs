//! Record: the events of the tick are handed over.

use super::TickError;
use crate::log::DecisionBatch;
use crate::world::{Choices, Clock, Events, Fault, Recorder};
use bevy_ecs::prelude::{Res, ResMut};

pub(super) fn record(
    clock: Res<Clock>,
    events: Res<Events>,
    choices: Res<Choices>,
    mut recorder: ResMut<Recorder>,
    mut fault: ResMut<Fault>,
) {
    let decisions = choices.0.decisions();
    let mut written = recorder.0.write(&events.0);
    if !decisions.is_empty() && written.is_ok() {
        written = recorder.0.decide(&DecisionBatch { tick: clock.tick, users: &events.0.users, decisions });
    }
    if let Err(source) = written {
        fault.0 = Some(TickError::Log { tick: clock.tick, source });
    }
}
