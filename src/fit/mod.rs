//! Fits a mirror, the user model of `recmirror fit`, to any data set: no Python, no other data's words.
//!
//! [`fit`] trains the network on the log before the cut. It trains twice: the first time without the latest tenth of each
//! user's interactions, on which it learns when to stop; then as long on everything before the cut. What was held out is never read.
//! [`Fitted::write`] makes a folder by the contract of models/README.md, version 2.
//!
//! Memory grows with the log and not with the training: scenes are drawn batch by batch. The same data, seed and machine give
//! the same bytes on any number of threads.

mod backward;
mod graphs;
mod layer;
mod losses;
mod material;
mod model_folder;
mod network;
mod passes;
mod sampling;
mod shard;
mod training;

pub use self::model_folder::CardTexts;

use self::material::Material;
use self::network::{Inputs, Network};
use self::sampling::{Chunk, SHARD, chunks};
use self::training::{Learner, Lesson, Mean, held_out};
use crate::dataset::Dataset;
use crate::files::{FileError, Watch};
use crate::random::{Purpose, Streams, shuffle};
use crate::scene::{EncodingError, FieldFeatures, SkippedField};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// Scenes of a fit at most: larger logs are sampled.
const MOST_SCENES: usize = 6_000_000;
/// Epochs of a log that is large enough.
const EPOCHS: u32 = 32;
/// Steps of a fit at least: small logs get more epochs.
const LEAST_STEPS: usize = 1_500;
/// Times that the loss on later interactions is measured.
const ROUNDS: u32 = 32;
/// Measurements without a better one, after which training stops.
const PATIENCE: u32 = 6;
/// Scenes on which that loss is measured at most.
const VALIDATION_SCENES: usize = 20_000;
/// Share of the interactions before the cut on which it is measured: the latest of each user.
const VALIDATION: f64 = 0.1;

/// How a model is fitted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FitOptions {
    /// Root of the random streams.
    pub seed: u64,
    /// Share of each user's latest interactions that is held out.
    pub holdout: f64,
    /// Passes over the log; decided by the log's size and by held-out loss unless given.
    pub epochs: Option<u32>,
    /// Dimensions of the item vectors.
    pub rank: usize,
}

impl Default for FitOptions {
    fn default() -> Self {
        FitOptions { seed: 1, holdout: 0.2, epochs: None, rank: 48 }
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
    /// Somebody asked to stop.
    #[error("stopped after {epochs} epochs")]
    Stopped {
        /// Epochs that are done.
        epochs: u32,
    },
}

/// Interactions that a fit needs.
const LEAST_ROWS: usize = 100;

/// The course of one training.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct Course {
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
    /// The training without the latest interactions.
    pub trial: Course,
    /// The training that gave the model.
    pub course: Course,
    /// Interactions before the cut.
    pub rows: usize,
}

/// Trains a model on the log before the cut.
///
/// # Errors
/// Too little data, fields that cannot be encoded, or `stop`.
pub fn fit(data: &Dataset, options: FitOptions, watch: &dyn Watch, stop: &AtomicBool) -> Result<Fitted, FitError> {
    let (features, skipped) = FieldFeatures::of(data, options.rank);
    let log = data.split(options.holdout).before;
    let learned = (0..log.users() as u32).map(|user| log.of(crate::ids::UserId(user)).len()).filter(|&rows| rows > 1);
    let rows = learned.sum();
    if rows < LEAST_ROWS || data.items.len() < 2 {
        return Err(FitError::TooLittle { data: data.name.clone(), rows, least: LEAST_ROWS });
    }
    watch.begin("item vectors", 0);
    let material = Material::new(data, &log, &features, options)?;
    let inputs = material.inputs();
    let streams = Streams::new(options.seed, 0);
    let fitting = |count: usize| ((count as f64) * (1.0 - VALIDATION) - 1e-9).ceil() as usize;
    let run = Run { material: &material, inputs, options, watch, stop, rows: log.rows.len() };
    let early = chunks(&log, |_, count| 0..fitting(count));
    let mut late = chunks(&log, |_, count| fitting(count)..count);
    shuffle(&mut streams.derive(Purpose::Fitting, 1, 0), &mut late);
    let mut left = VALIDATION_SCENES;
    late.retain(|chunk| {
        let kept = left > 0;
        left = left.saturating_sub(chunk.rows.len());
        kept
    });
    let epochs = options.epochs.unwrap_or_else(|| epochs(&early));
    let (_, trial) =
        run.train("fit without the latest interactions", streams.fork(0), early, epochs, Some(&late), epochs)?;
    let best = best(&trial).unwrap_or(epochs);
    let (learner, course) = run.train("fit", streams.fork(1), chunks(&log, |_, count| 0..count), epochs, None, best)?;
    let rank = options.rank;
    let vectors = material.whole_vectors().slice(ndarray::s![.., ..rank]).to_owned();
    let items = (0..data.items.len() as u32).map(|item| data.items.external(item).to_owned()).collect();
    let rows = log.rows.len();
    Ok(Fitted { network: learner.mean, inputs, features, skipped, vectors, items, options, trial, course, rows })
}

