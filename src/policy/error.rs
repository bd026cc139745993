//! Errors of policies.
//!
//! An error names the user if it is about one slate.

use crate::ids::UserId;
use std::fmt::{Display, Formatter};

/// A policy that cannot be built or has failed: an experiment leaves it out and continues with the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyError {
    /// The user of the slate; `None`: all of them.
    pub user: Option<UserId>,
    /// The message.
    pub problem: String,
}

impl PolicyError {
    /// An error about the policy as a whole.
    pub fn new(problem: impl Into<String>) -> PolicyError {
        PolicyError { user: None, problem: problem.into() }
    }

    /// An error about the slate of one user.
    pub fn of_user(user: UserId, problem: impl Into<String>) -> PolicyError {
        PolicyError { user: Some(user), problem: problem.into() }
    }

    /// Wraps another error.
    pub fn of(problem: impl Display) -> PolicyError {
        PolicyError::new(problem.to_string())
    }

    /// The same error inside another policy or context, called `name`.
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
