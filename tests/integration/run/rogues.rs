//! Policies that break their contract, beside policies that continue.

use crate::util::{names_in, place, prepare_with, run_on, with_data};
use recmirror::Registry;
use recmirror::experiment::{ExperimentError, NoProgress, RunOptions};
use recmirror::policy::{BuildPolicy, Policy, PolicyContext, PolicyError, PolicyKind, Requests, Slates};
use std::sync::atomic::AtomicBool;

/// The items that a rogue policy puts into the slate of users from 7 on, from tick 2 on.
#[derive(Clone, Copy)]
enum Crime {
    Duplicate,
    Blocked,
    OutOfRange,
    Gap,
    Panic,
}

struct Rogue(Crime);

impl Policy for Rogue {
    fn recommend(&mut self, requests: &Requests<'_>, slates: &mut Slates) -> Result<(), PolicyError> {
        let crime = self.0;
        slates.fill(requests, |request, slot| {
            let rogue = request.tick >= 2 && request.user.0 >= 7;
            let mut items: Vec<_> = request.candidates().take(request.slate).collect();
            let last = items.len() - 1;
            let all = 0..request.items as u32;
            match crime {
                _ if !rogue => {}
                Crime::Panic => panic!("a bug"),
                Crime::Duplicate => items[last] = items[0],
                Crime::OutOfRange => items[last] = recmirror::ids::ItemId(request.items as u32),
                Crime::Gap => items[0] = recmirror::ids::ItemId::NONE,
                Crime::Blocked => {
                    let mut blocked = all.map(recmirror::ids::ItemId).filter(|&item| !request.allows(item));
                    items[last] = blocked.next().expect("users start with items that they have seen");
                }
            }
            items.into_iter().for_each(|item| slot.push(item, 0.0));
        });
        Ok(())
    }
}

/// Kinds of rogues: name, parameters, and what is built.
macro_rules! rogues {
    ($($name:literal $spec:ident $made:expr),* $(,)?) => {
        $(
            recmirror::parameters! {
                /// breaks its contract
                struct $spec = $name {}
            }

            impl BuildPolicy for $spec {
                fn build(self, _: &PolicyContext) -> Result<Box<dyn Policy>, PolicyError> {
                    let crime: Result<Crime, PolicyError> = $made;
                    Ok(Box::new(Rogue(crime?)))
                }
            }
        )*
    };
}

rogues! {
    "duplicate" DuplicateSpec Ok(Crime::Duplicate),
    "blocked" BlockedSpec Ok(Crime::Blocked),
    "out_of_range" OutOfRangeSpec Ok(Crime::OutOfRange),
    "gap" GapSpec Ok(Crime::Gap),
    "panics" PanicSpec Ok(Crime::Panic),
    "unbuildable" UnbuildableSpec Err(PolicyError::new("no good day")),
}

/// The digests of `random` without company.
fn experiment_alone(registry: &Registry, folder: &std::path::Path, settings: &[&str]) -> Vec<String> {
    let outcome = run_on(2, &prepare_with(registry.clone(), folder, &["random"], settings));
    outcome.trials.into_iter().map(|trial| trial.digest).collect()
}

#[test]
fn a_policy_that_breaks_its_contract_is_named_and_the_others_continue() {
    let registry = Registry::builtin()
        .with(PolicyKind::of::<DuplicateSpec>())
        .with(PolicyKind::of::<BlockedSpec>())
        .with(PolicyKind::of::<OutOfRangeSpec>())
        .with(PolicyKind::of::<GapSpec>())
        .with(PolicyKind::of::<PanicSpec>())
        .with(PolicyKind::of::<UnbuildableSpec>());
    let folder = with_data();
    // Everybody comes at tick 0 and stays.
    let settings = ["arrival.probability=1", "arrival.rate=uniform", "session.slates=100", "session.patience=0"];
    for (name, words) in [
        ("duplicate", "for the second time"),
        ("blocked", "which is not a candidate for this user"),
        ("out_of_range", "slot 4 shows item 80, the catalogue has 80 items"),
        ("gap", "slot 1 is filled behind an empty slot"),
        ("panics", "a bug"),
        ("unbuildable", "no good day"),
    ] {
        let experiment = prepare_with(registry.clone(), folder.path(), &["random", name], &settings);
        let stop = AtomicBool::new(false);
        let out = place();
        let options = RunOptions { events: Some(out.path()), progress: &NoProgress, stop: &stop, stopped: None };
        let outcome = experiment.run(&options).unwrap_or_else(|problem| panic!("{problem}"));
        let [failure] = &outcome.failures[..] else { panic!("{name}: {:?}", outcome.failures) };
        assert_eq!((failure.policy.as_str(), failure.replication), (name, 0));
        // The other policy is complete, and nothing is left of this one.
        let trials: Vec<_> = outcome.trials.iter().map(|trial| (trial.policy.as_str(), trial.replication)).collect();
        assert_eq!((trials, &outcome.ticks[..]), (vec![("random", 0), ("random", 1)], &[6, 6][..]));
        assert_eq!(names_in(out.path()), ["00-random-r000.parquet", "00-random-r001.parquet"]);
        let alone = experiment_alone(&registry, folder.path(), &settings);
        assert_eq!(outcome.trials.iter().map(|trial| trial.digest.clone()).collect::<Vec<_>>(), alone, "{name}");
        let problem = failure.problem.clone();
        let start = match name {
            "unbuildable" => format!("policy `{name}`: "),
            "panics" => format!("policy `{name}` panicked"),
            _ => format!("policy `{name}`, tick 2, user 7: "),
        };
        assert!(problem.starts_with(&start) && problem.contains(words), "{problem}");
    }
}

#[test]
fn a_run_of_failures_alone_is_an_error() {
    let folder = with_data();
    let settings = ["arrival.probability=1", "arrival.rate=uniform", "session.slates=100", "session.patience=0"];
    let experiment =
        prepare_with(Registry::builtin().with(PolicyKind::of::<GapSpec>()), folder.path(), &["gap"], &settings);
    let stop = AtomicBool::new(false);
    let problem = experiment.run(&RunOptions { events: None, progress: &NoProgress, stop: &stop, stopped: None }).err();
    let problem: ExperimentError = problem.expect("no policy is left");
    assert!(problem.to_string().starts_with("policy `gap`, tick 2, user 7: slot 1"), "{problem}");
}
