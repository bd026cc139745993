//! From logits to probabilities of responses.
//!
//! Applies acceptance, temperature, level and examination.
//!
//! A log without exposures does not determine how often users accept what they are shown. The level is therefore a
//! parameter: the mean probability of accepting something from a slate of random candidates at the start. It fixes one
//! number, a shift of the "reject all" logit, which is the same for all users, policies and ticks. Impressions
//! determine it.

use super::response_rule::{Accept, Looks, ResponseRule};
use super::softmax::softmax;
use super::{RATINGS, Responses, UserError, UserModel};
use crate::log::{Decision, EventBatch};
use crate::scene::SceneBatch;
use rayon::prelude::*;
use std::sync::Arc;

/// Rows that one parallel task turns into probabilities.
const ROWS_PER_TASK: usize = 128;

/// A user model with its temperature and acceptance level.
#[derive(Clone)]
pub struct Calibrated {
    model: Arc<dyn UserModel>,
    temperature: f32,
    reject_shift: f32,
    rule: ResponseRule,
}

/// Adds to the logits `[slate + 1]` of one row of a batch.
pub type Shift<'a> = dyn Fn(usize, &mut [f32]) + Sync + 'a;

/// Response probabilities of a batch of scenes.
#[derive(Clone, Debug, Default)]
pub struct Probabilities {
    /// The model's logits; the choice part is overwritten by [`Probabilities::choice`].
    logits: Responses,
}

impl Probabilities {
    /// `[slate + 1]`: the probability of each slot, then of rejecting all.
    #[inline]
    pub fn choice(&self, row: usize) -> &[f32] {
        let width = self.logits.slate + 1;
        &self.logits.choice[row * width..(row + 1) * width]
    }

    /// Takes the probabilities from a log. It has the drawn rating without its probabilities, so that rating is
    /// certain.
    pub(crate) fn recall(&mut self, events: &EventBatch, decisions: Vec<Decision>) {
        let (rows, slate) = (events.len(), events.slate);
        self.logits.reset(rows, slate);
        self.logits.decisions = decisions;
        let shown = events.probabilities.chunks_exact(slate.max(1));
        for (row, (target, shown)) in self.logits.choice.chunks_exact_mut(slate + 1).zip(shown).enumerate() {
            target[..slate].copy_from_slice(shown);
            target[slate] = 1.0 - shown.iter().sum::<f32>();
            let slot = usize::from(events.accepted[row]);
            let (start, rating) = ((row * slate + slot) * RATINGS, events.ratings[row]);
            if slot < slate && rating >= 1.0 {
                let classes = &mut self.logits.rating[start..start + RATINGS];
                classes.fill(f32::NEG_INFINITY);
                classes[(rating as usize - 1).min(RATINGS - 1)] = 0.0;
            }
        }
    }

    /// `[n]`: the rationale of each user; empty if the model writes none.
    pub fn decisions(&self) -> &[Decision] {
        &self.logits.decisions
    }

    /// The probabilities of the ratings 1 to 5 for the item of one slot, if it is accepted; `None` after
    /// [`Calibrated::choices`] of a model that [rates apart](UserModel::rates_apart).
    pub fn rating(&self, row: usize, slot: usize) -> Option<[f32; RATINGS]> {
        let start = (row * self.logits.slate + slot) * RATINGS;
        let mut classes = [0.0; RATINGS];
        classes.copy_from_slice(self.logits.rating.get(start..start + RATINGS)?);
        softmax(&mut classes);
        Some(classes)
    }
}

impl Calibrated {
    /// The model without calibration: temperature 1, no shift.
    pub fn plain(model: Arc<dyn UserModel>) -> Calibrated {
        Calibrated::given(model, 1.0, 0.0, ResponseRule::default())
    }

    /// The model with a known rule, temperature and shift of "reject all".
    pub fn given(model: Arc<dyn UserModel>, temperature: f64, reject_shift: f64, rule: ResponseRule) -> Calibrated {
        Calibrated { model, temperature: temperature as f32, reject_shift: reject_shift as f32, rule }
    }

