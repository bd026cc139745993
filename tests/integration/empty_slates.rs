//! Visits to whom a policy shows nothing: they are visits, in the numbers, in the log, and in what is read back from it.

use crate::metrics::batches;
use crate::resume::{stopped_after, trial_results};
use crate::util::{csv_rows, manifest, place, prepare_with, recmirror, run_on, scenario_text, text, with_data, write};
use recmirror::Registry;
use recmirror::experiment::{Experiment, Outcome};
use recmirror::log::{DigestState, REJECTED};
use recmirror::policy::{BuildPolicy, Policy, PolicyContext, PolicyError, PolicyKind, Requests, Slates};

/// Shows the first candidates to users of even numbers, and nothing to the others.
struct Skipper;

impl Policy for Skipper {
    fn recommend(&mut self, requests: &Requests<'_>, slates: &mut Slates) -> Result<(), PolicyError> {
        slates.fill(requests, |request, slate| {
            if request.user.0.is_multiple_of(2) {
                request.candidates().take(request.slate).for_each(|item| slate.push(item, 0.5));
            }
        });
        slates.mark_certain();
        Ok(())
    }
}

recmirror::parameters! {
    /// skips every second user
    struct SkipperParameters = "skipper" {}
}

impl BuildPolicy for SkipperParameters {
    fn build(self, _: &PolicyContext) -> Result<Box<dyn Policy>, PolicyError> {
        Ok(Box::new(Skipper))
    }
}

/// One slate a session, so that every policy meets the same visitors.
fn experiment(folder: &std::path::Path, more: &[&str]) -> Experiment {
    let registry = Registry::builtin().with(PolicyKind::of::<SkipperParameters>());
    let settings = [&["session.slates=1", "metrics=all", "user.acceptance=0.6"], more].concat();
    prepare_with(registry, folder, &["skipper", "random", "linucb", "mix"], &settings)
}

fn value(experiment: &Experiment, outcome: &Outcome, policy: &str, metric: &str) -> f64 {
    let place = experiment.scenario.metrics.iter().position(|name| name == metric).expect("a metric");
    let trial = outcome.trials.iter().find(|trial| trial.policy == policy).expect("a trial");
    trial.finals[place].expect("a value")
}

#[test]
fn a_policy_cannot_skip_hard_users() {
    let folder = with_data();
    let experiment = experiment(folder.path(), &[]);
    let out = folder.path().join("run");
    let outcome = stopped_after(u64::MAX, 2, &experiment, &out, None);
    let trial = |policy: &str| outcome.trials.iter().find(|trial| trial.policy == policy).expect("a trial");
    let (skipper, random) = (trial("skipper"), trial("random"));
    assert_eq!(skipper.steps, random.steps, "a visit is a visit");
    assert!(skipper.short.empty > 20 && skipper.short.short == skipper.short.empty, "{:?}", skipper.short);
    assert_eq!((skipper.short.exhausted, random.short.short), (0, 0));
    // The log has all visits, those to whom nothing was shown with all slots empty, and gives digest and figures again.
    let record = manifest(&out).trials.into_iter().find(|trial| trial.policy == "skipper").expect("a trial");
    assert_eq!((record.short_slates, record.empty_slates), (skipper.short.short, skipper.short.empty));
    let (mut digest, mut visits, mut empty, mut accepted) = (DigestState::default(), 0, 0, 0);
    for batch in batches(&out.join(record.events.as_deref().expect("a log")), record.ticks) {
        digest.update(&batch);
        visits += batch.len() as u64;
        for row in 0..batch.len() {
            let is_empty = batch.slate_of(row).iter().all(|item| !item.is_some());
            assert_eq!(is_empty, batch.users[row].0 % 2 == 1);
            empty += u64::from(is_empty);
            accepted += u64::from(batch.accepted[row] != REJECTED);
            assert!(!is_empty || batch.accepted[row] == REJECTED, "who is shown nothing accepts nothing");
        }
    }
    assert_eq!(
        (digest.finish().to_string(), visits, empty),
        (skipper.digest.clone(), skipper.steps, skipper.short.empty)
    );
    assert_eq!(value(&experiment, &outcome, "skipper", "acceptance_rate"), accepted as f64 / visits as f64);
}

#[test]
fn a_run_with_empty_slates_continues_as_usual() {
    let folder = with_data();
    let experiment = experiment(folder.path(), &["session.slates=3"]);
    let run = |name: &str| folder.path().join(name);
    let whole = stopped_after(u64::MAX, 2, &experiment, &run("whole"), None);
    assert!(whole.trials[0].short.empty > 0);
    for ticks in [2, 9] {
        let (half, joined) = (run(&format!("half-{ticks}")), run(&format!("joined-{ticks}")));
        stopped_after(ticks, 1, &experiment, &half, None);
        let outcome = stopped_after(u64::MAX, 2, &experiment, &joined, Some(&half));
        assert_eq!(trial_results(&outcome), trial_results(&whole), "stopped after {ticks}");
    }
    assert_eq!(crate::util::digests(&run_on(1, &experiment)), crate::util::digests(&whole));
}

