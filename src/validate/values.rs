//! Values of policies on lists that were shown, observed and predicted.

use super::ValidateError;
use super::cells::Cells;
use super::measures::{Figure, Resamples};
use crate::experiment::{Experiment, kendall_tau};
use crate::ids::{ItemId, LogUserId, simulated};
use crate::policy::{Blocked, Requests};
use crate::random::Streams;
use serde::Serialize;

/// Lists that a policy is asked about in one call.
const BATCH: usize = 256;

/// A policy on the lists.
#[derive(Clone, Debug, Serialize)]
pub struct PolicyValue {
    /// Its name.
    pub policy: String,
    /// The AUC of its scores for acceptance.
    pub auc: Figure,
    /// The share of its best items that users accepted.
    pub observed: Figure,
    /// The user model's value of the same items, without setting its level.
    pub predicted_before: f64,
    /// The same with its level set to that of the cells.
    pub predicted: f64,
}

/// The order of policies on both sides.
#[derive(Clone, Debug, Serialize)]
pub struct Ranking {
    /// Items of a list that count.
    pub best: usize,
    /// Lists that have more items than that.
    pub lists: usize,
    /// Their mean number of items.
    pub items: f64,
    /// The policies, the best observed first.
    pub policies: Vec<PolicyValue>,
    /// The model's own order of each list, which is no policy and in no pair: its prediction is too optimistic.
    pub own: PolicyValue,
    /// Pairs of policies whose observed values differ, their 95% interval without 0.
    pub pairs_told: usize,
    /// Pairs among them that the user model orders in the same way.
    pub pairs_right: usize,
    /// The others, the observed better one first.
    pub pairs_wrong: Vec<(String, String)>,
    /// Kendall's tau-b of both orders; `None` below two policies.
    pub kendall_tau: Option<f64>,
    /// Root mean square of predicted minus observed, as the model is.
    pub level_rmse_before: f64,
    /// The same with its level set.
    pub level_rmse: f64,
    /// The policies that cannot rank these lists, and why.
    pub left_out: Vec<String>,
}

/// A policy's best cells in each list: sums by user, observed and predicted twice.
struct Side {
    policy: String,
    auc: Figure,
    observed: Vec<(f64, f64)>,
    predicted: [f64; 2],
}

/// Asks all policies of the experiment's scenario; `None` where fewer than two can answer, or no list has more than `best` items.
pub(super) fn rank(
    experiment: &Experiment,
    cells: &Cells,
    chances: [&[f64]; 2],
    best: usize,
    resamples: &Resamples,
) -> Result<Option<Ranking>, ValidateError> {
    let lists = cells.list_ranges();
    let lists: Vec<_> = lists.into_iter().filter(|list| list.len() > best).collect();
    if lists.is_empty() {
        return Ok(None);
    }
    let (mut sides, mut left_out) = (Vec::new(), Vec::new());
    let own = Answers { ranks: chances[0].to_vec(), scores: chances[0].to_vec() };
    let own = side("(the model itself)", &own, cells, &lists, chances, best, resamples);
    for spec in &experiment.scenario.policies {
        match answers(experiment, &spec.name, cells, &lists) {
            Ok(answers) => sides.push(side(&spec.name, &answers, cells, &lists, chances, best, resamples)),
            Err(problem) => left_out.push(format!("{}: {problem}", spec.name)),
        }
    }
    Ok((!sides.is_empty()).then(|| ranking(&mut sides, &own, left_out, &lists, best, resamples)))
}

/// A policy's scores of the cells of the lists; NaN for other items.
struct Answers {
    /// Higher for higher ranks in the policy's order of its list.
    ranks: Vec<f64>,
    /// The policy's own scores.
    scores: Vec<f64>,
}

fn answers(
    experiment: &Experiment,
    policy: &str,
    cells: &Cells,
    lists: &[std::ops::Range<usize>],
) -> Result<Answers, String> {
    let mut policy = experiment.policy_for_log(policy).map_err(|problem| problem.to_string())?;
    let (items, words) = (experiment.data.items.len(), Requests::words(experiment.data.items.len()));
    let mut answers = Answers { ranks: vec![f64::NAN; cells.len()], scores: vec![f64::NAN; cells.len()] };
    // A request belongs to a user, who may have several lists: each list of a user goes into a separate call.
    let mut rounds: Vec<Vec<usize>> = Vec::new();
    let mut seen = vec![0usize; cells.users()];
    for (place, list) in lists.iter().enumerate() {
        let nth = &mut seen[cells.user_numbers()[list.start] as usize];
        if *nth == rounds.len() {
            rounds.push(Vec::new());
        }
        rounds[*nth].push(place);
        *nth += 1;
    }
    for places in rounds.iter_mut() {
        places.sort_by_key(|&place| cells.user_numbers()[lists[place].start]);
        for places in places.chunks(BATCH) {
            let users: Vec<LogUserId> =
                places.iter().map(|&place| cells.sources[cells.user_numbers()[lists[place].start] as usize]).collect();
            let mut blocked = vec![!0u64; places.len() * words];
            let mut slate = 0;
            for (row, &place) in places.iter().enumerate() {
                slate = slate.max(lists[place].len());
                for item in &cells.items()[lists[place].clone()] {
                    blocked[row * words + item.index() / 64] &= !(1 << (item.index() % 64));
                }
            }
            let streams = Streams::new(experiment.scenario.seed, 0);
            let requests = Requests {
                tick: 0,
                slate,
                items,
                users: &simulated(&users),
                blocked: Blocked::rows(&blocked, items),
                streams,
                oracle_access: None,
            };
            let slates = policy.slates(&requests).map_err(|failure| failure.problem)?;
            for (row, &place) in places.iter().enumerate() {
                let slots = row * slate..(row + 1) * slate;
                answers.place(cells.items(), lists[place].clone(), &slates.items[slots.clone()], &slates.scores[slots]);
            }
        }
    }
    // A policy without scores is taken by its order.
    let known = |cell: usize| !answers.ranks[cell].is_nan();
    if (0..cells.len()).any(|cell| known(cell) && answers.scores[cell].is_nan()) {
        answers.scores.clone_from(&answers.ranks);
    }
    Ok(answers)
}

