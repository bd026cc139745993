//! Validations of users whose answers are known.

use super::*;
use crate::dataset::{Dataset, Impressions};
use crate::environment::Environment;
use crate::ids::{ItemId, LogUserId};
use crate::random::{Purpose, Streams, below, unit};
use crate::scene::SceneBatch;
use crate::user::testing::Scripted;
use crate::user::{RATINGS, Responses};

const USERS: u32 = 150;
const ITEMS: u32 = 40;

/// Says that item `i` is taken with odds of `choice_slope i`, and rated 5 with odds of `slope i`, and 1 otherwise.
fn admire(slope: f32, choice_slope: f32, scenes: &SceneBatch, out: &mut Responses) {
    for (utilities, items) in out.choice.chunks_exact_mut(scenes.slate + 1).zip(scenes.items.chunks(scenes.slate)) {
        for (utility, item) in utilities.iter_mut().zip(items).filter(|(_, item)| item.is_some()) {
            *utility = odds(item.0, choice_slope);
        }
    }
    for (classes, item) in out.rating.chunks_exact_mut(RATINGS).zip(&scenes.items) {
        classes.fill(f32::NEG_INFINITY);
        classes[0] = 0.0;
        classes[RATINGS - 1] = if item.is_some() { odds(item.0, slope) } else { 0.0 };
    }
}

fn odds(item: u32, slope: f32) -> f32 {
    slope * (item as f32 - ITEMS as f32 / 2.0) / 10.0 - 0.5
}

/// Users who like item `i` with the odds of a model of slope 1, and the model to compare with them.
pub(crate) struct Truth {
    /// The slope of the model's ratings: 1 is right.
    pub slope: f32,
    /// The slope of its choices.
    pub choice_slope: f32,
    /// Users with exposures.
    pub users: u32,
}

impl Default for Truth {
    fn default() -> Truth {
        Truth { slope: 1.0, choice_slope: 1.0, users: USERS }
    }
}

fn log() -> Dataset {
    let streams = Streams::new(5, 0);
    let rows = (0..USERS).flat_map(|user| {
        (0..6u32).map(move |place| {
            let item = (user * 7 + place * 11) % ITEMS;
            let mut rng = streams.derive(Purpose::Scenes, u64::from(user), place);
            let liked = unit(&mut rng) < 1.0 / (1.0 + libm::exp(f64::from(-odds(item, 1.0))));
            (user, item, if liked { 5.0 } else { 1.0 })
        })
    });
    let mut rows: Vec<_> = rows.collect();
    // Items get their numbers in order.
    rows.sort_by_key(|&(user, item, _)| (item, user));
    let rows =
        rows.into_iter().map(|(user, item, rating)| (format!("u{user}"), format!("i{item}"), Some(rating), None));
    Dataset::from_rows("known", rows).expect("a data set")
}

/// Twelve random items for each user, rated.
fn exposures(data: &Dataset, users: u32) -> (Impressions, Vec<f32>) {
    let streams = Streams::new(6, 0);
    let (mut lists, mut ratings) = (Impressions::default(), Vec::new());
    for user in 0..users {
        let mut rng = streams.derive(Purpose::Scenes, u64::from(user), 0);
        let mut items: Vec<u32> = Vec::new();
        while items.len() < 12 {
            let item = below(&mut rng, ITEMS);
            if !items.contains(&item) {
                items.push(item);
            }
        }
        let dense = |item: u32| data.items.get(&format!("i{item}")).expect("an item");
        for &item in &items {
            let liked = unit(&mut rng) < 1.0 / (1.0 + libm::exp(f64::from(-odds(item, 1.0))));
            ratings.push(if liked { 5.0 } else { 1.0 });
        }
        let entries = items.iter().enumerate().map(|(slot, &item)| (ItemId(dense(item)), true, slot as u16));
        lists.push(LogUserId(data.users.get(&format!("u{user}")).expect("a user")), 0, entries);
    }
    (lists, ratings)
}

