//! What happens to the events of one arm (one policy, one replication): digest, metrics, and the log file.

use crate::dataset::Catalogue;
use crate::log::{DecisionBatch, DecisionTally, DigestState, EventBatch, EventSink, LogError};
use crate::metrics::{MetricSet, TickValue};
use std::sync::{Arc, Mutex};

/// Folds events into a digest and metrics, and passes them on.
pub struct ArmSink {
    tally: Arc<Mutex<Tally>>,
    catalogue: Arc<Catalogue>,
    next: Box<dyn EventSink>,
}

/// What an arm has counted so far.
pub(super) struct Tally {
    pub(super) digest: DigestState,
    pub(super) decisions: DecisionTally,
    pub(super) metrics: MetricSet,
    pub(super) ticks: Vec<TickValue>,
    pub(super) steps: u64,
}

impl ArmSink {
    /// A sink that counts into `metrics` and passes events on to `next`; the second value reads the counts.
    pub(super) fn new(
        metrics: MetricSet,
        catalogue: Arc<Catalogue>,
        next: Box<dyn EventSink>,
    ) -> (ArmSink, Arc<Mutex<Tally>>) {
        let (digest, decisions) = (DigestState::default(), DecisionTally::default());
        let tally = Tally { digest, decisions, metrics, ticks: Vec::new(), steps: 0 };
        let tally = Arc::new(Mutex::new(tally));
        (ArmSink { tally: tally.clone(), catalogue, next }, tally)
    }
}

impl EventSink for ArmSink {
    fn write(&mut self, batch: &EventBatch) -> Result<(), LogError> {
        let mut tally = self.tally.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        tally.digest.update(batch);
        let values = tally.metrics.fold(batch, &self.catalogue);
        tally.ticks.extend(values);
        tally.steps += batch.len() as u64;
        self.next.write(batch)
    }

    fn decide(&mut self, batch: &DecisionBatch<'_>) -> Result<(), LogError> {
        self.tally.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).decisions.update(batch);
        self.next.decide(batch)
    }

    fn finish(&mut self) -> Result<(), LogError> {
        self.next.finish()
    }
}
