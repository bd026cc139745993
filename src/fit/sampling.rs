//! Training scenes of a log, with their lists.
//!
//! A log holds what was taken and not what was passed over, so lists are drawn: the item that was taken and negatives of
//! several kinds ([`crate::scene::ListKind`]), again in every epoch. Scenes come in chunks of neighbouring interactions of
//! one user, because the history in front of them is then computed once. All draws of a chunk come from a stream of its own.
//!
//! If a log has impressions, the lists are the shown ones ([`super::shown`]). An interaction in no list becomes a
//! comparison with drawn items: it teaches which item is taken, not whether any is.

use super::shard::{Event, Origin, Pair, Scene, Shard, Slot, Span};
use super::shown::ShownLists;
use crate::dataset::{Catalogue, Interaction, TrainingLog};
use crate::ids::{ItemId, LogUserId};
use crate::random::{Purpose, Streams, below, shuffle, unit};
use crate::scene::{ListBuilder, ListKind, ListScene, ListShape, LogClock, SeenInLog};
use rand_chacha::rand_core::Rng;
use std::collections::HashMap;
use std::ops::Range;

/// The most scenes of a chunk, and the approximate size of a shard.
pub(super) const SHARD: usize = 128;
/// The most events before a chunk: older ones have faded from all averages except the slowest.
const HISTORY: usize = 512;

/// The kinds of training list and how often each is used, in hundredths.
const KINDS: [(ListKind, u32); 6] = [
    (ListKind::Random, 20),
    (ListKind::Mixed, 15),
    (ListKind::MixedAnchored, 15),
    (ListKind::PopularityMatched, 20),
    (ListKind::HistorySimilar, 10),
    (ListKind::Single, 20),
];

/// Lengths of training lists and how often each is used, in hundredths.
const LENGTHS: [(usize, u32); 7] = [(2, 12), (3, 8), (4, 10), (5, 40), (8, 10), (10, 10), (12, 10)];

/// Shares of inputs that training hides from the network, so that it learns to do without them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Drops {
    /// Chunks whose ratings are all hidden.
    pub(super) ratings: f64,
    /// Events whose rating is hidden.
    pub(super) rating: f64,
    /// Events that leave no trace.
    pub(super) event: f64,
    /// Chunks without a profile.
    pub(super) profile: f64,
    /// Items without a vector.
    pub(super) vector: f64,
}

impl Drops {
    pub(super) const NONE: Drops = Drops { ratings: 0.0, rating: 0.0, event: 0.0, profile: 0.0, vector: 0.0 };
    pub(super) const TRAINING: Drops = Drops { ratings: 0.07, rating: 0.05, event: 0.2, profile: 0.1, vector: 0.03 };
}

/// Of what a chunk's scenes are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// Of interactions.
    Rows,
    /// Of lists that were shown.
    Lists,
}

/// Neighbouring interactions, or lists, of one user that become scenes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) user: LogUserId,
    /// Places among the user's interactions, or among the lists that the user was shown.
    pub(super) rows: Range<usize>,
    pub(super) of: Of,
}

/// Draws shards from a log.
pub(super) struct Sampler<'a> {
    /// Ratings are levels from 1 to 5.
    pub(super) log: &'a TrainingLog,
    pub(super) builder: ListBuilder<'a>,
    pub(super) seen: SeenInLog,
    pub(super) clock: LogClock,
    pub(super) catalogue: &'a Catalogue,
    /// `[users]`.
    pub(super) folds: &'a [usize],
    /// The lists that were shown; `None` where the log has none to learn from.
    pub(super) shown: Option<&'a ShownLists<'a>>,
}

/// The key of an epoch's draws.
#[derive(Clone, Copy, Debug)]
pub(super) struct Draws {
    pub(super) streams: Streams,
    pub(super) epoch: u32,
    pub(super) drops: Drops,
}

/// Chunks of the interactions that `rows` returns for each user.
pub(super) fn chunks(log: &TrainingLog, rows: impl Fn(LogUserId, usize) -> Range<usize>) -> Vec<Chunk> {
    let users = (0..log.users() as u32).map(LogUserId);
    users.flat_map(|user| pieces(user, rows(user, log.of(user).len()), Of::Rows)).collect()
}

/// Ranges of one user in chunks of similar size, of at most [`SHARD`].
pub(super) fn pieces(user: LogUserId, all: Range<usize>, of: Of) -> impl Iterator<Item = Chunk> {
    let pieces = all.len().div_ceil(SHARD).max(1);
    let cut = move |piece: usize| all.start + all.len() * piece / pieces;
    let chunks = (0..pieces).map(move |piece| Chunk { user, rows: cut(piece)..cut(piece + 1), of });
    chunks.filter(|chunk| !chunk.rows.is_empty())
}

