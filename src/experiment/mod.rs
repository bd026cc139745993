//! What a run says about its policies: replications summarised, policies compared in pairs.

mod results;
mod stats;

pub use self::results::{ArmResult, BandPoint, CompareRow, Results, ResultsError, SummaryRow};
pub use self::stats::{Estimate, Interval, Paired, estimate, paired, student_t};

#[cfg(test)]
pub(crate) use self::results::testing;
