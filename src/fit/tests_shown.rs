//! Fits of impressions whose truth is known.

use super::tests::{fitted, ids, quick};
use super::*;
use crate::dataset::{Column, Field, Fields, IdTable, Interaction, NO_CATEGORY};
use crate::fit::passes::forward;
use crate::fit::shard::{Origin, Pair, Scene, Shard, Slot, Span};
use crate::ids::ItemId;
use crate::random::{Purpose, Streams, below, unit};
use crate::scene::{CONTEXT, FOLDS, LogClock};

const USERS: u32 = 400;
const KINDS: u32 = 8;
const ITEMS: u32 = 4 * KINDS;
const SLATE: usize = 4;
/// The examination probability of each slot.
const LOOKS: [f64; SLATE] = [1.0, 0.6, 0.4, 0.3];

/// The utility of a kind of item for everybody, that of nothing being 0; kinds with high numbers attract, and are shown rarely.
fn utility(kind: u32) -> f64 {
    -3.0 + 0.4 * f64::from(kind)
}

/// Users who are shown what is popular, at the top, and take by the response of a simulation with examination by position.
fn shown(lists: u32) -> Dataset {
    let kind = |item: u32| item % KINDS;
    let columns: Vec<u32> = (0..ITEMS).map(kind).collect();
    let mut names = IdTable::default();
    (0..KINDS).for_each(|kind| {
        names.insert(&format!("kind {kind}"));
    });
    assert!(columns.iter().all(|&code| code != NO_CATEGORY));
    let field = Field { name: "kind".into(), column: Column::Category { names, codes: columns } };
    let mut data = Dataset {
        name: "shown".into(),
        users: ids(USERS),
        items: ids(ITEMS),
        item_fields: Fields::new(vec![field]),
        has_times: true,
        hash: "h".into(),
        ..Dataset::default()
    };
    let mut taken = std::collections::BTreeMap::new();
    for list in 0..lists {
        let mut rng = Streams::new(9, 0).derive(Purpose::Scenes, u64::from(list), 0);
        let (user, time) = (below(&mut rng, USERS), i64::from(list) + 1_000);
        let mut items: Vec<u32> = Vec::new();
        while items.len() < SLATE {
            let item = below(&mut rng, ITEMS);
            // Kinds that do not attract are shown up to twelve times as often.
            let is_shown = unit(&mut rng) < 1.0 - 0.92 * f64::from(kind(item)) / f64::from(KINDS - 1);
            if is_shown && !items.contains(&item) {
                items.push(item);
            }
        }
        // Frequently shown items are mostly on top.
        items.sort_by_key(|&item| kind(item) + below(&mut rng, 6));
        let depth = LOOKS.iter().filter(|&&look| unit_at(list) < look).count();
        let odds: Vec<f64> = items[..depth].iter().map(|&item| libm::exp(utility(kind(item)))).collect();
        let mut point = unit(&mut rng) * (1.0 + odds.iter().sum::<f64>());
        let slot = odds.iter().position(|odds| {
            point -= odds;
            point < 0.0
        });
        let entries = items.iter().enumerate().map(|(place, &item)| (ItemId(item), slot == Some(place), place as u16));
        data.impressions.push(LogUserId(user), time, entries);
        if let Some(slot) = slot {
            taken.entry((user, items[slot])).or_insert(time);
        }
    }
    let mut rows: Vec<Interaction> = taken
        .into_iter()
        .map(|((user, item), time)| Interaction { user: LogUserId(user), item: ItemId(item), rating: f32::NAN, time })
        .collect();
    rows.sort_by_key(|row| (row.user, row.time, row.item));
    data.interactions = rows;
    data
}

fn unit_at(list: u32) -> f64 {
    unit(&mut Streams::new(9, 0).derive(Purpose::Scenes, u64::from(list), 1))
}

/// The logit of each item against taking nothing, for a user without history and in a list of `SLATE`.
fn gaps(data: &Dataset, fitted: &Fitted) -> Vec<f32> {
    let split = data.split_to_learn(fitted.options.holdout);
    let material = Material::new(data, &split, &fitted.features, fitted.options).expect("material");
    let clock = LogClock::new(&split.log.before);
    let catalogue = crate::dataset::Catalogue::of(data);
    let mut shard = Shard::default();
    let now = split.moment.unwrap_or(0);
    for item in 0..ITEMS {
        shard.pairs.push(Pair { table: FOLDS, item: item as usize, has_vector: true });
        let context: [f32; CONTEXT] = clock.context(&catalogue, ItemId(item), now);
        shard.slots.push(Slot { pair: item as usize, context, look: 1.0, stands_for: 0.0 });
        shard.scenes.push(Scene {
            after: 0,
            slots: item as usize..item as usize + 1,
            taken: 0..0,
            origin: Origin::Shown,
            length: SLATE,
            level: f32::NAN,
            weight: 1.0,
            rating_weight: 0.0,
        });
    }
    shard.spans.push(Span { user: 0, has_profile: true, events: 0..0, scenes: 0..ITEMS as usize });
    let tape = forward(&fitted.network, material.tables(), &shard);
    tape.score.iter().zip(&tape.reject).map(|(score, reject)| score - reject).collect()
}

