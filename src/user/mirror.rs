//! The mirror: an ONNX user model of real feedback.
//!
//! Four graphs separate what changes from what does not: `item` runs once a catalogue, `start` once a user, `update`
//! once an accepted item, and `choice` once a scene. A memory is `[query | state]`; a choice reads the query alone.
//! Every call has the same number of rows, the last one padded with copies of a valid row: so a row's bits depend
//! neither on the batch nor on the number of threads.

mod choice;
mod row_trial;
pub(super) mod spec;
#[cfg(test)]
mod tests;

use self::choice::{Apart, choice_ports};
use super::{Card, Memorised, MemoryShape, RATINGS, Responses, UserError, UserModel};
use crate::dataset::{Dataset, TrainingLog};
use crate::ids::{ItemId, LogUserId};
use crate::onnx::{Graph, GraphSpec, Port};
use crate::scene::{Drift, SceneBatch, VectorCoverage, item_vectors};
use ndarray::Array2;
use rayon::prelude::*;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Numbers of an encoded rating: scaled rating, liked, known.
pub(super) const EVENT: usize = 3;

/// See the module's documentation.
pub struct Mirror {
    card: Card,
    chunk: usize,
    start: Graph,
    update: Graph,
    choice: Graph,
    apart: Option<Apart>,
    items: Vec<f32>,
    /// `[items, choice_item]`: what a choice reads of the items, close together.
    choice_items: Vec<f32>,
    profiles: Array2<f32>,
    coverage: Option<VectorCoverage>,
    drift: Vec<Drift>,
    looks: Vec<f32>,
    /// True if the card names the log's data as its training data.
    is_training_data: bool,
    scratch: Mutex<Vec<Scratch>>,
}

impl Mirror {
    /// Loads the model in `folder` for one data set: `log` is the log before the start. `chunk` is the number of rows
    /// of one inference call (at least 2: another kernel computes a product with a single row).
    ///
    /// # Errors
    /// A broken card or graph, a graph whose rows depend on each other, or no ONNX Runtime.
    pub fn load(folder: &Path, data: &Dataset, log: &TrainingLog, chunk: usize) -> Result<Mirror, UserError> {
        let card = Card::read(folder)?;
        let load = |name: &str, spec: GraphSpec| {
            let file = card.files.get(name).map_or("", |entry| entry.file.as_str());
            Graph::load(&folder.join(file), spec, rayon::current_num_threads())
        };
        let d = card.dims;
        let item =
            load("item", ports(&[("attributes", &[d.attributes]), ("vectors", &[d.vectors])], &[("item", &[d.item])]))?;
        let start =
            load("start", ports(&[("profile", &[d.profile])], &[("state", &[d.state]), ("query", &[d.query])]))?;
        let update = load(
            "update",
            ports(
                &[("state", &[d.state]), ("item", &[d.item]), ("event", &[EVENT])],
                &[("state_next", &[d.state]), ("query", &[d.query])],
            ),
        )?;
        let file = folder.join(card.files.get("choice").map_or("", |entry| entry.file.as_str()));
        let (choice, parts) = Graph::load_with_parts(&file, choice_ports(&d), rayon::current_num_threads())?;
        let (attributes, profiles) = (card.features.attributes(data)?, card.features.profiles(data)?);
        let (vectors, coverage) = match card.basis(folder)? {
            Some(basis) => {
                let (vectors, coverage) = basis.vectors(log, &data.items);
                (vectors, Some(coverage))
            }
            None => (item_vectors(log, card.features.rank), None),
        };
        let is_training_data = card.training.get("data_hash").and_then(|hash| hash.as_str()) == Some(&data.hash);
        let mut mirror = Mirror {
            profiles: profiles.table,
            drift: [attributes.drift, profiles.drift].concat(),
            looks: card.checked_looks(),
            coverage,
            is_training_data,
            items: Vec::new(),
            choice_items: Vec::new(),
            scratch: Mutex::new(Vec::new()),
            card,
            chunk: chunk.max(2),
            start,
            update,
            choice,
            apart: Apart::of(parts),
        };
        for (name, graph) in
            [("item", &item), ("start", &mirror.start), ("update", &mirror.update), ("choice", &mirror.choice)]
        {
            mirror.card.check_weights(folder, name, graph.weights())?;
        }
        mirror.items = mirror.encode_items(&item, &attributes.table, &vectors)?;
        mirror.choice_items =
            mirror.items.chunks_exact(d.item).flat_map(|item| &item[..d.choice_item]).copied().collect();
        if !mirror.try_rows(&item, &attributes.table, &vectors)? {
            mirror.apart = None;
        }
        Ok(mirror)
    }

    /// The model's card.
    pub fn card(&self) -> &Card {
        &self.card
    }

