//! The trainings of a fit: which weight decay, how long, and then the one that gives the model.

use super::checkpoint::{self, Bound, Standing};
use super::material::Material;
use super::network::Network;
use super::sampling::{Chunk, SHARD, chunks};
use super::training::{BATCH, Learner, Lesson, Mean, held_out};
use super::{Control, Course, FitError};
use crate::dataset::TrainingLog;
use crate::random::{Purpose, Streams, below, shuffle};
use std::ops::Range;
use std::sync::atomic::Ordering;

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

/// Weight decays, the least first. A log with little in it needs a larger one.
const DECAYS: [f64; 3] = [0.1, 1.0, 6.0];
/// Interactions above which the first of them is taken without a search.
const SEARCHED: usize = 200_000;
/// Steps of progress in an epoch.
const PROGRESS: u64 = 1_000;

/// What all trainings share.
pub(super) struct Search<'a> {
    pub(super) material: &'a Material<'a>,
    /// The log before the cut.
    pub(super) log: &'a TrainingLog,
    pub(super) bound: &'a Bound,
    pub(super) control: Control<'a>,
}

/// One training.
struct Task {
    what: String,
    /// Which streams.
    stream: u32,
    chunks: Vec<Chunk>,
    /// Epochs of the schedule.
    epochs: u32,
    /// Epoch after which it stops.
    last: u32,
    decay: f64,
}

impl Search<'_> {
    /// The trainings that find out how, and the one that gives the model.
    pub(super) fn run(&self) -> Result<(Learner, Vec<Course>, Course), FitError> {
        let options = self.bound.options;
        let state = self.control.state.map(|path| checkpoint::read(path, self.bound)).transpose()?.flatten();
        let (mut standing, mut learner) = state.unzip();
        let early = match self.material.shown() {
            Some(shown) => shown.early(self.log),
            None => chunks(self.log, |_, count| 0..fitting(count)),
        };
        let epochs = options.epochs.unwrap_or_else(|| epochs(&early));
        let mut trials = standing.as_mut().map_or_else(Vec::new, |standing| std::mem::take(&mut standing.trials));
        let is_final = standing.as_ref().is_some_and(|standing| standing.is_final);
        let mut begun = move || learner.take().zip(standing.take().map(|standing| standing.course));
        if !is_final && options.last.is_none() {
            let late = self.late();
            for &decay in &self.decays()[trials.len()..] {
                let what = format!("fit without the latest interactions, weight decay {decay}");
                let task = Task { what, stream: 0, chunks: early.clone(), epochs, last: epochs, decay };
                let course = self.train(task, begun(), (&trials, false), Some(&late))?.1;
                let is_worse = least(&course) > best_of(&trials).map_or(f64::INFINITY, least);
                trials.push(course);
                if is_worse {
                    break;
                }
            }
        }
        let best = best_of(&trials);
        let decay = options.decay.or(best.map(|trial| trial.decay)).unwrap_or(DECAYS[0]);
        let last = options.last.or(best.and_then(best_epoch)).unwrap_or(epochs);
        let all = match self.material.shown() {
            Some(shown) => shown.all(self.log),
            None => chunks(self.log, |_, count| 0..count),
        };
        let all = match options.replicate {
            Some(number) => self.replicate(number, &all),
            None => all,
        };
        let task = Task { what: "fit".to_owned(), stream: 1, chunks: all, epochs, last, decay };
        let (learner, course) = self.train(task, begun(), (&trials, true), None)?;
        Ok((learner, trials, course))
    }

    /// The weight decays that are tried.
    fn decays(&self) -> Vec<f64> {
        match self.bound.options.decay {
            Some(decay) => vec![decay],
            None if self.log.rows.len() > SEARCHED => vec![DECAYS[0]],
            None => DECAYS.to_vec(),
        }
    }

    /// The latest interactions of some users.
    fn late(&self) -> Vec<Chunk> {
        let mut late = match self.material.shown() {
            Some(shown) => shown.late(self.log),
            None => chunks(self.log, |_, count| fitting(count)..count),
        };
        let streams = Streams::new(self.bound.options.seed, 0);
        shuffle(&mut streams.derive(Purpose::Fitting, 1, 0), &mut late);
        let mut left = VALIDATION_SCENES;
        late.retain(|chunk| {
            let is_kept = left > 0;
            left = left.saturating_sub(chunk.rows.len());
            is_kept
        });
        late
    }

    /// The chunks of as many users, drawn with replacement.
    fn replicate(&self, number: u32, chunks: &[Chunk]) -> Vec<Chunk> {
        let users = self.log.users();
        let mut of_user: Vec<Range<usize>> = vec![0..0; users];
        for (place, chunk) in chunks.iter().enumerate() {
            let range = &mut of_user[chunk.user.index()];
            *range = if range.start == range.end { place..place + 1 } else { range.start..place + 1 };
        }
        let mut rng = Streams::new(self.bound.options.seed, 0).derive(Purpose::Fitting, 2, number);
        let drawn = (0..users).flat_map(|_| of_user[below(&mut rng, users as u32) as usize].clone());
        drawn.map(|place| chunks[place].clone()).collect()
    }

    /// Trains until `task.last`, or until the loss on `later` gets no better. `kept` is what a state says of the others.
    fn train(
        &self,
        task: Task,
        begun: Option<(Learner, Course)>,
        kept: (&[Course], bool),
        later: Option<&[Chunk]>,
    ) -> Result<(Learner, Course), FitError> {
        let Task { what, stream, chunks, epochs, last, decay } = task;
        let streams = Streams::new(self.bound.options.seed, 0);
        let (mut learner, mut course) = begun.unwrap_or_else(|| {
            let network = Network::random(&mut streams.derive(Purpose::Fitting, 0, 0), self.bound.inputs);
            let course = Course { decay, schedule: epochs, ..Course::default() };
            (Learner::new(network, Network::zeros(self.bound.inputs)), course)
        });
        let (sampler, tables) = (self.material.sampler(), self.material.tables());
        let most = chunks.iter().map(|chunk| chunk.rows.len()).sum::<usize>().max(self.log.rows.len());
        let scenes = most.min(MOST_SCENES / epochs.max(1) as usize);
        let streams = streams.fork(stream);
        let lesson = Lesson { sampler: &sampler, tables, chunks, streams, epochs, scenes, decay };
        self.control.watch.begin(&what, u64::from(last.saturating_sub(learner.epochs)) * PROGRESS);
        let every = epochs.div_ceil(ROUNDS);
        while learner.epochs < last && !is_over(&course, every) {
            let mean = self.epoch(&mut learner, &lesson, kept, &course)?;
            course.losses.push(mean.total());
            let is_round = learner.epochs.is_multiple_of(every);
            if let Some(later) = later.filter(|later| is_round && !later.is_empty()) {
                course.later.push((learner.epochs, held_out(&learner.mean, &lesson, later).total()));
            }
            (course.epochs, course.steps) = (learner.epochs, learner.steps);
            if is_round {
                self.keep(&learner, kept, &course)?;
            }
        }
        Ok((learner, course))
    }

    /// One epoch; where somebody stops it, the state before it is kept.
    fn epoch(
        &self,
        learner: &mut Learner,
        lesson: &Lesson<'_>,
        kept: (&[Course], bool),
        course: &Course,
    ) -> Result<Mean, FitError> {
        let before = self.control.state.is_some().then(|| learner.clone());
        let epochs = learner.epochs;
        let mut told = 0;
        let mean = learner.epoch(lesson, |share| {
            let now = (share * PROGRESS as f64) as u64;
            self.control.watch.advance(now - told);
            told = now;
            !self.control.stop.load(Ordering::Relaxed)
        });
        let Some(mean) = mean else {
            if let Some(before) = before {
                self.keep(&before, kept, course)?;
            }
            return Err(FitError::Stopped { epochs });
        };
        if mean.total().is_finite() { Ok(mean) } else { Err(FitError::NotFinite { epoch: epochs + 1 }) }
    }

    fn keep(&self, learner: &Learner, (trials, is_final): (&[Course], bool), course: &Course) -> Result<(), FitError> {
        let standing = Standing { trials: trials.to_vec(), is_final, course: course.clone() };
        match self.control.state {
            Some(path) => Ok(checkpoint::write(path, self.bound, &standing, learner)?),
            None => Ok(()),
        }
    }
}

