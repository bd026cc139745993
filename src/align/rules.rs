//! Baseline rules for a user model.
//!
//! Most rules ignore the user; one reads the history alone.

use super::HeldOut;
use crate::dataset::Catalogue;
use crate::ids::ItemId;
use crate::scene::{CoOccurrence, ListScene};

/// The number of latest items that item-kNN uses.
const RECENT: usize = 20;

/// A rule that picks one item of a list.
#[derive(Clone, Copy)]
pub(super) enum Rule {
    /// The most popular before the cut.
    Popularity,
    /// The newest.
    Newest,
    /// The item most similar to the others of the list (co-occurrence): a rule that ignores the user.
    ListCentre,
    /// The first slot.
    First,
    /// The highest mean cosine with the user's last 20 items.
    ItemKnn,
}

impl Rule {
    pub(super) const ALL: [Rule; 5] = [Rule::Popularity, Rule::Newest, Rule::ListCentre, Rule::First, Rule::ItemKnn];

    pub(super) fn name(self) -> &'static str {
        match self {
            Rule::Popularity => "popularity",
            Rule::Newest => "newest",
            Rule::ListCentre => "list centre (user-free)",
            Rule::First => "first slot",
            Rule::ItemKnn => "item-kNN",
        }
    }

    /// The name of the model's lead over this rule; `None` if it is not reported.
    pub(super) fn lead(self) -> Option<&'static str> {
        match self {
            Rule::Popularity => Some("model over popularity"),
            Rule::ItemKnn => Some("model over item-kNN"),
            Rule::ListCentre => Some("model over list centre (user-free)"),
            Rule::Newest | Rule::First => None,
        }
    }

    /// True for each list in which the rule finds the real item; the earliest slot wins ties.
    pub(super) fn hits(
        self,
        held_out: &HeldOut<'_>,
        near: &CoOccurrence,
        catalogue: &Catalogue,
        lists: &[ListScene],
    ) -> Vec<bool> {
        let hit = |(place, list): (usize, &ListScene)| {
            let history = held_out.moment(place).1;
            let recent = &history[history.len().saturating_sub(RECENT)..];
            let score = |slot: usize, item: ItemId| match self {
                Rule::Popularity => near.count(item) as f64,
                Rule::Newest => Some(catalogue.year(item)).filter(|year| !year.is_nan()).map_or(0.0, f64::from),
                Rule::First => -(slot as f64),
                Rule::ListCentre => {
                    list.items.iter().filter(|&&other| other != item).map(|&other| near.cosine(item, other)).sum()
                }
                Rule::ItemKnn => recent.iter().map(|row| near.cosine(item, row.item)).sum(),
            };
            let scores: Vec<f64> = list.items.iter().enumerate().map(|(slot, &item)| score(slot, item)).collect();
            Some(best(&scores)) == list.real
        };
        lists.iter().enumerate().map(hit).collect()
    }
}

/// The index of the largest number; the first of equal ones.
pub(super) fn best<T: PartialOrd + Copy>(scores: &[T]) -> usize {
    let mut place = 0;
    for (slot, score) in scores.iter().enumerate() {
        if *score > scores[place] {
            place = slot;
        }
    }
    place
}
