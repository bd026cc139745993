//! Metrics recomputed from a run's stored events equal its tables.

use crate::util::{csv_rows, manifest, prepare, recmirror, run_on, text, with_data, write_scenario};
use recmirror::experiment::{Experiment, Outcome, estimate};
use recmirror::log::{EventBatch, REJECTED, read_batches};
use recmirror::metrics::{MetricSet, TickValue, all, regret};
use std::path::Path;

/// The value of a field; an empty one is undefined.
fn value(field: &str) -> Option<f64> {
    (!field.is_empty()).then(|| field.parse().expect("a number"))
}

/// The batches of one trial, one for each tick; a log has none for a tick without visitors.
pub fn batches(path: &Path, ticks: u32) -> Vec<EventBatch> {
    let mut stored = Vec::new();
    read_batches(path, |batch| stored.push(batch.clone())).expect("a readable log");
    let mut whole: Vec<EventBatch> =
        (0..ticks).map(|tick| EventBatch { tick, slate: 5, ..EventBatch::default() }).collect();
    stored.into_iter().for_each(|batch| {
        let place = batch.tick as usize;
        whole[place] = batch;
    });
    whole
}

/// The metrics of one trial, folded from its log.
struct Folded {
    policy: String,
    replication: u32,
    ticks: Vec<TickValue>,
    finals: Vec<Option<f64>>,
}

fn fold(out: &Path, experiment: &Experiment) -> Vec<Folded> {
    let names: Vec<&str> = all().iter().map(|kind| kind.name).collect();
    let trials = manifest(out).trials.into_iter().map(|trial| {
        let start = experiment.background(&experiment.population(trial.replication).expect("users"));
        let mut set = MetricSet::new(&names, &start).expect("metrics");
        let (mut shown, mut accepted, mut ticks) = (0, 0, Vec::new());
        for batch in batches(&out.join(trial.events.as_deref().expect("a log")), trial.ticks) {
            shown += batch.len();
            accepted += batch.accepted.iter().filter(|&&slot| slot != REJECTED).count();
            ticks.extend(set.fold(&batch, experiment.catalogue()));
        }
        assert_eq!(set.finals()[0], (shown > 0).then(|| accepted as f64 / shown as f64), "acceptance by counting");
        Folded { policy: trial.policy, replication: trial.replication, ticks, finals: set.finals() }
    });
    let mut trials: Vec<Folded> = trials.collect();
    for (metric, _) in all().iter().enumerate().filter(|(_, kind)| kind.against.is_some()) {
        subtract(&mut trials, metric);
    }
    trials
}

/// Replaces the parts of a metric by those of the oracle minus them.
fn subtract(trials: &mut [Folded], metric: usize) {
    let is_metric = |value: &&mut TickValue| value.metric == metric;
    for replication in trials.iter().map(|trial| trial.replication).collect::<std::collections::BTreeSet<_>>() {
        let is_oracle = |trial: &&mut Folded| trial.policy == "oracle" && trial.replication == replication;
        let oracle = trials.iter_mut().find(is_oracle).expect("an oracle");
        let (last, parts) = (oracle.finals[metric], oracle.ticks.clone());
        for trial in trials.iter_mut().filter(|trial| trial.replication == replication) {
            let parts = parts.iter().filter(|value| value.metric == metric);
            for (value, part) in trial.ticks.iter_mut().filter(is_metric).zip(parts) {
                value.value = regret::subtracted(part.value, value.value);
            }
            trial.finals[metric] = regret::subtracted(last, trial.finals[metric]);
        }
    }
}

fn check(settings: &[&str]) {
    let policies = ["popular", "random", "linucb", "oracle"];
    let folder = with_data();
    let scenario = write_scenario(folder.path(), &policies);
    let out = folder.path().join("out");
    let settings = [&["metrics=all"], settings].concat();
    let overrides: Vec<&str> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
    recmirror(&[&["run", text(&scenario), "--out", text(&out)], &overrides[..]].concat()).expect(0);
    let trials = fold(&out, &prepare(folder.path(), &policies, &settings));
    let (ticks, summary) = (csv_rows(&out.join("ticks.csv")), csv_rows(&out.join("summary.csv")));
    let (mut row, whole) = (ticks.iter(), csv_rows(&out.join("finals.csv")));
    let mut whole = whole.iter();
    for trial in &trials {
        let names = || (trial.policy.clone(), trial.replication.to_string());
        for found in &trial.ticks {
            let row = row.next().expect("a row");
            let (policy, replication) = names();
            assert_eq!(row[..4], [policy, replication, found.tick.to_string(), all()[found.metric].name.into()]);
            assert_eq!(value(&row[4]).map(f64::to_bits), found.value.map(f64::to_bits), "{row:?}");
        }
        for (found, kind) in trial.finals.iter().zip(all()) {
            let row = whole.next().expect("a row");
            let (policy, replication) = names();
            assert_eq!(row[..3], [policy, replication, kind.name.into()]);
            assert_eq!(value(&row[3]).map(f64::to_bits), found.map(f64::to_bits), "{row:?}");
        }
    }
    assert!(row.next().is_none() && whole.next().is_none(), "as many rows as values");
    let mut rows = summary.iter();
    for policy in policies {
        for (metric, kind) in all().iter().enumerate() {
            let row = rows.next().expect("a row");
            let values = trials.iter().filter(|trial| trial.policy == policy).map(|trial| trial.finals[metric]);
            let found = estimate(values);
            assert_eq!((row[0].as_str(), row[1].as_str()), (policy, kind.name));
            assert_eq!(value(&row[2]), found.map(|found| found.mean), "{row:?}");
            let interval = found.and_then(|found| found.interval);
            assert_eq!(
                (value(&row[3]), value(&row[4])),
                (interval.map(|it| it.low), interval.map(|it| it.high)),
                "{row:?}"
            );
            assert_eq!(row[5], found.map_or(0, |found| found.used).to_string());
        }
    }
    assert!(rows.next().is_none());
}

