//! Finished runs side by side.
//!
//! Two policies are compared within each replication if both runs have the same setting and seed: replication `r` then
//! has the same users, arrivals and random numbers in both. Otherwise their means are compared as those of independent
//! samples (Welch). Runs with other data or another user model answer different questions and are refused. Runs with
//! another seed, horizon or other setting are compared, and the differences are listed ([`RunSetting`]).
//!
//! The values come from `finals.csv` in the runs' folders; its hash must be the one in the manifest.

mod needed;
mod setting;
mod text;

pub use self::needed::ToSee;
pub use self::setting::{Difference, RunSetting};

use super::manifest::{Manifest, ManifestError};
use super::results::files::table_row;
use super::stats::{Family, Interval, differences, estimate, paired};
use crate::files::FileError;
use crate::files::spreadsheet::from_cell;
use crate::metrics::MetricKind;
use crate::registry::Registry;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Runs that cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// A folder has no manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The scenario in a manifest cannot be read.
    #[error("{}: the scenario in it is not TOML: {problem}", path.display())]
    Scenario {
        /// The manifest.
        path: PathBuf,
        /// The problem.
        problem: String,
    },
    /// A run was stopped.
    #[error("the run in {} was interrupted and has no tables; run it again to its end", folder.display())]
    Interrupted {
        /// The run's folder.
        folder: PathBuf,
    },
    /// The values are missing or not readable.
    #[error("cannot read {}: {problem}; runs of older versions have no such file: run the scenario again", path.display())]
    FinalTable {
        /// The file.
        path: PathBuf,
        /// The reason.
        problem: String,
    },
    /// The values differ from those of the run.
    #[error(transparent)]
    File(#[from] FileError),
    /// A metric that this build does not have.
    #[error("{}: there is no metric `{metric}` in this version of recmirror", path.display())]
    Metric {
        /// The file.
        path: PathBuf,
        /// Its name.
        metric: String,
    },
    /// A folder given twice.
    #[error("the run in {} is named twice; name each run once", folder.display())]
    Twice {
        /// The run's folder.
        folder: PathBuf,
    },
    /// Runs that answer different questions.
    #[error("these runs cannot be compared:\n{}\n--anyway compares them as independent samples.", problems.join("\n"))]
    Incomparable {
        /// The differences, one sentence each.
        problems: Vec<String>,
    },
    /// No policy of the runs has the name of the baseline.
    #[error("there is no policy `{baseline}` in these runs; the policies are {known}")]
    Baseline {
        /// The baseline asked for.
        baseline: String,
        /// The content.
        known: String,
    },
}

/// The parts of a run's folder that a comparison needs.
#[derive(Clone, Debug)]
pub struct FinishedRun {
    /// Name of the folder.
    pub label: String,
    /// The folder.
    pub folder: PathBuf,
    /// The setting of its policies.
    pub setting: RunSetting,
    baseline: String,
    policies: Vec<String>,
    finals: Vec<FinalValue>,
    /// True if it might have stopped after each replication.
    looked: bool,
    /// All metrics of the registry, in the order of reports.
    known: Vec<&'static MetricKind>,
}

/// A row of `finals.csv`.
#[derive(Clone, Debug, Deserialize)]
struct FinalValue {
    policy: String,
    replication: u32,
    metric: String,
    value: Option<f64>,
}

impl FinishedRun {
    /// Reads the manifest and the values of a run.
    ///
    /// # Errors
    /// When `folder` is not that of a finished run.
    pub fn read(folder: &Path, registry: &Registry) -> Result<FinishedRun, CompareError> {
        let manifest = Manifest::read(folder)?;
        if manifest.status == "interrupted" {
            return Err(CompareError::Interrupted { folder: folder.to_owned() });
        }
        let scenario: toml::Table = manifest.scenario.parse().map_err(|problem: toml::de::Error| {
            CompareError::Scenario { path: folder.join("manifest.json"), problem: problem.to_string() }
        })?;
        let path = manifest.file(folder, "finals.csv")?;
        let finals = read_finals(&path)?;
        let unknown = finals.iter().find(|value| !registry.metrics().iter().any(|kind| kind.name == value.metric));
        if let Some(value) = unknown {
            return Err(CompareError::Metric { path, metric: value.metric.clone() });
        }
        let mut policies: Vec<String> = Vec::new();
        for trial in &manifest.trials {
            if !policies.contains(&trial.policy) {
                policies.push(trial.policy.clone());
            }
        }
        let wanted = scenario.get("baseline").and_then(toml::Value::as_str).unwrap_or_default().to_owned();
        let baseline = if policies.contains(&wanted) { wanted } else { policies.first().cloned().unwrap_or_default() };
        let name = folder.canonicalize().ok().and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
        Ok(FinishedRun {
            label: name.unwrap_or_else(|| folder.display().to_string()),
            folder: folder.to_owned(),
            setting: RunSetting::new(&manifest, &scenario),
            baseline,
            policies,
            finals,
            looked: manifest.until.is_some(),
            known: registry.metrics().to_vec(),
        })
    }
}

