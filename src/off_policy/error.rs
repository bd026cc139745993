//! Reasons for a missing estimate.

use crate::experiment::ExperimentError;

/// Estimates that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum OffPolicyError {
    /// A name that the run does not have.
    #[error("the run has no policy `{name}`; it has {known}")]
    NoPolicy {
        /// The name.
        name: String,
        /// The existing ones.
        known: String,
    },
    /// A log without propensities.
    #[error(
        "policy `{policy}` draws its slates with unknown probabilities, so its log supports no \
         estimate for other policies; choose another one with --from, such as a `random`, an `epsilon_greedy` or \
         a `mix`"
    )]
    LogUnknown {
        /// The policy of the log.
        policy: String,
    },
    /// A target that does not know the probability of a slate.
    #[error(
        "policy `{policy}` draws its slates and cannot report the probability of another policy's slate; targets are \
         deterministic policies, `random`, and `epsilon_greedy` and `mix` around deterministic policies"
    )]
    TargetUnknown {
        /// The target.
        policy: String,
    },
    /// A target without slates.
    #[error("policy `{policy}`, replication {replication}, tick {tick}{}: {problem}", of_user(*user))]
    TargetFailed {
        /// The target.
        policy: String,
        /// The replication.
        replication: u32,
        /// The tick.
        tick: u32,
        /// Whose slate it is about.
        user: Option<u32>,
        /// The outcome.
        problem: String,
    },
    /// The trial does not come out as it did in the run.
    #[error(
        "policy `{policy}`, replication {replication}: the log has digest {stored}, its repetition has {found}; \
         `recmirror replay` has the details"
    )]
    Differs {
        /// The policy of the log.
        policy: String,
        /// The replication.
        replication: u32,
        /// Digest in the manifest.
        stored: String,
        /// Digest now.
        found: String,
    },
    /// No slate was shown.
    #[error("the log of policy `{policy}` has no rounds")]
    NoRounds {
        /// The policy of the log.
        policy: String,
    },
    /// The trial cannot be run again.
    #[error(transparent)]
    Experiment(#[from] ExperimentError),
}

fn of_user(user: Option<u32>) -> String {
    user.map(|user| format!(", user {user}")).unwrap_or_default()
}
