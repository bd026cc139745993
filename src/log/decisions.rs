//! Rationales of users, as JSON lines beside the events.
//!
//! A line is a user at a tick: `tick`, `user`, `letters` (the model's own probability of each item shown, in the order of the
//! slate, then of "none of these"; before temperature and acceptance level), and `text`. The digest of the decisions
//! is that of the file's bytes, which are the same whether they are written or only counted.

use super::{Digest, EventBatch, EventSink, LogError};
use crate::files::{FileError, Jsonl, Partial, open_regular};
use crate::ids::UserId;
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The rationale of one user, and the probabilities after it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decision {
    /// The rationale, without the behaviour that it ends in.
    pub text: String,
    /// The probability of each item shown, then of none.
    pub letters: Vec<f32>,
}

/// The rationales of a step's users.
#[derive(Clone, Copy, Debug)]
pub struct DecisionBatch<'a> {
    /// The tick.
    pub tick: u32,
    /// `[n]`, ascending.
    pub users: &'a [UserId],
    /// `[n]`.
    pub decisions: &'a [Decision],
}

/// A line of a file of decisions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DecisionLine {
    /// The tick.
    pub tick: u32,
    /// The user, numbered within the population.
    pub user: UserId,
    /// The probability of each item shown, then of none.
    pub letters: Vec<f32>,
    /// The rationale.
    pub text: String,
}

impl DecisionBatch<'_> {
    /// The lines of the file.
    fn lines(&self) -> String {
        let line = |(&user, decision): (&UserId, &Decision)| {
            let Decision { text, letters } = decision.clone();
            let line = DecisionLine { tick: self.tick, user, letters, text };
            // A record of numbers and text always has a JSON form.
            serde_json::to_string(&line).map(|line| line + "\n").unwrap_or_default()
        };
        self.users.iter().zip(self.decisions).map(line).collect()
    }
}

/// The number of decisions, and their hash so far.
#[derive(Clone, Default)]
pub struct DecisionTally {
    hasher: blake3::Hasher,
    lines: u64,
}

impl DecisionTally {
    /// Adds a tick's decisions.
    pub fn update(&mut self, batch: &DecisionBatch<'_>) {
        self.hasher.update(batch.lines().as_bytes());
        self.lines += batch.decisions.len() as u64;
    }

    /// Decisions so far.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// Their digest.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.hasher)
    }

    /// The digest of a stored file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn of_file(path: &Path) -> Result<Digest, LogError> {
        let fail = |source| FileError::read(path, source);
        let file = open_regular(path).map_err(fail)?;
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(file).map_err(fail)?;
        Ok(Digest::of(&hasher))
    }
}

/// Writes decisions to a file of its own, which is made with the first of them, and passes events on.
pub struct DecisionSink {
    path: PathBuf,
    output: Option<Partial>,
    next: Box<dyn EventSink>,
}

impl DecisionSink {
    /// A file that will be named `path`; events go to `next`.
    pub fn new(path: PathBuf, next: Box<dyn EventSink>) -> DecisionSink {
        DecisionSink { path, output: None, next }
    }
}

impl EventSink for DecisionSink {
    fn write(&mut self, batch: &EventBatch) -> Result<(), LogError> {
        self.next.write(batch)
    }

    fn decide(&mut self, batch: &DecisionBatch<'_>) -> Result<(), LogError> {
        if self.output.is_none() {
            self.output = Some(Partial::create(&self.path)?);
        }
        if let Some(output) = &mut self.output {
            output.write_all(batch.lines().as_bytes()).map_err(|source| FileError::write(&self.path, source))?;
        }
        self.next.decide(batch)
    }

    fn finish(&mut self) -> Result<(), LogError> {
        self.next.finish()?;
        Ok(self.output.take().map_or(Ok(()), Partial::finish)?)
    }
}

/// Calls `each` for every line of a file of decisions, in order.
///
/// # Errors
/// When the file cannot be read or is none of [`DecisionSink`]'s.
pub fn read_decisions(path: &Path, mut each: impl FnMut(DecisionLine)) -> Result<(), LogError> {
    let mut lines = Jsonl::<DecisionLine>::open(path, "the run's manifest names it; was it moved away?")?;
    while let Some((_, line)) = lines.step()? {
        each(line);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::NoSink;

    fn decision(text: &str) -> Decision {
        Decision { text: text.to_owned(), letters: vec![0.25, 0.1, 0.65] }
    }

    #[test]
    fn written_decisions_are_restored_with_the_counted_digest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("decisions/a.jsonl");
        let mut sink = DecisionSink::new(path.clone(), Box::new(NoSink));
        let mut tally = DecisionTally::default();
        let (users, thoughts) = ([UserId(0), UserId(7)], [decision("Café:\n\"x\""), decision("")]);
        for tick in 0..2 {
            let batch = DecisionBatch { tick, users: &users, decisions: &thoughts };
            sink.decide(&batch).unwrap();
            tally.update(&batch);
        }
        assert!(!path.exists(), "it has no name before it is complete");
        sink.finish().unwrap();
        let mut found = Vec::new();
        read_decisions(&path, |line| found.push(line)).unwrap();
        let line =
            DecisionLine { tick: 1, user: UserId(0), letters: vec![0.25, 0.1, 0.65], text: "Café:\n\"x\"".into() };
        assert_eq!((found.len(), &found[2]), (4, &line));
        assert_eq!((tally.lines(), tally.digest()), (4, DecisionTally::of_file(&path).unwrap()));
        std::fs::write(&path, "{\"tick\": 1}\n").unwrap();
        let problem = read_decisions(&path, |_| ()).unwrap_err().to_string();
        assert!(problem.contains("a.jsonl:1: not a valid record"), "{problem}");
        assert_ne!(tally.digest(), DecisionTally::of_file(&path).unwrap());
    }

    #[test]
    fn without_decisions_there_is_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let mut sink = DecisionSink::new(folder.path().join("decisions/a.jsonl"), Box::new(NoSink));
        sink.write(&EventBatch::default()).unwrap();
        sink.finish().unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
