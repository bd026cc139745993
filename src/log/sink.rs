//! Event sinks of a running replication.

use super::{DecisionBatch, EventBatch, LogError};

/// Receives one batch a tick.
pub trait EventSink: Send + Sync {
    /// Takes one tick's events.
    ///
    /// # Errors
    /// When the events cannot be stored; the replication stops.
    fn write(&mut self, batch: &EventBatch) -> Result<(), LogError>;

    /// Receives the rationales of the users of the same tick; called after [`EventSink::write`], if the user model
    /// writes rationales.
    ///
    /// # Errors
    /// When it cannot be stored; the replication stops.
    fn decide(&mut self, batch: &DecisionBatch<'_>) -> Result<(), LogError> {
        let _ = batch;
        Ok(())
    }

    /// Completes what was written.
    ///
    /// # Errors
    /// When the rest cannot be stored.
    fn finish(&mut self) -> Result<(), LogError> {
        Ok(())
    }
}

impl<S: EventSink + ?Sized> EventSink for &mut S {
    fn write(&mut self, batch: &EventBatch) -> Result<(), LogError> {
        (**self).write(batch)
    }

    fn decide(&mut self, batch: &DecisionBatch<'_>) -> Result<(), LogError> {
        (**self).decide(batch)
    }

    fn finish(&mut self) -> Result<(), LogError> {
        (**self).finish()
    }
}

impl<S: EventSink + ?Sized> EventSink for Box<S> {
    fn write(&mut self, batch: &EventBatch) -> Result<(), LogError> {
        (**self).write(batch)
    }

    fn decide(&mut self, batch: &DecisionBatch<'_>) -> Result<(), LogError> {
        (**self).decide(batch)
    }

    fn finish(&mut self) -> Result<(), LogError> {
        (**self).finish()
    }
}

/// Drops the events.
#[derive(Default)]
pub struct NoSink;

impl EventSink for NoSink {
    fn write(&mut self, _: &EventBatch) -> Result<(), LogError> {
        Ok(())
    }
}

/// Counts user-steps and acceptances.
#[derive(Default)]
pub struct CountSink {
    /// Slates answered.
    pub steps: u64,
    /// Slates with an accepted item.
    pub accepted: u64,
}

impl EventSink for CountSink {
    fn write(&mut self, batch: &EventBatch) -> Result<(), LogError> {
        self.steps += batch.len() as u64;
        self.accepted += batch.accepted.iter().filter(|&&slot| slot != super::REJECTED).count() as u64;
        Ok(())
    }
}

/// Keeps every batch in memory.
#[derive(Default)]
pub struct MemorySink {
    /// The batches, in order of ticks.
    pub batches: Vec<EventBatch>,
}

impl EventSink for MemorySink {
    fn write(&mut self, batch: &EventBatch) -> Result<(), LogError> {
        self.batches.push(batch.clone());
        Ok(())
    }
}
