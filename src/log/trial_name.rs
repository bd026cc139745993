//! The trial of a log, recorded in the log.

#[cfg(feature = "parquet")]
use parquet::file::metadata::KeyValue;
use std::fmt;

/// The identity of a trial within a run, and of the run among seeds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrialName {
    /// Name of the policy.
    pub policy: String,
    /// The replication.
    pub replication: u32,
    /// Root of the run's random streams.
    pub seed: u64,
}

#[cfg(feature = "parquet")]
impl TrialName {
    /// The entries of a Parquet file.
    pub(super) fn entries(&self) -> [KeyValue; 3] {
        let (replication, seed) = (self.replication.to_string(), self.seed.to_string());
        [("policy", self.policy.clone()), ("replication", replication), ("seed", seed)]
            .map(|(key, value)| KeyValue::new(format!("recmirror.{key}"), value))
    }

    /// The name in the entries of a Parquet file; `None` where one is missing.
    pub(super) fn read(entries: &[KeyValue]) -> Option<TrialName> {
        Some(TrialName {
            policy: entry(entries, "policy")?.to_owned(),
            replication: entry(entries, "replication")?.parse().ok()?,
            seed: entry(entries, "seed")?.parse().ok()?,
        })
    }
}

/// The value of `recmirror.KEY`.
#[cfg(feature = "parquet")]
pub(super) fn entry<'e>(entries: &'e [KeyValue], key: &str) -> Option<&'e str> {
    let is_it = |entry: &&KeyValue| entry.key.strip_prefix("recmirror.") == Some(key);
    entries.iter().find(is_it).and_then(|entry| entry.value.as_deref())
}

impl fmt::Display for TrialName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "policy `{}`, replication {}, seed {}", self.policy, self.replication, self.seed)
    }
}
