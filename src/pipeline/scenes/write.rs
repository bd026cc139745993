//! The writer of scene files, with their audit.

use super::ScenesError;
use super::build::Built;
use super::content::Texts;
use super::options::SceneOptions;
use super::plan::{Plan, Rows};
use super::raws::Raws;
use crate::dataset::{Moment, UserRow};
use crate::files::{FileError, JsonlWriter};
use crate::pipeline::audit::Audit;
use crate::pipeline::{SceneRecord, SceneText, Watch};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// Scenes whose texts are in memory at a time.
const CHUNK: usize = 512;

/// A scene that will be written.
pub(super) struct Chosen<'a> {
    pub(super) plan: &'a Plan,
    pub(super) built: &'a Built,
    /// The number of users who had taken each item of the list before the moment.
    pub(super) counts: Vec<u32>,
}

/// The sources of texts.
pub(super) struct Renderer<'a> {
    pub(super) name: &'a str,
    pub(super) raws: &'a Raws,
    pub(super) rows: &'a Rows,
    pub(super) users: &'a BTreeMap<u32, UserRow>,
    pub(super) dated: bool,
    pub(super) texts: &'a Texts,
    pub(super) options: &'a SceneOptions<'a>,
}

impl Renderer<'_> {
    /// Writes scenes in the given order and audits them.
    pub(super) fn write(
        &self,
        scenes: &[Chosen<'_>],
        writer: &mut JsonlWriter,
        watch: &dyn Watch,
    ) -> Result<Audit, ScenesError> {
        let mut audit = Audit::default();
        for chunk in scenes.chunks(CHUNK) {
            let records: Vec<SceneRecord> =
                chunk.par_iter().map(|scene| self.record(scene)).collect::<Result<_, ScenesError>>()?;
            for (scene, record) in chunk.iter().zip(&records) {
                writer.push(record)?;
                if scene.plan.shape.with_real {
                    self.examine(scene, record, &mut audit);
                }
            }
            watch.advance(chunk.len() as u64);
        }
        Ok(audit)
    }

    fn record(&self, scene: &Chosen<'_>) -> Result<SceneRecord, ScenesError> {
        let (draft, list) = (&scene.plan.draft, &scene.built.list);
        let (raws, templates) = (self.raws, &self.raws.templates);
        let now = self.dated.then_some(Moment(draft.clock));
        let gone = || FileError::whole(&raws.files.users, "a user's row is gone: the file changed while it was read");
        let profile = templates.profile(self.users.get(&draft.user).ok_or_else(gone)?)?;
        let mut history = Vec::with_capacity(scene.plan.history.len());
        for &line in &scene.plan.history {
            let done = self.rows.get(line, raws)?;
            let item = raws.items.get(&done.item_id);
            let gone = || FileError::line(&raws.files.interactions, line, "the file changed while it was read");
            history.push(templates.history(&raws.rows[item.ok_or_else(gone)? as usize], &done, now)?);
        }
        let shown = list.items.iter().map(|&item| templates.item(&raws.rows[item as usize], now));
        let record = SceneRecord {
            text: SceneText { profile, history: history.join("\n"), action_list: shown.collect::<Result<_, _>>()? },
            user_id: raws.users.external(draft.user).clone(),
            item_id: raws.items.external(draft.item).clone(),
            timestamp: now,
            item_pos: list.real,
            choice_cnt: list.items.len(),
            dataset: self.name.to_owned(),
            // If it were offered only when it is correct, its presence would be the answer.
            offers_none: self.options.reject_share > 0.0,
            builder: Some(scene.built.builder.to_owned()),
            items: Some(list.items.iter().map(|&item| raws.items.external(item).clone()).collect()),
        };
        match record.fault() {
            Some(fault) => Err(FileError::line(&raws.files.interactions, draft.line, fault).into()),
            None => Ok(record),
        }
    }

    fn examine(&self, scene: &Chosen<'_>, record: &SceneRecord, audit: &mut Audit) {
        let items = &scene.built.list.items;
        let slots = || (0..items.len()).map(|slot| slot as f64);
        let released = |item: &u32| match self.raws.released[*item as usize] {
            i64::MIN => f64::NAN,
            time => time as f64,
        };
        let among = |cosine: &dyn Fn(u32, u32) -> f32| -> Vec<f64> {
            let sum =
                |item: u32| items.iter().filter(|&&other| other != item).map(|&other| cosine(item, other)).sum::<f32>();
            items.iter().map(|&item| f64::from(sum(item))).collect()
        };
        let words = among(&|a, b| self.texts.words.cosine(a, b));
        let vectors: Vec<f64> = scene.built.centrality.iter().map(|&value| f64::from(value)).collect();
        let popular: Vec<f64> = scene.counts.iter().map(|&count| f64::from(count)).collect();
        let lengths: Vec<f64> = record.text.action_list.iter().map(|text| text.chars().count() as f64).collect();
        let releases: Vec<f64> = items.iter().map(released).collect();
        let less = |scores: &[f64]| scores.iter().map(|score| -score).collect();
        let mut rules: Vec<(&str, Vec<f64>)> = vec![
            ("first slot", slots().map(|slot| -slot).collect()),
            ("last slot", slots().collect()),
            ("shortest text", less(&lengths)),
            ("longest text", lengths),
            ("oldest", less(&releases)),
            ("newest", releases),
            ("least popular so far", less(&popular)),
            ("most popular so far", popular),
            ("word outlier", less(&words)),
            ("word centre", words),
            ("collaborative outlier", less(&vectors)),
            ("collaborative centre", vectors),
        ];
        if let Some(sentences) = &self.texts.sentences {
            let near = among(&|a, b| sentences.cosine(a, b));
            rules.extend([("sentence outlier", less(&near)), ("sentence centre", near)]);
        }
        for (rule, scores) in rules {
            audit.add(scene.built.builder, rule, &scores, scene.built.list.real);
        }
    }
}
