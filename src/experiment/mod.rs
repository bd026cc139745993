//! What a run says about its policies: replications under common random numbers, summarised and compared in pairs.
//!
//! [`Experiment::prepare`] turns a scenario into everything that its replications share, [`Experiment::run`] runs
//! policies x replications, [`Results`] says which policy is better. [`RunFolder`] and [`Manifest`] are the files.

mod arm;
mod folder;
mod manifest;
mod prepare;
mod probe;
mod providers;
mod results;
mod run;
mod stats;
mod until;

pub use self::arm::ArmSink;
pub use self::folder::{FolderError, RunFolder};
pub use self::manifest::{
    ArmRecord, FailureRecord, Manifest, ManifestError, SequenceRecord, TrainingRecord, UntilRecord,
};
pub use self::prepare::{Experiment, ExperimentError};
pub use self::results::{ArmResult, BandPoint, CompareRow, PairRow, Results, ResultsError, SummaryRow, write_pairs};
pub(crate) use self::results::{too_few, wrapped};
pub use self::run::{ArmFailure, NoProgress, Outcome, Progress, RunOptions};
pub use self::stats::{
    Estimate, Interval, Paired, benjamini_hochberg, bootstrap, confidence_sequence, estimate, holm, paired,
    replications_needed, sign_flip, student_t,
};
pub use self::until::{Until, UntilError};

#[cfg(test)]
pub(crate) use self::results::testing;
