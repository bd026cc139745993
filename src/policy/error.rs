//! Errors of policies.
//!
//! What goes wrong in a policy, as a value.

use crate::ids::UserId;
use std::fmt::{Display, Formatter};

/// A policy that cannot be built, or cannot go on: its part of an experiment ends with it, and the other policies go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyError {
    /// Whose slate it is about; `None`: all of them.
    pub user: Option<UserId>,
    /// The outcome.
    pub problem: String,
}

impl PolicyError {
    /// An error that is about the policy as a whole.
    pub fn new(problem: impl Into<String>) -> PolicyError {
        PolicyError { user: None, problem: problem.into() }
    }

    /// An error that is about the slate of one user.
    pub fn of_user(user: UserId, problem: impl Into<String>) -> PolicyError {
        PolicyError { user: Some(user), problem: problem.into() }
    }

    /// Another error as the reason.
    pub fn of(problem: impl Display) -> PolicyError {
        PolicyError::new(problem.to_string())
    }

    /// The same error inside another policy or place, which `name` names.
    pub fn inside(self, name: impl Display) -> PolicyError {
        PolicyError { user: self.user, problem: format!("{name}: {}", self.problem) }
    }
}

impl Display for PolicyError {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        match self.user {
            Some(user) => write!(formatter, "user {}: {}", user.0, self.problem),
            None => formatter.write_str(&self.problem),
        }
    }
}

impl std::error::Error for PolicyError {}
