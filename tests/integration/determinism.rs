//! The promise that a run is the same bit for bit, and that policies meet the same users.

use crate::util::{
    csv_rows, digests, digests_of, has_data_and_runtime, model, movielens, prepare, recmirror, run_on, text, with_data,
    write_scenario,
};
use recmirror::Registry;
use recmirror::experiment::Experiment;
use recmirror::log::NoSink;
use std::path::Path;

/// All kinds of policy that ship with the crate and need no parameter (`external` needs a program, `onnx` a model).
fn kinds() -> Vec<&'static str> {
    let all = Registry::builtin();
    let able = all.policies().iter().filter(|kind| kind.keys.iter().all(|key| !key.is_required()));
    able.map(|kind| kind.name).collect()
}

#[test]
fn neither_threads_nor_chunks_nor_a_second_run_change_a_digest() {
    let folder = with_data();
    let experiment = prepare(folder.path(), &kinds(), &[]);
    let base = digests(&run_on(1, &experiment));
    assert_eq!(base.len(), 2 * kinds().len());
    assert_eq!(digests(&run_on(1, &experiment)), base, "once more");
    assert_eq!(digests(&run_on(2, &experiment)), base, "two threads");
    assert_eq!(digests(&run_on(5, &experiment)), base, "five threads");
    for chunk in ["engine.chunk=2", "engine.chunk=32", "engine.chunk=64", "engine.chunk=65536"] {
        let again = prepare(folder.path(), &kinds(), &[chunk]);
        assert_eq!(digests(&run_on(2, &again)), base, "{chunk}");
    }
}

#[test]
fn threads_do_not_change_a_run_of_the_command() {
    let folder = with_data();
    let scenario = write_scenario(folder.path(), &kinds());
    let run = |threads: &str, name: &str| {
        let out = folder.path().join(name);
        recmirror(&["run", text(&scenario), "--out", text(&out), "--threads", threads]).expect(0);
        out
    };
    let (one, two) = (run("1", "one"), run("2", "two"));
    assert_eq!(digests_of(&one), digests_of(&two));
    for table in ["ticks", "series", "finals", "summary", "compare", "pairs", "curves", "items", "users"] {
        let table = &format!("{table}.csv");
        assert_eq!(crate::util::read(&one.join(table)), crate::util::read(&two.join(table)), "{table}");
    }
    for file in crate::util::names_in(&one.join("events")) {
        let bytes = |out: &Path| std::fs::read(out.join("events").join(&file)).expect("a log");
        assert!(bytes(&one) == bytes(&two), "{file}");
    }
}

#[test]
fn company_and_order_do_not_change_a_policy() {
    let folder = with_data();
    let all = kinds();
    let base = digests(&run_on(2, &prepare(folder.path(), &all, &[])));
    let mut turned = all.clone();
    turned.reverse();
    assert_eq!(digests(&run_on(2, &prepare(folder.path(), &turned, &[]))), base);
    for kind in &all {
        let alone = digests(&run_on(2, &prepare(folder.path(), &[kind], &[])));
        let expected: Vec<_> = base.iter().filter(|(policy, ..)| policy == kind).cloned().collect();
        assert_eq!(alone, expected, "{kind} alone");
    }
}

#[test]
fn a_policy_against_itself_differs_by_exactly_nothing() {
    let folder = with_data();
    for kind in kinds() {
        let (a, b) = (format!("{kind} as a"), format!("{kind} as b"));
        let scenario = write_scenario(folder.path(), &[&a, &b]);
        let out = folder.path().join(kind);
        recmirror(&["run", text(&scenario), "--out", text(&out), "--replications", "3"]).expect(0);
        let all = digests_of(&out);
        let of = |name: &str| -> Vec<_> {
            all.iter()
                .filter(|(policy, ..)| policy == name)
                .map(|(_, replication, digest)| (replication, digest))
                .collect()
        };
        assert_eq!(of("a").len(), 3);
        assert_eq!(of("a"), of("b"), "{kind}");
        let rows = csv_rows(&out.join("compare.csv"));
        assert_eq!(rows.len(), 6, "{kind}");
        for row in rows {
            let number = |place: usize| row[place].parse::<f64>().ok();
            assert_eq!((row[0].as_str(), row[1].as_str()), ("b", "a"));
            assert_eq!([number(3), number(4), number(5)], [Some(0.0); 3], "{kind}: {row:?}");
            assert!(row[6].is_empty() || number(6) == Some(1.0), "{kind}: {row:?}");
        }
    }
}

