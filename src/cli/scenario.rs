//! `recmirror scenario check|schema|reference`.

use super::{Failure, print};
use crate::registry::Registry;
use crate::scenario::{Scenario, json_schema, reference_text};
use std::path::PathBuf;

/// Commands for scenario files.
#[derive(clap::Subcommand)]
pub enum ScenarioCommand {
    /// Report all errors of scenario files with their lines.
    Check {
        /// The files.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Override a key, as in `run`.
        #[arg(long = "set", value_name = "KEY=VALUE")]
        settings: Vec<String>,
    },
    /// Print the JSON Schema that editors use.
    Schema,
    /// Print a scenario with every key, its default and its meaning.
    Reference,
}

impl ScenarioCommand {
    pub(super) fn run(self, registry: &Registry) -> Result<(), Failure> {
        match self {
            ScenarioCommand::Check { files, settings } => check(&files, &settings, registry),
            ScenarioCommand::Schema => {
                let schema = serde_json::to_string_pretty(&json_schema(registry)).map_err(Failure::other)?;
                print(&(schema + "\n"));
                Ok(())
            }
            ScenarioCommand::Reference => {
                print(&reference_text(registry));
                Ok(())
            }
        }
    }
}

fn check(files: &[PathBuf], settings: &[String], registry: &Registry) -> Result<(), Failure> {
    let settings = parse_settings(settings)?;
    let mut broken = Vec::new();
    for file in files {
        match Scenario::load(file, registry, &settings) {
            Ok(scenario) => {
                if let Some(problem) = data_problem(&scenario, registry) {
                    broken.push(format!("{}: {problem}", file.display()));
                    continue;
                }
                print(&format!(
                    "{}: fine; {} policies x {} replications x {} ticks\n",
                    file.display(),
                    scenario.policies.len(),
                    scenario.replications,
                    scenario.ticks
                ));
                for program in scenario.programs() {
                    print(&format!("{}: {program}, if it is run with --allow-external\n", file.display()));
                }
            }
            Err(problem) => broken.push(problem.to_string()),
        }
    }
    if broken.is_empty() { Ok(()) } else { Err(Failure::Input(broken.join("\n"))) }
}

/// The problem that a run would report about the scenario's data. Missing data are no error of the scenario.
fn data_problem(scenario: &Scenario, registry: &Registry) -> Option<String> {
    let family = Some(scenario.data.format.as_str()).filter(|name| *name != "auto");
    if !scenario.data.path.exists() {
        return None;
    }
    registry.read(&scenario.data.path, family).err().map(|problem| problem.to_string())
}

/// Splits `KEY=VALUE` arguments.
pub(super) fn parse_settings(settings: &[String]) -> Result<Vec<(String, String)>, Failure> {
    let split = |setting: &String| {
        let (key, value) = setting.split_once('=')?;
        (!key.trim().is_empty()).then(|| (key.trim().to_owned(), value.trim().to_owned()))
    };
    let broken = |setting: &String| Failure::input(format!("--set {setting}: expected KEY=VALUE, such as slate=5"));
    settings.iter().map(|setting| split(setting).ok_or_else(|| broken(setting))).collect()
}
