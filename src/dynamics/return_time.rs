//! `return_time`: content users come back sooner.
//!
//! The probability of coming is multiplied by `exp(strength (s - s0))`, the proportional-hazards form of return times
//! in Kapoor, Sun, Srivastava and Ye (2014), "A hazard based approach to user return time prediction"; `s` is the
//! satisfaction, a moving average of responses, and `s0` the scenario's acceptance level, the start value of every
//! user.

use super::satisfaction::{MEMORY, Satisfaction};
use super::{BuildDynamic, Dynamic, DynamicContext, DynamicError, Moment, Step};
use crate::ids::UserId;
use crate::params::parameters;

parameters! {
    /// content users come back sooner, by a proportional hazard (Kapoor et al. 2014)
    pub(super) struct ReturnTimeSpec = "return_time" {
        /// logarithm of the factor on the probability of coming for a satisfaction of 1 above the acceptance level; 0 =
        /// satisfaction has no effect
        #[range(0.0..=20.0)]
        strength: f64,
        #[key(MEMORY)]
        memory: f64,
    }
}

impl BuildDynamic for ReturnTimeSpec {
    fn build(self, context: &DynamicContext) -> Result<Box<dyn Dynamic>, DynamicError> {
        let (memory, reference) = (self.memory as f32, context.acceptance as f32);
        let satisfaction = Satisfaction { memory, reference };
        Ok(Box::new(ReturnTime { strength: self.strength, satisfaction }))
    }
}

struct ReturnTime {
    strength: f64,
    satisfaction: Satisfaction,
}

impl Dynamic for ReturnTime {
    /// The satisfaction.
    fn width(&self) -> usize {
        1
    }

    fn start(&self, _: UserId, state: &mut [f32]) {
        self.satisfaction.start(&mut state[0]);
    }

    fn arrival(&self, _: &Moment, _: UserId, state: &[f32]) -> f64 {
        libm::exp(self.strength * self.satisfaction.surplus(state[0]))
    }

    fn remember(&self, step: &Step<'_>, state: &mut [f32]) {
        self.satisfaction.update(step, &mut state[0]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dynamics::testing::{moment, step};

    #[test]
    fn factors_by_hand() {
        let satisfaction = Satisfaction { memory: 0.5, reference: 0.25 };
        let (returning, mut state) = (ReturnTime { strength: 2.0, satisfaction }, [0.0]);
        returning.start(UserId(0), &mut state);
        assert_eq!(returning.arrival(&moment(0), UserId(0), &state), 1.0);
        returning.remember(&step(0, 0, &[1], Some(1)), &mut state);
        assert_eq!(state[0], 0.625);
        assert_eq!(returning.arrival(&moment(1), UserId(0), &state), libm::exp(0.75));
        returning.remember(&step(1, 0, &[1], None), &mut state);
        assert_eq!(state[0], 0.3125);
    }
}