#[test]
fn a_policy_that_skips_users_is_worth_what_it_earns_of_all_visits() {
    use recmirror::experiment::TrialRecord;
    use recmirror::off_policy::{Question, evaluate};
    let folder = with_data();
    let experiment = experiment(folder.path(), &[]);
    let out = folder.path().join("run");
    stopped_after(u64::MAX, 2, &experiment, &out, None);
    let trials: Vec<TrialRecord> = manifest(&out).trials;
    let ask = |target: &str, from: &str| {
        let question = Question { target, from, draws: 4, resamples: 100 };
        evaluate(&experiment, &question, &trials, &recmirror::experiment::NoProgress).expect("estimates")
    };
    let visits =
        |policy: &str| trials.iter().filter(|trial| trial.policy == policy).map(|trial| trial.user_steps).sum::<u64>();
    // On its own log: every round counts, those of empty slates with the reward 0.
    let own = ask("skipper", "skipper");
    assert_eq!(own.rounds as u64, visits("skipper"));
    let value = |found: &recmirror::off_policy::Evaluation, estimator: &str| {
        found.rows.iter().find(|row| row.estimator == estimator).and_then(|row| row.value).expect("a value")
    };
    for estimator in ["ips", "snips", "dr"] {
        let found = value(&own, estimator);
        assert!(found.is_finite() && (found - own.logged).abs() < 0.1, "{estimator}: {found} for {}", own.logged);
    }
    assert!((value(&own, "ips") - own.logged).abs() < 1e-12);
    // In the situations of another log: half of the visits earn nothing, so the truth is half of a full policy's at most.
    let found = ask("skipper", "random");
    assert_eq!(found.rounds as u64, visits("random"));
    assert!(found.truth > 0.0 && found.truth < 0.75 * ask("random", "random").truth, "{}", found.truth);
}

/// A program that shows these slates, in Python, where `open` are the candidates of each user.
fn program(slates: &str) -> String {
    format!(
        "import json, sys\n\
         for line in sys.stdin:\n\
         \x20   message = json.loads(line)\n\
         \x20   kind = message['type']\n\
         \x20   answer = {{'type': {{'start': 'ready', 'observe': 'observed', 'recommend': 'slates'}}[kind]}}\n\
         \x20   if kind == 'recommend':\n\
         \x20       open = [[i for i in range(80) if i not in set(row)] for row in message['blocked']]\n\
         \x20       answer['slates'] = {slates}\n\
         \x20   print(json.dumps(answer), flush=True)\n"
    )
}

#[test]
fn the_command_counts_reports_and_restores_empty_slates() {
    if std::process::Command::new("python3").arg("--version").output().is_err() {
        return;
    }
    let folder = with_data();
    let path = folder.path().join("small.toml");
    let external = |name: &str, slates: &str| {
        let file = folder.path().join(format!("{name}.py"));
        write(&file, program(slates));
        format!("\n[[policy]]\nkind = 'external'\nname = '{name}'\ncommand = ['python3', '{}']\n", file.display())
    };
    let skips =
        external("skips", "[row[:message['slate']] if user % 2 else [] for user, row in zip(message['users'], open)]");
    write(&path, scenario_text(&["random"]) + &skips + &external("mute", "[[] for row in open]"));
    let out = folder.path().join("out");
    let more = ["--quiet", "--allow-external", "--set", "session.slates=1"];
    let answer = recmirror(&[&["run", text(&path), "--out", text(&out)][..], &more].concat()).expect(0);
    let words = ["slates had fewer items than slots: 0 because no candidates were left", "`mute` served no user"];
    for word in words {
        assert!(answer.stdout.contains(word), "no `{word}` in {}", answer.stdout);
    }
    assert!(!answer.stdout.contains("`skips` served no user"));
    let rates: Vec<(String, String)> = csv_rows(&out.join("finals.csv"))
        .into_iter()
        .filter(|row| row[2] == "acceptance_rate")
        .map(|row| (row[0].clone(), row[3].clone()))
        .collect();
    assert!(rates.iter().filter(|(policy, _)| policy == "mute").all(|(_, rate)| rate.parse() == Ok(0.0)), "{rates:?}");
    recmirror(&["replay", text(&out), "--quiet", "--allow-external"]).expect(0);
    recmirror(&["replay", text(&out), "--quiet", "--logs-only", "--allow-external"]).expect(0);
    let story = recmirror(&["story", text(&out), "--user", "0", "--policy", "mute"]).expect(0);
    assert!(story.stdout.contains("(nothing: the policy left the slate empty)"), "{}", story.stdout);
}

#[test]
fn slates_that_are_short_because_nothing_is_left_are_counted_and_so_is_a_run_without_visits() {
    let folder = with_data();
    let settings = ["slate=79", "population.users=20", "replications=1"];
    let outcome = run_on(2, &prepare_with(Registry::builtin(), folder.path(), &["random"], &settings));
    let short = outcome.trials[0].short;
    assert!(short.short > 0 && short.exhausted == short.short && short.empty == 0, "{short:?}");
    let (path, out) = (crate::util::write_scenario(folder.path(), &["random"]), place());
    let out = out.path().join("out");
    let nobody = ["--set", "arrival.probability=0", "--quiet"];
    let answer = recmirror(&[&["run", text(&path), "--out", text(&out)][..], &nobody].concat()).expect(0);
    assert!(answer.stdout.contains("no user came during the run"), "{}", answer.stdout);
}
