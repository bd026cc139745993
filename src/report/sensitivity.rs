//! The files of a sensitivity analysis.

use super::WriteError;
use crate::experiment::{Claim, Trust, Verdict};
use crate::files::spreadsheet::as_cell;

/// The files of a [`Trust`], by name: `trust.csv` has a row for each conclusion and sensitivity scenario.
///
/// # Errors
/// When a table cannot be written.
pub fn files(trust: &Trust) -> Result<[(&'static str, String); 2], WriteError> {
    let json = serde_json::to_string_pretty(trust).map_err(table)? + "\n";
    Ok([("trust.csv", rows(trust).map_err(table)?), ("trust.json", json)])
}

fn rows(trust: &Trust) -> Result<String, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["metric", "ahead", "behind", "scenario", "verdict"])?;
    for Claim { ahead, behind, verdicts } in &trust.claims {
        for (sensitivity, verdict) in trust.scenarios.iter().zip(verdicts) {
            let verdict = match verdict {
                Verdict::Holds => "holds",
                Verdict::Unsure => "unsure",
                Verdict::Reverses => "turns",
                Verdict::Unknown => "unknown",
            };
            let [ahead, behind, sensitivity] = [ahead, behind, &sensitivity.name].map(|text| as_cell(text));
            writer.write_record([trust.metric, &ahead, &behind, &sensitivity, verdict])?;
        }
    }
    let bytes = writer.into_inner().map_err(|problem| csv::Error::from(problem.into_error()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn table(problem: impl std::fmt::Display) -> WriteError {
    WriteError::Table(problem.to_string())
}
