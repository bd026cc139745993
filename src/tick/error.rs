//! What can stop a replication.

use crate::log::LogError;
use crate::user::UserError;

/// Why a tick could not be completed.
#[derive(Debug, thiserror::Error)]
pub enum TickError {
    /// The user model failed.
    #[error("tick {tick}: {source}")]
    User {
        /// The tick.
        tick: u32,
        /// Why.
        source: UserError,
    },
    /// The events could not be stored.
    #[error("tick {tick}: {source}")]
    Log {
        /// The tick.
        tick: u32,
        /// Why.
        source: LogError,
    },
    /// A policy broke its contract.
    #[error("policy `{policy}`, tick {tick}, user {user}: {problem}")]
    Policy {
        /// Name of the policy.
        policy: String,
        /// The tick.
        tick: u32,
        /// The user, numbered within the population.
        user: u32,
        /// What the slate did.
        problem: String,
    },
}
