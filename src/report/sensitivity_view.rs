//! The sensitivity scenarios of a report.

use crate::experiment::{Trust, Verdict};
use serde::Serialize;

/// The view of a [`Trust`] for the template.
#[derive(Serialize)]
pub struct SensitivityView {
    sentences: Vec<String>,
    rows: Vec<ScenarioRow>,
    names: Vec<String>,
    claims: Vec<ClaimRow>,
}

#[derive(Serialize)]
struct ScenarioRow {
    name: String,
    tau: String,
    flips: usize,
    order: String,
}

#[derive(Serialize)]
struct ClaimRow {
    claim: String,
    cells: Vec<&'static str>,
}

impl SensitivityView {
    pub fn new(trust: &Trust) -> SensitivityView {
        let row = |sensitivity: &crate::experiment::ScenarioOrder| ScenarioRow {
            name: sensitivity.name.clone(),
            tau: sensitivity.tau.map_or_else(|| "\u{2013}".to_owned(), |tau| super::svg::minus(&format!("{tau:.2}"))),
            flips: sensitivity.flips,
            order: order(trust, &sensitivity.means),
        };
        let claim = |claim: &crate::experiment::Claim| ClaimRow {
            claim: format!("{} ahead of {}", claim.ahead, claim.behind),
            cells: claim.verdicts.iter().map(|verdict| word(*verdict)).collect(),
        };
        SensitivityView {
            sentences: trust.sentences().into_iter().map(|sentence| sentence.replace('`', "")).collect(),
            rows: trust.scenarios.iter().map(row).collect(),
            names: trust.scenarios.iter().map(|sensitivity| sensitivity.name.clone()).collect(),
            claims: trust.claims.iter().map(claim).collect(),
        }
    }
}

/// The policies of a sensitivity scenario, best first.
fn order(trust: &Trust, means: &[Option<f64>]) -> String {
    let known = trust.policies.iter().zip(means).filter_map(|(policy, mean)| Some((policy.as_str(), (*mean)?)));
    let mut known: Vec<(&str, f64)> = known.collect();
    known.sort_by(|a, b| if trust.lower_is_better { a.1.total_cmp(&b.1) } else { b.1.total_cmp(&a.1) });
    known.iter().map(|(policy, _)| *policy).collect::<Vec<_>>().join(", ")
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Holds => "holds",
        Verdict::Unsure => "unsure",
        Verdict::Reverses => "reverses",
        Verdict::Unknown => "\u{2013}",
    }
}