    /// Divides the choice logits by `temperature` and shifts "reject all" so that the mean probability of accepting
    /// something from the `probe` scenes is `acceptance`, under `rule`.
    ///
    /// # Errors
    /// When the model fails on the probe, returns a number that is not finite, or no shift reaches `acceptance`.
    pub fn fit(
        model: Arc<dyn UserModel>,
        rule: ResponseRule,
        temperature: f64,
        acceptance: f64,
        probe: &SceneBatch,
    ) -> Result<Calibrated, UserError> {
        let looks = rule.looks(probe.slate);
        let logits = utilities(model.as_ref(), &rule, probe)?;
        let rows = logits.chunks_exact(probe.slate + 1);
        let reject_shift = match looks {
            None => {
                let gaps: Vec<f64> = rows.map(|row| acceptance_gap(row, temperature)).collect();
                shift_for(acceptance, gaps.len(), |shift| gaps.iter().map(|gap| sigmoid(gap - shift)).sum())?
            }
            Some(looks) => {
                let rows: Vec<Vec<f32>> =
                    rows.map(|row| row.iter().map(|logit| logit / temperature as f32).collect()).collect();
                let mut found = vec![0.0; probe.slate];
                let mut sum = |shift: f64| rows.iter().map(|row| looks.accepted(row, shift, &mut found)).sum();
                shift_for(acceptance, rows.len(), &mut sum)?
            }
        };
        Ok(Calibrated::given(model, temperature, reject_shift, rule))
    }

    /// The mean probability of accepting something from the `probe` scenes; NaN without any.
    ///
    /// # Errors
    /// As [`Calibrated::probabilities`].
    pub fn level(&self, probe: &SceneBatch) -> Result<f64, UserError> {
        let mut found = Probabilities::default();
        self.choices(probe, None, &mut found)?;
        let sum: f64 = (0..probe.len()).map(|row| 1.0 - f64::from(found.choice(row)[probe.slate])).sum();
        Ok(sum / probe.len() as f64)
    }

    /// The meaning of accepting, and the examination of slots.
    pub fn rule(&self) -> &ResponseRule {
        &self.rule
    }

    /// The divisor of the utilities.
    pub fn temperature(&self) -> f32 {
        self.temperature
    }

    /// The wrapped model.
    pub fn model(&self) -> &dyn UserModel {
        self.model.as_ref()
    }

    /// The shift of the "reject all" logit after the temperature.
    pub fn reject_shift(&self) -> f32 {
        self.reject_shift
    }

    /// Computes the probabilities of choices and ratings for a batch of scenes.
    ///
    /// # Errors
    /// When the model fails or returns a number that is not finite.
    pub fn probabilities(&self, scenes: &SceneBatch, out: &mut Probabilities) -> Result<(), UserError> {
        self.model.respond(scenes, &mut out.logits)?;
        self.scale(scenes, None, &mut out.logits)
    }

    /// Computes the probabilities of choices for a batch of scenes, with `shift` added to the logits `[slate + 1]` of each
    /// row, after temperature and acceptance level. [`Calibrated::ratings`] has the ratings.
    ///
    /// # Errors
    /// When the model fails, or it or the shift returns a number that is not finite.
    pub fn choices(
        &self,
        scenes: &SceneBatch,
        shift: Option<&Shift<'_>>,
        out: &mut Probabilities,
    ) -> Result<(), UserError> {
        if self.model.rates_apart() && self.rule.accept == Accept::Take {
            self.model.choose(scenes, &mut out.logits)?;
        } else {
            self.model.respond(scenes, &mut out.logits)?;
        }
        self.scale(scenes, shift, &mut out.logits)
    }

