//! Results of the shipped scenarios about change, on their own seeds: each test asserts the direction that the file
//! promises.

use crate::util::{has_data_and_runtime, model, movielens, package, settings};
use rayon::prelude::*;
use recmirror::Registry;
use recmirror::dataset::Catalogue;
use recmirror::experiment::Experiment;
use recmirror::ids::ItemId;
use recmirror::log::{EventBatch, NoSink};
use recmirror::scenario::Scenario;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// A scenario that was run, with all events.
struct Run {
    experiment: Experiment,
    /// By policy, then replication.
    logs: BTreeMap<String, Vec<Vec<EventBatch>>>,
}

/// Runs a shipped scenario; `None` without its data.
fn run(name: &str, overrides: &[&str]) -> Option<Run> {
    if !has_data_and_runtime() {
        return None;
    }
    let (data, path) = (format!("data.path={}", movielens().display()), format!("user.path={}", model().display()));
    let file = package().join("scenarios").join(name);
    let load = |more: &[&str]| {
        // The first three of the file's replications show its direction.
        let all: Vec<&str> = [&data]
            .into_iter()
            .map(String::as_str)
            .chain(["replications=3"])
            .chain(overrides.iter().copied())
            .collect();
        let scenario = Scenario::load(&file, &Registry::builtin(), &settings(&[&all, more].concat()));
        scenario.unwrap_or_else(|problem| panic!("{problem}"))
    };
    let is_mirror = load(&[]).user.model.is("mirror");
    let scenario = if is_mirror { load(&[&path]) } else { load(&[]) };
    let experiment = Experiment::prepare(scenario, Registry::builtin()).unwrap_or_else(|problem| panic!("{problem}"));
    let scenario = &experiment.scenario;
    let trials: Vec<(usize, u32)> = (0..scenario.policies.len())
        .flat_map(|policy| (0..scenario.replications).map(move |replication| (policy, replication)))
        .collect();
    let trial = |&(policy, replication): &(usize, u32)| {
        let spec = &scenario.policies[policy];
        let population = experiment.population(replication).expect("users");
        let mut simulation = experiment.trial(spec, replication, &population, NoSink).expect("a simulation");
        let tick = |_| {
            simulation.tick().unwrap_or_else(|problem| panic!("{problem}"));
            simulation.events().clone()
        };
        (spec.name.clone(), (0..scenario.ticks).map(tick).collect::<Vec<EventBatch>>())
    };
    let all: Vec<(String, Vec<EventBatch>)> = trials.par_iter().map(trial).collect();
    let mut logs: BTreeMap<String, Vec<Vec<EventBatch>>> = BTreeMap::new();
    all.into_iter().for_each(|(policy, log)| logs.entry(policy).or_default().push(log));
    Some(Run { experiment, logs })
}

/// One row of a log: tick, place in its batch, and the batch.
type Row<'a> = (&'a EventBatch, usize);

impl Run {
    fn catalogue(&self) -> &Catalogue {
        self.experiment.catalogue()
    }

    /// The rows of a policy in some ticks, all replications.
    fn rows(&self, policy: &str, ticks: Range<u32>) -> impl Iterator<Item = (usize, Row<'_>)> {
        let logs = self.logs[policy].iter().enumerate();
        logs.flat_map(move |(replication, log)| {
            let batches = log[ticks.start as usize..ticks.end as usize].iter();
            batches.flat_map(move |batch| (0..batch.len()).map(move |row| (replication, (batch, row))))
        })
    }

    /// The share of slates of which something was accepted.
    fn acceptance(&self, policy: &str, ticks: Range<u32>) -> f64 {
        let accepted =
            self.rows(policy, ticks).map(|(_, (batch, row))| f64::from(u8::from(batch.accepted_item(row).is_some())));
        mean(accepted)
    }

    /// The same in each replication.
    fn acceptances(&self, policy: &str, ticks: Range<u32>) -> Vec<f64> {
        let of = |wanted: usize| {
            let rows = self.rows(policy, ticks.clone()).filter(move |row| row.0 == wanted);
            mean(rows.map(|(_, (batch, row))| f64::from(u8::from(batch.accepted_item(row).is_some()))))
        };
        (0..self.logs[policy].len()).map(of).collect()
    }

    /// Returns true if one policy is ahead of another in every replication.
    fn is_ahead(&self, one: &str, other: &str, ticks: Range<u32>) -> bool {
        let (one, other) = (self.acceptances(one, ticks.clone()), self.acceptances(other, ticks));
        one.iter().zip(&other).all(|(one, other)| one > other)
    }

