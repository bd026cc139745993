//! `churn`: users who leave for good.
//!
//! At the end of a session the probability rises with dissatisfaction.
//!
//! The probability is `min(1, hazard exp(-sensitivity (s - s0)))`: proportional hazards, Cox (1972), "Regression models
//! and life-tables", over sessions, with the satisfaction `s` as covariate, and `s0` the scenario's acceptance level.
//! Wu, Wang, Hong and Shi (2017), "Returning is believing: optimizing long-term user engagement in recommender
//! systems", show that recommendations affect whether users return, and that a recommender should plan for it.

use super::satisfaction::{MEMORY, Satisfaction};
use super::{BuildDynamic, Dynamic, DynamicContext, DynamicError, Step};
use crate::ids::UserId;
use crate::params::parameters;

parameters! {
    /// discontented users leave for good, by a proportional hazard (Cox 1972; Wu et al. 2017)
    pub(super) struct ChurnSpec = "churn" {
        /// probability that a user of average satisfaction leaves at the end of a session; 0 = no user leaves
        #[range(0.0..=1.0)]
        hazard: f64,
        /// logarithm of the factor on the hazard for a satisfaction of 1 below the acceptance level
        #[range(0.0..=20.0)]
        sensitivity: f64 = 3.0,
        #[key(MEMORY)]
        memory: f64,
    }
}

impl BuildDynamic for ChurnSpec {
    fn build(self, context: &DynamicContext) -> Result<Box<dyn Dynamic>, DynamicError> {
        let (memory, reference) = (self.memory as f32, context.acceptance as f32);
        Ok(Box::new(Churn {
            hazard: self.hazard,
            sensitivity: self.sensitivity,
            satisfaction: Satisfaction { memory, reference },
        }))
    }
}

struct Churn {
    hazard: f64,
    sensitivity: f64,
    satisfaction: Satisfaction,
}

impl Dynamic for Churn {
    /// The satisfaction.
    fn width(&self) -> usize {
        1
    }

    fn start(&self, _: UserId, state: &mut [f32]) {
        self.satisfaction.start(&mut state[0]);
    }

    fn remember(&self, step: &Step<'_>, state: &mut [f32]) {
        self.satisfaction.update(step, &mut state[0]);
    }

    fn leaving(&self, _: &Step<'_>, state: &[f32]) -> f64 {
        (self.hazard * libm::exp(-self.sensitivity * self.satisfaction.surplus(state[0]))).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dynamics::testing::step;

    #[test]
    fn hazards_by_hand() {
        let satisfaction = Satisfaction { memory: 1.0, reference: 0.5 };
        let (churn, mut state) = (Churn { hazard: 0.25, sensitivity: 2.0, satisfaction }, [0.5]);
        let (good, bad) = (step(0, 0, &[1], Some(1)), step(0, 0, &[1], None));
        assert_eq!(churn.leaving(&good, &state), 0.25);
        churn.remember(&good, &mut state);
        assert_eq!(churn.leaving(&good, &state), 0.25 * libm::exp(-1.0));
        churn.remember(&bad, &mut state);
        assert_eq!(churn.leaving(&bad, &state), 0.25 * libm::exp(1.0));
        assert_eq!(Churn { hazard: 0.9, ..churn }.leaving(&bad, &state), 1.0);
    }
}
