//! The impressions that a fit learns from.
//!
//! The lists that a fit learns from: shown items, their slots, and the taken ones.
//!
//! A list is one scene, one from which nothing was taken as well. Its user's state is made of the interactions before it; in a log
//! without times, of all but those that come from the list itself. A list of more than [`MOST_SLOTS`] items keeps what was
//! taken and as many of the others as there is room for, drawn again in every epoch ([`super::shown_loss`] corrects for it).

use super::sampling::{Chunk, Drops, Known, Of, Sampler, pieces};
use super::shard::{Origin, Scene, Shard, Slot, Span};
use super::{FitError, Propensities};
use crate::dataset::{Impression, Impressions, LearningSplit, TrainingLog, is_drawn};
use crate::ids::{ItemId, LogUserId};
use crate::random::below;
use rand_chacha::rand_core::Rng;
use std::collections::BTreeSet;
use std::ops::Range;

/// The most slots of a training scene.
pub(super) const MOST_SLOTS: usize = 64;
/// The most taken items of one list that are learned.
const MOST_TAKEN: usize = MOST_SLOTS / 2;
/// The largest weight of a list, relative to the mean.
const MOST_WEIGHT: f64 = 20.0;
/// Share of the lists before the cut that show when to stop: the latest.
const LATE: f64 = 0.1;

/// See the module's documentation.
pub(super) struct ShownLists<'a> {
    impressions: &'a Impressions,
    /// `[users + 1]`: the lists of user `u` are `places[offsets[u]..offsets[u + 1]]`, by time.
    offsets: Vec<usize>,
    places: Vec<u32>,
    /// `[rows of the log]`: whether a list shows where the interaction comes from.
    is_from_list: Vec<bool>,
    /// Weight of an interaction that no list shows.
    comparison: f32,
    /// `[lists]`: the weight of each, 1 on average; empty where all weigh 1.
    weights: Vec<f32>,
    /// `[slots]`: the examination probability of each; empty if all are examined.
    pub(super) looks: Vec<f32>,
    /// The time from which a list counts as late; `None` in a log without times.
    late: Option<i64>,
    is_timed: bool,
}

