//! The questions about each scene: the scene itself and its variations.

use super::set::SceneSet;
use crate::pipeline::turned_place;
use crate::random::{Purpose, Streams, below, shuffle};
use std::collections::BTreeSet;

/// Negatives for each real item in the lists that measure discrimination.
pub const RATIOS: [usize; 4] = [1, 2, 3, 9];

/// The most draws from other lists to fill a list.
const TRIES: usize = 200;

/// The variation of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Variation {
    /// The scene itself.
    Plain,
    /// The list, rotated by this many positions.
    Turned(usize),
    /// The list: the real item among this many others.
    Ratio(usize),
    /// The memory is another user's.
    Swapped,
    /// The history ends where the held-out part of the log begins.
    Frozen,
}

/// An item as another scene's list shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    pub scene: usize,
    pub slot: usize,
}

/// A memory and a list.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Question {
    /// The scene that is measured.
    pub scene: usize,
    pub variation: Variation,
    /// The scene of profile and history.
    pub memory: usize,
    pub items: Vec<Shown>,
    /// The position of the real item; the number of items if the list lacks it.
    pub real: usize,
    pub offers_none: bool,
}

impl Question {
    /// True if the history ends early.
    pub(crate) fn is_frozen(&self) -> bool {
        self.variation == Variation::Frozen
    }
}

/// Which variations are asked.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wanted {
    pub rotations: bool,
    pub ratios: bool,
    pub swapped: bool,
    pub frozen: bool,
}

/// All questions about a set. Questions with the same memory follow each other, the plain one first, so a language
/// model reads each memory once.
pub(crate) fn questions(set: &SceneSet, wanted: Wanted, seed: u64) -> Vec<Question> {
    let partners = if wanted.swapped { partners(set, seed) } else { Vec::new() };
    let lists = Lists { set, seed };
    let mut all = Vec::new();
    for scene in 0..set.len() {
        let plain = lists.plain(scene);
        if wanted.rotations {
            let length = plain.items.len();
            all.extend((1..length).map(|by| turned(&plain, by)));
        }
        if wanted.ratios {
            all.extend(RATIOS.iter().filter_map(|&negatives| lists.ratio(scene, negatives)));
        }
        if let Some(Some(partner)) = partners.get(scene) {
            all.push(Question { memory: *partner, variation: Variation::Swapped, ..plain.clone() });
        }
        if wanted.frozen {
            all.push(Question { variation: Variation::Frozen, ..plain.clone() });
        }
        all.push(plain);
    }
    all.sort_by_key(|question| (question.memory, question.variation, question.scene));
    all
}

/// The list rotated so that the item at position `by` is first.
fn turned(plain: &Question, by: usize) -> Question {
    let mut items = plain.items.clone();
    items.rotate_left(by);
    let real = turned_place(plain.real, items.len(), by);
    Question { variation: Variation::Turned(by), items, real, ..plain.clone() }
}

/// For each scene another one of the same data set and of another user, each used once; `None` if one user has most of
/// the scenes.
fn partners(set: &SceneSet, seed: u64) -> Vec<Option<usize>> {
    let mut found = vec![None; set.len()];
    for dataset in 0..set.datasets.len() {
        let mut users: Vec<usize> = set.scenes.iter().filter(|of| of.dataset == dataset).map(|of| of.user).collect();
        users.sort_unstable();
        users.dedup();
        shuffle(&mut Streams::new(seed, 0).derive(Purpose::Alignment, dataset as u64, 0), &mut users);
        let mut ordered: Vec<(usize, usize)> = Vec::new();
        let mut places = vec![0; users.iter().max().map_or(0, |most| most + 1)];
        users.iter().enumerate().for_each(|(place, &user)| places[user] = place);
        for (scene, of) in set.scenes.iter().enumerate().filter(|(_, of)| of.dataset == dataset) {
            ordered.push((places[of.user], scene));
        }
        ordered.sort_unstable();
        // A user's scenes are adjacent, so a scene further away than the longest of these runs belongs to another user.
        let longest = ordered.chunk_by(|a, b| a.0 == b.0).map(<[_]>::len).max().unwrap_or_default();
        for (place, &(user, scene)) in ordered.iter().enumerate() {
            let (other, partner) = ordered[(place + longest) % ordered.len()];
            found[scene] = (other != user).then_some(partner);
        }
    }
    found
}

struct Lists<'a> {
    set: &'a SceneSet,
    seed: u64,
}

impl Lists<'_> {
    fn plain(&self, scene: usize) -> Question {
        let record = &self.set.scenes[scene].record;
        let items = (0..record.choice_cnt).map(|slot| Shown { scene, slot }).collect();
        let (real, offers_none) = (record.item_pos, record.offers_none);
        Question { scene, variation: Variation::Plain, memory: scene, items, real, offers_none }
    }

    /// The real item among `negatives` others: those of its own list first, in a drawn order, then items of other lists
    /// of the data set. The real item is at a uniform position. `None` if the list lacks the real item, or there are
    /// not enough others.
    fn ratio(&self, scene: usize, negatives: usize) -> Option<Question> {
        let of = &self.set.scenes[scene];
        if !of.holds_real() {
            return None;
        }
        let mut rng = Streams::new(self.seed, 0).derive(Purpose::Alignment, scene as u64, 1 + negatives as u32);
        let own = (0..of.record.choice_cnt).filter(|&slot| slot != of.record.item_pos);
        let mut items: Vec<Shown> = own.map(|slot| Shown { scene, slot }).collect();
        shuffle(&mut rng, &mut items);
        items.truncate(negatives);
        let text = |shown: Shown| self.set.scenes[shown.scene].record.text.action_list[shown.slot].as_str();
        let mut known: BTreeSet<&str> = of.record.text.action_list.iter().map(String::as_str).collect();
        for _ in 0..TRIES {
            if items.len() == negatives {
                break;
            }
            let other = below(&mut rng, self.set.len() as u32) as usize;
            let length = self.set.scenes[other].record.choice_cnt as u32;
            let shown = Shown { scene: other, slot: below(&mut rng, length.max(1)) as usize };
            let fits = length > 0 && self.set.scenes[other].dataset == of.dataset;
            if fits && known.insert(text(shown)) {
                items.push(shown);
            }
        }
        if items.len() < negatives {
            return None;
        }
        let real = below(&mut rng, negatives as u32 + 1) as usize;
        items.insert(real, Shown { scene, slot: of.record.item_pos });
        let variation = Variation::Ratio(negatives);
        Some(Question { scene, variation, memory: scene, items, real, offers_none: false })
    }
}
