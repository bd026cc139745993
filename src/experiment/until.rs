//! Early stopping at a requested precision.
//!
//! Rules are `ci<0.5%` and `METRIC ci<0.01`. After every replication the run computes the confidence sequence of each
//! policy's difference from the baseline, and ends when half the width of every one is below the number. Confidence
//! sequences stay valid under such looks ([`confidence_sequence_at`](super::confidence_sequence_at)); with a chance of
//! 95% those of all pairs of policies hold together. The tables of such a run have the same intervals. A rule asks for
//! precision and never for a result: it does not stop because a policy is ahead.

use super::manifest::{SequenceRecord, UntilRecord};
use super::prepare::{Experiment, ExperimentError};
use super::run::{Brakes, Outcome, RunOptions, TrialOutcome, finals_of};
use super::stats::{Family, differences, estimate, fewest_looks};
use crate::metrics::{Format, MetricError, MetricKind};
use crate::registry::Registry;
use crate::scenario::Scenario;

/// A rule that is invalid for the scenario.
#[derive(Debug, thiserror::Error)]
pub enum UntilError {
    /// The text is not a rule.
    #[error(
        "--until `{text}` is not a rule; write `ci<0.5%` for percentage points of the first metric, if it is a share, or \
         `METRIC ci<0.01` in the metric's own unit"
    )]
    Form {
        /// The given value.
        text: String,
    },
    /// The number is not a valid width.
    #[error("--until `{text}`: the width must be a number above 0")]
    Width {
        /// The given value.
        text: String,
    },
    /// The metric is not computed in this scenario.
    #[error("--until `{text}`: `{metric}` is not among the scenario's metrics ({known}); add it to `metrics`")]
    Metric {
        /// The given value.
        text: String,
        /// The metric of the rule.
        metric: String,
        /// Those of the scenario.
        known: String,
    },
    /// A percentage of a metric that is no share.
    #[error(
        "--until `{text}`: `{metric}` is not a share, so its differences have no percentage points; leave out the `%`"
    )]
    Percent {
        /// The given value.
        text: String,
        /// The metric of the rule.
        metric: String,
    },
    /// There is nothing to compare.
    #[error("--until needs two policies or more: it looks at their differences from the baseline")]
    OnePolicy,
    /// The rule cannot be met.
    #[error(
        "--until needs at least {fewest} replications to stop after with these policies, and `replications` allows {most}; it \
         is the most that will run, so set it to what you can afford"
    )]
    TooFew {
        /// Looks after which an interval is finite.
        fewest: u32,
        /// The scenario's value.
        most: u32,
    },
    /// A metric that does not exist.
    #[error(transparent)]
    Unknown(#[from] MetricError),
}

/// When to stop.
#[derive(Clone, Debug)]
pub struct Until {
    kind: &'static MetricKind,
    /// The metric's index among the final values of a trial.
    metric: usize,
    /// In the unit of the metric.
    width: f64,
}

impl Until {
    /// Reads a rule for a scenario.
    ///
    /// # Errors
    /// When it is no rule, or invalid for the scenario.
    pub fn parse(text: &str, scenario: &Scenario, registry: &Registry) -> Result<Until, UntilError> {
        let (metric, width) = parts(text)?;
        let place = match metric {
            "" if scenario.metrics.is_empty() => None,
            "" => Some(0),
            _ => scenario.metrics.iter().position(|known| known == metric),
        };
        let kinds = registry.metrics_named(&scenario.metrics)?;
        let (text, metric) = (text.to_owned(), metric.to_owned());
        let Some((place, kind)) = place.and_then(|place| Some((place, *kinds.get(place)?))) else {
            return Err(UntilError::Metric { text, metric, known: scenario.metrics.join(", ") });
        };
        let (number, percent) = width.strip_suffix('%').map_or((width, false), |number| (number, true));
        if percent && !kind.format.is_percent() {
            return Err(UntilError::Percent { text, metric: kind.name.to_owned() });
        }
        let number = number.trim().parse().ok().filter(|number: &f64| number.is_finite() && *number > 0.0);
        let Some(number) = number else { return Err(UntilError::Width { text }) };
        if scenario.policies.len() < 2 {
            return Err(UntilError::OnePolicy);
        }
        let fewest = fewest_looks(Family::sequential(scenario.policies.len()).level());
        if scenario.replications < fewest {
            return Err(UntilError::TooFew { fewest, most: scenario.replications });
        }
        Ok(Until { kind, metric: place, width: if percent { number / 100.0 } else { number } })
    }

    /// The rule in full: its metric, and percentage points for a share.
    fn rule(&self) -> String {
        let scaled = self.width * self.kind.format.scale();
        // Removes the digits that scaling adds.
        let number = (scaled * 1e9).round() / 1e9;
        format!("{} ci<{number}{}", self.kind.name, if self.kind.format.is_percent() { "%" } else { "" })
    }

