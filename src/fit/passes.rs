//! The forward pass of the network on one shard.
//!
//! [`super::losses`] computes its loss, [`super::backward`] its gradients.
//!
//! A shard is computed by one thread in one order, so its bits depend on nothing else.

use super::layer::relu;
use super::losses::STEPS;
use super::network::{
    AVERAGES, CHOICE_ITEM, DECAYS, EVENT, EVENT_ITEM, GATED, HIDDEN, Network, PRIOR, QUERY, REJECT, STATE, SUMS, TASTE,
};
use super::shard::{Shard, Tables};
use crate::scene::CONTEXT;
use crate::user::RATINGS;
use ndarray::{Array2, ArrayView1, s};

/// First column of the rated part of an item.
pub(super) const RATED_PART: usize = CHOICE_ITEM + EVENT_ITEM;
/// First column of the reject part of a query.
pub(super) const REJECT_PART: usize = GATED + HIDDEN;
/// First column of the taste in a query.
pub(super) const TASTE_PART: usize = REJECT_PART + REJECT;

/// The values of the forward pass that the backward pass needs.
pub(super) struct Tape {
    pub(super) inputs: Array2<f32>,
    pub(super) item_hidden: Array2<f32>,
    pub(super) item: Array2<f32>,
    /// `[events, EVENT_ITEM]`, before traces.
    pub(super) x: Array2<f32>,
    pub(super) profile: Array2<f32>,
    pub(super) start: Array2<f32>,
    /// `[scenes, STATE]`: what the query reads; its sums are already divided.
    pub(super) state: Array2<f32>,
    pub(super) query_hidden: Array2<f32>,
    pub(super) query: Array2<f32>,
    pub(super) seen: Array2<f32>,
    pub(super) hidden: Array2<f32>,
    pub(super) reject_seen: Array2<f32>,
    pub(super) reject_hidden: Array2<f32>,
    /// `[slots]`: logits of the slots.
    pub(super) score: Vec<f32>,
    /// `[scenes]`: logits of taking nothing.
    pub(super) reject: Vec<f32>,
}

/// The forward pass.
pub(super) fn forward(network: &Network, tables: &Tables, shard: &Shard) -> Tape {
    let inputs = tables.inputs(&shard.pairs);
    let mut item_hidden = network.item_in.forward(&inputs.view());
    relu(&mut item_hidden);
    let item = network.item_out.forward(&item_hidden.view()) + network.item_skip.forward(&inputs.view());
    let mut x = network.event.forward(&ratings(shard).view());
    for (mut row, event) in x.rows_mut().into_iter().zip(&shard.events) {
        row += &item.row(event.pair).slice(s![CHOICE_ITEM..RATED_PART]);
    }
    x.mapv_inplace(libm::tanhf);
    let profile = profiles(tables, shard);
    let mut start = network.profile.forward(&profile.view());
    start.mapv_inplace(libm::tanhf);
    let state = states(shard, &item, &x, &start);
    let mut query_hidden = network.query_in.forward(&state.view());
    relu(&mut query_hidden);
    let mut query = network.query_out.forward(&query_hidden.view());
    let rated = network.rated.forward(&state.slice(s![.., AVERAGES..AVERAGES + SUMS]));
    let mut taste = query.slice_mut(s![.., TASTE_PART..]);
    taste += &rated;
    let (seen, hidden) = slots(network, shard, &item, &query);
    let score = network.choice.forward(&hidden.view()).into_iter().collect();
    let reject_seen = reject_inputs(shard, &query);
    let mut reject_hidden = network.reject_in.forward(&reject_seen.view());
    relu(&mut reject_hidden);
    let reject = network.reject_out.forward(&reject_hidden.view()).into_iter().collect();
    Tape {
        inputs,
        item_hidden,
        item,
        x,
        profile,
        start,
        state,
        query_hidden,
        query,
        seen,
        hidden,
        reject_seen,
        reject_hidden,
        score,
        reject,
    }
}

/// `[events, EVENT]`.
pub(super) fn ratings(shard: &Shard) -> Array2<f32> {
    Array2::from_shape_fn((shard.events.len(), EVENT), |(event, column)| shard.events[event].rating[column])
}

/// `[spans, profile]`.
fn profiles(tables: &Tables, shard: &Shard) -> Array2<f32> {
    let mut rows = Array2::zeros((shard.spans.len(), tables.profiles.ncols()));
    for (mut row, span) in rows.rows_mut().into_iter().zip(&shard.spans).filter(|(_, span)| span.has_profile) {
        row.assign(&tables.profiles.row(span.user));
    }
    rows
}