impl Answers {
    fn place(&mut self, items: &[ItemId], list: std::ops::Range<usize>, shown: &[ItemId], scores: &[f32]) {
        for cell in list {
            let rank = shown.iter().position(|&item| item == items[cell]);
            self.ranks[cell] = -(rank.unwrap_or(shown.len()) as f64);
            self.scores[cell] = rank.map_or(f64::NEG_INFINITY, |rank| f64::from(scores[rank]));
        }
    }
}

fn side(
    policy: &str,
    answers: &Answers,
    cells: &Cells,
    lists: &[std::ops::Range<usize>],
    chances: [&[f64]; 2],
    best: usize,
    resamples: &Resamples,
) -> Side {
    let mut observed = vec![(0.0, 0.0); cells.users()];
    let (mut predicted, mut count) = ([0.0; 2], 0.0);
    for list in lists {
        let mut order: Vec<usize> = list.clone().collect();
        order.sort_by(|&a, &b| answers.ranks[b].total_cmp(&answers.ranks[a]).then(a.cmp(&b)));
        for &cell in &order[..best] {
            let sum = &mut observed[cells.user_numbers()[cell] as usize];
            *sum = (sum.0 + f64::from(u8::from(cells.accepted()[cell])), sum.1 + 1.0);
            predicted = [predicted[0] + chances[0][cell], predicted[1] + chances[1][cell]];
            count += 1.0;
        }
    }
    let known = answers.scores.iter().map(|score| if score.is_nan() { f64::NEG_INFINITY } else { *score });
    let known: Vec<f64> = known.collect();
    let auc = resamples.auc(&known, cells);
    Side { policy: policy.to_owned(), auc, observed, predicted: predicted.map(|sum| sum / count) }
}

fn ranking(
    sides: &mut [Side],
    own: &Side,
    left_out: Vec<String>,
    lists: &[std::ops::Range<usize>],
    best: usize,
    resamples: &Resamples,
) -> Ranking {
    let value = |of: &[(f64, f64)], weights: &[f64]| {
        let all = of.iter().zip(weights);
        let (sum, count) = all.fold((0.0, 0.0), |all, (one, weight)| (all.0 + weight * one.0, all.1 + weight * one.1));
        sum / count
    };
    let estimate = |side: &Side| side.observed.iter().fold((0.0, 0.0), |all, one| (all.0 + one.0, all.1 + one.1));
    let mean = |side: &Side| estimate(side).0 / estimate(side).1;
    sides.sort_by(|a, b| mean(b).total_cmp(&mean(a)));
    let (mut told, mut right, mut wrong) = (0, 0, Vec::new());
    for (place, better) in sides.iter().enumerate() {
        for worse in &sides[place + 1..] {
            let difference =
                resamples.figure(|weights| value(&better.observed, weights) - value(&worse.observed, weights));
            if difference.low > 0.0 {
                told += 1;
                if better.predicted[0] > worse.predicted[0] {
                    right += 1;
                } else {
                    wrong.push((better.policy.clone(), worse.policy.clone()));
                }
            }
        }
    }
    let observed: Vec<f64> = sides.iter().map(mean).collect();
    let predicted = |which: usize| sides.iter().map(|side| side.predicted[which]).collect::<Vec<f64>>();
    let rmse = |which: usize| {
        let squares = observed.iter().zip(predicted(which)).map(|(a, b)| (a - b) * (a - b));
        libm::sqrt(squares.sum::<f64>() / observed.len() as f64)
    };
    let told_of = |side: &Side| PolicyValue {
        policy: side.policy.clone(),
        auc: side.auc,
        observed: resamples.mean(&side.observed),
        predicted_before: side.predicted[0],
        predicted: side.predicted[1],
    };
    Ranking {
        best,
        lists: lists.len(),
        items: lists.iter().map(|list| list.len() as f64).sum::<f64>() / lists.len() as f64,
        own: told_of(own),
        policies: sides.iter().map(told_of).collect(),
        pairs_told: told,
        pairs_right: right,
        pairs_wrong: wrong,
        kendall_tau: kendall_tau(&observed, &predicted(0)),
        level_rmse_before: rmse(0),
        level_rmse: rmse(1),
        left_out,
    }
}
