//! Temperature and acceptance level from the impressions of a log.

use crate::dataset::{Dataset, Impression, Impressions};
use crate::experiment::shown::shown_utilities;
use crate::ids::{ItemId, LogUserId};
use crate::random::{Purpose, Streams, below, unit};
use crate::simulation::StartingPoint;
use crate::user::{Accept, Calibrated, ListResponse, ResponseRule, UserError, UserModel, fit_level};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The most impressions on which the level is fitted: they determine the share of lists with something taken to 0.007.
const MOST_LISTS: usize = 5_000;

/// The impressions of a log on both sides of the cut.
pub(super) struct Exposure<'a> {
    lists: &'a Impressions,
    start: &'a StartingPoint,
    has_times: bool,
}

/// The sentence about impressions without a time relative to the cut.
const TIMELESS: &str = "(the log has no times: those that the model learned from may be among them)";

impl<'a> Exposure<'a> {
    pub(super) fn of(data: &'a Dataset, start: &'a StartingPoint) -> Exposure<'a> {
        let times = data.impressions.times.iter();
        Exposure { lists: &data.impressions, start, has_times: times.clone().min() != times.max() }
    }

    fn places(&self, wanted: impl Fn(&Impression<'_>) -> bool) -> Vec<usize> {
        let is_wanted = |place: &usize| {
            let list = self.lists.get(*place);
            !list.items.is_empty() && wanted(&list)
        };
        (0..self.lists.len()).filter(is_wanted).collect()
    }

    fn is_after(&self, list: &Impression<'_>) -> bool {
        self.start.log.of(list.user).last().is_none_or(|row| row.time < list.time)
    }

    /// The lists shown after the last interaction of their user before the cut, with a sentence about them; all lists
    /// if the log has no times. `None` if there are none.
    fn after(&self) -> Option<(Vec<usize>, &'static str)> {
        let (found, words) = if self.has_times {
            (self.places(|list| self.is_after(list)), "after the cut")
        } else {
            (self.places(|_| true), TIMELESS)
        };
        (!found.is_empty()).then_some((found, words))
    }

    /// The other lists, with a sentence about them; all lists if the log has no times.
    pub(super) fn before(&self) -> (Vec<usize>, &'static str) {
        if self.has_times {
            (self.places(|list| !self.is_after(list)), "before the cut")
        } else {
            (self.places(|_| true), "(the log has no times)")
        }
    }
}

/// The indices of the impressions after the cut of their user; all if the log has no times.
pub(in crate::experiment) fn later_lists(data: &Dataset, start: &StartingPoint) -> Vec<usize> {
    Exposure::of(data, start).after().map(|found| found.0).unwrap_or_default()
}

fn fail(problem: &str) -> UserError {
    UserError::Setup(format!("`user.acceptance = \"log\"`: {problem}"))
}

/// Fits temperature and level on impressions after the cut; returns a sentence about the fit.
///
/// # Errors
/// When there are no such impressions, or they do not determine what the rule calls accepting.
pub(super) fn from_log(
    model: Arc<dyn UserModel>,
    rule: ResponseRule,
    like_rating: f32,
    data: &Dataset,
    start: &StartingPoint,
    streams: &Streams,
) -> Result<(Calibrated, String), UserError> {
    if data.impressions.is_empty() {
        return Err(fail(
            "the data have no impressions (lists that were shown, with what was taken), so the acceptance \
             level is unknown; give the level as a number from 0.001 to 0.999",
        ));
    }
    let (places, which) = Exposure::of(data, start).after().ok_or_else(|| {
        fail("no impression comes after the cut of its user; hold out more (`data.holdout`), or give the level as a number")
    })?;
    let answers = match rule.accept {
        Accept::Take => Answers::taken(&data.impressions, places),
        Accept::Like { .. } => Answers::liked(data, places, like_rating, streams)?,
    };
    let (all, answers) = (answers.places.len(), answers.sample(streams));
    let lists: Vec<Impression<'_>> = answers.places.iter().map(|&place| data.impressions.get(place)).collect();
    let utilities = shown_utilities(model.as_ref(), &rule, start, &lists)?;
    let responses: Vec<ListResponse<'_>> = lists
        .iter()
        .zip(&utilities)
        .zip(&answers.accepted)
        .map(|((list, utilities), taken)| ListResponse { utilities, slots: list.slots, taken })
        .collect();
    let accepted = responses.iter().filter(|list| list.taken.contains(&true)).count();
    let fitted = fit_level(&rule, &responses).map_err(|problem| fail(&problem))?;
    let part = if all > lists.len() { format!("{} drawn of {all}", lists.len()) } else { all.to_string() };
    let level = format!(
        "level and temperature ({:.3}) are fitted on {part} impressions {which}, from {:.1}% of which something was {}{}",
        fitted.temperature,
        100.0 * accepted as f64 / lists.len() as f64,
        if matches!(rule.accept, Accept::Take) { "taken" } else { "taken and liked" },
        answers.left_out
    );
    Ok((Calibrated::given(model, fitted.temperature, fitted.reject_shift, rule), level))
}