impl<'a> ShownLists<'a> {
    /// The lists before the cut; `None` where the log has none to learn from. `log` is the log before the cut.
    pub(super) fn new(
        impressions: &'a Impressions,
        split: &LearningSplit,
        log: &TrainingLog,
    ) -> Option<ShownLists<'a>> {
        if !split.has_lists() {
            return None;
        }
        let time = |list: u32| impressions.times[list as usize];
        let mut places = split.lists.clone();
        places.sort_by_key(|&list| (impressions.users[list as usize], time(list), list));
        let mut offsets = vec![0; log.users() + 1];
        places.iter().for_each(|&list| offsets[impressions.users[list as usize].index() + 1] += 1);
        (0..log.users()).for_each(|user| offsets[user + 1] += offsets[user]);
        let mut times: Vec<i64> = places.iter().map(|&list| time(list)).collect();
        times.sort_unstable();
        let late = times.get(((times.len() as f64) * (1.0 - LATE)) as usize).copied();
        let mut shown = ShownLists {
            impressions,
            offsets,
            places,
            is_from_list: vec![false; log.rows.len()],
            comparison: 0.0,
            weights: Vec::new(),
            looks: Vec::new(),
            late: late.filter(|&late| split.moment.is_some() && late > times[0]),
            is_timed: split.moment.is_some(),
        };
        shown.mark(log);
        Some(shown)
    }

    /// Finds the interactions that come from lists. The others weigh together no more than the lists.
    fn mark(&mut self, log: &TrainingLog) {
        for user in (0..log.users() as u32).map(LogUserId) {
            let taken: BTreeSet<ItemId> =
                (0..self.of(user).len()).flat_map(|place| taken(self.list(user, place))).collect();
            let first = log.offsets[user.index()];
            for (place, row) in log.of(user).iter().enumerate() {
                self.is_from_list[first + place] = taken.contains(&row.item);
            }
        }
        let others = self.is_from_list.iter().filter(|&&is_from_list| !is_from_list).count();
        self.comparison = if others > 0 { (self.len() as f32 / others as f32).min(1.0) } else { 0.0 };
    }

    /// Weighs lists as is asked.
    ///
    /// # Errors
    /// Where the log has no propensities.
    pub(super) fn weigh(&mut self, propensities: Propensities, data: &str) -> Result<(), FitError> {
        if propensities == Propensities::Ignore {
            return Ok(());
        }
        let impressions = self.impressions;
        if impressions.propensities.is_empty() {
            return Err(FitError::NoPropensities { data: data.to_owned() });
        }
        let inverse = |&list: &u32| {
            let range = impressions.offsets[list as usize] as usize..impressions.offsets[list as usize + 1] as usize;
            let known = impressions.propensities[range].iter().filter(|chance| **chance > 0.0);
            let (count, sum) = known.fold((0, 0.0), |(count, sum), chance| (count + 1, sum + 1.0 / f64::from(*chance)));
            (count > 0).then(|| sum / f64::from(count))
        };
        let found: Vec<Option<f64>> = self.places.iter().map(inverse).collect();
        let known = || found.iter().flatten();
        let mean = known().sum::<f64>() / known().count().max(1) as f64;
        let cut: Vec<f64> = found.iter().map(|weight| weight.unwrap_or(mean).min(MOST_WEIGHT * mean)).collect();
        let mean = cut.iter().sum::<f64>() / cut.len() as f64;
        self.weights = cut.into_iter().map(|weight| (weight / mean) as f32).collect();
        Ok(())
    }

    /// The equivalent number of lists of equal weight (Kish 1965); `None` if all have the same weight.
    pub(super) fn effective(&self) -> Option<f64> {
        let sum: f64 = self.weights.iter().map(|&weight| f64::from(weight)).sum();
        let squares: f64 = self.weights.iter().map(|&weight| f64::from(weight) * f64::from(weight)).sum();
        (!self.weights.is_empty()).then(|| sum * sum / squares)
    }

    /// Number of lists.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Lists, items in them, and items taken.
    pub(super) fn counts(&self) -> [usize; 3] {
        let mut counts = [self.len(), 0, 0];
        for &place in &self.places {
            let list = self.impressions.get(place as usize);
            counts[1] += list.items.len();
            counts[2] += list.taken.iter().filter(|&&taken| taken).count();
        }
        counts
    }

    /// Lists with more items than a scene has slots.
    pub(super) fn long(&self) -> usize {
        self.places.iter().filter(|&&place| self.impressions.get(place as usize).items.len() > MOST_SLOTS).count()
    }

    /// All lists, by user and time.
    pub(super) fn lists(&self) -> impl Iterator<Item = Impression<'a>> {
        self.places.iter().map(|&place| self.impressions.get(place as usize))
    }

    /// True if a list is one of those that determine the end of training.
    pub(super) fn is_late(&self, list: &Impression<'_>) -> bool {
        self.late.map_or_else(|| is_late_user(list.user), |late| list.time >= late)
    }

    /// The weight of the choice of a row of the log.
    pub(super) fn weight_of(&self, row: usize) -> f32 {
        if self.is_from_list[row] { 0.0 } else { self.comparison }
    }

    fn of(&self, user: LogUserId) -> &[u32] {
        &self.places[self.offsets[user.index()]..self.offsets[user.index() + 1]]
    }

    fn list(&self, user: LogUserId, place: usize) -> Impression<'a> {
        self.impressions.get(self.of(user)[place] as usize)
    }

    /// Chunks of all interactions and lists, user by user.
    pub(super) fn all(&self, log: &TrainingLog) -> Vec<Chunk> {
        self.chunks(log, |_, rows, lists| [0..rows, 0..lists])
    }

    /// Chunks without the late lists and interactions.
    pub(super) fn early(&self, log: &TrainingLog) -> Vec<Chunk> {
        self.chunks(log, |user, rows, lists| {
            let [row, list] = self.cut(log, user, rows, lists);
            [0..row, 0..list]
        })
    }

    /// Chunks of the late lists, and of the late interactions that are rated.
    pub(super) fn late(&self, log: &TrainingLog) -> Vec<Chunk> {
        let is_rated = log.rows.iter().any(|row| row.rating.is_finite());
        self.chunks(log, |user, rows, lists| {
            let [row, list] = self.cut(log, user, rows, lists);
            [if is_rated { row..rows } else { 0..0 }, list..lists]
        })
    }

    /// The numbers of a user's early interactions and lists.
    fn cut(&self, log: &TrainingLog, user: LogUserId, rows: usize, lists: usize) -> [usize; 2] {
        match self.late {
            Some(late) => [
                log.of(user).partition_point(|row| row.time < late),
                self.of(user).partition_point(|&list| self.impressions.times[list as usize] < late),
            ],
            None if is_late_user(user) => [0, 0],
            None => [rows, lists],
        }
    }

    fn chunks(&self, log: &TrainingLog, parts: impl Fn(LogUserId, usize, usize) -> [Range<usize>; 2]) -> Vec<Chunk> {
        let mut found = Vec::new();
        for user in (0..log.users() as u32).map(LogUserId) {
            let [rows, lists] = parts(user, log.of(user).len(), self.of(user).len());
            // An interaction that is neither rated nor compared teaches nothing.
            let first = log.offsets[user.index()];
            let teaches =
                |place: usize| self.weight_of(first + place) > 0.0 || log.rows[first + place].rating.is_finite();
            if rows.clone().any(teaches) {
                found.extend(pieces(user, rows, Of::Rows));
            }
            found.extend(pieces(user, lists, Of::Lists));
        }
        found
    }

    /// Adds the scenes of a chunk of lists.
    pub(super) fn span<R: Rng>(
        &self,
        sampler: &Sampler<'_>,
        chunk: &Chunk,
        drops: Drops,
        rng: &mut R,
        (shard, known): (&mut Shard, &mut Known),
    ) {
        let rows = sampler.log.of(chunk.user);
        let before = |place: usize| {
            let time = self.list(chunk.user, place).time;
            if self.is_timed { rows.partition_point(|row| row.time < time) } else { rows.len() }
        };
        let (from, to) = (before(chunk.rows.start), before(chunk.rows.end - 1));
        let first = Sampler::first_known(from, to);
        // Without times each list has a history of its own.
        let single = chunk.rows.clone().map(|place| place..place + 1);
        let spans: Vec<Range<usize>> = if self.is_timed { vec![chunk.rows.clone()] } else { single.collect() };
        for places in spans {
            let own: Vec<ItemId> =
                if self.is_timed { Vec::new() } else { taken(self.list(chunk.user, places.start)).collect() };
            let history = rows[first..to].iter().filter(|row| !own.contains(&row.item));
            let (events, scenes) = (shard.events.len(), shard.scenes.len());
            let table = sampler.folds[chunk.user.index()];
            let has_profile = sampler.history(history, table, drops, rng, (&mut *shard, &mut *known));
            for place in places {
                let after = if self.is_timed { events + before(place) - first } else { shard.events.len() };
                let number = self.offsets[chunk.user.index()] + place;
                self.scene(sampler, (number, after), (drops, &mut *rng), (&mut *shard, &mut *known));
            }
            let (events, scenes) = (events..shard.events.len(), scenes..shard.scenes.len());
            shard.spans.push(Span { user: chunk.user.index(), has_profile, events, scenes });
        }
    }

    fn scene<R: Rng>(
        &self,
        sampler: &Sampler<'_>,
        (number, after): (usize, usize),
        (drops, rng): (Drops, &mut R),
        (shard, known): (&mut Shard, &mut Known),
    ) {
        let list = self.impressions.get(self.places[number] as usize);
        let table = sampler.folds[list.user.index()];
        let kept = kept(&list, rng);
        let from = shard.slots.len();
        for (nth, &place) in kept.places.iter().enumerate() {
            let (item, is_taken) = (list.items[place], nth < kept.taken);
            let context = sampler.context_at(list.time, item, is_taken);
            let pair = Sampler::pair((&mut *shard, &mut *known), rng, drops, table, item);
            let look = self.looks.get(usize::from(list.slots[place])).or(self.looks.last()).copied().unwrap_or(1.0);
            shard.slots.push(Slot { pair, context, look, stands_for: if is_taken { 0.0 } else { kept.stands_for } });
        }
        shard.scenes.push(Scene {
            after,
            slots: from..shard.slots.len(),
            taken: from..from + kept.taken,
            origin: Origin::Shown,
            length: list.items.len(),
            level: f32::NAN,
            weight: self.weights.get(number).copied().unwrap_or(1.0),
            rating_weight: 0.0,
        });
    }
}