fn experiment(data: &Dataset, truth: &Truth, settings: &[(&str, &str)]) -> Experiment {
    let (slope, choice) = (truth.slope, truth.choice_slope);
    let users = Scripted(move |scenes: &SceneBatch, out: &mut Responses| admire(slope, choice, scenes, out));
    let mut builder = Environment::builder(data).users(users).slate(1);
    builder = builder.set("data.holdout", 0).set("population.min_history", 0);
    for (key, value) in settings {
        builder = builder.set(key, value);
    }
    for kind in ["random", "popular", "item_mean", "biased_mf"] {
        builder = builder.policy(kind, &[]);
    }
    builder.experiment().expect("an experiment")
}

/// A validation on random exposures of liking.
pub(crate) fn validated(truth: &Truth) -> Validation {
    let data = log();
    let (lists, ratings) = exposures(&data, truth.users);
    let experiment = experiment(&data, truth, &[("user.accept", "like")]);
    let exposed = Exposed { lists: &lists, ratings: &ratings, notes: &[] };
    validate(&experiment, &exposed, &Question { best: 3, resamples: 400, targets: Vec::new() }).expect("a validation")
}

#[test]
fn the_true_model_is_right_in_all() {
    let found = validated(&Truth::default());
    assert!(found.cells > 1_200 && found.repeated > 100 && found.lists == USERS as usize);
    assert!(found.auc.low > 0.7 && found.auc.high < 0.9, "{:?}", found.auc);
    assert!(found.predicted.estimate > found.observed.low && found.predicted.estimate < found.observed.high);
    assert!(found.loss.high < found.loss_of_base_rate);
    let ranking = found.ranking.as_ref().expect("a ranking");
    assert!(ranking.pairs_told >= 3 && ranking.pairs_right == ranking.pairs_told, "{ranking:?}");
    assert!(ranking.level_rmse_before < 0.06, "{ranking:?}");
    assert!(found.verdict[2].contains("the model ranks policies as users do"), "{:?}", found.verdict);
    for table in &found.calibration {
        for row in table.rows.iter().filter(|row| row.cells > 100) {
            let slack = 0.08;
            assert!((row.predicted - row.observed.estimate).abs() < slack, "{}: {row:?}", table.by);
        }
    }
}

#[test]
fn a_reversed_model_is_reported() {
    let found = validated(&Truth { slope: -1.0, choice_slope: -1.0, users: USERS });
    assert!(found.auc.high < 0.3, "{:?}", found.auc);
    let ranking = found.ranking.as_ref().expect("a ranking");
    assert!(ranking.pairs_told >= 3 && ranking.pairs_right == 0, "{ranking:?}");
    assert!(found.verdict[0].contains("hardly predicts"));
    assert!(found.verdict.iter().any(|said| said.contains("do not rank policies")), "{:?}", found.verdict);
    assert!(found.table().contains("wrong: users like") && found.csv().unwrap().contains("policy,item_mean,observed"));
}

#[test]
fn the_meaning_that_fits_the_answers_is_named() {
    let found = validated(&Truth { choice_slope: -1.0, ..Truth::default() });
    let [take, like, both] = &found.readings[..] else { panic!("{:?}", found.readings) };
    assert_eq!([take.meaning, like.meaning, both.meaning], ["take", "like", "take and like"]);
    assert_eq!((like.is_asked, like.auc, like.loss), (true, found.auc, found.loss));
    let ranking = found.ranking.as_ref().expect("a ranking");
    assert_eq!((like.pairs_right, take.pairs_right), (Some(ranking.pairs_right), Some(0)));
    assert!(take.auc.high < 0.3 && take.loss_difference.expect("a difference").low > 0.0, "{take:?}");
    assert!(both.auc.estimate > take.auc.estimate && both.auc.estimate < like.auc.estimate, "{both:?}");
    assert!(!found.verdict.iter().any(|said| said.contains("predicts these answers better")), "{:?}", found.verdict);
    let wrong = validated(&Truth { slope: -1.0, ..Truth::default() });
    let said = wrong.verdict.iter().find(|said| said.contains("predicts these answers better than `like`"));
    assert!(said.expect("a sentence").starts_with("`take` "), "{:?}", wrong.verdict);
    assert!(wrong.table().contains("like *") && wrong.csv().unwrap().contains("reading,take,auc"));
}

