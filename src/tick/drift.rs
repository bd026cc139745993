//! Drift: what was shown draws tastes towards itself; a part of the stage in which users evolve.

use crate::ids::ItemId;
use crate::user::{UserError, UserModel};

/// A visitor's memory, and what draws it.
pub(super) struct Drawn<'w> {
    /// The visitor's place.
    pub row: usize,
    /// The whole memory.
    pub memory: &'w mut [f32],
    /// Items with their rates, one a dynamic.
    pub pulls: Vec<(ItemId, f32)>,
}

/// Draws all memories, first by each one's first pull, then by each one's second, and so on.
pub(super) fn drift(model: &dyn UserModel, mut drawn: Vec<Drawn<'_>>) -> Result<(), UserError> {
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
