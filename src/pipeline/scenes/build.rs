//! From plans to lists: snapshot after snapshot, scenes in parallel.

use super::ScenesError;
use super::collaborative::Vectors;
use super::content::Content;
use super::log::Log;
use super::options::{BuilderKind, SceneOptions};
use super::plan::{Plan, Rows};
use super::popularity::Shelf;
use super::raws::Raws;
use super::scene_lists::{List, Situation, Sources};
use super::spill::Scratch;
use crate::dataset::{ExternalId, InteractionRow};
use crate::pipeline::Watch;
use crate::random::{Purpose, Streams};
use rayon::prelude::*;
use std::collections::HashSet;

/// The name of lists from the log itself.
pub(super) const IMPRESSION: &str = "impression";

/// A list with the audit's data about the moment at which it was built.
pub(super) struct Built {
    pub(super) list: List,
    pub(super) builder: &'static str,
    /// The similarity of each item to the others of the list, by the vectors of the snapshot.
    pub(super) centrality: Vec<f32>,
}

/// The inputs of lists, except the vectors of a snapshot.
pub(super) struct Workshop<'a> {
    pub(super) raws: &'a Raws,
    pub(super) log: &'a Log,
    pub(super) rows: &'a Rows,
    pub(super) content: Content<'a>,
    pub(super) options: &'a SceneOptions<'a>,
    /// The moments of the snapshots, ascending.
    pub(super) snapshots: &'a [i64],
    pub(super) scratch: &'a Scratch,
}

/// A list, or the reason why there is none.
pub(super) type Outcome = Result<Built, &'static str>;

impl Workshop<'_> {
    /// The list of each plan. A plan belongs to the latest snapshot that ends before it.
    pub(super) fn build(
        &self,
        plans: &[Plan],
        shelves: &[Shelf],
        watch: &dyn Watch,
    ) -> Result<Vec<Outcome>, ScenesError> {
        let snapshot_of = |plan: &Plan| self.snapshots.partition_point(|&moment| moment <= plan.draft.clock);
        let mut outcomes: Vec<Option<Outcome>> = plans.iter().map(|_| None).collect();
        for (place, &moment) in self.snapshots.iter().enumerate() {
            let mine: Vec<usize> = (0..plans.len()).filter(|&plan| snapshot_of(&plans[plan]) == place + 1).collect();
            if mine.is_empty() {
                continue;
            }
            let part = format!("of snapshot {} of {}", place + 1, self.snapshots.len());
            watch.begin(&format!("products for the vectors {part}"), 0);
            let holders = self.options.lists.has(BuilderKind::Anchored);
            let vectors = Vectors::before(self.log, self.raws.items.len(), moment, self.scratch, holders, watch)?;
            let longest = self.options.lengths.iter().map(|span| span.most).max().unwrap_or_default();
            let sources = Sources {
                items: self.raws.items.len() as u32,
                released: &self.raws.released,
                vectors: &vectors,
                content: &self.content,
                candidates: (3 * longest).max(32),
            };
            watch.begin(&format!("lists {part}"), mine.len() as u64);
            let built: Vec<Outcome> = mine
                .par_iter()
                .map(|&plan| {
                    let outcome = self.one(&plans[plan], &shelves[plan], &sources);
                    watch.advance(1);
                    outcome
                })
                .collect::<Result<_, ScenesError>>()?;
            mine.into_iter().zip(built).for_each(|(plan, outcome)| outcomes[plan] = Some(outcome));
        }
        Ok(outcomes.into_iter().map(|outcome| outcome.unwrap_or(Err("a scene before the first snapshot"))).collect())
    }

    fn one(&self, plan: &Plan, shelf: &Shelf, sources: &Sources<'_>) -> Result<Outcome, ScenesError> {
        let rows = self.log.of(plan.draft.user)?;
        let (earlier, now) = plan.split(&rows);
        let taken: Vec<u32> = earlier.iter().map(|row| row.item).collect();
        let blocked: HashSet<u32> = earlier.iter().chain(now).map(|row| row.item).collect();
        let situation = Situation {
            item: plan.draft.item,
            taken: &taken,
            blocked: &blocked,
            now: if self.log.dated { plan.draft.clock } else { i64::MAX },
            shelf,
        };
        let mut rng = Streams::new(self.options.seed, 0).derive(Purpose::SceneSampling, plan.draft.key, 2);
        let (builder, list) = if plan.draft.listed {
            let row = self.rows.get(plan.draft.line, self.raws)?;
            let list = match self.shown(plan, &row) {
                Ok(list) if !plan.shape.with_real => sources.without_real(&mut rng, list, &situation),
                outcome => outcome,
            };
            (IMPRESSION, list)
        } else {
            (plan.shape.kind.name(), sources.build(&mut rng, plan.shape, &situation))
        };
        Ok(list.map(|list| Built { centrality: centrality(&list, sources.vectors), list, builder }))
    }

    /// The list in the log.
    fn shown(&self, plan: &Plan, row: &InteractionRow) -> Result<List, &'static str> {
        let value = row.behavior_features.get("impression_list").cloned().unwrap_or_default();
        let ids: Vec<ExternalId> =
            serde_json::from_value(value).map_err(|_| "a row whose `impression_list` is no list of ids")?;
        let found: Option<Vec<u32>> = ids.iter().map(|id| self.raws.items.get(id)).collect();
        let items = found.ok_or("a row that shows an item without a row")?;
        let place = row.behavior_features.get("item_pos").and_then(serde_json::Value::as_u64);
        let place = place
            .and_then(|place| usize::try_from(place).ok())
            .filter(|&place| items.get(place) == Some(&plan.draft.item));
        let real = place.ok_or("a row whose `item_pos` is not the place of its item in `impression_list`")?;
        if items.iter().collect::<HashSet<_>>().len() != items.len() {
            return Err("a row that shows an item twice");
        }
        Ok(List { items, real })
    }
}

fn centrality(list: &List, vectors: &Vectors) -> Vec<f32> {
    let sum =
        |item: u32| list.items.iter().filter(|&&other| other != item).map(|&other| vectors.cosine(item, other)).sum();
    list.items.iter().map(|&item| sum(item)).collect()
}
