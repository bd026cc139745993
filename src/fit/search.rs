//! The trainings of a fit: a search, then the final model.

use super::checkpoint::{self, Bound, Standing};
use super::material::Material;
use super::network::Network;
use super::sampling::{Chunk, SHARD, Sampler, chunks};
use super::settings::{DECAYS, Decays, Settings};
use super::training::{BATCH, Learner, Lesson, Mean, held_out};
use super::{Control, Course, FitError};
use crate::dataset::TrainingLog;
use crate::random::{Purpose, Streams, below, shuffle};
use std::borrow::Cow;
use std::ops::Range;
use std::sync::atomic::Ordering;

/// The most scenes of a fit: larger logs are sampled.
const MOST_SCENES: usize = 6_000_000;
/// Epochs of a log that is large enough.
const EPOCHS: u32 = 32;
/// Steps of a fit at least: small logs get more epochs.
const LEAST_STEPS: usize = 1_500;
/// Times that the loss on later interactions is measured.
const ROUNDS: u32 = 32;
/// Measurements without a better one, after which training stops.
const PATIENCE: u32 = 6;
/// The most scenes for that loss.
const VALIDATION_SCENES: usize = 20_000;
/// Share of the interactions before the cut on which it is measured: the latest of each user.
const VALIDATION: f64 = 0.1;

/// Interactions above which the first of them is taken without a search.
const SEARCHED: usize = 200_000;
/// Interactions up to which a tenth of the log is too little: ratings then get a decay of their own, and if the order
/// of rows is arbitrary, other tenths take turns.
const FEW: usize = 20_000;
/// The number of these tenths.
const FOLDS: usize = 4;
/// Steps of progress in an epoch.
const PROGRESS: u64 = 1_000;

/// The data shared by all trainings.
pub(super) struct Search<'a> {
    pub(super) material: &'a Material<'a>,
    /// The log before the cut.
    pub(super) log: &'a TrainingLog,
    pub(super) bound: &'a Bound,
    pub(super) control: Control<'a>,
}

/// One training.
struct Task<'a> {
    what: String,
    /// The log before the cut, the rows of a user in an order in which the last ones may stay out.
    log: &'a TrainingLog,
    fold: usize,
    /// The number of its streams.
    stream: u32,
    chunks: Vec<Chunk>,
    /// Epochs of the schedule.
    epochs: u32,
    /// Epoch after which it stops.
    last: u32,
    decays: Decays,
}

