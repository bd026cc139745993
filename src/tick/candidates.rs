//! Candidates: which items each visitor may be shown.

use crate::world::{Candidates, Seen, Surroundings, Visits};
use bevy_ecs::prelude::{Query, Res, ResMut};
use rayon::prelude::*;

/// Rows that one parallel task copies.
const ROWS_PER_TASK: usize = 256;

pub(super) fn candidates(
    surroundings: Res<Surroundings>,
    visits: Res<Visits>,
    mut candidates: ResMut<Candidates>,
    users: Query<&Seen>,
) {
    let items = surroundings.catalogue.len();
    let words = items.div_ceil(64);
    let blocked = &mut candidates.0;
    blocked.resize(visits.users.len() * words, 0);
    if words == 0 {
        return;
    }
    if surroundings.unseen {
        let seen: Vec<&[u64]> = users.iter_many(&visits.entities).flatten().map(|seen| &*seen.0).collect();
        let tasks = blocked.par_chunks_mut(words * ROWS_PER_TASK).zip(seen.par_chunks(ROWS_PER_TASK));
        tasks.for_each(|(blocked, seen)| {
            for (row, seen) in blocked.chunks_exact_mut(words).zip(seen) {
                row.copy_from_slice(seen);
            }
        });
    } else {
        blocked.fill(0);
    }
    // The bits behind the last item are no items.
    if !items.is_multiple_of(64) {
        let beyond = !0u64 << (items % 64);
        blocked.iter_mut().skip(words - 1).step_by(words).for_each(|word| *word |= beyond);
    }
}
