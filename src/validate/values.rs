//! Values of policies on lists that were shown, observed and predicted.

use super::cells::Cells;
use super::measures::{Figure, Resamples};
use crate::experiment::{Experiment, kendall_tau};
use crate::ids::{ItemId, LogUserId, simulated};
use crate::policy::{Blocked, Requests};
use crate::random::Streams;
use serde::Serialize;
use std::ops::Range;

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

/// A policy's best cells in each list.
struct Side {
    policy: String,
    auc: Figure,
    best: Vec<usize>,
    /// Sum and number of what users accepted of them, by user.
    observed: Vec<(f64, f64)>,
}

/// Policies and what users did with their best items: the truth to which predictions are held.
pub(super) struct Contest<'a> {
    cells: &'a Cells,
    lists: Vec<Range<usize>>,
    best: usize,
    /// The best observed first.
    sides: Vec<Side>,
    /// Pairs of `sides` whose observed values differ, the better one first.
    separated: Vec<(usize, usize)>,
    left_out: Vec<String>,
}

/// How well predictions agree with a contest.
pub(super) struct Agreement {
    pub(super) right: usize,
    pub(super) wrong: Vec<(String, String)>,
    pub(super) kendall_tau: Option<f64>,
    pub(super) level_rmse: f64,
}

/// Asks all policies of the experiment's scenario; `None` where none can answer, or no list has more than `best` items.
pub(super) fn contest<'a>(
    experiment: &Experiment,
    cells: &'a Cells,
    best: usize,
    resamples: &Resamples,
) -> Option<Contest<'a>> {
    let lists: Vec<_> = cells.list_ranges().into_iter().filter(|list| list.len() > best).collect();
    if lists.is_empty() {
        return None;
    }
    let (mut sides, mut left_out) = (Vec::new(), Vec::new());
    for spec in &experiment.scenario.policies {
        match answers(experiment, &spec.name, cells, &lists) {
            Ok(answers) => sides.push(Side::new(&spec.name, &answers, cells, &lists, best, resamples)),
            Err(problem) => left_out.push(format!("{}: {problem}", spec.name)),
        }
    }
    sides.sort_by(|a, b| b.value().total_cmp(&a.value()));
    let separated = separated(&sides, resamples);
    (!sides.is_empty()).then_some(Contest { cells, lists, best, sides, separated, left_out })
}

/// A policy's scores of the cells of the lists; NaN for other items.
struct Answers {
    /// Higher for higher ranks in the policy's order of its list.
    ranks: Vec<f64>,
    /// The policy's own scores.
    scores: Vec<f64>,
}

fn answers(experiment: &Experiment, policy: &str, cells: &Cells, lists: &[Range<usize>]) -> Result<Answers, String> {
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
    /// The scores, with the lowest for cells without one.
    fn known_scores(&self) -> Vec<f64> {
        self.scores.iter().map(|&score| if score.is_nan() { f64::NEG_INFINITY } else { score }).collect()
    }

    fn place(&mut self, items: &[ItemId], list: Range<usize>, shown: &[ItemId], scores: &[f32]) {
        for cell in list {
            let rank = shown.iter().position(|&item| item == items[cell]);
            self.ranks[cell] = -(rank.unwrap_or(shown.len()) as f64);
            self.scores[cell] = rank.map_or(f64::NEG_INFINITY, |rank| f64::from(scores[rank]));
        }
    }
}

impl Side {
    fn new(
        policy: &str,
        answers: &Answers,
        cells: &Cells,
        lists: &[Range<usize>],
        best: usize,
        resamples: &Resamples,
    ) -> Side {
        let mut side = Side {
            policy: policy.to_owned(),
            auc: resamples.auc(&answers.known_scores(), cells),
            best: Vec::with_capacity(lists.len() * best),
            observed: vec![(0.0, 0.0); cells.users()],
        };
        for list in lists {
            let mut order: Vec<usize> = list.clone().collect();
            order.sort_by(|&a, &b| answers.ranks[b].total_cmp(&answers.ranks[a]).then(a.cmp(&b)));
            side.best.extend(&order[..best]);
        }
        for &cell in &side.best {
            let sum = &mut side.observed[cells.user_numbers()[cell] as usize];
            *sum = (sum.0 + f64::from(u8::from(cells.accepted()[cell])), sum.1 + 1.0);
        }
        side
    }