#[test]
fn auc_and_losses_by_hand() {
    let data = log();
    let (lists, ratings) = exposures(&data, 2);
    let experiment = experiment(&data, &Truth::default(), &[("user.accept", "like")]);
    let exposed = Exposed { lists: &lists, ratings: &ratings, notes: &[] };
    let cells = Cells::new(&experiment, &exposed).expect("cells");
    let scores: Vec<f64> = cells.accepted().iter().enumerate().map(|(at, _)| (at % 3) as f64).collect();
    let (mut pairs, mut sum) = (0.0, 0.0);
    for (a, &yes) in cells.accepted().iter().enumerate().filter(|(_, yes)| **yes) {
        for (b, _) in cells.accepted().iter().enumerate().filter(|(_, no)| **no != yes) {
            pairs += 1.0;
            sum += if scores[a] > scores[b] {
                1.0
            } else if scores[a] == scores[b] {
                0.5
            } else {
                0.0
            };
        }
    }
    let found = Resamples::new(cells.users(), 50, 1).auc(&scores, &cells);
    assert!((found.estimate - sum / pairs).abs() < 1e-12);
    let losses = measures::losses(&[0.25, 0.25], &[true, false]);
    assert!((losses[0] - libm::log(4.0)).abs() < 1e-12 && (losses[1] - libm::log(4.0 / 3.0)).abs() < 1e-12);
    assert!((measures::entropy(0.5) - libm::log(2.0)).abs() < 1e-12);
}

/// One of the 40 items at random in each round, taken if liked; with propensities.
fn random_rounds(data: &Dataset, rounds: u32) -> Impressions {
    let mut lists = Impressions::default();
    for round in 0..rounds {
        let (item, taken) = answered(round, 8, |rng| below(rng, ITEMS));
        lists.push(LogUserId(round % USERS), 0, std::iter::once((dense(data, item), taken, 0)));
        lists.propensities.push(1.0 / ITEMS as f32);
    }
    lists
}

fn dense(data: &Dataset, item: u32) -> ItemId {
    ItemId(data.items.get(&format!("i{item}")).expect("an item"))
}

/// The item of a round, and whether it was taken.
fn answered(round: u32, seed: u64, mut pick: impl FnMut(&mut rand_chacha::ChaCha8Rng) -> u32) -> (u32, bool) {
    let mut rng = Streams::new(seed, 0).derive(Purpose::Scenes, u64::from(round), 0);
    let item = pick(&mut rng);
    (item, unit(&mut rng) < liked(item))
}

fn liked(item: u32) -> f64 {
    1.0 / (1.0 + libm::exp(f64::from(-odds(item, 1.0))))
}

#[test]
fn logged_propensities_are_weighed() {
    let data = log();
    let lists = random_rounds(&data, 6_000);
    let experiment = experiment(&data, &Truth::default(), &[("candidates.rule", "repeats")]);
    let exposed = Exposed { lists: &lists, ratings: &[], notes: &[] };
    let ask = Question { best: 3, resamples: 100, targets: Vec::new() };
    let found = validate(&experiment, &exposed, &ask).expect("a validation");
    assert!(found.ranking.is_none(), "lists of one item have no order");
    let value = |policy: &str, estimator: &str| {
        let one = found.logged.iter().find(|one| one.policy == policy && one.estimator == estimator);
        one.unwrap_or_else(|| panic!("{policy} {estimator}")).clone()
    };
    // The item that `item_mean` shows to all users is one of the best.
    for estimator in ["ips", "snips", "dr"] {
        let (best, popular) = (value("item_mean", estimator), value("popular", estimator));
        assert!(best.value > 0.6 && best.value < 1.05 && best.problem.is_none(), "{best:?}");
        assert!(best.value > popular.value, "{best:?} {popular:?}");
    }
}

