//! Gradient descent with AdamW over batches of shards.
//!
//! A batch is a fixed number of shards, whose gradients are computed by any number of threads and added in their order: the
//! threads change no bit.

use super::backward::gradient;
use super::losses::{Loss, loss};
use super::network::Network;
use super::sampling::{Chunk, Draws, Drops, Sampler, epoch, grouped};
use super::settings::Decays;
use super::shard::{Shard, Tables};
use crate::random::Streams;
use rayon::prelude::*;

/// Shards of a batch.
pub(super) const BATCH: usize = 8;
/// The largest learning rate.
const LEARNING_RATE: f64 = 3e-3;
/// The learning rate ends at this share of the largest one.
const LAST_RATE: f64 = 0.02;
/// Steps in which the learning rate rises.
const WARMUP: f64 = 50.0;
/// Decay of the running mean of the weights.
const MEAN_DECAY: f64 = 0.995;
/// Decays of the moments (Kingma and Ba 2015).
const FIRST: f32 = 0.9;
const SECOND: f32 = 0.999;
/// Gradients longer than this are shortened to it.
const LONGEST: f64 = 1.0;
/// Share of the ratings in the loss.
pub(super) const RATING_WEIGHT: f64 = 0.3;

/// The training data.
pub(super) struct Lesson<'a> {
    pub(super) sampler: &'a Sampler<'a>,
    pub(super) tables: &'a Tables,
    /// Chunks of the interactions that are learned.
    pub(super) chunks: Vec<Chunk>,
    pub(super) streams: Streams,
    /// Epochs of the complete schedule.
    pub(super) epochs: u32,
    /// The most scenes of an epoch.
    pub(super) scenes: usize,
    /// Decoupled weight decay (Loshchilov and Hutter 2019), times the learning rate.
    pub(super) decays: Decays,
    /// `[weights]`: which serve ratings alone.
    pub(super) serve_ratings: Vec<bool>,
}

/// Weights on their way, between two epochs.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Learner {
    pub(super) network: Network,
    /// Running means of the gradient and of its square.
    pub(super) moments: [Network; 2],
    /// The running mean of the weights: what is kept in the end.
    pub(super) mean: Network,
    pub(super) steps: u64,
    /// Epochs that are done.
    pub(super) epochs: u32,
}

/// Mean losses.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Mean {
    /// Cross entropy of a choice, nats.
    pub(super) choice: f64,
    /// Half sum of cross entropy and squared error of a rating; 0 where nothing is rated.
    pub(super) rating: f64,
}

impl Mean {
    /// The objective.
    pub(super) fn total(self) -> f64 {
        self.choice + RATING_WEIGHT * self.rating
    }
}

impl Learner {
    pub(super) fn new(network: Network, zeros: Network) -> Learner {
        let moments = [zeros.clone(), zeros];
        Learner { mean: network.clone(), network, moments, steps: 0, epochs: 0 }
    }

    /// One epoch. `step` receives the completed share of it after each batch and returns true to continue; `None` if it
    /// stops, and the learner must not be used any more.
    pub(super) fn epoch(&mut self, lesson: &Lesson<'_>, mut step: impl FnMut(f64) -> bool) -> Option<Mean> {
        let draws = Draws { streams: lesson.streams, epoch: self.epochs, drops: Drops::TRAINING };
        let chunks = epoch(&lesson.chunks, draws, lesson.scenes);
        let groups = grouped(&chunks);
        let batches: Vec<&[&[Chunk]]> = groups.chunks(BATCH).collect();
        let last = u64::from(lesson.epochs) * batches.len() as u64;
        let (mut sum, mut sizes) = (Loss::default(), (0.0, 0.0));
        for (place, groups) in batches.iter().enumerate() {
            let mut shards: Vec<Shard> = groups.par_iter().map(|chunks| lesson.sampler.shard(chunks, draws)).collect();
            let (scenes, rated) = weigh(&mut shards);
            let (gradient, loss) = batch(&self.network, lesson.tables, &shards);
            self.step(gradient, last, lesson);
            sum.add(Loss { choice: loss.choice * scenes, rating: loss.rating / RATING_WEIGHT * rated });
            sizes = (sizes.0 + scenes, sizes.1 + rated);
            if !step((place + 1) as f64 / batches.len() as f64) {
                return None;
            }
        }
        self.epochs += 1;
        Some(Mean { choice: sum.choice / sizes.0.max(1.0), rating: sum.rating / f64::max(sizes.1, 1.0) })
    }

