//! Options of scenes: lengths, list builders and their weights.

use super::ContentKind;
use super::content::Embedder;
use crate::language::Letter;
use crate::random::unit;
use rand_chacha::rand_core::Rng;
use std::fmt;
use std::str::FromStr;

/// The most items of a list: "none of these" needs a label too.
pub const LONGEST: usize = Letter::MOST - 1;

/// A range of numbers, both ends included: `2-12`, or `5` for 5 alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The smallest.
    pub least: usize,
    /// The largest.
    pub most: usize,
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Span, String> {
        let (least, most) = text.split_once('-').unwrap_or((text, text));
        let number = |text: &str| text.trim().parse().map_err(|_| format!("`{text}` is not a number; write 5 or 2-12"));
        let (least, most) = (number(least)?, number(most)?);
        if least == 0 || least > most {
            return Err(format!("`{text}` is no range; write the smaller number first, from 1 on: 2-12"));
        }
        Ok(Span { least, most })
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.least == self.most {
            true => write!(f, "{}", self.least),
            false => write!(f, "{}-{}", self.least, self.most),
        }
    }
}

/// A way to build exposure lists for logs without impressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BuilderKind {
    /// As the paper's reference code: random, popular, collaborative and content candidates in random interleave.
    Reference,
    /// Uniform negatives.
    Random,
    /// Negatives from the same popularity ranks.
    PopularityMatched,
    /// Real item and negatives all from the neighbours of one hidden anchor.
    Anchored,
    /// Random, popular, and neighbours of the user's latest items.
    HistorySimilar,
}

impl BuilderKind {
    /// All of them.
    pub const ALL: [BuilderKind; 5] = [
        BuilderKind::Reference,
        BuilderKind::Random,
        BuilderKind::PopularityMatched,
        BuilderKind::Anchored,
        BuilderKind::HistorySimilar,
    ];

    /// The name, as on the command line and in scenes.
    pub fn name(self) -> &'static str {
        match self {
            BuilderKind::Reference => "reference",
            BuilderKind::Random => "random",
            BuilderKind::PopularityMatched => "popularity-matched",
            BuilderKind::Anchored => "anchored",
            BuilderKind::HistorySimilar => "history-similar",
        }
    }
}

/// List builders with their weights: `reference`, or `reference:0.5,popularity-matched:0.5`.
#[derive(Clone, Debug, PartialEq)]
pub struct ListMix(Vec<(BuilderKind, f64)>);

impl ListMix {
    /// The builders that may be drawn.
    pub fn kinds(&self) -> impl Iterator<Item = BuilderKind> {
        self.0.iter().map(|&(kind, _)| kind)
    }

    /// True if a builder may be drawn.
    pub fn has(&self, wanted: BuilderKind) -> bool {
        self.kinds().any(|kind| kind == wanted)
    }

    pub(super) fn draw<R: Rng>(&self, rng: &mut R) -> BuilderKind {
        let total: f64 = self.0.iter().map(|(_, weight)| weight).sum();
        let mut left = unit(rng) * total;
        let hit = self.0.iter().find(|(_, weight)| {
            left -= weight;
            left < 0.0
        });
        hit.or(self.0.last()).map_or(BuilderKind::Reference, |&(kind, _)| kind)
    }
}

impl FromStr for ListMix {
    type Err = String;

    fn from_str(text: &str) -> Result<ListMix, String> {
        let mut mix: Vec<(BuilderKind, f64)> = Vec::new();
        for part in text.split(',') {
            let (name, weight) = part.split_once(':').unwrap_or((part, "1"));
            let known = || BuilderKind::ALL.map(BuilderKind::name).join(", ");
            let kind = BuilderKind::ALL.into_iter().find(|kind| kind.name() == name.trim());
            let kind = kind.ok_or_else(|| format!("`{name}` is no list builder; there are {}", known()))?;
            let weight: f64 = weight.trim().parse().unwrap_or(f64::NAN);
            if !(weight > 0.0 && weight.is_finite()) {
                return Err(format!("the weight in `{part}` is not a positive number"));
            }
            if mix.iter().any(|&(other, _)| other == kind) {
                return Err(format!("`{name}` is named twice"));
            }
            mix.push((kind, weight));
        }
        Ok(ListMix(mix))
    }
}