/// `[scenes, STATE]`.
fn states(shard: &Shard, item: &Array2<f32>, x: &Array2<f32>, start: &Array2<f32>) -> Array2<f32> {
    let mut states = Array2::zeros((shard.scenes.len(), STATE));
    for (span, start) in shard.spans.iter().zip(start.rows()) {
        let (mut averages, mut sums) = ([0.0f32; AVERAGES], [0.0f32; SUMS]);
        let mut at = span.events.start;
        for place in span.scenes.clone() {
            while at < shard.scenes[place].after {
                let event = &shard.events[at];
                average(&mut averages, x.row(at), event.trace);
                if event.trace > 0.0 {
                    sum(&mut sums, item.row(event.pair).slice(s![RATED_PART..]), event.rating);
                }
                at += 1;
            }
            let numbers = averages.iter().copied().chain(sums.iter().map(|value| value / (sums[SUMS - 1] + PRIOR)));
            let numbers = numbers.chain(start.iter().copied());
            states.row_mut(place).iter_mut().zip(numbers).for_each(|(into, from)| *into = from);
        }
    }
    states
}

fn average(averages: &mut [f32; AVERAGES], x: ArrayView1<'_, f32>, trace: f32) {
    for (averages, decay) in averages.chunks_exact_mut(EVENT_ITEM).zip(DECAYS) {
        let gain = (1.0 - decay) * trace;
        averages.iter_mut().zip(x).for_each(|(average, &x)| *average = decay * *average + gain * x);
    }
}

fn sum(sums: &mut [f32; SUMS], rated_part: ArrayView1<'_, f32>, [rating, _, known]: [f32; EVENT]) {
    sums.iter_mut().zip(rated_part).for_each(|(sum, &part)| *sum += rating * part);
    sums[TASTE] += rating;
    sums[TASTE + 1] += known;
}

/// `[slots, GATED + CONTEXT]` and `[slots, HIDDEN]`.
fn slots(network: &Network, shard: &Shard, item: &Array2<f32>, query: &Array2<f32>) -> (Array2<f32>, Array2<f32>) {
    let mut seen = Array2::zeros((shard.slots.len(), GATED + CONTEXT));
    for (scene, query) in shard.scenes.iter().zip(query.rows()) {
        for place in scene.slots.clone() {
            let slot = &shard.slots[place];
            let gated = query.iter().zip(item.row(slot.pair)).take(GATED).map(|(gate, item)| gate * item);
            let numbers = gated.chain(slot.context);
            seen.row_mut(place).iter_mut().zip(numbers).for_each(|(into, from)| *into = from);
        }
    }
    let mut hidden = network.slot.forward(&seen.view());
    for (scene, query) in shard.scenes.iter().zip(query.rows()) {
        let bias = query.slice_move(s![GATED..REJECT_PART]);
        for place in scene.slots.clone() {
            let mut row = hidden.row_mut(place);
            row += &bias;
        }
    }
    relu(&mut hidden);
    (seen, hidden)
}

/// `[scenes, REJECT + 1]`.
fn reject_inputs(shard: &Shard, query: &Array2<f32>) -> Array2<f32> {
    let mut seen = Array2::zeros((shard.scenes.len(), REJECT + 1));
    for ((mut row, scene), query) in seen.rows_mut().into_iter().zip(&shard.scenes).zip(query.rows()) {
        row.slice_mut(s![..REJECT]).assign(&query.slice(s![REJECT_PART..TASTE_PART]));
        row[REJECT] = (scene.length as f32 - 1.0) / 4.0;
    }
    seen
}

impl Tape {
    /// Logits of the levels 1 to 5 of one slot.
    pub(super) fn levels(&self, network: &Network, shard: &Shard, scene: usize, slot: usize) -> [f32; RATINGS] {
        let like = self.like(shard, scene, slot);
        let hidden = self.hidden.row(slot);
        std::array::from_fn(|level| {
            let linear = network.rating.weights.column(level).dot(&hidden) + network.rating.bias[level];
            linear + like * STEPS[level]
        })
    }

    fn like(&self, shard: &Shard, scene: usize, slot: usize) -> f32 {
        let item = self.item.row(shard.slots[slot].pair);
        let query = self.query.row(scene);
        let product = query.slice(s![TASTE_PART..TASTE_PART + TASTE]).dot(&item.slice(s![GATED..GATED + TASTE]));
        product + item[CHOICE_ITEM - 1] + query[QUERY - 1]
    }
}
