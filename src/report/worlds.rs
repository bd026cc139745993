//! The sensitivity scenarios of a report.

use crate::experiment::{Trust, Verdict};
use serde::Serialize;

/// The view of a [`Trust`] for the template.
#[derive(Serialize)]
pub struct Worlds {
    sentences: Vec<String>,
    rows: Vec<WorldRow>,
    names: Vec<String>,
    claims: Vec<ClaimRow>,
}

#[derive(Serialize)]
struct WorldRow {
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

impl Worlds {
    pub fn new(trust: &Trust) -> Worlds {
        let row = |world: &crate::experiment::WorldOrder| WorldRow {
            name: world.name.clone(),
            tau: world.tau.map_or_else(|| "\u{2013}".to_owned(), |tau| super::svg::minus(&format!("{tau:.2}"))),
            flips: world.flips,
            order: order(trust, &world.means),
        };
        let claim = |claim: &crate::experiment::Claim| ClaimRow {
            claim: format!("{} ahead of {}", claim.ahead, claim.behind),
            cells: claim.verdicts.iter().map(|verdict| word(*verdict)).collect(),
        };
        Worlds {
            sentences: trust.sentences().into_iter().map(|sentence| sentence.replace('`', "")).collect(),
            rows: trust.worlds.iter().map(row).collect(),
            names: trust.worlds.iter().map(|world| world.name.clone()).collect(),
            claims: trust.claims.iter().map(claim).collect(),
        }
    }
}

/// The policies of a world, best first.
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
        Verdict::Turns => "turns round",
        Verdict::Unknown => "\u{2013}",
    }
}
