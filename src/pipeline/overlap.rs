//! Word overlap of two texts, weighted by rarity.
//!
//! `composed` decides by it, and `judge --overlap` predicts by it. It lets the pipeline run without any model and does
//! not understand words.

use std::collections::{BTreeMap, BTreeSet};

/// Shorter words carry little information.
const SHORTEST: usize = 3;

/// Words that occur in titles of any kind.
const EMPTY: [&str; 4] = ["the", "and", "for", "with"];

/// The words of a text: runs of letters and digits in lower case, each once.
pub(super) fn words(text: &str) -> BTreeSet<String> {
    let lower = text.to_lowercase();
    let runs = lower.split(|letter: char| !letter.is_alphanumeric());
    let telling = |word: &&str| word.chars().count() >= SHORTEST && !EMPTY.contains(word);
    runs.filter(telling).map(str::to_owned).collect()
}

/// The options of a list as words, with the weight of each word: less for words in more options, 0 for words in all.
pub(super) struct Options {
    words: Vec<BTreeSet<String>>,
    weights: BTreeMap<String, f64>,
}

impl Options {
    /// The options with these texts.
    pub(super) fn new<'a>(texts: impl Iterator<Item = &'a str>) -> Options {
        let words: Vec<BTreeSet<String>> = texts.map(words).collect();
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for word in words.iter().flatten() {
            *counts.entry(word.clone()).or_default() += 1;
        }
        let all = words.len().max(1) as f64;
        let weights = counts.into_iter().map(|(word, count)| (word, libm::log(all / count as f64))).collect();
        Options { words, weights }
    }

    /// For each option the share of its weight in words of `other`, from 0 (none) to 1 (all).
    pub(super) fn shares(&self, other: &BTreeSet<String>) -> Vec<f64> {
        let weight = |word: &String| self.weights.get(word).copied().unwrap_or(0.0);
        let share = |option: &BTreeSet<String>| {
            let all: f64 = option.iter().map(weight).sum();
            let common: f64 = option.intersection(other).map(weight).sum();
            if all > 0.0 { common / all } else { 0.0 }
        };
        self.words.iter().map(share).collect()
    }

    /// The words that an option shares with `other`, the weightiest first, without those of all options.
    pub(super) fn shared(&self, place: usize, other: &BTreeSet<String>) -> Vec<String> {
        let Some(option) = self.words.get(place) else { return Vec::new() };
        let weight = |word: &String| self.weights.get(word).copied().unwrap_or(0.0);
        let mut found: Vec<String> = option.intersection(other).filter(|word| weight(word) > 0.0).cloned().collect();
        found.sort_by(|a, b| weight(b).total_cmp(&weight(a)).then_with(|| a.cmp(b)));
        found
    }
}

/// Probabilities proportional to `exp(sharpness x value)`.
pub(super) fn softmax(values: &[f64], sharpness: f64) -> Vec<f64> {
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let raised: Vec<f64> = values.iter().map(|value| libm::exp(sharpness * (value - most))).collect();
    let sum: f64 = raised.iter().sum();
    raised.iter().map(|value| value / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_lower_case_and_not_short() {
        let found: Vec<String> = words("The Été of 42 / 1984: a-b, the").into_iter().collect();
        assert_eq!(found, ["1984", "été"]);
    }

    #[test]
    fn shares_count_words_that_separate_options() {
        // `film` is in both and has no weight; each other word has ln 2.
        let options = Options::new(["film war space", "film love"].into_iter());
        assert_eq!(options.shares(&words("a film of war")), [0.5, 0.0]);
        assert_eq!(options.shares(&words("love film")), [0.0, 1.0]);
        assert_eq!(options.shared(0, &words("space film war")), ["space", "war"]);
        assert_eq!(Options::new(["same", "same"].into_iter()).shares(&words("same")), [0.0, 0.0]);
    }

    #[test]
    fn softmax_is_exact_for_two() {
        let found = softmax(&[0.0, 1.0], libm::log(3.0));
        assert!((found[0] - 0.25).abs() < 1e-12 && (found[1] - 0.75).abs() < 1e-12);
    }
}
