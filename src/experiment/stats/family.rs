//! Simultaneous intervals and p values for all pairs.
//!
//! One verdict for each pair of policies: intervals and p values that hold for all pairs of a metric at once.
//!
//! Judging `m` pairs at 5% each finds a difference between equal policies in far more than 5% of runs. A [`Family`]
//! judges each pair by the number of policies and the kind of comparison, so that the chance of even one false
//! difference among all pairs is at most 5%. Interval and p value are two forms of the same verdict: the interval
//! excludes 0 if the p value is 0.05 or less.
//!
//! | how the policies were compared | judged by |
//! | --- | --- |
//! | two policies | Student's t |
//! | all of them in the same replications, whose number was fixed before | all-pairs comparison by the largest t of simulated equal policies (Tukey 1953), each pair with its own standard error |
//! | values are missing, or some are not paired | Student's t at `0.05 / m` (Bonferroni) |
//! | checked after every replication | the confidence sequence at `0.05 / m` |
//!
//! The largest t is that of independent policies with normal values. Policies that depend on each other or vary
//! differently leave fewer independent pairs, so their largest t is smaller: the verdict then errs towards no
//! difference (Hayter 1984, Annals of Statistics 12(1), for unequal variances). `benches/statistics.rs` measures the
//! error for other shapes.

use super::sequence::{confidence_sequence_at, evidence};
use super::unpaired::{Unpaired, unpaired_at};
use super::{Interval, is_constant, mean, standard_error, t_quantile};
use crate::random::{Purpose, Streams, unit};
use statrs::distribution::{ContinuousCDF, StudentsT};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The chance of one false difference or more among all pairs.
pub(super) const ALPHA: f64 = 0.05;

/// Simulated experiments; with the observed one they are 20,000.
const SIMULATIONS: u64 = 19_999;

/// The rule by which all pairs of some policies are judged together.
#[derive(Clone, Debug)]
pub struct Family {
    pairs: usize,
    rule: Rule,
}

#[derive(Clone, Debug)]
enum Rule {
    /// The largest absolute t of each simulated experiment, ascending.
    Largest(Arc<[f64]>),
    Bonferroni,
    Sequence,
}

/// The verdict on one pair.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judged {
    /// Simultaneous 95% interval of the mean difference; `None` if there is no verdict.
    pub interval: Option<Interval>,
    /// p value of "no difference", adjusted over all pairs; `None` if there is no verdict.
    pub p_value: Option<f64>,
}

impl Judged {
    const NOTHING: Judged = Judged { interval: None, p_value: None };
}

impl Family {
    /// The family of all pairs of policies with these values by replication, for a number of replications that was
    /// fixed before. Policies without any value do not count.
    ///
    /// ```
    /// use recmirror::experiment::Family;
    /// let values = [[Some(1.0), Some(2.0), Some(3.0)], [Some(0.0), Some(0.0), Some(0.0)]];
    /// let family = Family::fixed(&values);
    /// let judged = family.judge(&[1.0, 2.0, 3.0]);
    /// // Two policies are one pair: the t interval, 2 -+ 4.302653 / sqrt(3).
    /// assert!((judged.interval.unwrap().low + 0.484138).abs() < 1e-6);
    /// ```
    pub fn fixed<V: AsRef<[Option<f64>]>>(values: &[V]) -> Family {
        let is_there = |value: &Option<f64>| value.is_some_and(f64::is_finite);
        let taking_part: Vec<Vec<bool>> = values
            .iter()
            .map(|values| values.as_ref().iter().map(is_there).collect::<Vec<bool>>())
            .filter(|places| places.contains(&true))
            .collect();
        let policies = taking_part.len();
        let pairs = policies * policies.saturating_sub(1) / 2;
        let replications = taking_part.first().map_or(0, |places| places.iter().filter(|is_there| **is_there).count());
        let is_whole = taking_part.windows(2).all(|two| two[0] == two[1]);
        let rule = if is_whole && policies > 2 && replications > 1 {
            Rule::Largest(largest(policies, replications))
        } else {
            Rule::Bonferroni
        };
        Family { pairs, rule }
    }

    /// The family of this many pairs, each judged on its own at its share of 5%.
    pub fn of_pairs(pairs: usize) -> Family {
        Family { pairs, rule: Rule::Bonferroni }
    }

    /// The family of all pairs of `policies` for a look after every replication.
    pub fn sequential(policies: usize) -> Family {
        Family { pairs: policies * policies.saturating_sub(1) / 2, rule: Rule::Sequence }
    }

    /// Pairs that are judged.
    pub fn pairs(&self) -> usize {
        self.pairs
    }