    fn visits(&self, policy: &str, ticks: Range<u32>) -> usize {
        self.rows(policy, ticks).count()
    }

    /// The share of shown items that are so.
    fn share(&self, policy: &str, ticks: Range<u32>, is: impl Fn(usize, ItemId) -> bool) -> f64 {
        let shown = self.rows(policy, ticks).flat_map(|(replication, (batch, row))| {
            batch.slate_of(row).iter().filter(|item| item.is_some()).map(move |&item| (replication, item))
        });
        mean(shown.map(|(replication, item)| f64::from(u8::from(is(replication, item)))))
    }

    /// The mean share of the most frequent genre among what each user was shown.
    fn narrowness(&self, policy: &str, ticks: Range<u32>) -> f64 {
        let genres = self.catalogue().category().expect("genres").clone();
        let mut counts: BTreeMap<(usize, u32), (Vec<f64>, f64)> = BTreeMap::new();
        for (replication, (batch, row)) in self.rows(policy, ticks) {
            let entry =
                counts.entry((replication, batch.users[row].0)).or_insert_with(|| (vec![0.0; genres.len()], 0.0));
            for &item in batch.slate_of(row).iter().filter(|item| item.is_some()) {
                genres.of(item).iter().for_each(|&genre| entry.0[genre as usize] += 1.0);
                entry.1 += 1.0;
            }
        }
        mean(counts.values().map(|(counts, total)| counts.iter().copied().fold(0.0, f64::max) / total))
    }

    /// The mean Jaccard similarity of what pairs of users accepted.
    fn alike(&self, policy: &str, ticks: Range<u32>) -> f64 {
        let mut accepted: BTreeMap<(usize, u32), BTreeSet<ItemId>> = BTreeMap::new();
        for (replication, (batch, row)) in self.rows(policy, ticks) {
            if let Some(item) = batch.accepted_item(row) {
                accepted.entry((replication, batch.users[row].0)).or_default().insert(item);
            }
        }
        let all: Vec<(usize, BTreeSet<ItemId>)> = accepted.into_iter().map(|(key, items)| (key.0, items)).collect();
        let pairs = all.iter().zip(all.iter().skip(7)).filter(|(one, other)| one.0 == other.0);
        mean(pairs.map(|(one, other)| {
            let both = one.1.intersection(&other.1).count() as f64;
            both / (one.1.len() + other.1.len()) as f64 * 2.0
        }))
    }

    /// Providers with a shown item, a mean over replications.
    fn providers(&self, policy: &str, ticks: Range<u32>) -> f64 {
        let shown = self.rows(policy, ticks).flat_map(|(replication, (batch, row))| {
            let items = batch.slate_of(row).iter().filter(|item| item.is_some());
            items.filter_map(move |&item| Some((replication, self.catalogue().provider_of(item)?)))
        });
        shown.collect::<BTreeSet<_>>().len() as f64 / self.logs[policy].len() as f64
    }
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0);
    values.for_each(|value| (sum, count) = (sum + value, count + 1.0));
    sum / count
}

#[test]
fn the_accurate_list_wins_early_and_loses_late() {
    let Some(run) = run("satiation.toml", &[]) else { return };
    assert!(run.is_ahead("accurate", "diverse", 0..4));
    assert!(run.is_ahead("diverse", "accurate", 20..60));
    assert!(run.is_ahead("oracle", "diverse", 20..60));
    // Without satiation, it stays ahead.
    let Some(still) = self::run("satiation.toml", &["dynamic.satiation.strength=0", "replications=1"]) else { return };
    assert!(still.is_ahead("accurate", "diverse", 20..60));
}

#[test]
fn exploration_pays_late() {
    let Some(run) = run("exploration_pays_late.toml", &[]) else { return };
    assert!(run.is_ahead("cautious", "exploring", 0..15));
    assert!(run.is_ahead("exploring", "cautious", 35..60));
    assert!(run.is_ahead("cautious", "greedy", 35..60));
}

#[test]
fn users_who_are_shown_the_same_become_alike() {
    let Some(run) = run("feedback_loop.toml", &[]) else { return };
    let alike = |policy: &str| run.alike(policy, 0..20);
    assert!(alike("learning") > 2.0 * alike("item_knn"), "{} {}", alike("learning"), alike("item_knn"));
    assert!(alike("item_knn") > alike("ials"), "{} {}", alike("item_knn"), alike("ials"));
    assert!(alike("ials") > 5.0 * alike("random"), "{} {}", alike("ials"), alike("random"));
    let ratio = alike("learning") / alike("frozen");
    assert!((0.9..1.15).contains(&ratio), "the loop adds little: {ratio}");
}

