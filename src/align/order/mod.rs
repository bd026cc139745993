//! Policy order in the simulator and on held-out interactions.
//!
//! Policy order: whether policies are in the same order in the simulator as on what users really did later, like with like.
//!
//! **At the start, frozen.** Every policy shows one slate to every user of the log, before any response. The simulator values it
//! by the probability that the user model accepts something of it; the log by precision, recall and NDCG@10 of what the user had
//! after the cut. Users, slates and moment are the same on both sides.
//!
//! **What learning adds**, apart. In the simulator: acceptance at the first step and over the last tenth of a run. On the log: the
//! policy learns on the first half of each user's held-out interactions, in their order, and is measured on the second half, beside
//! the same policy that learned nothing ([`LearnedPolicy`]).
//!
//! Correlations of orders come with percentile intervals over resamples of users; every pair of policies is judged on both sides by
//! simultaneous intervals over users and *agrees*, *disagrees*, or is *too close* on one side. All of it is evidence on what
//! users choose for themselves, not on what they make of what they are shown: [`SELF_SELECTED`].

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

/// The evidence in agreement with held-out interactions.
pub const SELF_SELECTED: &str = "both sides are self-selected: held-out interactions are what users chose for themselves, and so \
     is the log that the user model learned from; `recmirror validate` asks about items that users were shown";

/// How far the orders of the simulator and of the log agree.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PolicyOrder {
    /// The scenario's name.
    pub scenario: String,
    /// Users with held-out interactions.
    pub users: usize,
    /// The policies at the start, in the order of the scenario.
    pub policies: Vec<StartPolicy>,
    /// How the order by simulated value agrees with that by each measure of the log.
    pub agreements: Vec<Agreement>,
    /// Every pair of policies, by simulated value and NDCG@10.
    pub pairs: Vec<PairJudgement>,
    /// What learning adds on both sides; `None` where no user has two held-out interactions.
    pub learning: Option<Learning>,
    /// The policies that are left out, and why.
    pub left_out: Vec<String>,
}

/// Compares the policies of a prepared experiment on both sides; runs the experiment for what learning adds.
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
