//! Receivers of a run's progress.
//!
//! `tick` and `trial` are called from worker threads.

use super::manifest::TrialRecord;

/// A completed tick of a policy in a replication.
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

/// Receives each completed tick, from any thread.
pub trait Progress: Sync {
    /// Called after one tick of one trial.
    fn tick(&self, done: &TickDone<'_>);

    /// Called when a trial and its files are complete.
    fn trial(&self, _trial: &TrialRecord) {}
}

/// Ignores all progress.
pub struct NoProgress;

impl Progress for NoProgress {
    fn tick(&self, _: &TickDone<'_>) {}
}