/// The acceptance at the slates number `slates`, counted from 1, of those who joined late.
fn newcomers(run: &Run, policy: &str, slates: Range<u32>) -> f64 {
    let replications = run.logs[policy].len() as u32;
    let joins = |replication: u32| {
        let users = run.experiment.population(replication).expect("users").sources.len();
        run.experiment.dynamics(replication, users).expect("dynamics").joins().to_vec()
    };
    let joins: Vec<Vec<u32>> = (0..replications).map(joins).collect();
    let mut counts: BTreeMap<(usize, u32), u32> = BTreeMap::new();
    let rows = run.rows(policy, 0..run.experiment.scenario.ticks).filter_map(|(replication, (batch, row))| {
        let user = batch.users[row];
        let count = counts.entry((replication, user.0)).or_default();
        *count += 1;
        let counts = joins[replication][user.index()] > 0 && slates.contains(count);
        counts.then(|| f64::from(u8::from(batch.accepted_item(row).is_some())))
    });
    mean(rows)
}

#[test]
fn the_popular_serves_newcomers_better_at_first_only() {
    let Some(run) = run("cold_start_users.toml", &[]) else { return };
    let of = |policy: &str, slates: Range<u32>| newcomers(&run, policy, slates);
    let gain = |policy: &str| of(policy, 10..30) - of(policy, 1..4);
    for policy in ["ials", "item_knn"] {
        assert!(of("popular", 1..4) > of(policy, 1..4) + 0.02, "{policy}");
        assert!(gain(policy) > gain("popular") + 0.02, "{policy}");
    }
    assert!(gain("linucb") > gain("ials") && of("linucb", 10..30) > of("popular", 10..30) + 0.05);
}

#[test]
fn new_items_are_shown_by_features_and_chance_alone() {
    let Some(run) = run("cold_start_items.toml", &[]) else { return };
    let users = run.experiment.population(0).expect("users").sources.len();
    // In the order of years, the same in all replications.
    let dynamics = run.experiment.dynamics(0, users).expect("dynamics");
    let late: BTreeSet<ItemId> = dynamics.releases().iter().map(|release| release.1).collect();
    let share = |policy: &str| run.share(policy, 40..60, |_, item| late.contains(&item));
    let [popular, knn, explored, features, chance] =
        ["popular", "item_knn", "epsilon_greedy", "linucb", "random"].map(share);
    assert!(popular < 0.005 && knn < 0.005, "{popular} {knn}");
    assert!(explored > 0.015 && explored < 0.1, "{explored}");
    assert!(features > 0.015, "{features}");
    assert!((chance - 0.3).abs() < 0.04, "{chance}");
}

#[test]
fn collaborative_policies_show_more_popular_items_than_users_chose() {
    let Some(run) = run("popularity_bias.toml", &[]) else { return };
    let log = run.experiment.data.split(run.experiment.scenario.data.holdout).before;
    let counts = log.item_counts();
    let mut order: Vec<usize> = (0..counts.len()).collect();
    order.sort_by_key(|&item| std::cmp::Reverse(counts[item]));
    let head: BTreeSet<ItemId> = order[..counts.len() / 10].iter().map(|&item| ItemId(item as u32)).collect();
    let chosen = mean(log.rows.iter().map(|row| f64::from(u8::from(head.contains(&row.item)))));
    let share = |policy: &str| run.share(policy, 0..20, |_, item| head.contains(&item));
    let [popular, knn, ease, bandit, chance] = ["popular", "item_knn", "ease", "linucb", "random"].map(share);
    println!("chosen {chosen}, shown {popular} {knn} {ease} {bandit} {chance}");
    assert!(popular > knn && knn > ease && ease > chosen + 0.2, "{chosen}: {popular} {knn} {ease}");
    assert!(ease > bandit && bandit > chance, "{bandit} {chance}");
}

#[test]
fn a_bubble_narrows_further_when_tastes_drift() {
    let Some(drifting) = run("filter_bubble.toml", &[]) else { return };
    let Some(still) = run("filter_bubble.toml", &["dynamic.interest_drift.rate=0"]) else { return };
    let narrow = |run: &Run, policy: &str, ticks: Range<u32>| run.narrowness(policy, ticks);
    let (first, last) = (narrow(&drifting, "linucb", 0..15), narrow(&drifting, "linucb", 45..60));
    println!("narrowness {first} to {last}, without drift to {}", narrow(&still, "linucb", 45..60));
    assert!(last > first + 0.03, "{first} {last}");
    assert!(last > narrow(&still, "linucb", 45..60));
    assert!(narrow(&drifting, "linucb", 15..30) > narrow(&still, "linucb", 15..30));
    let chance = narrow(&drifting, "random", 45..60) - narrow(&drifting, "random", 0..15);
    assert!(chance.abs() < 0.02, "{chance}");
    assert!(drifting.is_ahead("linucb", "random", 45..60));
    assert!(drifting.acceptance("linucb", 45..60) > drifting.acceptance("linucb", 0..15));
}

