//! Estimates from a simulator's logs, beside its truth.

use super::*;

/// Slates of two; `wide` gives half of its slots to chance.
const SCENARIO: &str = "name = 'Off-policy'
seed = 5
replications = 2
ticks = 8
slate = 2
[data]
path = 'data'
[user]
kind = 'parametric'
acceptance = 0.3
[[policy]]
kind = 'epsilon_greedy'
name = 'wide'
epsilon = 0.5
[[policy]]
kind = 'epsilon_greedy'
name = 'narrow'
epsilon = 0.2
[[policy]]
kind = 'popular'
[[policy]]
kind = 'random'
[[policy]]
kind = 'mix'
parts = [{ kind = 'popular', weight = 3.0 }, { kind = 'markov' }]
[[policy]]
kind = 'item_knn'
[[policy]]
kind = 'thompson'
";

fn prepared(folder: &Path, overrides: &[&str]) -> Experiment {
    let registry = Registry::builtin();
    let scenario = Scenario::parse(SCENARIO, &folder.join("small.toml"), &registry, &settings(overrides));
    Experiment::prepare(scenario.expect("a scenario"), registry).expect("an experiment")
}

/// The trials of a run.
fn trials(experiment: &Experiment) -> Vec<TrialRecord> {
    let outcome = run_on(2, experiment);
    let record = |(trial, &ticks): (&recmirror::experiment::TrialResult, &u32)| TrialRecord {
        policy: trial.policy.clone(),
        replication: trial.replication,
        ticks,
        user_steps: trial.steps,
        short_slates: trial.short.short,
        exhausted_slates: trial.short.exhausted,
        empty_slates: trial.short.empty,
        seconds: 0.0,
        decisions: None,
        training: TrainingRecord::default(),
        digest: trial.digest.clone(),
        events: None,
    };
    outcome.trials.iter().zip(&outcome.ticks).map(record).collect()
}

fn ask(
    experiment: &Experiment,
    trials: &[TrialRecord],
    target: &str,
    from: &str,
) -> Result<Evaluation, OffPolicyError> {
    evaluate(experiment, &Question { target, from, draws: 8, resamples: 200 }, trials, &NoProgress)
}

#[test]
fn intervals_hold_the_simulators_truth() {
    const SEEDS: usize = 20;
    let folder = with_data();
    let mut held = std::collections::BTreeMap::<(&str, &str), usize>::new();
    for seed in 0..SEEDS {
        let seed = format!("seed={}", 100 + seed);
        let experiment = prepared(folder.path(), &[seed.as_str()]);
        let trials = trials(&experiment);
        for target in ["narrow", "popular", "random"] {
            let found = ask(&experiment, &trials, target, "wide").expect("estimates");
            for row in &found.rows {
                let inside = row.normal.is_some_and(|interval| interval.contains(found.truth));
                *held.entry((target, row.estimator)).or_default() += usize::from(inside);
            }
        }
    }
    eprintln!("intervals of {SEEDS} that hold the truth: {held:?}");
    // `wide` shows everything now and then. With 20 intervals of 95%, fewer than 16 hold in 0.3% of all cases.
    for target in ["narrow", "popular"] {
        for estimator in ["ips", "snips", "dr", "sndr"] {
            assert!(held[&(target, estimator)] >= 16, "{target}, {estimator}: {held:?}");
        }
    }
}

#[test]
fn a_policy_on_its_own_log_is_its_mean_reward() {
    let folder = with_data();
    let experiment = prepared(folder.path(), &[]);
    let trials = trials(&experiment);
    for policy in ["wide", "random", "mix", "popular"] {
        let found = ask(&experiment, &trials, policy, policy).expect("estimates");
        for row in found
            .rows
            .iter()
            .filter(|row| ["ips", "snips", "rips", "snrips", "iips", "sniips"].contains(&row.estimator))
        {
            let value = row.value.expect("a value");
            assert!((value - found.logged).abs() < 1e-12, "{policy}, {}: {value}", row.estimator);
            let overlap = row.overlap.expect("weights");
            assert!((overlap.effective - found.rounds as f64).abs() < 1e-6 && overlap.largest == 1.0, "{overlap:?}");
            assert_eq!(row.problem, None);
        }
        assert!((found.logged - found.truth).abs() < 0.05, "{policy}: {found:?}");
    }
}

