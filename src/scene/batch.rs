//! Scenes as dense arrays, ready for a user model.

use super::CONTEXT;
use crate::ids::{ItemId, UserId};
use crate::random::{Purpose, Streams};

/// The source of draws for a model that writes before it chooses: for user `u` of the batch, `streams.derive(purpose,
/// u, tick)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SceneDraws {
    /// The replication's streams.
    pub streams: Streams,
    /// The purpose of the draws.
    pub purpose: Purpose,
    /// The tick.
    pub tick: u32,
}

/// A batch of scenes. Arrays are row-major.
#[derive(Clone, Debug, Default)]
pub struct SceneBatch {
    /// Slots of an exposure list.
    pub slate: usize,
    /// Numbers of memory that a choice reads ([`crate::user::MemoryShape::read`]).
    pub width: usize,
    /// `[n, width]`: the readable part of each user's memory.
    pub memory: Vec<f32>,
    /// `[n, slate]`: the exposed items, [`ItemId::NONE`] in empty slots.
    pub items: Vec<ItemId>,
    /// `[n, slate, CONTEXT]`: what depends on item and moment, see [`super::context`].
    pub context: Vec<f32>,
    /// `[n]`, or empty if unknown: the moment of each scene, in milliseconds since 1970.
    pub times: Vec<i64>,
    /// `[n]`, or empty: the user of each scene, as an id of draws.
    pub users: Vec<UserId>,
    /// The source of draws; `None` if nothing may be drawn.
    pub draws: Option<SceneDraws>,
}

impl SceneBatch {
    /// Makes room for `rows` scenes with context 0, without times, users and draws. Memory and items are the caller's to
    /// fill; what was there before may still are there.
    pub fn reset(&mut self, rows: usize, slate: usize, width: usize) {
        self.slate = slate;
        self.width = width;
        self.memory.resize(rows * width, 0.0);
        self.items.resize(rows * slate, ItemId::NONE);
        self.context.clear();
        self.context.resize(rows * slate * CONTEXT, 0.0);
        self.times.clear();
        self.users.clear();
        self.draws = None;
    }

    /// Says that all scenes are at one moment.
    pub fn set_time(&mut self, time: i64) {
        let rows = self.len();
        self.times.clear();
        self.times.resize(rows, time);
    }

    /// Number of scenes.
    pub fn len(&self) -> usize {
        self.items.len().checked_div(self.slate).unwrap_or(0)
    }

    /// True without any scene.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The readable memory of one row.
    #[inline]
    pub fn memory_of(&self, row: usize) -> &[f32] {
        &self.memory[row * self.width..(row + 1) * self.width]
    }

    /// The exposure list of one row.
    #[inline]
    pub fn items_of(&self, row: usize) -> &[ItemId] {
        &self.items[row * self.slate..(row + 1) * self.slate]
    }

    /// The context of one row, `[slate, CONTEXT]`.
    #[inline]
    pub fn context_of(&self, row: usize) -> &[f32] {
        let width = self.slate * CONTEXT;
        &self.context[row * width..(row + 1) * width]
    }
}