/// The correlation of two rows of numbers.
fn correlation(one: &[f64], other: &[f64]) -> f64 {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (a, b) = (mean(one), mean(other));
    let product = |one: &[f64], a: f64, other: &[f64], b: f64| -> f64 {
        one.iter().zip(other).map(|(x, y)| (x - a) * (y - b)).sum()
    };
    product(one, a, other, b) / (product(one, a, one, a) * product(other, b, other, b)).sqrt()
}

#[test]
fn lists_teach_what_attracts_and_how_often_nothing_does() {
    let data = shown(4_000);
    let options = FitOptions { epochs: Some(90), last: Some(90), ..quick() };
    let found = fitted(&data, options, 2);
    let lists = found.lists.as_ref().expect("lists");
    assert_eq!(lists.counts[0], 3_200);
    let truth: Vec<f64> = (0..ITEMS).map(|item| utility(item % KINDS)).collect();
    let own: Vec<f64> = gaps(&data, &found).iter().map(|&gap| f64::from(gap)).collect();
    assert!(correlation(&own, &truth) > 0.85, "{own:?}");
    let off = own.iter().zip(&truth).map(|(own, truth)| own - truth).sum::<f64>() / truth.len() as f64;
    assert!(off.abs() < 0.6, "the level is {off} off: {own:?}");
    // The first slot is examined most, and the estimate is near the truth.
    assert_eq!(lists.looks.weights.len(), SLATE, "{}", lists.looks.reason);
    for (weight, truth) in lists.looks.weights.iter().zip(LOOKS) {
        assert!((f64::from(*weight) - truth).abs() < 0.25, "{:?}", lists.looks);
    }
    // The same log without its lists: training separates taken items from others, which depends on what was shown.
    let naive = Dataset { impressions: crate::dataset::Impressions::default(), ..data };
    let naive_fit = fitted(&naive, options, 2);
    let naive: Vec<f64> = gaps(&naive, &naive_fit).iter().map(|&gap| f64::from(gap)).collect();
    assert!(correlation(&naive, &truth) < 0.7, "{naive:?}");
}

#[test]
fn lists_are_learned_with_the_same_bits_on_any_number_of_threads() {
    let data = shown(600);
    let [one, three] = [1, 3].map(|threads| fitted(&data, quick(), threads));
    assert_eq!((&one.network, &one.trials, &one.course), (&three.network, &three.trials, &three.course));
}

#[test]
fn users_without_interactions_and_logs_without_times_are_learned() {
    let mut data = shown(800);
    data.has_times = false;
    data.impressions.times.fill(0);
    data.interactions.iter_mut().for_each(|row| row.time = 0);
    let found = fitted(&data, quick(), 2);
    let lists = found.lists.as_ref().expect("lists");
    assert!(lists.moment.is_none() && lists.counts[0] < 800 && lists.counts[0] > 500, "{lists:?}");
    assert!(found.network.values().all(|value| value.is_finite()));
    let mut none = shown(400);
    none.interactions.clear();
    none.impressions.taken.fill(false);
    let stop = AtomicBool::new(false);
    let Err(problem) = fit(&none, quick(), Control { watch: &crate::files::Quiet, stop: &stop, state: None }) else {
        panic!("nothing was taken");
    };
    assert!(problem.to_string().contains("320 lists before the cut, and nothing was taken"), "{problem}");
}

#[test]
fn propensities_weigh_lists_where_that_is_asked() {
    let mut data = shown(600);
    let ask = FitOptions { propensities: Propensities::Inverse, ..quick() };
    let stop = AtomicBool::new(false);
    let control = || Control { watch: &crate::files::Quiet, stop: &stop, state: None };
    let problem = fit(&data, ask, control()).err().expect("no propensities").to_string();
    assert!(problem.contains("has no propensities"), "{problem}");
    data.impressions.propensities =
        (0..data.impressions.items.len()).map(|at| if at % 8 < 4 { 0.5 } else { 0.05 }).collect();
    let weighed = fitted(&data, ask, 2);
    let plain = fitted(&data, quick(), 2);
    assert_ne!(weighed.network, plain.network);
    let effective = weighed.lists.expect("lists").effective.expect("weights");
    // Half of the lists weigh ten times as much: (n (1 + 10) / 2)^2 / (n (1 + 100) / 2).
    assert!((effective / 480.0 - 30.25 / 50.5).abs() < 0.01, "{effective}");
}