    /// The probabilities of the ratings 1 to 5 of the items in `slots`, rows and filled slots of the batch, if they are
    /// accepted. `found` are the choices of the same scenes.
    ///
    /// # Errors
    /// When the model fails or returns a number that is not finite.
    pub fn ratings(
        &self,
        scenes: &SceneBatch,
        found: &Probabilities,
        slots: &[(usize, usize)],
    ) -> Result<Vec<[f32; RATINGS]>, UserError> {
        let slots_in_order = slots.par_iter().with_min_len(ROWS_PER_TASK);
        if !found.logits.rating.is_empty() || slots.is_empty() {
            let known = slots_in_order.map(|&(row, slot)| found.rating(row, slot).unwrap_or([f32::NAN; RATINGS]));
            return Ok(known.collect());
        }
        let mut ratings = vec![[0.0; RATINGS]; slots.len()];
        self.model.rate(scenes, slots, ratings.as_flattened_mut())?;
        if let Some(place) = ratings.iter().position(|classes| !is_rated(classes)) {
            return Err(UserError::NotFinite { kind: self.model.kind(), row: slots[place].0 });
        }
        ratings.par_iter_mut().with_min_len(ROWS_PER_TASK).for_each(|classes| {
            // Ratings that are possible have a sum.
            softmax(classes);
        });
        Ok(ratings)
    }

    /// Turns logits into probabilities.
    fn scale(&self, scenes: &SceneBatch, shift: Option<&Shift<'_>>, out: &mut Responses) -> Result<(), UserError> {
        if scenes.slate == 0 {
            out.choice.fill(1.0);
            return Ok(());
        }
        let (width, looks) = (scenes.slate + 1, self.rule.looks(scenes.slate));
        let Responses { choice, rating, .. } = out;
        let ratings = if rating.is_empty() { 0 } else { scenes.slate * RATINGS };
        let first_broken = |task: usize, rows: &mut [f32], mut rating: &mut [f32]| {
            let mut broken = None;
            for (row, logits) in (task * ROWS_PER_TASK..).zip(rows.chunks_exact_mut(width)) {
                let (own, rest) = std::mem::take(&mut rating).split_at_mut(ratings);
                rating = rest;
                if !self.answer(scenes, row, logits, own, shift, looks.as_ref()) {
                    broken = broken.or(Some(row));
                }
            }
            broken
        };
        let tasks = choice.par_chunks_mut(width * ROWS_PER_TASK).enumerate();
        let first = match ratings {
            0 => tasks.filter_map(|(task, rows)| first_broken(task, rows, &mut [])).min(),
            _ => {
                let tasks = tasks.zip(rating.par_chunks_mut(ratings * ROWS_PER_TASK));
                tasks.filter_map(|((task, rows), rating)| first_broken(task, rows, rating)).min()
            }
        };
        match first {
            Some(row) => Err(UserError::NotFinite { kind: self.model.kind(), row }),
            None => Ok(()),
        }
    }

    /// Turns the logits of one row into probabilities; `false` if a number is not finite.
    fn answer(
        &self,
        scenes: &SceneBatch,
        row: usize,
        logits: &mut [f32],
        rating: &mut [f32],
        shift: Option<&Shift<'_>>,
        looks: Option<&Looks>,
    ) -> bool {
        let is_finite = is_finite_row(logits, rating, scenes, row);
        let items = scenes.items_of(row);
        self.rule.prepare(logits, rating, |slot| items[slot].is_some());
        logits.iter_mut().for_each(|logit| *logit /= self.temperature);
        if let Some(reject) = logits.last_mut() {
            *reject += self.reject_shift;
        }
        if let Some(shift) = shift {
            shift(row, logits);
        }
        let is_answer = match looks {
            None => softmax(logits),
            Some(looks) => looks.probabilities(logits),
        };
        is_answer && is_finite
    }
}

/// The utilities `[n, slate + 1]` of a batch under `rule`, before temperature and level.
///
/// # Errors
/// When the model fails or returns a number that is not finite.
pub(crate) fn utilities(
    model: &dyn UserModel,
    rule: &ResponseRule,
    scenes: &SceneBatch,
) -> Result<Vec<f32>, UserError> {
    let mut logits = Responses::default();
    model.respond(scenes, &mut logits)?;
    let Responses { mut choice, mut rating, .. } = logits;
    let (width, ratings) = (scenes.slate + 1, scenes.slate * RATINGS);
    for row in 0..scenes.len() {
        let choice = &mut choice[row * width..(row + 1) * width];
        let rating = &mut rating[row * ratings..(row + 1) * ratings];
        if !is_finite_row(choice, rating, scenes, row) {
            return Err(UserError::NotFinite { kind: model.kind(), row });
        }
        let items = scenes.items_of(row);
        rule.prepare(choice, rating, |slot| items[slot].is_some());
    }
    Ok(choice)
}