#[test]
fn too_little_overlap_is_reported() {
    let folder = with_data();
    let experiment = prepared(folder.path(), &[]);
    let trials = trials(&experiment);
    let problem = |found: &Evaluation, estimator: &str| {
        found.rows.iter().find(|row| row.estimator == estimator).and_then(|row| row.problem.clone())
    };
    // The slate of `popular` never changes within a tick, so its log does not support most slates of `random`.
    let found = ask(&experiment, &trials, "random", "popular").expect("estimates");
    assert!(problem(&found, "ips").is_some_and(|problem| problem.starts_with("biased")), "{found:?}");
    // One in some thousand slates of `random` is that of `popular`.
    let found = ask(&experiment, &trials, "popular", "random").expect("estimates");
    assert!(problem(&found, "dr").is_some(), "{found:?}");
    assert_eq!(problem(&found, "dm"), None, "it needs no weights");
    let iips = found.rows.iter().find(|row| row.estimator == "iips").expect("a row");
    assert!(iips.overlap.is_some_and(|overlap| overlap.effective < 100.0), "{iips:?}");
    // It is not known how likely an item is in a slot by itself when slates are too long for it.
    let experiment = prepared(folder.path(), &["slate=33", "ticks=1"]);
    let found = ask(&experiment, &self::trials(&experiment), "popular", "wide").expect("estimates");
    assert!(problem(&found, "iips").is_some_and(|problem| problem.starts_with("unknown")), "{found:?}");
}

#[test]
fn policies_that_do_not_know_are_refused_by_name() {
    let folder = with_data();
    let experiment = prepared(folder.path(), &["ticks=2"]);
    let mut trials = trials(&experiment);
    let refusal = |target: &str, from: &str, trials: &[TrialRecord]| {
        ask(&experiment, trials, target, from).expect_err("a refusal").to_string()
    };
    assert!(refusal("thompson", "wide", &trials).contains("`thompson` draws its slates and cannot report"));
    assert!(refusal("wide", "thompson", &trials).contains("`thompson` draws its slates with unknown probabilities"));
    let unknown = refusal("absent", "wide", &trials);
    assert!(unknown.contains("no policy `absent`") && unknown.contains("`item_knn`"), "{unknown}");
    let wide = trials.iter_mut().find(|trial| trial.policy == "wide").expect("a trial");
    wide.digest = "0".repeat(64);
    assert!(refusal("popular", "wide", &trials).contains("its repetition has"));
}

#[test]
fn the_command_prints_and_writes_its_table() {
    let folder = with_data();
    let scenario = folder.path().join("small.toml");
    write(&scenario, SCENARIO);
    let (out, table) = (folder.path().join("run"), folder.path().join("estimates.csv"));
    recmirror(&["run", text(&scenario), "--out", text(&out), "--quiet"]).expect(0);
    let evaluate = |arguments: &[&str]| recmirror(&[&["evaluate", text(&out), "--quiet"], arguments].concat());
    let asked = ["--target", "narrow", "--from", "wide", "--resamples", "500"];
    let one = evaluate(&[&asked[..], &["--threads", "1", "--out", text(&table)]].concat()).expect(0);
    let two = evaluate(&[&asked[..], &["--threads", "2"]].concat()).expect(0);
    assert_eq!((one.stdout.as_str(), one.stderr.as_str()), (two.stdout.as_str(), ""));
    for words in ["`narrow`, from the log of `wide`: 2 replications", "on its own path", "snrips", "inside", "enough"] {
        assert!(one.stdout.contains(words), "no `{words}` in: {}", one.stdout);
    }
    let rows = csv_rows(&table);
    assert_eq!(rows.iter().map(|row| row[2].as_str()).collect::<Vec<_>>(), recmirror::off_policy::ESTIMATORS);
    assert!(rows.iter().all(|row| row[0] == "narrow" && row[1] == "wide" && !row[13].is_empty()));
    evaluate(&["--target", "thompson", "--from", "wide"]).expect(2).says(&["`thompson`", "cannot report"]);
    evaluate(&["--target", "narrow", "--from", "nobody"]).expect(2).says(&["no policy `nobody`", "`wide`"]);
    recmirror(&["evaluate", text(folder.path()), "--target", "a", "--from", "b"]).expect(2).says(&["manifest.json"]);
}
