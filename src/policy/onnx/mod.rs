//! `onnx`: the scores of a neural network for the latest items.
//!
//! Any network that reads the user's latest items, oldest first, and scores every item of the catalogue: a folder with
//! a card and a graph that ONNX Runtime runs. The section "Rankers" of `models/README.md` is the contract; a folder
//! that differs from it, or was made for another catalogue, is refused. The network is not retrained; histories grow at
//! once, so an accepted item is read the next time. A user without history is a row of zeros.
//!
//! On MovieLens 100K (last fifth of each user held out) `models/sasrec` reaches an NDCG@10 of 0.231; `popular` has
//! 0.119, `item_knn` 0.192, `ials` 0.199, `ease` 0.203, `markov` 0.220.
//!
//! Users go through the graph in calls of a fixed number of rows, the last one padded with copies, so that a user's
//! scores depend on that user alone. They are cached until the user accepts something.

mod ranker;
mod ranker_card;

pub(crate) use self::ranker_card::note_on_kind;

use self::ranker::{ROWS, Ranker};
use super::{BuildPolicy, Histories, Policy, PolicyContext, PolicyError, Requests, Slates, rank_candidates};
use crate::ids::UserId;
use crate::log::EventBatch;
use crate::params::parameters;
use rayon::prelude::*;
use std::path::{Path, PathBuf};

/// The most scores in memory: 128 MiB. With more users, scores are recomputed for every slate.
const MOST_SCORES: usize = 1 << 25;

parameters! {
    /// the scores of a neural network for the latest items of a user (contract: models/README.md, Rankers;
    /// models/sasrec is Kang and McAuley 2018)
    pub struct OnnxParameters = "onnx" {
        /// folder of the ranker: its card and its graph
        path: PathBuf,
    }
}

impl BuildPolicy for OnnxParameters {
    fn build(self, context: &PolicyContext) -> Result<Box<dyn Policy>, PolicyError> {
        Ok(Box::new(Onnx::new(&self.path, context, MOST_SCORES)?))
    }
}

struct Onnx {
    ranker: Ranker,
    histories: Histories,
    /// True if the scores of all users are cached: row `u` of `scores` is then user `u`'s. Otherwise users are
    /// processed in parts, and row `r` is the part's user number `r`.
    keeps: bool,
    /// `[rows, items]`.
    scores: Vec<f32>,
    /// True for rows that match their user's history.
    fresh: Vec<bool>,
    /// The slates of one part.
    part: Slates,
}

impl Onnx {
    /// With at most `most` scores in memory, but at least those of one call of the graph.
    fn new(folder: &Path, context: &PolicyContext, most: usize) -> Result<Onnx, PolicyError> {
        let ranker = Ranker::load(folder, &context.catalogue).map_err(PolicyError::new)?;
        let (users, items) = (context.sources.len(), ranker.items());
        let keeps = users.saturating_mul(items) <= most;
        let rows = if keeps { users } else { (most / items.max(1)).max(ROWS) };
        Ok(Onnx {
            ranker,
            histories: Histories::new(context),
            keeps,
            scores: vec![0.0; rows * items],
            fresh: vec![false; rows],
            part: Slates::default(),
        })
    }

    /// The row of `scores` for the user with index `place` in the part.
    fn row(&self, place: usize, user: UserId) -> usize {
        if self.keeps { user.index() } else { place }
    }

    /// Updates the scores of these users.
    fn refresh(&mut self, users: &[UserId]) -> Result<(), PolicyError> {
        if !self.keeps {
            self.fresh.fill(false);
        }
        let rows = users.iter().enumerate().map(|(place, &user)| (self.row(place, user), user));
        let mut stale: Vec<(usize, UserId)> = rows.filter(|&(row, _)| !self.fresh[row]).collect();
        stale.sort_unstable();
        stale.dedup();
        let mut left = self.scores.chunks_exact_mut(self.ranker.items());
        let mut passed = 0;
        let mut targets = Vec::with_capacity(stale.len());
        for &(row, user) in &stale {
            targets.extend(left.nth(row - passed).map(|scores| (user, scores)));
            passed = row + 1;
        }
        let (ranker, histories) = (&self.ranker, &self.histories);
        let done: Vec<_> = targets.par_chunks_mut(ROWS).map(|users| ranker.score(users, histories)).collect();
        // The first failure in the order of users, whichever thread failed first.
        done.into_iter().collect::<Result<(), PolicyError>>()?;
        stale.iter().for_each(|&(row, _)| self.fresh[row] = true);
        Ok(())
    }
}

