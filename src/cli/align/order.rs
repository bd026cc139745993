//! `--policy-order`: a scenario whose users are the model that is measured.

use super::Align;
use super::models::Kind;
use crate::align::{PolicyOrder, policy_order};
use crate::cli::Failure;
use crate::cli::progress::Bar;
use crate::experiment::{Experiment, RunOptions};
use crate::registry::Registry;
use crate::scenario::Scenario;
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// Prepares the scenario of the command line, if there is one, with the measured model as its users, on the data set in
/// `data`, if given.
pub(super) fn prepare(
    arguments: &Align,
    kind: Option<Kind>,
    data: Option<&Path>,
    registry: &Registry,
) -> Result<Option<Experiment>, Failure> {
    let Some(path) = &arguments.policy_order else { return Ok(None) };
    let name = match kind {
        Some(Kind::Mirror) => "mirror",
        Some(Kind::Parametric) => "parametric",
        Some(Kind::Language) => "language",
        None => {
            return Err(Failure::input("--policy-order simulates users in this process: it cannot ask a server"));
        }
    };
    let mut settings = vec![("user.kind".to_owned(), name.to_owned())];
    if kind != Some(Kind::Parametric) {
        settings.push(("user.path".to_owned(), arguments.subject.display().to_string()));
    }
    if let Some(folder) = data {
        settings.push(("data.path".to_owned(), folder.display().to_string()));
    }
    let scenario = Scenario::load(path, registry, &settings).map_err(Failure::input)?;
    arguments.allow.check(&scenario)?;
    Experiment::prepare(scenario, registry.clone()).map(Some).map_err(Failure::input)
}

/// Runs the experiment and compares the orders.
pub(super) fn run(experiment: &Experiment, quiet: bool, stop: &AtomicBool) -> Result<PolicyOrder, Failure> {
    let scenario = &experiment.scenario;
    let ticks = u64::from(scenario.replications) * u64::from(scenario.ticks) * scenario.policies.len() as u64;
    let bar = Bar::new(ticks, quiet);
    let found = policy_order(experiment, &RunOptions { events: None, progress: &bar, stop, stopped: None });
    bar.finish();
    found.map_err(Failure::input)
}
