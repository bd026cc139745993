//! What a run says about its policies: replications under common random numbers, summarised and compared in pairs.
//!
//! [`Experiment::prepare`] turns a scenario into everything that its replications share, [`Experiment::run`] runs
//! policies x replications, [`Results`] says which policy is better. [`RunFolder`] and [`Manifest`] are the files.

mod acceptance;
mod arm;
mod arm_world;
mod budget;
mod comparison;
mod data_record;
mod folder;
mod inputs;
mod levels;
mod machine;
mod manifest;
mod names;
mod prepare;
mod probe;
mod providers;
mod results;
mod run;
mod scorers;
mod shown;
mod stats;
mod ties;
mod trials;
mod trust;
mod until;
mod user_totals;

pub use self::acceptance::AcceptanceRecord;
pub use self::arm::ArmSink;
pub use self::comparison::{CompareError, Comparison, ComparisonRow, Difference, FinishedRun, RunWorld, ToSee};
pub use self::folder::{FolderError, Noted, RunFolder, StoppedFolder};
pub use self::levels::LevelRow;
pub use self::machine::MachineRecord;
pub use self::manifest::{
    ArmRecord, DecisionRecord, FailureRecord, Manifest, ManifestError, SequenceRecord, TrainingRecord, UntilRecord,
};
pub use self::prepare::{Experiment, ExperimentError};
pub use self::results::{
    ArmResult, BandPoint, Cell, ColumnKind, CompareRow, CurveRow, FinalRow, PairRow, Results, ResultsError, SeriesRow,
    SummaryRow, TableFormat, TableRow, TickRow, write_table, write_tables,
};
pub(crate) use self::results::{proposal, too_narrow, wrapped};
pub use self::run::{ArmFailure, NoProgress, Outcome, Part, Progress, RunOptions, Stopped};
pub use self::scorers::ScorerRecord;
pub use self::shown::{first_acceptance, first_responses, shown_utilities};
pub use self::stats::{
    Estimate, Family, Interval, Judged, Paired, Unpaired, benjamini_hochberg, bootstrap, confidence_sequence,
    confidence_sequence_at, estimate, holm, kendall_tau, paired, replications_needed, replications_needed_at, sign_flip,
    student_t, unpaired,
};
pub(crate) use self::trials::side_by_side;
pub use self::trust::{Claim, Trust, TrustWorld, Verdict, WorldOrder};
pub use self::until::{Until, UntilError};
pub use self::user_totals::UserTotals;

#[cfg(test)]
pub(crate) use self::results::testing;
