//! Figures from answers, for each group of scenes.

use super::answer::{Answer, Heard};
use super::answers::answers;
use super::bootstrap::Resamples;
use super::contender::Contender;
use super::group::{Group, groups, lists};
use super::known::Known;
use super::measures::{self, BINS, Measured, picks};
use super::outcome::{ContenderRecord, ReliabilityBin, SceneAlignment, SceneFigure, Scope};
use super::question::RATIOS;
use super::rules::{Ruled, rules};
use super::set::SceneSet;
use super::{Background, SceneOptions};
use crate::pipeline::audit::share;

/// The name of a figure without a model.
pub(super) const CHANCE: &str = "chance";

/// The inputs of all figures.
pub(super) struct Desk<'a> {
    pub set: &'a SceneSet,
    pub contenders: &'a [Contender<'a>],
    /// For each contender and scene.
    pub heard: &'a [Vec<Heard>],
    /// For each data set.
    pub known: &'a [Option<Known>],
    pub background: &'a Background<'a>,
    pub options: SceneOptions,
}

/// A chooser with its share of hits in each scene; `None` if it makes no choice.
struct Chooser {
    name: String,
    hits: Vec<Option<f64>>,
}

/// The figures of one group.
struct Page<'a> {
    group: &'a Group,
    resamples: Resamples,
    figures: Vec<SceneFigure>,
}

impl Page<'_> {
    fn add(&mut self, who: &str, measured: &Measured) {
        let group = self.group;
        if measured.columns.defined == 0 {
            return;
        }
        for (name, statistic) in &measured.statistics {
            let found = self.resamples.estimate(&measured.columns, statistic.as_ref());
            self.figures.push(SceneFigure {
                dataset: group.dataset.clone(),
                list: group.list.clone(),
                length: group.length,
                scope: group.scope,
                who: who.to_owned(),
                measure: name.clone(),
                scenes: measured.columns.defined,
                users: self.resamples.users(),
                estimate: found.value,
                low: found.low,
                high: found.high,
            });
        }
    }
}

