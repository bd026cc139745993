//! Tests with known examination, attraction and liking.

use super::*;
use crate::ids::{ItemId, LogUserId};
use crate::off_policy::interval::{Groups, normal};
use crate::off_policy::rounds;
use crate::random::unit;

const ITEMS: u32 = 12;
const SLOTS: usize = 4;
const EXAMINED: [f64; SLOTS] = [1.0, 0.63, 0.5, 0.43];
const LOGS: u64 = 30;

/// Two kinds of user: three of four are attracted by items with high numbers, the others by those with low ones.
fn kind(user: u32) -> u32 {
    u32::from(user.is_multiple_of(4))
}

fn attraction(user: u32, item: u32) -> f64 {
    let own = if kind(user) == 0 { item } else { ITEMS - 1 - item };
    0.08 + 0.6 * f64::from(own) / f64::from(ITEMS - 1)
}

/// Users with a high attraction to an item like it more often; the first kind likes all items a little more.
fn liking(user: u32, item: u32) -> f64 {
    0.15 + 0.9 * attraction(user, item) + if kind(user) == 0 { 0.1 } else { 0.0 }
}

/// A log, its cells, and the probability with which the policy put each item at its position.
struct Log {
    lists: Impressions,
    /// True if the taken item was liked.
    liked: Vec<Option<bool>>,
    /// The kind of user and the item of each entry.
    parts: Vec<u32>,
}

/// Popular items, those with high numbers, are on top more often: slots are drawn one after the other with odds that
/// grow with the item's number.
fn log(seed: u64, users: u32, lists_each: u32) -> Log {
    let streams = Streams::new(seed, 0);
    let mut log = Log { lists: Impressions::default(), liked: Vec::new(), parts: Vec::new() };
    for user in 0..users {
        for number in 0..lists_each {
            let mut rng = streams.derive(Purpose::Scenes, u64::from(user), number);
            let mut left: Vec<u32> = (0..ITEMS).collect();
            let mut entries = Vec::new();
            for (slot, looks) in EXAMINED.iter().enumerate() {
                let odds: Vec<f64> = left.iter().map(|&item| libm::exp(0.55 * f64::from(item))).collect();
                let mut point = unit(&mut rng) * odds.iter().sum::<f64>();
                let place = odds.iter().position(|share| {
                    point -= share;
                    point < 0.0
                });
                let item = left.remove(place.unwrap_or(0));
                let taken = unit(&mut rng) < looks * attraction(user, item);
                let liked = unit(&mut rng) < liking(user, item);
                log.liked.push(taken.then_some(liked));
                log.parts.push(kind(user) * ITEMS + item);
                entries.push((ItemId(item), taken, slot as u16));
            }
            log.lists.push(LogUserId(user), i64::from(number), entries.into_iter());
        }
    }
    log
}

/// Mean error and the share of intervals that contain the truth.
#[derive(Default)]
struct Tally {
    error: f64,
    held: f64,
    count: f64,
}

impl Tally {
    fn add(&mut self, estimate: f64, low: f64, high: f64, truth: f64) {
        self.error += estimate - truth;
        self.held += f64::from(u8::from(low <= truth && truth <= high));
        self.count += 1.0;
    }

    fn bias(&self) -> f64 {
        self.error / self.count
    }

    fn coverage(&self) -> f64 {
        self.held / self.count
    }
}

#[test]
fn examination_is_recovered_from_a_log_of_a_popularity_biased_policy() {
    let (mut naive, mut by_item, mut by_both) = (Tally::default(), Tally::default(), Tally::default());
    for seed in 0..LOGS {
        let log = log(seed, 400, 10);
        let items = estimate_examination(&log.lists, 60, seed).expect("an estimate");
        let both = estimate_examination_by(&log.lists, &log.parts, 60, seed).expect("an estimate");
        for (slot, &truth) in EXAMINED.iter().enumerate().skip(1) {
            naive.add(items.naive[slot], f64::NAN, f64::NAN, truth);
            by_item.add(items.weights[slot], items.low[slot], items.high[slot], truth);
            by_both.add(both.weights[slot], both.low[slot], both.high[slot], truth);
        }
    }
    eprintln!(
        "examination: bias naive {:+.3}, by item {:+.3} (coverage {:.2}), by kind and item {:+.3} ({:.2})",
        naive.bias(),
        by_item.bias(),
        by_item.coverage(),
        by_both.bias(),
        by_both.coverage()
    );
    assert!(naive.bias() < -0.015, "the naive estimate takes a better item for more examination");
    assert!(by_both.bias().abs() < 0.01 && by_both.coverage() > 0.85);
    assert!(by_item.bias().abs() < 0.015 && by_item.coverage() > 0.8);
}