/// True if a user's lists determine the end of training, in a log without times. The split holds out the users with the
/// smallest numbers of [`is_drawn`]; these have the largest.
fn is_late_user(user: LogUserId) -> bool {
    !is_drawn(user, 1.0 - LATE)
}

fn taken(list: Impression<'_>) -> impl Iterator<Item = ItemId> {
    list.items.iter().zip(list.taken).filter(|(_, taken)| **taken).map(|(&item, _)| item)
}

/// The kept part of a list: places, with taken items first.
struct Kept {
    places: Vec<usize>,
    taken: usize,
    /// Logarithm of the number of items that each of the others represents.
    stands_for: f32,
}

fn kept<R: Rng>(list: &Impression<'_>, rng: &mut R) -> Kept {
    let (mut places, mut others): (Vec<usize>, Vec<usize>) =
        (0..list.items.len()).partition(|&place| list.taken[place]);
    if places.len() > MOST_TAKEN {
        draw(&mut places, MOST_TAKEN, rng);
    }
    let (taken, all) = (places.len(), others.len());
    if taken + all > MOST_SLOTS {
        draw(&mut others, MOST_SLOTS - taken, rng);
    }
    let stands_for = if others.is_empty() { 0.0 } else { libm::logf(all as f32 / others.len() as f32) };
    places.append(&mut others);
    Kept { places, taken, stands_for }
}

/// Keeps `count` places, drawn without replacement.
fn draw<R: Rng>(places: &mut Vec<usize>, count: usize, rng: &mut R) {
    for place in 0..count {
        let other = place + below(rng, (places.len() - place) as u32) as usize;
        places.swap(place, other);
    }
    places.truncate(count);
}