/// Puts neighbouring chunks together until each group has about [`SHARD`] scenes.
pub(super) fn grouped(chunks: &[Chunk]) -> Vec<&[Chunk]> {
    let (mut groups, mut first, mut scenes) = (Vec::new(), 0, 0);
    for (place, chunk) in chunks.iter().enumerate() {
        if scenes > 0 && scenes + chunk.rows.len() > SHARD {
            groups.push(&chunks[first..place]);
            (first, scenes) = (place, 0);
        }
        scenes += chunk.rows.len();
    }
    if first < chunks.len() {
        groups.push(&chunks[first..]);
    }
    groups
}

/// The chunks of an epoch in random order, as many as have `scenes` scenes together.
pub(super) fn epoch(chunks: &[Chunk], draws: Draws, scenes: usize) -> Vec<Chunk> {
    let mut order: Vec<u32> = (0..chunks.len() as u32).collect();
    shuffle(&mut draws.streams.derive(Purpose::Fitting, u64::MAX, draws.epoch), &mut order);
    let mut left = scenes;
    let taken = order.into_iter().map_while(|place| {
        let chunk = &chunks[place as usize];
        (left > 0).then(|| {
            left = left.saturating_sub(chunk.rows.len());
            chunk.clone()
        })
    });
    taken.collect()
}

/// Items of a shard that have a place, by table and item.
pub(super) type Known = HashMap<(usize, usize), usize>;

