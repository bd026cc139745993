//! Temperature and acceptance level from impressions.
//!
//! For each temperature, the shift of "reject all" is the one at which the mean probability of taking something is the
//! share of the lists from which something was taken: the condition for the maximum of the likelihood in the shift if
//! all slots are examined. The temperature maximises the likelihood, by golden section on its logarithm. Several items
//! of a list may have been taken, while a simulated user takes one: each of `m` counts `1 / m`.

use super::response_rule::{Looks, ResponseRule};

/// A list: the utilities of its items and last that of rejecting all, and the taken items.
#[derive(Clone, Copy, Debug)]
pub struct ListResponse<'a> {
    /// `[items + 1]`.
    pub utilities: &'a [f32],
    /// The slot of each item.
    pub slots: &'a [u16],
    /// True for taken items.
    pub taken: &'a [bool],
}

/// The fitted temperature and level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FittedLevel {
    /// Divides the utilities.
    pub temperature: f64,
    /// Added to "reject all" after that.
    pub reject_shift: f64,
    /// Mean log-likelihood of a list.
    pub likelihood: f64,
}

/// The range of temperatures.
const RANGE: (f64, f64) = (0.05, 20.0);
/// Steps of each search: they determine the temperature to 0.3%, the shift to 1e-7.
const TEMPERATURE_STEPS: usize = 20;
const SHIFT_STEPS: usize = 32;

/// Fits both under a rule.
///
/// # Errors
/// When something was taken from all lists or from none, so that no level fits, or no shift reaches the share.
pub fn fit_level(rule: &ResponseRule, lists: &[ListResponse<'_>]) -> Result<FittedLevel, String> {
    let taken = lists.iter().filter(|list| list.taken.contains(&true)).count();
    if taken == 0 || taken == lists.len() {
        let which = if taken == 0 { "none" } else { "all" };
        return Err(format!(
            "something was taken from {which} of the {} lists, so they determine no level; give it as a number",
            lists.len()
        ));
    }
    let share = taken as f64 / lists.len() as f64;
    let looks: Vec<Looks> = lists.iter().map(|list| rule.looks_at(list.slots)).collect();
    let at = |log: f64| at_temperature(lists, &looks, libm::exp(log), share);
    let golden = (libm::sqrt(5.0) - 1.0) / 2.0;
    let (mut low, mut high) = (libm::log(RANGE.0), libm::log(RANGE.1));
    let mut inner = [high - golden * (high - low), low + golden * (high - low)];
    let mut values = [at(inner[0]), at(inner[1])];
    for _ in 0..TEMPERATURE_STEPS {
        if values[0].likelihood >= values[1].likelihood {
            high = inner[1];
            inner = [high - golden * (high - low), inner[0]];
            values = [at(inner[0]), values[0]];
        } else {
            low = inner[0];
            inner = [inner[1], low + golden * (high - low)];
            values = [values[1], at(inner[1])];
        }
    }
    let best = if values[0].likelihood >= values[1].likelihood { values[0] } else { values[1] };
    if !best.likelihood.is_finite() {
        return Err("some list is impossible under the model, at any level; give the level as a number".to_owned());
    }
    Ok(best)
}

fn at_temperature(lists: &[ListResponse<'_>], looks: &[Looks], temperature: f64, share: f64) -> FittedLevel {
    let scaled: Vec<Vec<f32>> = lists
        .iter()
        .map(|list| list.utilities.iter().map(|utility| (f64::from(*utility) / temperature) as f32).collect())
        .collect();
    let mut found = Vec::new();
    let mut mean = |shift: f64| {
        let sum: f64 = looks
            .iter()
            .zip(&scaled)
            .map(|(looks, row)| {
                found.resize(row.len() - 1, 0.0);
                looks.accepted(row, shift, &mut found)
            })
            .sum();
        sum / lists.len() as f64
    };
    // Utilities at a low temperature are large, and the shift must outweigh them.
    let most = scaled.iter().flatten().fold(0.0f32, |most, utility| most.max(utility.abs()));
    let bound = 2.0 * f64::from(most) + 50.0;
    let (mut low, mut high) = (-bound, bound);
    for _ in 0..SHIFT_STEPS {
        let middle = (low + high) / 2.0;
        if mean(middle) > share { low = middle } else { high = middle }
    }
    let reject_shift = (low + high) / 2.0;
    let likelihood = likelihood(lists, looks, &scaled, reject_shift);
    FittedLevel { temperature, reject_shift, likelihood }
}

fn likelihood(lists: &[ListResponse<'_>], looks: &[Looks], scaled: &[Vec<f32>], shift: f64) -> f64 {
    // A probability of zero would outweigh all other lists.
    const LEAST: f64 = 1e-12;
    let mut found = Vec::new();
    let rows = lists.iter().zip(looks).zip(scaled).map(|((list, looks), row)| {
        found.resize(row.len() - 1, 0.0);
        let total = looks.accepted(row, shift, &mut found);
        let count = list.taken.iter().filter(|&&taken| taken).count();
        if count == 0 {
            return libm::log((1.0 - total).max(LEAST));
        }
        let taken = found.iter().zip(list.taken).filter(|(_, taken)| **taken);
        taken.map(|(chance, _)| libm::log(chance.max(LEAST))).sum::<f64>() / count as f64
    });
    rows.sum::<f64>() / lists.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, Streams, unit};
    use crate::user::{Accept, Examination};

    /// Lists of four items whose users take by temperature 0.5 and a shift of 1.2, under a rule.
    #[test]
    fn finds_the_temperature_and_the_level_of_known_users() {
        for examination in [Examination::All, Examination::Position(vec![]), Examination::Cascade(vec![])] {
            let rule = ResponseRule { accept: Accept::Take, examination };
            let slots = [0u16, 1, 2, 3];
            let looks = rule.looks_at(&slots);
            let streams = Streams::new(3, 0);
            let made: Vec<(Vec<f32>, Vec<bool>)> = (0..4000)
                .map(|list| {
                    let mut rng = streams.derive(Purpose::Scenes, list, 0);
                    let mut utilities: Vec<f32> = (0..4).map(|_| 2.0 * unit(&mut rng) as f32).collect();
                    utilities.push(0.0);
                    let scaled: Vec<f32> = utilities.iter().map(|utility| utility / 0.5).collect();
                    let mut chances = vec![0.0; 4];
                    looks.accepted(&scaled, 1.2, &mut chances);
                    let mut point = unit(&mut rng);
                    let slot = chances.iter().position(|chance| {
                        point -= chance;
                        point < 0.0
                    });
                    (utilities, (0..4).map(|place| slot == Some(place)).collect())
                })
                .collect();
            let lists: Vec<ListResponse<'_>> =
                made.iter().map(|(utilities, taken)| ListResponse { utilities, slots: &slots, taken }).collect();
            let fitted = fit_level(&rule, &lists).unwrap();
            assert!((fitted.temperature - 0.5).abs() < 0.06, "{rule:?} {fitted:?}");
            assert!((fitted.reject_shift - 1.2).abs() < 0.35, "{rule:?} {fitted:?}");
        }
    }

    #[test]
    fn lists_with_all_or_nothing_taken_determine_no_level() {
        let rule = ResponseRule::default();
        for taken in [[true], [false]] {
            let list = ListResponse { utilities: &[1.0, 0.0], slots: &[0], taken: &taken };
            let problem = fit_level(&rule, &[list, list]).unwrap_err();
            assert!(problem.contains("of the 2 lists"), "{problem}");
        }
    }
}
