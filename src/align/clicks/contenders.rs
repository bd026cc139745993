//! Baselines of a user model on held-out lists.
//!
//! The rules know only lists and interactions before the cut.

use super::asked::HeldOutLists;
use super::cell_statistics::logit;
use crate::dataset::{Dataset, LearningSplit};

pub(super) const CONSTANT: &str = "constant";
pub(in crate::align) const BY_SLOT: &str = "constant by slot";
pub(in crate::align) const POPULARITY: &str = "popularity";

/// The weight, in cells, of the mean click rate in the rate of a slot or an item.
const PRIOR: f64 = 20.0;

/// A rule with a score for each cell.
pub(super) struct Contender {
    pub(super) name: &'static str,
    pub(super) scores: Vec<f64>,
}

/// Items shown and taken, by slot or by item.
struct Rates {
    taken: Vec<f64>,
    shown: Vec<f64>,
}

impl Rates {
    fn new() -> Rates {
        Rates { taken: Vec::new(), shown: Vec::new() }
    }

    fn count(&mut self, key: usize, is_taken: bool) {
        if self.shown.len() <= key {
            self.shown.resize(key + 1, 0.0);
            self.taken.resize(key + 1, 0.0);
        }
        self.shown[key] += 1.0;
        self.taken[key] += f64::from(u8::from(is_taken));
    }

    /// The logit of the click rate, shrunk towards the overall mean.
    fn logit(&self, key: usize, mean: f64) -> f64 {
        let of = |values: &[f64]| values.get(key).copied().unwrap_or(0.0);
        logit((of(&self.taken) + PRIOR * mean) / (of(&self.shown) + PRIOR))
    }
}

/// All contenders on the cells of `held_out`.
pub(super) fn contenders(data: &Dataset, split: &LearningSplit, held_out: &HeldOutLists<'_>) -> Vec<Contender> {
    let (mut slots, mut items) = (Rates::new(), Rates::new());
    for &list in &split.lists {
        let list = data.impressions.get(list as usize);
        for ((item, &slot), &taken) in list.items.iter().zip(list.slots).zip(list.taken) {
            slots.count(usize::from(slot), taken);
            items.count(item.index(), taken);
        }
    }
    let mean = slots.taken.iter().sum::<f64>() / slots.shown.iter().sum::<f64>().max(1.0);
    let counts = split.log.before.item_counts();
    let cells = || held_out.lists.iter().flat_map(|list| list.items.iter().zip(list.slots));
    vec![
        Contender { name: CONSTANT, scores: cells().map(|_| 0.0).collect() },
        Contender { name: BY_SLOT, scores: cells().map(|(_, &slot)| slots.logit(usize::from(slot), mean)).collect() },
        Contender {
            name: POPULARITY,
            scores: cells().map(|(item, _)| libm::log1p(f64::from(counts[item.index()]))).collect(),
        },
        Contender {
            name: "click rate of the item",
            scores: cells().map(|(item, _)| items.logit(item.index(), mean)).collect(),
        },
    ]
}