    /// The record before the run, with the maximum number of replications.
    pub(super) fn begun(&self, most: u32) -> UntilRecord {
        let (rule, reason) = (self.rule(), "the process ended".to_owned());
        UntilRecord { rule, met: false, reason, most, ran: 0, baseline: String::new(), sequences: Vec::new() }
    }

    fn is_met(&self, sequences: &[SequenceRecord]) -> bool {
        let is_narrow =
            |one: &SequenceRecord| one.low.zip(one.high).is_some_and(|(low, high)| high - low < 2.0 * self.width);
        !sequences.is_empty() && sequences.iter().all(is_narrow)
    }
}

/// The metric (may be empty) and the width as written.
fn parts(text: &str) -> Result<(&str, &str), UntilError> {
    let form = || UntilError::Form { text: text.to_owned() };
    let (left, width) = text.split_once('<').ok_or_else(form)?;
    let mut words = left.split_whitespace();
    match (words.next(), words.next(), words.next()) {
        (Some("ci"), None, None) => Ok(("", width.trim())),
        (Some(metric), Some("ci"), None) => Ok((metric, width.trim())),
        _ => Err(form()),
    }
}

impl Experiment {
    /// Like [`Experiment::run`], but one replication after the other, until `until` is met or the scenario's
    /// replications are done. The trials of a replication run concurrently; the end depends on their outputs alone.
    ///
    /// # Errors
    /// As [`Experiment::run`].
    pub fn run_until(&self, until: &Until, options: &RunOptions<'_>) -> Result<Outcome, ExperimentError> {
        self.until(until, self.scenario.replications, options, |replication, brakes| {
            self.run_trials(replication..replication + 1, options, brakes)
        })
    }

