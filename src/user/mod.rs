//! User models: a batch of scenes in, response probabilities out.
//!
//! A user model is stateless. What it knows about a user is that user's *memory*: a row of numbers that starts from the
//! profile and is updated with each accepted item. It never draws; only `simulation/respond` does.
//!
//! ```
//! use recmirror::scene::SceneBatch;
//! use recmirror::user::{MemoryShape, Memorised, Responses, UserError, UserModel};
//! use recmirror::ids::LogUserId;
//!
//! /// Accepts each slot with the same probability, whoever sees it.
//! struct Indifferent;
//!
//! impl UserModel for Indifferent {
//!     fn kind(&self) -> &'static str {
//!         "indifferent"
//!     }
//!     fn memory(&self) -> MemoryShape {
//!         MemoryShape { read: 0, total: 0 }
//!     }
//!     fn start(&self, _: &[LogUserId], _: &mut [f32]) -> Result<(), UserError> {
//!         Ok(())
//!     }
//!     fn update(&self, _: &mut [&mut [f32]], _: &[Memorised]) -> Result<(), UserError> {
//!         Ok(())
//!     }
//!     fn respond(&self, scenes: &SceneBatch, out: &mut Responses) -> Result<(), UserError> {
//!         out.reset(scenes.len(), scenes.slate); // all logits 0
//!         Ok(())
//!     }
//! }
//! ```

mod calibrated;
mod examination;
mod kind;
#[cfg(feature = "all")]
mod language;
mod level;
mod memory;
mod mirror;
mod mirror_card;
mod parametric;
mod response_rule;
mod softmax;
#[cfg(test)]
pub(crate) mod testing;

pub(crate) use self::calibrated::utilities;
pub use self::calibrated::{Calibrated, Probabilities, Shift};
pub use self::examination::{ExaminationEstimate, estimate_examination, estimate_examination_by};
pub use self::kind::*;
#[cfg(feature = "all")]
pub use self::language::{LanguageMode, LanguageUser};
pub use self::level::{FittedLevel, ListResponse, fit_level};
pub use self::memory::{memories_after, memories_at, memories_of};
pub use self::mirror::Mirror;
pub(crate) use self::mirror_card::VERSION as CARD_VERSION;
pub use self::mirror_card::{Card, CardError, Dims, FileEntry};
pub use self::parametric::Parametric;
pub use self::response_rule::{Accept, Examination, ResponseRule};
pub(crate) use self::softmax::softmax;

#[cfg(feature = "all")]
use crate::dataset::TemplateError;
use crate::ids::{ItemId, LogUserId};
#[cfg(feature = "all")]
use crate::language::{LanguageError, PromptError};
use crate::log::Decision;
use crate::onnx::OnnxError;
use crate::scene::{EncodingError, SceneBatch};

/// Number of rating classes: 1 to 5.
pub const RATINGS: usize = 5;

/// Logit of a slot that holds no item.
pub const EMPTY_SLOT: f32 = -1e9;

/// The width of a user's memory. A choice reads only the first `read` numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryShape {
    /// Numbers read by [`UserModel::respond`].
    pub read: usize,
    /// Numbers read and written by [`UserModel::update`].
    pub total: usize,
}

/// An accepted item that enters a memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Memorised {
    /// The item.
    pub item: ItemId,
    /// The rating, 1 to 5; NaN when unknown.
    pub rating: f32,
    /// The time in milliseconds since 1970.
    pub time: i64,
}

/// The logits of a user model for a batch of scenes. Arrays are row-major.
#[derive(Clone, Debug, Default)]
pub struct Responses {
    /// Slots of an exposure list.
    pub slate: usize,
    /// `[n, slate + 1]`: one logit for each slot, then "reject all".
    pub choice: Vec<f32>,
    /// `[n, slate, RATINGS]`: logits of the ratings 1 to 5 of the slot's item if it is accepted; empty after
    /// [`UserModel::choose`].
    pub rating: Vec<f32>,
    /// `[n]`: the rationale of each user, from models that write one; empty from others.
    pub decisions: Vec<Decision>,
}

impl Responses {
    /// Sets all logits to 0 and resizes them to `rows` scenes.
    pub fn reset(&mut self, rows: usize, slate: usize) {
        self.choice.clear();
        self.rating.clear();
        self.resize(rows, slate);
    }

    /// Resizes to `rows` scenes and keeps old logits: for models that write every one.
    pub fn resize(&mut self, rows: usize, slate: usize) {
        self.slate = slate;
        self.choice.resize(rows * (slate + 1), 0.0);
        self.rating.resize(rows * slate * RATINGS, 0.0);
        self.decisions.clear();
    }

    /// Like [`Responses::resize`], without rating logits: for [`UserModel::choose`].
    pub fn resize_choices(&mut self, rows: usize, slate: usize) {
        self.slate = slate;
        self.choice.resize(rows * (slate + 1), 0.0);
        self.rating.clear();
        self.decisions.clear();
    }
}

/// The identity of a model, for a run's manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its name.
    pub name: String,
    /// A hash over all files that affect it.
    pub hash: String,
}

