//! A test of a mirror's graphs at load.
//!
//! Each row must depend on itself alone.
//!
//! The rows come from the log, so that a graph is tested on realistic numbers.

use super::Mirror;
use crate::ids::{ItemId, LogUserId};
use crate::onnx::{Graph, check_rows, row_bits};
use crate::scene::{CONTEXT, SceneBatch};
use crate::user::{Memorised, RATINGS, Responses, UserError, UserModel};
use ndarray::{Array2, Axis};

/// Slots of the scenes of the trial.
const SLATE: usize = 5;

impl Mirror {
    /// Refuses graphs that mix the rows of a call, or whose results change when they are repeated. True if choices and
    /// ratings apart have the bits of the complete graph.
    pub(super) fn try_rows(
        &self,
        item: &Graph,
        attributes: &Array2<f32>,
        vectors: &Array2<f32>,
    ) -> Result<bool, UserError> {
        let (items, users) = (attributes.nrows().min(self.chunk), self.profiles.nrows().min(self.chunk));
        check_rows(item.path(), items, |places| -> Result<_, UserError> {
            let of = |table: &Array2<f32>| table.select(Axis(0), places);
            Ok(row_bits(&self.encode_items(item, &of(attributes), &of(vectors))?, self.card.dims.item))
        })?;
        if users == 0 || items == 0 {
            return Ok(false);
        }
        let total = self.memory().total;
        let started = |places: &[usize]| -> Result<Vec<f32>, UserError> {
            let users: Vec<LogUserId> = places.iter().map(|&place| LogUserId(place as u32)).collect();
            let mut memory = vec![0.0; places.len() * total];
            self.start(&users, &mut memory).map(|()| memory)
        };
        check_rows(self.start.path(), users, |places| Ok::<_, UserError>(row_bits(&started(places)?, total)))?;
        // Users may start with equal memories; the items that they have taken make them differ.
        let first = started(&(0..users).collect::<Vec<_>>())?;
        let updated = |places: &[usize]| self.updated(&first, places);
        check_rows(self.update.path(), users, |places| Ok::<_, UserError>(row_bits(&updated(places)?, total)))?;
        let memory = updated(&(0..users).collect::<Vec<_>>())?;
        check_rows(self.choice.path(), users, |places| self.answers(&memory, places))?;
        Ok(self.is_same_apart(&self.scenes(&memory, &(0..users).collect::<Vec<_>>())))
    }

    /// A graph may let the rating of an item depend on the rest of its list.
    fn is_same_apart(&self, scenes: &SceneBatch) -> bool {
        let (mut whole, mut apart) = (Responses::default(), Responses::default());
        let slots: Vec<(usize, usize)> = (0..scenes.items.len()).map(|at| (at / SLATE, at % SLATE)).collect();
        let mut ratings = vec![0.0; slots.len() * RATINGS];
        // What fails apart is not used apart.
        let outcome = self.respond(scenes, &mut whole).and_then(|()| self.choose(scenes, &mut apart));
        let bits = |values: &[f32]| row_bits(values, 1);
        outcome.and_then(|()| self.rate(scenes, &slots, &mut ratings)).is_ok()
            && bits(&whole.choice) == bits(&apart.choice)
            && bits(&whole.rating) == bits(&ratings)
    }

    /// The memories at these indices after each has taken an item of its own.
    fn updated(&self, memory: &[f32], places: &[usize]) -> Result<Vec<f32>, UserError> {
        let total = self.memory().total;
        let mut found: Vec<f32> =
            places.iter().flat_map(|&place| memory[place * total..(place + 1) * total].to_vec()).collect();
        let event =
            |&place: &usize| Memorised { item: self.item_of(place), rating: (1 + place % RATINGS) as f32, time: 0 };
        let events: Vec<Memorised> = places.iter().map(event).collect();
        let mut rows: Vec<&mut [f32]> = found.chunks_exact_mut(total).collect();
        self.update(&mut rows, &events)?;
        Ok(found)
    }

    /// Scenes of users with these memories.
    fn scenes(&self, memory: &[f32], places: &[usize]) -> SceneBatch {
        let shape = self.memory();
        let mut scenes = SceneBatch::default();
        scenes.reset(places.len(), SLATE, shape.read);
        for (row, &place) in places.iter().enumerate() {
            let from = place * shape.total;
            scenes.memory[row * shape.read..(row + 1) * shape.read].copy_from_slice(&memory[from..from + shape.read]);
            for slot in 0..SLATE {
                let at = row * SLATE + slot;
                scenes.items[at] = self.item_of(place * SLATE + slot);
                let number = (place * SLATE + slot) as f32;
                scenes.context[at * CONTEXT..(at + 1) * CONTEXT].fill(number / (1.0 + number) - 0.5);
            }
        }
        scenes
    }

    /// The answers of users with these memories to scenes of their own.
    fn answers(&self, memory: &[f32], places: &[usize]) -> Result<Vec<Vec<u32>>, UserError> {
        let mut out = Responses::default();
        self.respond(&self.scenes(memory, places), &mut out)?;
        let rows = row_bits(&out.choice, SLATE + 1).into_iter().zip(row_bits(&out.rating, SLATE * RATINGS));
        Ok(rows.map(|(choice, rating)| [choice, rating].concat()).collect())
    }

    /// One of the items, in turn.
    fn item_of(&self, number: usize) -> ItemId {
        let items = (self.items.len() / self.card.dims.item).max(1);
        ItemId((number % items) as u32)
    }
}
