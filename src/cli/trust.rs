//! Sensitivity scenarios of a run: `--trust`.
//!
//! `run --trust` and `compare RUN --trust` repeat the comparison under other assumptions.

use super::Failure;
use super::progress::Bar;
use super::scenario::parse_settings;
use crate::cli::terminal::say;
use crate::experiment::{Experiment, Outcome, Results, RunOptions, SensitivityScenario, Trust};
use crate::params::renamed;
use crate::registry::Registry;
use crate::scenario::Scenario;
use std::fmt::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// The choice of sensitivity scenarios.
#[derive(clap::Args)]
pub(super) struct TrustArgs {
    /// Test how robust the order of the policies is: repeat the comparison with other acceptance levels,
    /// temperatures, user models, meanings of acceptance and examination models, with the same seeds in each
    /// replication.
    #[arg(long)]
    pub(super) trust: bool,
    /// A further sensitivity scenario for --trust: its name and the keys that differ, as in `--sensitivity "short
    /// sessions: session.slates=2"`.
    #[arg(long = "sensitivity", value_name = "NAME: KEY=VALUE,...", requires = "trust")]
    scenarios: Vec<String>,
    /// The earlier name of `--sensitivity`, for one version.
    #[arg(long = "world", value_name = "NAME: KEY=VALUE,...", requires = "trust", hide = true)]
    worlds: Vec<String>,
    /// Two further sensitivity scenarios for --trust: this many users for ten ticks, with the scenario's user
    /// model and as language users (`make lm` makes their model; one of their choices takes a fifth of a second or
    /// more).
    #[arg(long, value_name = "N", requires = "trust", value_parser = clap::value_parser!(u32).range(1..))]
    language_users: Option<u32>,
}

impl TrustArgs {
    /// The default sensitivity scenarios and those of the command line; `origin` is the file of the scenario. Their
    /// folders are checked before the first of them runs.
    pub(super) fn scenarios(
        &self,
        base: &Scenario,
        origin: &Path,
        registry: &Registry,
    ) -> Result<Vec<SensitivityScenario>, Failure> {
        let mut scenarios = SensitivityScenario::usual(base, origin, registry).map_err(Failure::input)?;
        if let Some(users) = self.language_users {
            let found = SensitivityScenario::language(users, base, origin, registry);
            scenarios.extend(found.map_err(|problem| Failure::input(format!("--language-users {users}: {problem}")))?);
        }
        if !self.worlds.is_empty() {
            say!("note: {}", renamed("--world", "--sensitivity"));
        }
        for text in self.scenarios.iter().chain(&self.worlds) {
            let (name, changes) = text.split_once(':').ok_or_else(|| {
                Failure::input(format!(
                    "--sensitivity is `{text}`, expected a name and changes: `half: user.acceptance=0.1`"
                ))
            })?;
            let changes: Vec<String> = changes.split(',').map(|change| change.trim().to_owned()).collect();
            let changes = parse_settings(&changes)?;
            let name = name.trim();
            let sensitivity = SensitivityScenario::new(name, base, origin, registry, &changes);
            scenarios
                .push(sensitivity.map_err(|problem| Failure::input(format!("--sensitivity `{name}`: {problem}")))?);
        }
        // The run itself reports missing files of its own scenario.
        for sensitivity in scenarios.iter().filter(|_| base.missing_folder().is_none()) {
            if let Some((key, path)) = sensitivity.scenario.missing_folder() {
                let (name, path) = (&sensitivity.name, path.display());
                let problem = format!("sensitivity scenario `{name}`: {key}: there is nothing to use in {path}");
                return Err(Failure::input(problem + "; `make lm` makes language models, `make data` fetches data"));
            }
        }
        Ok(scenarios)
    }
}

