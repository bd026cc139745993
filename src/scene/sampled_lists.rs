//! Sampled lists of a target item and negatives.
//!
//! The sampling of negatives decides what a list can measure. A rule that ignores the user solves a list whose
//! negatives are drawn around the real item (`Mixed`); `PopularityMatched` and `Anchored` treat the real item and the
//! negatives alike.

use super::CoOccurrence;
use crate::dataset::{Interaction, TrainingLog};
use crate::ids::{ItemId, LogUserId};
use crate::random::below;
use rand_chacha::rand_core::Rng;

/// The number of most popular items that count as popular.
const POPULAR: usize = 300;
/// Half the width of the window of popularity ranks.
const WINDOW: i64 = 25;
/// The number of a user's latest items from which a history-similar negative may start.
const RECENT: usize = 20;
/// Draws from a list's own source before a uniform item is taken.
const TRIES: usize = 45;

/// The source of a negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Uniform,
    Popular,
    /// Neighbours of the real item.
    Similar,
    /// Popularity ranks around a centre near the real item.
    Matched,
    /// Neighbours of one hidden anchor that has the real item among its neighbours.
    Anchor,
    /// Neighbours of one of the user's latest items.
    History,
}

/// A way to build exposure lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListKind {
    /// Uniform negatives.
    Random,
    /// A random one, a popular one, and neighbours of the real item: faulty, for comparison with published work.
    Mixed,
    /// A random one, a popular one, and neighbours of a hidden anchor (training only).
    MixedAnchored,
    /// Negatives from the same popularity ranks.
    PopularityMatched,
    /// A random one, a popular one, and neighbours of the user's latest items (training only).
    HistorySimilar,
    /// One slot (training and accept/reject).
    Single,
    /// Real item and negatives all from the neighbours of one hidden anchor.
    Anchored,
}

impl ListKind {
    /// The name used in cards and tables.
    pub fn name(self) -> &'static str {
        match self {
            ListKind::Random => "random",
            ListKind::Mixed => "mixed",
            ListKind::MixedAnchored => "mixed-anchored",
            ListKind::PopularityMatched => "popularity-matched",
            ListKind::HistorySimilar => "history-similar",
            ListKind::Single => "single",
            ListKind::Anchored => "anchored",
        }
    }

    /// The sources of the negatives, repeated as often as needed, and the kind's own source.
    fn sources(self) -> (&'static [Source], Source) {
        use Source::{Anchor, History, Matched, Popular, Similar, Uniform};
        match self {
            ListKind::Random | ListKind::Single => (&[Uniform], Uniform),
            ListKind::Mixed => (&[Uniform, Popular, Similar, Similar], Similar),
            ListKind::MixedAnchored => (&[Uniform, Popular, Anchor, Anchor], Anchor),
            ListKind::PopularityMatched => (&[Matched], Matched),
            ListKind::HistorySimilar => (&[Uniform, Popular, History, History], History),
            ListKind::Anchored => (&[Anchor], Anchor),
        }
    }
}

/// The composition of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListShape {
    /// The sampling of negatives.
    pub kind: ListKind,
    /// Items, the real one included.
    pub length: usize,
    /// True if the list holds the real item.
    pub with_real: bool,
}

/// One exposure list.
#[derive(Clone, Debug, PartialEq)]
pub struct ListScene {
    /// The exposed items.
    pub items: Vec<ItemId>,
    /// The slot of the real item; `None` if the list lacks it.
    pub real: Option<usize>,
}

/// The items of each user: sorted lists, so that memory grows with interactions and not with users times items.
pub struct SeenInLog {
    /// `[users + 1]`.
    offsets: Vec<usize>,
    /// By user, then by item.
    items: Vec<ItemId>,
}

impl SeenInLog {
    /// The interactions of a log.
    pub fn of(log: &TrainingLog) -> SeenInLog {
        let mut items: Vec<ItemId> = log.rows.iter().map(|row| row.item).collect();
        for range in log.offsets.windows(2) {
            items[range[0]..range[1]].sort_unstable();
        }
        SeenInLog { offsets: log.offsets.clone(), items }
    }

    /// True if `user` has interacted with `item`.
    pub fn has(&self, user: LogUserId, item: ItemId) -> bool {
        self.items[self.offsets[user.index()]..self.offsets[user.index() + 1]].binary_search(&item).is_ok()
    }
}

/// Builds lists from the statistics of a log before the cut.
pub struct ListBuilder<'a> {
    near: &'a CoOccurrence,
    items: u32,
    ranked: Vec<ItemId>,
    rank_of: Vec<u32>,
}

