//! Held-out scenes and their memories.

use crate::dataset::{Catalogue, Dataset, Interaction, TrainingLog};
use crate::ids::LogUserId;
use crate::random::{Purpose, Streams, below, shuffle};
use crate::scene::{
    CONTEXT, CoOccurrence, ListBuilder, ListKind, ListScene, ListShape, LogClock, SceneBatch, SeenInLog,
};
use crate::user::{UserError, UserModel, memories_at};

/// The least interactions before a scene.
const PREDECESSORS: usize = 3;
/// Id of the stream that picks the scenes, far from the ids of rows.
const PICK: u64 = 1 << 40;

/// A sample of held-out interactions of a data set.
pub(crate) struct HeldOut<'a> {
    catalogue: &'a Catalogue,
    whole: TrainingLog,
    /// The log before the cut.
    pub(crate) before: &'a TrainingLog,
    moments: Vec<(LogUserId, usize)>,
    near: &'a CoOccurrence,
    clock: LogClock,
    seen: SeenInLog,
    streams: Streams,
}

impl<'a> HeldOut<'a> {
    /// Picks up to `count` interactions after the cut that have at least 3 predecessors.
    pub(crate) fn new(
        data: &Dataset,
        catalogue: &'a Catalogue,
        before: &'a TrainingLog,
        near: &'a CoOccurrence,
        count: usize,
        seed: u64,
    ) -> HeldOut<'a> {
        let whole = data.log();
        let streams = Streams::new(seed, 0);
        let mut moments = Vec::new();
        for user in (0..data.users.len() as u32).map(LogUserId) {
            let first = before.of(user).len().max(PREDECESSORS);
            moments.extend((first..whole.of(user).len()).map(|position| (user, position)));
        }
        shuffle(&mut streams.derive(Purpose::Scenes, PICK, 0), &mut moments);
        moments.truncate(count);
        let seen = SeenInLog::of(&whole);
        HeldOut { catalogue, whole, before, moments, near, clock: LogClock::new(before), seen, streams }
    }

    /// Number of sampled interactions.
    pub(crate) fn len(&self) -> usize {
        self.moments.len()
    }

    /// The user of each.
    pub(crate) fn users(&self) -> impl Iterator<Item = LogUserId> + '_ {
        self.moments.iter().map(|moment| moment.0)
    }

    /// A sampled interaction, and the earlier interactions of its user.
    pub(crate) fn moment(&self, place: usize) -> (&Interaction, &[Interaction]) {
        let (user, position) = self.moments[place];
        let rows = self.whole.of(user);
        (&rows[position], &rows[..position])
    }

    /// One list for each sampled interaction.
    pub(crate) fn lists(&self, kind: ListKind, length: usize, with_real: bool) -> Vec<ListScene> {
        let builder = ListBuilder::new(self.before, self.near);
        let one = |place: usize| {
            let (real, history) = self.moment(place);
            let tag = (kind as u32) << 1 | u32::from(with_real);
            let mut rng = self.streams.derive(Purpose::Scenes, PICK + 1 + place as u64, tag);
            builder.build(&mut rng, ListShape { kind, length, with_real }, real, history, &self.seen)
        };
        (0..self.moments.len()).map(one).collect()
    }

    /// `[scenes, read]`: each user's memory just before the interaction.
    pub(crate) fn memories(&self, model: &dyn UserModel) -> Result<Vec<f32>, UserError> {
        memories_at(model, &self.whole, &self.moments)
    }

    /// `[scenes, read]`: each user's memory at the cut.
    pub(crate) fn frozen(&self, model: &dyn UserModel) -> Result<Vec<f32>, UserError> {
        let at_cut: Vec<(LogUserId, usize)> =
            self.moments.iter().map(|&(user, _)| (user, self.before.of(user).len())).collect();
        memories_at(model, &self.whole, &at_cut)
    }

    /// For each scene another scene, of another user, whose memory replaces the user's own.
    pub(crate) fn strangers(&self) -> Vec<usize> {
        let mut rng = self.streams.derive(Purpose::Scenes, PICK, 1);
        let count = self.moments.len() as u32;
        let stranger = |place: usize| {
            let start = below(&mut rng, count.max(1));
            let mut around = (0..count).map(|step| ((start + step) % count) as usize);
            around.find(|&other| self.moments[other].0 != self.moments[place].0).unwrap_or(place)
        };
        (0..self.moments.len()).map(stranger).collect()
    }

    /// The scenes of `lists` with these memories.
    pub(crate) fn scenes(&self, lists: &[ListScene], memory: Vec<f32>, width: usize) -> SceneBatch {
        let slate = lists.iter().map(|list| list.items.len()).max().unwrap_or(1).max(1);
        let mut scenes = SceneBatch::default();
        scenes.reset(lists.len(), slate, width);
        scenes.memory = memory;
        for (place, list) in lists.iter().enumerate() {
            let time = self.moment(place).0.time;
            scenes.times.push(time);
            for (slot, &item) in list.items.iter().enumerate() {
                let at = place * slate + slot;
                scenes.items[at] = item;
                let context = self.clock.context(self.catalogue, item, time);
                scenes.context[at * CONTEXT..(at + 1) * CONTEXT].copy_from_slice(&context);
            }
        }
        scenes
    }
}