impl Desk<'_> {
    /// All results.
    pub(super) fn alignment(&self, contenders: Vec<ContenderRecord>) -> SceneAlignment {
        let answered = |scene: &usize| self.heard.iter().all(|heard| heard[*scene].plain.is_some());
        let kept: Vec<usize> = (0..self.set.len()).filter(answered).collect();
        let lookup = self.background.lookup.filter(|_| self.background.is_trained);
        let unseen: Option<Vec<usize>> =
            lookup.map(|lookup| kept.iter().copied().filter(|&scene| lookup.is_unseen(scene)).collect());
        let ruled = rules(self.set, self.known);
        let choosers = self.choosers(&ruled);
        let mut all = groups(self.set, &kept, Scope::All);
        if let Some(unseen) = unseen.as_ref().filter(|unseen| !unseen.is_empty()) {
            all.extend(groups(self.set, unseen, Scope::Unseen));
        }
        let figures = all.iter().flat_map(|group| self.page(group, &choosers)).collect();
        let users = all.first().map_or(0, |group| self.resamples(group).users());
        let names: Vec<&str> = self.contenders.iter().map(|contender| contender.name.as_str()).collect();
        let name = |path: &std::path::PathBuf| path.file_name().map(|name| name.to_string_lossy().into_owned());
        SceneAlignment {
            version: env!("CARGO_PKG_VERSION"),
            model: self.contenders.first().map(|first| first.name.clone()).unwrap_or_default(),
            files: self.set.files.iter().filter_map(name).collect(),
            datasets: self.set.datasets.clone(),
            lists: lists(self.set),
            scenes: kept.len(),
            users,
            left_out: self.set.len() - kept.len(),
            unseen: unseen.map(|unseen| unseen.len()),
            seed: self.options.seed,
            repeats: self.options.repeats,
            top_p: self.options.top_p,
            contenders,
            notes: self.notes(&ruled),
            user_free: ruled.iter().filter(|rule| rule.is_user_free).map(|rule| rule.name.to_owned()).collect(),
            figures,
            reliability: self.reliability(&kept),
            policy_order: None,
            answers: answers(self.set, &names, self.heard, &kept),
        }
    }

    fn real(&self, scene: usize) -> usize {
        self.set.scenes[scene].record.item_pos
    }

    fn resamples(&self, group: &Group) -> Resamples {
        let users: Vec<usize> = group.scenes.iter().map(|&scene| self.set.scenes[scene].user).collect();
        Resamples::new(&users, self.options.seed)
    }

    /// The models, their controls, chance, and the rules, in the order of the table.
    fn choosers(&self, ruled: &[Ruled]) -> Vec<Chooser> {
        let hits = |heard: &[Heard], of: &dyn Fn(&Heard) -> Option<&Answer>| {
            let hit = |(scene, heard): (usize, &Heard)| Some(share(&of(heard)?.options, self.real(scene)));
            heard.iter().enumerate().map(hit).collect::<Vec<_>>()
        };
        let mut all = Vec::new();
        for (contender, heard) in self.contenders.iter().zip(self.heard) {
            let name = &contender.name;
            all.push(Chooser { name: name.clone(), hits: hits(heard, &|heard| heard.plain.as_ref()) });
            let swapped = hits(heard, &|heard| heard.swapped.as_ref());
            all.push(Chooser { name: format!("{name}, another user's memory"), hits: swapped });
            let frozen = hits(heard, &|heard| heard.frozen.as_ref());
            all.push(Chooser { name: format!("{name}, frozen memory"), hits: frozen });
        }
        let chance = self.set.scenes.iter().map(|scene| Some(1.0 / scene.record.options() as f64));
        all.push(Chooser { name: CHANCE.to_owned(), hits: chance.collect() });
        all.extend(ruled.iter().map(|rule| Chooser { name: rule.name.to_owned(), hits: rule.hits.clone() }));
        all
    }

    fn page(&self, group: &Group, choosers: &[Chooser]) -> Vec<SceneFigure> {
        let mut page = Page { group, resamples: self.resamples(group), figures: Vec::new() };
        for chooser in choosers {
            page.add(&chooser.name, &measures::accuracy(&chooser.hits, &group.scenes));
        }
        if let Some((own, others)) = choosers.split_first() {
            for other in others {
                page.add(&own.name, &measures::lead(&own.hits, &other.hits, &other.name, &group.scenes));
            }
        }
        for (contender, heard) in self.contenders.iter().zip(self.heard) {
            self.answers(&mut page, &contender.name, heard);
        }
        let even = |&scene: &usize| {
            let count = self.set.scenes[scene].record.options();
            Answer { options: vec![1.0 / count as f64; count], rating: None }
        };
        let even: Vec<Answer> = group.scenes.iter().map(even).collect();
        page.add(CHANCE, &measures::log_loss(even.iter().map(|answer| (Some(answer), 0))));
        page.figures
    }

    /// All figures of one model's answers.
    fn answers(&self, page: &mut Page<'_>, who: &str, heard: &[Heard]) {
        let scenes = &page.group.scenes.clone();
        let plain = |scene: usize| heard[scene].plain.as_ref();
        let rows = |of: &'static str| {
            let answer = move |&scene: &usize| match of {
                "swapped" => (heard[scene].swapped.as_ref(), self.real(scene)),
                "frozen" => (heard[scene].frozen.as_ref(), self.real(scene)),
                _ => (plain(scene), self.real(scene)),
            };
            scenes.iter().map(answer)
        };
        let SceneOptions { seed, repeats, top_p } = self.options;
        let drawn = |scene: usize| {
            Some(measures::sampled(seed, scene, &plain(scene)?.options, self.real(scene), repeats, top_p))
        };
        let drawn: Vec<Option<f64>> = (0..heard.len()).map(drawn).collect();
        let mut sampled = measures::accuracy(&drawn, scenes);
        sampled.statistics[0].0 = "accuracy of drawn answers".to_owned();
        page.add(who, &sampled);
        page.add(who, &measures::probability(rows("plain")));
        page.add(who, &measures::log_loss(rows("plain")));
        page.add(&format!("{who}, another user's memory"), &measures::log_loss(rows("swapped")));
        page.add(&format!("{who}, frozen memory"), &measures::log_loss(rows("frozen")));
        page.add(who, &measures::calibration(rows("plain")));
        self.biases(page, who, heard);
        let pairs: Vec<(&Heard, usize)> = scenes.iter().map(|&scene| (&heard[scene], self.real(scene))).collect();
        if let Some(turned) = measures::turned(&pairs) {
            page.add(who, &turned);
        }
        (0..RATIOS.len()).for_each(|place| page.add(who, &measures::discrimination(&pairs, place)));
        let rated = |&scene: &usize| {
            let shares = plain(scene)?.rating?;
            Some((shares, self.background.lookup?.rating(self.set, scene)?))
        };
        page.add(who, &measures::ratings(scenes.iter().map(rated)));
    }

    /// The positions and items chosen, against those that users took.
    fn biases(&self, page: &mut Page<'_>, who: &str, heard: &[Heard]) {
        let scenes = &page.group.scenes.clone();
        let longest = scenes.iter().map(|&scene| self.set.scenes[scene].record.choice_cnt).max().unwrap_or_default();
        let items = |scene: usize| {
            let mut chosen = picks(&heard[scene].plain.as_ref()?.options);
            chosen.truncate(self.set.scenes[scene].record.choice_cnt);
            Some(chosen)
        };
        let places = |&scene: &usize| Some((items(scene)?, self.real(scene)));
        page.add(who, &measures::positions(scenes.iter().map(places), longest));
        let rejects = |&scene: &usize| {
            let record = &self.set.scenes[scene].record;
            let options = &heard[scene].plain.as_ref()?.options;
            record.offers_none.then(|| (share(options, record.choice_cnt), record.item_pos == record.choice_cnt))
        };
        page.add(who, &measures::rejects(scenes.iter().map(rejects)));
        let none = |&scene: &usize| {
            let record = &self.set.scenes[scene].record;
            let probability = heard[scene].plain.as_ref()?.options.get(record.choice_cnt)?;
            record.offers_none.then_some((*probability, record.item_pos == record.choice_cnt))
        };
        page.add(who, &measures::reject_order(&scenes.iter().map(none).collect::<Vec<_>>()));
        page.add(who, &measures::popularity(scenes.iter().map(|&scene| self.ranks(scene, &items(scene)?))));
    }

    /// The popularity ranks of the chosen and of the real item; `None` if the list lacks it, the log is unknown, or no
    /// item is chosen.
    fn ranks(&self, scene: usize, chosen: &[f64]) -> Option<(f64, f64)> {
        let of = &self.set.scenes[scene];
        let log = self.known[of.dataset].as_ref()?;
        let ranks: Option<Vec<f64>> =
            self.set.items(scene)?.iter().map(|id| log.item(id).map(|item| log.rank(item))).collect();
        let ranks = ranks?;
        let picked: f64 = chosen.iter().sum();
        let mean = chosen.iter().zip(&ranks).map(|(pick, rank)| pick * rank).sum::<f64>() / picked;
        (of.holds_real() && picked > 0.0).then(|| (mean, ranks[of.record.item_pos]))
    }

    fn reliability(&self, kept: &[usize]) -> Vec<ReliabilityBin> {
        let mut bins = Vec::new();
        for (contender, heard) in self.contenders.iter().zip(self.heard) {
            let rows = kept.iter().map(|&scene| (heard[scene].plain.as_ref(), self.real(scene)));
            let sums = measures::calibration(rows).columns.total();
            for (place, bin) in sums.chunks_exact(3).enumerate().filter(|(_, bin)| bin[0] > 0.0) {
                bins.push(ReliabilityBin {
                    who: contender.name.clone(),
                    low: place as f64 / BINS as f64,
                    high: (place + 1) as f64 / BINS as f64,
                    scenes: bin[0] as usize,
                    confidence: bin[1] / bin[0],
                    accuracy: bin[2] / bin[0],
                });
            }
        }
        bins
    }

    /// Notes for the reader of these figures.
    fn notes(&self, ruled: &[Ruled]) -> Vec<String> {
        let mut notes = Vec::new();
        let without_ids = self.set.scenes.iter().filter(|scene| scene.record.items.is_none()).count();
        if without_ids > 0 {
            notes.push(format!(
                "{without_ids} of {} scenes have no `items`: popularity, item-kNN and other rules over ids do not see them",
                self.set.len()
            ));
        }
        let unknown = self.known.iter().zip(&self.set.datasets).filter(|(known, _)| known.is_none());
        notes.extend(unknown.map(|(_, name)| {
            format!("the log of {name} is not known (no --data, no raws/ beside the scenes, or no times): no popularity and no item-kNN")
        }));
        if !ruled.iter().any(|rule| rule.name == "item-kNN") && notes.is_empty() {
            notes.push("no listed item is in the log: popularity and item-kNN are undefined".to_owned());
        }
        notes
    }
}
