//! Problems of a scenario: all at once, each with its place.

use std::fmt;
use std::path::PathBuf;

/// Where a problem is. Lines sort before settings.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A line of the scenario file, counted from 1.
    Line(usize),
    /// A `--set KEY=VALUE` of the command line: the text `KEY=VALUE`.
    Setting(String),
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Line(line) => write!(out, "line {line}"),
            Place::Setting(setting) => write!(out, "--set {setting}"),
        }
    }
}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Its place.
    pub place: Place,
    /// The problem and the remedy.
    pub message: String,
}

/// A scenario that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The file cannot be read.
    #[error("cannot read scenario {}: {reason}", .file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The reason and a remedy.
        reason: String,
    },
    /// The file was read, and its content is wrong.
    #[error("{}", list(.file, .problems))]
    Invalid {
        /// The file.
        file: PathBuf,
        /// All problems in the order of the lines; settings of the command line come last.
        problems: Vec<Problem>,
    },
}

impl ScenarioError {
    /// The problems in the file's content; none if the file could not be read.
    pub fn problems(&self) -> &[Problem] {
        match self {
            ScenarioError::Unreadable { .. } => &[],
            ScenarioError::Invalid { problems, .. } => problems,
        }
    }
}

/// More would scroll the first ones away.
const MOST_SHOWN: usize = 100;

fn list(file: &std::path::Path, problems: &[Problem]) -> String {
    let mut text = String::new();
    for Problem { place, message } in problems.iter().take(MOST_SHOWN) {
        text += &match place {
            Place::Line(line) => format!("{}:{line}: {message}\n", file.display()),
            Place::Setting(setting) => format!("--set {setting}: {message}\n"),
        };
    }
    let noun = if problems.len() == 1 { "problem" } else { "problems" };
    let limit = if problems.len() > MOST_SHOWN { format!("; the first {MOST_SHOWN} are shown") } else { String::new() };
    text + &format!("{} {noun} in {}{limit}", problems.len(), file.display())
}
