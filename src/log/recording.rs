//! Playback of a stopped run's log.
//!
//! The logged responses replace the user model.

use super::{Decision, DecisionLine, EventBatch, EventReader, LogError, TrialName};
use crate::files::Jsonl;
use std::path::Path;

/// The first ticks of a trial, one after the other.
pub struct Recording {
    ticks: u32,
    events: EventReader,
    decisions: Option<Jsonl<DecisionLine>>,
    /// The next batch of the file; ticks without visitors have none.
    next: Option<EventBatch>,
}

impl Recording {
    /// Opens the files of a trial that completed `ticks` ticks.
    ///
    /// # Errors
    /// When a file cannot be read, or is of another trial.
    pub fn open(events: &Path, trial: &TrialName, decisions: Option<&Path>, ticks: u32) -> Result<Recording, LogError> {
        let open = |path| Jsonl::open(path, "the run's manifest names it; was it moved away?");
        let mut events = EventReader::open_trial(events, trial)?;
        let next = events.step()?;
        Ok(Recording { ticks, events, decisions: decisions.map(open).transpose()?, next })
    }

    /// True if the log has this tick.
    pub fn has(&self, tick: u32) -> bool {
        tick < self.ticks
    }

    /// The events of a tick, and the rationales of its users; ticks must be requested in order.
    ///
    /// # Errors
    /// When a file is damaged, or the decisions are not those of the events.
    pub fn tick(&mut self, tick: u32) -> Result<(EventBatch, Vec<Decision>), LogError> {
        let Some(batch) = self.next.take_if(|batch| batch.tick == tick) else { return Ok(Default::default()) };
        self.next = self.events.step()?;
        let Some(lines) = &mut self.decisions else { return Ok((batch, Vec::new())) };
        let mut decisions = Vec::with_capacity(batch.len());
        for &user in &batch.users {
            match lines.step()? {
                Some((_, line)) if (line.tick, line.user) == (tick, user) => {
                    decisions.push(Decision { text: line.text, letters: line.letters });
                }
                _ => {
                    let wanted = format!("expected the decision of user {} at tick {tick}, as in the events", user.0);
                    return Err(lines.error(wanted).into());
                }
            }
        }
        Ok((batch, decisions))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{ItemId, UserId};
    use crate::log::{DecisionBatch, DecisionSink, EventSink, ParquetWriter};

    fn batch(tick: u32, users: &[u32]) -> EventBatch {
        let n = users.len();
        EventBatch {
            tick,
            slate: 2,
            users: users.iter().copied().map(UserId).collect(),
            sessions: vec![1; n],
            items: (0..2 * n as u32).map(ItemId).collect(),
            scores: vec![0.5; 2 * n],
            propensities: vec![1.0; 2 * n],
            probabilities: vec![0.25; 2 * n],
            accepted: vec![1; n],
            ratings: vec![4.0; n],
        }
    }

    fn trial() -> TrialName {
        TrialName { policy: "random".to_owned(), replication: 0, seed: 1 }
    }

    fn thought(text: &str) -> Decision {
        Decision { text: text.to_owned(), letters: vec![0.25, 0.25, 0.5] }
    }

    #[test]
    fn ticks_come_back_in_order_with_their_rationales() {
        let folder = tempfile::tempdir().unwrap();
        let (events, decisions) = (folder.path().join("a.parquet"), folder.path().join("a.jsonl"));
        let writer = ParquetWriter::create(&events, &trial(), 2).unwrap();
        let mut sink = DecisionSink::new(decisions.clone(), Box::new(writer));
        let batches = [batch(0, &[1, 4]), batch(2, &[3])];
        for batch in &batches {
            sink.write(batch).unwrap();
            let thoughts: Vec<Decision> = batch.users.iter().map(|user| thought(&user.0.to_string())).collect();
            sink.decide(&DecisionBatch { tick: batch.tick, users: &batch.users, decisions: &thoughts }).unwrap();
        }
        sink.finish().unwrap();
        let mut recording = Recording::open(&events, &trial(), Some(&decisions), 4).unwrap();
        assert_eq!(recording.tick(0).unwrap(), (batches[0].clone(), vec![thought("1"), thought("4")]));
        assert!(recording.tick(1).unwrap().0.is_empty(), "nobody came");
        assert_eq!(recording.tick(2).unwrap(), (batches[1].clone(), vec![thought("3")]));
        assert!(recording.has(3) && recording.tick(3).unwrap().0.is_empty());
        assert!(!recording.has(4));
        let mut without = Recording::open(&events, &trial(), None, 4).unwrap();
        assert_eq!(without.tick(0).unwrap(), (batches[0].clone(), Vec::new()));
    }

    #[test]
    fn decisions_of_other_events_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (events, decisions) = (folder.path().join("a.parquet"), folder.path().join("a.jsonl"));
        let mut writer = ParquetWriter::create(&events, &trial(), 2).unwrap();
        writer.write(&batch(0, &[1, 4])).unwrap();
        writer.finish().unwrap();
        std::fs::write(&decisions, "{\"tick\":0,\"user\":1,\"letters\":[1],\"text\":\"\"}\n").unwrap();
        let problem = Recording::open(&events, &trial(), Some(&decisions), 1).unwrap().tick(0).unwrap_err().to_string();
        assert!(
            problem.contains("a.jsonl") && problem.contains("expected the decision of user 4 at tick 0"),
            "{problem}"
        );
    }
}