/// The accepted items of lists.
struct Answers {
    places: Vec<usize>,
    /// For each list and each of its items.
    accepted: Vec<Vec<bool>>,
    /// A sentence about the lists left out; empty if there are none.
    left_out: String,
}

impl Answers {
    fn taken(lists: &Impressions, places: Vec<usize>) -> Answers {
        let accepted = places.iter().map(|&place| lists.get(place).taken.to_vec()).collect();
        Answers { places, accepted, left_out: String::new() }
    }

    /// The items that were taken and rated at or above the threshold, by the lists or by the log. Lists with a taken
    /// item without a rating are left out, and the same share of the lists from which nothing was taken: which items
    /// are rated must not change how often something is taken.
    fn liked(data: &Dataset, places: Vec<usize>, threshold: f32, streams: &Streams) -> Result<Answers, UserError> {
        let ratings = Ratings::of(data);
        let mut rated = Vec::new();
        let mut unrated = 0usize;
        let mut empty = Vec::new();
        for place in places {
            let list = data.impressions.get(place);
            let of = |slot: usize| ratings.of_slot(place, slot, list.user, list.items[slot]);
            let taken = || (0..list.items.len()).filter(|&slot| list.taken[slot]);
            let liked = || (0..list.items.len()).map(|slot| list.taken[slot] && of(slot) >= threshold).collect();
            match () {
                () if taken().next().is_none() => empty.push((place, vec![false; list.items.len()])),
                () if taken().any(|slot| of(slot).is_nan()) => unrated += 1,
                () => rated.push((place, liked())),
            }
        }
        if rated.is_empty() {
            return Err(fail(
                "no item that was taken from an impression has a rating, so the share of liked items \
                 is unknown; set `user.accept` to \"take\", or give the level as a number",
            ));
        }
        let share = rated.len() as f64 / (rated.len() + unrated) as f64;
        let all = empty.len();
        let keeps = |place: usize| unit(&mut streams.derive(Purpose::Calibration, place as u64, 3)) < share;
        empty.retain(|&(place, _)| unrated == 0 || keeps(place));
        let left_out = match unrated {
            0 => String::new(),
            _ => format!(
                "; {unrated} impressions with an item that was taken and not rated are left out, and {} from which nothing was \
                 taken, drawn in the same share",
                all - empty.len()
            ),
        };
        rated.append(&mut empty);
        rated.sort_by_key(|&(place, _)| place);
        let (places, accepted) = rated.into_iter().unzip();
        Ok(Answers { places, accepted, left_out })
    }

    fn sample(mut self, streams: &Streams) -> Answers {
        if self.places.len() <= MOST_LISTS {
            return self;
        }
        // Slates of the probe draw at tick 0, its users at tick 1.
        let mut rng = streams.derive(Purpose::Calibration, 0, 2);
        for place in 0..MOST_LISTS {
            let other = place + below(&mut rng, (self.places.len() - place) as u32) as usize;
            self.places.swap(place, other);
            self.accepted.swap(place, other);
        }
        self.places.truncate(MOST_LISTS);
        self.accepted.truncate(MOST_LISTS);
        self
    }
}

/// The ratings of shown items: from the lists if they have them, otherwise from the log.
struct Ratings<'a> {
    lists: &'a Impressions,
    log: BTreeMap<(LogUserId, ItemId), f32>,
}

impl<'a> Ratings<'a> {
    fn of(data: &'a Dataset) -> Ratings<'a> {
        let rated = data.interactions.iter().filter(|row| !row.rating.is_nan());
        let log = rated.map(|row| ((row.user, row.item), row.rating)).collect();
        Ratings { lists: &data.impressions, log }
    }

    fn of_slot(&self, place: usize, slot: usize, user: LogUserId, item: ItemId) -> f32 {
        let own = self.lists.ratings.get(self.lists.offsets[place] as usize + slot).copied().unwrap_or(f32::NAN);
        if own.is_nan() { self.log.get(&(user, item)).copied().unwrap_or(f32::NAN) } else { own }
    }
}
