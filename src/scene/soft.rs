//! A language model's answers as labels: scenes that a mirror learns from besides the log.

use super::tensors::{Folder, Part, SLOTS};
use super::{CONTEXT, LogClock};
use crate::dataset::{Catalogue, TrainingLog};
use crate::ids::{ItemId, UserId};
use ndarray::{Array1, Array2, Array3};

/// A scene and what a language model says to it.
#[derive(Clone, Debug, PartialEq)]
pub struct SoftScene {
    /// The user.
    pub user: UserId,
    /// The item that the user took, listed or not.
    pub taken: ItemId,
    /// The list.
    pub items: Vec<ItemId>,
    /// The place of the item that was taken; `None` where the list does not hold it.
    pub real: Option<usize>,
    /// Whether nothing could be taken.
    pub offers_none: bool,
    /// Of each item, then of nothing where it is offered.
    pub probabilities: Vec<f32>,
}

/// Scenes with the answers of one model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SoftScenes {
    /// The model's name.
    pub model: String,
    /// The scenes.
    pub scenes: Vec<SoftScene>,
}

/// What became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SoftTally {
    /// Scenes that training may read.
    pub used: usize,
    /// Those whose moment lies in the part of the log that is held out.
    pub held_out: usize,
    /// Those whose list is longer than a training list, or whose user did not take that item.
    pub unfit: usize,
}

impl SoftTally {
    /// What a reader of the command's output must know.
    pub fn told(self, model: &str) -> String {
        let SoftTally { used, held_out, unfit } = self;
        format!(
            "answers of {model}: {used} scenes are labels; left out: {held_out} that lie in the held-out part of the log, {unfit} with more than {SLOTS} items or that the log does not have"
        )
    }
}

/// Writes `soft_*.npy`: of each scene its row, items, context, label, whether nothing is offered, and probabilities
/// [SLOTS + 1], the last that of nothing.
pub(super) fn write_soft(
    soft: &SoftScenes,
    (log, parts): (&TrainingLog, &[Part]),
    (clock, catalogue): (&LogClock, &Catalogue),
    out: &Folder<'_>,
) -> std::io::Result<SoftTally> {
    let mut tally = SoftTally::default();
    let mut kept = Vec::new();
    for scene in &soft.scenes {
        match row_of(scene, log) {
            Some(row) if parts[row] == Part::HeldOut => tally.held_out += 1,
            Some(row) if scene.items.len() <= SLOTS => kept.push((row, scene)),
            _ => tally.unfit += 1,
        }
    }
    tally.used = kept.len();
    let mut items = Array2::<i32>::from_elem((kept.len(), SLOTS), -1);
    let mut contexts = Array3::<f32>::zeros((kept.len(), SLOTS, CONTEXT));
    let mut probabilities = Array2::<f32>::zeros((kept.len(), SLOTS + 1));
    for (place, (row, scene)) in kept.iter().enumerate() {
        for (slot, &item) in scene.items.iter().enumerate() {
            items[(place, slot)] = item.0 as i32;
            probabilities[(place, slot)] = scene.probabilities[slot];
            for (column, value) in clock.context(catalogue, item, log.rows[*row].time).into_iter().enumerate() {
                contexts[(place, slot, column)] = value;
            }
        }
        if scene.offers_none {
            probabilities[(place, SLOTS)] = scene.probabilities[scene.items.len()];
        }
    }
    let column = |value: &dyn Fn(usize, &SoftScene) -> i32| {
        kept.iter().map(|(row, scene)| value(*row, scene)).collect::<Array1<i32>>()
    };
    out.write("soft_row", &column(&|row, _| row as i32))?;
    out.write("soft_label", &column(&|_, scene| scene.real.map_or(-1, |slot| slot as i32)))?;
    out.write("soft_none", &kept.iter().map(|(_, scene)| u8::from(scene.offers_none)).collect::<Array1<u8>>())?;
    out.write("soft_items", &items)?;
    out.write("soft_context", &contexts)?;
    out.write("soft_probability", &probabilities)?;
    Ok(tally)
}

/// The row of the log that a scene is about.
fn row_of(scene: &SoftScene, log: &TrainingLog) -> Option<usize> {
    let first = log.offsets[scene.user.index()];
    let place = log.of(scene.user).iter().position(|row| row.item == scene.taken)?;
    let listed = scene.real.is_none_or(|slot| scene.items[slot] == scene.taken);
    listed.then_some(first + place)
}
