//! Fits a mirror user model to any data set.
//!
//! [`fit`] trains the network on the log before the cut. At first it leaves out the latest tenth of each user's interactions, or
//! several tenths in turn where the log is small and its order means nothing: on these it finds the weight decays and when to stop. Then it trains as long on everything before the cut. What was held out is
//! never read.
//! [`Fitted::write`] makes a folder by the contract of models/README.md, version 2.
//!
//! Memory grows with the log and not with the training: scenes are drawn batch by batch. The same data, seed and machine give
//! the same bytes on any number of threads.

mod backward;
mod checkpoint;
mod graphs;
mod layer;
mod looks;
mod losses;
mod material;
mod model_folder;
mod network;
mod passes;
mod sampling;
mod search;
mod settings;
mod shard;
mod shown;
mod shown_loss;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_shown;
mod training;

pub use self::looks::Looks;
pub use self::model_folder::{CardTexts, REPLICATES, own_files};

use self::checkpoint::Bound;
use self::material::Material;
use self::network::{Inputs, Network};
use self::search::Search;
use crate::dataset::{Dataset, LearningSplit};
use crate::files::{FileError, Watch};
use crate::ids::LogUserId;
use crate::scene::{EncodingError, FieldFeatures, SkippedField};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// The use of logged propensities in training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Propensities {
    /// None: all lists have equal weight. The choice among shown items is learned either way.
    #[default]
    Ignore,
    /// A list is weighted by the mean of `1 / propensity` of its items (Schnabel et al. 2016), at most 20 times the
    /// mean of all lists: as if items had been shown at random.
    Inverse,
}

/// Options of a fit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FitOptions {
    /// Root of the random streams.
    pub seed: u64,
    /// Share of each user's latest interactions that is held out.
    pub holdout: f64,
    /// Passes over the log; decided by the log's size and by held-out loss unless given.
    pub epochs: Option<u32>,
    /// Epoch after which training stops; the loss on later interactions decides unless given.
    pub last: Option<u32>,
    /// Weight decay, times the learning rate; the loss on later interactions decides unless given.
    pub decay: Option<f64>,
    /// Weight decay of the weights that serve ratings alone; as `decay` unless given, or found by the loss where both are searched.
    pub rating_decay: Option<f64>,
    /// Dimensions of the item vectors; the number of items decides unless given.
    pub rank: Option<usize>,
    /// The use of propensities.
    pub propensities: Propensities,
    /// A replicate: users are drawn again, with replacement, by this number.
    pub replicate: Option<u32>,
}

impl Default for FitOptions {
    fn default() -> Self {
        FitOptions {
            seed: 1,
            holdout: 0.2,
            epochs: None,
            last: None,
            decay: None,
            rating_decay: None,
            rank: None,
            propensities: Propensities::Ignore,
            replicate: None,
        }
    }
}

/// A fit that cannot be done.
#[derive(Debug, thiserror::Error)]
pub enum FitError {
    /// There is nothing to learn from.
    #[error(
        "{data} has {rows} interactions before the cut, of users with at least 2; a fit needs {least}. Give more data, or a smaller --holdout"
    )]
    TooLittle {
        /// The data set.
        data: String,
        /// Interactions that can become scenes.
        rows: usize,
        /// The requirement.
        least: usize,
    },
    /// Lists teach nothing where nothing was taken.
    #[error(
        "{data} has {lists} lists before the cut, and nothing was taken from any of them, so there is nothing to learn; is the column \
         of clicks the right one? `recmirror data` shows how it was read"
    )]
    NothingTaken {
        /// The data set.
        data: String,
        /// Lists before the cut.
        lists: usize,
    },
    /// Lists cannot be weighed.
    #[error(
        "{data} has no propensities of lists that were shown, so lists cannot be weighed by them; leave --propensities out, or name the \
         column in data.toml"
    )]
    NoPropensities {
        /// The data set.
        data: String,
    },
    /// The fields cannot be encoded.
    #[error(transparent)]
    Encoding(#[from] EncodingError),
    /// A file cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The training left the finite numbers.
    #[error(
        "the loss of epoch {epoch} is not finite; a field with extreme values may be the reason, `recmirror data` shows the fields"
    )]
    NotFinite {
        /// The epoch.
        epoch: u32,
    },
    /// The state of an interrupted fit cannot be used.
    #[error("cannot continue {}: {problem}; remove it, and the fit starts again", path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// Its problem.
        problem: String,
    },
    /// Somebody asked to stop.
    #[error("stopped after {epochs} epochs")]
    Stopped {
        /// Epochs that are done.
        epochs: u32,
    },
}

/// Interactions that a fit needs.
const LEAST_ROWS: usize = 100;

/// Progress, interruption and continuation of a fit.
#[derive(Clone, Copy)]
pub struct Control<'a> {
    /// Hears of progress.
    pub watch: &'a dyn Watch,
    /// Set to stop after the present batch.
    pub stop: &'a AtomicBool,
    /// The file of the state between epochs; a fit continues from it, and removes it at the end.
    pub state: Option<&'a Path>,
}