/// How many of a user's interactions are learned while the others show when to stop.
fn fitting(count: usize) -> usize {
    ((count as f64) * (1.0 - VALIDATION) - 1e-9).ceil() as usize
}

/// Epochs for these chunks.
fn epochs(chunks: &[Chunk]) -> u32 {
    let scenes: usize = chunks.iter().map(|chunk| chunk.rows.len()).sum();
    let steps = scenes.div_ceil(BATCH * SHARD).max(1);
    EPOCHS.max(LEAST_STEPS.div_ceil(steps) as u32)
}

/// The epoch with the least loss on later interactions.
fn best_epoch(course: &Course) -> Option<u32> {
    course.later.iter().min_by(|a, b| a.1.total_cmp(&b.1)).map(|&(epoch, _)| epoch)
}

/// That loss.
fn least(course: &Course) -> f64 {
    course.later.iter().map(|&(_, loss)| loss).fold(f64::INFINITY, f64::min)
}

/// The training with the least loss on later interactions; of equal ones the first.
fn best_of(trials: &[Course]) -> Option<&Course> {
    trials.iter().min_by(|a, b| least(a).total_cmp(&least(b)))
}

/// Whether the loss on later interactions has not become better for long.
fn is_over(course: &Course, every: u32) -> bool {
    best_epoch(course).is_some_and(|best| course.epochs - best >= PATIENCE * every)
}
