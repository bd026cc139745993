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
    /// The log of a stopped run is not the beginning of this one.
    #[error(
        "policy `{policy}`, tick {tick}: the stored log has {problem} than the run comes to now: the data, the program or the \
         policy is another one, or the policy does not repeat itself; run the scenario anew"
    )]
    Recorded {
        /// Name of the policy.
        policy: String,
        /// The tick.
        tick: u32,
        /// What differs.
        problem: &'static str,
    },
    /// A policy broke its contract, or could not go on.
    #[error("policy `{policy}`, tick {tick}{}: {problem}", .user.map(|user| format!(", user {user}")).unwrap_or_default())]
    Policy {
        /// Name of the policy.
        policy: String,
        /// The tick.
        tick: u32,
        /// The user, numbered within the population; `None` when it is about all of them.
        user: Option<u32>,
        /// What the slate did, or why there is none.
        problem: String,
    },
}
