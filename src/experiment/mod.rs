//! Results of a run, summarised and compared in pairs.
//!
//! [`Experiment::prepare`] turns a scenario into the shared inputs of its replications, [`Experiment::run`] runs
//! policies x replications, and [`Results`] compares the policies. [`RunFolder`] and [`Manifest`] are the files.
//! [`Experiment::run_observed`] does all of it in one call, with a borrowed observer:
//!
//! ```
//! use recmirror::prelude::*;
//!
//! let row = |n: i64| ((n % 40).to_string(), ((n * 7 + n / 40) % 60).to_string(), None, Some(n));
//! let data = Dataset::from_rows("shop", (0..600).map(row))?;
//! let settings = Experiment::builder(&data).population(100).slate(5).steps(5).replications(2);
//! let experiment = settings.policy("popular", &[]).policy("random", &[]).experiment()?;
//! let (mut steps, mut trials) = (0, 0);
//! let run = experiment.run_observed(None, &mut |event| match event {
//!     RunEvent::Tick(tick) => steps += tick.steps,
//!     RunEvent::Trial(_) => trials += 1,
//! })?;
//! assert!(steps > 0 && trials == 4);
//! let compared = run.results.compare();
//! assert!(compared.iter().all(|row| row.policy == "random"), "differences are from the first policy");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod acceptance;
mod budget;
mod comparison;
mod data_record;
mod folder;
mod inputs;
mod levels;
mod machine;
mod manifest;
mod names;
mod observe;
mod prepare;
mod probe;
mod progress;
mod providers;
mod rankers;
mod results;
mod run;
mod shown;
mod stats;
mod ties;
mod trial_sink;
mod trial_start;
mod trials;
mod trust;
mod until;
mod user_totals;

pub use self::acceptance::AcceptanceRecord;
pub use self::comparison::{CompareError, Comparison, ComparisonRow, Difference, FinishedRun, RunSetting, ToSee};
pub use self::folder::{FolderError, Noted, RunFolder, StoppedFolder};
pub use self::levels::LevelRow;
pub use self::machine::MachineRecord;
pub use self::manifest::{
    DecisionFileRecord, FailureRecord, Manifest, ManifestError, SequenceRecord, TrainingRecord, TrialRecord,
    UntilRecord,
};
pub use self::observe::{Observer, Run, RunError, RunEvent};
pub use self::prepare::{Experiment, ExperimentError};
pub use self::progress::{NoProgress, Progress, TickDone};
pub use self::rankers::RankerRecord;
pub use self::results::{
    BandPoint, Cell, ColumnKind, CompareRow, CurveRow, FinalRow, PairRow, Results, ResultsError, SeriesRow, SummaryRow,
    TableFormat, TableRow, TickRow, TrialResult, write_table, write_tables,
};
pub(crate) use self::results::{p_value_text, proposal, too_narrow, wrapped};
pub use self::run::{Outcome, Part, RunOptions, Stopped, TrialFailure};
pub use self::shown::{first_acceptance, first_responses, shown_utilities};
pub use self::stats::{
    Estimate, Family, Interval, Judged, Paired, Unpaired, benjamini_hochberg, bootstrap, confidence_sequence,
    confidence_sequence_at, estimate, holm, kendall_tau, paired, replications_needed, replications_needed_at,
    sign_flip, student_t, unpaired,
};
pub use self::trial_sink::TrialSink;
pub(crate) use self::trials::side_by_side;
pub use self::trust::{Claim, ScenarioOrder, SensitivityScenario, Trust, Verdict};
pub use self::until::{Until, UntilError};
pub use self::user_totals::UserTotals;

#[cfg(test)]
pub(crate) use self::results::testing;
