//! Replications that run elsewhere.
//!
//! They run in another process or on another machine, and are assembled here.
//!
//! A [`Part`] is one replication with all its policies, so comparisons stay paired. Parts may arrive in any order and
//! more than once; the result equals that of one process, digest included.

use super::{Finished, RunOptions, TrialOutcome};
use crate::experiment::prepare::{Experiment, ExperimentError};
use crate::experiment::until::Until;
use crate::experiment::{NoProgress, Outcome};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

/// One replication with all its policies, in a form that can be sent.
#[derive(Clone, Serialize, Deserialize)]
pub struct Part {
    /// The replication, from 0.
    pub replication: u32,
    /// The trial of each policy, in the order of the scenario, or the reason for its failure.
    policies: Vec<Result<Finished, String>>,
}

impl Part {
    /// Number and file of the event log of each policy that has one.
    pub fn files(&self) -> impl Iterator<Item = (usize, &str)> {
        let finished = self.policies.iter().enumerate();
        finished.filter_map(|(policy, finished)| Some((policy, finished.as_ref().ok()?.file.as_deref()?)))
    }

    fn trials(self) -> impl Iterator<Item = TrialOutcome> {
        let replication = self.replication;
        self.policies.into_iter().enumerate().map(move |(policy, finished)| TrialOutcome {
            replication,
            policy,
            finished: Some(finished.map_err(|problem| ExperimentError::Elsewhere { problem })),
        })
    }
}

impl Experiment {
    /// Runs all policies in one replication. `None` if it was stopped before its end.
    ///
    /// # Errors
    /// When the run itself fails. The failure of a policy is part of the result.
    pub fn run_part(&self, replication: u32, options: &RunOptions<'_>) -> Result<Option<Part>, ExperimentError> {
        let trials = self.run_trials(replication..replication + 1, options, &self.brakes(options));
        if options.stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let mut policies = Vec::with_capacity(trials.len());
        for trial in trials {
            match trial.finished {
                Some(Ok(finished)) => policies.push(Ok(finished)),
                Some(Err(problem)) if problem.is_of_policy() => policies.push(Err(problem.to_string())),
                Some(Err(problem)) => return Err(problem),
                None => return Ok(None),
            }
        }
        Ok(Some(Part { replication, policies }))
    }

    /// Assembles the outcome of parts that ran elsewhere: the first replications of this experiment, without a gap.
    /// With `until`, replications after the one that meets the rule are ignored.
    ///
    /// # Errors
    /// When a replication is missing, every policy failed, or a part is of another experiment.
    pub fn put_together(&self, parts: Vec<Part>, until: Option<&Until>) -> Result<Outcome, ExperimentError> {
        let mut parts: BTreeMap<u32, Part> = parts.into_iter().map(|part| (part.replication, part)).collect();
        let stop = AtomicBool::new(false);
        let options = RunOptions { events: None, progress: &NoProgress, stop: &stop, stopped: None };
        let there = parts.len() as u32;
        if there == 0 || parts.keys().next_back().is_some_and(|&last| last != there - 1) {
            let missing = (0..).find(|replication| !parts.contains_key(replication)).unwrap_or_default();
            return Err(ExperimentError::Missing { replication: missing });
        }
        let wanted = self.scenario.policies.len();
        if let Some(part) = parts.values().find(|part| part.policies.len() != wanted) {
            let found = part.policies.len();
            return Err(ExperimentError::OtherExperiment { replication: part.replication, found, wanted });
        }
        let mut of =
            |replication: u32| parts.remove(&replication).into_iter().flat_map(Part::trials).collect::<Vec<_>>();
        match until {
            Some(until) => self.until(until, there, &options, |replication, _| of(replication)),
            None => self.gather((0..there).flat_map(of).collect(), there, &options),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Dataset;
    use crate::environment::{Environment, EnvironmentBuilder};
    use crate::policy::{PolicyContext, PolicyError};

    fn builder() -> EnvironmentBuilder {
        let rows = (0..300i64).map(|n| {
            let (user, item) = (n % 19, (n * 7 + n / 19) % 31);
            (format!("u{user}"), format!("i{item}"), Some(1.0 + ((user + item) % 5) as f32), Some(n * 3_600))
        });
        let data = Dataset::from_rows("shop", rows).expect("a data set");
        let builder = Environment::builder(&data).population(40).slate(3).steps(4).seed(5).set("replications", 6);
        builder.policy("popular", &[]).policy("random", &[])
    }

    /// An experiment with a policy that fails in replication 2.
    fn experiment() -> Experiment {
        let users = builder().experiment().expect("an experiment").users(2).expect("users").sources;
        let fails = std::sync::Arc::new(move |context: &PolicyContext| match context.sources == users {
            true => Err(PolicyError::of("no third time")),
            false => context.inner(&"kind = \"popular\"".parse().expect("a table")),
        });
        builder().own_policy("mine", fails).experiment().expect("an experiment")
    }

    fn same(one: &Outcome, other: &Outcome) {
        let digests = |outcome: &Outcome| outcome.trials.iter().map(|trial| trial.digest.clone()).collect::<Vec<_>>();
        let finals = |outcome: &Outcome| outcome.trials.iter().map(|trial| trial.finals.clone()).collect::<Vec<_>>();
        assert_eq!((digests(one), finals(one)), (digests(other), finals(other)));
        assert_eq!((one.replications, &one.failures), (other.replications, &other.failures));
        assert_eq!(one.until, other.until);
    }

    #[test]
    fn parts_in_any_order_and_twice_are_the_run() {
        let (experiment, stop) = (experiment(), AtomicBool::new(false));
        let options = RunOptions { events: None, progress: &NoProgress, stop: &stop, stopped: None };
        let part = |replication| experiment.run_part(replication, &options).expect("a run").expect("a part");
        let parts: Vec<Part> = [3, 0, 5, 1, 2, 4, 3].into_iter().map(part).collect();
        let whole = experiment.run(&options).expect("a run");
        same(&experiment.put_together(parts.clone(), None).expect("an outcome"), &whole);
        assert_eq!(whole.failures[0].replication, 2);
        for rule in ["ci<50%", "ci<0.001%"] {
            let until = Until::parse(rule, &experiment.scenario, experiment.registry()).expect("a rule");
            let whole = experiment.run_until(&until, &options).expect("a run");
            same(&experiment.put_together(parts.clone(), Some(&until)).expect("an outcome"), &whole);
        }
        let problem = experiment.put_together(parts[..3].to_vec(), None).err().expect("a gap").to_string();
        assert!(problem.contains("replication 1 is missing"), "{problem}");
    }

    #[test]
    fn a_part_that_is_stopped_is_none() {
        let stop = AtomicBool::new(true);
        let options = RunOptions { events: None, progress: &NoProgress, stop: &stop, stopped: None };
        assert!(experiment().run_part(0, &options).expect("a run").is_none());
    }
}