/// The course of one training.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Course {
    /// Weight decay, times the learning rate.
    pub decay: f64,
    /// Weight decay of the weights that serve ratings alone; `None` if it is the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rating_decay: Option<f64>,
    /// The part of the log that was held out, if several take turns.
    #[serde(default, skip_serializing_if = "is_first")]
    pub fold: u32,
    /// Epochs of the schedule of the learning rate.
    pub schedule: u32,
    /// Epochs that were trained.
    pub epochs: u32,
    /// Steps that were made.
    pub steps: u64,
    /// The loss of each epoch on the scenes that were learned.
    pub losses: Vec<f64>,
    /// The loss on later interactions, as (epoch, loss); empty in the final training.
    pub later: Vec<(u32, f64)>,
}

fn is_first(fold: &u32) -> bool {
    *fold == 0
}

/// A trained model.
pub struct Fitted {
    network: Network,
    inputs: Inputs,
    features: FieldFeatures,
    /// Fields of items and of users that were left out.
    pub skipped: [Vec<SkippedField>; 2],
    vectors: ndarray::Array2<f32>,
    items: Vec<String>,
    options: FitOptions,
    /// The trainings without the latest interactions.
    pub trials: Vec<Course>,
    /// The training that gave the model.
    pub course: Course,
    /// Interactions before the cut.
    pub rows: usize,
    /// The lists before the cut; `None` where the log has none to learn from.
    pub lists: Option<FittedLists>,
}

/// Statistics of learning from shown lists.
#[derive(Clone, Debug, PartialEq)]
pub struct FittedLists {
    /// Lists, items in them, and items taken.
    pub counts: [usize; 3],
    /// Long lists, from which each epoch draws a part of the passed-over items.
    pub long: usize,
    /// The equivalent number of lists of equal weight; `None` if all have the same weight.
    pub effective: Option<f64>,
    /// The moment of the cut; `None` in a log without times.
    pub moment: Option<i64>,
    /// The held-out part, as a clause.
    pub rule: &'static str,
    /// The examination of slots.
    pub looks: Looks,
}

/// Trains a model on the log before the cut.
///
/// # Errors
/// Too little data, fields that cannot be encoded, a state of another fit, or a stop.
pub fn fit(data: &Dataset, options: FitOptions, control: Control<'_>) -> Result<Fitted, FitError> {
    let rank = options.rank.unwrap_or_else(|| rank(data.items.len()));
    let (features, skipped) = FieldFeatures::of(data, rank);
    let split = data.split_to_learn(options.holdout);
    let log = &split.log.before;
    enough(data, &split)?;
    control.watch.begin("item vectors", 0);
    let material = Material::new(data, &split, &features, options)?;
    let bound = Bound {
        program: env!("CARGO_PKG_VERSION").to_owned(),
        data_hash: data.hash.clone(),
        options,
        inputs: material.inputs(),
    };
    let search = Search { material: &material, log, bound: &bound, control };
    let (learner, trials, course) = search.run()?;
    if let Some(path) = control.state {
        // It may be absent; if it cannot be removed, the next fit reports its inputs.
        let _ = std::fs::remove_file(path);
    }
    let vectors = material.whole_vectors().slice(ndarray::s![.., ..rank]).to_owned();
    let items = (0..data.items.len() as u32).map(|item| data.items.external(item).to_owned()).collect();
    let (inputs, rows) = (bound.inputs, log.rows.len());
    let lists = material.shown().map(|shown| FittedLists {
        counts: shown.counts(),
        long: shown.long(),
        effective: shown.effective(),
        moment: split.moment,
        rule: split.rule(),
        looks: material.looks.clone(),
    });
    Ok(Fitted {
        network: learner.mean,
        inputs,
        features,
        skipped,
        vectors,
        items,
        options,
        trials,
        course,
        rows,
        lists,
    })
}

/// True if there is enough data to learn from.
fn enough(data: &Dataset, split: &LearningSplit) -> Result<(), FitError> {
    let log = &split.log.before;
    let learned = (0..log.users() as u32).map(|user| log.of(LogUserId(user)).len()).filter(|&rows| rows > 1);
    let rows = learned.sum();
    if (rows < LEAST_ROWS && !split.has_lists()) || data.items.len() < 2 {
        return Err(FitError::TooLittle { data: data.name.clone(), rows, least: LEAST_ROWS });
    }
    let is_taken = |&list: &u32| data.impressions.get(list as usize).taken.contains(&true);
    if split.has_lists() && !split.lists.iter().any(is_taken) {
        return Err(FitError::NothingTaken { data: data.name.clone(), lists: split.lists.len() });
    }
    Ok(())
}

/// Dimensions of the vectors of a catalogue: few items have few tastes, and more dimensions would identify users instead.
fn rank(items: usize) -> usize {
    (items / 32 / 4 * 4).clamp(4, 48)
}

impl Fitted {
    /// The options of the fit.
    pub fn options(&self) -> FitOptions {
        self.options
    }

    /// Number of parameters.
    pub fn parameters(&self) -> usize {
        self.network.len()
    }

    /// Writes the model into `folder`, which must exist.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, data: &Dataset, texts: &CardTexts, folder: &Path) -> Result<(), FitError> {
        Ok(model_folder::write(self, data, texts, folder)?)
    }
}
