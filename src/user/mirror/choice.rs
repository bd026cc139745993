//! Calls of the graph `choice`, complete or in parts.
//!
//! A simulation needs the ratings of accepted items alone, at most one of a slate. So the graph is also loaded in two
//! parts, one for each of its outputs.

use super::{Mirror, Scratch, rows_or_copies};
use crate::onnx::{Graph, GraphSpec, Port};
use crate::scene::{CONTEXT, SceneBatch};
use crate::user::{Dims, EMPTY_SLOT, RATINGS, UserError};

/// The two parts.
pub(super) struct Apart {
    /// Output `choice`.
    pub(super) choose: Graph,
    /// Output `rating`.
    pub(super) rate: Graph,
}

impl Apart {
    /// From the parts of a graph in the order of its outputs; `None` without them.
    pub(super) fn of(parts: Vec<Graph>) -> Option<Apart> {
        let [choose, rate] = <[Graph; 2]>::try_from(parts).ok()?;
        Some(Apart { choose, rate })
    }
}

/// The shapes of the inputs for one chunk.
struct Shapes {
    query: [i64; 2],
    item: [i64; 3],
    context: [i64; 3],
    slots: [i64; 2],
}

impl Shapes {
    fn inputs<'a>(&'a self, [query, item, context, slots]: [&'a [f32]; 4]) -> [(&'a [i64], &'a [f32]); 4] {
        [(&self.query, query), (&self.item, item), (&self.context, context), (&self.slots, slots)]
    }
}

impl Mirror {
    fn shapes(&self, slate: usize) -> Shapes {
        let (rows, slate, d) = (self.rows(), slate as i64, self.card.dims);
        Shapes {
            query: [rows, d.query as i64],
            item: [rows, slate, d.choice_item as i64],
            context: [rows, slate, CONTEXT as i64],
            slots: [rows, slate],
        }
    }

    /// Runs `graph` on the rows `first..first + chunk` of the batch; `choice` receives its first output, and `read` the others.
    pub(super) fn answer(
        &self,
        graph: &Graph,
        scenes: &SceneBatch,
        first: usize,
        choice: &mut [f32],
        read: impl FnOnce(&[&[f32]]),
    ) -> Result<(), UserError> {
        let (d, slate) = (self.card.dims, scenes.slate);
        let slots = self.chunk * slate;
        let mut scratch = self.take([0, slots * d.choice_item, 0, slots]);
        let Scratch { query, items, context, slots } = &mut scratch;
        // A full chunk is read in place.
        let query = rows_or_copies(&scenes.memory, d.query, first, self.chunk, query);
        let context = rows_or_copies(&scenes.context, slate * CONTEXT, first, self.chunk, context);
        for row in 0..self.chunk {
            let source = if first + row < scenes.len() { first + row } else { first };
            let targets = items[row * slate * d.choice_item..].chunks_exact_mut(d.choice_item);
            for ((&item, target), slot) in scenes.items_of(source).iter().zip(targets).zip(&mut slots[row * slate..]) {
                *slot = f32::from(u8::from(item.is_some()));
                if item.is_some() {
                    target.copy_from_slice(self.choice_item(item));
                } else {
                    target.fill(0.0);
                }
            }
        }
        let shapes = self.shapes(slate);
        graph.run(&shapes.inputs([query, items, context, slots]), |found| {
            choice.copy_from_slice(&found[0][..choice.len()]);
            read(&found[1..]);
        })?;
        // The graph's own value for empty slots is not trusted.
        for (row, choice) in choice.chunks_exact_mut(scenes.slate + 1).enumerate() {
            for (logit, item) in choice.iter_mut().zip(scenes.items_of(first + row)) {
                if !item.is_some() {
                    *logit = EMPTY_SLOT;
                }
            }
        }
        self.give_back(scratch);
        Ok(())
    }

    /// Rates at most a chunk of slots, each as a list of one item.
    pub(super) fn rate_chunk(
        &self,
        scenes: &SceneBatch,
        slots: &[(usize, usize)],
        out: &mut [f32],
    ) -> Result<(), UserError> {
        let Some(apart) = &self.apart else { return Ok(()) };
        let d = self.card.dims;
        let sizes = [d.query, d.choice_item, CONTEXT, 1].map(|width| self.chunk * width);
        let mut scratch = self.take(sizes);
        let Scratch { query, items, context, slots: filled } = &mut scratch;
        for place in 0..self.chunk {
            let (row, slot) = *slots.get(place).unwrap_or(&slots[0]);
            copy(query, place, scenes.memory_of(row));
            copy(items, place, self.choice_item(scenes.items_of(row)[slot]));
            copy(context, place, &scenes.context_of(row)[slot * CONTEXT..(slot + 1) * CONTEXT]);
        }
        filled.fill(1.0);
        let shapes = self.shapes(1);
        apart.rate.run(&shapes.inputs([query, items, context, filled]), |found| {
            out.copy_from_slice(&found[0][..out.len()])
        })?;
        self.give_back(scratch);
        Ok(())
    }
}

fn copy(target: &mut [f32], place: usize, values: &[f32]) {
    target[place * values.len()..(place + 1) * values.len()].copy_from_slice(values);
}

/// The signature of the graph.
pub(super) fn choice_ports(d: &Dims) -> GraphSpec {
    let slots = |name: &str, rest: &[i64]| Port { name: name.to_owned(), shape: [&[Port::SLOTS], rest].concat() };
    GraphSpec {
        inputs: vec![
            Port { name: "query".to_owned(), shape: vec![d.query as i64] },
            slots("item", &[d.choice_item as i64]),
            slots("context", &[CONTEXT as i64]),
            slots("slots", &[]),
        ],
        outputs: vec![
            Port { name: "choice".to_owned(), shape: vec![Port::SLOTS_AND_NONE] },
            slots("rating", &[RATINGS as i64]),
        ],
    }
}
