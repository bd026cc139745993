//! The keys of the section `user`: how the users decide.

use super::keys::{number, text, whole, word};
use super::{Key, Kind, Variant};

pub(super) const USER: &[Key] = &[
    word(
        "kind",
        "Which user model decides; each kind has its own keys.",
        &["parametric", "mirror", "language"],
        "parametric",
    ),
    word(
        "accept",
        "What \"accepted\" means. `take`: the user takes an item, by the utilities that the model learned from what got into \
         its log. `like`: the user takes an item and rates it at `like_at` or above; the utilities are the log odds of such \
         a rating for a user who is shown the item. Language users know `take` alone. docs/ACCEPTANCE.md.",
        &["take", "like"],
        "take",
    ),
    Key {
        name: "like_at",
        doc: "The lowest rating, on the scale of the data, that counts as liking. `auto` is four fifths of the way: 4 of 1 \
              to 5, 7.75 of 1 to 10. User models know five levels: it is taken to the nearest.",
        kind: Kind::WordOrNumber { words: &["auto"], min: -1e9, max: 1e9, default: None },
    },
    word(
        "examination",
        "Which slots a user looks at. `none`: all, whatever their order (of parametric users see `position`). `position`: \
         a slot by its place, with `examination_weights`. `cascade`: the slots from the top until one is taken, as far as \
         `examination_weights` goes.",
        &["none", "position", "cascade"],
        "none",
    ),
    Key {
        name: "examination_weights",
        doc: "Probability that each slot is looked at, the first slot first, for `position` and `cascade`. Empty: \
              1 / log2(slot + 1), slots counted from 1. `log`, for `position` alone, estimates them from the impressions of \
              the data.",
        kind: Kind::Numbers { words: &["log"], min: 0.0, max: 1.0 },
    },
    Key {
        name: "acceptance",
        doc: "Mean probability that a user accepts something from a slate of random candidates, at the start of the run. \
              Logs without exposures cannot tell how often people accept, therefore it is a parameter. `log` takes it, \
              and the temperature, from the impressions of the data that come after the cut; with `accept = \"like\"` \
              from what was taken of them and rated.",
        kind: Kind::WordOrNumber { words: &["log"], min: 0.001, max: 0.999, default: Some(0.3) },
    },
    number(
        "temperature",
        "Divides the utilities (logits) of a choice, before the acceptance level is set. Below 1 the users are more \
         certain of what they like, above 1 less. With `acceptance = \"log\"` it is fitted, and this is not looked at.",
        (0.05, 20.0),
        1.0,
    ),
];

pub(super) const USER_KINDS: &[Variant] = &[
    Variant {
        name: "parametric",
        summary: "a multinomial logit over the match of interest and item, popularity and slot.",
        keys: PARAMETRIC,
    },
    Variant {
        name: "mirror",
        summary: "the compact ONNX model that was trained to mirror the users of feedback logs.",
        keys: MIRROR,
    },
    Variant {
        name: "language",
        summary: "a causal language model in ONNX form that reads the history and the list; slates of 25 items at most.",
        keys: LANGUAGE,
    },
];

const PARAMETRIC: &[Key] = &[
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

const MIRROR: &[Key] = &[Key {
    name: "path",
    doc: "Folder of the model with its card, relative to the folder of this file.",
    kind: Kind::Path { default: Some("../models/mirror") },
}];

const LANGUAGE: &[Key] = &[
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
