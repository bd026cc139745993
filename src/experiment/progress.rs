//! Receivers of a run's progress.
//!
//! Who hears how far a run is.

use super::manifest::TrialRecord;

/// A tick that a policy has done in a replication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TickDone<'a> {
    /// Name of the policy.
    pub policy: &'a str,
    /// The replication.
    pub replication: u32,
    /// The tick.
    pub tick: u32,
    /// Users who saw a slate in it.
    pub steps: u64,
}

/// Hears of each completed tick, from any thread.
pub trait Progress: Sync {
    /// One tick of one trial is done.
    fn tick(&self, done: &TickDone<'_>);

    /// A trial is whole, and so are its files.
    fn trial(&self, _trial: &TrialRecord) {}
}

/// Hears nothing.
pub struct NoProgress;

impl Progress for NoProgress {
    fn tick(&self, _: &TickDone<'_>) {}
}
