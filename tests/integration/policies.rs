//! Promises of the shipped policies inside a simulation: the oracle is the upper reference, wrappers pass on its
//! access, and propensities reach the log.

use crate::util::{names_in, prepare, recmirror, scenario_text, text, with_data, write};
use recmirror::Registry;
use recmirror::experiment::Experiment;
use recmirror::log::{EventBatch, NoSink, read_batches};
use recmirror::policy::PolicyKind;
use recmirror::scenario::Scenario;

/// The events of the first tick of one policy.
fn first_tick(experiment: &Experiment, policy: usize) -> EventBatch {
    let population = experiment.population(0).expect("a population");
    let spec = &experiment.scenario.policies[policy];
    let mut simulation = experiment.trial(spec, 0, &population, NoSink).expect("a simulation");
    simulation.tick().expect("a tick");
    simulation.events().clone()
}

/// For each user the probability of accepting anything.
fn acceptance(events: &EventBatch) -> Vec<f64> {
    let rows = events.probabilities.chunks(events.slate);
    rows.map(|row| row.iter().map(|&share| f64::from(share)).sum()).collect()
}

#[test]
fn no_policy_offers_better_slates_than_the_oracle() {
    let folder = with_data();
    let all = Registry::builtin();
    // A kind with keys that must be given needs a program or a model.
    let able = |kind: &&PolicyKind| kind.keys.iter().all(|key| !key.is_required());
    let others = all.policies().iter().filter(able).filter(|kind| kind.name != "oracle");
    let mut kinds: Vec<&str> = others.map(|kind| kind.name).collect();
    kinds.insert(0, "oracle");
    // A steep position bias, so that the order within a slate counts as well.
    let experiment = prepare(folder.path(), &kinds, &["arrival.probability=1", "user.position=0.7"]);
    let oracle = first_tick(&experiment, 0);
    assert!(oracle.len() > 50);
    let best = acceptance(&oracle);
    for (policy, kind) in kinds.iter().enumerate().skip(1) {
        let events = first_tick(&experiment, policy);
        assert_eq!(events.users, oracle.users, "{kind}");
        let found = acceptance(&events);
        for (row, (found, best)) in found.iter().zip(&best).enumerate() {
            assert!(found <= &(best + 1e-6), "{kind}, row {row}: {found} against {best}");
        }
        assert!(found.iter().sum::<f64>() < best.iter().sum::<f64>() - 0.1, "{kind}");
    }
    // Any other order of the same slate is worse: the oracle's scores do not increase.
    assert!(oracle.scores.chunks(oracle.slate).all(|row| row.is_sorted_by(|a, b| a >= b)));
}

#[test]
fn wrappers_hand_on_the_sight_of_the_oracle() {
    let folder = with_data();
    let wrapped = "\n[[policy]]\nkind = 'epsilon_greedy'\nepsilon = 0\n[policy.inner]\nkind = 'mmr'\nrelevance = 1\n\
        [policy.inner.inner]\nkind = 'oracle'\n";
    let registry = Registry::builtin();
    let origin = folder.path().join("small.toml");
    let scenario = Scenario::parse(&(scenario_text(&["oracle"]) + wrapped), &origin, &registry, &[]);
    let experiment = Experiment::prepare(scenario.expect("a scenario"), registry).expect("an experiment");
    let (plain, wrapped) = (first_tick(&experiment, 0), first_tick(&experiment, 1));
    assert_eq!(plain.items, wrapped.items);
    assert!(wrapped.propensities.iter().all(|&propensity| propensity == 1.0));
}

#[test]
fn propensities_reach_the_log() {
    let folder = with_data();
    let path = folder.path().join("small.toml");
    write(&path, scenario_text(&["random", "thompson", "epsilon_greedy", "ease"]));
    let out = folder.path().join("out");
    recmirror(&["run", text(&path), "--out", text(&out), "--replications", "1"]).expect(0);
    for file in names_in(&out.join("events")) {
        let each = |batch: &EventBatch| {
            for (item, propensity) in batch.items.iter().zip(&batch.propensities).filter(|(item, _)| item.is_some()) {
                let right = match &file[3..] {
                    "random-r000.parquet" => *propensity > 1.0 / 81.0 && *propensity < 0.05,
                    "thompson-r000.parquet" => propensity.is_nan(),
                    "epsilon_greedy-r000.parquet" => *propensity > 0.0 && *propensity <= 1.0,
                    _ => *propensity == 1.0,
                };
                assert!(right, "{file}: {item:?} has {propensity}");
            }
        };
        read_batches(&out.join("events").join(&file), each).expect("a readable log");
    }
}
