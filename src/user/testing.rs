//! A scripted user model for tests.

use super::{Memorised, MemoryShape, Responses, UserError, UserModel};
use crate::ids::LogUserId;
use crate::scene::SceneBatch;

/// A model whose function receives logits of 0 and writes the answer.
pub(crate) struct Scripted<F>(pub F);

impl<F: Fn(&SceneBatch, &mut Responses) + Send + Sync> UserModel for Scripted<F> {
    fn kind(&self) -> &'static str {
        "scripted"
    }
    fn memory(&self) -> MemoryShape {
        MemoryShape { read: 0, total: 0 }
    }
    fn start(&self, _: &[LogUserId], _: &mut [f32]) -> Result<(), UserError> {
        Ok(())
    }
    fn update(&self, _: &mut [&mut [f32]], _: &[Memorised]) -> Result<(), UserError> {
        Ok(())
    }
    fn respond(&self, scenes: &SceneBatch, out: &mut Responses) -> Result<(), UserError> {
        out.reset(scenes.len(), scenes.slate);
        (self.0)(scenes, out);
        Ok(())
    }
}