    fn encode_items(
        &self,
        graph: &Graph,
        attributes: &Array2<f32>,
        vectors: &Array2<f32>,
    ) -> Result<Vec<f32>, UserError> {
        let d = self.card.dims;
        let count = attributes.nrows();
        let mut items = vec![0.0; count * d.item];
        let (mut left, mut right) = (vec![0.0; self.chunk * d.attributes], vec![0.0; self.chunk * d.vectors]);
        for first in (0..count).step_by(self.chunk) {
            for row in 0..self.chunk {
                let source = if first + row < count { first + row } else { first };
                fill(&mut left, row, attributes.row(source).iter());
                fill(&mut right, row, vectors.row(source).iter());
            }
            let shapes = [[self.rows(), d.attributes as i64], [self.rows(), d.vectors as i64]];
            let out = &mut items[first * d.item..count.min(first + self.chunk) * d.item];
            graph.run_finite(&[(&shapes[0], &left), (&shapes[1], &right)], |found| {
                out.copy_from_slice(&found[0][..out.len()])
            })?;
        }
        Ok(items)
    }

    fn rows(&self) -> i64 {
        self.chunk as i64
    }

    fn item(&self, item: ItemId) -> &[f32] {
        let width = self.card.dims.item;
        &self.items[item.index() * width..(item.index() + 1) * width]
    }

    /// What a choice reads of an item.
    fn choice_item(&self, item: ItemId) -> &[f32] {
        let width = self.card.dims.choice_item;
        &self.choice_items[item.index() * width..(item.index() + 1) * width]
    }

    fn take(&self, sizes: [usize; 4]) -> Scratch {
        let mut scratch = self.scratch.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        scratch.reset(sizes);
        scratch
    }

    fn give_back(&self, scratch: Scratch) {
        self.scratch.lock().unwrap_or_else(PoisonError::into_inner).push(scratch);
    }

    fn update_chunk(&self, memories: &mut [&mut [f32]], events: &[Memorised]) -> Result<(), UserError> {
        let d = self.card.dims;
        let mut scratch = self.take([self.chunk * d.state, self.chunk * d.item, self.chunk * EVENT, 0]);
        let Scratch { query: state, items, context: rated, .. } = &mut scratch;
        for row in 0..self.chunk {
            let source = if row < events.len() { row } else { 0 };
            state[row * d.state..(row + 1) * d.state].copy_from_slice(&memories[source][d.query..]);
            items[row * d.item..(row + 1) * d.item].copy_from_slice(self.item(events[source].item));
            rated[row * EVENT..(row + 1) * EVENT].copy_from_slice(&encode(events[source].rating));
        }
        let rows = self.rows();
        let inputs: [(&[i64], &[f32]); 3] =
            [(&[rows, d.state as i64], state), (&[rows, d.item as i64], items), (&[rows, EVENT as i64], rated)];
        self.update.run_finite(&inputs, |found| {
            for (row, memory) in memories.iter_mut().enumerate() {
                memory[..d.query].copy_from_slice(&found[1][row * d.query..(row + 1) * d.query]);
                memory[d.query..].copy_from_slice(&found[0][row * d.state..(row + 1) * d.state]);
            }
        })?;
        self.give_back(scratch);
        Ok(())
    }
}

/// Inputs of one call, kept between calls: fresh buffers for each made ticks slower.
#[derive(Default)]
struct Scratch {
    query: Vec<f32>,
    items: Vec<f32>,
    context: Vec<f32>,
    slots: Vec<f32>,
}

impl Scratch {
    fn reset(&mut self, [query, items, context, slots]: [usize; 4]) {
        self.query.resize(query, 0.0);
        self.items.resize(items, 0.0);
        self.context.resize(context, 0.0);
        self.slots.resize(slots, 0.0);
    }
}

/// The rows `first..first + count` of `values`, `[n, width]`; if there are fewer, they and copies of the first one are
/// written to `spare`.
fn rows_or_copies<'v>(
    values: &'v [f32],
    width: usize,
    first: usize,
    count: usize,
    spare: &'v mut Vec<f32>,
) -> &'v [f32] {
    let (start, end) = (first * width, (first + count) * width);
    if end <= values.len() {
        return &values[start..end];
    }
    spare.clear();
    spare.extend_from_slice(&values[start..]);
    while spare.len() < count * width {
        spare.extend_from_slice(&values[start..start + width]);
    }
    spare
}

/// A rating in the form of the update graph: (rating - 3.5) / 1.1, liked (4 or more), known.
fn encode(rating: f32) -> [f32; EVENT] {
    if rating.is_nan() { [0.0; EVENT] } else { [(rating - 3.5) / 1.1, f32::from(u8::from(rating >= 4.0)), 1.0] }
}

fn fill<'v>(target: &mut [f32], row: usize, values: impl ExactSizeIterator<Item = &'v f32>) {
    let width = values.len();
    for (slot, value) in target[row * width..(row + 1) * width].iter_mut().zip(values) {
        *slot = *value;
    }
}

fn ports(inputs: &[(&str, &[usize])], outputs: &[(&str, &[usize])]) -> GraphSpec {
    let make = |list: &[(&str, &[usize])]| {
        let port = |(name, shape): &(&str, &[usize])| Port {
            name: (*name).to_owned(),
            shape: shape.iter().map(|&size| size as i64).collect(),
        };
        list.iter().map(port).collect()
    };
    GraphSpec { inputs: make(inputs), outputs: make(outputs) }
}