impl Search<'_> {
    /// Runs the search and the training of the final model.
    pub(super) fn run(&self) -> Result<(Learner, Vec<Course>, Course), FitError> {
        let options = self.bound.options;
        let state = self.control.state.map(|path| checkpoint::read(path, self.bound)).transpose()?.flatten();
        let (mut standing, mut learner) = state.unzip();
        let epochs = options.epochs.unwrap_or_else(|| epochs(&self.early(self.log)));
        let mut trials = standing.as_mut().map_or_else(Vec::new, |standing| std::mem::take(&mut standing.trials));
        let settings = self.settings();
        let is_final = standing.as_ref().is_some_and(|standing| standing.is_final);
        let mut begun = move || learner.take().zip(standing.take().map(|standing| standing.course));
        if !is_final && options.last.is_none() {
            while let Some((decays, fold)) = settings.next(&trials) {
                let decays = self.given().unwrap_or(decays);
                let log = turned(self.log, fold);
                let what = words(decays, fold, settings.folds);
                let (chunks, late) = (self.early(&log), self.late(&log));
                let task = Task { what, log: &log, fold, stream: 0, chunks, epochs, last: epochs, decays };
                let course = self.train(task, begun(), (&trials, false), Some(&late))?.1;
                trials.push(course);
            }
        }
        let best = settings.best(&trials);
        let found = best.as_ref().map(|best| best.decays);
        let decays = self.given().or(found).unwrap_or(Decays::same(DECAYS[0]));
        let last = options.last.or(best.and_then(|best| best.best_epoch())).unwrap_or(epochs);
        let all = match self.material.shown() {
            Some(shown) => shown.all(self.log),
            None => chunks(self.log, |_, count| 0..count),
        };
        let all = match options.replicate {
            Some(number) => self.replicate(number, &all),
            None => all,
        };
        let what = "fit".to_owned();
        let task = Task { what, log: self.log, fold: 0, stream: 1, chunks: all, epochs, last, decays };
        let (learner, course) = self.train(task, begun(), (&trials, true), None)?;
        Ok((learner, trials, course))
    }

    /// The decays of the options.
    fn given(&self) -> Option<Decays> {
        let options = self.bound.options;
        options.decay.map(|all| Decays { all, rating: options.rating_decay.unwrap_or(all) })
    }

    /// The settings to try.
    fn settings(&self) -> Settings {
        let (rows, given) = (&self.log.rows, self.given());
        let is_small = rows.len() <= FEW;
        let decays = match given {
            Some(decays) => vec![decays.all],
            None if rows.len() > SEARCHED => vec![DECAYS[0]],
            None => DECAYS.to_vec(),
        };
        let separates = is_small && given.is_none() && rows.iter().any(|row| row.rating.is_finite());
        let takes_turns = is_small && self.material.shown().is_none() && self.material.sampler().clock.is_timeless();
        Settings { decays, separates, folds: if takes_turns { FOLDS } else { 1 } }
    }

    /// The interactions and lists before the latest ones.
    fn early(&self, log: &TrainingLog) -> Vec<Chunk> {
        match self.material.shown() {
            Some(shown) => shown.early(log),
            None => chunks(log, |_, count| 0..fitting(count)),
        }
    }

    /// The latest interactions of some users.
    fn late(&self, log: &TrainingLog) -> Vec<Chunk> {
        let mut late = match self.material.shown() {
            Some(shown) => shown.late(log),
            None => chunks(log, |_, count| fitting(count)..count),
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

    /// Trains until `task.last`, or until the loss on `later` no longer improves. `kept` are the courses of earlier
    /// trainings in a state.
    fn train(
        &self,
        task: Task<'_>,
        begun: Option<(Learner, Course)>,
        kept: (&[Course], bool),
        later: Option<&[Chunk]>,
    ) -> Result<(Learner, Course), FitError> {
        let Task { what, log, fold, stream, chunks, epochs, last, decays } = task;
        let streams = Streams::new(self.bound.options.seed, 0);
        let (mut learner, mut course) = begun.unwrap_or_else(|| {
            let network = Network::random(&mut streams.derive(Purpose::Fitting, 0, 0), self.bound.inputs);
            let (decay, rating_decay) = (decays.all, decays.own_rating());
            let course = Course { decay, rating_decay, fold: fold as u32, schedule: epochs, ..Course::default() };
            (Learner::new(network, Network::zeros(self.bound.inputs)), course)
        });
        let (sampler, tables) = (Sampler { log, ..self.material.sampler() }, self.material.tables());
        let most = chunks.iter().map(|chunk| chunk.rows.len()).sum::<usize>().max(self.log.rows.len());
        let scenes = most.min(MOST_SCENES / epochs.max(1) as usize);
        let streams = streams.fork(stream);
        let serve_ratings = learner.network.serve_ratings();
        let lesson = Lesson { sampler: &sampler, tables, chunks, streams, epochs, scenes, decays, serve_ratings };
        self.control.watch.begin(&what, u64::from(last.saturating_sub(learner.epochs)) * PROGRESS);
        let every = epochs.div_ceil(ROUNDS);
        while learner.epochs < last && !is_over(&course, every) {
            let mean = self.epoch(&mut learner, &lesson, kept, &course)?;
            course.losses.push(mean.total());
            let is_round = learner.epochs.is_multiple_of(every);
            if let Some(later) = later.filter(|later| is_round && !later.is_empty()) {
                let loss = held_out(&learner.mean, &lesson, later).total();
                if !loss.is_finite() {
                    return Err(FitError::NotFinite { epoch: learner.epochs });
                }
                course.later.push((learner.epochs, loss));
            }
            (course.epochs, course.steps) = (learner.epochs, learner.steps);
            if is_round {
                self.keep(&learner, kept, &course)?;
            }
        }
        Ok((learner, course))
    }

    /// One epoch; an interruption leaves the state before it.
    fn epoch(
        &self,
        learner: &mut Learner,
        lesson: &Lesson<'_>,
        kept: (&[Course], bool),
        course: &Course,
    ) -> Result<Mean, FitError> {
        let before = self.control.state.is_some().then(|| learner.clone());
        let epochs = learner.epochs;
        let mut reported = 0;
        let mean = learner.epoch(lesson, |share| {
            let now = (share * PROGRESS as f64) as u64;
            self.control.watch.advance(now - reported);
            reported = now;
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

/// The number of a user's interactions that are learned while the others determine the end.
fn fitting(count: usize) -> usize {
    ((count as f64) * (1.0 - VALIDATION) - 1e-9).ceil() as usize
}

/// A training in words.
fn words(decays: Decays, fold: usize, folds: usize) -> String {
    let part = match folds {
        1 => "without the latest interactions".to_owned(),
        _ => format!("without a tenth of the interactions ({} of {folds})", fold + 1),
    };
    let of_ratings = decays.own_rating().map(|decay| format!(", of ratings {decay}")).unwrap_or_default();
    format!("fit {part}, weight decay {}{of_ratings}", decays.all)
}

/// The log with other rows of each user at the end: those that stay out in a turn.
fn turned(log: &TrainingLog, fold: usize) -> Cow<'_, TrainingLog> {
    if fold == 0 {
        return Cow::Borrowed(log);
    }
    let mut log = log.clone();
    for user in 0..log.users() {
        let rows = &mut log.rows[log.offsets[user]..log.offsets[user + 1]];
        if !rows.is_empty() {
            let late = rows.len() - fitting(rows.len());
            rows.rotate_right(late * fold % rows.len());
        }
    }
    Cow::Owned(log)
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

/// True if the loss on later interactions has not improved for long.
fn is_over(course: &Course, every: u32) -> bool {
    best_epoch(course).is_some_and(|best| course.epochs - best >= PATIENCE * every)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Interaction;
    use crate::ids::{ItemId, LogUserId};

    #[test]
    fn each_turn_leaves_other_rows_out_and_keeps_all_the_rest() {
        let counts = [24u32, 0, 3, 10];
        let row =
            |user: u32, item: u32| Interaction { user: LogUserId(user), item: ItemId(item), rating: 3.0, time: 0 };
        let rows = counts.iter().zip(0..).flat_map(|(&count, user)| (0..count).map(move |item| row(user, item)));
        let log = TrainingLog::from_sorted(rows.collect(), counts.len(), 24);
        assert!(matches!(turned(&log, 0), Cow::Borrowed(_)));
        let mut out: Vec<Vec<u32>> = vec![Vec::new(); counts.len()];
        for fold in 0..FOLDS {
            let log = turned(&log, fold);
            for (user, &count) in counts.iter().enumerate() {
                let of = log.of(LogUserId(user as u32));
                let mut items: Vec<u32> = of.iter().map(|row| row.item.0).collect();
                out[user].extend(&items[fitting(items.len())..]);
                items.sort_unstable();
                assert_eq!(items, (0..count).collect::<Vec<u32>>(), "user {user}, turn {fold}");
            }
        }
        for (user, wanted) in [8, 0, 0, 4].into_iter().enumerate() {
            let mut items = out[user].clone();
            items.sort_unstable();
            items.dedup();
            assert_eq!((items.len(), out[user].len()), (wanted, wanted), "user {user}: {:?}", out[user]);
        }
    }
}
