//! The command line.
//!
//! Arguments in, exit codes out. Results go to stdout, progress and errors to stderr.

mod align;
mod allow;
mod augment;
mod compare;
mod data;
mod data_format;
mod decide;
mod distill;
mod doctor;
mod encode;
mod evaluate;
mod exit;
mod export;
mod fit;
mod import;
mod judge;
mod language;
#[cfg(test)]
mod pages;
mod progress;
mod project;
mod replay;
mod resume;
mod run;
mod scenario;
mod scenes;
mod stage_bar;
mod story;
mod tensors;
mod terminal;
mod trust;
mod validate;

use clap::{Parser, Subcommand};
use std::io::{ErrorKind, Write};
use std::process::ExitCode;
use std::sync::OnceLock;

pub use self::exit::Failure;

/// Evaluate recommender policies on simulated users that mirror real ones.
#[derive(Parser)]
#[command(name = "recmirror", version, about, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Fit a user model to a log, and measure it on held-out users.
    Fit(fit::Fit),
    /// Run a scenario: policies x replications, logs, tables and a report.
    Run(run::Run),
    /// Continue an interrupted run.
    Resume(resume::Resume),
    /// Compare the policies of several finished runs in one table, or test how robust a run's order is.
    Compare(compare::Compare),
    /// Repeat a finished run and compare the digests.
    Replay(replay::Replay),
    /// Print one user's timeline in a run: slates, rationales, responses, and the draws behind them.
    Story(story::Tell),
    /// Estimate the value of a policy of a run from the log of another policy.
    Evaluate(evaluate::Evaluate),
    /// Check a scenario file, or print the JSON Schema of scenario files.
    #[command(subcommand)]
    Scenario(scenario::ScenarioCommand),
    /// Measure how well a user model predicts the choices of held-out users.
    Align(align::Align),
    /// Compare a user model with the responses of real users to what they were shown.
    Validate(validate::Validate),
    /// Add the items that simulated users accept to the log, and measure whether policies that learn from it predict held-out
    /// interactions better.
    Augment(augment::Augment),
    /// Write the rows of a log as arrays, for the training of rankers in `models/train`.
    Tensors(tensors::Tensors),
    /// Show how a data set is read: fields, scale, times, impressions, repairs.
    Data(data::Data),
    /// Compute a vector of each item from its texts by a sentence encoder, for `fit` and policies.
    Encode(encode::Encode),
    /// Convert a publisher's feedback log into the form that the pipeline reads.
    Import(import::Import),
    /// Build scenes from feedback logs: profile, history, the list of items, and the item that the user took.
    Scenes(scenes::Scenes),
    /// Ask a strong or a weak language model for decisions in each scene.
    Decide(decide::Decide),
    /// Compute the behaviour probabilities of decisions.
    Judge(judge::Judge),
    /// Select preference pairs from judged decisions.
    Distill(distill::Distill),
    /// Write distilled pairs as training files.
    Export(export::Export),
    /// Show which ONNX Runtime is used, and where the program looked for it.
    Doctor(doctor::Doctor),
}

/// Runs the command line of this process with the policies that ship with the crate.
pub fn main() -> ExitCode {
    main_with(&crate::registry::Registry::builtin())
}

/// Runs the command line of this process with policies of your own: see `examples/custom_policy.rs`.
pub fn main_with(registry: &crate::registry::Registry) -> ExitCode {
    crate::onnx::on_hang(exit::end);
    ExitCode::from(carry_out(Arguments::parse().command, registry))
}

/// Runs the command line with these arguments, the program's name first, in a process of another language; returns the
/// exit code. Help and argument errors are printed.
pub fn run_arguments(arguments: Vec<String>) -> u8 {
    match Arguments::try_parse_from(arguments) {
        Ok(arguments) => carry_out(arguments.command, &crate::registry::Registry::builtin()),
        Err(problem) => {
            // Printing fails if the terminal is gone; the exit code still reports the problem.
            let _ = problem.print();
            problem.exit_code() as u8
        }
    }
}

fn carry_out(command: Command, registry: &crate::registry::Registry) -> u8 {
    crate::guard::quiet_hook();
    let outcome = match command {
        Command::Fit(command) => command.run(registry),
        Command::Run(command) => command.run(registry),
        Command::Resume(command) => command.run(registry),
        Command::Compare(command) => command.run(registry),
        Command::Replay(command) => command.run(registry),
        Command::Story(command) => command.run(registry),
        Command::Evaluate(command) => command.run(registry),
        Command::Scenario(command) => command.run(registry),
        Command::Align(command) => command.run(registry),
        Command::Validate(command) => command.run(registry),
        Command::Augment(command) => command.run(registry),
        Command::Tensors(command) => command.run(),
        Command::Data(command) => command.run(registry),
        Command::Encode(command) => command.run(registry),
        Command::Import(command) => command.run(),
        Command::Scenes(command) => command.run(),
        Command::Decide(command) => command.run(),
        Command::Judge(command) => command.run(),
        Command::Distill(command) => command.run(),
        Command::Export(command) => command.run(),
        Command::Doctor(command) => command.run(),
    };
    match outcome {
        Ok(()) => STDOUT_PROBLEM
            .get()
            .map_or(0, |problem| Failure::other(format!("cannot write the results to stdout: {problem}")).report()),
        Err(failure) => failure.report(),
    }
}

/// The first problem of [`print`]. The process reports it at its end, after the command has stored its results.
static STDOUT_PROBLEM: OnceLock<std::io::Error> = OnceLock::new();

/// Prints to stdout, without control sequences. A closed pipe (`| head`) is no failure; any other problem makes the
/// command fail.
fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    if let Err(problem) = out.write_all(terminal::harmless(text).as_bytes()).and_then(|()| out.flush())
        && problem.kind() != ErrorKind::BrokenPipe
    {
        let _ = STDOUT_PROBLEM.set(problem);
    }
}

/// Uses this many worker threads in the whole process; `None` = one for each core.
fn use_threads(threads: Option<usize>) -> Result<(), Failure> {
    let builder = rayon::ThreadPoolBuilder::new().num_threads(threads.unwrap_or(0));
    builder.build_global().map_err(Failure::other)
}