impl UserModel for Mirror {
    fn kind(&self) -> &'static str {
        "mirror"
    }

    fn card(&self) -> Option<&Card> {
        Some(&self.card)
    }

    fn memory(&self) -> MemoryShape {
        let d = self.card.dims;
        MemoryShape { read: d.query, total: d.query + d.state }
    }

    fn start(&self, users: &[LogUserId], memory: &mut [f32]) -> Result<(), UserError> {
        let d = self.card.dims;
        let total = d.query + d.state;
        let mut profiles = vec![0.0; self.chunk * d.profile];
        for (users, memory) in users.chunks(self.chunk).zip(memory.chunks_mut(self.chunk * total)) {
            for row in 0..self.chunk {
                let user = users[if row < users.len() { row } else { 0 }];
                fill(&mut profiles, row, self.profiles.row(user.index()).iter());
            }
            self.start.run_finite(&[(&[self.rows(), d.profile as i64], &profiles)], |found| {
                for (row, memory) in memory.chunks_exact_mut(total).enumerate() {
                    memory[..d.query].copy_from_slice(&found[1][row * d.query..(row + 1) * d.query]);
                    memory[d.query..].copy_from_slice(&found[0][row * d.state..(row + 1) * d.state]);
                }
            })?;
        }
        Ok(())
    }

    fn update(&self, memories: &mut [&mut [f32]], events: &[Memorised]) -> Result<(), UserError> {
        let chunks = memories.par_chunks_mut(self.chunk).zip(events.par_chunks(self.chunk));
        chunks.try_for_each(|(memories, events)| self.update_chunk(memories, events))
    }

    /// On a log other than the training data: a note that the card's figures are not of this log, and the source of the
    /// vectors.
    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.is_training_data {
            return notes;
        }
        notes.push(format!(
            "the model `{}` was trained on another log than this one: the figures of its card were measured there and not \
             here; `recmirror align` measures them on this log",
            self.card.name
        ));
        notes.extend(self.drift.iter().map(Drift::to_string));
        notes.push(match self.coverage {
            Some(coverage) => coverage.to_string(),
            None => {
                "the model ships no item vectors: on this log they have other axes than in training, and its answers \
                     may be worth little; train it on this log"
                    .to_owned()
            }
        });
        notes
    }

    fn looks(&self) -> &[f32] {
        &self.looks
    }

    fn drifts(&self) -> bool {
        true
    }

    /// The memory moves towards the result of the `update` graph for an acceptance without a rating.
    fn drift(&self, memories: &mut [&mut [f32]], pulls: &[(ItemId, f32)]) -> Result<(), UserError> {
        let before: Vec<Vec<f32>> = memories.iter().map(|memory| memory.to_vec()).collect();
        let events: Vec<Memorised> =
            pulls.iter().map(|&(item, _)| Memorised { item, rating: f32::NAN, time: 0 }).collect();
        self.update(memories, &events)?;
        for ((memory, before), &(_, rate)) in memories.iter_mut().zip(&before).zip(pulls) {
            for (value, &old) in memory.iter_mut().zip(before) {
                *value = old + rate * (*value - old);
            }
        }
        Ok(())
    }

    fn respond(&self, scenes: &SceneBatch, out: &mut Responses) -> Result<(), UserError> {
        out.resize(scenes.len(), scenes.slate);
        if scenes.is_empty() {
            return Ok(());
        }
        let slate = scenes.slate;
        let choice = out.choice.par_chunks_mut(self.chunk * (slate + 1));
        let rating = out.rating.par_chunks_mut(self.chunk * slate * RATINGS);
        choice.zip(rating).enumerate().try_for_each(|(task, (choice, rating))| {
            let read = |found: &[&[f32]]| rating.copy_from_slice(&found[0][..rating.len()]);
            self.answer(&self.choice, scenes, task * self.chunk, choice, read)
        })
    }

    fn rates_apart(&self) -> bool {
        self.apart.is_some()
    }

    fn choose(&self, scenes: &SceneBatch, out: &mut Responses) -> Result<(), UserError> {
        let Some(apart) = &self.apart else { return self.respond(scenes, out) };
        out.resize_choices(scenes.len(), scenes.slate);
        let chunks = out.choice.par_chunks_mut(self.chunk * (scenes.slate + 1)).enumerate();
        chunks.try_for_each(|(task, choice)| self.answer(&apart.choose, scenes, task * self.chunk, choice, |_| {}))
    }

    fn rate(&self, scenes: &SceneBatch, slots: &[(usize, usize)], out: &mut [f32]) -> Result<(), UserError> {
        let chunks = slots.par_chunks(self.chunk).zip(out.par_chunks_mut(self.chunk * RATINGS));
        chunks.try_for_each(|(slots, out)| self.rate_chunk(scenes, slots, out))
    }
}
