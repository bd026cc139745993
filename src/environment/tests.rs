use super::*;
use crate::Registry;
use crate::dataset::Dataset;
use crate::dynamics::{FatigueParameters, ReturnTimeParameters};
use crate::experiment::{NoProgress, RunOptions};
use crate::ids::ItemId;
use crate::params::Parameters;
use crate::policy::{EpsilonGreedyParameters, ExternalParameters, ItemKnnParameters, OnnxParameters};
use crate::scenario::Scenario;
use crate::scene::SceneBatch;
use crate::user::{Memorised, MemoryShape, ParametricParameters, Responses, UserError, UserModel};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

fn data() -> Dataset {
    let rows = (0..400i64).map(|n| {
        let (user, item) = (n % 23, (n * 7 + n / 23) % 41);
        (format!("u{user}"), format!("i{item}"), Some(1.0 + ((user + item) % 5) as f32), Some(n * 3_600_000))
    });
    Dataset::from_rows("shop", rows).expect("a data set")
}

fn builder() -> EnvironmentBuilder {
    Environment::builder(&data())
        .population(60)
        .slate(4)
        .steps(6)
        .seed(11)
        .set("session.patience", 1)
        .set("session.leave_after", 2)
        .policy("popular", &[])
        .policy("ials", &[("factors", &4)])
}

fn drive(environment: &mut Environment, policy: &mut dyn Policy) -> Vec<UserId> {
    let (mut slates, mut left) = (Slates::default(), Vec::new());
    while !environment.is_done() {
        policy.recommend(&environment.observation(), &mut slates).expect("slates");
        let outcome = environment.step(&slates).expect("a step");
        left.extend(outcome.left());
        policy.observe(outcome.events()).expect("a policy that learns");
    }
    left
}

#[test]
fn the_slates_of_a_policy_give_the_digest_of_the_experiment() {
    let stop = AtomicBool::new(false);
    let options = RunOptions { events: None, progress: &NoProgress, stop: &stop, stopped: None };
    let experiment = Arc::new(builder().set("replications", 2).experiment().expect("an experiment"));
    let outcome = experiment.run(&options).expect("a run");
    for trial in &outcome.trials {
        let mut environment = Environment::of(experiment.clone(), trial.replication).expect("an environment");
        let mut policy = environment.policy(&trial.policy).expect("a policy");
        drive(&mut environment, policy.as_mut());
        assert_eq!(environment.digest().to_string(), trial.digest, "{} {}", trial.policy, trial.replication);
        let finals: Vec<Option<f64>> = environment.metrics().into_iter().map(|(_, value)| value).collect();
        assert_eq!(finals, trial.finals);
    }
}

#[test]
fn a_reset_repeats_a_replication_and_another_one_differs() {
    let mut environment = builder().build().expect("an environment");
    let mut digests = Vec::new();
    for replication in [0, 0, 1] {
        environment.reset(replication).expect("a reset");
        let mut policy = environment.policy("ials").expect("a policy");
        drive(&mut environment, policy.as_mut());
        digests.push(environment.digest());
    }
    assert_eq!(digests[0], digests[1]);
    assert_ne!(digests[0], digests[2]);
}

#[test]
fn a_wrong_slate_names_user_and_slot_and_changes_nothing() {
    let mut environment = builder().build().expect("an environment");
    let mut policy = environment.policy("popular").expect("a policy");
    let mut right = Slates::default();
    policy.recommend(&environment.observation(), &mut right).expect("slates");
    let user = environment.observation().users[1];
    let mut repeated = right.clone();
    repeated.items[5] = repeated.items[4];
    let mut unknown = right.clone();
    unknown.items[4] = ItemId(41_000);
    let mut few = right.clone();
    few.items.pop();
    for (slates, wanted) in [(repeated, "slot 1"), (unknown, "slot 0"), (few, "slots for")] {
        let problem = environment.step(&slates).err().expect("a refusal").to_string();
        assert!(problem.contains(wanted), "{problem}");
        assert!(wanted == "slots for" || problem.contains(&format!("user {}", user.0)), "{problem}");
    }
    environment.step(&right).expect("the right slates are still taken");
    let mut other = builder().build().expect("an environment");
    other.step(&right).expect("a step");
    assert_eq!(environment.digest(), other.digest());
}

