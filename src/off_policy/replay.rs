//! The log of a trial as a target policy sees it.

use crate::ids::{ItemId, UserId};
use crate::policy::Chance;

/// Rounds of one trial or of several in a row: `n` of them, with `slots` slots each.
#[derive(Clone, Debug, Default)]
pub(super) struct Replay {
    /// `[n]`.
    pub users: Vec<UserId>,
    /// `[n, slots]`: what was shown.
    pub items: Vec<ItemId>,
    /// `[n]`: the accepted slot, or [`crate::log::REJECTED`].
    pub accepted: Vec<u8>,
    /// `[n, slots]`: how likely the log's policy showed it.
    pub logged: Vec<Chance>,
    /// `[n, slots]`: how likely the target would have.
    pub target: Vec<Chance>,
    /// `[n]`: slates that the target drew for the round.
    pub draws: Vec<u32>,
    /// `[sum of draws, slots]`: these slates.
    pub own: Vec<ItemId>,
    /// `[n]`: the user model's probability that something of them is accepted, the mean over the draws.
    pub truth: Vec<f64>,
}

impl Replay {
    /// Puts the rounds of another trial behind these.
    pub fn append(&mut self, mut other: Replay) {
        self.users.append(&mut other.users);
        self.items.append(&mut other.items);
        self.accepted.append(&mut other.accepted);
        self.logged.append(&mut other.logged);
        self.target.append(&mut other.target);
        self.draws.append(&mut other.draws);
        self.own.append(&mut other.own);
        self.truth.append(&mut other.truth);
    }

    /// Number of rounds.
    pub fn len(&self) -> usize {
        self.users.len()
    }

    /// The target's probability over that of the log's policy, `[n, slots]`; NaN where one of them is unknown.
    pub fn ratios(&self, chance: impl Fn(&Chance) -> f32) -> Vec<f64> {
        let pairs = self.target.iter().zip(&self.logged);
        pairs.map(|(target, logged)| f64::from(chance(target)) / f64::from(chance(logged))).collect()
    }

    /// 1 in the accepted slot and 0 elsewhere, `[n, slots]`.
    pub fn rewards(&self, slots: usize) -> Vec<f64> {
        let mut rewards = vec![0.0; self.len() * slots];
        for (row, &accepted) in rewards.chunks_mut(slots).zip(&self.accepted) {
            // `REJECTED` is beyond the longest slate.
            if let Some(reward) = row.get_mut(usize::from(accepted)) {
                *reward = 1.0;
            }
        }
        rewards
    }
}
