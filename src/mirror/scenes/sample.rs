//! Which interactions become scenes.
//!
//! An interaction's priority is a draw from a stream that depends on the seed, the data set's name, the user and
//! the item alone; the smallest priorities win. So neither the order of files nor other rows change who is drawn.

use super::log::{Entry, Log};
use super::raws::Raws;
use crate::files::FileError;
use crate::random::{Purpose, Streams};
use rand_chacha::rand_core::Rng;
use std::collections::BinaryHeap;
use std::fmt::Write;

/// Earlier interactions of the same user that a scene needs.
pub(super) const PREDECESSORS: u32 = 3;

/// Which of the two files a scene belongs to.
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
    /// Place in the user's sequence.
    pub(super) place: u32,
    pub(super) clock: i64,
    pub(super) line: u64,
    pub(super) listed: bool,
    pub(super) part: Part,
}

/// The drafts of both parts, and how many interactions there were to draw from.
pub(super) struct Drafts {
    pub(super) drafts: Vec<Draft>,
    pub(super) eligible: [u64; 2],
}

/// The moments that divide a log: scenes are taken from `from` on; those of `cut` and later are for evaluation.
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
    streams: Streams,
    bounds: Bounds,
    wanted: [usize; 2],
) -> Result<Drafts, FileError> {
    let mut heaps = [BinaryHeap::new(), BinaryHeap::new()];
    let mut eligible = [0; 2];
    let mut text = String::new();
    log.pass(|entry, place| {
        if place < PREDECESSORS || entry.clock < bounds.from {
            return;
        }
        let part = if entry.clock < bounds.cut { Part::Train } else { Part::Eval };
        let (heap, most) = (&mut heaps[part as usize], wanted[part as usize]);
        eligible[part as usize] += 1;
        let key = key_of(&mut text, name, raws, entry);
        let priority = streams.derive(Purpose::SceneSampling, key, 0).next_u64();
        let Entry { user, item, clock, line, listed } = entry;
        heap.push(Draft { priority, key, user, item, place, clock, line, listed, part });
        if heap.len() > most {
            heap.pop();
        }
    })?;
    let [train, eval] = heaps;
    let mut drafts = train.into_sorted_vec();
    drafts.extend(eval.into_sorted_vec());
    Ok(Drafts { drafts, eligible })
}

fn key_of(text: &mut String, name: &str, raws: &Raws, entry: Entry) -> u64 {
    text.clear();
    let (user, item) = (raws.users.external(entry.user), raws.items.external(entry.item));
    let _ = write!(text, "{name}/{user}/{item}");
    let hash = blake3::hash(text.as_bytes());
    hash.as_bytes().iter().take(8).fold(0, |key, &byte| (key << 8) | u64::from(byte))
}
