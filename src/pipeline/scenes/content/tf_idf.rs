//! TF-IDF of the items' texts.
//!
//! TfIdf of two or more letters or digits in lower case, weight `1 + ln(count)` times
//! `ln((1 + n) / (1 + n_word)) + 1`, rows of length 1 (the smooth form of scikit-learn's `TfidfVectorizer` with
//! sublinear counts).

use super::super::nearest::{Nearest, top};
use std::collections::BTreeMap;

/// The weighted words of all items.
pub(crate) struct TfIdf {
    /// Of each item, by word.
    rows: Vec<Vec<(u32, f32)>>,
    /// Of each word, by item.
    postings: Vec<Vec<(u32, f32)>>,
}

impl TfIdf {
    pub(crate) fn of(texts: &[String]) -> TfIdf {
        let mut known: BTreeMap<String, u32> = BTreeMap::new();
        let mut counted: Vec<BTreeMap<u32, u32>> = Vec::with_capacity(texts.len());
        let mut texts_of: Vec<u32> = Vec::new();
        for text in texts {
            let mut counts = BTreeMap::new();
            for word in split(text) {
                let next = known.len() as u32;
                let word = *known.entry(word).or_insert(next);
                *counts.entry(word).or_insert(0) += 1;
            }
            texts_of.resize(known.len(), 0);
            counts.keys().for_each(|&word| texts_of[word as usize] += 1);
            counted.push(counts);
        }
        let rarity = |count: u32| libm::log(f64::from(1 + texts.len() as u32) / f64::from(1 + count)) + 1.0;
        let rarities: Vec<f64> = texts_of.iter().map(|&count| rarity(count)).collect();
        let rows: Vec<_> = counted.iter().map(|counts| weighted(counts, &rarities)).collect();
        let mut postings = vec![Vec::new(); known.len()];
        for (row, item) in rows.iter().zip(0..) {
            row.iter().for_each(|&(word, weight): &(u32, f32)| postings[word as usize].push((item, weight)));
        }
        TfIdf { rows, postings }
    }

    /// The cosine of two items' texts.
    pub(crate) fn cosine(&self, a: u32, b: u32) -> f32 {
        let (left, right) = (&self.rows[a as usize], &self.rows[b as usize]);
        let (mut i, mut j, mut sum) = (0, 0, 0.0);
        while i < left.len() && j < right.len() {
            if left[i].0 == right[j].0 {
                sum += left[i].1 * right[j].1;
            }
            (i, j) = (i + usize::from(left[i].0 <= right[j].0), j + usize::from(left[i].0 >= right[j].0));
        }
        sum
    }

    /// The `count` items whose texts are most similar to that of `item`, among items that share a word with it.
    pub(in crate::pipeline::scenes) fn near(&self, item: u32, count: usize) -> Vec<u32> {
        let mut scores = vec![0.0; self.rows.len()];
        for &(word, weight) in &self.rows[item as usize] {
            for &(other, of_other) in &self.postings[word as usize] {
                scores[other as usize] += weight * of_other;
            }
        }
        let others = scores.iter().zip(0..).filter(|&(&score, other)| score > 0.0 && other != item);
        top(others.map(|(&score, item)| Nearest { score, item }), count)
    }
}

fn weighted(counts: &BTreeMap<u32, u32>, rarities: &[f64]) -> Vec<(u32, f32)> {
    let weight = |(&word, &count): (&u32, &u32)| (word, (1.0 + libm::log(f64::from(count))) * rarities[word as usize]);
    let row: Vec<(u32, f64)> = counts.iter().map(weight).collect();
    let length = row.iter().map(|(_, weight)| weight * weight).sum::<f64>().sqrt();
    row.into_iter().map(|(word, weight)| (word, (weight / length) as f32)).collect()
}

fn split(text: &str) -> impl Iterator<Item = String> {
    let words = text.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
    words.filter(|word| word.chars().nth(1).is_some()).map(str::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cosines_by_hand() {
        let texts = ["red fish", "Red FISH!", "blue fish a", "", "blue"].map(str::to_owned);
        let words = TfIdf::of(&texts);
        assert!((words.cosine(0, 1) - 1.0).abs() < 1e-6);
        // n = 5; "red" and "blue" are in 2 texts, "fish" in 3.
        let (rare, common) = (libm::log(6.0 / 3.0) + 1.0, libm::log(6.0 / 4.0) + 1.0);
        let wanted = common * common / (rare * rare + common * common);
        assert!((f64::from(words.cosine(0, 2)) - wanted).abs() < 1e-6);
        assert_eq!((words.cosine(0, 3), words.cosine(0, 4)), (0.0, 0.0));
        assert_eq!(words.near(0, 5), [1, 2]);
        assert_eq!(words.near(0, 1), [1]);
        assert!(words.near(3, 5).is_empty());
    }
}
