//! Record: the events of the tick are handed over.

use super::TickError;
use crate::world::{Clock, Events, Fault, Recorder};
use bevy_ecs::prelude::{Res, ResMut};

pub(super) fn record(clock: Res<Clock>, events: Res<Events>, mut recorder: ResMut<Recorder>, mut fault: ResMut<Fault>) {
    if let Err(source) = recorder.0.write(&events.0) {
        fault.0 = Some(TickError::Log { tick: clock.tick, source });
    }
}
