//! Alignment on held-out impressions.
//!
//! Measures whether a user model predicts the response to shown items: held-out impressions.
//!
//! A *cell* is one item of a held-out list. The model answers each list from the user's history before it, under the
//! examination that its training estimated; `P` is the probability that it takes the item. It is compared with
//! contenders that know only lists before the cut: one constant, a constant by slot, popularity (interactions), and the
//! click rate of the item. Log losses compare what each contender predicts about the *differences* between cells: its
//! scores become probabilities by a line in the logits that is fitted on the other half of the users, so a contender
//! neither gains nor loses by its level. *As it is* uses the model's probability as a simulation does.
//!
//! The level is a separate figure: the temperature and the shift of "reject all" that fit all these lists best
//! ([`crate::user::fit_level`]).

mod asked;
mod cell_statistics;
mod contenders;

use self::asked::HeldOutLists;
use self::cell_statistics::{Resamples, auc, auc_of_list, by_score, calibration_error, log_loss, logit, recalibrated};
use self::contenders::{Contender, contenders};
use super::{AlignOptions, Figure};
use crate::dataset::{Dataset, LearningSplit};
use crate::ids::LogUserId;
use crate::user::{Accept, Examination, FittedLevel, ListResponse, ResponseRule, UserError, UserModel, fit_level};
use std::collections::BTreeMap;

pub(super) use self::contenders::{BY_SLOT, POPULARITY};

/// Measures of cells, as names of figures.
const LOSS: &str = "click log loss";
pub(super) const GAIN: &str = "click gain";
const AUC: &str = "click AUC";
const CALIBRATION: &str = "click calibration";
/// The list type of figures over all held-out lists.
pub(super) const LISTS: &str = "held-out lists";
/// The name of the model among the contenders.
const MODEL: &str = "model";

/// Figures of a user model on held-out impressions.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct ClickAlignment {
    /// Lists that the model answered.
    pub lists: usize,
    /// Items in them.
    pub cells: usize,
    /// Items taken.
    pub taken: usize,
    /// Lists from which something was taken.
    pub lists_taken: usize,
    /// The temperature that fits them best, together with `reject_shift`; `None` if something was taken from all lists
    /// or from none.
    pub temperature: Option<f64>,
    /// The shift of "reject all" after the temperature.
    pub reject_shift: Option<f64>,
    /// The examination probability of slots in the model's answers; empty if all slots are examined.
    pub looks: Vec<f32>,
}

/// The cells of held-out lists.
struct Cells {
    /// `[cells]`: the list of each.
    list: Vec<usize>,
    /// `[cells]`: the number of its user.
    user: Vec<usize>,
    taken: Vec<bool>,
    /// `[cells]`: the half of its user.
    half: Vec<bool>,
    users: usize,
}

impl Cells {
    fn new(held_out: &HeldOutLists<'_>) -> Cells {
        let mut numbers: BTreeMap<LogUserId, usize> = held_out.lists.iter().map(|list| (list.user, 0)).collect();
        numbers.values_mut().enumerate().for_each(|(number, of)| *of = number);
        let mut cells =
            Cells { list: Vec::new(), user: Vec::new(), taken: Vec::new(), half: Vec::new(), users: numbers.len() };
        for (place, list) in held_out.lists.iter().enumerate() {
            let user = numbers[&list.user];
            for &taken in list.taken {
                cells.list.push(place);
                cells.user.push(user);
                cells.taken.push(taken);
                cells.half.push(user.is_multiple_of(2));
            }
        }
        cells
    }

    /// The mean of a value over some cells, under weights by user.
    fn mean(&self, values: &[f64], keep: &[bool], weights: &[f64]) -> f64 {
        let (mut sum, mut total) = (0.0, 0.0);
        for (cell, value) in values.iter().enumerate().filter(|(cell, _)| keep[*cell]) {
            let weight = weights[self.user[cell]];
            sum += weight * value;
            total += weight;
        }
        sum / total
    }
}

