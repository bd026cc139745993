//! Agreement of two orders of policies.
//!
//! Rank correlations over resamples of users, and a verdict on each pair.

use super::OrderFigure;
use super::start::Start;
use crate::experiment::{Family, kendall_tau};
use crate::validate::Resamples;
use serde::Serialize;

/// Resamples of the intervals.
pub(super) const RESAMPLES: usize = 1_000;
/// Above this number of users, quantiles do not change visibly.
const MANY: usize = 120;

/// The agreement of the order by simulated value with the order by a measure of the log.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Agreement {
    /// The measure of the log: `precision`, `recall` or `ndcg`.
    pub measure: &'static str,
    /// Spearman's rank correlation.
    pub spearman: OrderFigure,
    /// Kendall's tau-b.
    pub kendall: OrderFigure,
    /// Pairs that differ on both sides, in the same order.
    pub agree: usize,
    /// Pairs that differ on both sides, in opposite orders.
    pub disagree: usize,
    /// Pairs that do not differ on one side.
    pub too_close: usize,
}

/// The verdict of both sides on a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PairOrder {
    /// The two differ on both sides, in the same order.
    Agrees,
    /// The two differ on both sides, in opposite orders.
    Disagrees,
    /// One of the two intervals includes 0.
    TooClose,
}

/// Two policies on both sides: differences with simultaneous 95% intervals over users.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PairJudgement {
    /// A policy.
    pub first: String,
    /// Another.
    pub second: String,
    /// First minus second in simulated value.
    pub simulated: OrderFigure,
    /// First minus second in NDCG@10.
    pub ndcg: OrderFigure,
    /// The verdict.
    pub order: PairOrder,
}

fn weighted(values: &[f64], weights: &[f64]) -> f64 {
    let total: f64 = values.iter().zip(weights).map(|(value, weight)| value * weight).sum();
    total / weights.iter().sum::<f64>()
}

