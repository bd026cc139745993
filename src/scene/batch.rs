//! Scenes as dense arrays, ready for a user model.

use super::CONTEXT;
use crate::ids::ItemId;

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
}

impl SceneBatch {
    /// Makes room for `rows` scenes with context 0. Memory and items are the caller's to fill; what stood there before
    /// may still stand there.
    pub fn reset(&mut self, rows: usize, slate: usize, width: usize) {
        self.slate = slate;
        self.width = width;
        self.memory.resize(rows * width, 0.0);
        self.items.resize(rows * slate, ItemId::NONE);
        self.context.clear();
        self.context.resize(rows * slate * CONTEXT, 0.0);
    }

    /// Number of scenes.
    pub fn len(&self) -> usize {
        self.items.len().checked_div(self.slate).unwrap_or(0)
    }

    /// Whether there is no scene.
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