fn read_finals(path: &Path) -> Result<Vec<FinalValue>, CompareError> {
    let fail = |problem: csv::Error| CompareError::FinalTable { path: path.to_owned(), problem: problem.to_string() };
    let mut reader = csv::Reader::from_path(path).map_err(fail)?;
    let mut values = reader.deserialize().collect::<Result<Vec<FinalValue>, csv::Error>>().map_err(fail)?;
    for value in &mut values {
        value.policy = from_cell(&value.policy).to_owned();
    }
    Ok(values)
}

/// One row of a comparison: a policy of a run in a metric.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ComparisonRow {
    /// Name of the metric.
    pub metric: &'static str,
    /// Name of the run's folder.
    pub run: String,
    /// Name of the policy.
    pub policy: String,
    /// Mean over replications.
    pub mean: Option<f64>,
    /// Lower end of its 95% Student-t interval.
    pub ci_low: Option<f64>,
    /// Upper end.
    pub ci_high: Option<f64>,
    /// Replications in which it is defined.
    pub replications: usize,
    /// Mean difference from the baseline of the comparison.
    pub difference: Option<f64>,
    /// Lower end of its 95% interval, simultaneous over all pairs of policies in this metric.
    pub difference_low: Option<f64>,
    /// Upper end.
    pub difference_high: Option<f64>,
    /// Standard deviation of the differences within a replication; absent where they are not paired.
    pub difference_deviation: Option<f64>,
    /// `paired` by replication, `unpaired`, or empty where there is no difference.
    pub pairing: &'static str,
    /// Two-sided p value of "no difference", adjusted over the same pairs ([`Family`]).
    pub p_adjusted: Option<f64>,
}

table_row!(ComparisonRow {
    metric: Text,
    run: Text,
    policy: Text,
    mean: Number,
    ci_low: Number,
    ci_high: Number,
    replications: Whole,
    difference: Number,
    difference_low: Number,
    difference_high: Number,
    difference_deviation: Number,
    pairing: Text,
    p_adjusted: Number,
});

/// A policy of a run.
struct Entry<'a> {
    run: &'a FinishedRun,
    policy: &'a str,
}

impl Entry<'_> {
    /// The values of a metric by replication.
    fn values(&self, metric: &str) -> BTreeMap<u32, Option<f64>> {
        let own = self.run.finals.iter().filter(|value| value.policy == self.policy && value.metric == metric);
        own.map(|value| (value.replication, value.value)).collect()
    }
}

/// Several runs in one table.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// Differences between the runs that permit a comparison, one sentence each.
    pub warnings: Vec<String>,
    /// The metrics that any run has, in the order of reports.
    pub metrics: Vec<&'static MetricKind>,
    /// The policy of a run with which all are compared: run and policy.
    pub baseline: (String, String),
    /// Metric by metric, run by run.
    pub rows: Vec<ComparisonRow>,
}

impl Comparison {
    /// Compares all policies of some runs with one: `baseline` is `RUN/POLICY`, or `POLICY` of the first run that has
    /// it; `None` is the baseline of the first run. `anyway` also compares runs that answer different questions.
    ///
    /// # Errors
    /// When the runs answer different questions, or there is no such baseline.
    pub fn new(mut runs: Vec<FinishedRun>, baseline: Option<&str>, anyway: bool) -> Result<Comparison, CompareError> {
        label(&mut runs)?;
        let warnings = check(&runs, anyway)?;
        let entries: Vec<Entry<'_>> =
            runs.iter().flat_map(|run| run.policies.iter().map(move |policy| Entry { run, policy })).collect();
        let base = find(&entries, baseline)?;
        let has = |kind: &&MetricKind| runs.iter().any(|run| run.finals.iter().any(|value| value.metric == kind.name));
        let known = runs.first().map(|run| run.known.clone()).unwrap_or_default();
        let metrics: Vec<&'static MetricKind> = known.into_iter().filter(has).collect();
        let rows_of = |kind: &&'static MetricKind| -> Vec<ComparisonRow> {
            let family = family(kind.name, &entries);
            entries.iter().map(|entry| row(kind.name, entry, base, &family)).collect()
        };
        let rows = metrics.iter().flat_map(rows_of).collect();
        Ok(Comparison { warnings, metrics, baseline: (base.run.label.clone(), base.policy.to_owned()), rows })
    }
}

/// Makes the labels of the runs unique.
fn label(runs: &mut [FinishedRun]) -> Result<(), CompareError> {
    let mut folders = BTreeSet::new();
    for run in runs.iter() {
        let folder = run.folder.canonicalize().unwrap_or_else(|_| run.folder.clone());
        if !folders.insert(folder) {
            return Err(CompareError::Twice { folder: run.folder.clone() });
        }
    }
    let labels: Vec<String> = runs.iter().map(|run| run.label.clone()).collect();
    for run in runs.iter_mut().filter(|run| labels.iter().filter(|label| **label == run.label).count() > 1) {
        run.label = run.folder.display().to_string();
    }
    Ok(())
}