    /// The level at which a pair would be judged on its own by the method of Bonferroni.
    pub fn level(&self) -> f64 {
        ALPHA / self.pairs.max(1) as f64
    }

    /// Judges a pair by its differences within replications.
    pub fn judge(&self, differences: &[f64]) -> Judged {
        let (Some(mean), Some(error)) = (mean(differences), standard_error(differences)) else {
            return Judged::NOTHING;
        };
        if is_constant(differences) {
            // Replications that do not vary are no evidence about the next one, unless the policies are equal in all.
            let same = Judged { interval: Some(Interval { low: mean, high: mean }), p_value: Some(1.0) };
            return if mean == 0.0 { same } else { Judged::NOTHING };
        }
        let freedom = differences.len() - 1;
        let t = (mean / error).abs();
        let around = |factor: f64| Interval { low: mean - factor * error, high: mean + factor * error };
        match &self.rule {
            Rule::Largest(largest) => Judged {
                interval: Some(around(critical(largest))),
                p_value: Some((1 + beyond(largest, t)) as f64 / (largest.len() + 1) as f64),
            },
            Rule::Bonferroni => Judged {
                interval: t_quantile(freedom as f64, self.level()).map(around),
                p_value: tail(freedom as f64, t).map(|p_value| (p_value * self.pairs.max(1) as f64).min(1.0)),
            },
            Rule::Sequence => Judged {
                interval: confidence_sequence_at(differences, self.level()),
                p_value: evidence(differences).map(|evidence| (self.pairs.max(1) as f64 / evidence).min(1.0)),
            },
        }
    }

    /// Half of the simultaneous interval of the mean of `sample`; `None` with fewer than two values.
    pub fn reach(&self, sample: &[f64]) -> Option<f64> {
        let error = standard_error(sample)?;
        let factor = match &self.rule {
            Rule::Largest(largest) => critical(largest),
            Rule::Bonferroni | Rule::Sequence => t_quantile((sample.len() - 1) as f64, self.level())?,
        };
        Some(factor * error)
    }

    /// Judges two policies whose replications are independent: Welch's t test at `0.05 / m`.
    pub fn judge_unpaired(&self, sample: &[f64], other: &[f64]) -> Option<Unpaired> {
        let found = unpaired_at(sample, other, self.level())?;
        let adjusted = found.p_value.map(|p_value| (p_value * self.pairs.max(1) as f64).min(1.0));
        Some(Unpaired { p_value: adjusted, ..found })
    }
}

/// Two-sided p value of Student's t.
fn tail(freedom: f64, t: f64) -> Option<f64> {
    Some((2.0 * StudentsT::new(0.0, 1.0, freedom).ok()?.sf(t)).min(1.0))
}

/// Simulations whose largest t is at least `t`.
fn beyond(largest: &[f64], t: f64) -> usize {
    largest.len() - largest.partition_point(|value| *value < t)
}

/// The t above which the p value is 5% or less.
fn critical(largest: &[f64]) -> f64 {
    let beyond = (ALPHA * (largest.len() + 1) as f64).floor() as usize;
    largest.get(largest.len().saturating_sub(beyond)).copied().unwrap_or(f64::INFINITY)
}

/// Tables of quantiles by policies and replications.
type Tables = BTreeMap<(usize, usize), Arc<[f64]>>;

/// Results of [`largest`], by its arguments.
static KNOWN: Mutex<Tables> = Mutex::new(BTreeMap::new());

/// The largest absolute paired t between any two of some equal policies, in each of many simulated experiments,
/// ascending. It depends on the two numbers alone, not on a seed: it serves as a table of quantiles.
fn largest(policies: usize, replications: usize) -> Arc<[f64]> {
    let key = (policies, replications);
    let lock = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = lock().get(&key) {
        return Arc::clone(known);
    }
    let mut found: Vec<f64> = (0..SIMULATIONS).map(|number| largest_t(policies, replications, number)).collect();
    found.sort_by(f64::total_cmp);
    let found: Arc<[f64]> = found.into();
    lock().insert(key, Arc::clone(&found));
    found
}