#[test]
fn liking_is_recovered_with_the_chance_of_being_taken_and_not_from_what_was_taken_alone() {
    let (mut naive, mut weighted) = (Tally::default(), Tally::default());
    for seed in 0..LOGS {
        let log = log(seed, 400, 10);
        let both = estimate_examination_by(&log.lists, &log.parts, 2, seed).expect("an estimate");
        let chances = chances_of_being_taken(&log, &both.weights);
        for item in 0..ITEMS {
            let truth = (3.0 * liking(1, item) + liking(0, item)) / 4.0;
            let cells: Vec<usize> = (0..log.parts.len()).filter(|&at| log.parts[at] % ITEMS == item).collect();
            let liked = |at: &&usize| log.liked[**at].is_some();
            let taken: Vec<f64> =
                cells.iter().filter(liked).map(|&at| f64::from(u8::from(log.liked[at] == Some(true)))).collect();
            if taken.len() < 40 {
                continue;
            }
            let groups = Groups::single(taken.len());
            if let Some(found) = rounds::dm(&taken) {
                let ends = normal(&found, &groups).expect("an interval");
                naive.add(found.value, ends.low, ends.high, truth);
            }
            let weights: Vec<f64> = cells.iter().filter(liked).map(|&at| 1.0 / chances[&log.parts[at]]).collect();
            if let Some(found) = rounds::snips(&taken, &weights) {
                let ends = normal(&found, &groups).expect("an interval");
                weighted.add(found.value, ends.low, ends.high, truth);
            }
        }
    }
    eprintln!(
        "liking: bias of what was taken {:+.3} (coverage {:.2}), weighted {:+.3} ({:.2})",
        naive.bias(),
        naive.coverage(),
        weighted.bias(),
        weighted.coverage()
    );
    assert!(naive.bias() > 0.03 && naive.coverage() < 0.7);
    assert!(weighted.bias().abs() < 0.01 && weighted.coverage() > 0.88);
}

/// The probability that a user of a kind takes an item in one of the lists: shown in a slot, examined, attractive.
fn chances_of_being_taken(log: &Log, examined: &[f64]) -> BTreeMap<u32, f64> {
    let mut counts: BTreeMap<u32, (f64, f64)> = BTreeMap::new();
    for (at, &part) in log.parts.iter().enumerate() {
        let sum = counts.entry(part).or_default();
        // Examinations, and taken items.
        let slot = usize::from(log.lists.slots[at]);
        *sum = (sum.0 + examined[slot], sum.1 + f64::from(u8::from(log.lists.taken[at])));
    }
    let lists = |part: u32| {
        let of_kind = log.lists.users.iter().filter(|user| kind(user.0) == part / ITEMS);
        of_kind.count() as f64
    };
    // Attraction is taken items over examinations; examinations over lists is how often an item is examined.
    let chance = |part: u32, (looks, taken): (f64, f64)| (taken / looks) * (looks / lists(part));
    counts.into_iter().map(|(part, sums)| (part, chance(part, sums))).collect()
}

#[test]
fn few_clicks_are_enough_where_lists_are_many() {
    // One of 80 items in a random slot, taken four times in a thousand.
    let (truth, mut lists) = ([0.5, 1.0, 0.25], Impressions::default());
    for round in 0..200_000u32 {
        let mut rng = Streams::new(21, 0).derive(Purpose::Scenes, u64::from(round), 0);
        let (item, slot) = (below(&mut rng, 80), below(&mut rng, 3));
        let taken = unit(&mut rng) < truth[slot as usize] * (0.002 + 0.008 * f64::from(item) / 80.0);
        lists.push(LogUserId(round % 5_000), 0, std::iter::once((ItemId(item), taken, slot as u16)));
    }
    let found = estimate_examination(&lists, 60, 1).expect("an estimate");
    for (slot, truth) in truth.into_iter().enumerate() {
        let (estimate, naive) = (found.weights[slot], found.naive[slot]);
        // Items are in random slots, so the share of taken items gives the same.
        assert!((estimate - naive).abs() < 0.02 && (estimate - truth).abs() < 0.1, "slot {slot}: {found:?}");
    }
}

#[test]
fn slots_that_cannot_be_distinguished_are_an_error() {
    let list = |lists: &mut Impressions, entries: &[(u32, bool, u16)]| {
        let entries: Vec<_> = entries.iter().map(|&(item, taken, slot)| (ItemId(item), taken, slot)).collect();
        lists.push(LogUserId(lists.len() as u32), 0, entries.into_iter());
    };
    let problem = |rows: &[&[(u32, bool, u16)]]| {
        let mut lists = Impressions::default();
        rows.iter().for_each(|row| list(&mut lists, row));
        estimate_examination(&lists, 10, 1).err().unwrap_or_default()
    };
    assert!(problem(&[&[(0, true, 0), (1, false, 1)]]).contains("2 groups that have no item in common"));
    assert!(problem(&[&[(0, true, 0)], &[(1, false, 0)]]).contains("one slot"));
    assert!(problem(&[&[(0, false, 0), (1, false, 1)], &[(1, false, 0), (0, false, 1)]]).contains("nothing was taken"));
    assert_eq!(problem(&[&[(0, true, 0), (1, false, 1)], &[(1, false, 0), (0, true, 1)]]), "");
}

#[test]
fn slots_far_apart_and_many_items_need_no_table_of_all_pairs() {
    // 60,001 slots times 2,000 items would be 120 million pairs; 4,000 occur.
    let (truth, mut lists) = ([1.0, 0.5], Impressions::default());
    for round in 0..60_000u32 {
        let mut rng = Streams::new(5, 0).derive(Purpose::Scenes, u64::from(round), 0);
        let (item, far) = (below(&mut rng, 2_000), below(&mut rng, 2));
        let taken = unit(&mut rng) < truth[far as usize] * 0.4;
        lists.push(LogUserId(round % 500), 0, std::iter::once((ItemId(item), taken, far as u16 * 60_000)));
    }
    let found = estimate_examination(&lists, 4, 1).expect("an estimate");
    assert_eq!((found.weights.len(), found.weights[0], found.weights[1]), (60_001, 1.0, 0.0));
    assert!((found.weights[60_000] - 0.5).abs() < 0.1, "{}", found.weights[60_000]);
}