#[test]
fn users_who_leave_are_named_and_ask_no_more() {
    let mut environment = builder().acceptance(0.02).build().expect("an environment");
    let mut slates = Slates::default();
    let mut policy = environment.policy("popular").expect("a policy");
    let mut gone: Vec<UserId> = Vec::new();
    while !environment.is_done() {
        let observation = environment.observation();
        assert!(observation.users.iter().all(|user| !gone.contains(user)));
        policy.recommend(&observation, &mut slates).expect("slates");
        gone.extend(environment.step(&slates).expect("a step").left());
    }
    assert!(!gone.is_empty(), "users without patience leave after two fruitless sessions");
    assert!(environment.observation().is_empty(), "nobody wants a slate after the last step");
    assert!(matches!(environment.step(&slates), Err(EnvironmentError::Done { steps: 6 })));
}

#[test]
fn all_settings_that_are_wrong_are_reported_at_once() {
    let wrong = builder().slate(0).set("arrival.probabilty", 0.1).dynamic("satiaton", &[]);
    let problem = wrong.build().err().expect("a refusal").to_string();
    for part in ["`slate` must be", "did you mean `probability`", "did you mean `satiation`"] {
        assert!(problem.contains(part), "{problem}");
    }
    let broken = builder().policy("popular", &[("learn", &"true\nkind = 'random'")]).build();
    assert!(broken.err().expect("a refusal").to_string().contains("learn"), "a value cannot add keys");
    let environment = builder().build().expect("an environment");
    let problem = environment.policy("ease").err().expect("a refusal").to_string();
    assert!(problem.contains("`popular`, `ials`"), "{problem}");
}

#[test]
fn histories_are_seen_and_grow() {
    let mut environment = builder().acceptance(0.9).build().expect("an environment");
    let newest = |environment: &Environment| environment.observation().history(0).last().map(|entry| entry.tick);
    assert_eq!(newest(&environment), Some(None), "the log's rows come before the first step");
    let mut policy = environment.policy("popular").expect("a policy");
    drive(&mut environment, policy.as_mut());
    let accepted = environment.events().accepted.iter().filter(|&&slot| slot != crate::log::REJECTED).count();
    assert!(accepted > 0);
}

#[test]
fn a_policy_of_code_runs_beside_built_in_ones() {
    let (mut slates, stop) = (Slates::default(), AtomicBool::new(false));
    let options = RunOptions { events: None, progress: &NoProgress, stop: &stop, stopped: None };
    let factory = std::sync::Arc::new(|context: &crate::policy::PolicyContext| {
        let kind = context.kinds.iter().find(|kind| kind.name == "popular").expect("a kind");
        kind.build(&toml::Table::new(), context)
    });
    let experiment = builder().own_policy("mine", factory.clone()).set("replications", 2).experiment().expect("one");
    let outcome = experiment.run(&options).expect("a run");
    let digest =
        |name: &str| outcome.trials.iter().find(|trial| trial.policy == name).map(|trial| trial.digest.clone());
    assert!(digest("mine").is_some());
    assert_eq!(digest("mine"), digest("popular"), "the same slates under another name");
    let alone = Environment::builder(&data()).own_policy("mine", factory).build().expect("an environment");
    alone.policy("mine").expect("a policy").recommend(&alone.observation(), &mut slates).expect("slates");
    assert!(alone.policy("random").is_err());
}

