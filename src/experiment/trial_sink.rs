//! The sink of one trial's events: digest, metrics, and the log file.

use super::user_totals::UserTally;
use crate::dataset::Catalogue;
use crate::ids::LogUserId;
use crate::log::{DecisionBatch, DecisionTally, DigestState, EventBatch, EventSink, LogError};
use crate::metrics::{MetricSet, TickValue};
use std::sync::Arc;

/// Folds events into a digest and metrics, and passes them on.
pub struct TrialSink {
    tally: Tally,
    catalogue: Arc<Catalogue>,
    next: Box<dyn EventSink>,
}

/// The counts of a trial so far.
pub(super) struct Tally {
    pub(super) digest: DigestState,
    pub(super) decisions: DecisionTally,
    pub(super) metrics: MetricSet,
    pub(super) ticks: Vec<TickValue>,
    pub(super) steps: u64,
    pub(super) users: UserTally,
}

impl TrialSink {
    /// A sink that counts into `metrics` and passes events on to `next`; the simulated users mirror `sources`.
    pub(super) fn new(
        metrics: MetricSet,
        catalogue: Arc<Catalogue>,
        sources: &Arc<[LogUserId]>,
        next: Box<dyn EventSink>,
    ) -> TrialSink {
        let users = UserTally::new(Arc::clone(sources));
        let (digest, decisions) = (DigestState::default(), DecisionTally::default());
        TrialSink { tally: Tally { digest, decisions, metrics, ticks: Vec::new(), steps: 0, users }, catalogue, next }
    }

    /// The counts so far.
    pub(super) fn tally(&self) -> &Tally {
        &self.tally
    }
}

impl EventSink for TrialSink {
    fn write(&mut self, batch: &EventBatch) -> Result<(), LogError> {
        self.tally.digest.update(batch);
        let values = self.tally.metrics.fold(batch, &self.catalogue);
        self.tally.ticks.extend(values);
        self.tally.steps += batch.len() as u64;
        self.tally.users.fold(batch);
        self.next.write(batch)
    }

    fn decide(&mut self, batch: &DecisionBatch<'_>) -> Result<(), LogError> {
        self.tally.decisions.update(batch);
        self.next.decide(batch)
    }

    fn finish(&mut self) -> Result<(), LogError> {
        self.next.finish()
    }
}