/// Runs the policies in each sensitivity scenario and compares them with `run` in its first metric. A sensitivity
/// scenario that fails is left out, and the first reason is printed; an interrupt leaves out all.
pub(super) fn assess(
    run: &Results,
    scenarios: Vec<SensitivityScenario>,
    registry: &Registry,
    stop: &AtomicBool,
    quiet: bool,
) -> (Option<Trust>, Option<Failure>) {
    let (mut found, mut lost) = (Vec::with_capacity(scenarios.len()), None);
    for sensitivity in scenarios {
        if !quiet {
            say!("sensitivity scenario: {}", sensitivity.name);
        }
        match in_scenario(&sensitivity, registry, stop, quiet) {
            Ok(results) => found.push((sensitivity.name, results)),
            Err(failure) if stop.load(Ordering::Relaxed) => return (None, Some(failure)),
            Err(failure) if sensitivity.is_optional => {
                let (Failure::Input(problem) | Failure::Check(problem) | Failure::Other(problem)) = failure;
                say!("left out: {problem}");
            }
            Err(failure) => {
                lost.get_or_insert(failure);
            }
        }
    }
    ((!found.is_empty()).then(|| Trust::new(run, &found, 0)), lost)
}

/// The results of the policies in one sensitivity scenario.
fn in_scenario(
    sensitivity: &SensitivityScenario,
    registry: &Registry,
    stop: &AtomicBool,
    quiet: bool,
) -> Result<Results, Failure> {
    let (experiment, outcome) = simulate(sensitivity, registry, stop, quiet)?;
    let kinds = experiment.metrics().to_vec();
    let baseline = outcome.trials.first().map(|trial| trial.policy.clone()).unwrap_or_default();
    Results::new(kinds, &baseline, outcome.trials).map_err(Failure::other)
}

/// Runs the policies in one sensitivity scenario.
pub(super) fn simulate(
    sensitivity: &SensitivityScenario,
    registry: &Registry,
    stop: &AtomicBool,
    quiet: bool,
) -> Result<(Experiment, Outcome), Failure> {
    let scenario = &sensitivity.scenario;
    let total = u64::from(scenario.replications) * u64::from(scenario.ticks) * scenario.policies.len() as u64;
    let name = |problem: &dyn std::fmt::Display| {
        Failure::input(format!("sensitivity scenario `{}`: {problem}", sensitivity.name))
    };
    let experiment = Experiment::prepare(scenario.clone(), registry.clone()).map_err(|problem| name(&problem))?;
    let bar = Bar::new(total, quiet);
    let outcome = experiment.run(&RunOptions { events: None, progress: &bar, stop, stopped: None });
    bar.finish();
    let outcome = outcome.map_err(|problem| name(&problem))?;
    if outcome.interrupted {
        return Err(Failure::Other(format!(
            "interrupted in the sensitivity scenario `{}`; the run itself is complete",
            sensitivity.name
        )));
    }
    Ok((experiment, outcome))
}

/// The tables for the terminal.
pub(super) fn summary(trust: &Trust) -> String {
    let mut text = format!("\ntrust: {} of the policies in sensitivity scenarios\n", trust.title);
    for sentence in trust.sentences() {
        let _ = writeln!(text, "  {sentence}");
    }
    let width = trust.scenarios.iter().map(|sensitivity| sensitivity.name.chars().count()).max().unwrap_or(0).max(8);
    let _ = writeln!(text, "  {:<width$}  {:>6}  {:>5}  order", "scenario", "tau", "flips");
    for sensitivity in &trust.scenarios {
        let tau = sensitivity.tau.map_or_else(|| "-".to_owned(), |tau| format!("{tau:.2}"));
        let mut order: Vec<(&String, f64)> = trust
            .policies
            .iter()
            .zip(&sensitivity.means)
            .filter_map(|(policy, mean)| Some((policy, (*mean)?)))
            .collect();
        order.sort_by(|a, b| if trust.lower_is_better { a.1.total_cmp(&b.1) } else { b.1.total_cmp(&a.1) });
        let order: Vec<&str> = order.iter().map(|(policy, _)| policy.as_str()).collect();
        let _ =
            writeln!(text, "  {:<width$}  {tau:>6}  {:>5}  {}", sensitivity.name, sensitivity.flips, order.join(" > "));
    }
    text
}
