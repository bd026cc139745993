//! Instruction-following difficulty of decisions.
//!
//! For a text of tokens `t` and a scene `s` it is `exp(mean -ln P(t | s)) / exp(mean -ln P(t))`: near 0 the scene
//! explains the text, near 1 it does not help. Source: Li et al., "From Quantity to Quality: Boosting LLM
//! Performance with Self-Guided Data Selection for Instruction Tuning" (NAACL 2024). `recmirror judge --ifd`
//! computes it with a local language model.

use super::answer_journal::file_hash;
use super::{Project, SceneRecord, Strength};
use crate::dataset::ExternalId;
use crate::files::{FileError, Jsonl};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A line of `probs/NAME_ifd.jsonl`; it belongs to the scene on the same line of `NAME_train.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DifficultyRecord {
    /// The user.
    pub user_id: ExternalId,
    /// The item that the user took.
    pub item_id: ExternalId,
    /// The difficulty of each of the strong model's decisions, in the order of its `decision_list`; `null` if it could
    /// not be measured.
    pub ifd: Vec<Option<f64>>,
    /// The hash of the file of probabilities whose decisions were measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probs: Option<String>,
    /// The measuring model, and a hash of all inputs of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predictor: Option<String>,
}

/// Difficulties that are missing or invalid.
#[derive(Debug, thiserror::Error)]
pub enum DifficultyError {
    /// A problem of a file.
    #[error(transparent)]
    File(#[from] FileError),
    /// A scene or decision that is not in the file.
    #[error("{}: no difficulty of decision {decision} of scene {scene}; `recmirror judge --ifd` makes the file again", path.display())]
    Absent {
        /// The file.
        path: PathBuf,
        /// The scene's row, counted from 0.
        scene: u64,
        /// The decision's index, from 0.
        decision: usize,
    },
}

/// The difficulties of one data set.
pub(super) struct Difficulties {
    path: PathBuf,
    rows: Vec<Vec<Option<f64>>>,
}

impl Difficulties {
    /// Reads `probs/NAME_ifd.jsonl`, and refuses one for other scenes or decisions.
    pub(super) fn read(project: &Project, dataset: &str) -> Result<Difficulties, DifficultyError> {
        let path = project.difficulties(dataset);
        let mut rows = Vec::new();
        let mut reader = Jsonl::<DifficultyRecord>::open(&path, "`recmirror judge --ifd` makes it")?;
        let mut scenes = Jsonl::<SceneRecord>::open(&project.train(dataset), "`recmirror scenes` makes it")?;
        let probs = file_hash(&project.probs(dataset, Strength::Strong), "`recmirror judge` makes it")?;
        while let Some((_, record)) = reader.step()? {
            let scene = scenes.step()?.map(|(_, scene)| (scene.user_id, scene.item_id));
            if scene.is_none_or(|scene| scene != (record.user_id, record.item_id)) {
                let problem =
                    "this is not the scene on this line; `recmirror judge --ifd --restart` makes the file again";
                return Err(reader.error(problem.to_owned()).into());
            }
            if record.probs.is_some_and(|of| of != probs) {
                let problem = "made for other decisions than those in the file of probabilities; `recmirror judge --ifd --restart` makes it again";
                return Err(reader.error(problem.to_owned()).into());
            }
            if let Some(value) = record.ifd.iter().flatten().find(|value| !value.is_finite() || **value < 0.0) {
                return Err(reader.error(format!("the difficulty {value} is not a positive number")).into());
            }
            rows.push(record.ifd);
        }
        Ok(Difficulties { path, rows })
    }

    /// The difficulty of one decision; `None` if it could not be measured.
    pub(super) fn get(&self, scene: u64, decision: usize) -> Result<Option<f64>, DifficultyError> {
        let row = usize::try_from(scene).ok().and_then(|scene| self.rows.get(scene));
        let absent = || DifficultyError::Absent { path: self.path.clone(), scene, decision };
        row.and_then(|row| row.get(decision)).copied().ok_or_else(absent)
    }
}
