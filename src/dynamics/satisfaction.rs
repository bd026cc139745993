//! User satisfaction: a moving average of responses.
//!
//! `s <- s + memory (y - s)`, starting at the scenario's acceptance level, which is neutral: a user who is served like
//! by random slates stays there.

use super::Step;
use crate::params::{Key, number};

/// The weight of the latest response in the average.
pub(super) const MEMORY: Key =
    number("memory", "share of the satisfaction that one response replaces; near 0 it changes slowly", (0.0, 1.0), 0.2);

/// The satisfaction state of a dynamic; it uses one number of a user's row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Satisfaction {
    /// See [`MEMORY`].
    pub memory: f32,
    /// The acceptance level.
    pub reference: f32,
}

impl Satisfaction {
    /// The number at the start.
    pub fn start(&self, value: &mut f32) {
        *value = self.reference;
    }

    /// Updates the average with a response.
    pub fn update(&self, step: &Step<'_>, value: &mut f32) {
        *value += self.memory * (f32::from(u8::from(step.accepted.is_some())) - *value);
    }

    /// The satisfaction relative to random slates, from -1 to 1.
    pub fn surplus(&self, value: f32) -> f64 {
        f64::from(value - self.reference)
    }
}
