//! The exact gradient of the loss of one shard.
//!
//! Goes back through [`super::passes`], written by hand.

use super::layer::relu_backward;
use super::losses::{Loss, STEPS, choice_gradient, rated_slot, rating_gradient};
use super::network::{
    AVERAGES, CHOICE_ITEM, DECAYS, EVENT_ITEM, GATED, HIDDEN, ITEM, Network, PRIOR, QUERY, REJECT, START, STATE, SUMS,
    TASTE,
};
use super::passes::{RATED_PART, REJECT_PART, TASTE_PART, Tape, forward, ratings};
use super::shard::{Shard, Tables};
use crate::user::RATINGS;
use ndarray::{Array2, ArrayView2, Axis, s};
use std::ops::Range;

/// The loss of a shard, and its gradient, which is added to `into`.
pub(super) fn gradient(network: &Network, tables: &Tables, shard: &Shard, into: &mut Network) -> Loss {
    let tape = forward(network, tables, shard);
    let mut back = Backward::new(&tape, shard);
    let loss = back.outputs(network, shard, into);
    back.slots(network, shard, into);
    back.queries(network, into);
    back.events(shard, into);
    back.items(network, into);
    loss
}

/// Gradients of the values on the tape.
struct Backward<'a> {
    tape: &'a Tape,
    item: Array2<f32>,
    query: Array2<f32>,
    hidden: Array2<f32>,
}

