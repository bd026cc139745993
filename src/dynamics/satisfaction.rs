//! User satisfaction: a moving average of responses.
//!
//! `s <- s + memory (y - s)`, starting at the scenario's acceptance level, which is also what is neither good nor bad:
//! a user who gets what random slates would give stays there.

use super::Step;
use crate::params::shared_key;

shared_key!(
    pub(super) memory_key = 0.2, "share of the satisfaction that one response replaces; near 0 it changes slowly", 0.0..=1.0
);

/// The part of a dynamic that follows satisfaction; it takes one number of a user's row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Satisfaction {
    /// How much of the average one response replaces.
    pub memory: f32,
    /// The acceptance level.
    pub reference: f32,
}

impl Satisfaction {
    /// The number at the start.
    pub fn start(&self, value: &mut f32) {
        *value = self.reference;
    }

    /// Takes in a response.
    pub fn update(&self, step: &Step<'_>, value: &mut f32) {
        *value += self.memory * (f32::from(u8::from(step.accepted.is_some())) - *value);
    }

    /// How much better than random slates the user was served, from -1 to 1.
    pub fn surplus(&self, value: f32) -> f64 {
        f64::from(value - self.reference)
    }
}