#[test]
fn a_worse_policy_loses_more_users() {
    let Some(tired) = run("fatigue.toml", &[]) else { return };
    let Some(fresh) = run("fatigue.toml", &["dynamic.fatigue.strength=0"]) else { return };
    let kept = |run: &Run, policy: &str| run.visits(policy, 50..60) as f64 / run.visits(policy, 0..10) as f64;
    let (knn, chance) = (kept(&tired, "item_knn"), kept(&tired, "random"));
    println!("kept {knn} and {chance}; without fatigue {} and {}", kept(&fresh, "item_knn"), kept(&fresh, "random"));
    assert!(knn > chance + 0.08, "{knn} {chance}");
    assert!(kept(&fresh, "item_knn") > knn && kept(&fresh, "random") > chance);
    let accepted =
        |ticks: Range<u32>, policy: &str| tired.acceptance(policy, ticks.clone()) * tired.visits(policy, ticks) as f64;
    let ratio = |ticks: Range<u32>| accepted(ticks.clone(), "item_knn") / accepted(ticks, "random");
    assert!(ratio(50..60) > ratio(0..10), "{} {}", ratio(0..10), ratio(50..60));
}

#[test]
fn sharing_slots_keeps_the_providers() {
    let Some(run) = run("provider_fairness.toml", &[]) else { return };
    let left = |policy: &str| run.providers(policy, 50..60);
    println!("{} {} {} {}", left("popular"), left("item_knn"), left("shared"), left("random"));
    assert!(left("popular") < 25.0 && left("item_knn") < 37.0);
    assert!(left("popular") < left("item_knn") && left("item_knn") < left("shared"));
    assert!(left("shared") > 39.0 && left("random") > 39.0);
    assert!(run.is_ahead("item_knn", "shared", 0..60));
}

#[test]
fn users_who_find_something_see_fewer_lists() {
    let Some(run) = run("time_on_site.toml", &[]) else { return };
    // A session of one slate a tick is a row of ticks without a gap.
    let depth = |policy: &str| {
        let mut sessions = BTreeSet::new();
        let rows = run.rows(policy, 0..42).map(|(replication, (batch, row))| {
            sessions.insert((replication, batch.users[row], batch.session_of(row)));
        });
        let slates = rows.count() as f64;
        slates / sessions.len() as f64
    };
    let accepted = |policy: &str| run.acceptance(policy, 0..42) * run.visits(policy, 0..42) as f64;
    let [knn, popular, chance] = ["item_knn", "popular", "random"].map(|policy| (depth(policy), accepted(policy)));
    println!("{knn:?} {popular:?} {chance:?}");
    assert!(knn.0 + 0.2 < popular.0 && popular.0 + 0.8 < chance.0, "slates a session");
    assert!(knn.1 > 1.1 * popular.1 && popular.1 > 1.4 * chance.1, "accepted");
    let Some(even) = self::run("time_on_site.toml", &["dynamic.rhythm.weekly=0", "replications=1"]) else { return };
    let wave = |run: &Run, policy: &str| {
        let mut days = [0.0; 7];
        (0..42).for_each(|tick| days[tick as usize % 7] += run.visits(policy, tick..tick + 1) as f64);
        let most = (0..7).max_by(|&a, &b| days[a].total_cmp(&days[b])).unwrap_or_default();
        (most, days[most] / days.iter().copied().fold(f64::INFINITY, f64::min))
    };
    for policy in ["item_knn", "random"] {
        println!("{policy}: {:?}, without weeks {:?}", wave(&run, policy), wave(&even, policy));
        assert!(wave(&run, policy).1 > 1.2 && wave(&run, policy).1 > wave(&even, policy).1 + 0.1);
    }
    let Some(all) = self::run("time_on_site.toml", &["dynamic.retirement.hazard=0"]) else { return };
    let lost = |policy: &str| all.acceptance(policy, 28..42) - run.acceptance(policy, 28..42);
    assert!(lost("item_knn") > lost("random") + 0.02, "{} {}", lost("item_knn"), lost("random"));
}