impl Sampler<'_> {
    /// The shard of some chunks. Every scene and every rating has weight 1, comparisons the weight of [`ShownLists`].
    pub(super) fn shard(&self, chunks: &[Chunk], draws: Draws) -> Shard {
        let mut shard = Shard::default();
        let mut known = HashMap::new();
        for chunk in chunks {
            let id = u64::from(chunk.user.0) << 24 | chunk.rows.start as u64;
            match (chunk.of, self.shown) {
                (Of::Lists, Some(shown)) => {
                    let mut rng = draws.streams.derive(Purpose::Fitting, 1 << 60 | id, draws.epoch);
                    shown.span(self, chunk, draws.drops, &mut rng, (&mut shard, &mut known));
                }
                _ => {
                    let mut rng = draws.streams.derive(Purpose::Fitting, id, draws.epoch);
                    self.span(chunk, draws.drops, &mut rng, (&mut shard, &mut known));
                }
            }
        }
        shard
    }

    /// The place of an item in the shard, as the users of one fold see it.
    pub(super) fn pair<R: Rng>(
        (shard, known): (&mut Shard, &mut Known),
        rng: &mut R,
        drops: Drops,
        table: usize,
        item: ItemId,
    ) -> usize {
        *known.entry((table, item.index())).or_insert_with(|| {
            let has_vector = unit(rng) >= drops.vector;
            shard.pairs.push(Pair { table, item: item.index(), has_vector });
            shard.pairs.len() - 1
        })
    }

    /// Adds the events of these interactions; returns true if the profile is known.
    pub(super) fn history<'r, R: Rng>(
        &self,
        rows: impl Iterator<Item = &'r Interaction>,
        table: usize,
        drops: Drops,
        rng: &mut R,
        (shard, known): (&mut Shard, &mut Known),
    ) -> bool {
        let has_ratings = unit(rng) >= drops.ratings;
        let has_profile = unit(rng) >= drops.profile;
        for row in rows {
            let is_rated = has_ratings && unit(rng) >= drops.rating;
            let rating = encoded(if is_rated { row.rating } else { f32::NAN });
            let trace = if unit(rng) >= drops.event { 1.0 / (1.0 - drops.event as f32) } else { 0.0 };
            let pair = Sampler::pair((&mut *shard, &mut *known), rng, drops, table, row.item);
            shard.events.push(Event { pair, rating, trace });
        }
        has_profile
    }

    /// The first interaction that a state still knows, where its scenes follow the interactions `from..to`.
    pub(super) fn first_known(from: usize, to: usize) -> usize {
        to.saturating_sub(HISTORY + SHARD).min(from)
    }

    fn span<R: Rng>(&self, chunk: &Chunk, drops: Drops, rng: &mut R, (shard, known): (&mut Shard, &mut Known)) {
        let rows = self.log.of(chunk.user);
        let table = self.folds[chunk.user.index()];
        let first = Sampler::first_known(chunk.rows.start, chunk.rows.end.saturating_sub(1));
        let (events, scenes) = (shard.events.len(), shard.scenes.len());
        let before = rows[first..chunk.rows.end - 1].iter();
        let has_profile = self.history(before, table, drops, rng, (&mut *shard, &mut *known));
        for place in chunk.rows.clone() {
            let row = self.log.offsets[chunk.user.index()] + place;
            let (list, origin, weight) = match self.shown {
                None => (self.list(rng, &rows[place], &rows[..place]), Origin::Drawn, 1.0),
                Some(shown) => {
                    let weight = shown.weight_of(row);
                    (self.comparison(rng, weight, &rows[place], &rows[..place]), Origin::Contrast, weight)
                }
            };
            let from = shard.slots.len();
            for (slot, &item) in list.items.iter().enumerate() {
                let context = self.context_at(rows[place].time, item, list.real == Some(slot));
                let pair = Sampler::pair((&mut *shard, &mut *known), rng, drops, table, item);
                shard.slots.push(Slot { pair, context, look: 1.0, stands_for: 0.0 });
            }
            shard.scenes.push(Scene {
                after: events + place - first,
                slots: from..shard.slots.len(),
                taken: list.real.map_or(from..from, |slot| from + slot..from + slot + 1),
                origin,
                length: list.items.len(),
                level: rows[place].rating,
                weight,
                rating_weight: 1.0,
            });
        }
        let (events, scenes) = (events..shard.events.len(), scenes..shard.scenes.len());
        shard.spans.push(Span { user: chunk.user.index(), has_profile, events, scenes });
    }

    /// An interaction that no list shows, among drawn items; one of a list, or of no weight, alone: its rating counts.
    fn comparison<R: Rng>(&self, rng: &mut R, weight: f32, real: &Interaction, history: &[Interaction]) -> ListScene {
        if weight == 0.0 {
            return ListScene { items: vec![real.item], real: Some(0) };
        }
        let compared = KINDS.iter().map(|(kind, share)| if *kind == ListKind::Single { 0 } else { *share });
        let mut kind = KINDS[weighted(rng, compared)].0;
        if kind == ListKind::HistorySimilar && history.is_empty() {
            kind = ListKind::Random;
        }
        let length = LENGTHS[weighted(rng, LENGTHS.iter().map(|(_, weight)| *weight))].0;
        self.builder.build(rng, ListShape { kind, length, with_real: true }, real, history, &self.seen)
    }

    /// The context of an item of a list at `time`. In a log without times popularity is that of the whole log, without
    /// the interactions of the list itself.
    pub(super) fn context_at(&self, time: i64, item: ItemId, is_taken: bool) -> [f32; crate::scene::CONTEXT] {
        let own = f64::from(u8::from(is_taken && self.clock.is_timeless()));
        self.clock.context_without(self.catalogue, item, time, own)
    }

    fn list<R: Rng>(&self, rng: &mut R, real: &Interaction, history: &[Interaction]) -> ListScene {
        let mut kind = KINDS[weighted(rng, KINDS.iter().map(|(_, weight)| *weight))].0;
        if kind == ListKind::HistorySimilar && history.is_empty() {
            kind = ListKind::Random;
        }
        let single = kind == ListKind::Single;
        let length = if single { 1 } else { LENGTHS[weighted(rng, LENGTHS.iter().map(|(_, weight)| *weight))].0 };
        let with_real = unit(rng) >= if single { 0.5 } else { 0.15 };
        self.builder.build(rng, ListShape { kind, length, with_real }, real, history, &self.seen)
    }
}

/// A level as the `update` graph reads it: (level - 3.5) / 1.1, liked (4 or more), known.
pub(super) fn encoded(level: f32) -> [f32; 3] {
    if level.is_nan() { [0.0; 3] } else { [(level - 3.5) / 1.1, f32::from(u8::from(level >= 4.0)), 1.0] }
}

/// The fold of each user.
pub(super) fn folds(streams: &Streams, users: usize) -> Vec<usize> {
    (0..users as u32).map(|user| crate::scene::fold_of(streams, LogUserId(user))).collect()
}

/// Draws an index with the given weights.
fn weighted<R: Rng>(rng: &mut R, weights: impl Iterator<Item = u32> + Clone) -> usize {
    let mut left = below(rng, weights.clone().sum());
    for (place, weight) in weights.enumerate() {
        if left < weight {
            return place;
        }
        left -= weight;
    }
    0
}
