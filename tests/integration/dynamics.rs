//! Dynamics: the same for all policies, the same bit for bit, and without effect at a strength of 0.

use crate::resume::stopped_after;
use crate::util::{
    digests, digests_of, has_data_and_runtime, model, movielens, package, recmirror, run_on, scenario_text, settings,
    text, with_data, write,
};
use recmirror::Registry;
use recmirror::dataset::Catalogue;
use recmirror::dynamics;
use recmirror::experiment::Experiment;
use recmirror::ids::ItemId;
use recmirror::log::{EventBatch, NoSink};
use recmirror::scenario::Scenario;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

/// Further keys of the tests: providers, and time for events.
const MORE: &[&str] = &["data.providers=seeded", "data.provider_count=7", "ticks=14"];

/// All kinds of policy that need no parameter.
pub fn policies() -> Vec<&'static str> {
    let all = Registry::builtin();
    let able = all.policies().iter().filter(|kind| kind.keys.iter().all(|key| !key.is_required()));
    able.map(|kind| kind.name).collect()
}

/// A `[[dynamic]]` table of each kind, with this strength.
pub fn tables(strength: f64) -> String {
    let mut text = String::new();
    for kind in dynamics::all() {
        let _ = write!(text, "\n[[dynamic]]\nkind = '{}'\n", kind.name);
        // The run is shorter than a period of its default.
        if kind.keys.iter().any(|key| key.name == "period") {
            text += "period = 3\n";
        }
        kind.strengths().for_each(|name| text += &format!("{name} = {strength:?}\n"));
    }
    text
}

/// Policies that need a program or a network, as far as this machine has them, in an experiment over MovieLens-100K.
fn policies_with_needs() -> String {
    let mut text = String::new();
    if std::process::Command::new("python3").arg("--version").output().is_ok() {
        let program = package().join("examples/external_policy.py");
        let _ = write!(text, "\n[[policy]]\nkind = 'external'\ncommand = ['python3', '{}']\n", program.display());
    }
    if has_data_and_runtime() {
        let _ = write!(text, "\n[[policy]]\nkind = 'onnx'\npath = '{}'\n", package().join("models/sasrec").display());
    }
    text
}

/// An experiment over the data of `folder`.
pub fn prepare(folder: &Path, policies: &[&str], tables: &str, more: &[&str]) -> Experiment {
    let all = [MORE, more].concat();
    let text = scenario_text(policies) + tables;
    let scenario = Scenario::parse(&text, &folder.join("small.toml"), &Registry::builtin(), &settings(&all));
    let scenario = scenario.unwrap_or_else(|problem| panic!("{problem}"));
    Experiment::prepare(scenario, Registry::builtin()).unwrap_or_else(|problem| panic!("{problem}"))
}

/// The events of a policy in a replication.
fn events(experiment: &Experiment, policy: usize, replication: u32) -> Vec<EventBatch> {
    let population = experiment.population(replication).expect("a population");
    let spec = &experiment.scenario.policies[policy];
    let mut simulation = experiment.trial(spec, replication, &population, NoSink).expect("a simulation");
    let tick = |_| {
        simulation.tick().unwrap_or_else(|problem| panic!("{problem}"));
        simulation.events().clone()
    };
    (0..experiment.scenario.ticks).map(tick).collect()
}

#[test]
fn neither_threads_nor_chunks_nor_a_second_run_change_a_digest() {
    let folder = with_data();
    let tables = tables(0.1);
    let experiment = prepare(folder.path(), &policies(), &tables, &[]);
    let base = digests(&run_on(1, &experiment));
    assert_eq!(base.len(), 2 * policies().len());
    assert_eq!(digests(&run_on(1, &experiment)), base, "once more");
    assert_eq!(digests(&run_on(2, &experiment)), base, "two threads");
    assert_eq!(digests(&run_on(5, &experiment)), base, "five threads");
    for chunk in ["engine.chunk=2", "engine.chunk=65536"] {
        assert_eq!(digests(&run_on(2, &prepare(folder.path(), &policies(), &tables, &[chunk]))), base, "{chunk}");
    }
    let still = digests(&run_on(2, &prepare(folder.path(), &policies(), "", &[])));
    assert!(still.iter().zip(&base).all(|(still, changing)| still.2 != changing.2), "the dynamics do something");
}

