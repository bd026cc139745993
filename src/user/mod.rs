//! User models: a batch of scenes in, response probabilities out.
//!
//! A user model is stateless. What it knows of a user is that user's *memory*: a row of numbers that starts
//! from the profile and is updated with each accepted item. It never draws; only `simulation/respond` does.
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
#[cfg(test)]
pub(crate) mod testing;

pub use self::calibrated::{Calibrated, Probabilities, Shift};
pub(crate) use self::calibrated::{softmax, utilities};
pub use self::examination::{ExaminationEstimate, estimate_examination, estimate_examination_by};
#[cfg(feature = "all")]
pub use self::kind::LanguageParameters;
#[cfg(test)]
pub(crate) use self::kind::unset_parameters;
pub use self::kind::{BuildUser, KINDS, MirrorParameters, ParametricParameters, UserContext, UserKind};
#[cfg(feature = "all")]
pub use self::language::{LanguageMode, LanguageUser};
pub use self::level::{FittedLevel, ListResponse, fit_level};
pub use self::memory::{memories_after, memories_at, memories_of};
pub use self::mirror::Mirror;
pub(crate) use self::mirror_card::VERSION as CARD_VERSION;
pub use self::mirror_card::{Card, CardError, Dims, FileEntry};
pub use self::parametric::Parametric;
pub use self::response_rule::{Accept, Examination, ResponseRule};

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

/// How many numbers a user's memory has. The first `read` of them are all that a choice needs.
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
    /// When, in milliseconds since 1970.
    pub time: i64,
}

/// The logits that a user model gives to a batch of scenes. Arrays are row-major.
#[derive(Clone, Debug, Default)]
pub struct Responses {
    /// Slots of an exposure list.
    pub slate: usize,
    /// `[n, slate + 1]`: one logit a slot, then "reject all".
    pub choice: Vec<f32>,
    /// `[n, slate, RATINGS]`: logits of the ratings 1 to 5 that the slot's item would get if accepted.
    pub rating: Vec<f32>,
    /// `[n]`: the rationale of each user, from models that write one; empty from others.
    pub decisions: Vec<Decision>,
}

impl Responses {
    /// Sets all logits to 0 and makes room for `rows` scenes.
    pub fn reset(&mut self, rows: usize, slate: usize) {
        self.choice.clear();
        self.rating.clear();
        self.resize(rows, slate);
    }

    /// Makes room for `rows` scenes and leaves old logits where they are: for models that write every one.
    pub fn resize(&mut self, rows: usize, slate: usize) {
        self.slate = slate;
        self.choice.resize(rows * (slate + 1), 0.0);
        self.rating.resize(rows * slate * RATINGS, 0.0);
        self.decisions.clear();
    }
}

/// Which model it was, for a run's manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its name.
    pub name: String,
    /// A hash over all of its files that decide.
    pub hash: String,
}

/// A user model that cannot answer.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// The ONNX model failed.
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    /// The model's folder is not what it should be.
    #[error(transparent)]
    Card(#[from] CardError),
    /// The language model cannot be loaded or does not answer.
    #[cfg(feature = "all")]
    #[error(transparent)]
    Language(#[from] LanguageError),
    /// The data do not fit the model.
    #[error(transparent)]
    Encoding(#[from] EncodingError),
    /// A scene cannot be put to the language model.
    #[cfg(feature = "all")]
    #[error(transparent)]
    Prompt(#[from] PromptError),
    /// A user or item cannot be put into words.
    #[cfg(feature = "all")]
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// Settings that do not go together.
    #[error("{0}")]
    Setup(String),
    /// The model does not know how a taste drifts.
    #[error("the {kind} user model does not know how tastes drift without an acceptance")]
    NoDrift {
        /// The model.
        kind: &'static str,
    },
    /// The model gave a number that is not finite.
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
    /// The word for it in scenario files.
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

    /// Returns true if its rating logits are its own answer about this user and this item, so that they can say what the user would
    /// like.
    fn rates(&self) -> bool {
        true
    }

    /// Returns true if tastes can drift without an acceptance, see [`UserModel::drift`].
    fn drifts(&self) -> bool {
        false
    }

    /// Draws each of `n` memories of `total` numbers towards one item, by a share of the way from 0 (not at all) to 1. Only
    /// called on models that say so in [`UserModel::drifts`].
    ///
    /// # Errors
    /// When the model fails.
    fn drift(&self, memories: &mut [&mut [f32]], pulls: &[(ItemId, f32)]) -> Result<(), UserError> {
        let _ = (memories, pulls);
        Err(UserError::NoDrift { kind: self.kind() })
    }

    /// Gives the logits for a batch of scenes.
    ///
    /// # Errors
    /// When the model fails.
    fn respond(&self, scenes: &SceneBatch, out: &mut Responses) -> Result<(), UserError>;

    /// The card of a model that has one.
    fn card(&self) -> Option<&Card> {
        None
    }

    /// The manifest's record of a model from files without a [`Card`].
    fn identity(&self) -> Option<&Identity> {
        None
    }

    /// How likely each slot of a list is looked at, as the lists of the model's training say, relative to the slot that is looked at
    /// most; empty where all count as looked at.
    fn looks(&self) -> &[f32] {
        &[]
    }

    /// Notes on the model for readers of the results on this data set; may be empty.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    /// Scenes on which the acceptance level is set; fewer for a model that takes long over one.
    fn probe_scenes(&self) -> usize {
        2_000
    }

    /// Scenes so far that were too long for the model and lost a part of their history.
    fn shortened_scenes(&self) -> u64 {
        0
    }
}