/// Sentences on the differences; an error if one forbids a comparison.
fn check(runs: &[FinishedRun], anyway: bool) -> Result<Vec<String>, CompareError> {
    let (mut warnings, mut problems) = (Vec::new(), Vec::new());
    let Some((first, others)) = runs.split_first() else { return Ok(warnings) };
    for other in others {
        for difference in first.setting.differences(&other.setting) {
            let sentence = difference.sentence(&first.label, &other.label);
            if difference.forbids { problems.push(sentence) } else { warnings.push(sentence) }
        }
    }
    if problems.is_empty() || anyway {
        problems.extend(warnings);
        return Ok(problems);
    }
    Err(CompareError::Incomparable { problems })
}

fn find<'a>(entries: &'a [Entry<'a>], baseline: Option<&str>) -> Result<&'a Entry<'a>, CompareError> {
    let is_it = |entry: &&Entry<'_>| match baseline {
        None => entry.policy == entry.run.baseline,
        Some(name) => entry.policy == name || format!("{}/{}", entry.run.label, entry.policy) == name,
    };
    entries.iter().find(is_it).ok_or_else(|| {
        let known = entries.iter().map(|entry| format!("`{}/{}`", entry.run.label, entry.policy));
        CompareError::Baseline {
            baseline: baseline.unwrap_or_default().to_owned(),
            known: known.collect::<Vec<_>>().join(", "),
        }
    })
}

/// The rule for all pairs of policies in a metric: as within a run if all had the same random numbers.
fn family(metric: &str, entries: &[Entry<'_>]) -> Family {
    if entries.iter().any(|entry| entry.run.looked) {
        return Family::sequential(entries.len());
    }
    let pairs = entries.len() * entries.len().saturating_sub(1) / 2;
    let are_paired = entries.windows(2).all(|two| two[0].run.setting.is_paired_with(&two[1].run.setting));
    let values: Vec<BTreeMap<u32, Option<f64>>> = entries.iter().map(|entry| entry.values(metric)).collect();
    let same = values.windows(2).all(|two| two[0].keys().eq(two[1].keys()));
    if !are_paired || !same {
        return Family::of_pairs(pairs);
    }
    Family::fixed(&values.iter().map(|values| values.values().copied().collect::<Vec<_>>()).collect::<Vec<_>>())
}

fn row(metric: &'static str, entry: &Entry<'_>, base: &Entry<'_>, family: &Family) -> ComparisonRow {
    let values = entry.values(metric);
    let found = estimate(values.values().copied());
    let interval = found.and_then(|found| found.interval);
    let is_base = std::ptr::eq(entry, base);
    let against = if is_base { None } else { Against::find((entry, &values), (base, &base.values(metric)), family) };
    let interval_of = |pick: fn(&Interval) -> f64| against.as_ref().and_then(|found| found.interval.as_ref().map(pick));
    ComparisonRow {
        metric,
        run: entry.run.label.clone(),
        policy: entry.policy.to_owned(),
        mean: found.map(|found| found.mean),
        ci_low: interval.map(|interval| interval.low),
        ci_high: interval.map(|interval| interval.high),
        replications: found.map_or(0, |found| found.used),
        difference: against.as_ref().map(|found| found.difference),
        difference_low: interval_of(|interval| interval.low),
        difference_high: interval_of(|interval| interval.high),
        difference_deviation: against.as_ref().and_then(|found| found.deviation),
        pairing: against.as_ref().map_or("", |found| found.pairing),
        p_adjusted: against.as_ref().and_then(|found| found.p_adjusted),
    }
}

/// A difference from the baseline.
struct Against {
    difference: f64,
    interval: Option<Interval>,
    deviation: Option<f64>,
    p_adjusted: Option<f64>,
    pairing: &'static str,
}

/// A policy of a run with its values by replication.
type Valued<'a> = (&'a Entry<'a>, &'a BTreeMap<u32, Option<f64>>);

impl Against {
    fn find((entry, values): Valued<'_>, (base, others): Valued<'_>, family: &Family) -> Option<Against> {
        if entry.run.setting.is_paired_with(&base.run.setting) {
            let shared: Vec<u32> = values.keys().copied().filter(|number| others.contains_key(number)).collect();
            let pick = |values: &BTreeMap<u32, Option<f64>>| -> Vec<Option<f64>> {
                shared.iter().map(|number| values.get(number).copied().flatten()).collect()
            };
            let (own, others) = (pick(values), pick(others));
            let difference = paired(&own, &others)?.difference;
            let judged = family.judge(&differences(&own, &others));
            return Some(Against {
                difference: difference.mean,
                interval: judged.interval,
                deviation: needed::deviation(&difference),
                p_adjusted: judged.p_value,
                pairing: "paired",
            });
        }
        let defined = |values: &BTreeMap<u32, Option<f64>>| values.values().flatten().copied().collect::<Vec<f64>>();
        let found = family.judge_unpaired(&defined(values), &defined(others))?;
        Some(Against {
            difference: found.difference,
            interval: found.interval,
            deviation: None,
            p_adjusted: found.p_value,
            pairing: "unpaired",
        })
    }
}

#[cfg(test)]
mod tests;