#[test]
fn programs_and_networks_repeat_and_continue_too() {
    if !has_data_and_runtime() {
        return;
    }
    let (folder, needy) = (with_data(), policies_with_needs());
    let data = format!("data.path={}", movielens().display());
    let run = |chunk: &str| {
        let more = [data.as_str(), chunk, "population.users=60", "ticks=6", "replications=1"];
        prepare(folder.path(), &["popular"], &(tables(0.1) + &needy), &more)
    };
    let experiment = run("engine.chunk=128");
    let base = digests(&run_on(1, &experiment));
    assert_eq!(base.len(), 1 + needy.matches("[[policy]]").count());
    assert_eq!(digests(&run_on(2, &experiment)), base, "two threads");
    assert_eq!(digests(&run_on(2, &run("engine.chunk=32"))), base, "chunks of 32");
    let (half, joined) = (folder.path().join("half"), folder.path().join("joined"));
    let stopped = stopped_after(8, 1, &experiment, &half, None);
    assert!(stopped.interrupted);
    assert_eq!(digests(&stopped_after(u64::MAX, 2, &experiment, &joined, Some(&half))), base, "stopped");
}

#[test]
fn company_and_order_do_not_change_a_policy() {
    let folder = with_data();
    let (tables, mut turned) = (tables(0.1), policies());
    let base = digests(&run_on(2, &prepare(folder.path(), &turned, &tables, &[])));
    turned.reverse();
    assert_eq!(digests(&run_on(2, &prepare(folder.path(), &turned, &tables, &[]))), base);
    let alone = digests(&run_on(2, &prepare(folder.path(), &["ials"], &tables, &[])));
    assert_eq!(alone, base.iter().filter(|trial| trial.0 == "ials").cloned().collect::<Vec<_>>());
}

#[test]
fn strengths_of_zero_change_no_bit() {
    let folder = with_data();
    let without = digests(&run_on(2, &prepare(folder.path(), &policies(), "", &[])));
    assert_eq!(digests(&run_on(2, &prepare(folder.path(), &policies(), &tables(0.0), &[]))), without);
}

#[test]
fn a_mirror_run_depends_neither_on_threads_nor_on_chunks() {
    if !has_data_and_runtime() {
        return;
    }
    let folder = with_data();
    let (data, path) = (format!("data.path={}", movielens().display()), format!("user.path={}", model().display()));
    let run = |threads: usize, chunk: &str, strength: f64| {
        let chunk = format!("engine.chunk={chunk}");
        let more = ["user.kind=mirror", &path, &data, &chunk, "population.users=80", "ticks=6", "replications=1"];
        digests(&run_on(threads, &prepare(folder.path(), &["popular", "oracle"], &tables(strength), &more)))
    };
    let base = run(1, "128", 0.1);
    assert_eq!(run(2, "128", 0.1), base, "two threads");
    assert_eq!(run(2, "32", 0.1), base, "chunks of 32");
    assert_ne!(run(2, "128", 0.0), base);
}

#[test]
fn a_run_is_replayed_with_its_dynamics() {
    let folder = with_data();
    let file = folder.path().join("small.toml");
    write(&file, scenario_text(&["popular", "linucb"]) + &tables(0.1));
    let out = folder.path().join("run");
    let more = MORE.iter().flat_map(|setting| ["--set", setting]);
    let arguments: Vec<&str> = ["run", text(&file), "--out", text(&out)].into_iter().chain(more).collect();
    recmirror(&arguments).expect(0);
    assert_eq!(digests_of(&out).len(), 4);
    recmirror(&["replay", text(&out)]).expect(0);
}

const CATALOGUE: &str = "\n[[dynamic]]\nkind = 'releases'\nshare = 0.5\nuntil = 8\n\
    [[dynamic]]\nkind = 'retirement'\nhazard = 0.05\n";

#[test]
fn no_policy_shows_withheld_items() {
    let folder = with_data();
    let experiment = prepare(folder.path(), &policies(), CATALOGUE, &[]);
    let users = experiment.population(0).expect("users").sources.len();
    for (policy, name) in policies().iter().enumerate() {
        let mut dynamics = experiment.dynamics(0, users).expect("dynamics");
        let late: BTreeSet<ItemId> = dynamics.releases().iter().map(|release| release.1).collect();
        assert!((20..60).contains(&late.len()), "{}", late.len());
        let (mut shown, mut late_shown) = (0, 0);
        for batch in events(&experiment, policy, 0) {
            let withheld = dynamics.supply(batch.tick).to_vec();
            for item in batch.items.iter().filter(|item| item.is_some()) {
                assert_eq!(withheld[item.index() / 64] >> (item.index() % 64) & 1, 0, "{name}: {item:?}");
                shown += 1;
                late_shown += u32::from(late.contains(item));
            }
        }
        // Popularity alone never shows items without interactions; policies that draw do.
        assert!(shown > 1000 && (late_shown > 100 || *name != "random"), "{name}: {late_shown} of {shown}");
    }
}

