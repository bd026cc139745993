//! The network of a fitted mirror.
//!
//! [`super::passes`] computes it, [`super::graphs`] writes it.
//!
//! A user is a state: exponential averages of accepted items at several decays, sums of rated items, and the profile.
//! The state gives a query, and a query scores every slot on its own, so that no rule about lists can be learned:
//!
//! ```text
//! item   = W2 relu(W1 [attributes | vectors]) + W3 [attributes | vectors]
//!        = choice part [Dc] | taste [T] | bias [1] | event part [E] | rated part [T]
//! x      = tanh(event part + W4 event)                    [E]
//! mean_d = d mean_d + (1 - d) x          for each decay d [E] each
//! sums   = sums + known (rating rated part | rating | 1)  [T + 2], ratings as (level - 3.5) / 1.1
//! state  = mean_d1 | mean_d2 | ... | sums | tanh(W5 profile)
//! rated  = sums / (number of ratings + 5)
//! query  = W7 relu(W6 [mean_d .. | rated | profile]) + [0 | W8 rated]
//!        = gate [Dc] | bias [H] | reject part [J] | taste [T] | bias [1]
//! hidden = relu(W9 [gate * choice part | context] + bias) for each slot [H]
//! choice = W10 hidden for each slot, then W12 relu(W11 [reject part | (slots - 1) / 4])
//! like   = taste of the user . taste of the item + bias of the item + bias of the user
//! rating = W13 hidden + like (-2, -1, 0, 1, 2): logits of the levels 1 to 5
//! ```
//!
//! `like` is matrix factorisation with biases (Koren, Bell and Volinsky 2009, "Matrix factorization techniques for
//! recommender systems"), where factors are functions of features and history instead of tables of ids (Paterek 2007,
//! NSVD): it predicts ratings of items that users would not have picked. As logits it is an adjacent-categories model
//! (Agresti 2010, "Analysis of ordinal categorical data", section 4.1).

use super::layer::Layer;
use crate::user::RATINGS;
use rand_chacha::rand_core::Rng;
use serde::{Deserialize, Serialize};

/// Columns of an item that are gated.
pub(super) const GATED: usize = 48;
/// Columns of an item that an event reads.
pub(super) const EVENT_ITEM: usize = 48;
/// Factors of the liking.
pub(super) const TASTE: usize = 16;
/// Leading columns of an item that a choice reads.
pub(super) const CHOICE_ITEM: usize = GATED + TASTE + 1;
/// Columns of an item.
pub(super) const ITEM: usize = CHOICE_ITEM + EVENT_ITEM + TASTE;
/// Columns of the hidden layer of a slot.
pub(super) const HIDDEN: usize = 48;
/// Columns of a query that the reject score reads.
pub(super) const REJECT: usize = 16;
/// Columns of a query.
pub(super) const QUERY: usize = GATED + HIDDEN + REJECT + TASTE + 1;
/// Columns of a state that come from the profile.
pub(super) const START: usize = 16;
/// Columns of the sums over ratings: rated parts, ratings, their number.
pub(super) const SUMS: usize = TASTE + 2;
/// The decays of the averages.
pub(super) const DECAYS: [f32; 5] = [0.3, 0.7, 0.9, 0.97, 0.995];
/// Columns of a state that are averages.
pub(super) const AVERAGES: usize = DECAYS.len() * EVENT_ITEM;
/// Columns of a state.
pub(super) const STATE: usize = AVERAGES + SUMS + START;
/// Assumed ratings of a user at the mean, in addition to the user's own.
pub(super) const PRIOR: f32 = 5.0;
/// Columns of an event.
pub(super) const EVENT: usize = 3;

const ITEM_HIDDEN: usize = 64;
const QUERY_HIDDEN: usize = 96;
const REJECT_HIDDEN: usize = 16;

/// Sizes that the data decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Inputs {
    /// Columns of an item's fields.
    pub(super) attributes: usize,
    /// Columns of an item's vectors.
    pub(super) vectors: usize,
    /// Columns of a user's fields.
    pub(super) profile: usize,
    /// Columns of the features of item and moment.
    pub(super) context: usize,
}

/// All layers; also their gradient, or the moments of an optimiser.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Network {
    pub(super) item_in: Layer,
    pub(super) item_out: Layer,
    pub(super) item_skip: Layer,
    pub(super) event: Layer,
    pub(super) profile: Layer,
    pub(super) query_in: Layer,
    pub(super) query_out: Layer,
    pub(super) rated: Layer,
    pub(super) slot: Layer,
    pub(super) choice: Layer,
    pub(super) reject_in: Layer,
    pub(super) reject_out: Layer,
    pub(super) rating: Layer,
}

impl Network {
    /// Random weights. The gate starts at 1, so that items are not changed for an unknown user.
    pub(super) fn random<R: Rng>(rng: &mut R, inputs: Inputs) -> Network {
        let mut layer = |[from, to]: [usize; 2], scale: f64| Layer::random(rng, from, to, scale);
        let [
            item_in,
            item_out,
            item_skip,
            event,
            profile,
            query_in,
            query_out,
            rated,
            slot,
            choice,
            reject_in,
            reject_out,
            rating,
        ] = sizes(inputs);
        let mut network = Network {
            item_in: layer(item_in, 1.0),
            item_out: layer(item_out, 0.5),
            item_skip: layer(item_skip, 1.0),
            event: layer(event, 1.0),
            profile: layer(profile, 0.5),
            query_in: layer(query_in, 1.0),
            query_out: layer(query_out, 1.0),
            rated: layer(rated, 1.0),
            slot: layer(slot, 1.0),
            choice: layer(choice, 1.0),
            reject_in: layer(reject_in, 1.0),
            reject_out: layer(reject_out, 1.0),
            rating: layer(rating, 1.0),
        };
        network.query_out.bias.iter_mut().take(GATED).for_each(|gate| *gate = 1.0);
        network
    }