/// The (tick, user) pairs of a policy's events.
fn visits(experiment: &Experiment, policy: usize, replication: u32) -> Vec<(u32, u32)> {
    let population = experiment.population(replication).expect("a population");
    let spec = &experiment.scenario.policies[policy];
    let mut simulation = experiment.trial(spec, replication, &population, NoSink).expect("a simulation");
    let mut visits = Vec::new();
    for _ in 0..experiment.scenario.ticks {
        simulation.tick().expect("a tick");
        let events = simulation.events();
        visits.extend(events.users.iter().map(|user| (events.tick, user.0)));
    }
    visits
}

#[test]
fn all_policies_have_the_same_arrivals() {
    let folder = with_data();
    for settings in [&["session.slates=1"][..], &["session.slates=1", "population.users=40", "arrival.rate=uniform"]] {
        let experiment = prepare(folder.path(), &kinds(), settings);
        for replication in 0..2 {
            let base = visits(&experiment, 0, replication);
            assert!(base.len() > 100, "{}", base.len());
            for policy in 1..kinds().len() {
                assert_eq!(visits(&experiment, policy, replication), base, "{}", kinds()[policy]);
            }
        }
        assert_ne!(visits(&experiment, 0, 0), visits(&experiment, 0, 1), "replications differ");
    }
}

/// Digests of the synthetic data under the parametric user, by policy and replication. They change only when the
/// simulation does: a change here changes everyone's numbers and belongs in the changelog.
const GOLDEN: &[(&str, u32, &str)] = &[
    ("popular", 0, "b92d414ce3a5117b16a765cc0683e7fd6cf34ffc604bedfefcf609e700c6f9fe"),
    ("popular", 1, "5c4781e28abc01ba39cc967c4e4c451d84cbb4328d3bb58636e4120beb97eb98"),
    ("random", 0, "0b14071badb6888e49a5706e509f6d869f375de252c05e46edee9ec20bb9b32f"),
    ("random", 1, "6bd4d5e7995aba0d3bf01991ee4e291fc19688474f54cc292361657696212a6f"),
];

#[test]
fn golden_digests() {
    let folder = with_data();
    let found = digests(&run_on(2, &prepare(folder.path(), &["random", "popular"], &[])));
    let golden =
        GOLDEN.iter().map(|&(policy, replication, digest)| (policy.to_owned(), replication, digest.to_owned()));
    assert_eq!(found, golden.collect::<Vec<_>>());
}

#[test]
fn a_mirror_run_depends_neither_on_threads_nor_on_chunks() {
    if !has_data_and_runtime() {
        return;
    }
    let folder = with_data();
    let (data, path) = (format!("data.path={}", movielens().display()), format!("user.path={}", model().display()));
    let run = |threads: usize, chunk: &str| {
        let chunk = format!("engine.chunk={chunk}");
        let settings = ["user.kind=mirror", &path, &data, &chunk, "population.users=80", "ticks=4", "replications=1"];
        digests(&run_on(threads, &prepare(folder.path(), &["popular", "random"], &settings)))
    };
    let base = run(1, "128");
    assert_eq!(run(2, "128"), base, "two threads");
    assert_eq!(run(2, "32"), base, "chunks of 32");
    assert_eq!(run(1, "64"), base, "chunks of 64");
}
