//! Policy order in the simulator and on held-out interactions.
//!
//! Compares the order of policies in the simulator with their order on later interactions, like with like.
//!
//! **At the start, frozen.** Every policy shows one slate to every user of the log, before any response. Its simulated
//! value is the probability that the user model accepts something of it; its values on the log are precision, recall
//! and NDCG@10 against the user's interactions after the cut. Users, slates and moment are the same on both sides.
//!
//! **The effect of learning** is measured separately. In the simulator: acceptance at the first step and over the last
//! tenth of a run. On the log: the policy learns on the first half of each user's held-out interactions, in their
//! order, and is measured on the second half, beside the same policy without learning ([`LearnedPolicy`]).
//!
//! Correlations of orders have percentile intervals over resamples of users. Every pair of policies is judged on both
//! sides by simultaneous intervals over users and *agrees*, *disagrees*, or is *too close* on one side. All of it is
//! evidence on what users choose for themselves, not on their responses to what they are shown: [`SELF_SELECTED`].

mod agreement;
mod learning;
mod start;
mod table;

pub use self::agreement::{Agreement, PairJudgement, PairOrder};
pub use self::learning::{LearnedPolicy, Learning};
pub(crate) use self::start::blocked;
pub use self::start::{NDCG_DEPTH, StartPolicy, ndcg};

use crate::experiment::{Experiment, ExperimentError, RunOptions};
use crate::validate::Resamples;
use serde::Serialize;

pub use crate::validate::Figure as OrderFigure;

/// The limit of agreement with held-out interactions, as a sentence.
pub const SELF_SELECTED: &str = "both sides are self-selected: held-out interactions are what users chose for themselves, and so \
     is the log that the user model learned from; `recmirror validate` asks about items that users were shown";

/// The agreement of the orders of the simulator and of the log.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PolicyOrder {
    /// The scenario's name.
    pub scenario: String,
    /// Users with held-out interactions.
    pub users: usize,
    /// The policies at the start, in the order of the scenario.
    pub policies: Vec<StartPolicy>,
    /// The agreement of the order by simulated value with that by each measure of the log.
    pub agreements: Vec<Agreement>,
    /// Every pair of policies, by simulated value and NDCG@10.
    pub pairs: Vec<PairJudgement>,
    /// The effect of learning on both sides; `None` if no user has two held-out interactions.
    pub learning: Option<Learning>,
    /// The policies that are left out, with reasons.
    pub left_out: Vec<String>,
}

/// Compares the policies of a prepared experiment on both sides; runs the experiment for the effect of learning.
///
/// # Errors
/// When the user model or the run fails.
pub fn policy_order(experiment: &Experiment, options: &RunOptions<'_>) -> Result<PolicyOrder, ExperimentError> {
    let scenario = &experiment.scenario;
    let split = experiment.data.split_by(scenario.data.holdout, scenario.data.cut)?;
    let (starts, mut left_out) = start::starts(experiment, &split.held_out)?;
    let users = starts.first().map_or(0, |side| side.simulated.len());
    let resamples = Resamples::new(users, agreement::RESAMPLES, scenario.seed);
    let learning = learning::learn(experiment, &split.held_out, options, &mut left_out)?;
    Ok(PolicyOrder {
        scenario: scenario.name.clone(),
        users,
        policies: starts.iter().map(|side| side.figures(&resamples)).collect(),
        agreements: agreement::agreements(&starts, &resamples),
        pairs: agreement::pairs(&starts),
        learning,
        left_out,
    })
}
