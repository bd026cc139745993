//! Utilities of lists that were shown to real users.
//!
//! Computed for the memory with which each user starts.

use super::prepare::{Experiment, ExperimentError};
use crate::dataset::Impression;
use crate::ids::ItemId;
use crate::scene::{CONTEXT, PopularityClock, SceneBatch};
use crate::simulation::StartingPoint;
use crate::user::{Probabilities, ResponseRule, UserError, UserModel, utilities};

/// Lists in one call of the user model.
const BATCH: usize = 512;

/// The utilities of each list: its items, and last "reject all", before temperature and level. Memories and popularity
/// are those of the start.
///
/// # Errors
/// When the model fails or returns a number that is not finite.
pub fn shown_utilities(
    model: &dyn UserModel,
    rule: &ResponseRule,
    start: &StartingPoint,
    lists: &[Impression<'_>],
) -> Result<Vec<Vec<f32>>, UserError> {
    let mut popularity = PopularityClock::new(&start.log.item_counts(), 1.0);
    popularity.refresh(&start.catalogue, start.log.end());
    let mut order: Vec<usize> = (0..lists.len()).collect();
    // Lists of similar length go together, because shorter ones are padded with empty slots.
    order.sort_by_key(|&place| (lists[place].items.len(), place));
    let mut found = vec![Vec::new(); lists.len()];
    for places in order.chunks(BATCH) {
        let batch: Vec<Impression<'_>> = places.iter().map(|&place| lists[place]).collect();
        let scenes = scenes_of(model, start, &popularity, &batch);
        let width = scenes.slate + 1;
        let logits = utilities(model, rule, &scenes)?;
        for ((&place, list), row) in places.iter().zip(&batch).zip(logits.chunks_exact(width)) {
            found[place].extend_from_slice(&row[..list.items.len()]);
            found[place].push(row[width - 1]);
        }
    }
    Ok(found)
}

/// Responses of users to lists at the start: calls `each` with the index of a list, the response probabilities of its
/// batch, and its row there. A list may be as long as the scenario's slate or shorter.
///
/// # Errors
/// When the model fails or returns a number that is not finite.
pub fn first_responses(
    experiment: &Experiment,
    lists: &[Impression<'_>],
    mut each: impl FnMut(usize, &Probabilities, usize),
) -> Result<(), ExperimentError> {
    let (model, start) = (experiment.model(), experiment.start());
    let mut popularity = PopularityClock::new(&start.log.item_counts(), 1.0);
    popularity.refresh(&start.catalogue, start.log.end());
    let mut found = Probabilities::default();
    for (batch, lists) in lists.chunks(BATCH).enumerate() {
        let scenes = scenes_of(model.model(), start, &popularity, lists);
        model.probabilities(&scenes, &mut found)?;
        (0..lists.len()).for_each(|row| each(batch * BATCH + row, &found, row));
    }
    Ok(())
}

/// The probability that each user accepts something of the list at the start.
///
/// # Errors
/// As [`first_responses`].
pub fn first_acceptance(experiment: &Experiment, lists: &[Impression<'_>]) -> Result<Vec<f64>, ExperimentError> {
    let mut chances = vec![f64::NAN; lists.len()];
    first_responses(experiment, lists, |place, found, row| {
        chances[place] = 1.0 - found.choice(row).last().copied().map_or(1.0, f64::from);
    })?;
    Ok(chances)
}

fn scenes_of(
    model: &dyn UserModel,
    start: &StartingPoint,
    popularity: &PopularityClock,
    lists: &[Impression<'_>],
) -> SceneBatch {
    let read = model.memory().read;
    let slate = lists.iter().map(|list| list.items.len()).max().unwrap_or(0);
    let mut scenes = SceneBatch::default();
    scenes.reset(lists.len(), slate, read);
    scenes.set_time(start.log.end());
    scenes.users.extend(lists.iter().map(|list| list.user.simulated()));
    for (row, list) in lists.iter().enumerate() {
        scenes.memory[row * read..(row + 1) * read].copy_from_slice(&start.memory_of(list.user)[..read]);
        for slot in 0..slate {
            let (place, item) = (row * slate + slot, list.items.get(slot).copied().unwrap_or(ItemId::NONE));
            scenes.items[place] = item;
            if item.is_some() {
                scenes.context[place * CONTEXT..(place + 1) * CONTEXT].copy_from_slice(popularity.context(item));
            }
        }
    }
    scenes
}
