//! Sampled exposure lists for scenes.
//!
//! The target item among negatives, for logs without impressions.
//!
//! The sampling of negatives decides what a list can measure; [`crate::scene::ListBuilder`] has the same kinds over a
//! log in memory. An item can be shown if the user had not taken it before or at the moment of the scene, and it was
//! not released later. Later interactions have no effect.

use super::collaborative::Vectors;
use super::content::Content;
use super::options::BuilderKind;
use super::popularity::{Shelf, WINDOW};
use crate::random::{below, shuffle, unit};
use rand_chacha::rand_core::Rng;
use std::collections::HashSet;

/// The number of a user's latest items from which a history-similar negative may start.
const RECENT: usize = 20;
/// Draws from a list's own source before a uniform item is used.
const TRIES: usize = 45;

/// The data shared by all lists at one snapshot.
pub(super) struct Sources<'a> {
    pub(super) items: u32,
    /// The release times of items.
    pub(super) released: &'a [i64],
    pub(super) vectors: &'a Vectors,
    pub(super) content: &'a Content<'a>,
    /// Candidates from each source of a reference list.
    pub(super) candidates: usize,
}

/// The moment for which a list is built.
pub(super) struct Situation<'a> {
    /// The real item.
    pub(super) item: u32,
    /// The user's earlier items, the latest last.
    pub(super) taken: &'a [u32],
    /// The items that the user took before or at this time, the target item included.
    pub(super) blocked: &'a HashSet<u32>,
    /// Items released later are not shown; `i64::MAX` if the log has no times.
    pub(super) now: i64,
    pub(super) shelf: &'a Shelf,
}

/// The composition of a list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) kind: BuilderKind,
    pub(super) length: usize,
    /// True if the list holds the real item.
    pub(super) with_real: bool,
}

/// One exposure list.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct List {
    pub(super) items: Vec<u32>,
    /// The slot of the real item; the length if the list lacks it.
    pub(super) real: usize,
}

/// The reason why a list cannot be built.
pub(super) type Unbuilt = &'static str;

const FEW: Unbuilt = "a scene with fewer items to show than the list needs";
const FEW_MATCHED: Unbuilt = "a scene with fewer items of like popularity than the list needs";
const FEW_NEAR: Unbuilt = "a scene whose anchor has fewer neighbours to show than the list needs";
const NO_ANCHOR: Unbuilt = "a scene whose real item is near no anchor: nobody had taken it before the snapshot";