impl Policy for Onnx {
    fn recommend(&mut self, requests: &Requests<'_>, slates: &mut Slates) -> Result<(), PolicyError> {
        let items = self.ranker.items();
        if items == 0 {
            slates.reset(requests.len(), requests.slate);
            return Ok(());
        }
        slates.reset(0, requests.slate);
        let most = if self.keeps { requests.len() } else { self.fresh.len() };
        for first in (0..requests.len()).step_by(most.max(1)) {
            let part = requests.part(first..requests.len().min(first + most));
            self.refresh(part.users)?;
            let mut filled = std::mem::take(&mut self.part);
            let policy = &*self;
            filled.fill(&part, |request, slate| {
                let row = policy.row(request.row, request.user);
                rank_candidates(&request, &policy.scores[row * items..(row + 1) * items], slate);
            });
            slates.items.extend_from_slice(&filled.items);
            slates.scores.extend_from_slice(&filled.scores);
            self.part = filled;
        }
        slates.mark_certain();
        Ok(())
    }

    fn observe(&mut self, events: &EventBatch) -> Result<(), PolicyError> {
        let fresh = &mut self.fresh;
        let keeps = self.keeps;
        self.histories.observe(events, |user, _, _| {
            if keeps {
                fresh[user.index()] = false;
            }
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::sha256;
    use crate::onnx::testing_graphs::GraphBuilder;
    use crate::policy::PolicyKind;
    use crate::policy::testing::{World, has_runtime, mask, ranker_folder};

    /// A policy over one of the graphs of `tests/fixtures/ranker`, with `most` scores in memory.
    fn policy(graph: &str, context: &PolicyContext, most: usize) -> Onnx {
        let folder = ranker_folder(graph, &context.catalogue);
        Onnx::new(folder.path(), context, most).unwrap_or_else(|problem| panic!("{problem}"))
    }

    /// Slates of some ticks in which users accept some of the shown items.
    fn rollout(world: &World, policy: &mut Onnx) -> Vec<Slates> {
        let (users, blocked) = world.everyone();
        let one = |tick: u32| {
            // Other users ask at every tick.
            let some = |place: &usize| !(place + tick as usize).is_multiple_of(3);
            let places: Vec<usize> = (0..users.len()).filter(some).collect();
            let users: Vec<UserId> = places.iter().map(|&place| users[place]).collect();
            let blocked: Vec<Vec<u64>> = places.iter().map(|&place| blocked[place].clone()).collect();
            let slates = world.recommend(policy, tick, &users, &blocked);
            let events = world.respond(tick, &users, &slates, |user, item| (user.0 + item.0 + tick).is_multiple_of(2));
            policy.observe(&events).expect("a policy that learns");
            slates
        };
        (0..6).map(one).collect()
    }

    #[test]
    fn the_cache_changes_no_slate() {
        if !has_runtime() {
            return;
        }
        let world = World::new(70, 90).cloned(2);
        let base = rollout(&world, &mut policy("ranker", &world.context(), MOST_SCORES));
        for most in [0, 40 * 90, 140 * 90 - 1] {
            let mut policy = policy("ranker", &world.context(), most);
            assert!(!policy.keeps);
            for (tick, (found, wanted)) in rollout(&world, &mut policy).iter().zip(&base).enumerate() {
                assert_eq!(found.items, wanted.items, "{most} scores, tick {tick}");
                let bits = |slates: &Slates| slates.scores.iter().map(|score| score.to_bits()).collect::<Vec<_>>();
                assert_eq!(bits(found), bits(wanted), "{most} scores, tick {tick}");
            }
        }
    }

    #[test]
    fn histories_grow_at_once_and_ratings_count_where_the_graph_reads_them() {
        if !has_runtime() {
            return;
        }
        let world = World::with_log(3, 40, &[&[], &[], &[]]).slate(3);
        let top = |policy: &mut Onnx, tick: u32| {
            let slates = world.recommend(policy, tick, &world.users(), &vec![mask(40, &[]); 3]);
            slates.items.chunks(3).map(|row| row.iter().map(|item| item.0 % 2).collect()).collect::<Vec<Vec<u32>>>()
        };
        let policy_of = |graph: &str, rating: f32| {
            let mut policy = policy(graph, &world.context(), MOST_SCORES);
            let before = top(&mut policy, 0);
            assert_eq!(before[0], before[1], "nobody has a history");
            let mut events = world.accept(0, &[Some(8), Some(9), None]);
            events.ratings = vec![rating, rating, f32::NAN];
            policy.observe(&events).expect("a policy that learns");
            let after = top(&mut policy, 1);
            assert_eq!(after[2], before[2], "nothing happened to the third user");
            after
        };
        // The tables of the fixture distinguish even from odd items.
        assert_eq!(policy_of("ranker", 1.0)[..2], [[0; 3], [1; 3]]);
        assert_eq!(policy_of("rated", 5.0)[..2], [[0; 3], [1; 3]]);
        // A bad rating reverses the sign of an item there.
        assert_eq!(policy_of("rated", 1.0)[..2], [[1; 3], [0; 3]]);
        assert_eq!(policy_of("rated", f32::NAN)[..2], [[0; 3], [1; 3]], "no rating is no bad rating");
    }

    #[test]
    fn the_latest_items_are_last() {
        if !has_runtime() {
            return;
        }
        // The fixture reads 8 items and weights the newest most: of nine, the first is ignored.
        let long: Vec<u32> = (0..9).map(|place| if place == 0 { 1 } else { place * 2 }).collect();
        let world = World::with_log(3, 40, &[&long, &long[1..], &[2, 3]]).slate(4);
        let mut policy = policy("ranker", &world.context(), MOST_SCORES);
        let slates = world.recommend(&mut policy, 0, &world.users(), &vec![mask(40, &[]); 3]);
        assert_eq!(slates.scores[..4], slates.scores[4..8]);
        assert!(slates.items[8..].iter().all(|item| item.0 % 2 == 1), "{:?}", slates.items);
    }

    #[test]
    fn finds_the_planted_clusters() {
        if has_runtime() {
            assert!(World::new(60, 80).share_in_cluster("onnx", 0) > 0.8);
        }
    }

    #[test]
    fn a_score_that_is_no_number_ends_the_policy() {
        if !has_runtime() {
            return;
        }
        // The graph has no number for histories with item 40.
        let world = World::with_log(3, 50, &[&[1, 2], &[7, 40], &[40]]);
        let mut policy = policy("strange", &world.context(), MOST_SCORES);
        let failure = world.refusal(&mut policy, &world.users(), &vec![mask(50, &[]); 3]);
        assert_eq!(failure.user, Some(UserId(1)));
        assert!(failure.problem.contains("strange.onnx: `scores` is NaN for item 0"), "{}", failure.problem);
    }

    #[test]
    fn a_score_that_is_not_finite_ends_the_policy() {
        if !has_runtime() {
            return;
        }
        let world = World::with_log(3, 50, &[&[1, 2], &[7, 40], &[40]]);
        for (number, printed) in [(f32::INFINITY, "inf"), (f32::NEG_INFINITY, "-inf"), (f32::NAN, "NaN")] {
            let folder = ranker_folder("ranker", &world.context().catalogue);
            let path = folder.path().join("ranker.onnx");
            let before = sha256(&std::fs::read(&path).expect("a graph"));
            let graph = GraphBuilder::default()
                .input("history", &[-1, 8])
                .output("scores", &[-1, 50])
                .floats("w", &[8, 50], &[0.5; 400])
                .floats("forty", &[1], &[40.5])
                .floats("broken", &[1], &[number])
                .floats("whole", &[1], &[0.0])
                .ints("columns", &[1])
                .node("ReduceMax", &["history", "columns"], "most")
                .node("Greater", &["most", "forty"], "is_broken")
                .node("Where", &["is_broken", "broken", "whole"], "extra")
                .node("MatMul", &["history", "w"], "sum")
                .node("Add", &["sum", "extra"], "scores");
            graph.write(&path);
            let card = folder.path().join("card.toml");
            let text = std::fs::read_to_string(&card).expect("a card").replace(&before, &sha256(&graph.model()));
            std::fs::write(&card, text).expect("written");
            let mut policy = Onnx::new(folder.path(), &world.context(), MOST_SCORES).expect("a policy");
            let failure = world.refusal(&mut policy, &world.users(), &vec![mask(50, &[]); 3]);
            assert_eq!(failure.user, Some(UserId(1)));
            assert!(failure.problem.contains(&format!("`scores` is {printed} for item 0")), "{}", failure.problem);
        }
    }

    #[test]
    fn a_missing_folder_is_an_error_of_the_policy() {
        let mut table = toml::Table::new();
        table.insert("path".to_owned(), "/no/such/ranker".into());
        let context = World::new(3, 10).context();
        let problem = PolicyKind::of::<OnnxParameters>().build(&table, &context).err().expect("no policy").to_string();
        assert!(problem.contains("/no/such/ranker/card.toml") && problem.contains("a ranker is a folder"), "{problem}");
    }
}