    /// Looks at one replication after the other; `trials_of` returns its trials, and there are `there` replications.
    pub(super) fn until(
        &self,
        until: &Until,
        there: u32,
        options: &RunOptions<'_>,
        mut trials_of: impl FnMut(u32, &Brakes<'_>) -> Vec<TrialOutcome>,
    ) -> Result<Outcome, ExperimentError> {
        let (most, brakes) = (self.scenario.replications, self.brakes(options));
        let (mut trials, mut ran, mut met) = (Vec::new(), 0, false);
        let mut looked = (String::new(), Vec::new());
        // Trials of a stopped run are taken over even if this run is stopped, too.
        let kept = options.stopped.map_or(0, |stopped| stopped.replications());
        while ran < there && !met && (ran < kept || !brakes.all()) && !brakes.every_policy_failed() {
            let next = trials_of(ran, &brakes);
            brakes.note(&next);
            trials.extend(next);
            ran += 1;
            if !brakes.all() {
                looked = self.look(until, &trials, &brakes);
                met = until.is_met(&looked.1);
            }
        }
        let mut outcome = self.gather(trials, ran, options)?;
        outcome.interrupted |= !met && ran < most && brakes.all();
        let reason = match (outcome.interrupted, met) {
            (true, _) => "interrupted",
            (false, true) => "every interval is as narrow as the rule asks",
            (false, false) => "the most replications ran before every interval was as narrow as the rule asks",
        };
        let (baseline, sequences) = looked;
        let (rule, reason) = (until.rule(), reason.to_owned());
        outcome.until = Some(UntilRecord { rule, met, reason, most, ran, baseline, sequences });
        Ok(outcome)
    }

    /// The baseline (or the first remaining policy, if it failed) and the sequences of the others.
    fn look(&self, until: &Until, trials: &[TrialOutcome], brakes: &Brakes<'_>) -> (String, Vec<SequenceRecord>) {
        let policies = &self.scenario.policies;
        let left: Vec<usize> = (0..policies.len()).filter(|&policy| !brakes.has_failed(policy)).collect();
        let is_baseline = |policy: &&usize| policies[**policy].name == self.scenario.baseline;
        let Some(&baseline) = left.iter().find(is_baseline).or(left.first()) else { return Default::default() };
        let others = left.iter().filter(|&&policy| policy != baseline);
        let other_finals = finals_of(trials, baseline, until.metric);
        let family = Family::sequential(left.len());
        let sequence = |&policy: &usize| {
            let sample = differences(&finals_of(trials, policy, until.metric), &other_finals);
            let interval = family.judge(&sample).interval;
            SequenceRecord {
                policy: policies[policy].name.clone(),
                difference: estimate(sample.into_iter().map(Some)).map(|found| found.mean),
                low: interval.map(|interval| interval.low),
                high: interval.map(|interval| interval.high),
            }
        };
        (policies[baseline].name.clone(), others.map(sequence).collect())
    }
}

impl UntilRecord {
    /// Why the run stopped, and the intervals at that point, as sentences.
    pub fn sentences(&self) -> Vec<String> {
        let name = self.rule.split(' ').next().unwrap_or_default();
        let format = crate::metrics::get(name).map_or(Format::Number { digits: 6 }, |kind| kind.format);
        let why =
            format!("Ran {} of at most {} replications until `{}`: {}.", self.ran, self.most, self.rule, self.reason);
        if self.sequences.is_empty() {
            return vec![why];
        }
        let unit = if format.is_percent() { " in percentage points" } else { "" };
        let write = |value: Option<f64>| format.difference(value);
        let interval = |one: &SequenceRecord| match one.low.and(one.high) {
            Some(_) => format!("{} {} [{}, {}]", one.policy, write(one.difference), write(one.low), write(one.high)),
            None => format!("{} {} (too few replications)", one.policy, write(one.difference)),
        };
        let intervals: Vec<String> = self.sequences.iter().map(interval).collect();
        let what = format!(
            "Differences from `{}` in {name}{unit} with 95% intervals that hold for all pairs of policies at once \
             although they were checked after every replication: {}. The verdicts on pairs use these intervals; \
             intervals of means and of single pairs assume a number of replications fixed in advance.",
            self.baseline,
            intervals.join("; ")
        );
        vec![why, what]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn scenario(settings: &str) -> Scenario {
        let text = format!(
            "ticks = 1\nslate = 2\nreplications = 9\nmetrics = [\"acceptance_rate\", \"gini\"]\n{settings}\n[data]\npath = \".\"\n\
             [user]\nkind = \"parametric\"\n[[policy]]\nkind = \"random\"\n[[policy]]\nkind = \"popular\"\n"
        );
        Scenario::parse(&text, Path::new("until.toml"), &Registry::builtin(), &[]).unwrap()
    }

    fn parse(text: &str) -> Result<Until, String> {
        Until::parse(text, &scenario(""), &Registry::builtin()).map_err(|problem| problem.to_string())
    }

    fn sequence(low: f64, high: f64) -> SequenceRecord {
        let policy = "popular".to_owned();
        SequenceRecord { policy, difference: Some((low + high) / 2.0), low: Some(low), high: Some(high) }
    }

    fn undefined() -> SequenceRecord {
        SequenceRecord { policy: "als".to_owned(), difference: None, low: None, high: None }
    }

    #[test]
    fn rules_and_their_metrics() {
        let share = parse("ci<0.5%").unwrap();
        assert_eq!((share.kind.name, share.metric, share.width), ("acceptance_rate", 0, 0.005));
        let number = parse(" gini  ci < 0.25 ").unwrap();
        assert_eq!((number.kind.name, number.metric, number.width), ("gini", 1, 0.25));
        assert_eq!(parse("acceptance_rate ci<0.005").unwrap().rule(), "acceptance_rate ci<0.5%");
        assert_eq!(number.rule(), "gini ci<0.25");
    }

    #[test]
    fn invalid_rules_are_refused() {
        for text in ["", "ci", "ci>1", "width<1", "gini<0.1", "a b ci<1"] {
            assert!(parse(text).unwrap_err().contains("is not a rule; write `ci<0.5%`"), "{text}");
        }
        for text in ["ci<", "ci<x", "ci<0", "ci<-1", "ci<inf", "ci<nan"] {
            assert!(parse(text).unwrap_err().contains("a number above 0"), "{text}");
        }
        assert!(parse("gini ci<1%").unwrap_err().contains("`gini` is not a share"));
        assert!(
            parse("coverage ci<1%").unwrap_err().contains("not among the scenario's metrics (acceptance_rate, gini)")
        );
        let few = Scenario { replications: 3, ..scenario("") };
        assert!(Until::parse("ci<1", &few, &Registry::builtin()).unwrap_err().to_string().contains("allows 3"));
        let mut one = scenario("");
        one.policies.truncate(1);
        assert!(matches!(Until::parse("ci<1", &one, &Registry::builtin()), Err(UntilError::OnePolicy)));
    }

    #[test]
    fn all_intervals_must_be_narrow() {
        let rule = parse("ci<0.25").unwrap();
        assert!(rule.is_met(&[sequence(0.0, 0.375), sequence(-0.125, 0.125)]));
        assert!(!rule.is_met(&[sequence(0.0, 0.5)]), "half of it is the number, not below it");
        assert!(!rule.is_met(&[sequence(0.0, 0.375), undefined()]));
        assert!(!rule.is_met(&[]), "nothing is left to compare");
    }

    #[test]
    fn a_record_in_words() {
        let record = UntilRecord {
            rule: "acceptance_rate ci<0.5%".to_owned(),
            met: true,
            reason: "every interval is as narrow as the rule asks".to_owned(),
            most: 30,
            ran: 7,
            baseline: "random".to_owned(),
            sequences: vec![sequence(0.0625, 0.0675), undefined()],
        };
        assert_eq!(
            record.sentences(),
            [
                "Ran 7 of at most 30 replications until `acceptance_rate ci<0.5%`: every interval is as narrow as the rule asks.",
                "Differences from `random` in acceptance_rate in percentage points with 95% intervals that hold for all pairs of \
                 policies at once although they were checked after every replication: popular +6.50 [+6.25, +6.75]; \
                 als – (too few replications). \
                 The verdicts on pairs use these intervals; intervals of means and of single pairs \
                 assume a number of replications fixed in advance.",
            ]
        );
    }
}