impl Sources<'_> {
    /// A list for a situation. The real item, if included, is at a uniform position, the last included.
    pub(super) fn build<R: Rng>(&self, rng: &mut R, shape: Shape, of: &Situation<'_>) -> Result<List, Unbuilt> {
        let wanted = shape.length - usize::from(shape.with_real);
        let mut items = match shape.kind {
            BuilderKind::Reference => self.reference(rng, wanted, of)?,
            BuilderKind::Random => self.filled(rng, Vec::new(), wanted, of)?,
            BuilderKind::PopularityMatched => self.matched(rng, wanted, of)?,
            BuilderKind::Anchored => self.anchored(rng, wanted, of)?,
            BuilderKind::HistorySimilar => self.history_similar(rng, wanted, of)?,
        };
        if !shape.with_real {
            return Ok(List { real: items.len(), items });
        }
        let real = below(rng, items.len() as u32 + 1) as usize;
        items.insert(real, of.item);
        Ok(List { items, real })
    }

    /// The list with a uniformly drawn item in the slot of the real one: if the real item were only removed, its length
    /// would give the list away.
    pub(super) fn without_real<R: Rng>(
        &self,
        rng: &mut R,
        mut list: List,
        of: &Situation<'_>,
    ) -> Result<List, Unbuilt> {
        list.items[list.real] = self.uniform(rng, &list.items, of).ok_or(FEW)?;
        list.real = list.items.len();
        Ok(list)
    }

    fn can_show(&self, item: u32, of: &Situation<'_>) -> bool {
        !of.blocked.contains(&item) && self.released[item as usize] <= of.now
    }

    /// The first `wanted` of `candidates` that can be shown, completed with uniform items.
    fn filled<R: Rng>(
        &self,
        rng: &mut R,
        candidates: Vec<u32>,
        wanted: usize,
        of: &Situation<'_>,
    ) -> Result<Vec<u32>, Unbuilt> {
        let mut items = self.kept(candidates, wanted, of);
        while items.len() < wanted {
            let item = self.uniform(rng, &items, of).ok_or(FEW)?;
            items.push(item);
        }
        Ok(items)
    }

    fn kept(&self, candidates: Vec<u32>, wanted: usize, of: &Situation<'_>) -> Vec<u32> {
        let mut items = Vec::with_capacity(wanted + 1);
        for item in candidates {
            if items.len() < wanted && self.can_show(item, of) && !items.contains(&item) {
                items.push(item);
            }
        }
        items
    }

    fn uniform<R: Rng>(&self, rng: &mut R, taken: &[u32], of: &Situation<'_>) -> Option<u32> {
        let fits = |item: &u32| self.can_show(*item, of) && !taken.contains(item);
        for _ in 0..TRIES {
            let item = below(rng, self.items);
            if fits(&item) {
                return Some(item);
            }
        }
        // For a user who has taken nearly everything: the next item that can be shown.
        let start = below(rng, self.items);
        (start..self.items).chain(0..start).find(fits)
    }

    fn reference<R: Rng>(&self, rng: &mut R, wanted: usize, of: &Situation<'_>) -> Result<Vec<u32>, Unbuilt> {
        let count = self.candidates;
        let random = (0..count).map(|_| below(rng, self.items)).collect();
        let popular = of.shelf.top[..count.min(of.shelf.top.len())].to_vec();
        let collaborative = self.vectors.for_user(of.taken, count);
        let content = match self.content {
            Content::TfIdf(words) => words.near(of.item, count),
            Content::Sentences(sentences) => sentences.near(of.item, count),
            Content::None => Vec::new(),
        };
        let merged = interleaved(rng, [random, popular, collaborative, content]);
        self.filled(rng, merged, wanted, of)
    }

    /// Negatives from a window of popularity ranks with the real item at a uniform position.
    fn matched<R: Rng>(&self, rng: &mut R, wanted: usize, of: &Situation<'_>) -> Result<Vec<u32>, Unbuilt> {
        let (around, real) = (&of.shelf.around, of.shelf.real);
        let width = WINDOW.min(around.len() as u32);
        let (least, most) = (real.saturating_sub(width - 1), real.min(around.len() as u32 - width));
        let start = (least + below(rng, most - least + 1)) as usize;
        let mut window = around[start..start + width as usize].to_vec();
        shuffle(rng, &mut window);
        let items = self.kept(window, wanted, of);
        if items.len() < wanted { Err(FEW_MATCHED) } else { Ok(items) }
    }

    fn anchored<R: Rng>(&self, rng: &mut R, wanted: usize, of: &Situation<'_>) -> Result<Vec<u32>, Unbuilt> {
        let anchor = pick(rng, &self.vectors.holders(of.item)).ok_or(NO_ANCHOR)?;
        let near = self.by_popularity(rng, self.vectors.near(anchor));
        let items = self.kept(near, wanted, of);
        if items.len() < wanted { Err(FEW_NEAR) } else { Ok(items) }
    }

    /// Items in the order of draws without replacement in proportion to their numbers of users at the snapshot
    /// (Efraimidis and Spirakis, "Weighted random sampling with a reservoir", 2006). Real items occur in about this
    /// proportion; uniform negatives would make the real item the most popular of its neighbourhood.
    fn by_popularity<R: Rng>(&self, rng: &mut R, items: Vec<u32>) -> Vec<u32> {
        let waiting = |item| -libm::log(1.0 - unit(rng)) / self.vectors.count(item);
        let mut drawn: Vec<(f64, u32)> = items.iter().copied().map(waiting).zip(items.iter().copied()).collect();
        drawn.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        drawn.into_iter().map(|(_, item)| item).collect()
    }

    /// Repeats: a random item, a popular one and two neighbours of the user's latest items.
    fn history_similar<R: Rng>(&self, rng: &mut R, wanted: usize, of: &Situation<'_>) -> Result<Vec<u32>, Unbuilt> {
        let recent = &of.taken[of.taken.len().saturating_sub(RECENT)..];
        let mut places: Vec<usize> = (0..wanted).collect();
        shuffle(rng, &mut places);
        let mut items = Vec::with_capacity(wanted + 1);
        for place in places {
            let source = match place % 4 {
                0 => Vec::new(),
                1 => of.shelf.top.clone(),
                _ => pick(rng, recent).map(|item| self.vectors.near(item)).unwrap_or_default(),
            };
            let mut drawn = (0..TRIES).filter_map(|_| pick(rng, &source));
            let near = drawn.find(|&item| self.can_show(item, of) && !items.contains(&item));
            let item = near.or_else(|| self.uniform(rng, &items, of)).ok_or(FEW)?;
            items.push(item);
        }
        Ok(items)
    }
}

/// The members of all sources, each source in its own order, with equally likely positions for each member.
fn interleaved<R: Rng>(rng: &mut R, sources: [Vec<u32>; 4]) -> Vec<u32> {
    let mut turns: Vec<usize> = Vec::new();
    for (place, source) in sources.iter().enumerate() {
        turns.extend(std::iter::repeat_n(place, source.len()));
    }
    shuffle(rng, &mut turns);
    let mut sources = sources.map(Vec::into_iter);
    turns.into_iter().filter_map(|place| sources[place].next()).collect()
}

fn pick<R: Rng, T: Copy>(rng: &mut R, values: &[T]) -> Option<T> {
    (!values.is_empty()).then(|| values[below(rng, values.len() as u32) as usize])
}
