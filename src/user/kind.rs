//! Kinds of user models, with keys and constructors.
//!
//! Registers the kinds that ship, and builds them.

#[cfg(feature = "all")]
use super::LanguageSpec;
use super::{MirrorSpec, ParametricSpec, UserError, UserModel};
use crate::dataset::{Catalogue, Dataset, TrainingLog};
use crate::params::{Key, Parameters};
use std::sync::Arc;

/// The parameters of a kind of user model, and its constructor.
pub trait BuildUser: Parameters {
    /// Builds the user model.
    ///
    /// # Errors
    /// When these parameters, or these data, do not allow such a user model.
    fn build(self, context: &UserContext<'_>) -> Result<Arc<dyn UserModel>, UserError>;
}

/// Builds a user model from the parameters of a scenario file.
type UserMaker = fn(&toml::Table, &UserContext<'_>) -> Result<Arc<dyn UserModel>, UserError>;

/// A kind of user model.
#[derive(Clone, Copy, Debug)]
pub struct UserKind {
    /// The value of `user.kind`.
    pub name: &'static str,
    /// A description in a line, read after its name and a colon.
    pub summary: &'static str,
    /// Its parameters with types, ranges and defaults, without `user.accept` and the other keys of all kinds.
    pub keys: &'static [Key],
    build: UserMaker,
}

impl UserKind {
    /// The kind with these parameters.
    pub const fn of<P: BuildUser>() -> UserKind {
        let build = |table: &toml::Table, context: &UserContext<'_>| {
            P::read(table).map_err(|problem| UserError::Setup(problem.to_string()))?.build(context)
        };
        UserKind { name: P::NAME, summary: P::SUMMARY, keys: P::KEYS, build }
    }

    /// Builds a user model from a table of its keys; missing keys have their defaults.
    ///
    /// # Errors
    /// When a key without a default is absent, a value has another type, or these parameters and data do not allow a
    /// user model.
    pub fn build(&self, table: &toml::Table, context: &UserContext<'_>) -> Result<Arc<dyn UserModel>, UserError> {
        (self.build)(table, context)
    }
}

/// The data that a user model may read before the first tick.
#[derive(Clone, Copy)]
pub struct UserContext<'a> {
    /// The data set.
    pub data: &'a Dataset,
    /// The items, with the roles that the scenario gives to their fields.
    pub catalogue: &'a Arc<Catalogue>,
    /// The log before the start, by users of the data set.
    pub log: &'a Arc<TrainingLog>,
    /// Slots of a slate.
    pub slate: usize,
    /// Scenes in one call of the model (`engine.chunk`).
    pub chunk: usize,
    /// Bytes for the cache of a language model (`engine.cache_mb`).
    pub cache: usize,
}

/// The kinds that ship with the crate, in the order of the reference file; the first is the default. A new one is a line.
pub const KINDS: &[UserKind] = &[
    UserKind::of::<ParametricSpec>(),
    UserKind::of::<MirrorSpec>(),
    #[cfg(feature = "all")]
    UserKind::of::<LanguageSpec>(),
];