/// True if the choice logits of a row, and the rating logits of its filled slots, if there are any, are finite. A rating may be
/// impossible (minus infinity) if another one is possible.
fn is_finite_row(choice: &[f32], rating: &[f32], scenes: &SceneBatch, row: usize) -> bool {
    let mut slots = scenes.items_of(row).iter().zip(rating.as_chunks().0);
    choice.iter().all(|logit| logit.is_finite()) && slots.all(|(item, classes)| !item.is_some() || is_rated(classes))
}

fn is_rated(classes: &[f32; RATINGS]) -> bool {
    classes.iter().all(|&logit| logit < f32::INFINITY) && classes.iter().any(|&logit| logit > f32::NEG_INFINITY)
}

/// The tolerated error of the mean acceptance.
const LEVEL_TOLERANCE: f64 = 1e-3;

/// The shift of "reject all" at which `sum`, over `count` scenes, has the mean `acceptance`; 0 without scenes. `sum` falls with
/// the shift.
fn shift_for(acceptance: f64, count: usize, mut sum: impl FnMut(f64) -> f64) -> Result<f64, UserError> {
    if count == 0 {
        return Ok(0.0);
    }
    let mut mean = |shift: f64| sum(shift) / count as f64;
    let (mut low, mut high) = (-200.0, 200.0);
    for _ in 0..100 {
        let middle = (low + high) / 2.0;
        if mean(middle) > acceptance { low = middle } else { high = middle }
    }
    if (mean(low) - acceptance).abs() > LEVEL_TOLERANCE {
        let (least, most) = (mean(200.0), mean(-200.0));
        return Err(UserError::Setup(format!(
            "`user.acceptance = {acceptance}` cannot be reached: this user model accepts something from {least:.3} to \
             {most:.3} of the random slates at the start, however readily users reject; set it between the two, or look \
             at the numbers of the model and of the data"
        )));
    }
    Ok(low)
}

/// `ln sum_slots exp(logit / T) - reject / T`: the logit of accepting something.
fn acceptance_gap(row: &[f32], temperature: f64) -> f64 {
    let (reject, slots) = row.split_last().map_or((0.0, row), |(last, rest)| (f64::from(*last), rest));
    let most = slots.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = slots.iter().map(|&logit| libm::exp(f64::from(logit - most) / temperature)).sum();
    f64::from(most) / temperature + libm::log(sum) - reject / temperature
}