#[test]
fn users_restart_and_retire_between_steps() {
    let mut environment = builder().set("arrival.probability", 1.0).steps(12).build().expect("an environment");
    let mut policy = environment.policy("popular").expect("a policy");
    let mut slates = Slates::default();
    let (first, second) = ([UserId(0)], [UserId(1)]);
    let log = |environment: &Environment| environment.observation().history(0).all(|entry| entry.tick.is_none());
    for step in 0..4 {
        policy.recommend(&environment.observation(), &mut slates).expect("slates");
        environment.close(&slates).expect("a step");
        if step == 2 {
            environment.retire(second);
        }
        if step == 3 {
            environment.restart(first);
        }
        environment.open();
    }
    let users = environment.observation().users.to_vec();
    assert_eq!(users[0], UserId(0), "who restarts comes again");
    assert!(!users.contains(&UserId(1)), "who is retired does not");
    assert!(log(&environment), "the history is that of the log again");
    environment.restart(second);
    policy.recommend(&environment.observation(), &mut slates).expect("slates");
    environment.step(&slates).expect("a step");
    assert!(environment.observation().users.contains(&UserId(1)), "until restarted");
    environment.retire(first);
    policy.recommend(&environment.observation(), &mut slates).expect("slates");
    environment.step(&slates).expect("a step");
    environment.restart(first);
    assert!(!environment.observation().users.contains(&UserId(0)));
    environment.open_again();
    assert!(environment.observation().users.contains(&UserId(0)), "the step is open again");
}

/// The digests of all trials.
fn digests(experiment: &Experiment) -> Vec<String> {
    let stop = AtomicBool::new(false);
    let options = RunOptions { events: None, progress: &NoProgress, stop: &stop, stopped: None };
    experiment.run(&options).expect("a run").trials.into_iter().map(|trial| trial.digest).collect()
}

#[test]
fn parameters_as_structs_and_as_toml_give_the_same_digests() {
    let toml = "data.path = '.'\nname = 'settings'\nticks = 6\nslate = 4\nreplications = 2\npopulation.users = 60\n\
        [user]\ntaste = 1.5\n[[dynamic]]\nkind = 'return_time'\nstrength = 2.5\n\
        [[policy]]\nkind = 'epsilon_greedy'\nepsilon = 0.3\ninner = { kind = 'item_knn', neighbours = 7 }\n\
        [[policy]]\nkind = 'epsilon_greedy'\nname = 'bold'\nepsilon = 0.9\n";
    let scenario = Scenario::parse(toml, Path::new("settings"), &Registry::builtin(), &[]).expect("a scenario");
    let files = Experiment::with_model(scenario, data(), Registry::builtin(), None).expect("an experiment");
    let structs = |taste: f64, strength: f64, neighbours: usize| {
        let inner = ItemKnnParameters { neighbours, ..Default::default() }.with_kind().expect("a table");
        Experiment::builder(&data())
            .population(60)
            .slate(4)
            .steps(6)
            .replications(2)
            .user_of(&ParametricParameters { taste, ..Default::default() })
            .dynamic_of(&ReturnTimeParameters { strength, ..Default::default() })
            .policy_of(&EpsilonGreedyParameters { epsilon: 0.3, inner })
            .policy_as("bold", &EpsilonGreedyParameters { epsilon: 0.9, ..Default::default() })
            .experiment()
            .expect("an experiment")
    };
    let same = structs(1.5, 2.5, 7);
    assert_eq!(same.scenario.policies, files.scenario.policies);
    assert_eq!(digests(&same), digests(&files));
    for other in [structs(1.0, 2.5, 7), structs(1.5, 0.0, 7), structs(1.5, 2.5, 1)] {
        assert_ne!(digests(&other), digests(&files), "each parameter counts");
    }
}

#[test]
fn parameters_that_are_wrong_or_forgotten_are_named_with_what_they_may_be() {
    let wrong = builder()
        .user_of(&ParametricParameters { taste: f64::INFINITY, ..Default::default() })
        .dynamic_of(&FatigueParameters::default())
        .policy_of(&EpsilonGreedyParameters { epsilon: 1.5, ..Default::default() })
        .policy_of(&ExternalParameters::default())
        .policy_of(&OnnxParameters::default());
    let problem = wrong.build().err().expect("a refusal").to_string();
    for part in [
        "`user.taste` must be a number from 0 to 100, found inf",
        "`dynamic.fatigue.strength` must be a number from 0 to 100, found nan",
        "`policy.epsilon_greedy.epsilon` must be a number from 0 to 1, found 1.5",
        "`policy.external.command` must be a list of at least one text in quotes, found an empty list",
        "`policy.onnx.path` must be a path in quotes, found an empty text",
        "5 problems",
    ] {
        assert!(problem.contains(part), "{part}: {problem}");
    }
}

