//! Artefact audit of lists by user-free rules.
//!
//! Lists are built around the real item in one way or another, and a model that sees the whole list can learn how. If a
//! rule finds the real item far more often than chance, a list measures its builder and not the user. A rule picks the
//! item of highest score; equal scores share the pick.

use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;

/// A rule that exceeds chance by this gets a warning.
const MARGIN: f64 = 0.10;
/// The 97.5% quantile of the normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// How often one rule finds the real item in one kind of lists.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// How the lists were built.
    pub lists: String,
    /// The rule.
    pub rule: String,
    /// Lists.
    pub scenes: u64,
    /// The expected share of a uniform guess.
    pub chance: f64,
    /// The share of the rule.
    pub found: f64,
    /// Lower end of the 95% interval (Wilson, 1927).
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// True if the rule exceeds chance by 10 points, and chance is below the interval.
    pub warning: bool,
}

#[derive(Default)]
struct Sums {
    scenes: u64,
    /// The number of lists of each length.
    lengths: BTreeMap<usize, u64>,
    found: f64,
}

/// Collects the hits of rules.
#[derive(Default)]
pub struct Audit {
    sums: BTreeMap<(String, usize), Sums>,
    rules: Vec<String>,
}

impl Audit {
    /// Adds a rule's scores for one list, and the slot of the real item. NaN is the lowest.
    pub fn add(&mut self, lists: &str, rule: &str, scores: &[f64], real: usize) {
        let place = self.rules.iter().position(|known| known == rule).unwrap_or_else(|| {
            self.rules.push(rule.to_owned());
            self.rules.len() - 1
        });
        let sums = self.sums.entry((lists.to_owned(), place)).or_default();
        sums.scenes += 1;
        *sums.lengths.entry(scores.len()).or_default() += 1;
        sums.found += share(scores, real);
    }

    /// The findings by kind of list; rules in the order in which they were first added.
    pub fn findings(&self) -> Vec<Finding> {
        self.sums.iter().map(|((lists, rule), sums)| finding(lists, &self.rules[*rule], sums)).collect()
    }
}

/// The share of the real item among the items that the scores pick.
pub(crate) fn share(scores: &[f64], real: usize) -> f64 {
    let level = |score: f64| if score.is_nan() { f64::NEG_INFINITY } else { score };
    let best = scores.iter().map(|&score| level(score)).fold(f64::NEG_INFINITY, f64::max);
    if level(scores[real]) < best {
        return 0.0;
    }
    1.0 / scores.iter().filter(|&&score| level(score) == best).count() as f64
}

fn finding(lists: &str, rule: &str, sums: &Sums) -> Finding {
    let scenes = sums.scenes as f64;
    let guessed: f64 = sums.lengths.iter().map(|(&length, &count)| count as f64 / length as f64).sum();
    let (chance, found) = (guessed / scenes, sums.found / scenes);
    let (low, high) = wilson(found, scenes);
    let warning = found >= chance + MARGIN && low > chance;
    Finding { lists: lists.to_owned(), rule: rule.to_owned(), scenes: sums.scenes, chance, found, low, high, warning }
}

/// The score interval of a share over `count` trials: Wilson, "Probable Inference, the Law of Succession, and
/// Statistical Inference" (JASA 1927).
fn wilson(share: f64, count: f64) -> (f64, f64) {
    let middle = share + Z * Z / (2.0 * count);
    let reach = Z * (share * (1.0 - share) / count + Z * Z / (4.0 * count * count)).sqrt();
    let scale = 1.0 + Z * Z / count;
    (((middle - reach) / scale).max(0.0), ((middle + reach) / scale).min(1.0))
}

/// The findings as a table, and a line for each warning.
pub fn summary(file: &str, findings: &[Finding]) -> String {
    let mut text =
        format!("artefact audit of {file}: how often a rule that never looks at the user finds the real item\n");
    let _ =
        writeln!(text, "  {:<20} {:<24} {:>7} {:>8} {:>8}  95% interval", "lists", "rule", "scenes", "chance", "found");
    for of in findings {
        let percent = |share: f64| format!("{:.1}%", 100.0 * share);
        let mark = if of.warning { "  WARNING" } else { "" };
        let interval = format!("{} to {}", percent(of.low), percent(of.high));
        let (chance, found) = (percent(of.chance), percent(of.found));
        let _ = writeln!(
            text,
            "  {:<20} {:<24} {:>7} {chance:>8} {found:>8}  {interval}{mark}",
            of.lists, of.rule, of.scenes
        );
    }
    for of in findings.iter().filter(|of| of.warning) {
        let (found, above) = (100.0 * of.found, 100.0 * (of.found - of.chance));
        let _ = writeln!(
            text,
            "  warning: in {} lists the rule `{}` finds {found:.1}%, {above:.1} points above chance: a model that \
             sees the whole list can learn it instead of the user",
            of.lists, of.rule
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_scores_share_the_hit() {
        assert_eq!(share(&[1.0, 2.0, 2.0], 1), 0.5);
        assert_eq!(share(&[1.0, 2.0, 2.0], 0), 0.0);
        assert_eq!(share(&[f64::NAN, 0.0], 1), 1.0);
        assert_eq!(share(&[f64::NAN, f64::NAN], 1), 0.5);
        assert_eq!(share(&[f64::NEG_INFINITY, f64::NAN, 3.0], 0), 0.0);
    }

    #[test]
    fn a_rule_far_above_chance_is_warned_of() {
        let mut audit = Audit::default();
        for scene in 0..200 {
            let real = scene % 5;
            let mut scores = [0.0; 5];
            scores[if scene % 2 == 0 { real } else { (real + 1) % 5 }] = 1.0;
            audit.add("x", "half", &scores, real);
            audit.add("x", "first", &[5.0, 4.0, 3.0, 2.0, 1.0], real);
        }
        let findings = audit.findings();
        assert_eq!((findings[0].rule.as_str(), findings[0].found, findings[0].warning), ("half", 0.5, true));
        assert_eq!((findings[1].found, findings[1].chance, findings[1].warning), (0.2, 0.2, false));
        // 100 of 200: (0.5 + z^2/400 -+ z sqrt(0.25/200 + z^2/160000)) / (1 + z^2/200)
        assert!((findings[0].low - 0.431_36).abs() < 1e-4 && (findings[0].high - 0.568_64).abs() < 1e-4);
        insta::assert_snapshot!(summary("x_eval.jsonl", &findings), @r"
        artefact audit of x_eval.jsonl: how often a rule that never looks at the user finds the real item
          lists                rule                      scenes   chance    found  95% interval
          x                    half                         200    20.0%    50.0%  43.1% to 56.9%  WARNING
          x                    first                        200    20.0%    20.0%  15.0% to 26.1%
          warning: in x lists the rule `half` finds 50.0%, 30.0 points above chance: a model that sees the whole list can learn it instead of the user
        ");
    }
}