/// One simulated experiment: products of deviations from each policy's mean give the variance of every difference.
fn largest_t(policies: usize, replications: usize, number: u64) -> f64 {
    let mut rng = Streams::new(0, 0).derive(Purpose::EqualPolicies, number, 0);
    let mut values: Vec<f64> = (0..policies * replications).map(|_| normal(unit(&mut rng), unit(&mut rng))).collect();
    let count = replications as f64;
    let means: Vec<f64> = values
        .chunks_mut(replications)
        .map(|own| {
            let mean = own.iter().sum::<f64>() / count;
            own.iter_mut().for_each(|value| *value -= mean);
            mean
        })
        .collect();
    let rows: Vec<&[f64]> = values.chunks(replications).collect();
    let mut largest: f64 = 0.0;
    for (a, row) in rows.iter().enumerate() {
        for (b, other) in rows.iter().enumerate().skip(a + 1) {
            let squares: f64 = row.iter().zip(*other).map(|(x, y)| (x - y) * (x - y)).sum();
            let gap = means[a] - means[b];
            largest = largest.max(gap * gap * count * (count - 1.0) / squares);
        }
    }
    largest.sqrt()
}

/// A normal number by the method of Box and Muller, from two uniform numbers in `[0, 1)`.
fn normal(first: f64, second: f64) -> f64 {
    (-2.0 * libm::log(1.0 - first)).sqrt() * libm::cos(2.0 * std::f64::consts::PI * second)
}

#[cfg(test)]
mod tests {
    use super::super::student_t;
    use super::*;

    fn whole(policies: usize, replications: usize) -> Family {
        Family::fixed(&vec![vec![Some(1.0); replications]; policies])
    }

    #[test]
    fn two_policies_are_one_t_test() {
        let judged = whole(2, 3).judge(&[1.0, 2.0, 3.0]);
        let reach = student_t(2).unwrap() / 3.0_f64.sqrt();
        let interval = judged.interval.unwrap();
        assert!((interval.low - (2.0 - reach)).abs() < 1e-9 && (interval.high - (2.0 + reach)).abs() < 1e-9);
        // P(|T| > t) = 1 - t / sqrt(2 + t^2) for 2 degrees of freedom.
        let t = 2.0 * 3.0_f64.sqrt();
        assert!((judged.p_value.unwrap() - (1.0 - t / (2.0 + t * t).sqrt())).abs() < 1e-9);
    }

    #[test]
    fn the_table_lies_between_one_pair_and_bonferroni() {
        for (policies, replications) in [(3, 3), (3, 8), (5, 5), (4, 30)] {
            let found = critical(&largest(policies, replications));
            let level = ALPHA / (policies * (policies - 1) / 2) as f64;
            let bonferroni = t_quantile((replications - 1) as f64, level).unwrap();
            // The quantile of simulations may be off by a few hundredths.
            assert!(
                found > student_t(replications - 1).unwrap() && found < 1.05 * bonferroni,
                "{policies} {replications}: {found}"
            );
        }
        // Tukey's studentised range for three and many replications: q(0.05; 3, infinity) / sqrt(2) = 3.314 / 1.414.
        let found = critical(&largest(3, 120));
        assert!((found - 2.344).abs() < 0.06, "{found}");
    }

    #[test]
    fn the_interval_excludes_zero_where_the_p_value_is_small() {
        let families = [whole(4, 5), Family::of_pairs(6), Family::sequential(4)];
        for family in families {
            for shift in 0..400 {
                let differences = [1.0, 2.0, 3.0, 1.5, 2.5].map(|value| value - 2.0 + f64::from(shift) / 40.0);
                let judged = family.judge(&differences);
                let (Some(interval), Some(p_value)) = (judged.interval, judged.p_value) else { continue };
                assert_eq!(!interval.contains(0.0), p_value <= ALPHA, "{family:?} {shift} {p_value}");
            }
        }
    }

    #[test]
    fn missing_values_are_judged_one_by_one() {
        let some = vec![Some(1.0), Some(2.0), None];
        let family = Family::fixed(&[some, vec![Some(1.0); 3], vec![Some(3.0); 3], vec![None; 3]]);
        assert!(matches!(family.rule, Rule::Bonferroni) && family.pairs() == 3, "a policy without a value has no pair");
        let (alone, three) = (Family::of_pairs(1).judge(&[1.0, 2.0, 3.0]), family.judge(&[1.0, 2.0, 3.0]));
        assert!((three.p_value.unwrap() - 3.0 * alone.p_value.unwrap()).abs() < 1e-12);
    }

    #[test]
    fn constant_differences_have_no_verdict() {
        for family in [whole(3, 3), Family::of_pairs(3), Family::sequential(3)] {
            assert_eq!(family.judge(&[0.5; 4]), Judged::NOTHING);
            assert_eq!(family.judge(&[0.5]), Judged::NOTHING);
            let same = family.judge(&[0.0; 4]);
            assert_eq!((same.interval.unwrap().low, same.p_value), (0.0, Some(1.0)));
        }
    }
}