impl<'a> Backward<'a> {
    fn new(tape: &'a Tape, shard: &Shard) -> Backward<'a> {
        Backward {
            tape,
            item: Array2::zeros((shard.pairs.len(), ITEM)),
            query: Array2::zeros((shard.scenes.len(), QUERY)),
            hidden: Array2::zeros((shard.slots.len(), HIDDEN)),
        }
    }

    /// From the losses to the slots' hidden layers, the reject part, and the liking.
    fn outputs(&mut self, network: &Network, shard: &Shard, into: &mut Network) -> Loss {
        let tape = self.tape;
        let mut loss = Loss::default();
        let mut scores = Array2::zeros((shard.slots.len(), 1));
        let mut rejects = Array2::zeros((shard.scenes.len(), 1));
        for (place, scene) in shard.scenes.iter().enumerate() {
            let (choice, gradient) = choice_gradient(tape, shard, place);
            loss.choice += choice;
            scene.slots.clone().zip(&gradient).for_each(|(slot, &gradient)| scores[(slot, 0)] = gradient);
            rejects[(place, 0)] = gradient[scene.slots.len()];
        }
        into.choice.accumulate(&tape.hidden.view(), &scores.view());
        self.hidden += &network.choice.backward(&scores.view());
        loss.rating = self.ratings(network, shard, into);
        into.reject_out.accumulate(&tape.reject_hidden.view(), &rejects.view());
        let mut hidden = network.reject_out.backward(&rejects.view());
        relu_backward(&tape.reject_hidden, &mut hidden);
        into.reject_in.accumulate(&tape.reject_seen.view(), &hidden.view());
        let seen = network.reject_in.backward(&hidden.view());
        self.query.slice_mut(s![.., REJECT_PART..TASTE_PART]).assign(&seen.slice(s![.., ..REJECT]));
        loss
    }

    fn ratings(&mut self, network: &Network, shard: &Shard, into: &mut Network) -> f64 {
        let rated: Vec<(usize, usize)> = (0..shard.scenes.len())
            .filter_map(|place| rated_slot(&shard.scenes[place]).map(|slot| (place, slot)))
            .collect();
        let mut gradients = Array2::zeros((rated.len(), RATINGS));
        let mut total = 0.0;
        for (row, &(place, slot)) in rated.iter().enumerate() {
            let levels = self.tape.levels(network, shard, place, slot);
            let (loss, gradient) = rating_gradient(levels, &shard.scenes[place]);
            total += loss;
            gradients.row_mut(row).iter_mut().zip(gradient).for_each(|(into, from)| *into = from);
            let like: f32 = gradient.iter().zip(STEPS).map(|(gradient, step)| gradient * step).sum();
            self.like(shard, place, slot, like);
        }
        let slots: Vec<usize> = rated.iter().map(|&(_, slot)| slot).collect();
        into.rating.accumulate(&self.tape.hidden.select(Axis(0), &slots).view(), &gradients.view());
        let hidden = network.rating.backward(&gradients.view());
        for (&slot, from) in slots.iter().zip(hidden.rows()) {
            let mut row = self.hidden.row_mut(slot);
            row += &from;
        }
        total
    }

    fn like(&mut self, shard: &Shard, scene: usize, slot: usize, gradient: f32) {
        let pair = shard.slots[slot].pair;
        let (item, query) = (self.tape.item.row(pair), self.tape.query.row(scene));
        let mut to_item = self.item.row_mut(pair);
        to_item
            .slice_mut(s![GATED..GATED + TASTE])
            .scaled_add(gradient, &query.slice(s![TASTE_PART..TASTE_PART + TASTE]));
        to_item[CHOICE_ITEM - 1] += gradient;
        let mut to_query = self.query.row_mut(scene);
        to_query
            .slice_mut(s![TASTE_PART..TASTE_PART + TASTE])
            .scaled_add(gradient, &item.slice(s![GATED..GATED + TASTE]));
        to_query[QUERY - 1] += gradient;
    }

    /// From the slots' hidden layers to items and queries.
    fn slots(&mut self, network: &Network, shard: &Shard, into: &mut Network) {
        relu_backward(&self.tape.hidden, &mut self.hidden);
        into.slot.accumulate(&self.tape.seen.view(), &self.hidden.view());
        let seen = network.slot.backward(&self.hidden.view());
        for (place, scene) in shard.scenes.iter().enumerate() {
            let gates = self.tape.query.row(place);
            let mut to_query = self.query.row_mut(place);
            for slot in scene.slots.clone() {
                let pair = shard.slots[slot].pair;
                let (seen, item) = (seen.row(slot), self.tape.item.row(pair));
                let mut to_item = self.item.row_mut(pair);
                for column in 0..GATED {
                    to_query[column] += seen[column] * item[column];
                    to_item[column] += seen[column] * gates[column];
                }
                let mut bias = to_query.slice_mut(s![GATED..REJECT_PART]);
                bias += &self.hidden.row(slot);
            }
        }
    }

    /// From queries to states, which then are in `self.query`'s place.
    fn queries(&mut self, network: &Network, into: &mut Network) {
        let tape = self.tape;
        into.query_out.accumulate(&tape.query_hidden.view(), &self.query.view());
        let mut hidden = network.query_out.backward(&self.query.view());
        relu_backward(&tape.query_hidden, &mut hidden);
        into.query_in.accumulate(&tape.state.view(), &hidden.view());
        let mut state = network.query_in.backward(&hidden.view());
        let taste: ArrayView2<'_, f32> = self.query.slice(s![.., TASTE_PART..]);
        into.rated.accumulate(&tape.state.slice(s![.., AVERAGES..AVERAGES + SUMS]), &taste);
        let rated = network.rated.backward(&taste);
        let mut sums = state.slice_mut(s![.., AVERAGES..AVERAGES + SUMS]);
        sums += &rated;
        self.query = state;
    }

    /// From states to events and profiles.
    fn events(&mut self, shard: &Shard, into: &mut Network) {
        let tape = self.tape;
        let mut x = Array2::zeros(tape.x.dim());
        let mut start = Array2::zeros(tape.start.dim());
        for (place, span) in shard.spans.iter().enumerate() {
            let (mut averages, mut sums) = ([0.0f32; AVERAGES], [0.0f32; TASTE]);
            let mut at = span.scenes.clone().next_back().map_or(span.events.start, |last| shard.scenes[last].after);
            for scene in span.scenes.clone().rev() {
                self.fade(shard, shard.scenes[scene].after..at, &mut averages, &sums, &mut x);
                at = shard.scenes[scene].after;
                let state = self.query.row(scene);
                averages.iter_mut().zip(state).for_each(|(into, from)| *into += from);
                // The state holds weighted means of the sums; its last number is the divisor.
                let share = 1.0 - tape.state[(scene, AVERAGES + SUMS - 1)];
                let from = state.iter().skip(AVERAGES);
                sums.iter_mut().zip(from).for_each(|(into, from)| *into += from * share / PRIOR);
                let mut start = start.row_mut(place);
                start += &state.slice(s![STATE - START..]);
            }
            self.fade(shard, span.events.start..at, &mut averages, &sums, &mut x);
        }
        x.zip_mut_with(&tape.x, |gradient, &x| *gradient *= 1.0 - x * x);
        into.event.accumulate(&ratings(shard).view(), &x.view());
        for (event, from) in shard.events.iter().zip(x.rows()) {
            let mut row = self.item.row_mut(event.pair);
            let mut part = row.slice_mut(s![CHOICE_ITEM..RATED_PART]);
            part += &from;
        }
        start.zip_mut_with(&tape.start, |gradient, &start| *gradient *= 1.0 - start * start);
        into.profile.accumulate(&tape.profile.view(), &start.view());
    }

    /// Goes back through the events of `range`.
    fn fade(
        &mut self,
        shard: &Shard,
        range: Range<usize>,
        averages: &mut [f32; AVERAGES],
        sums: &[f32; TASTE],
        x: &mut Array2<f32>,
    ) {
        for at in range.rev() {
            let event = &shard.events[at];
            let mut row = x.row_mut(at);
            for (averages, decay) in averages.chunks_exact_mut(EVENT_ITEM).zip(DECAYS) {
                let gain = (1.0 - decay) * event.trace;
                row.iter_mut().zip(averages).for_each(|(into, average)| {
                    *into += gain * *average;
                    *average *= decay;
                });
            }
            if event.trace > 0.0 && event.rating[0] != 0.0 {
                let mut row = self.item.row_mut(event.pair);
                let part = row.slice_mut(s![RATED_PART..]);
                part.into_iter().zip(sums).for_each(|(into, sum)| *into += event.rating[0] * sum);
            }
        }
    }

    /// From items to the layers that make them.
    fn items(&mut self, network: &Network, into: &mut Network) {
        let tape = self.tape;
        into.item_skip.accumulate(&tape.inputs.view(), &self.item.view());
        into.item_out.accumulate(&tape.item_hidden.view(), &self.item.view());
        let mut hidden = network.item_out.backward(&self.item.view());
        relu_backward(&tape.item_hidden, &mut hidden);
        into.item_in.accumulate(&tape.inputs.view(), &hidden.view());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::losses;
    use crate::fit::network::Inputs;
    use crate::fit::shard::{Event, Origin, Pair, Scene, Slot, Span};
    use crate::random::{Purpose, Streams, unit};

    const INPUTS: Inputs = Inputs { attributes: 3, vectors: 4, profile: 2, context: 2 };

    /// Two users: one with ratings, a hidden event, a half star, a rejected list, and lists that were shown with several items
    /// taken and with none; one without any history, with a comparison.
    fn shard() -> Shard {
        let pair = |table, item, has_vector| Pair { table, item, has_vector };
        let event = |pair, rating, trace| Event { pair, rating, trace };
        let slot = |pair, x: f32, look, stands_for| Slot { pair, context: [x, -0.3 * x], look, stands_for };
        let plain = |pair, x| slot(pair, x, 1.0, 0.0);
        let scene = |after, slots: Range<usize>, taken, level, origin| {
            let (weight, rating_weight, length) = (0.7, 0.4, slots.len() + usize::from(origin == Origin::Shown));
            Scene { after, slots, taken, level, weight, rating_weight, origin, length }
        };
        Shard {
            pairs: vec![pair(0, 0, true), pair(0, 1, false), pair(0, 2, true), pair(1, 2, true)],
            events: vec![
                event(0, [0.9, 1.0, 1.0], 1.25),
                event(1, [-1.4, 0.0, 1.0], 1.25),
                event(2, [0.5, 0.0, 1.0], 0.0),
                event(2, [0.0; 3], 1.25),
            ],
            slots: vec![
                plain(0, 1.0),
                plain(1, 0.4),
                plain(2, -0.6),
                plain(1, 0.2),
                plain(3, 0.8),
                plain(3, 0.1),
                slot(2, 0.7, 0.5, 0.0),
                slot(0, 0.3, 0.9, 0.0),
                slot(1, -0.2, 0.7, 0.4),
                slot(3, -0.1, 0.6, 0.0),
                slot(2, 0.9, 1.0, 0.4),
                plain(1, 0.5),
                plain(3, -0.4),
            ],
            scenes: vec![
                scene(0, 0..2, 1..2, 4.0, Origin::Drawn),
                scene(2, 2..3, 2..2, 2.0, Origin::Drawn),
                scene(4, 3..5, 3..4, 3.5, Origin::Drawn),
                scene(4, 6..9, 6..8, f32::NAN, Origin::Shown),
                scene(4, 9..11, 9..9, f32::NAN, Origin::Shown),
                scene(4, 5..6, 5..6, f32::NAN, Origin::Drawn),
                scene(4, 11..13, 12..13, f32::NAN, Origin::Contrast),
            ],
            spans: vec![
                Span { user: 0, has_profile: true, events: 0..4, scenes: 0..5 },
                Span { user: 1, has_profile: false, events: 4..4, scenes: 5..7 },
            ],
        }
    }

    fn tables() -> Tables {
        let mut rng = Streams::new(5, 0).derive(Purpose::Fitting, 0, 0);
        let mut table = |rows, columns| Array2::from_shape_fn((rows, columns), |_| (unit(&mut rng) * 2.0 - 1.0) as f32);
        Tables {
            attributes: table(3, INPUTS.attributes),
            vectors: vec![table(3, INPUTS.vectors), table(3, INPUTS.vectors)],
            profiles: table(2, INPUTS.profile),
            no_vector: vec![0.0, 0.0, 0.0, -1.2],
        }
    }

    #[test]
    fn the_gradient_is_that_of_finite_differences() {
        let (tables, shard) = (tables(), shard());
        let mut rng = Streams::new(1, 0).derive(Purpose::Fitting, 0, 0);
        let mut network = Network::random(&mut rng, INPUTS);
        // With biases of 0, a user without any input would lie exactly on the kinks of the rectifiers.
        for layer in network.layers_mut() {
            layer.bias.iter_mut().for_each(|bias| *bias += (0.4 * unit(&mut rng) - 0.2) as f32);
        }
        let mut exact = network.zeroed();
        let loss = gradient(&network, &tables, &shard, &mut exact);
        assert_eq!(loss, losses::loss(&network, &tables, &shard), "both passes see the same loss");
        let total = |network: &Network| {
            let loss = losses::loss(network, &tables, &shard);
            loss.choice + loss.rating
        };
        for (layer, (at, of)) in exact.layers().iter().zip(network.layers()).enumerate() {
            let slopes: Vec<f32> = at.values().copied().collect();
            let scale = slopes.iter().fold(0.0f32, |most, slope| most.max(slope.abs()));
            assert!(scale > 0.0, "layer {layer} has a gradient");
            let count = of.values().count();
            let places: Vec<usize> = (0..count).step_by((count / 60).max(1)).collect();
            // A step may cross a kink of a rectifier, where differences are wrong; few do.
            let wrong = places.iter().filter(|&&place| {
                let moved = |by: f32| {
                    let mut network = network.clone();
                    if let Some(value) = network.layers_mut()[layer].values_mut().nth(place) {
                        *value += by;
                    }
                    total(&network)
                };
                let error = |step: f32| {
                    let slope = (moved(step) - moved(-step)) / (2.0 * f64::from(step));
                    (slope - f64::from(slopes[place])).abs()
                };
                let error = [1e-2, 3e-3, 1e-3].map(error).into_iter().fold(f64::INFINITY, f64::min);
                error > 0.01 * f64::from(scale) + 2e-4
            });
            let wrong = wrong.count();
            assert!(20 * wrong <= places.len(), "layer {layer}: {wrong} of {} numbers differ", places.len());
        }
    }
}
