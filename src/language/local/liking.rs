//! Position bias of a language model, and its correction.
//!
//! `letters.toml` of a model's folder states, for lists of some lengths, by how much the logarithm of each position's
//! probability is too high on average. Lists are in random order, so the mean over many of them should be equal at all
//! positions; a position's mean minus the overall mean is the model's position bias. The measure does not use the
//! users' choices (Zhou et al. 2023, arXiv 2309.17249, average probabilities; a mean of logarithms corresponds to a
//! constant in the logits). The rest is divided by `temperature`, which limits the model's confidence on data that it
//! was not trained on (Guo et al. 2017).

use super::folder::Folder;
use super::sample::shares;
use crate::files::FileError;
use crate::language::{LanguageError, Letter};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The file with a model's position bias, in its folder.
const LETTERS_FILE: &str = "letters.toml";
/// A larger value indicates a broken file, not a bias: probabilities would differ by a factor of 20,000.
const MOST: f64 = 10.0;

/// Temperatures above this, or below its inverse, indicate a broken file.
const MOST_TEMPERATURE: f64 = 10.0;

/// The bias of each position in nats, for lists of some lengths, and the divisor of all logarithms.
#[derive(Clone, Debug)]
pub(super) struct Liking {
    places: BTreeMap<usize, Vec<f64>>,
    temperature: f64,
}

impl Default for Liking {
    fn default() -> Liking {
        Liking { places: BTreeMap::new(), temperature: 1.0 }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Letters {
    temperature: Option<f64>,
    #[serde(default)]
    list: Vec<List>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    liking: Vec<f64>,
    #[serde(default, rename = "lists")]
    _lists: u64,
}

impl Liking {
    /// The bias that the folder states, if any.
    pub(super) fn load(folder: &Folder) -> Result<Liking, LanguageError> {
        let Some(text) = folder.beside(LETTERS_FILE)? else { return Ok(Liking::default()) };
        let read = Liking::parse(&text);
        Ok(read.map_err(|problem| FileError::whole(folder.path(LETTERS_FILE), problem))?)
    }

    fn parse(text: &str) -> Result<Liking, String> {
        let letters: Letters = toml::from_str(text).map_err(|problem| problem.to_string())?;
        let temperature = letters.temperature.unwrap_or(1.0);
        if !(1.0 / MOST_TEMPERATURE..=MOST_TEMPERATURE).contains(&temperature) {
            let least = 1.0 / MOST_TEMPERATURE;
            return Err(format!(
                "`temperature` is {temperature}, expected a number from {least} to {MOST_TEMPERATURE}"
            ));
        }
        let mut found = BTreeMap::new();
        for List { liking, .. } in letters.list {
            let items = liking.len();
            if !(2..=Letter::MOST).contains(&items) {
                return Err(format!(
                    "`liking` has {items} numbers, one for each place; a list has 2 to {}",
                    Letter::MOST
                ));
            }
            if let Some(wrong) = liking.iter().find(|value| !(-MOST..=MOST).contains(*value)) {
                return Err(format!("`liking` has {wrong}, expected numbers from -{MOST} to {MOST}"));
            }
            if found.insert(items, liking).is_some() {
                return Err(format!("lists of {items} items occur twice"));
            }
        }
        Ok(Liking { places: found, temperature })
    }

    /// Removes the bias from the labels' probabilities, those of `items` items and of the options after them, and
    /// applies the temperature.
    pub(super) fn taken_from(&self, probabilities: Vec<f64>, items: usize) -> Vec<f64> {
        let liking = self.places.get(&items);
        if liking.is_none() && self.temperature == 1.0 {
            return probabilities;
        }
        let logarithms = probabilities.iter().map(|share| libm::log(share.max(f64::MIN_POSITIVE)));
        let likings = liking.into_iter().flatten().chain(std::iter::repeat(&0.0));
        let sure = |(log, liking): (f64, &f64)| (log - liking) / self.temperature;
        shares(&logarithms.zip(likings).map(sure).collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bias_is_removed_and_lists_of_other_lengths_are_unchanged() {
        let liking = Liking::parse("[[list]]\nlists = 9\nliking = [0.5, 0.0, -0.5]\n").unwrap();
        // Three items and none, with weights 1, 2, 3 and 4 times those of the positions.
        let weights = [libm::exp(0.5), 2.0, 3.0 * libm::exp(-0.5), 4.0];
        let total: f64 = weights.iter().sum();
        let said: Vec<f64> = weights.iter().map(|weight| weight / total).collect();
        let found = liking.taken_from(said.clone(), 3);
        for (found, wanted) in found.iter().zip([0.1, 0.2, 0.3, 0.4]) {
            assert!((found - wanted).abs() < 1e-12, "{found} and not {wanted}");
        }
        assert_eq!(liking.taken_from(said.clone(), 4), said);
        assert!(liking.taken_from(vec![1.0, 0.0, 0.0], 3).iter().all(|share| share.is_finite()));
    }

    #[test]
    fn a_temperature_makes_lists_of_all_lengths_less_sure() {
        let liking = Liking::parse("temperature = 2.0\n[[list]]\nliking = [0.0, 0.0]\n").unwrap();
        for items in [2, 3] {
            let found = liking.taken_from(vec![0.8, 0.2], items);
            assert!((found[0] / found[1] - 2.0).abs() < 1e-12, "{items}: {found:?}");
            assert!((found[0] + found[1] - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn invalid_biases_are_refused() {
        let problem = |text: &str| Liking::parse(text).unwrap_err();
        assert!(problem("[[list]]\nliking = [0.5]").contains("has 1 numbers"));
        assert!(problem("[[list]]\nliking = [0.5, nan]").contains("has NaN, expected numbers from -10 to 10"));
        assert!(problem("[[list]]\nliking = [0.5, 11]").contains("has 11"));
        assert!(problem(&"[[list]]\nliking = [0.5, 0.0]\n".repeat(2)).contains("lists of 2 items occur twice"));
        assert!(problem("temperature = 0.0").contains("`temperature` is 0, expected a number from 0.1 to 10"));
        assert!(problem("temperature = nan").contains("`temperature` is NaN"));
        assert!(problem("[[list]]\nlike = [0.5]").contains("unknown field `like`"));
        assert!(Liking::parse("").unwrap().places.is_empty());
    }
}
