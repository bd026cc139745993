//! Permission to run the programs of a scenario.

use super::Failure;
use crate::scenario::{Program, Scenario};

/// The environment variable with the effect of `--allow-external`, for users whose scenarios are all their own.
const VARIABLE: &str = "RECMIRROR_ALLOW_EXTERNAL";

/// The permission to run programs.
#[derive(clap::Args)]
pub(super) struct AllowArgs {
    /// Start the programs of policies of the kind `external`. A scenario or a run's folder from somebody else may
    /// name any program: inspect it first.
    #[arg(long)]
    allow_external: bool,
}

impl AllowArgs {
    /// Refuses a scenario that would start programs, unless they are allowed.
    pub(super) fn check(&self, scenario: &Scenario) -> Result<(), Failure> {
        let programs = scenario.programs();
        let allowed = self.allow_external || std::env::var(VARIABLE).is_ok_and(|value| value == "1");
        if programs.is_empty() || allowed {
            return Ok(());
        }
        let descriptions: Vec<String> = programs.iter().map(Program::to_string).collect();
        Err(Failure::input(format!(
            "{}\nits author chose the program: inspect it, then add --allow-external (or set {VARIABLE}=1)",
            descriptions.join("\n")
        )))
    }
}
