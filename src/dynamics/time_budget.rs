//! `time_budget`: a session ends when its time is used up.
//!
//! A session begins with `budget exp(spread z - spread^2 / 2)`, where `z` is standard normal and drawn for user and
//! tick, so the mean is `budget`. Looking at a slate takes `looking`, an accepted item `accepting`; the session ends
//! with the slate that uses up the rest. The consumable budget is that of RecSim: Ie, Hsu, Mladenov, Jain, Narvekar,
//! Wang, Wu and Boutilier (2019), "RecSim: a configurable simulation platform for recommender systems".

use super::{BuildDynamic, Dynamic, DynamicContext, DynamicError, Moment, Step};
use crate::ids::UserId;
use crate::params::parameters;
use crate::random::{Purpose, Streams, unit};

parameters! {
    /// looking and consuming use up the time of a session (Ie et al. 2019)
    pub(super) struct TimeBudgetSpec = "time_budget" {
        /// time that looking at one slate takes, in the unit of `budget`
        #[range(0.0..=1e6)]
        looking: f64,
        /// time that an accepted item takes, in the unit of `budget`
        #[range(0.0..=1e6)]
        accepting: f64,
        /// mean time of a session, in a unit of your choice
        #[range(1e-6..=1e6)]
        budget: f64 = 1.0,
        /// standard deviation of the logarithm of the time of a session; 0 = all sessions have the same
        #[range(0.0..=5.0)]
        spread: f64 = 0.0,
    }
}

impl BuildDynamic for TimeBudgetSpec {
    fn build(self, context: &DynamicContext) -> Result<Box<dyn Dynamic>, DynamicError> {
        Ok(Box::new(TimeBudget {
            looking: self.looking as f32,
            accepting: self.accepting as f32,
            budget: self.budget,
            spread: self.spread,
            streams: context.streams,
        }))
    }
}

struct TimeBudget {
    looking: f32,
    accepting: f32,
    budget: f64,
    spread: f64,
    streams: Streams,
}

impl TimeBudget {
    fn draw(&self, user: UserId, tick: u32) -> f64 {
        if self.spread == 0.0 {
            return self.budget;
        }
        let mut rng = self.streams.derive(Purpose::Budget, u64::from(user.0), tick);
        let (radius, angle) = (1.0 - unit(&mut rng), unit(&mut rng));
        // Box and Muller (1958).
        let normal = libm::sqrt(-2.0 * libm::log(radius)) * libm::cos(std::f64::consts::TAU * angle);
        self.budget * libm::exp(self.spread * normal - self.spread * self.spread / 2.0)
    }
}

impl Dynamic for TimeBudget {
    /// The remaining time of the session.
    fn width(&self) -> usize {
        1
    }

    fn begin(&self, moment: &Moment, user: UserId, state: &mut [f32]) {
        state[0] = self.draw(user, moment.tick) as f32;
    }

    fn remember(&self, step: &Step<'_>, state: &mut [f32]) {
        state[0] -= self.looking + if step.accepted.is_some() { self.accepting } else { 0.0 };
    }

    fn ends(&self, _: &Step<'_>, state: &[f32]) -> bool {
        self.looking + self.accepting > 0.0 && state[0] <= 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dynamics::testing::{moment, step};

    fn budget(spread: f64) -> TimeBudget {
        TimeBudget { looking: 0.125, accepting: 0.5, budget: 1.0, spread, streams: Streams::new(1, 0) }
    }

    #[test]
    fn time_by_hand() {
        let (budget, mut state) = (budget(0.0), [0.0]);
        budget.begin(&moment(0), UserId(0), &mut state);
        for (accepted, left, over) in
            [(Some(1), 0.375, false), (None, 0.25, false), (None, 0.125, false), (None, 0.0, true)]
        {
            let step = step(0, 0, &[1], accepted);
            budget.remember(&step, &mut state);
            assert_eq!((state[0], budget.ends(&step, &state)), (left, over));
        }
    }

    #[test]
    fn the_mean_does_not_depend_on_the_spread() {
        let budget = budget(0.5);
        let drawn: Vec<f64> = (0..20_000).map(|user| budget.draw(UserId(user), 3)).collect();
        let mean = drawn.iter().sum::<f64>() / drawn.len() as f64;
        // The standard error is 0.0038.
        assert!((mean - 1.0).abs() < 0.015, "{mean}");
        assert_eq!(drawn[7], budget.draw(UserId(7), 3));
        assert_ne!(drawn[7], budget.draw(UserId(7), 4));
    }
}
