//! The figures of an alignment, with intervals.

mod accept;

use super::HeldOut;
use super::clicks::{ClickAlignment, clicks};
use super::rules::{Rule, best};
use crate::dataset::{Catalogue, Dataset};
use crate::ids::LogUserId;
use crate::random::{Purpose, Streams, below};
use crate::scene::{CoOccurrence, ListKind, ListScene};
use crate::user::{RATINGS, Responses, UserError, UserModel, softmax};
use serde::Serialize;

/// The model with another user's memory instead of the user's own.
const STRANGER: &str = "model, another user's memory";
/// Slots of a choice list.
const CHOICES: usize = 5;
/// Histories with fewer interactions count as short.
const SHORT: usize = 10;
/// Bins of the calibration error.
const BINS: usize = 15;
/// Bootstrap resamples of an interval.
const RESAMPLES: usize = 1_000;

/// Options of an alignment.
#[derive(Clone, Copy, Debug)]
pub struct AlignOptions {
    /// The most held-out scenes of each list type.
    pub scenes: usize,
    /// Root of the random streams.
    pub seed: u64,
    /// Share of each user's latest interactions that is held out.
    pub holdout: f64,
}

/// One figure with its 95% interval (bootstrap over users: a user's scenes are not independent).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// `choice`, `lead` (a paired difference of choices), `accept`, `F1`, `AUC`, `calibration` or `rating`; of impressions `click log
    /// loss`, `click gain` (a paired difference of losses), `click AUC` or `click calibration`.
    pub measure: &'static str,
    /// The answering model.
    pub who: String,
    /// The list type, or the group of popularity-matched lists.
    pub list: &'static str,
    /// Scenes.
    pub scenes: usize,
    /// The estimate.
    pub estimate: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

/// All figures of one model on one data set.
#[derive(Clone, Debug, Serialize)]
pub struct Alignment {
    /// The data set.
    pub data: String,
    /// Held-out scenes of each list type.
    pub scenes: usize,
    /// Root of the random streams.
    pub seed: u64,
    /// The figures.
    pub figures: Vec<Figure>,
    /// Figures on held-out impressions; `None` if there are none.
    pub lists: Option<ClickAlignment>,
}

impl Alignment {
    /// The estimate of a figure.
    pub fn estimate(&self, measure: &str, who: &str, list: &str) -> Option<f64> {
        let fits = |figure: &&Figure| figure.measure == measure && figure.who == who && figure.list == list;
        self.figures.iter().find(fits).map(|figure| figure.estimate)
    }
}

/// Measures `model` on held-out users of `data`; `near` must come from the log before the cut.
///
/// # Errors
/// When the model fails.
pub fn align(model: &dyn UserModel, data: &Dataset, options: AlignOptions) -> Result<Alignment, UserError> {
    let split = data.split_to_learn(options.holdout);
    let before = &split.log.before;
    let near = CoOccurrence::new(before);
    let catalogue = Catalogue::of(data);
    let held_out = HeldOut::new(data, &catalogue, before, &near, options.scenes, options.seed);
    let mut bench =
        Bench { model, catalogue: &catalogue, held_out, near: &near, seed: options.seed, figures: Vec::new() };
    let memory = bench.held_out.memories(model)?;
    let frozen = bench.held_out.frozen(model)?;
    for kind in [ListKind::PopularityMatched, ListKind::Anchored, ListKind::Random, ListKind::Mixed] {
        bench.choices(kind, &memory, &frozen)?;
    }
    bench.accept(&memory)?;
    bench.rating(&memory)?;
    let (scenes, mut figures) = (bench.held_out.len(), bench.figures);
    let (lists, of_lists) = clicks(model, data, &split, options)?.unzip();
    figures.extend(of_lists.into_iter().flatten());
    Ok(Alignment { data: data.name.clone(), scenes, seed: options.seed, figures, lists })
}

struct Bench<'a> {
    model: &'a dyn UserModel,
    catalogue: &'a Catalogue,
    held_out: HeldOut<'a>,
    near: &'a CoOccurrence,
    seed: u64,
    figures: Vec<Figure>,
}

