//! Exit codes.
//!
//! 0 done, 1 anything else, 2 usage or bad input, 3 a check failed.

use crate::cli::terminal::say;
use std::fmt;

/// The reason why a command failed.
#[derive(Debug)]
pub enum Failure {
    /// The user can correct it: bad input, a missing file, a wrong option. Exit code 2.
    Input(String),
    /// A check that the user requested failed. Exit code 3.
    Check(String),
    /// Anything else. Exit code 1.
    Other(String),
}

/// Ends the process for an input that cannot be reported otherwise.
pub(super) fn end(message: &str) {
    std::process::exit(i32::from(Failure::input(message).report()))
}

impl Failure {
    /// A failure that the user can correct.
    pub fn input(problem: impl fmt::Display) -> Failure {
        Failure::Input(problem.to_string())
    }

    /// A failure that is not caused by input.
    pub fn other(problem: impl fmt::Display) -> Failure {
        Failure::Other(problem.to_string())
    }

    /// The failure with `more` after its message.
    pub fn and(self, more: &str) -> Failure {
        let with = |message: String| format!("{message}\n{more}");
        match self {
            Failure::Input(message) => Failure::Input(with(message)),
            Failure::Check(message) => Failure::Check(with(message)),
            Failure::Other(message) => Failure::Other(with(message)),
        }
    }

    /// Prints the message to stderr and returns the exit code.
    pub fn report(self) -> u8 {
        let (code, message) = match self {
            Failure::Input(message) => (2, message),
            Failure::Check(message) => (3, message),
            Failure::Other(message) => (1, message),
        };
        say!("error: {message}");
        code
    }
}