impl fmt::Display for ListMix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self.0.iter().map(|(kind, weight)| format!("{}:{weight}", kind.name())).collect();
        f.write_str(&parts.join(","))
    }
}

/// The scenes to make of each data set.
pub struct SceneOptions<'a> {
    /// The most scenes with the real item in `NAME_train.jsonl` and in `NAME_eval.jsonl`.
    pub wanted: [usize; 2],
    /// Items of a sampled list, for training and for evaluation.
    pub lengths: [Span; 2],
    /// Earlier interactions in a memory, at most as many as there are.
    pub history: Span,
    /// How lists are built if the log has none.
    pub lists: ListMix,
    /// The source of content candidates.
    pub content: ContentKind,
    /// The model of [`ContentKind::Embedder`].
    pub embedder: Option<&'a Embedder>,
    /// Share of scenes whose list lacks the real item, in addition to `wanted`.
    pub reject_share: f64,
    /// Share of the log, by time, after which evaluation begins.
    pub eval_from: f64,
    /// The number of moments at which item vectors are computed.
    pub snapshots: usize,
    /// Root of the random streams.
    pub seed: u64,
    /// Stops before lists are built, and writes nothing.
    pub dry_run: bool,
}

impl SceneOptions<'_> {
    /// The problem of the options, if any.
    pub fn fault(&self) -> Option<String> {
        for (flag, span) in [("--train-lists", self.lengths[0]), ("--eval-lists", self.lengths[1])] {
            if span.least < 2 || span.most > LONGEST {
                return Some(format!("{flag} {span}: lists have 2 to {LONGEST} items"));
            }
        }
        if !(0.0..=0.9).contains(&self.reject_share) {
            return Some(format!("--reject-share {}: a share from 0 to 0.9", self.reject_share));
        }
        if !(0.05..=0.95).contains(&self.eval_from) {
            return Some(format!("--eval-from {}: a share from 0.05 to 0.95", self.eval_from));
        }
        if self.wanted == [0, 0] {
            return Some("--train 0 --eval 0: there is nothing to make".to_owned());
        }
        if !(1..=64).contains(&self.snapshots) {
            return Some(format!("--snapshots {}: a number from 1 to 64", self.snapshots));
        }
        match (self.content, self.embedder) {
            (ContentKind::Embedder, None) => {
                Some("--content embedder needs --embedder DIR; `make embedder` builds one".to_owned())
            }
            (ContentKind::Tfidf | ContentKind::None, Some(_)) => {
                Some(format!("--embedder is not used with --content {}; leave one of them out", self.content.name()))
            }
            _ => None,
        }
    }

    /// Requested scenes without the real item, in addition to the others.
    pub(super) fn rejects(&self, part: usize) -> usize {
        (self.wanted[part] as f64 * self.reject_share / (1.0 - self.reject_share)).round() as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, Streams};

    #[test]
    fn spans_and_mixes_read_what_they_write() {
        for text in ["5", "2-12"] {
            assert_eq!(text.parse::<Span>().expect("a span").to_string(), text);
        }
        for wrong in ["", "0", "12-2", "a-3", "0-4", "-3"] {
            assert!(wrong.parse::<Span>().is_err(), "{wrong}");
        }
        let mix: ListMix = "reference:0.5, random".parse().expect("a mix");
        assert_eq!(mix.to_string(), "reference:0.5,random:1");
        for (wrong, expected) in [
            ("rnd", "`rnd` is no list builder; there are reference, random, popularity-matched"),
            ("random:-1", "the weight in `random:-1`"),
            ("random,random:2", "`random` is named twice"),
        ] {
            let problem = wrong.parse::<ListMix>().expect_err("wrong");
            assert!(problem.contains(expected), "{problem}");
        }
    }

    #[test]
    fn builders_are_drawn_by_their_weights() {
        let mix: ListMix = "reference:1,random:3".parse().expect("a mix");
        let mut rng = Streams::new(1, 0).derive(Purpose::SceneSampling, 0, 0);
        let random = (0..4_000).filter(|_| mix.draw(&mut rng) == BuilderKind::Random).count();
        assert!((2_900..3_100).contains(&random), "{random}");
    }
}