impl Bench<'_> {
    fn answer(&self, lists: &[ListScene], memory: Vec<f32>) -> Result<Responses, UserError> {
        let mut out = Responses::default();
        self.model.respond(&self.held_out.scenes(lists, memory, self.model.memory().read), &mut out)?;
        Ok(out)
    }

    /// Choice accuracy of 5: the model, its controls, and the rules.
    fn choices(&mut self, kind: ListKind, memory: &[f32], frozen: &[f32]) -> Result<(), UserError> {
        let lists = self.held_out.lists(kind, CHOICES, true);
        let hits = |responses: &Responses| -> Vec<f64> {
            let rows = responses.choice.chunks_exact(CHOICES + 1).zip(&lists);
            rows.map(|(row, list)| f64::from(u8::from(Some(best(&row[..CHOICES])) == list.real))).collect()
        };
        let own = hits(&self.answer(&lists, memory.to_vec())?);
        let strange = hits(&self.answer(&lists, self.swapped(memory))?);
        let cold = hits(&self.answer(&lists, frozen.to_vec())?);
        self.mean("choice", "model", kind.name(), &own);
        self.mean("choice", STRANGER, kind.name(), &strange);
        self.mean("choice", "model, memory frozen at the cut", kind.name(), &cold);
        let mut leads = vec![("model over another user's memory", lead(&own, &strange))];
        for rule in Rule::ALL {
            let hits = rule.hits(&self.held_out, self.near, self.catalogue, &lists);
            let hits: Vec<f64> = hits.into_iter().map(|hit| f64::from(u8::from(hit))).collect();
            self.mean("choice", rule.name(), kind.name(), &hits);
            if let Some(name) = rule.lead() {
                leads.push((name, lead(&own, &hits)));
            }
        }
        for (name, values) in leads {
            self.mean("lead", name, kind.name(), &values);
        }
        if kind == ListKind::PopularityMatched {
            self.cold(&own);
        }
        Ok(())
    }

    /// The model's choices on popularity-matched lists for new items, and for users with a short history.
    fn cold(&mut self, own: &[f64]) {
        let is_new = |place: usize| self.near.count(self.held_out.moment(place).0.item) == 0;
        let is_short = |place: usize| self.held_out.moment(place).1.len() < SHORT;
        let new: Vec<usize> = (0..own.len()).filter(|&place| is_new(place)).collect();
        let short: Vec<usize> = (0..own.len()).filter(|&place| is_short(place)).collect();
        for (list, places) in [("items without interactions", new), ("users with a short history", short)] {
            if places.is_empty() {
                continue;
            }
            let mut of_group = vec![None; own.len()];
            places.iter().for_each(|&place| of_group[place] = Some(own[place]));
            let mean = |places: &[usize]| {
                let known: Vec<f64> = places.iter().filter_map(|&place| of_group[place]).collect();
                // A resample without a scene of the group is undefined.
                known.iter().sum::<f64>() / known.len() as f64
            };
            let estimate = mean(&places);
            let (low, high) = self.bootstrap(mean);
            let scenes = places.len();
            self.figures.push(Figure { measure: "choice", who: "model".to_owned(), list, scenes, estimate, low, high });
        }
    }

    fn swapped(&self, memory: &[f32]) -> Vec<f32> {
        let width = self.model.memory().read;
        let strangers = self.held_out.strangers();
        strangers.iter().flat_map(|&other| memory[other * width..(other + 1) * width].iter().copied()).collect()
    }

    /// Expected rating against the given one, both as levels; no figure for a log without ratings.
    fn rating(&mut self, memory: &[f32]) -> Result<(), UserError> {
        let lists = self.held_out.lists(ListKind::Single, 1, true);
        let mut responses = self.answer(&lists, memory.to_vec())?;
        let mut squares = Vec::with_capacity(lists.len());
        for (place, classes) in responses.rating.chunks_exact_mut(RATINGS).enumerate() {
            softmax(classes);
            let expected: f64 =
                classes.iter().zip(1..).map(|(&share, class)| f64::from(share) * f64::from(class)).sum();
            let given = f64::from(self.held_out.moment(place).0.rating);
            if given.is_finite() {
                squares.push((place, (expected - given) * (expected - given)));
            }
        }
        if squares.is_empty() {
            return Ok(());
        }
        let mut by_moment = vec![None; self.held_out.len()];
        squares.iter().for_each(|&(place, square)| by_moment[place] = Some(square));
        let root = |places: &[usize]| {
            let known: Vec<f64> = places.iter().filter_map(|&place| by_moment[place]).collect();
            (known.iter().sum::<f64>() / known.len().max(1) as f64).sqrt()
        };
        let estimate = root(&(0..self.held_out.len()).collect::<Vec<_>>());
        let (low, high) = self.bootstrap(root);
        self.push("rating", "model", "RMSE", (estimate, low, high));
        Ok(())
    }

    fn mean(&mut self, measure: &'static str, who: &str, list: &'static str, values: &[f64]) {
        let mean =
            |places: &[usize]| places.iter().map(|&place| values[place]).sum::<f64>() / places.len().max(1) as f64;
        let estimate = mean(&(0..values.len()).collect::<Vec<_>>());
        let (low, high) = self.bootstrap(mean);
        self.push(measure, who, list, (estimate, low, high));
    }

    fn push(&mut self, measure: &'static str, who: &str, list: &'static str, (estimate, low, high): (f64, f64, f64)) {
        let scenes = self.held_out.len();
        self.figures.push(Figure { measure, who: who.to_owned(), list, scenes, estimate, low, high });
    }

    /// The 95% percentile interval of a statistic over resampled users.
    fn bootstrap(&self, statistic: impl Fn(&[usize]) -> f64) -> (f64, f64) {
        let mut places: Vec<(LogUserId, usize)> = self.held_out.users().zip(0..).collect();
        places.sort_unstable();
        let users: Vec<&[(LogUserId, usize)]> = places.chunk_by(|a, b| a.0 == b.0).collect();
        if users.len() < 2 {
            // Of one user every resample is the same, and an interval without width would pass for certainty.
            return (f64::NAN, f64::NAN);
        }
        let mut found: Vec<f64> = Vec::with_capacity(RESAMPLES);
        let mut sample = Vec::with_capacity(places.len());
        for resample in 0..RESAMPLES {
            let mut rng = Streams::new(self.seed, 0).derive(Purpose::Bootstrap, resample as u64, 0);
            sample.clear();
            for _ in 0..users.len() {
                sample.extend(users[below(&mut rng, users.len() as u32) as usize].iter().map(|entry| entry.1));
            }
            found.push(statistic(&sample));
        }
        found.retain(|value| value.is_finite());
        if found.is_empty() {
            return (f64::NAN, f64::NAN);
        }
        found.sort_by(f64::total_cmp);
        (found[found.len() / 40], found[found.len() - 1 - found.len() / 40])
    }
}

/// The paired differences of two rows of hits.
fn lead(own: &[f64], other: &[f64]) -> Vec<f64> {
    own.iter().zip(other).map(|(own, other)| own - other).collect()
}