#[test]
fn tables_follow_from_the_stored_events() {
    check(&[]);
}

#[test]
fn also_with_ticks_without_visits_and_short_slates() {
    check(&["arrival.probability=0.01", "ticks=12"]);
    check(&["slate=75", "population.users=20", "replications=3", "user.acceptance=0.9"]);
}

/// The final value of a metric in every trial of a policy.
fn finals(experiment: &Experiment, policy: &str, metric: &str) -> Vec<Option<f64>> {
    let place = experiment.scenario.metrics.iter().position(|name| name == metric).expect("a metric");
    let outcome = run_on(2, experiment);
    outcome.trials.iter().filter(|trial| trial.policy == policy).map(|trial| trial.finals[place]).collect()
}

#[test]
fn the_oracle_has_no_regret_and_others_some() {
    let folder = with_data();
    let policies = ["random", "oracle as best"];
    let settings = ["metrics=regret", "ticks=20", "population.users=200", "user.learning=0", "replications=3"];
    let experiment = prepare(folder.path(), &policies, &settings);
    assert_eq!(finals(&experiment, "best", "regret"), [Some(0.0); 3]);
    for regret in finals(&experiment, "random", "regret") {
        assert!(regret.is_some_and(|regret| regret > 0.1), "{regret:?}");
    }
    let without = prepare(folder.path(), &["random"], &settings);
    assert_eq!(finals(&without, "random", "regret"), [None; 3], "no oracle, no regret");
}

/// Regret that the first and the last third of a run's ticks added to a policy, summed over replications.
fn regret_by_thirds(outcome: &Outcome, policy: &str) -> (f64, f64) {
    let (mut early, mut late) = (0.0, 0.0);
    for trial in outcome.trials.iter().filter(|trial| trial.policy == policy) {
        let course: Vec<f64> = trial.ticks.iter().map(|value| value.value.expect("an oracle runs")).collect();
        let third = course.len() / 3;
        early += course[third - 1];
        late += course[course.len() - 1] - course[course.len() - 1 - third];
    }
    (early, late)
}

#[test]
fn the_regret_of_learners_flattens_and_that_of_chance_does_not() {
    let folder = with_data();
    // Without taste users are drawn to what is popular and to nothing else, and an item may be shown again: what was
    // learned stays true, and grows, for what is taken becomes more popular.
    let settings = [
        "metrics=regret",
        "ticks=90",
        "population.users=200",
        "user.learning=0",
        "arrival.probability=1",
        "arrival.rate=uniform",
        "candidates.rule=repeats",
        "session.patience=0",
        "session.leave_after=0",
        "replications=3",
    ];
    let outcome = run_on(2, &prepare(folder.path(), &["random", "ucb", "thompson", "linucb", "oracle"], &settings));
    let (early, late) = regret_by_thirds(&outcome, "random");
    assert!(early > 1.0 && late > 0.9 * early, "random: {early} then {late}");
    for policy in ["ucb", "thompson", "linucb"] {
        let (early, late) = regret_by_thirds(&outcome, policy);
        assert!(late < 0.9 * early, "{policy}: {early} then {late}");
    }
}

#[test]
fn consecutive_sessions_are_separated() {
    let folder = with_data();
    let every_tick = ["metrics=all", "arrival.probability=1", "arrival.rate=uniform", "session.patience=0", "ticks=6"];
    let run = |slates: &str| prepare(folder.path(), &["random"], &[&every_tick[..], &[slates]].concat());
    for (slates, sessions, depth) in [("session.slates=1", 6.0, 1.0), ("session.slates=3", 2.0, 3.0)] {
        let experiment = run(slates);
        assert_eq!(finals(&experiment, "random", "sessions_per_user"), [Some(sessions); 2]);
        assert_eq!(finals(&experiment, "random", "session_depth"), [Some(depth); 2]);
        assert_eq!(finals(&experiment, "random", "return_time"), [Some(1.0); 2]);
        assert_eq!(finals(&experiment, "random", "retention"), [Some(1.0); 2]);
    }
}
