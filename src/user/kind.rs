//! Kinds of user models, with keys and constructors.
//!
//! Which kinds of user model there are, their keys, and how to build one.

#[cfg(feature = "all")]
use super::{LanguageMode, LanguageSpec, LanguageUser};
use super::{Mirror, Parametric, ParametricSpec, UserError, UserModel};
use crate::dataset::{Catalogue, Dataset, TrainingLog};
#[cfg(feature = "all")]
use crate::language::Sampling;
use crate::params::{Key, Kind, Params, number, text, whole, word};
use std::path::Path;
use std::sync::Arc;

/// Builds a user model from checked parameters.
pub type Build = fn(&Params<'_>, &UserContext<'_>) -> Result<Arc<dyn UserModel>, UserError>;

/// A kind of user model.
#[derive(Clone, Copy)]
pub struct UserKind {
    /// The value of `user.kind`.
    pub name: &'static str,
    /// What it is, in a line, to be read after its name and a colon.
    pub summary: &'static str,
    /// Its parameters with types, ranges and defaults; `user.accept` and the other keys of all kinds are not among them.
    pub keys: &'static [Key],
    /// Builds it.
    pub build: Build,
}

/// What a user model may know before the first tick.
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
    /// Scenes that go through the model in one call (`engine.chunk`).
    pub chunk: usize,
    /// Bytes for what a language model has read (`engine.cache_mb`).
    pub cache: usize,
}

/// The kinds that ship with the crate, in the order of the reference file; the first is the default.
#[cfg(feature = "all")]
pub const KINDS: &[UserKind] = &[PARAMETRIC, MIRROR, LANGUAGE];

/// The kinds that ship with this part of the crate; the first is the default.
#[cfg(not(feature = "all"))]
pub const KINDS: &[UserKind] = &[PARAMETRIC, MIRROR];

const PARAMETRIC: UserKind = UserKind {
    name: "parametric",
    summary: "a multinomial logit over the match of interest and item, popularity and slot.",
    keys: PARAMETRIC_KEYS,
    build: |params, context| {
        let spec = ParametricSpec::of(params);
        Ok(Arc::new(Parametric::new(spec, context.catalogue, params.text("field"))?))
    },
};

const MIRROR: UserKind = UserKind {
    name: "mirror",
    summary: "the compact ONNX model that was trained to mirror the users of feedback logs.",
    keys: MIRROR_KEYS,
    build: |params, context| {
        let folder = Path::new(params.text("path"));
        Ok(Arc::new(Mirror::load(folder, context.data, context.log, context.chunk)?))
    },
};

#[cfg(feature = "all")]
const LANGUAGE: UserKind = UserKind {
    name: "language",
    summary: "a causal language model in ONNX form that reads the history and the list; slates of 25 items at most.",
    keys: LANGUAGE_KEYS,
    build: |params, context| {
        let UserContext { data, log, slate, chunk, cache, .. } = *context;
        Ok(Arc::new(LanguageUser::load(&LanguageSpec::of(params), data, log, slate, chunk, cache)?))
    },
};

impl ParametricSpec {
    /// The weights of checked parameters.
    pub fn of(params: &Params<'_>) -> ParametricSpec {
        ParametricSpec {
            taste: params.number("taste"),
            popularity: params.number("popularity"),
            position: params.number("position"),
            learning: params.number("learning"),
        }
    }
}

#[cfg(feature = "all")]
impl LanguageSpec {
    /// The settings of checked parameters.
    pub fn of(params: &Params<'_>) -> LanguageSpec {
        LanguageSpec {
            path: params.text("path").into(),
            graph: Some(params.text("graph").to_owned()).filter(|name| !name.is_empty()),
            mode: if params.text("mode") == "rationale" { LanguageMode::Rationale } else { LanguageMode::Direct },
            history: params.integer("history") as usize,
            rotations: params.integer("rotations") as usize,
            sampling: Sampling {
                temperature: params.number("rationale_temperature"),
                top_p: params.number("rationale_top_p"),
                max_tokens: params.integer("rationale_tokens") as usize,
            },
            probe: params.integer("probe") as usize,
        }
    }
}

const PARAMETRIC_KEYS: &[Key] = &[
    number("taste", "Weight of the match between a user's interest and an item, in logits.", (0.0, 100.0), 3.0),
    number(
        "popularity",
        "Weight of an item's popularity so far, in logits; negative for users who avoid what all others take.",
        (-10.0, 10.0),
        0.3,
    ),
    number(
        "position",
        "Logits lost with every doubling of the slot number: how much less the lower slots are looked at.",
        (0.0, 10.0),
        0.2,
    ),
    number(
        "learning",
        "How far one accepted item moves the interest towards it, as a share of the distance; 0 keeps tastes fixed.",
        (0.0, 1.0),
        0.05,
    ),
    text(
        "field",
        "Field of the items whose categories a taste is about, `*` for all fields as numbers. Empty: `data.item_field`, and \
         all fields where the items have no categories.",
        "",
    ),
];

const MIRROR_KEYS: &[Key] = &[Key {
    name: "path",
    doc: "Folder of the model with its card, relative to the folder of this file.",
    kind: Kind::Path { default: Some("../models/mirror") },
}];

#[cfg(feature = "all")]
const LANGUAGE_KEYS: &[Key] = &[
    Key {
        name: "path",
        doc: "Folder of the model with its tokenizer and chat template, relative to the folder of this file; `make lm` \
              makes the default one. Its `prompts.toml` and `template.toml` say how a scene is put into words, where they \
              are there.",
        kind: Kind::Path { default: Some("../models/lm") },
    },
    text(
        "graph",
        "The graph's file in that folder; empty takes what the model's card says, else `model.onnx`. The `model.onnx` \
         of `make lm` has 32-bit weights; without AVX-512 it reads half as fast again as the 8-bit one, writes \
         slower, and takes two fifths more memory.",
        "",
    ),
    word(
        "mode",
        "`direct` asks only for the letter of the choice; with `rationale` the model first says why. What it says is \
         kept in the run's folder, and takes many times as long.",
        &["direct", "rationale"],
        "direct",
    ),
    whole(
        "history",
        "Entries of a user's history that the model reads at most. A full one loses its older half in one go, so that \
         what was read of it can be used again.",
        (1, 1_000),
        20,
    ),
    whole(
        "rotations",
        "Rotations of the list whose probabilities are averaged (geometric mean), against a liking for places of the \
         list; 1 asks once. Each costs a question, and only `direct` can have more than 1.",
        (1, 25),
        1,
    ),
    number(
        "rationale_temperature",
        "Divides the logits of a rationale's tokens; 0 takes the most likely.",
        (0.0, 10.0),
        1.0,
    ),
    number(
        "rationale_top_p",
        "A rationale's tokens are drawn from the smallest set with this probability.",
        (0.01, 1.0),
        0.9,
    ),
    whole("rationale_tokens", "Tokens of a rationale at most; longer ones are cut off.", (1, 4_096), 160),
    whole(
        "probe",
        "Scenes on which the acceptance level is set; each takes as long as a step of a user.",
        (1, 100_000),
        64,
    ),
];