/// A target that shows the ten items that are liked best, as its probabilities and as its own log.
fn targets(data: &Dataset) -> [TargetPolicy; 2] {
    let folder = tempfile::tempdir().expect("a folder");
    let mut texts = ["item_id,probability\n".to_owned(), "user_id,item_id,clicked\n".to_owned()];
    (30..ITEMS).for_each(|item| texts[0] += &format!("i{item},0.1\n"));
    for round in 0..3_000 {
        let (item, taken) = answered(round, 9, |rng| 30 + below(rng, 10));
        texts[1] += &format!("other {},i{item},{}\n", round % 70, u8::from(taken));
    }
    let mut number = 0;
    texts.map(|text| {
        number += 1;
        let path = folder.path().join(format!("{number}.csv"));
        std::fs::write(&path, text).expect("written");
        crate::dataset::read_target(&format!("best {number}"), &path, data).expect("a target")
    })
}

#[test]
fn a_target_has_the_value_of_its_own_users() {
    let data = log();
    let lists = random_rounds(&data, 6_000);
    let truth = (30..ITEMS).map(liked).sum::<f64>() / 10.0;
    let value = |found: &Validation, policy: &str, estimator: &str| {
        let one = found.logged.iter().find(|one| one.policy == policy && one.estimator == estimator);
        one.unwrap_or_else(|| panic!("{policy} {estimator}")).clone()
    };
    for slope in [1.0, 0.0] {
        let truth_of_model = Truth { slope, choice_slope: slope, users: USERS };
        let experiment = experiment(&data, &truth_of_model, &[("user.accept", "take"), ("candidates.rule", "repeats")]);
        let exposed = Exposed { lists: &lists, ratings: &[], notes: &[] };
        let ask = Question { best: 3, resamples: 40, targets: targets(&data).into() };
        let found = validate(&experiment, &exposed, &ask).expect("a validation");
        for policy in ["best 1", "best 2"] {
            for estimator in ["ips", "snips", "dr"] {
                let one = value(&found, policy, estimator);
                let (low, high) = (one.low.expect("an end"), one.high.expect("an end"));
                assert!(low < truth && truth < high && high - low < 0.2, "{truth} {one:?}");
            }
        }
        let observed = value(&found, "best 2", "observed");
        assert!((observed.value - truth).abs() < 0.03 && observed.effective == 3_000.0, "{truth} {observed:?}");
        assert!(found.logged.iter().all(|one| one.policy != "best 1" || one.estimator != "observed"));
        // A log determines its shares less precisely than a table.
        let width = |policy| value(&found, policy, "ips").high.unwrap() - value(&found, policy, "ips").low.unwrap();
        assert!(width("best 2") > width("best 1"), "{} {}", width("best 2"), width("best 1"));
        let said =
            found.verdict.iter().find(|said| said.contains("of what `best 2` showed itself")).expect("a verdict");
        assert!(said.contains(if slope == 1.0 { "within" } else { "outside" }), "{said}");
        assert!(said.contains("the log's own share is"), "{said}");
        assert!(found.notes.iter().any(|note| note.contains("if it chooses by user")), "{:?}", found.notes);
    }
}

#[test]
fn exposures_that_do_not_fit_the_question_say_what_to_do() {
    let data = log();
    let (mut lists, ratings) = exposures(&data, 20);
    let ask = Question { best: 3, resamples: 40, targets: Vec::new() };
    let problem = |accept: &str, lists: &Impressions, ratings: &[f32]| {
        let experiment = experiment(&data, &Truth::default(), &[("user.accept", accept)]);
        let exposed = Exposed { lists, ratings, notes: &[] };
        validate(&experiment, &exposed, &ask).err().map(|problem| problem.to_string()).unwrap_or_default()
    };
    assert!(problem("take", &lists, &ratings).contains("use --accept like"));
    assert!(problem("like", &lists, &[]).contains("ask with --accept take"));
    assert!(problem("like", &lists, &vec![5.0; ratings.len()]).contains("all of the"));
    lists.taken.fill(false);
    assert!(problem("take", &lists, &[]).contains("none of the"));
}
