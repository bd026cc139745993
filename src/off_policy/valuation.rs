//! An estimate, and the terms of its intervals.

/// The value of a policy by one estimator.
#[derive(Clone, Debug, PartialEq)]
pub struct Valuation {
    /// The estimate.
    pub value: f64,
    /// `[n]`: what each round contributes; their mean is the value.
    pub contributions: Vec<f64>,
    /// `[n]`: how far each round pulls the estimate, to first order; their mean is 0. It differs from
    /// `contributions - value` where weights are divided by their mean, because a round moves that mean as well.
    pub deviations: Vec<f64>,
}

impl Valuation {
    /// The mean of contributions, with these deviations; `None` without a round.
    pub(super) fn new(contributions: Vec<f64>, deviations: Vec<f64>) -> Option<Valuation> {
        Some(Valuation { value: mean(&contributions)?, contributions, deviations })
    }

    /// The mean of contributions that are independent of each other.
    pub(super) fn plain(contributions: Vec<f64>) -> Option<Valuation> {
        let value = mean(&contributions)?;
        let deviations = contributions.iter().map(|contribution| contribution - value).collect();
        Some(Valuation { value, contributions, deviations })
    }
}

/// `None` without values.
pub(super) fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The mean of weights as a divisor; `None` if it is 0 or there are no weights.
pub(super) fn mean_weight(weights: &[f64]) -> Option<f64> {
    mean(weights).filter(|&mean| mean > 0.0 && mean.is_finite())
}