/// A measure of the log, and the function that returns a side's values.
type Measure = (&'static str, fn(&Start) -> &[f64]);

const MEASURES: [Measure; 3] =
    [("precision", |start| &start.precision), ("recall", |start| &start.recall), ("ndcg", |start| &start.ndcg)];

/// The agreement of the order by simulated value with each measure of the log.
pub(super) fn agreements(starts: &[Start], resamples: &Resamples) -> Vec<Agreement> {
    let agreement = |&(measure, values): &Measure| {
        let sides: Vec<Side<'_>> = starts.iter().map(|start| (&start.simulated[..], values(start))).collect();
        let orders: Vec<PairOrder> = judged(&sides).into_iter().map(|(_, _, order)| order).collect();
        let count = |order: PairOrder| orders.iter().filter(|found| **found == order).count();
        Agreement {
            measure,
            spearman: correlation(&sides, resamples, spearman),
            kendall: correlation(&sides, resamples, |a, b| kendall_tau(a, b).unwrap_or(f64::NAN)),
            agree: count(PairOrder::Agrees),
            disagree: count(PairOrder::Disagrees),
            too_close: count(PairOrder::TooClose),
        }
    };
    MEASURES.iter().map(agreement).collect()
}

/// Every pair, by simulated value and NDCG@10.
pub(super) fn pairs(starts: &[Start]) -> Vec<PairJudgement> {
    let sides: Vec<Side<'_>> = starts.iter().map(|start| (&start.simulated[..], &start.ndcg[..])).collect();
    let names = (0..starts.len()).flat_map(|a| (a + 1..starts.len()).map(move |b| (a, b)));
    let pair = |((a, b), (simulated, ndcg, order)): ((usize, usize), _)| PairJudgement {
        first: starts[a].policy.clone(),
        second: starts[b].policy.clone(),
        simulated,
        ndcg,
        order,
    };
    names.zip(judged(&sides)).map(pair).collect()
}

/// The values of a policy by user, in the simulator and on the log.
pub(super) type Side<'a> = (&'a [f64], &'a [f64]);

/// The correlation of the means of both sides over policies.
pub(super) fn correlation(
    sides: &[Side<'_>],
    resamples: &Resamples,
    of: impl Fn(&[f64], &[f64]) -> f64 + Sync,
) -> OrderFigure {
    resamples.figure(|weights| {
        let (left, right): (Vec<f64>, Vec<f64>) =
            sides.iter().map(|(left, right)| (weighted(left, weights), weighted(right, weights))).unzip();
        of(&left, &right)
    })
}

/// Every pair: both differences with simultaneous intervals, and the verdict.
pub(super) fn judged(sides: &[Side<'_>]) -> Vec<(OrderFigure, OrderFigure, PairOrder)> {
    let users = sides.first().map_or(0, |side| side.0.len());
    let family = Family::fixed(&vec![vec![Some(0.0); users.min(MANY)]; sides.len()]);
    let difference = |a: &[f64], b: &[f64]| {
        let sample: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
        let estimate = sample.iter().sum::<f64>() / sample.len() as f64;
        let reach = family.reach(&sample).unwrap_or(f64::NAN);
        OrderFigure { estimate, low: estimate - reach, high: estimate + reach }
    };
    let sign = |figure: &OrderFigure| i8::from(figure.low > 0.0) - i8::from(figure.high < 0.0);
    let mut found = Vec::new();
    for (place, a) in sides.iter().enumerate() {
        for b in &sides[place + 1..] {
            let (simulated, real) = (difference(a.0, b.0), difference(a.1, b.1));
            let order = match sign(&simulated) * sign(&real) {
                1 => PairOrder::Agrees,
                -1 => PairOrder::Disagrees,
                _ => PairOrder::TooClose,
            };
            found.push((simulated, real, order));
        }
    }
    found
}

/// The correlation of ranks, equal values at the middle of theirs; NaN if all values of a side are equal.
pub(super) fn spearman(left: &[f64], right: &[f64]) -> f64 {
    let ranks = |values: &[f64]| -> Vec<f64> {
        let rank = |value: &f64| {
            let below = values.iter().filter(|other| *other < value).count();
            let equal = values.iter().filter(|other| *other == value).count();
            below as f64 + (equal as f64 - 1.0) / 2.0
        };
        values.iter().map(rank).collect()
    };
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (left, right) = (ranks(left), ranks(right));
    let (a, b) = (mean(&left), mean(&right));
    let product =
        |x: &[f64], mx: f64, y: &[f64], my: f64| -> f64 { x.iter().zip(y).map(|(x, y)| (x - mx) * (y - my)).sum() };
    product(&left, a, &right, b) / (product(&left, a, &left, a) * product(&right, b, &right, b)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rank_correlations_by_hand() {
        assert_eq!(spearman(&[1.0, 2.0, 3.0], &[10.0, 20.0, 90.0]), 1.0);
        assert_eq!(spearman(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0]), -1.0);
        // Ranks 0, 1, 2, 3 and 1, 0, 3, 2: 1 - 6 x 4 / (4 x 15).
        assert!((spearman(&[1.0, 2.0, 3.0, 4.0], &[5.0, 4.0, 9.0, 8.0]) - 0.6).abs() < 1e-12);
        // Ranks 0, 1, 2 and 0.5, 0.5, 2: covariance 1.5, variances 2 and 1.5.
        assert!((spearman(&[1.0, 2.0, 3.0], &[1.0, 1.0, 2.0]) - 1.5 / 3f64.sqrt()).abs() < 1e-12);
        assert!(spearman(&[1.0, 2.0], &[1.0, 1.0]).is_nan() && spearman(&[], &[]).is_nan());
    }

    fn start(policy: &str, simulated: f64, ndcg: f64, spread: f64) -> Start {
        let around = |mean: f64| (0..40).map(|user| mean + spread * f64::from(user % 2) - spread / 2.0).collect();
        let flat: Vec<f64> = (0..40).map(|user| ndcg + spread * f64::from(user / 20) - spread / 2.0).collect();
        let (precision, recall) = (flat.clone(), flat.clone());
        Start { policy: policy.to_owned(), simulated: around(simulated), precision, recall, ndcg: flat }
    }

    #[test]
    fn pairs_agree_disagree_or_are_too_close() {
        let starts = [
            start("a", 0.5, 0.2, 0.01),
            start("b", 0.4, 0.3, 0.02),
            start("c", 0.1, 0.1, 0.03),
            start("d", 0.1001, 0.1, 0.04),
        ];
        let found = pairs(&starts);
        let orders: Vec<_> = found.iter().map(|pair| (pair.first.as_str(), pair.second.as_str(), pair.order)).collect();
        assert_eq!(
            orders,
            [
                ("a", "b", PairOrder::Disagrees),
                ("a", "c", PairOrder::Agrees),
                ("a", "d", PairOrder::Agrees),
                ("b", "c", PairOrder::Agrees),
                ("b", "d", PairOrder::Agrees),
                ("c", "d", PairOrder::TooClose),
            ]
        );
        assert!((found[0].simulated.estimate - 0.1).abs() < 1e-12 && (found[0].ndcg.estimate + 0.1).abs() < 1e-12);
        let agreement = &agreements(&starts, &Resamples::new(40, RESAMPLES, 1))[2];
        assert_eq!((agreement.agree, agreement.disagree, agreement.too_close), (4, 1, 1));
        assert_eq!(agreement.measure, "ndcg");
    }

    #[test]
    fn an_interval_is_as_wide_as_users_disagree() {
        let resamples = Resamples::new(20, RESAMPLES, 1);
        let (low, high, mixed) = ([0.1; 20], [0.2; 20], std::array::from_fn::<f64, 20, _>(|user| (user % 2) as f64));
        let sure = correlation(&[(&low, &low), (&high, &high)], &resamples, spearman);
        assert_eq!((sure.estimate, sure.low, sure.high), (1.0, 1.0, 1.0));
        let half = [0.5; 20];
        let unsure = correlation(&[(&half, &low), (&mixed, &high)], &resamples, spearman);
        assert_eq!((unsure.low, unsure.high), (-1.0, 1.0));
        assert!(Resamples::new(1, RESAMPLES, 1).mean_of_users(&[0.5]).low.is_nan());
    }
}