/// A failure of a user model.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// The ONNX model failed.
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    /// The model's folder is invalid.
    #[error(transparent)]
    Card(#[from] CardError),
    /// The language model cannot be loaded or does not answer.
    #[cfg(feature = "all")]
    #[error(transparent)]
    Language(#[from] LanguageError),
    /// The data do not fit the model.
    #[error(transparent)]
    Encoding(#[from] EncodingError),
    /// A prompt fails on a scene.
    #[cfg(feature = "all")]
    #[error(transparent)]
    Prompt(#[from] PromptError),
    /// A template fails on a user or item.
    #[cfg(feature = "all")]
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// Settings that conflict.
    #[error("{0}")]
    Setup(String),
    /// The model does not support drifting tastes.
    #[error("the {kind} user model does not know how tastes drift without an acceptance")]
    NoDrift {
        /// The model.
        kind: &'static str,
    },
    /// The model returned a number that is not finite.
    #[error("the {kind} user model gave a logit that is not finite for row {row}")]
    NotFinite {
        /// The model.
        kind: &'static str,
        /// Row of the batch.
        row: usize,
    },
}

/// Maps batches of scenes to responses. A row's result must not depend on the other rows of its batch.
pub trait UserModel: Send + Sync {
    /// Its name in scenario files.
    fn kind(&self) -> &'static str;

    /// Size of a user's memory.
    fn memory(&self) -> MemoryShape;

    /// Writes the memory `[n, total]` of users without history; `users` are users of the data set.
    ///
    /// # Errors
    /// When the model fails.
    fn start(&self, users: &[LogUserId], memory: &mut [f32]) -> Result<(), UserError>;

    /// Adds one accepted item to each of `n` memories of `total` numbers.
    ///
    /// # Errors
    /// When the model fails.
    fn update(&self, memories: &mut [&mut [f32]], events: &[Memorised]) -> Result<(), UserError>;

    /// True if its rating logits depend on this user and this item, so that they can predict liking.
    fn rates(&self) -> bool {
        true
    }

    /// True if tastes can drift without an acceptance, see [`UserModel::drift`].
    fn drifts(&self) -> bool {
        false
    }

    /// Pulls each of `n` memories of `total` numbers towards one item, by a share of the distance from 0 to 1. Only
    /// called on models for which [`UserModel::drifts`] is true.
    ///
    /// # Errors
    /// When the model fails.
    fn drift(&self, memories: &mut [&mut [f32]], pulls: &[(ItemId, f32)]) -> Result<(), UserError> {
        let _ = (memories, pulls);
        Err(UserError::NoDrift { kind: self.kind() })
    }

    /// Computes the logits for a batch of scenes.
    ///
    /// # Errors
    /// When the model fails.
    fn respond(&self, scenes: &SceneBatch, out: &mut Responses) -> Result<(), UserError>;

    /// True if the model computes choices without ratings ([`UserModel::choose`]) and the ratings of single slots
    /// ([`UserModel::rate`]), with the bits of [`UserModel::respond`]. A simulation needs the ratings of accepted slots alone.
    fn rates_apart(&self) -> bool {
        false
    }

    /// Computes the choice logits for a batch of scenes, and leaves `out` without rating logits. Only called on models for
    /// which [`UserModel::rates_apart`] is true.
    ///
    /// # Errors
    /// When the model fails.
    fn choose(&self, scenes: &SceneBatch, out: &mut Responses) -> Result<(), UserError> {
        self.respond(scenes, out)
    }

    /// Writes the rating logits `[m, RATINGS]` of the items in `m` filled slots, each a row and a slot of the batch. Only
    /// called on models for which [`UserModel::rates_apart`] is true.
    ///
    /// # Errors
    /// When the model fails.
    fn rate(&self, scenes: &SceneBatch, slots: &[(usize, usize)], out: &mut [f32]) -> Result<(), UserError> {
        let mut all = Responses::default();
        self.respond(scenes, &mut all)?;
        for (&(row, slot), logits) in slots.iter().zip(out.chunks_exact_mut(RATINGS)) {
            let start = (row * scenes.slate + slot) * RATINGS;
            logits.copy_from_slice(&all.rating[start..start + RATINGS]);
        }
        Ok(())
    }

    /// The model's card, if it has one.
    fn card(&self) -> Option<&Card> {
        None
    }

    /// The manifest's record of a model from files without a [`Card`].
    fn identity(&self) -> Option<&Identity> {
        None
    }

    /// The examination probability of each slot in the lists of the model's training, relative to the slot that is
    /// examined most; empty if all slots are examined.
    fn looks(&self) -> &[f32] {
        &[]
    }

    /// Notes on the model for readers of the results on this data set; may be empty.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    /// Scenes for setting the acceptance level; fewer for a slow model.
    fn probe_scenes(&self) -> usize {
        2_000
    }

    /// Scenes so far that were too long for the model and lost a part of their history.
    fn shortened_scenes(&self) -> u64 {
        0
    }
}
