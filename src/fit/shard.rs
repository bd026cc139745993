//! One shard of training data.
//!
//! Some users' histories and the scenes within them, with everything that was drawn.

use crate::scene::CONTEXT;
use ndarray::Array2;
use std::ops::Range;

/// The tables that all shards gather from. Nothing in them is learned.
pub(super) struct Tables {
    /// `[items, attributes]`.
    pub(super) attributes: Array2<f32>,
    /// `[items, vectors]` for each fold, made without the fold's users, then made of everybody.
    pub(super) vectors: Vec<Array2<f32>>,
    /// `[users, profile]`.
    pub(super) profiles: Array2<f32>,
    /// `[vectors]`: the vector of an item without interactions.
    pub(super) no_vector: Vec<f32>,
}

/// An item as the users of one fold see it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Pair {
    /// The index in [`Tables::vectors`].
    pub(super) table: usize,
    /// The item.
    pub(super) item: usize,
    /// True if its vector is there; otherwise it is a new item.
    pub(super) has_vector: bool,
}

/// An accepted item that enters a state.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Event {
    /// Place in [`Shard::pairs`].
    pub(super) pair: usize,
    /// The rating, encoded as for the `update` graph.
    pub(super) rating: [f32; 3],
    /// Factor of its contribution to the averages; 0 for none.
    pub(super) trace: f32,
}

/// A shown item.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Slot {
    /// Place in [`Shard::pairs`].
    pub(super) pair: usize,
    /// Inputs that depend on item and time.
    pub(super) context: [f32; CONTEXT],
    /// Its examination probability.
    pub(super) look: f32,
    /// Logarithm of the number of items that it represents.
    pub(super) stands_for: f32,
}

/// The origin of a list, which determines its loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// Drawn around a taken item: all slots are examined, and nothing may be taken.
    Drawn,
    /// It was drawn, and is a comparison: something is taken.
    Contrast,
    /// It was shown.
    Shown,
}

/// A list with its taken items.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scene {
    /// Events before it: it sees those from the beginning of its span to this place in [`Shard::events`].
    pub(super) after: usize,
    /// Its slots in [`Shard::slots`].
    pub(super) slots: Range<usize>,
    /// The indices in [`Shard::slots`] of taken items: several in a shown list, where they come first; none if nothing
    /// was taken.
    pub(super) taken: Range<usize>,
    /// Its origin.
    pub(super) origin: Origin,
    /// Items of the list; of a long one that was shown, not all have a slot.
    pub(super) length: usize,
    /// Its rating as a level from 1 to 5; NaN without a rating.
    pub(super) level: f32,
    /// Weight of the choice.
    pub(super) weight: f32,
    /// Weight of the rating.
    pub(super) rating_weight: f32,
}

/// Neighbouring events of one user, and scenes among them in the order of time.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Span {
    /// Row of [`Tables::profiles`].
    pub(super) user: usize,
    /// True if the profile is known.
    pub(super) has_profile: bool,
    /// Its events in [`Shard::events`].
    pub(super) events: Range<usize>,
    /// Its scenes in [`Shard::scenes`].
    pub(super) scenes: Range<usize>,
}

/// See the module's documentation.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Shard {
    pub(super) pairs: Vec<Pair>,
    pub(super) events: Vec<Event>,
    pub(super) slots: Vec<Slot>,
    pub(super) scenes: Vec<Scene>,
    pub(super) spans: Vec<Span>,
}

impl Tables {
    /// Columns of an item's vector.
    pub(super) fn vector_width(&self) -> usize {
        self.no_vector.len()
    }

    /// `[pairs, attributes + vectors]`.
    pub(super) fn inputs(&self, pairs: &[Pair]) -> Array2<f32> {
        let attributes = self.attributes.ncols();
        let mut inputs = Array2::zeros((pairs.len(), attributes + self.vector_width()));
        for (mut row, pair) in inputs.rows_mut().into_iter().zip(pairs) {
            let known = self.attributes.row(pair.item);
            let vector = self.vectors[pair.table].row(pair.item);
            row.iter_mut().zip(known).for_each(|(into, &from)| *into = from);
            let into = row.iter_mut().skip(attributes);
            if pair.has_vector {
                into.zip(vector).for_each(|(into, &from)| *into = from);
            } else {
                into.zip(&self.no_vector).for_each(|(into, &from)| *into = from);
            }
        }
        inputs
    }
}
