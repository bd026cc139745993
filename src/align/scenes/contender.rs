//! A model in an alignment: identity, answers and questions.

use super::answer::{Answerer, Speaker};
use super::scene_users::{Lookup, SceneUser};
use crate::language::LanguageModel;
use crate::pipeline::Prompts;
use crate::user::UserModel;
use std::sync::atomic::AtomicBool;

/// The variations that a model is asked, in addition to the scenes themselves.
#[derive(Clone, Copy, Debug, Default)]
pub struct Variations {
    /// The list in all rotations.
    pub rotations: bool,
    /// The real item among 1, 2, 3 and 9 others.
    pub discrimination: bool,
    /// Another user's memory, and the frozen one if known.
    pub controls: bool,
}

/// See the module's documentation.
pub struct Contender<'a> {
    pub(super) name: String,
    pub(super) kind: &'static str,
    pub(super) fingerprint: String,
    pub(super) prompts: Option<String>,
    pub(super) variations: Variations,
    pub(super) answerer: Box<dyn Answerer + 'a>,
}

impl<'a> Contender<'a> {
    /// A language model that answers with the label of an option. `frozen` has for each scene the history up to the
    /// held-out part of the log, if known.
    pub fn language(
        name: String,
        model: &'a dyn LanguageModel,
        prompts: &'a Prompts,
        frozen: Option<&'a [String]>,
        stop: &'a AtomicBool,
        variations: Variations,
    ) -> Contender<'a> {
        Contender {
            name,
            kind: "language",
            fingerprint: model.fingerprint().to_owned(),
            prompts: Some(format!("{} {}", prompts.name(), prompts.digest())),
            variations,
            answerer: Box::new(Speaker { model, prompts, frozen, stop }),
        }
    }

    /// A user model that knows ids; `fingerprint` distinguishes it from others of its name.
    pub fn user(
        name: String,
        fingerprint: String,
        model: &'a dyn UserModel,
        lookup: &'a Lookup<'a>,
        variations: Variations,
    ) -> Contender<'a> {
        let (kind, answerer) = (model.kind(), Box::new(SceneUser { model, lookup }));
        Contender { name, kind, fingerprint, prompts: None, variations, answerer }
    }
}
