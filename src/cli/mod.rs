//! The command line: arguments in, exit codes out. Results go to stdout, progress and errors to stderr.

mod exit;
mod tensors;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

pub use self::exit::Failure;

/// Judge recommender policies on simulated users that mirror real ones.
#[derive(Parser)]
#[command(name = "recmirror", version, about, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write the tensors from which `models/train` trains the mirror model.
    Tensors(tensors::Tensors),
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Tensors(command) => command.run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
