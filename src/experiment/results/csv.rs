//! `ticks.csv`, `summary.csv`, `compare.csv` and `pairs.csv`. An undefined value is an empty field.

use super::{PairRow, Results, ResultsError};
use serde::Serialize;
use std::fs::File;
use std::io::Write;
use std::path::Path;

const TICKS: [&str; 5] = ["policy", "replication", "tick", "metric", "value"];
const SUMMARY: [&str; 6] = ["policy", "metric", "mean", "ci_low", "ci_high", "replications"];
const COMPARE: [&str; 9] =
    ["policy", "baseline", "metric", "difference", "ci_low", "ci_high", "p_value", "relative_percent", "replications"];
const PAIRS: [&str; 14] = [
    "metric",
    "policy_a",
    "policy_b",
    "difference",
    "t_low",
    "t_high",
    "bootstrap_low",
    "bootstrap_high",
    "p_permutation",
    "p_holm",
    "p_bh",
    "variance_reduction",
    "replications",
    "replications_needed",
];

/// Writes `pairs.csv` into an existing folder.
///
/// # Errors
/// When it cannot be written.
pub fn write_pairs(folder: &Path, rows: &[PairRow]) -> Result<(), ResultsError> {
    write_file(folder, "pairs.csv", |file| write_rows(file, &PAIRS, rows))
}

impl Results {
    /// Writes the first three tables into an existing folder.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write_csv(&self, folder: &Path) -> Result<(), ResultsError> {
        write_file(folder, "ticks.csv", |file| self.write_ticks(file))?;
        write_file(folder, "summary.csv", |file| write_rows(file, &SUMMARY, self.summary()))?;
        write_file(folder, "compare.csv", |file| write_rows(file, &COMPARE, self.compare()))
    }

    /// Every metric at every tick of every arm.
    fn write_ticks(&self, target: impl Write) -> Result<(), csv::Error> {
        let name = |metric: usize| self.metrics().get(metric).map(|kind| kind.name);
        let rows = self.arms().flat_map(|arm| {
            let row = move |value: &crate::metrics::TickValue| {
                (arm.policy.as_str(), arm.replication, value.tick, name(value.metric), value.value)
            };
            arm.ticks.iter().map(row)
        });
        write_rows(target, &TICKS, rows)
    }
}

fn write_file(
    folder: &Path,
    name: &str,
    write: impl FnOnce(File) -> Result<(), csv::Error>,
) -> Result<(), ResultsError> {
    let path = folder.join(name);
    File::create(&path).map_err(csv::Error::from).and_then(write).map_err(|source| ResultsError::Write { path, source })
}

/// The header is written by hand, so that a table without rows has one too.
fn write_rows<R: Serialize>(
    target: impl Write,
    header: &[&str],
    rows: impl IntoIterator<Item = R>,
) -> Result<(), csv::Error> {
    let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(target);
    writer.write_record(header)?;
    for row in rows {
        writer.serialize(row)?;
    }
    writer.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{results, small};
    use super::write_pairs;
    use crate::random::Streams;
    use std::fs::read_to_string;

    #[test]
    fn three_files_with_empty_fields_where_undefined() {
        let folder = tempfile::tempdir().unwrap();
        small().write_csv(folder.path()).unwrap();
        let ticks = read_to_string(folder.path().join("ticks.csv")).unwrap();
        let lines: Vec<&str> = ticks.lines().collect();
        assert_eq!(lines[..2], ["policy,replication,tick,metric,value", "random,0,0,acceptance_rate,0.05"]);
        assert!(lines.contains(&"popular,0,1,mean_rating,"));
        assert_eq!(lines.len(), 1 + 2 * 3 * 2 * 2);
        let summary = read_to_string(folder.path().join("summary.csv")).unwrap();
        assert!(summary.starts_with("policy,metric,mean,ci_low,ci_high,replications\nrandom,acceptance_rate,0.12"));
        let compare = read_to_string(folder.path().join("compare.csv")).unwrap();
        assert!(compare.contains("popular,random,mean_rating,0.0,0.0,0.0,1.0,0.0,2"), "{compare}");
    }

    #[test]
    fn pairs_have_a_column_for_each_figure() {
        let folder = tempfile::tempdir().unwrap();
        write_pairs(folder.path(), &small().pairs(&Streams::new(7, 0))).unwrap();
        let text = read_to_string(folder.path().join("pairs.csv")).unwrap();
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
        assert_eq!(lines[0].last(), Some(&"replications_needed"));
        assert!(lines.iter().all(|fields| fields.len() == 14), "{text}");
        assert_eq!(lines[1][..3], ["acceptance_rate", "popular", "random"]);
        // Differences 0.10, 0.11 and 0.12: two of eight flips, one pair.
        assert_eq!(lines[1][8..11], ["0.25", "0.25", "0.25"]);
        // Both differences in mean rating are 0: no variance, and nothing would show it.
        assert_eq!(lines[2][3..], ["0.0", "0.0", "0.0", "0.0", "0.0", "1.0", "1.0", "1.0", "", "2", ""]);
        write_pairs(folder.path(), &[]).unwrap();
        assert_eq!(read_to_string(folder.path().join("pairs.csv")).unwrap().lines().count(), 1);
    }

    #[test]
    fn one_policy_leaves_a_header_alone() {
        let folder = tempfile::tempdir().unwrap();
        results(&["gini"], "a,\"b", &[("a,\"b", &[&[Some(0.5)]])], 1).write_csv(folder.path()).unwrap();
        assert_eq!(read_to_string(folder.path().join("compare.csv")).unwrap().lines().count(), 1);
        let summary = read_to_string(folder.path().join("summary.csv")).unwrap();
        assert!(summary.ends_with("\"a,\"\"b\",gini,0.5,,,1\n"), "{summary}");
    }

    #[test]
    fn a_missing_folder_is_named() {
        let error = small().write_csv(std::path::Path::new("/nowhere/at/all")).unwrap_err().to_string();
        assert!(error.contains("/nowhere/at/all/ticks.csv"), "{error}");
    }
}