    /// All zeros.
    pub(super) fn zeros(inputs: Inputs) -> Network {
        let [
            item_in,
            item_out,
            item_skip,
            event,
            profile,
            query_in,
            query_out,
            rated,
            slot,
            choice,
            reject_in,
            reject_out,
            rating,
        ] = sizes(inputs).map(|[from, to]| Layer::zeros(from, to));
        Network {
            item_in,
            item_out,
            item_skip,
            event,
            profile,
            query_in,
            query_out,
            rated,
            slot,
            choice,
            reject_in,
            reject_out,
            rating,
        }
    }

    /// A network of the same sizes, all zeros.
    pub(super) fn zeroed(&self) -> Network {
        let (attributes, profile) = (self.item_in.weights.nrows(), self.profile.weights.nrows());
        let context = self.slot.weights.nrows() - GATED;
        Network::zeros(Inputs { attributes, vectors: 0, profile, context })
    }

    /// The layers in a fixed order.
    pub(super) fn layers(&self) -> [&Layer; 13] {
        [
            &self.item_in,
            &self.item_out,
            &self.item_skip,
            &self.event,
            &self.profile,
            &self.query_in,
            &self.query_out,
            &self.rated,
            &self.slot,
            &self.choice,
            &self.reject_in,
            &self.reject_out,
            &self.rating,
        ]
    }

    /// The layers in a fixed order.
    pub(super) fn layers_mut(&mut self) -> [&mut Layer; 13] {
        [
            &mut self.item_in,
            &mut self.item_out,
            &mut self.item_skip,
            &mut self.event,
            &mut self.profile,
            &mut self.query_in,
            &mut self.query_out,
            &mut self.rated,
            &mut self.slot,
            &mut self.choice,
            &mut self.reject_in,
            &mut self.reject_out,
            &mut self.rating,
        ]
    }

    /// All numbers in a fixed order.
    pub(super) fn values(&self) -> impl Iterator<Item = &f32> {
        self.layers().into_iter().flat_map(Layer::values)
    }

    /// All numbers in a fixed order.
    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut f32> {
        self.layers_mut().into_iter().flat_map(Layer::values_mut)
    }

    /// True for [`Network::values`] that serve ratings alone: weights and biases towards taste and bias of items and of
    /// users, and weights towards the logits of the levels. The biases of the levels are the intercepts of the ratings
    /// and are not among them: their decay would move all ratings to the middle level.
    pub(super) fn serve_ratings(&self) -> Vec<bool> {
        let mut flags = self.zeroed();
        let item = (GATED..CHOICE_ITEM).chain(CHOICE_ITEM + EVENT_ITEM..ITEM);
        let taste = GATED + HIDDEN + REJECT..QUERY;
        flags.item_out.fill_columns(item.clone());
        flags.item_skip.fill_columns(item);
        flags.query_out.fill_columns(taste);
        flags.rated.fill_columns(0..TASTE + 1);
        flags.rating.weights.fill(1.0);
        flags.values().map(|&flag| flag > 0.0).collect()
    }

    /// Number of parameters.
    pub(super) fn len(&self) -> usize {
        self.layers().iter().map(|layer| layer.weights.len() + layer.bias.len()).sum()
    }

    /// Adds another network, number by number.
    pub(super) fn add(&mut self, other: &Network) {
        for (into, from) in self.layers_mut().into_iter().zip(other.layers()) {
            into.weights += &from.weights;
            into.bias += &from.bias;
        }
    }
}

/// Inputs and outputs of each layer, in the order of [`Network::layers`].
fn sizes(of: Inputs) -> [[usize; 2]; 13] {
    let item = of.attributes + of.vectors;
    [
        [item, ITEM_HIDDEN],
        [ITEM_HIDDEN, ITEM],
        [item, ITEM],
        [EVENT, EVENT_ITEM],
        [of.profile, START],
        [STATE, QUERY_HIDDEN],
        [QUERY_HIDDEN, QUERY],
        [SUMS, TASTE + 1],
        [GATED + of.context, HIDDEN],
        [HIDDEN, 1],
        [REJECT + 1, REJECT_HIDDEN],
        [REJECT_HIDDEN, 1],
        [HIDDEN, RATINGS],
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, Streams};

    #[test]
    fn numbers_come_in_one_order() {
        let inputs = Inputs { attributes: 3, vectors: 4, profile: 2, context: 2 };
        let network = Network::random(&mut Streams::new(1, 0).derive(Purpose::Fitting, 0, 0), inputs);
        let mut copy = Network::zeros(inputs);
        assert_eq!(network.values().count(), network.len());
        copy.values_mut().zip(network.values()).for_each(|(into, &from)| *into = from);
        assert_eq!(copy, network);
        copy.add(&network);
        assert!(copy.values().zip(network.values()).all(|(double, single)| *double == 2.0 * single));
        let zeros = Network::zeros(Inputs { attributes: 0, vectors: 2, profile: 0, context: 2 });
        assert_eq!(zeros.profile.weights.dim(), (0, START), "a log without fields is no special case");
    }
}
