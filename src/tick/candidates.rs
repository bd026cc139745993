//! Candidates: which items each visitor may be shown.

use crate::world::{Candidates, Clock, Forces, Seen, Surroundings, Visits};
use bevy_ecs::prelude::{Query, Res, ResMut};
use rayon::prelude::*;

/// Rows that one parallel task copies.
const ROWS_PER_TASK: usize = 256;

pub(super) fn candidates(
    clock: Res<Clock>,
    mut forces: ResMut<Forces>,
    surroundings: Res<Surroundings>,
    visits: Res<Visits>,
    mut candidates: ResMut<Candidates>,
    users: Query<&Seen>,
) {
    let items = surroundings.catalogue.len();
    let words = items.div_ceil(64);
    let blocked = &mut candidates.0;
    // Time passes for the catalogue whether somebody comes or not.
    let withheld = if forces.0.is_empty() { &[] } else { forces.0.supply(clock.tick) };
    blocked.resize(visits.users.len() * words, 0);
    if words == 0 {
        return;
    }
    if surroundings.unseen {
        let tasks = blocked.par_chunks_mut(words * ROWS_PER_TASK).zip(visits.entities.par_chunks(ROWS_PER_TASK));
        tasks.for_each(|(blocked, visitors)| {
            // Users are never despawned, so every visitor is found.
            for (row, seen) in blocked.chunks_exact_mut(words).zip(users.iter_many(visitors).flatten()) {
                row.copy_from_slice(&seen.0);
            }
        });
    } else {
        blocked.fill(0);
    }
    if withheld.iter().any(|&word| word != 0) {
        let rows = blocked.chunks_exact_mut(words);
        rows.for_each(|row| row.iter_mut().zip(withheld).for_each(|(word, withheld)| *word |= withheld));
    }
    // The bits behind the last item are no items.
    if !items.is_multiple_of(64) {
        let beyond = !0u64 << (items % 64);
        blocked.iter_mut().skip(words - 1).step_by(words).for_each(|word| *word |= beyond);
    }
}
