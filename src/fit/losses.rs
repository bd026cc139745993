//! The losses of choices and ratings, and the gradients of their logits.

use super::network::Network;
use super::passes::{Tape, forward};
use super::shard::{Origin, Scene, Shard, Tables};
use super::shown_loss::shown_loss;
use crate::user::RATINGS;

/// Sums over the scenes of a shard.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Loss {
    /// Weighted cross entropy of the choices, nats.
    pub(super) choice: f64,
    /// Weighted half sum of cross entropy and squared error of the ratings.
    pub(super) rating: f64,
}

impl Loss {
    /// Adds another sum.
    pub(super) fn add(&mut self, other: Loss) {
        self.choice += other.choice;
        self.rating += other.rating;
    }
}

/// By how much the logit of each level moves with the liking.
pub(super) const STEPS: [f32; RATINGS] = [-2.0, -1.0, 0.0, 1.0, 2.0];

/// The loss of a shard alone.
pub(super) fn loss(network: &Network, tables: &Tables, shard: &Shard) -> Loss {
    let tape = forward(network, tables, shard);
    let mut loss = Loss::default();
    for (place, scene) in shard.scenes.iter().enumerate() {
        loss.choice += choice_gradient(&tape, shard, place).0;
        if let Some(slot) = rated_slot(scene) {
            loss.rating += rating_gradient(tape.levels(network, shard, place, slot), scene).0;
        }
    }
    loss
}

/// The slot whose rating counts.
pub(super) fn rated_slot(scene: &Scene) -> Option<usize> {
    scene.taken.clone().next().filter(|_| scene.level.is_finite() && scene.rating_weight > 0.0)
}

/// The loss of a choice; the gradient of the slots' logits, then of the logit of taking nothing.
pub(super) fn choice_gradient(tape: &Tape, shard: &Shard, place: usize) -> (f64, Vec<f32>) {
    let scene = &shard.scenes[place];
    let mut shares: Vec<f32> = tape.score[scene.slots.clone()].to_vec();
    shares.push(if scene.origin == Origin::Contrast { f32::NEG_INFINITY } else { tape.reject[place] });
    let loss = if scene.origin == Origin::Shown {
        shown_loss(&mut shares, &shard.slots[scene.slots.clone()], scene.taken.len())
    } else {
        let label = scene.taken.clone().next().map_or(shares.len() - 1, |slot| slot - scene.slots.start);
        let loss = softmax_loss(&mut shares, label);
        shares[label] -= 1.0;
        loss
    };
    shares.iter_mut().for_each(|share| *share *= scene.weight);
    (loss * f64::from(scene.weight), shares)
}

/// Turns logits into shares; returns minus the logarithm of the share of `label`.
fn softmax_loss(logits: &mut [f32], label: usize) -> f64 {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let own = logits[label] - top;
    let mut total = 0.0;
    for logit in logits.iter_mut() {
        *logit = libm::expf(*logit - top);
        total += *logit;
    }
    logits.iter_mut().for_each(|share| *share /= total);
    f64::from(libm::logf(total) - own)
}

/// The loss of a rating and the gradient of its logits. A rating between two levels counts as both, by its distance.
pub(super) fn rating_gradient(mut shares: [f32; RATINGS], scene: &Scene) -> (f64, [f32; RATINGS]) {
    let level = scene.level.clamp(1.0, RATINGS as f32);
    let lower = (level as usize - 1).min(RATINGS - 2);
    let upper_share = level - (lower + 1) as f32;
    let mut entropy = (1.0 - f64::from(upper_share)) * softmax_loss(&mut shares, lower);
    entropy += f64::from(upper_share) * -f64::from(libm::logf(shares[lower + 1].max(1e-20)));
    let expected: f32 = shares.iter().zip(1..).map(|(share, level)| share * level as f32).sum();
    let error = expected - level;
    let weight = 0.5 * scene.rating_weight;
    let gradient = std::array::from_fn(|place| {
        let wanted = match place {
            place if place == lower => 1.0 - upper_share,
            place if place == lower + 1 => upper_share,
            _ => 0.0,
        };
        let slope = 2.0 * error * shares[place] * ((place + 1) as f32 - expected);
        weight * (shares[place] - wanted + slope)
    });
    (f64::from(weight) * (entropy + f64::from(error) * f64::from(error)), gradient)
}
