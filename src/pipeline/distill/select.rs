//! Selection of pairs.
//!
//! An order of the scenes, and a share for every (data set, list length) group.

use super::score::ScoredScene;
use crate::random::{Purpose, Streams, shuffle};
use std::collections::BTreeMap;

/// The order of scenes. `gap` is the paper's; the others are its ablations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Rank {
    /// Weak minus strong mean entropy, the largest first: the advantage of the strong model.
    #[default]
    Gap,
    /// A seeded shuffle.
    Random,
    /// Share of the strong model's decisions that hit, the largest first.
    Accuracy,
    /// The same, the smallest first.
    Inaccuracy,
    /// Instruction-following difficulty of the chosen decision, the largest first; unmeasured ones last.
    Ifd,
}

/// A group's part in the selection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The data set's name.
    pub dataset: String,
    /// Items in the lists.
    pub length: usize,
    /// Scenes that offer a pair.
    pub offered: usize,
    /// Selected pairs.
    pub kept: usize,
}

/// The indices of `scenes` in the order in which their pairs are written, and the groups.
///
/// Groups are served in the order of their key; each gets `ceil(its share of the scenes x keep)` pairs, at most as many
/// as it has and as remain of `keep`. Within a group the rank decides, and the original order among equals.
/// `difficulty` is called only for [`Rank::Ifd`].
pub(super) fn select(
    scenes: &[ScoredScene],
    difficulty: &[f64],
    rank: Rank,
    keep: usize,
    streams: Streams,
) -> (Vec<usize>, Vec<Group>) {
    let order = ranked(scenes, difficulty, rank, streams);
    let mut groups: BTreeMap<(&str, usize), Vec<usize>> = BTreeMap::new();
    for &place in &order {
        let scene = &scenes[place];
        groups.entry((&scene.measures.dataset, scene.measures.choice_cnt)).or_default().push(place);
    }
    let mut kept = Vec::with_capacity(keep.min(order.len()));
    let mut summary = Vec::with_capacity(groups.len());
    for ((dataset, length), members) in groups {
        let taken = if keep >= order.len() { members.len() } else { allotted(members.len(), order.len(), keep) };
        let taken = taken.min(members.len()).min(keep - kept.len());
        kept.extend_from_slice(&members[..taken]);
        summary.push(Group { dataset: dataset.to_owned(), length, offered: members.len(), kept: taken });
    }
    (kept, summary)
}

/// `ceil(share x keep)`, rounded as the paper's reference code rounds it: the share first, then the product.
fn allotted(members: usize, all: usize, keep: usize) -> usize {
    (members as f64 / all as f64 * keep as f64).ceil() as usize
}

/// The indices of the scenes that offer a pair, the best first.
fn ranked(scenes: &[ScoredScene], difficulty: &[f64], rank: Rank, streams: Streams) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scenes.len()).filter(|&place| scenes[place].pair.is_some()).collect();
    let value = |place: usize| match rank {
        Rank::Gap => scenes[place].measures.diff_model_uncertainty,
        Rank::Accuracy => scenes[place].accuracy,
        Rank::Inaccuracy => -scenes[place].accuracy,
        Rank::Ifd => difficulty.get(place).copied().unwrap_or(0.0),
        Rank::Random => 0.0,
    };
    if rank == Rank::Random {
        shuffle(&mut streams.derive(Purpose::Distillation, 0, 0), &mut order);
    } else {
        order.sort_by(|&a, &b| value(b).total_cmp(&value(a)));
    }
    order
}

#[cfg(test)]
mod tests {
    use super::super::score::{Pick, SceneMeasures};
    use super::*;
    use crate::language::Letter;
    use crate::pipeline::Strength;

    fn scene(dataset: &str, length: usize, gap: f64, accuracy: f64) -> ScoredScene {
        let pick = Pick { strength: Strength::Strong, place: 0, letter: Letter::of(0).expect("a letter") };
        ScoredScene {
            measures: SceneMeasures {
                dataset: dataset.to_owned(),
                cid: 0,
                choice_cnt: length,
                teacher_entropy: 0.0,
                student_entropy: 0.0,
                teacher_uncertainty: 0.0,
                student_uncertainty: 0.0,
                diff_all_uncertainty: 0.0,
                diff_model_uncertainty: gap,
                diff_data_uncertainty: 0.0,
                teacher_logloss: 0.0,
                student_logloss: 0.0,
            },
            accuracy,
            pair: Some((pick, pick)),
        }
    }

    fn streams() -> Streams {
        Streams::new(1, 0)
    }

    #[test]
    fn groups_are_served_in_order_with_ceilings_and_the_last_gets_what_remains() {
        let mut scenes: Vec<ScoredScene> = (0..4).map(|place| scene("b", 2, f64::from(place), 0.0)).collect();
        scenes.extend((0..3).map(|place| scene("a", 5, f64::from(place), 0.0)));
        scenes.extend((0..3).map(|place| scene("a", 3, f64::from(place), 0.0)));
        let (kept, groups) = select(&scenes, &[], Rank::Gap, 5, streams());
        // Shares of 5: a/3 = ceil(1.5) = 2, a/5 = ceil(1.5) = 2, b/2 = ceil(2.0) = 2, but only 1 remains.
        assert_eq!(groups.iter().map(|group| group.kept).collect::<Vec<_>>(), [2, 2, 1]);
        assert_eq!(kept, [9, 8, 6, 5, 3]);
    }

    #[test]
    fn more_than_there_is_takes_all() {
        let scenes =
            [scene("a", 2, 0.5, 0.0), scene("a", 2, 0.9, 0.0), ScoredScene { pair: None, ..scene("a", 2, 2.0, 1.0) }];
        let (kept, groups) = select(&scenes, &[], Rank::Gap, 100, streams());
        assert_eq!(kept, [1, 0]);
        assert_eq!((groups[0].offered, groups[0].kept), (2, 2));
        assert_eq!(select(&scenes, &[], Rank::Gap, 0, streams()).0, [0usize; 0]);
        assert_eq!(select(&[], &[], Rank::Gap, 5, streams()).0, [0usize; 0]);
    }

    #[test]
    fn the_other_ranks_rank_by_what_they_say() {
        let scenes: Vec<ScoredScene> = [0.2, 0.8, 0.5].iter().map(|&accuracy| scene("a", 2, 0.0, accuracy)).collect();
        let order = |rank| select(&scenes, &[3.0, 1.0, 2.0], rank, 3, streams()).0;
        assert_eq!(order(Rank::Accuracy), [1, 2, 0]);
        assert_eq!(order(Rank::Inaccuracy), [0, 2, 1]);
        assert_eq!(order(Rank::Ifd), [0, 2, 1]);
        assert_eq!(order(Rank::Gap), [0, 1, 2]);
        let many: Vec<ScoredScene> = (0..50).map(|_| scene("a", 2, 0.0, 0.0)).collect();
        let shuffled = |seed| select(&many, &[], Rank::Random, 50, Streams::new(seed, 0)).0;
        assert_eq!(shuffled(1), shuffled(1));
        assert_ne!(shuffled(1), shuffled(2));
        assert_ne!(shuffled(1), (0..50).collect::<Vec<_>>());
    }
}