/// Epochs for these chunks.
fn epochs(chunks: &[Chunk]) -> u32 {
    let scenes: usize = chunks.iter().map(|chunk| chunk.rows.len()).sum();
    let steps = scenes.div_ceil(8 * SHARD).max(1);
    EPOCHS.max(LEAST_STEPS.div_ceil(steps) as u32)
}

/// The epoch with the least loss on later interactions.
fn best(course: &Course) -> Option<u32> {
    let least = course.later.iter().min_by(|a, b| a.1.total_cmp(&b.1));
    least.map(|&(epoch, _)| epoch)
}

struct Run<'a> {
    material: &'a Material<'a>,
    inputs: Inputs,
    options: FitOptions,
    watch: &'a dyn Watch,
    stop: &'a AtomicBool,
    rows: usize,
}

impl Run<'_> {
    /// Trains on `chunks` by the schedule of `epochs`, until epoch `last` or until the loss on `later` gets no better.
    fn train(
        &self,
        what: &str,
        streams: Streams,
        chunks: Vec<Chunk>,
        epochs: u32,
        later: Option<&[Chunk]>,
        last: u32,
    ) -> Result<(Learner, Course), FitError> {
        let scenes = self.rows.min(MOST_SCENES / epochs.max(1) as usize);
        let sampler = self.material.sampler();
        let lesson = Lesson { sampler: &sampler, tables: self.material.tables(), chunks, streams, epochs, scenes };
        let mut rng = Streams::new(self.options.seed, 0).derive(Purpose::Fitting, 0, 0);
        let mut learner = Learner::new(Network::random(&mut rng, self.inputs), Network::zeros(self.inputs));
        let mut course = Course::default();
        self.watch.begin(what, u64::from(last) * 1000);
        let every = epochs.div_ceil(ROUNDS);
        while learner.epochs < last {
            let mean = self.epoch(&mut learner, &lesson)?;
            course.losses.push(mean.total());
            if let Some(later) = later.filter(|later| !later.is_empty() && learner.epochs.is_multiple_of(every)) {
                course.later.push((learner.epochs, held_out(&learner.mean, &lesson, later).total()));
                if best(&course).is_some_and(|best| learner.epochs - best >= PATIENCE * every) {
                    break;
                }
            }
        }
        (course.epochs, course.steps) = (learner.epochs, learner.steps);
        Ok((learner, course))
    }

    fn epoch(&self, learner: &mut Learner, lesson: &Lesson<'_>) -> Result<Mean, FitError> {
        let epochs = learner.epochs;
        let mut told = 0;
        let mean = learner.epoch(lesson, |share| {
            let now = (share * 1000.0) as u64;
            self.watch.advance(now - told);
            told = now;
            !self.stop.load(Ordering::Relaxed)
        });
        let mean = mean.ok_or(FitError::Stopped { epochs })?;
        if mean.total().is_finite() { Ok(mean) } else { Err(FitError::NotFinite { epoch: epochs + 1 }) }
    }
}

impl Fitted {
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
