//! Fits of small generated logs, without the runtime.

use super::*;
use crate::dataset::{Column, Field, Fields, IdTable, Interaction, RatingScale};
use crate::files::Quiet;
use crate::ids::ItemId;
use crate::random::{Purpose, Streams, below};
use std::sync::atomic::Ordering;

const USERS: u32 = 60;
const ITEMS: u32 = 40;

pub(super) fn ids(count: u32) -> IdTable {
    let mut table = IdTable::default();
    (0..count).for_each(|id| {
        table.insert(&format!("id {id}"));
    });
    table
}

/// Users of two tastes, who take items of their own taste, mostly; with ratings, fields and times as asked.
fn data(is_rated: bool, has_fields: bool, has_times: bool) -> Dataset {
    let mut interactions = Vec::new();
    for user in 0..USERS {
        let mut rng = Streams::new(3, 0).derive(Purpose::Scenes, u64::from(user), 0);
        let mut items: Vec<u32> = Vec::new();
        while items.len() < 12 {
            let own = below(&mut rng, 5) > 0;
            let item = below(&mut rng, ITEMS / 2) * 2 + if own { user % 2 } else { 1 - user % 2 };
            if !items.contains(&item) {
                items.push(item);
            }
        }
        for (place, item) in items.into_iter().enumerate() {
            let liked = if item % 2 == user % 2 { 9.0 } else { 2.0 };
            let rating = if is_rated { liked } else { f32::NAN };
            let time = if has_times { 1_000_000 + i64::from(user) + 3_600 * place as i64 } else { 0 };
            interactions.push(Interaction { user: LogUserId(user), item: ItemId(item), rating, time });
        }
    }
    let price = Field {
        name: "price".into(),
        column: Column::Number((0..ITEMS).map(|item| 1.5 * item as f32 + 1.0).collect()),
    };
    Dataset {
        name: "shop".into(),
        users: ids(USERS),
        items: ids(ITEMS),
        item_fields: if has_fields { Fields::new(vec![price]) } else { Fields::default() },
        interactions,
        scale: is_rated.then_some(RatingScale { min: 0.0, max: 10.0 }),
        has_times,
        hash: "h".into(),
        ..Dataset::default()
    }
}

pub(super) fn quick() -> FitOptions {
    FitOptions { epochs: Some(4), decay: Some(0.1), ..FitOptions::default() }
}

pub(super) fn fitted(data: &Dataset, options: FitOptions, threads: usize) -> Fitted {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
    let stop = AtomicBool::new(false);
    pool.install(|| fit(data, options, Control { watch: &Quiet, stop: &stop, state: None })).expect("a fit")
}

#[test]
fn the_threads_change_no_bit_and_the_seed_does() {
    let data = data(true, true, true);
    let (one, three) = (fitted(&data, quick(), 1), fitted(&data, quick(), 3));
    assert_eq!((&one.network, &one.trials, &one.course), (&three.network, &three.trials, &three.course));
    let other = fitted(&data, FitOptions { seed: 2, ..quick() }, 1);
    assert_ne!(one.network, other.network);
}

#[test]
fn a_log_of_any_kind_is_learned() {
    for (is_rated, has_fields, has_times) in [(true, true, true), (false, false, true), (true, false, false)] {
        let found = fitted(&data(is_rated, has_fields, has_times), FitOptions { epochs: Some(12), ..quick() }, 2);
        let losses = &found.course.losses;
        assert!(losses.iter().all(|loss| loss.is_finite()), "{losses:?}");
        assert!(losses[losses.len() - 1] < losses[0], "{losses:?}");
        assert!(found.network.values().all(|value| value.is_finite()));
    }
}

#[test]
fn parts_of_a_small_log_without_times_take_turns() {
    let found = fitted(&data(true, false, false), FitOptions { epochs: Some(1), ..FitOptions::default() }, 2);
    let folds: Vec<u32> = found.trials.iter().map(|trial| trial.fold).collect();
    assert!(folds.len() >= 12 && folds.iter().zip(0..).all(|(&fold, place)| fold == place % 4), "{folds:?}");
    assert!(found.trials.iter().any(|trial| trial.rating_decay.is_some()), "ratings may have a decay of their own");
    let chosen = |trial: &&Course| (trial.decay, trial.rating_decay) == (found.course.decay, found.course.rating_decay);
    assert_eq!(found.trials.iter().filter(chosen).count(), 4);
    let timed = fitted(&data(true, false, true), FitOptions { epochs: Some(1), ..FitOptions::default() }, 2);
    assert!(timed.trials.iter().all(|trial| trial.fold == 0), "the latest stay out where there are times");
}

/// Stops after a number of batches.
struct StopAfter<'a> {
    stop: &'a AtomicBool,
    batches: std::sync::atomic::AtomicUsize,
}

impl Watch for StopAfter<'_> {
    fn begin(&self, _: &str, _: u64) {}

    fn advance(&self, _: u64) {
        if self.batches.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.stop.store(true, Ordering::Relaxed);
        }
    }
}

#[test]
fn a_stopped_fit_continues_to_the_same_weights() {
    let data = data(true, true, true);
    let whole = fitted(&data, quick(), 1);
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("model.fit");
    // Interrupted in the middle of the first training, in its last epoch, and in the second training.
    for batches in [2, 4, 6] {
        let stop = AtomicBool::new(false);
        let watch = StopAfter { stop: &stop, batches: batches.into() };
        let problem = fit(&data, quick(), Control { watch: &watch, stop: &stop, state: Some(&state) });
        assert!(matches!(problem, Err(FitError::Stopped { .. })), "stopped after {batches} batches");
        assert!(state.is_file());
        let stop = AtomicBool::new(false);
        let other = FitOptions { seed: 9, ..quick() };
        let problem = fit(&data, other, Control { watch: &Quiet, stop: &stop, state: Some(&state) });
        assert!(matches!(problem, Err(FitError::State { .. })), "other options");
        let found = fit(&data, quick(), Control { watch: &Quiet, stop: &stop, state: Some(&state) }).expect("a fit");
        assert_eq!((&found.network, &found.course, &found.trials), (&whole.network, &whole.course, &whole.trials));
        assert!(!state.exists(), "nothing is left behind");
    }
}

#[test]
fn replicates_differ_and_too_little_data_is_an_error() {
    let data = data(true, true, true);
    let replicate = |number| FitOptions { replicate: Some(number), last: Some(2), ..quick() };
    let [one, two] = [1, 2].map(|number| fitted(&data, replicate(number), 2));
    assert_ne!(one.network, two.network);
    assert!(one.trials.is_empty() && one.course.epochs == 2);
    let mut little = data;
    little.interactions.truncate(40);
    let stop = AtomicBool::new(false);
    let Err(problem) = fit(&little, quick(), Control { watch: &Quiet, stop: &stop, state: None }) else {
        panic!("40 rows are too few");
    };
    assert!(problem.to_string().contains("shop has 34 interactions"), "{problem}");
}
