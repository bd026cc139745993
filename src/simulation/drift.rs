//! Drift: exposure moves tastes.
//!
//! The catalogue's dynamics see the events of the tick, too. The second
//! part of the stage in which users evolve; without dynamics there is nothing to do.

use super::FirstFault;
use super::TickError;
use super::evolve::step;
use super::{Engagement, Events, Fault, Forces, Interest, Model, User, Visits};
use crate::ids::ItemId;
use crate::user::{UserError, UserModel};
use bevy_ecs::prelude::{Query, Res, ResMut};

pub(super) fn drift(
    model: Res<Model>,
    visits: Res<Visits>,
    events: Res<Events>,
    mut forces: ResMut<Forces>,
    mut fault: ResMut<Fault>,
    mut users: Query<(&User, &Engagement, &mut Interest)>,
) {
    if forces.0.is_empty() || fault.0.is_some() {
        return;
    }
    if forces.0.pulls() {
        let (mut drawn, mut problem) = (Vec::with_capacity(visits.users.len()), FirstFault::default());
        for (user, engagement, interest) in users.iter_mut() {
            let Ok(row) = visits.users.binary_search(&user.id) else { continue };
            let pulls = forces.0.pull(&step(&events, row, engagement.slates)).unwrap_or_else(|source| {
                problem.keep(events.0.tick, source);
                Vec::new()
            });
            let pulls = pulls.into_iter().map(|pull| (pull.item, pull.rate)).collect();
            drawn.push(Drawn { row, memory: &mut interest.into_inner().0, pulls });
        }
        problem.report(&mut fault.0);
        if let Err(source) = draw(model.0.model(), drawn) {
            fault.0 = Some(TickError::User { tick: events.0.tick, source });
            return;
        }
    }
    forces.0.observe(&events.0);
}

/// A visitor's memory, and the pulls on it.
struct Drawn<'w> {
    /// The visitor's place.
    row: usize,
    /// The complete memory.
    memory: &'w mut [f32],
    /// Items with their rates, one a dynamic.
    pulls: Vec<(ItemId, f32)>,
}

/// Draws all memories, first by each one's first pull, then by each one's second, and so on.
fn draw(model: &dyn UserModel, mut drawn: Vec<Drawn<'_>>) -> Result<(), UserError> {
    // The order of a query is the ECS's own business.
    drawn.sort_by_key(|entry| entry.row);
    let rounds = drawn.iter().map(|entry| entry.pulls.len()).max().unwrap_or(0);
    for round in 0..rounds {
        let (mut memories, mut pulls) = (Vec::with_capacity(drawn.len()), Vec::with_capacity(drawn.len()));
        for Drawn { memory, pulls: own, .. } in &mut drawn {
            if let Some(&pull) = own.get(round) {
                memories.push(&mut **memory);
                pulls.push(pull);
            }
        }
        model.drift(&mut memories, &pulls)?;
    }
    Ok(())
}