#[test]
fn users_who_join_later_have_no_known_past() {
    let folder = with_data();
    let table = "\n[[dynamic]]\nkind = 'new_users'\nshare = 0.5\nuntil = 8\n";
    let experiment = prepare(folder.path(), &["popular", "item_knn"], table, &[]);
    let population = experiment.population(0).expect("users");
    let known = population.known.clone().expect("not all is known");
    let dynamics = experiment.dynamics(0, population.sources.len()).expect("dynamics");
    let joins = dynamics.joins();
    let late: Vec<usize> = (0..joins.len()).filter(|&user| joins[user] > 0).collect();
    assert!((15..45).contains(&late.len()), "{}", late.len());
    for (user, &tick) in joins.iter().enumerate() {
        assert_eq!(known.log.of(known.sources[user]).is_empty(), tick > 0, "user {user}");
    }
    for policy in 0..2 {
        let mut met = BTreeSet::new();
        for batch in events(&experiment, policy, 0) {
            for user in &batch.users {
                assert!(batch.tick >= joins[user.index()], "{user:?} before joining");
                met.insert(user.index());
            }
        }
        assert!(late.iter().filter(|user| met.contains(user)).count() > late.len() / 2);
    }
}

#[test]
fn users_who_leave_do_not_come_back() {
    let folder = with_data();
    let table = "\n[[dynamic]]\nkind = 'churn'\nhazard = 0.5\nsensitivity = 0.0\n";
    let more = ["ticks=40", "arrival.probability=1", "arrival.rate=uniform", "session.slates=2", "session.patience=0"];
    let experiment = prepare(folder.path(), &["random"], table, &more);
    let batches = events(&experiment, 0, 0);
    // Everybody comes at every tick while there, and half leave at the end of each session of two ticks.
    let (start, later) = (batches[0].len() as f64, batches[4].len() as f64);
    assert!((later / start - 0.25).abs() < 0.2, "{later} of {start}");
    for pair in batches.windows(2) {
        assert!(pair[1].users.iter().all(|user| pair[0].users.contains(user)), "tick {}", pair[1].tick);
    }
    assert!(batches[39].is_empty());
}

#[test]
fn unknown_providers_are_reported() {
    let folder = with_data();
    let file = folder.path().join("small.toml");
    write(&file, scenario_text(&["popular"]) + "\n[[dynamic]]\nkind = 'provider_exit'\nname = 'exit'\nneed = 0.5\n");
    let out = folder.path().join("run");
    let answer = recmirror(&["run", text(&file), "--out", text(&out)]);
    answer.expect(2).says(&["dynamic `exit`", "data.providers", "seeded"]);
    recmirror(&["run", text(&file), "--out", text(&out), "--set", "data.providers=category"]).expect(0);
}

#[test]
fn providers_come_from_the_column_of_the_items() {
    let folder = with_data();
    let file = folder.path().join("data/small.item");
    let lines = crate::util::read(&file);
    let name = |line: usize| ["provider:token", "north", "south", ""][if line == 0 { 0 } else { 1 + line % 3 }];
    let lines = lines.lines().enumerate().map(|(line, text)| format!("{text}\t{}\n", name(line)));
    write(&file, lines.collect::<String>());
    let catalogue = Catalogue::of(&crate::util::dataset(&folder.path().join("data")));
    assert_eq!(catalogue.providers().expect("providers").names(), ["south", "north", "unknown"]);
    assert_eq!([0, 1, 2, 3].map(|item| catalogue.provider_of(ItemId(item))), [0, 2, 1, 0].map(Some));
    let table = "\n[[dynamic]]\nkind = 'provider_exit'\nneed = 0.9\nperiod = 2\n";
    let experiment = prepare(folder.path(), &["popular"], table, &["data.providers=column"]);
    let shown: BTreeSet<u32> = events(&experiment, 0, 0)[6..]
        .iter()
        .flat_map(|batch| batch.items.iter().filter_map(|&item| catalogue.provider_of(item)))
        .collect();
    assert!(shown.len() < 3, "somebody has left: {shown:?}");
}
