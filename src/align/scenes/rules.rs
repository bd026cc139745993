//! Baseline rules for a model on scene files.
//!
//! Most rules ignore the user; two read the history alone.
//!
//! A rule scores each item of a list and picks the highest; equal scores share the pick, as in
//! [`crate::pipeline::audit`]. Rules over texts always apply; rules over ids only if the log is known.

use super::known::Known;
use super::set::SceneSet;
use crate::ids::ItemId;
use crate::pipeline::audit::share;
use crate::pipeline::scenes::TfIdf;
use std::collections::BTreeMap;

/// The number of latest items that item-kNN uses.
const RECENT: usize = 20;

/// The share with which a rule finds the real item of each scene; `None` if the rule is undefined or the list lacks the
/// real item.
pub(super) struct Ruled {
    pub name: &'static str,
    /// True if the rule ignores the user.
    pub is_user_free: bool,
    pub hits: Vec<Option<f64>>,
}

/// A score for each item of a list.
type Scores = Vec<f64>;

/// The hits of each rule. `known` has the log of each data set.
pub(super) fn rules(set: &SceneSet, known: &[Option<Known>]) -> Vec<Ruled> {
    let mut table = Table::new(set);
    let texts = Texts::new(set);
    for scene in 0..set.len() {
        table.texts(scene, &texts);
        if let Some(log) = &known[set.scenes[scene].dataset] {
            table.ids(scene, log);
        }
    }
    table.rules
}

struct Table<'a> {
    set: &'a SceneSet,
    rules: Vec<Ruled>,
}

impl<'a> Table<'a> {
    fn new(set: &'a SceneSet) -> Table<'a> {
        Table { set, rules: Vec::new() }
    }

    fn add(&mut self, name: &'static str, is_user_free: bool, scene: usize, scores: &Scores) {
        let of = &self.set.scenes[scene];
        if !of.holds_real() {
            return;
        }
        let place = self.rules.iter().position(|rule| rule.name == name).unwrap_or_else(|| {
            self.rules.push(Ruled { name, is_user_free, hits: vec![None; self.set.len()] });
            self.rules.len() - 1
        });
        self.rules[place].hits[scene] = Some(share(scores, of.record.item_pos));
    }

    fn texts(&mut self, scene: usize, texts: &Texts) {
        let list = &self.set.scenes[scene].record.text.action_list;
        let slots: Scores = (0..list.len()).map(|slot| slot as f64).collect();
        let lengths: Scores = list.iter().map(|text| text.chars().count() as f64).collect();
        let centre = texts.centre(scene);
        self.add("first slot", true, scene, &less(&slots));
        self.add("last slot", true, scene, &slots);
        self.add("shortest text", true, scene, &less(&lengths));
        self.add("longest text", true, scene, &lengths);
        self.add("word outlier", true, scene, &less(&centre));
        self.add("word centre", true, scene, &centre);
        self.add("words of the history", false, scene, &texts.like_history(scene));
    }

    fn ids(&mut self, scene: usize, log: &Known) {
        let of = &self.set.scenes[scene];
        let (Some(ids), Some(time)) = (self.set.items(scene), of.record.timestamp) else { return };
        let items: Option<Vec<ItemId>> = ids.iter().map(|id| log.item(id)).collect();
        let Some(items) = items else { return };
        let popular: Scores = items.iter().map(|&item| log.count(item, time.0) as f64).collect();
        let releases: Scores =
            items.iter().map(|&item| log.released(item).map_or(f64::NAN, |time| time as f64)).collect();
        let among = |item: ItemId| -> f64 {
            items.iter().filter(|&&other| other != item).map(|&other| log.cosine(item, other)).sum()
        };
        let centre: Scores = items.iter().map(|&item| among(item)).collect();
        self.add("least popular so far", true, scene, &less(&popular));
        self.add("popularity", true, scene, &popular);
        if releases.iter().any(|time| !time.is_nan()) {
            self.add("oldest", true, scene, &less(&releases));
            self.add("newest", true, scene, &releases);
        }
        self.add("list outlier", true, scene, &less(&centre));
        self.add("list centre", true, scene, &centre);
        let history = log.history(&of.record.user_id.to_string(), time.0);
        let recent = &history[history.len().saturating_sub(RECENT)..];
        let near = |item: ItemId| recent.iter().map(|row| log.cosine(item, row.item)).sum();
        self.add("item-kNN", false, scene, &items.iter().map(|&item| near(item)).collect());
    }
}

fn less(scores: &Scores) -> Scores {
    scores.iter().map(|score| -score).collect()
}

/// The words of all listed items and histories, each text once.
struct Texts {
    words: TfIdf,
    /// For each scene the indices of the items' texts, and that of the history.
    places: Vec<(Vec<u32>, u32)>,
}

impl Texts {
    fn new(set: &SceneSet) -> Texts {
        let (mut known, mut texts) = (BTreeMap::new(), Vec::new());
        let mut place = |text: &str| {
            *known.entry(text.to_owned()).or_insert_with(|| {
                texts.push(text.to_owned());
                texts.len() as u32 - 1
            })
        };
        let of = |text: &crate::pipeline::SceneText| {
            (text.action_list.iter().map(|item| place(item)).collect(), place(&text.history))
        };
        let places = set.scenes.iter().map(|scene| &scene.record.text).map(of).collect();
        Texts { words: TfIdf::of(&texts), places }
    }

    /// The similarity of each item's words to those of the others.
    fn centre(&self, scene: usize) -> Scores {
        let items = &self.places[scene].0;
        let sum = |slot: usize| {
            let others = items.iter().enumerate().filter(|&(other, _)| other != slot);
            others.map(|(_, &other)| f64::from(self.words.cosine(items[slot], other))).sum()
        };
        (0..items.len()).map(sum).collect()
    }

    /// The similarity of each item's words to those of the history.
    fn like_history(&self, scene: usize) -> Scores {
        let (items, history) = &self.places[scene];
        items.iter().map(|&item| f64::from(self.words.cosine(item, *history))).collect()
    }
}