/// Measures the model on the held-out lists; `None` if there are none.
///
/// # Errors
/// When the model fails.
pub(super) fn clicks(
    model: &dyn UserModel,
    data: &Dataset,
    split: &LearningSplit,
    options: AlignOptions,
) -> Result<Option<(ClickAlignment, Vec<Figure>)>, UserError> {
    if split.held_out.is_empty() {
        return Ok(None);
    }
    let held_out = HeldOutLists::new(data, split, options.scenes, options.seed);
    let looks = model.looks().to_vec();
    let examination = if looks.is_empty() { Examination::All } else { Examination::Position(looks.clone()) };
    let rule = ResponseRule { accept: Accept::Take, examination };
    let logits = held_out.logits(model)?;
    let cells = Cells::new(&held_out);
    let level = level(&held_out, &logits, &rule, |_| true);
    let own = answers(&held_out, &logits, &rule, &cells);
    let mut bench = Bench {
        held_out: &held_out,
        cells: &cells,
        resamples: Resamples::new(cells.users, options.seed),
        figures: Vec::new(),
    };
    bench.compare(&own, contenders(data, split, &held_out));
    let taken = cells.taken.iter().filter(|&&taken| taken).count();
    let found = ClickAlignment {
        lists: held_out.lists.len(),
        cells: cells.list.len(),
        taken,
        lists_taken: held_out.lists.iter().filter(|list| list.taken.contains(&true)).count(),
        temperature: level.map(|level| level.temperature),
        reject_shift: level.map(|level| level.reject_shift),
        looks,
    };
    Ok(Some((found, bench.figures)))
}

/// The level of some lists; `None` if they do not determine one.
fn level(
    held_out: &HeldOutLists<'_>,
    logits: &[Vec<f32>],
    rule: &ResponseRule,
    keep: impl Fn(usize) -> bool,
) -> Option<FittedLevel> {
    let lists = held_out.lists.iter().zip(logits).enumerate().filter(|(place, _)| keep(*place));
    let responses: Vec<ListResponse<'_>> =
        lists.map(|(_, (list, utilities))| ListResponse { utilities, slots: list.slots, taken: list.taken }).collect();
    fit_level(rule, &responses).ok()
}

/// The model's probabilities of each cell: unchanged, and with the level of the other half of the users.
struct Answers {
    plain: Vec<f64>,
    leveled: Option<Vec<f64>>,
}

fn answers(held_out: &HeldOutLists<'_>, logits: &[Vec<f32>], rule: &ResponseRule, cells: &Cells) -> Answers {
    let mut first_cell = vec![0; held_out.lists.len()];
    cells.list.iter().enumerate().rev().for_each(|(cell, &list)| first_cell[list] = cell);
    let half = |list: usize| cells.half[first_cell[list]];
    let levels = [true, false].map(|wanted| level(held_out, logits, rule, |list| half(list) == wanted));
    let chances = |of: &dyn Fn(usize) -> (f64, f64)| -> Vec<f64> {
        let lists = held_out.lists.iter().zip(logits).enumerate();
        lists
            .flat_map(|(place, (list, row))| {
                let (temperature, shift) = of(place);
                rule.chances(list.slots, row, temperature, shift)
            })
            .collect()
    };
    let leveled = levels[0].zip(levels[1]).map(|(of_first, of_second)| {
        chances(&|list| {
            let level = if half(list) { of_second } else { of_first };
            (level.temperature, level.reject_shift)
        })
    });
    Answers { plain: chances(&|_| (1.0, 0.0)), leveled }
}

struct Bench<'a> {
    held_out: &'a HeldOutLists<'a>,
    cells: &'a Cells,
    resamples: Resamples,
    figures: Vec<Figure>,
}

