//! Fits a mirror, the user model of `recmirror fit`, to any data set: no Python, no other data's words.
//!
//! [`fit`] trains the network on the log before the cut. At first it leaves out the latest tenth of each user's interactions:
//! on these it finds the weight decay and when to stop. Then it trains as long on everything before the cut. What was held out is
//! never read.
//! [`Fitted::write`] makes a folder by the contract of models/README.md, version 2.
//!
//! Memory grows with the log and not with the training: scenes are drawn batch by batch. The same data, seed and machine give
//! the same bytes on any number of threads.

mod backward;
mod checkpoint;
mod graphs;
mod layer;
mod losses;
mod material;
mod model_folder;
mod network;
mod passes;
mod sampling;
mod search;
mod shard;
#[cfg(test)]
mod tests;
mod training;

pub use self::model_folder::{CardTexts, REPLICATES, own_files};

use self::checkpoint::Bound;
use self::material::Material;
use self::network::{Inputs, Network};
use self::search::Search;
use crate::dataset::Dataset;
use crate::files::{FileError, Watch};
use crate::ids::UserId;
use crate::scene::{EncodingError, FieldFeatures, SkippedField};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// How a model is fitted.
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
    /// Dimensions of the item vectors; the number of items decides unless given.
    pub rank: Option<usize>,
    /// A replicate: users are drawn anew, with replacement, by this number.
    pub replicate: Option<u32>,
}

impl Default for FitOptions {
    fn default() -> Self {
        FitOptions { seed: 1, holdout: 0.2, epochs: None, last: None, decay: None, rank: None, replicate: None }
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
        /// What is needed.
        least: usize,
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
    /// What an interrupted fit left cannot be used.
    #[error("cannot go on with {}: {problem}; remove it, and the fit begins anew", path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
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

/// How a fit is watched, stopped, and continued.
#[derive(Clone, Copy)]
pub struct Control<'a> {
    /// Hears of progress.
    pub watch: &'a dyn Watch,
    /// Set to stop after the present batch.
    pub stop: &'a AtomicBool,
    /// Where the state is kept between epochs; a fit goes on from there, and removes it in the end.
    pub state: Option<&'a Path>,
}

/// The course of one training.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Course {
    /// Weight decay, times the learning rate.
    pub decay: f64,
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
}

/// Trains a model on the log before the cut.
///
/// # Errors
/// Too little data, fields that cannot be encoded, a state of another fit, or a stop.
pub fn fit(data: &Dataset, options: FitOptions, control: Control<'_>) -> Result<Fitted, FitError> {
    let rank = options.rank.unwrap_or_else(|| rank(data.items.len()));
    let (features, skipped) = FieldFeatures::of(data, rank);
    let log = data.split(options.holdout).before;
    let learned = (0..log.users() as u32).map(|user| log.of(UserId(user)).len()).filter(|&rows| rows > 1);
    let rows = learned.sum();
    if rows < LEAST_ROWS || data.items.len() < 2 {
        return Err(FitError::TooLittle { data: data.name.clone(), rows, least: LEAST_ROWS });
    }
    control.watch.begin("item vectors", 0);
    let material = Material::new(data, &log, &features, options.seed)?;
    let bound = Bound {
        program: env!("CARGO_PKG_VERSION").to_owned(),
        data_hash: data.hash.clone(),
        options,
        inputs: material.inputs(),
    };
    let search = Search { material: &material, log: &log, bound: &bound, control };
    let (learner, trials, course) = search.run()?;
    if let Some(path) = control.state {
        // It may not be there; if it cannot be removed, the next fit says what it belongs to.
        let _ = std::fs::remove_file(path);
    }
    let vectors = material.whole_vectors().slice(ndarray::s![.., ..rank]).to_owned();
    let items = (0..data.items.len() as u32).map(|item| data.items.external(item).to_owned()).collect();
    let (inputs, rows) = (bound.inputs, log.rows.len());
    Ok(Fitted { network: learner.mean, inputs, features, skipped, vectors, items, options, trials, course, rows })
}

/// Dimensions of the vectors of a catalogue: few items have few tastes, and more dimensions would tell users instead.
fn rank(items: usize) -> usize {
    (items / 32 / 4 * 4).clamp(4, 48)
}

impl Fitted {
    /// How it was fitted.
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