#[test]
#[cfg(unix)]
fn parameters_that_no_key_can_hold_are_named_beside_the_other_problems() {
    use std::os::unix::ffi::OsStrExt;
    let path = Path::new(std::ffi::OsStr::from_bytes(b"models/\xff")).to_owned();
    let wrong = builder().slate(0).policy_of(&OnnxParameters { path });
    let problem = wrong.build().err().expect("a refusal").to_string();
    for part in ["policy.onnx: `path` must be a path in quotes, found", "models/", "`slate` must be", "2 problems"] {
        assert!(problem.contains(part), "{part}: {problem}");
    }
}

/// Users who follow item numbers and the last item, and whose model fails when a flag is set.
#[derive(Default)]
struct Failing {
    respond: AtomicBool,
    update: AtomicBool,
}

impl UserModel for Arc<Failing> {
    fn kind(&self) -> &'static str {
        "failing"
    }
    fn memory(&self) -> MemoryShape {
        MemoryShape { read: 1, total: 1 }
    }
    fn start(&self, _: &[LogUserId], memory: &mut [f32]) -> Result<(), UserError> {
        memory.fill(0.0);
        Ok(())
    }
    fn update(&self, memories: &mut [&mut [f32]], events: &[Memorised]) -> Result<(), UserError> {
        let half = if self.update.load(Ordering::Relaxed) { events.len() / 2 } else { events.len() };
        memories.iter_mut().zip(events).take(half).for_each(|(memory, event)| memory[0] = event.item.0 as f32);
        if half < events.len() { Err(UserError::Setup("no update".to_owned())) } else { Ok(()) }
    }
    fn respond(&self, scenes: &SceneBatch, out: &mut Responses) -> Result<(), UserError> {
        if self.respond.load(Ordering::Relaxed) {
            return Err(UserError::Setup("no response".to_owned()));
        }
        out.reset(scenes.len(), scenes.slate);
        for (row, logits) in out.choice.chunks_exact_mut(scenes.slate + 1).enumerate() {
            let items = &scenes.items[row * scenes.slate..(row + 1) * scenes.slate];
            items
                .iter()
                .zip(logits)
                .for_each(|(item, logit)| *logit = ((item.0 as f32 + scenes.memory[row]) % 3.0) - 1.0);
        }
        Ok(())
    }
}

#[test]
fn a_step_whose_responses_fail_may_be_repeated_and_one_that_fails_half_way_may_not() {
    let users = Arc::new(Failing::default());
    let mut environment = builder().users(users.clone()).build().expect("an environment");
    let mut policy = environment.policy("popular").expect("a policy");
    drive(&mut environment, policy.as_mut());
    let wanted = environment.digest();
    environment.reset(0).expect("a reset");
    let mut policy = environment.policy("popular").expect("a policy");
    let mut slates = Slates::default();
    let message = |environment: &mut Environment, slates: &Slates| match environment.step(slates) {
        Ok(_) => "a step".to_owned(),
        Err(problem) => problem.to_string(),
    };
    policy.recommend(&environment.observation(), &mut slates).expect("slates");
    let started = environment.digest();
    users.respond.store(true, Ordering::Relaxed);
    assert!(message(&mut environment, &slates).contains("no response"));
    users.respond.store(false, Ordering::Relaxed);
    assert!(
        environment.digest() == started
            && environment.time_step() == 0
            && !environment.is_broken()
            && environment.events().is_empty()
    );
    drive(&mut environment, policy.as_mut());
    assert_eq!(environment.digest(), wanted, "the failure changed nothing");
    environment.reset(0).expect("a reset");
    let mut policy = environment.policy("popular").expect("a policy");
    users.update.store(true, Ordering::Relaxed);
    assert!(message(&mut environment, &slates).contains("no update"));
    users.update.store(false, Ordering::Relaxed);
    assert_eq!(
        message(&mut environment, &slates),
        "the last step failed after users had begun to change; call reset before the next step"
    );
    assert!(environment.digest() == started && environment.events().is_empty() && environment.is_broken());
    environment.reset(0).expect("a reset");
    drive(&mut environment, policy.as_mut());
    assert_eq!(environment.digest(), wanted);
}