impl Bench<'_> {
    fn compare(&mut self, own: &Answers, others: Vec<Contender>) {
        let all = vec![true; self.cells.list.len()];
        let loss = |chances: &[f64]| -> Vec<f64> {
            chances.iter().zip(&self.cells.taken).map(|(&chance, &taken)| log_loss(chance, taken)).collect()
        };
        let plain = loss(&own.plain);
        let leveled = own.leveled.as_deref().map(loss);
        let scores: Vec<f64> = own.plain.iter().map(|&chance| logit(chance)).collect();
        let recalibrate = |scores: &[f64]| recalibrated(scores, &self.cells.taken, &self.cells.half);
        let model = loss(&recalibrate(&scores));
        let losses: Vec<(Contender, Vec<f64>)> = others
            .into_iter()
            .map(|other| {
                let found = loss(&recalibrate(&other.scores));
                (other, found)
            })
            .collect();
        self.mean(LOSS, "model, as it is", LISTS, &plain, &all);
        if let Some(leveled) = &leveled {
            self.mean(LOSS, "model, level and temperature of the other half", LISTS, leveled, &all);
        }
        self.mean(LOSS, MODEL, LISTS, &model, &all);
        for (other, found) in &losses {
            self.mean(LOSS, other.name, LISTS, found, &all);
        }
        for (other, found) in &losses {
            let gain: Vec<f64> = found.iter().zip(&model).map(|(other, own)| other - own).collect();
            self.mean(GAIN, &format!("model over {}", other.name), LISTS, &gain, &all);
            if other.name == contenders::BY_SLOT {
                self.groups(&gain);
            }
        }
        self.aucs(MODEL, &scores);
        for (other, _) in losses.iter().filter(|(other, _)| other.name != contenders::CONSTANT) {
            self.aucs(other.name, &other.scores);
        }
        let chances = own.leveled.as_ref().unwrap_or(&own.plain);
        self.calibration(chances);
    }

    /// Figures on cells of new users, and of items that were never shown or taken before.
    fn groups(&mut self, gain: &[f64]) {
        let new_user: Vec<bool> = self.cells.list.iter().map(|&list| self.held_out.is_new_user(list)).collect();
        let old_user: Vec<bool> = new_user.iter().map(|is_new| !is_new).collect();
        let who = format!("model over {}", contenders::BY_SLOT);
        for (list, keep) in [("users without a history", new_user), ("users with a history", old_user)] {
            if keep.contains(&true) && keep.contains(&false) {
                self.mean(GAIN, &who, list, gain, &keep);
            }
        }
    }

    fn aucs(&mut self, who: &str, scores: &[f64]) {
        let (cells, order) = (self.cells, by_score(scores));
        let found =
            self.resamples.interval(|weights| auc(&order, scores, &cells.taken, |cell| weights[cells.user[cell]]));
        self.push(AUC, who, LISTS, cells.list.len(), found);
        let lists: Vec<(usize, f64)> = self.auc_by_list(scores);
        if lists.is_empty() {
            return;
        }
        let within = self.resamples.interval(|weights| {
            let sums = lists
                .iter()
                .fold((0.0, 0.0), |sums, &(user, auc)| (sums.0 + weights[user] * auc, sums.1 + weights[user]));
            sums.0 / sums.1
        });
        self.push(AUC, who, "within lists", lists.len(), within);
    }

    /// The AUC of each list from which some but not all items were taken, with its user.
    fn auc_by_list(&self, scores: &[f64]) -> Vec<(usize, f64)> {
        let cells: Vec<usize> = (0..scores.len()).collect();
        let lists = cells.chunk_by(|&a, &b| self.cells.list[a] == self.cells.list[b]);
        lists
            .filter_map(|list| {
                let range = list[0]..list[list.len() - 1] + 1;
                auc_of_list(&scores[range.clone()], &self.cells.taken[range]).map(|auc| (self.cells.user[list[0]], auc))
            })
            .collect()
    }

    fn calibration(&mut self, chances: &[f64]) {
        let (cells, order) = (self.cells, by_score(chances));
        let found = self
            .resamples
            .interval(|weights| calibration_error(&order, chances, &cells.taken, |cell| weights[cells.user[cell]]));
        self.push(CALIBRATION, MODEL, LISTS, cells.list.len(), found);
    }

    fn mean(&mut self, measure: &'static str, who: &str, list: &'static str, values: &[f64], keep: &[bool]) {
        let found = self.resamples.interval(|weights| self.cells.mean(values, keep, weights));
        let count = keep.iter().filter(|&&keep| keep).count();
        self.push(measure, who, list, count, found);
    }

    fn push(&mut self, measure: &'static str, who: &str, list: &'static str, scenes: usize, found: [f64; 3]) {
        let [estimate, low, high] = found;
        self.figures.push(Figure { measure, who: who.to_owned(), list, scenes, estimate, low, high });
    }
}
