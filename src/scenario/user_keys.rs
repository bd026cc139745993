//! The keys of the section `user`: how users decide.

use crate::params::{Key, Kind, Variant, number, word};
use crate::user::{self, UserKind};

pub(super) const USER: &[Key] = &[
    word("kind", "Which user model decides; each kind has its own keys.", KIND_NAMES, user::KINDS[0].name),
    word(
        "accept",
        "What \"accepted\" means. `take`: the user takes an item, by the utilities that the model learned from the \
         log. `like`: the user takes an item and rates it at `like_at` or above; the utilities are the log odds \
         of such a rating for a user who is shown the item. Language users support only `take`. See \
         docs/concepts/acceptance.md.",
        &["take", "like"],
        "take",
    ),
    Key {
        name: "like_at",
        doc: "The lowest rating, on the scale of the data, that counts as liking. `auto` is four fifths of the way: \
              4 of 1 to 5, 7.75 of 1 to 10. User models have five levels, and it is rounded to the nearest.",
        kind: Kind::WordOrNumber { words: &["auto"], min: -1e9, max: 1e9, default: None },
    },
    word(
        "examination",
        "Which slots a user examines. `none`: all, in any order (for parametric users see `position`). `position`: \
         each slot with its probability in `examination_weights`. `cascade`: the slots from the top until one is \
         taken or, by `examination_weights`, the user stops.",
        &["none", "position", "cascade"],
        "none",
    ),
    Key {
        name: "examination_weights",
        doc: "Probability that each slot is examined, the first slot first, for `position` and `cascade`. Empty: 1 / \
              log2(slot + 1), slots counted from 1. `log`, for `position` alone, estimates them from the impressions \
              of the data.",
        kind: Kind::Numbers { words: &["log"], min: 0.0, max: 1.0 },
    },
    Key {
        name: "acceptance",
        doc: "Mean probability that a user accepts something from a slate of random candidates, at the start of the \
              run. Logs without exposures do not determine how often users accept, so it is a parameter. `log` fits \
              it, and the temperature, to the impressions of the data after the cut; with `accept = \"like\"` to their \
              taken and rated items.",
        kind: Kind::WordOrNumber { words: &["log"], min: 0.001, max: 0.999, default: Some(0.3) },
    },
    number(
        "temperature",
        "Divides the utilities (logits) of a choice, before the acceptance level is set. Below 1 the users are more \
         certain of what they like, above 1 less. With `acceptance = \"log\"` it is fitted, and this key is \
         ignored.",
        (0.05, 20.0),
        1.0,
    ),
];

/// The names of the kinds that ship with the crate.
const KIND_NAMES: &[&str] = &{
    let mut names = [""; user::KINDS.len()];
    let mut place = 0;
    while place < names.len() {
        names[place] = user::KINDS[place].name;
        place += 1;
    }
    names
};

/// The kinds that ship with the crate.
pub(super) const USER_KINDS: &[Variant] = &{
    let mut variants = [variant(&user::KINDS[0]); user::KINDS.len()];
    let mut place = 1;
    while place < variants.len() {
        variants[place] = variant(&user::KINDS[place]);
        place += 1;
    }
    variants
};

/// A kind as a choice of its section.
pub(super) const fn variant(kind: &UserKind) -> Variant {
    Variant { name: kind.name, summary: kind.summary, keys: kind.keys }
}
