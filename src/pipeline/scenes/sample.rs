//! Sampling of interactions that become scenes.
//!
//! An interaction's priority is a draw from a stream that depends on the seed, the data set's name, the user and the
//! item alone; the smallest priorities win. So neither the order of files nor other rows change the sample.

use super::log::{Entry, Log};
use super::options::SceneOptions;
use super::raws::{Raws, place};
use crate::files::{FileError, Tally};
use crate::language::Letter;
use crate::pipeline::Watch;
use crate::random::{Purpose, Streams};
use rand_chacha::rand_core::Rng;
use std::collections::BinaryHeap;
use std::fmt::Write;

/// Earlier interactions of the same user that a scene needs.
pub(super) const PREDECESSORS: u32 = 3;

/// The file of a scene.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Train,
    Eval,
}

impl Part {
    pub(super) const BOTH: [Part; 2] = [Part::Train, Part::Eval];

    pub(super) fn name(self) -> &'static str {
        match self {
            Part::Train => "train",
            Part::Eval => "eval",
        }
    }
}

/// An interaction that may become a scene. Drafts are ordered by priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Draft {
    priority: u64,
    /// The id of the scene's streams.
    pub(super) key: u64,
    pub(super) user: u32,
    pub(super) item: u32,
    /// The number of the user's earlier interactions.
    pub(super) earlier: u32,
    pub(super) clock: i64,
    pub(super) line: u64,
    pub(super) listed: bool,
    pub(super) part: Part,
}

#[cfg(test)]
impl Draft {
    /// The draft of an item at a moment.
    pub(super) fn at(item: u32, clock: i64, part: Part) -> Draft {
        Draft { priority: 0, key: 0, user: 0, item, earlier: 3, clock, line: 1, listed: false, part }
    }
}

/// The drafts of both parts, and the number of interactions to draw from.
pub(super) struct Drafts {
    pub(super) drafts: Vec<Draft>,
    pub(super) eligible: [u64; 2],
}

/// The moments that divide a log: scenes start at `from`; those at `cut` or later are for evaluation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) from: i64,
    pub(super) cut: i64,
}

/// Draws for each part the `wanted` interactions of lowest priority, in the order of their priority.
pub(super) fn sample(
    log: &Log,
    raws: &Raws,
    name: &str,
    options: &SceneOptions<'_>,
    bounds: Bounds,
    wanted: [usize; 2],
    (tally, watch): (&mut Tally, &dyn Watch),
) -> Result<Drafts, FileError> {
    let streams = Streams::new(options.seed, 0);
    let letters = Letter::MOST - usize::from(options.reject_share > 0.0);
    let mut heaps = [BinaryHeap::new(), BinaryHeap::new()];
    let mut eligible = [0; 2];
    let mut text = String::new();
    log.watched_pass("sampling", watch, |entry, earlier| {
        if earlier < PREDECESSORS || entry.clock < bounds.from {
            return;
        }
        let is_later = log.dated && raws.released[entry.item as usize] > entry.clock;
        if let Some(reason) = unusable(entry.shown, letters, is_later) {
            tally.drop(reason, || place(&raws.files.interactions, entry.line));
            return;
        }
        let part = if entry.clock < bounds.cut { Part::Train } else { Part::Eval };
        let (heap, most) = (&mut heaps[part as usize], wanted[part as usize]);
        eligible[part as usize] += 1;
        let key = key_of(&mut text, name, raws, entry);
        let priority = streams.derive(Purpose::SceneSampling, key, 0).next_u64();
        let Entry { user, item, clock, line, shown, .. } = entry;
        let listed = shown.is_some();
        heap.push(Draft { priority, key, user, item, earlier, clock, line, listed, part });
        if heap.len() > most {
            heap.pop();
        }
    })?;
    let [train, eval] = heaps;
    let mut drafts = train.into_sorted_vec();
    drafts.extend(eval.into_sorted_vec());
    Ok(Drafts { drafts, eligible })
}

/// The reason why an interaction gives no scene, as far as the first pass knows. A sampled list shows no item whose
/// release `is_later` than the scene, so the real item would be the only one; a list in the log is used as it is.
fn unusable(shown: Option<u8>, letters: usize, is_later: bool) -> Option<&'static str> {
    match shown {
        Some(..2) => Some("a row that shows fewer than two items"),
        Some(count) if usize::from(count) > letters => Some("a row that shows more items than there are option labels"),
        Some(_) => None,
        None => is_later.then_some("a scene whose real item came out later"),
    }
}

fn key_of(text: &mut String, name: &str, raws: &Raws, entry: Entry) -> u64 {
    text.clear();
    let (user, item) = (raws.users.external(entry.user), raws.items.external(entry.item));
    let _ = write!(text, "{name}/{user}/{item}");
    let hash = blake3::hash(text.as_bytes());
    hash.as_bytes().iter().take(8).fold(0, |key, &byte| (key << 8) | u64::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_without_a_scene_are_known_before_anything_is_drawn() {
        assert_eq!((unusable(None, 26, false), unusable(Some(26), 26, true)), (None, None));
        assert!(unusable(None, 26, true).is_some_and(|reason| reason.contains("came out later")));
        assert!(unusable(Some(1), 26, false).is_some_and(|reason| reason.contains("fewer than two")));
        assert!(unusable(Some(26), 25, false).is_some_and(|reason| reason.contains("more items than")));
    }
}
