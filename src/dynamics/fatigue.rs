//! `fatigue`: rejection that grows within a session.
//!
//! The logit of "reject all" rises by `strength` for each slate that the user has seen in this session; a new session
//! starts fresh. Ma, Liu and Shen (2016), "User fatigue in online news recommendation", found that click rates fall
//! with the number of impressions; a linear effect on the logit is the simplest form.

use super::{BuildDynamic, Dynamic, DynamicContext, DynamicError, Moment, Shown, Step};
use crate::ids::UserId;
use crate::params::parameters;

parameters! {
    /// every slate of a session makes rejecting the next one easier (Ma, Liu and Shen 2016)
    pub(super) struct FatigueSpec = "fatigue" {
        /// logits that "reject all" gains with each slate seen in the session; 0 = no fatigue
        #[range(0.0..=100.0)]
        strength: f64,
    }
}

impl BuildDynamic for FatigueSpec {
    fn build(self, _: &DynamicContext) -> Result<Box<dyn Dynamic>, DynamicError> {
        Ok(Box::new(Fatigue { strength: self.strength as f32 }))
    }
}

struct Fatigue {
    strength: f32,
}

impl Dynamic for Fatigue {
    /// Slates of this session.
    fn width(&self) -> usize {
        1
    }

    fn begin(&self, _: &Moment, _: UserId, state: &mut [f32]) {
        state[0] = 0.0;
    }

    fn shift(&self, _: &Shown<'_>, state: &[f32], logits: &mut [f32]) {
        if let Some(reject) = logits.last_mut() {
            *reject += self.strength * state[0];
        }
    }

    fn remember(&self, _: &Step<'_>, state: &mut [f32]) {
        state[0] += 1.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dynamics::testing::{moment, step};
    use crate::ids::ItemId;

    #[test]
    fn a_session_tires_and_the_next_one_begins_fresh() {
        let (fatigue, mut state) = (Fatigue { strength: 0.5 }, [0.0]);
        fatigue.remember(&step(0, 0, &[1], None), &mut state);
        fatigue.remember(&step(1, 0, &[1], Some(1)), &mut state);
        let items = [ItemId(1)];
        let shown = Shown { tick: 2, user: UserId(0), items: &items };
        let mut logits = [3.0, 1.0];
        fatigue.shift(&shown, &state, &mut logits);
        assert_eq!(logits, [3.0, 2.0]);
        fatigue.begin(&moment(9), UserId(0), &mut state);
        fatigue.shift(&shown, &state, &mut logits);
        assert_eq!(logits, [3.0, 2.0]);
    }
}