impl<'a> ListBuilder<'a> {
    /// Statistics from `log` and its co-occurrence.
    pub fn new(log: &TrainingLog, near: &'a CoOccurrence) -> ListBuilder<'a> {
        let counts = log.item_counts();
        let mut ranked: Vec<ItemId> = (0..log.items as u32).map(ItemId).collect();
        ranked.sort_by_key(|item| (std::cmp::Reverse(counts[item.index()]), *item));
        let mut rank_of = vec![0; log.items];
        for (rank, item) in ranked.iter().enumerate() {
            rank_of[item.index()] = rank as u32;
        }
        ListBuilder { near, items: log.items as u32, ranked, rank_of }
    }

    /// A list for the moment before `real`, with the user's `history` so far; negatives are items that `seen` does
    /// not hold. The real item, if it is in the list, is at a uniform position.
    pub fn build<R: Rng>(
        &self,
        rng: &mut R,
        shape: ListShape,
        real: &Interaction,
        history: &[Interaction],
        seen: &SeenInLog,
    ) -> ListScene {
        let ListShape { kind, length, with_real } = shape;
        let draw = Draw::new(self, rng, real, history);
        let (cycle, own) = kind.sources();
        let mut sources: Vec<Source> = (0..length - 1).map(|place| cycle[place % cycle.len()]).collect();
        if !with_real {
            sources.push(own);
        }
        crate::random::shuffle(rng, &mut sources);
        let mut items: Vec<ItemId> = Vec::with_capacity(length);
        for source in sources {
            items.push(self.negative(rng, &draw, source, &items, seen));
        }
        if !with_real {
            return ListScene { items, real: None };
        }
        let place = below(rng, length as u32) as usize;
        items.insert(place, real.item);
        ListScene { items, real: Some(place) }
    }

    fn negative<R: Rng>(
        &self,
        rng: &mut R,
        draw: &Draw<'_>,
        source: Source,
        taken: &[ItemId],
        seen: &SeenInLog,
    ) -> ItemId {
        for attempt in 0..2 * TRIES {
            let source = if attempt < TRIES { source } else { Source::Uniform };
            let item = draw.item(self, rng, source);
            if item != draw.real.item && !seen.has(draw.real.user, item) && !taken.contains(&item) {
                return item;
            }
        }
        // A user who has seen nearly everything: any item that is not in the list yet.
        let start = below(rng, self.items);
        let mut around = (0..self.items).map(|step| ItemId((start + step) % self.items));
        around.find(|item| *item != draw.real.item && !taken.contains(item)).unwrap_or(draw.real.item)
    }
}

/// The data shared by all negatives of one list.
struct Draw<'a> {
    real: &'a Interaction,
    recent: &'a [Interaction],
    anchor: Option<ItemId>,
    centre: i64,
}

impl<'a> Draw<'a> {
    fn new<R: Rng>(
        builder: &ListBuilder<'_>,
        rng: &mut R,
        real: &'a Interaction,
        history: &'a [Interaction],
    ) -> Draw<'a> {
        let shift = i64::from(below(rng, 2 * WINDOW as u32 + 1)) - WINDOW;
        let anchor = pick(rng, builder.near.holders(real.item));
        let recent = &history[history.len().saturating_sub(RECENT)..];
        Draw { real, recent, anchor, centre: i64::from(builder.rank_of[real.item.index()]) + shift }
    }

    fn item<R: Rng>(&self, builder: &ListBuilder<'_>, rng: &mut R, source: Source) -> ItemId {
        let near = match source {
            Source::Uniform => None,
            Source::Popular => pick(rng, &builder.ranked[..POPULAR.min(builder.ranked.len())]),
            Source::Matched => {
                let rank = self.centre + i64::from(below(rng, 2 * WINDOW as u32 + 1)) - WINDOW;
                Some(builder.ranked[rank.clamp(0, i64::from(builder.items) - 1) as usize])
            }
            Source::Similar => pick(rng, builder.near.neighbours(self.real.item)),
            Source::Anchor => pick(rng, builder.near.neighbours(self.anchor.unwrap_or(self.real.item))),
            Source::History => {
                pick(rng, self.recent).and_then(|row: Interaction| pick(rng, builder.near.neighbours(row.item)))
            }
        };
        near.unwrap_or_else(|| ItemId(below(rng, builder.items)))
    }
}

fn pick<R: Rng, T: Copy>(rng: &mut R, values: &[T]) -> Option<T> {
    (!values.is_empty()).then(|| values[below(rng, values.len() as u32) as usize])
}