fn sigmoid(value: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ItemId;
    use crate::user::testing::Scripted;

    /// Logits 1 and 2 for two slots, one for rejecting and those of the ratings, the same for all users.
    fn answers(reject: f32, ratings: [f32; RATINGS]) -> Arc<dyn UserModel> {
        Arc::new(Scripted(move |_: &SceneBatch, out: &mut Responses| {
            out.choice.chunks_exact_mut(3).for_each(|row| row.copy_from_slice(&[1.0, 2.0, reject]));
            out.rating.chunks_exact_mut(RATINGS).for_each(|classes| classes.copy_from_slice(&ratings));
        }))
    }

    fn fixed(reject: f32) -> Arc<dyn UserModel> {
        answers(reject, [0.0; RATINGS])
    }

    fn scenes(rows: usize) -> SceneBatch {
        let mut scenes = SceneBatch::default();
        scenes.reset(rows, 2, 0);
        scenes
    }

    #[test]
    fn acceptance_level_is_met() {
        for (acceptance, temperature) in [(0.2, 1.0), (0.9, 0.5), (0.05, 4.0)] {
            let fitted =
                Calibrated::fit(fixed(0.5), ResponseRule::default(), temperature, acceptance, &scenes(3)).unwrap();
            let mut found = Probabilities::default();
            fitted.probabilities(&scenes(3), &mut found).unwrap();
            let row = found.choice(1);
            assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-6);
            assert!((f64::from(row[0] + row[1]) - acceptance).abs() < 1e-4);
            let ratio = libm::log(f64::from(row[1] / row[0])) * temperature;
            assert!((ratio - 1.0).abs() < 1e-3, "the temperature divides the gap between slots");
        }
    }

    #[test]
    fn the_level_is_met_under_every_rule() {
        use crate::user::{Accept, Examination};
        for examination in [Examination::All, Examination::Position(vec![]), Examination::Cascade(vec![0.9, 0.4])] {
            for accept in [Accept::Take, Accept::Like { level: 4 }] {
                let rule = ResponseRule { accept, examination: examination.clone() };
                let mut probe = scenes(3);
                probe.items.fill(ItemId(0));
                let fitted = Calibrated::fit(fixed(0.5), rule.clone(), 1.5, 0.25, &probe).unwrap();
                assert!((fitted.level(&probe).unwrap() - 0.25).abs() < 1e-4, "{rule:?}");
                let mut found = Probabilities::default();
                fitted.probabilities(&probe, &mut found).unwrap();
                let low: f32 = found.rating(0, 0).unwrap()[..3].iter().sum();
                assert_eq!(low == 0.0, accept != Accept::Take, "what is liked has no low rating");
            }
        }
        let rule = ResponseRule { accept: Accept::Take, examination: Examination::Position(vec![0.2, 0.1]) };
        let problem = Calibrated::fit(fixed(0.5), rule, 1.0, 0.25, &scenes(3)).err().expect("an error").to_string();
        assert!(problem.contains("from 0.000 to 0.200"), "{problem}");
    }

    #[test]
    fn a_shift_adds_to_the_logits_of_its_row() {
        let plain = Calibrated::plain(fixed(0.5));
        let shift = |row: usize, logits: &mut [f32]| logits[0] += row as f32;
        let mut found = Probabilities::default();
        plain.choices(&scenes(200), Some(&shift), &mut found).unwrap();
        for row in [0, 1, 150] {
            // Logits row + 1, 2 and 0.5.
            let gap = libm::logf(found.choice(row)[0] / found.choice(row)[1]);
            assert!(row > 90 || (gap - (row as f32 - 1.0)).abs() < 1e-4, "{row}: {gap}");
            assert!(row < 90 || found.choice(row)[0] > 0.999);
        }
    }

    #[test]
    fn numbers_that_are_not_finite_are_an_error_with_the_row() {
        let broken = Calibrated::plain(fixed(f32::NAN));
        let problem = broken.probabilities(&scenes(2), &mut Probabilities::default());
        assert!(matches!(problem, Err(UserError::NotFinite { row: 0, .. })));
    }

    #[test]
    fn ratings_that_are_not_finite_are_an_error_where_a_slot_is_filled() {
        let ask = |classes: [f32; RATINGS], item: ItemId| {
            let mut scenes = scenes(2);
            scenes.items.fill(item);
            Calibrated::plain(answers(0.5, classes)).probabilities(&scenes, &mut Probabilities::default())
        };
        const GONE: f32 = f32::NEG_INFINITY;
        for classes in [[f32::NAN, 0.0, 0.0, 0.0, 0.0], [0.0, f32::INFINITY, 0.0, 0.0, 0.0], [GONE; RATINGS]] {
            assert!(matches!(ask(classes, ItemId(0)), Err(UserError::NotFinite { row: 0, .. })), "{classes:?}");
            assert!(ask(classes, ItemId::NONE).is_ok(), "nobody rates an empty slot");
        }
        assert!(ask([GONE, GONE, 0.0, GONE, GONE], ItemId(0)).is_ok(), "one possible rating is enough");
    }

    #[test]
    fn numbers_that_are_not_finite_in_the_probe_are_an_error() {
        for broken in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let problem = Calibrated::fit(fixed(broken), ResponseRule::default(), 1.0, 0.3, &scenes(2)).err();
            assert!(matches!(problem, Some(UserError::NotFinite { row: 0, .. })), "{broken}");
        }
    }

    #[test]
    fn a_level_that_no_shift_reaches_is_an_error_with_the_range() {
        let problem = Calibrated::fit(fixed(1e30), ResponseRule::default(), 1.0, 0.3, &scenes(2))
            .err()
            .expect("an error")
            .to_string();
        assert!(problem.contains("`user.acceptance = 0.3`") && problem.contains("from 0.000 to 0.000"), "{problem}");
    }
}
