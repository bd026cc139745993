//! Off-policy evaluation from logged propensities.
//!
//! A log holds rounds: a context `x`, an action `a` drawn with probability `p(a|x)` by the policy of the log, and its
//! reward `r`. The *weight* of a round is `w = q(a|x) / p(a|x)` with the probability `q` of the target policy. Here a
//! round is one user at one tick, the action is a slate, and the reward is 1 when a slot of it was accepted.
//!
//! | name | estimate | source |
//! | --- | --- | --- |
//! | `ips` | `mean(w r)` | Horvitz and Thompson 1952; the whole slate is the action |
//! | `snips` | `sum(w r) / sum(w)` | Swaminathan and Joachims 2015 |
//! | `iips` | `mean(sum_k w_k r_k)`, `w_k` of the item in slot `k` alone | Li et al. 2018, item-position model |
//! | `rips` | the same with `w_k` of the slots down to `k` | McInerney et al. 2020, cascade model |
//! | `sniips`, `snrips` | these with the weights of each slot divided by their mean | McInerney et al. 2020 |
//! | `dm` | `mean(E_q f(x, .))` with a model `f` of the reward | Dudik, Langford and Li 2011 |
//! | `dr` | `mean(E_q f(x, .) + w (r - f(x, a)))` | Dudik, Langford and Li 2011 |
//! | `sndr` | `dr` with `w` divided by its mean | Thomas and Brunskill 2016; Kallus and Uehara 2019 |
//!
//! [`rounds`] and [`slates`] are these formulas over arrays, equal to the Python package obp 0.4.1 if it has them;
//! [`interval`] and [`Overlap`] report how far they can be trusted. [`evaluate()`] applies them to a trial of a run: it
//! repeats the trial with the target policy observing, and compares the estimates with the simulator's truth.
//!
//! Not here: estimators for long horizons. What is estimated is the reward of the target's slates in the situations that
//! the log's policy led to; where its own slates would have led is another question.

mod error;
mod evaluate;
pub mod interval;
#[cfg(test)]
mod laws;
mod overlap;
mod passenger;
mod replay;
mod reward_model;
mod ride;
pub mod rounds;
pub mod slates;
mod valuation;

pub use self::error::OffPolicyError;
pub use self::evaluate::{ESTIMATORS, Evaluation, Question, Row, evaluate};
pub use self::overlap::Overlap;
pub use self::reward_model::RewardModel;
pub use self::valuation::Valuation;