    /// One step of AdamW, with warm-up and a cosine to the end at step `last`.
    fn step(&mut self, mut gradient: Network, last: u64, lesson: &Lesson<'_>) {
        let length = gradient.values().map(|&value| f64::from(value) * f64::from(value)).sum::<f64>().sqrt();
        let shorten = if length > LONGEST { (LONGEST / length) as f32 } else { 1.0 };
        gradient.values_mut().for_each(|value| *value *= shorten);
        let rate = rate(self.steps as f64, last as f64);
        self.steps += 1;
        let steps = self.steps as f64;
        let correct = [FIRST, SECOND].map(|decay| (1.0 - libm::pow(f64::from(decay), steps)) as f32);
        let keep = MEAN_DECAY.min((1.0 + steps) / (10.0 + steps)) as f32;
        let [first, second] = &mut self.moments;
        let moments = first.values_mut().zip(second.values_mut());
        let weights = self.network.values_mut().zip(self.mean.values_mut());
        let decays = [lesson.decays.all, lesson.decays.rating].map(|decay| (rate * decay) as f32);
        let rate = rate as f32;
        let rest = gradient.values().zip(&lesson.serve_ratings);
        for (((first, second), (weight, mean)), (&slope, &of_ratings)) in moments.zip(weights).zip(rest) {
            let decay = decays[usize::from(of_ratings)];
            *first = FIRST * *first + (1.0 - FIRST) * slope;
            *second = SECOND * *second + (1.0 - SECOND) * slope * slope;
            let move_by = *first / correct[0] / ((*second / correct[1]).sqrt() + 1e-8);
            *weight -= rate * move_by + decay * *weight;
            *mean = keep * *mean + (1.0 - keep) * *weight;
        }
    }
}

/// The learning rate of a step.
fn rate(step: f64, last: f64) -> f64 {
    if step < WARMUP {
        return LEARNING_RATE * step / WARMUP;
    }
    let share = ((step - WARMUP) / (last - WARMUP).max(1.0)).min(1.0);
    let cosine = 0.5 * (1.0 + libm::cos(std::f64::consts::PI * share));
    LEARNING_RATE * (LAST_RATE + (1.0 - LAST_RATE) * cosine)
}

/// Scales the weights of a batch to sums of 1 for the choices and [`RATING_WEIGHT`] for the ratings; returns their
/// numbers.
fn weigh(shards: &mut [Shard]) -> (f64, f64) {
    let scenes = || shards.iter().flat_map(|shard| &shard.scenes);
    let choices: f64 = scenes().map(|scene| f64::from(scene.weight)).sum();
    let rated = scenes().filter(|scene| !scene.taken.is_empty() && scene.level.is_finite());
    let ratings: f64 = rated.map(|scene| f64::from(scene.rating_weight)).sum();
    for scene in shards.iter_mut().flat_map(|shard| &mut shard.scenes) {
        scene.weight = (f64::from(scene.weight) / choices.max(1e-9)) as f32;
        scene.rating_weight = (f64::from(scene.rating_weight) * RATING_WEIGHT / ratings.max(1e-9)) as f32;
    }
    (choices, ratings)
}

/// The gradient of some shards and their loss, added in their order.
fn batch(network: &Network, tables: &Tables, shards: &[Shard]) -> (Network, Loss) {
    let one = |shard: &Shard| {
        let mut into = network.zeroed();
        let loss = gradient(network, tables, shard, &mut into);
        (into, loss)
    };
    let parts: Vec<(Network, Loss)> = shards.par_iter().map(one).collect();
    let (mut sum, mut total) = (network.zeroed(), Loss::default());
    for (part, loss) in &parts {
        sum.add(part);
        total.add(*loss);
    }
    (sum, total)
}

/// The mean loss on the scenes of `chunks`, with nothing hidden and with the same lists at each call.
pub(super) fn held_out(network: &Network, lesson: &Lesson<'_>, chunks: &[Chunk]) -> Mean {
    let draws = Draws { streams: lesson.streams, epoch: u32::MAX >> 12, drops: Drops::NONE };
    let groups = grouped(chunks);
    let one = |chunks: &&[Chunk]| {
        let shard = lesson.sampler.shard(chunks, draws);
        let rated = shard.scenes.iter().filter(|scene| !scene.taken.is_empty() && scene.level.is_finite()).count();
        let scenes: f64 = shard.scenes.iter().map(|scene| f64::from(scene.weight)).sum();
        (loss(network, lesson.tables, &shard), scenes, rated)
    };
    let parts: Vec<(Loss, f64, usize)> = groups.par_iter().map(one).collect();
    let (mut sum, mut sizes) = (Loss::default(), (0.0, 0));
    for (loss, scenes, rated) in parts {
        sum.add(loss);
        sizes = (sizes.0 + scenes, sizes.1 + rated);
    }
    Mean { choice: sum.choice / f64::max(sizes.0, 1.0), rating: sum.rating / sizes.1.max(1) as f64 }
}