    /// The share of its best items that users accepted.
    fn value(&self) -> f64 {
        let (sum, count) = self.observed.iter().fold((0.0, 0.0), |all, one| (all.0 + one.0, all.1 + one.1));
        sum / count
    }

    /// The share of them that users accept if these are the chances of all cells.
    fn predicted(&self, chances: &[f64]) -> f64 {
        self.best.iter().map(|&cell| chances[cell]).sum::<f64>() / self.best.len() as f64
    }

    fn report(&self, chances: [&[f64]; 2], resamples: &Resamples) -> PolicyValue {
        PolicyValue {
            policy: self.policy.clone(),
            auc: self.auc,
            observed: resamples.mean(&self.observed),
            predicted_before: self.predicted(chances[0]),
            predicted: self.predicted(chances[1]),
        }
    }
}

/// The pairs whose difference has a 95% interval above 0.
fn separated(sides: &[Side], resamples: &Resamples) -> Vec<(usize, usize)> {
    let value = |of: &[(f64, f64)], weights: &[f64]| {
        let all = of.iter().zip(weights);
        let (sum, count) = all.fold((0.0, 0.0), |all, (one, weight)| (all.0 + weight * one.0, all.1 + weight * one.1));
        sum / count
    };
    let mut found = Vec::new();
    for (better, side) in sides.iter().enumerate() {
        for (worse, other) in sides.iter().enumerate().skip(better + 1) {
            let difference =
                resamples.figure(|weights| value(&side.observed, weights) - value(&other.observed, weights));
            if difference.low > 0.0 {
                found.push((better, worse));
            }
        }
    }
    found
}

impl Contest<'_> {
    /// Holds the chances of all cells to the contest.
    pub(super) fn agreement(&self, chances: &[f64]) -> Agreement {
        let observed: Vec<f64> = self.sides.iter().map(Side::value).collect();
        let predicted: Vec<f64> = self.sides.iter().map(|side| side.predicted(chances)).collect();
        let wrong = self.separated.iter().filter(|&&(better, worse)| predicted[better] <= predicted[worse]);
        let name = |side: usize| self.sides[side].policy.clone();
        let wrong: Vec<_> = wrong.map(|&(better, worse)| (name(better), name(worse))).collect();
        let squares = observed.iter().zip(&predicted).map(|(a, b)| (a - b) * (a - b));
        Agreement {
            right: self.separated.len() - wrong.len(),
            wrong,
            kendall_tau: kendall_tau(&observed, &predicted),
            level_rmse: libm::sqrt(squares.sum::<f64>() / observed.len() as f64),
        }
    }

    /// All figures of the model, from its chances as it is and with its level set.
    pub(super) fn ranking(&self, chances: [&[f64]; 2], resamples: &Resamples) -> Ranking {
        let own = Answers { ranks: chances[0].to_vec(), scores: chances[0].to_vec() };
        let own = Side::new("(the model itself)", &own, self.cells, &self.lists, self.best, resamples);
        let [before, set] = chances.map(|chances| self.agreement(chances));
        Ranking {
            best: self.best,
            lists: self.lists.len(),
            items: self.lists.iter().map(|list| list.len() as f64).sum::<f64>() / self.lists.len() as f64,
            own: own.report(chances, resamples),
            policies: self.sides.iter().map(|side| side.report(chances, resamples)).collect(),
            pairs_told: self.separated.len(),
            pairs_right: before.right,
            pairs_wrong: before.wrong,
            kendall_tau: before.kendall_tau,
            level_rmse_before: before.level_rmse,
            level_rmse: set.level_rmse,
            left_out: self.left_out.clone(),
        }
    }
}
