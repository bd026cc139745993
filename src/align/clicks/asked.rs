//! Held-out lists, as a user model sees them.
//!
//! Each user's memory before the list, and the model's answer to it.

use crate::dataset::{Catalogue, Dataset, Impression, Interaction, LearningSplit, TrainingLog};
use crate::ids::{ItemId, LogUserId};
use crate::random::{Purpose, Streams, below};
use crate::scene::{CONTEXT, LogClock, SceneBatch};
use crate::user::{Responses, UserError, UserModel, memories_after};

/// The most slots in a batch of scenes.
const SLOTS: usize = 32_768;
/// Id of the stream that draws the lists.
const PICK: u64 = 2 << 40;

/// A sample of the held-out lists.
pub(super) struct HeldOutLists<'a> {
    pub(super) lists: Vec<Impression<'a>>,
    /// `[lists]`: the earlier interactions of each user.
    histories: Vec<Vec<Interaction>>,
    clock: LogClock,
    catalogue: Catalogue,
}

impl<'a> HeldOutLists<'a> {
    /// Draws at most `count` of the lists that `split` holds out.
    pub(super) fn new(data: &'a Dataset, split: &LearningSplit, count: usize, seed: u64) -> HeldOutLists<'a> {
        let mut places = split.held_out.clone();
        let mut rng = Streams::new(seed, 0).derive(Purpose::Scenes, PICK, 0);
        for place in 0..count.min(places.len()) {
            let other = place + below(&mut rng, (places.len() - place) as u32) as usize;
            places.swap(place, other);
        }
        places.truncate(count);
        places.sort_unstable();
        let whole = data.log();
        let lists: Vec<Impression<'a>> = places.iter().map(|&place| data.impressions.get(place as usize)).collect();
        let histories = lists.iter().map(|list| history(&whole, list, split.moment.is_some())).collect();
        let clock = LogClock::new(&split.log.before);
        HeldOutLists { lists, histories, clock, catalogue: Catalogue::of(data) }
    }

    /// True if the user of a list has a profile and no history.
    pub(super) fn is_new_user(&self, list: usize) -> bool {
        self.histories[list].is_empty()
    }

    /// `[lists][items + 1]`: the model's logits of the items, and last of "reject all".
    pub(super) fn logits(&self, model: &dyn UserModel) -> Result<Vec<Vec<f32>>, UserError> {
        let users: Vec<LogUserId> = self.lists.iter().map(|list| list.user).collect();
        let memories = memories_after(model, &users, &self.histories)?;
        let read = model.memory().read;
        // Lists of similar length go together, because shorter ones are padded with empty slots.
        let mut order: Vec<usize> = (0..self.lists.len()).collect();
        order.sort_by_key(|&list| (self.lists[list].items.len(), list));
        let mut found = vec![Vec::new(); self.lists.len()];
        let mut at = 0;
        while at < order.len() {
            let mut end = at + 1;
            while end < order.len() && (end + 1 - at) * self.lists[order[end]].items.len() <= SLOTS {
                end += 1;
            }
            let batch = &order[at..end];
            let scenes = self.scenes(batch, &memories, read);
            let mut out = Responses::default();
            model.respond(&scenes, &mut out)?;
            let width = scenes.slate + 1;
            for (&list, row) in batch.iter().zip(out.choice.chunks_exact(width)) {
                found[list] = row[..self.lists[list].items.len()].to_vec();
                found[list].push(row[width - 1]);
            }
            at = end;
        }
        Ok(found)
    }

    fn scenes(&self, batch: &[usize], memories: &[f32], read: usize) -> SceneBatch {
        let slate = batch.iter().map(|&list| self.lists[list].items.len()).max().unwrap_or(0);
        let mut scenes = SceneBatch::default();
        scenes.reset(batch.len(), slate, read);
        for (row, &number) in batch.iter().enumerate() {
            let list = &self.lists[number];
            scenes.memory[row * read..(row + 1) * read].copy_from_slice(&memories[number * read..(number + 1) * read]);
            scenes.times.push(list.time);
            scenes.users.push(list.user.simulated());
            for slot in 0..slate {
                let (place, item) = (row * slate + slot, list.items.get(slot).copied().unwrap_or(ItemId::NONE));
                scenes.items[place] = item;
                if item.is_some() {
                    let context = self.clock.context(&self.catalogue, item, list.time);
                    scenes.context[place * CONTEXT..(place + 1) * CONTEXT].copy_from_slice(&context);
                }
            }
        }
        scenes
    }
}

/// The user's interactions before a list; without times, all except those of the list itself.
fn history(whole: &TrainingLog, list: &Impression<'_>, is_timed: bool) -> Vec<Interaction> {
    let rows = whole.of(list.user);
    if is_timed {
        return rows[..rows.partition_point(|row| row.time < list.time)].to_vec();
    }
    let is_taken = |item: ItemId| list.items.iter().zip(list.taken).any(|(&other, &taken)| taken && other == item);
    rows.iter().filter(|row| !is_taken(row.item)).copied().collect()
}
