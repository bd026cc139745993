//! The tables of a run's folder.
//!
//! `NAME.csv`, and with the same numbers `tables/NAME.json` and `tables/NAME.parquet` (see
//! [`super::files`]).
//!
//! | table | a row |
//! | --- | --- |
//! | `ticks` | a metric at a tick of a policy in a replication |
//! | `series` | a metric of a policy at a tick, over replications |
//! | `finals` | a metric over the whole run of a policy in a replication |
//! | `summary` | a metric of a policy over the whole run, over replications |
//! | `compare` | a policy's difference from the baseline, paired |
//! | `pairs` | a policy against another, paired |
//! | `curves` | a point of a metric's curve, over replications |
//! | `policies` | a policy, and its name in a form that other programs take |

use super::files::{table_row, write_tables};
use super::policy_keys::keys;
use super::{CompareRow, PairRow, Results, ResultsError, SummaryRow};
use serde::Serialize;
use std::path::Path;

table_row!(SummaryRow {
    policy: Text,
    metric: Text,
    mean: Number,
    ci_low: Number,
    ci_high: Number,
    replications: Whole,
});
table_row!(CompareRow {
    policy: Text,
    baseline: Text,
    metric: Text,
    difference: Number,
    ci_low: Number,
    ci_high: Number,
    p_adjusted: Number,
    relative_percent: Number,
    replications: Whole,
});
table_row!(PairRow {
    metric: Text,
    policy_a: Text,
    policy_b: Text,
    difference: Number,
    low: Number,
    high: Number,
    p_adjusted: Number,
    users_low: Number,
    users_high: Number,
    t_low: Number,
    t_high: Number,
    bootstrap_low: Number,
    bootstrap_high: Number,
    p_permutation: Number,
    variance_reduction: Number,
    replications: Whole,
    replications_needed: Whole,
});

/// A row of `policies`.
#[derive(Serialize)]
struct PolicyRow {
    policy: String,
    /// Its name for places with a restricted character set, such as keys of MLflow.
    key: String,
}

table_row!(PolicyRow { policy: Text, key: Text });

impl Results {
    /// Writes all tables into an existing folder; `pairs` are the rows of [`Results::pairs`].
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, folder: &Path, pairs: &[PairRow]) -> Result<(), ResultsError> {
        write_tables(folder, "ticks", &self.tick_rows())?;
        write_tables(folder, "series", &self.series_rows())?;
        write_tables(folder, "finals", &self.final_rows())?;
        write_tables(folder, "summary", &self.summary())?;
        write_tables(folder, "compare", &self.compare())?;
        write_tables(folder, "pairs", pairs)?;
        write_tables(folder, "curves", &self.curve_rows())?;
        let keys = keys(self.policies.iter().map(String::as_str));
        let row = |(policy, key): (&String, String)| PolicyRow { policy: policy.clone(), key };
        write_tables(folder, "policies", &self.policies.iter().zip(keys).map(row).collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{results, small};
    use crate::random::Streams;
    use std::fs::read_to_string;

    #[test]
    fn tables_with_empty_fields_where_undefined() {
        let folder = tempfile::tempdir().unwrap();
        small().write(folder.path(), &[]).unwrap();
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
        small().write(folder.path(), &small().pairs(&Streams::new(7, 0))).unwrap();
        let text = read_to_string(folder.path().join("pairs.csv")).unwrap();
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
        assert_eq!(lines[0].last(), Some(&"replications_needed"));
        assert!(lines.iter().all(|fields| fields.len() == 17), "{text}");
        assert_eq!(lines[1][..3], ["acceptance_rate", "popular", "random"]);
        // Differences 0.10, 0.11 and 0.12: two of eight flips; one pair is judged as if alone.
        assert_eq!(lines[1][13], "0.25");
        assert_eq!(lines[1][4..6], lines[1][9..11]);
        // Both differences in mean rating are 0: no variance, and no number of replications shows it.
        assert_eq!(lines[2][3..], ["0.0", "0.0", "0.0", "1.0", "", "", "0.0", "0.0", "0.0", "0.0", "1.0", "", "2", ""]);
        small().write(folder.path(), &[]).unwrap();
        assert_eq!(read_to_string(folder.path().join("pairs.csv")).unwrap().lines().count(), 1);
    }

    #[test]
    fn one_policy_leaves_a_header_alone() {
        let folder = tempfile::tempdir().unwrap();
        results(&["gini"], "a,\"b", &[("a,\"b", &[&[Some(0.5)]])], 1).write(folder.path(), &[]).unwrap();
        assert_eq!(read_to_string(folder.path().join("compare.csv")).unwrap().lines().count(), 1);
        let summary = read_to_string(folder.path().join("summary.csv")).unwrap();
        assert!(summary.ends_with("\"a,\"\"b\",gini,0.5,,,1\n"), "{summary}");
    }

    #[test]
    fn a_missing_folder_is_named() {
        let error = small().write(std::path::Path::new("/nowhere/at/all"), &[]).unwrap_err().to_string();
        assert!(error.contains("/nowhere/at/all/ticks.csv"), "{error}");
    }
}
