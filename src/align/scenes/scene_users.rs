//! A user model that reads ids.
//!
//! Looks scenes up in the data set; the memory is the user's earlier history.

use super::AlignError;
use super::answer::{Answer, Answerer, Answers};
use super::question::Question;
use super::set::SceneSet;
use crate::dataset::{Catalogue, Dataset, TrainingLog};
use crate::files::Watch;
use crate::ids::{ItemId, LogUserId};
use crate::scene::{CONTEXT, LogClock, SceneBatch};
use crate::user::{EMPTY_SLOT, RATINGS, Responses, UserModel, memories_at, softmax};
use std::collections::BTreeMap;

/// Scenes in a data set.
pub struct Lookup<'a> {
    data: &'a Dataset,
    catalogue: Catalogue,
    whole: TrainingLog,
    /// The training data of the model.
    before: &'a TrainingLog,
    /// For each scene the user, and the number of the user's earlier interactions.
    moments: Vec<(LogUserId, usize)>,
    /// For each scene the number of the user's interactions before the first scene.
    begins: Vec<(LogUserId, usize)>,
    items: Vec<Vec<ItemId>>,
    /// For each scene the time in seconds.
    times: Vec<i64>,
}

impl<'a> Lookup<'a> {
    /// Finds the scenes of `set` in `data`; models were trained on `before`.
    ///
    /// # Errors
    /// When scenes come from several data sets, lack ids or times, or have ids that are not in the data set.
    pub fn new(set: &SceneSet, data: &'a Dataset, before: &'a TrainingLog) -> Result<Lookup<'a>, AlignError> {
        if set.datasets.len() > 1 {
            return Err(AlignError::Unfit(format!(
                "the scenes are of {} data sets ({}), but {} is one; give the files of one data set alone",
                set.datasets.len(),
                set.datasets.join(", "),
                data.name
            )));
        }
        let whole = data.log();
        let mut found = Lookup {
            data,
            catalogue: Catalogue::of(data),
            whole,
            before,
            moments: Vec::new(),
            begins: Vec::new(),
            items: Vec::new(),
            times: Vec::new(),
        };
        for scene in 0..set.len() {
            found.add(set, scene)?;
        }
        Ok(found)
    }

    fn add(&mut self, set: &SceneSet, scene: usize) -> Result<(), AlignError> {
        let record = &set.scenes[scene].record;
        if record.timestamp.is_none() {
            let problem = format!(
                "the scene has no time, so the earlier interactions of its user in {} are unknown; measure a model \
                 that knows ids on the data set itself: `recmirror align MODEL DATA`",
                self.data.name
            );
            return Err(set.error(scene, problem));
        }
        let lacks = |what: &str| {
            let name = &self.data.name;
            format!("the scene has no {what}: a model that knows ids cannot find it in {name}")
        };
        let ids = set.items(scene).ok_or_else(|| {
            let problem = lacks("`items` (the ids of the listed items)");
            set.error(scene, problem + "; make the scenes again with `recmirror scenes`")
        })?;
        let time = record.timestamp.ok_or_else(|| set.error(scene, lacks("`timestamp`")))?.0;
        let name = &self.data.name;
        let user = record.user_id.to_string();
        let user = self.data.users.get(&user).map(LogUserId);
        let user = user.ok_or_else(|| set.error(scene, format!("user {} is not in {name}", record.user_id)))?;
        let item = |id: &String| {
            let item = self.data.items.get(id).map(ItemId);
            item.ok_or_else(|| set.error(scene, format!("item {id} is not in {name}")))
        };
        let items = ids.iter().map(item).collect::<Result<Vec<_>, _>>()?;
        let rows = self.whole.of(user);
        let begin = set.begins[set.scenes[scene].dataset].unwrap_or(time);
        self.moments.push((user, rows.partition_point(|row| row.time < time)));
        self.begins.push((user, rows.partition_point(|row| row.time < begin)));
        self.items.push(items);
        self.times.push(time);
        Ok(())
    }

    /// True if a scene follows the models' training data of its user.
    pub(crate) fn is_unseen(&self, scene: usize) -> bool {
        let (user, position) = self.moments[scene];
        position >= self.before.of(user).len()
    }

    /// The user's rating of the real item of a scene, rounded to a class from 1.
    pub(crate) fn rating(&self, set: &SceneSet, scene: usize) -> Option<usize> {
        let (user, position) = self.moments[scene];
        let place = set.scenes[scene].record.item_pos;
        let item = self.items[scene].get(place)?;
        let rows = &self.whole.of(user)[position..];
        let row = rows.iter().take_while(|row| row.time == self.times[scene]).find(|row| row.item == *item)?;
        row.rating.is_finite().then(|| row.rating.round().clamp(1.0, RATINGS as f32) as usize)
    }
}

/// A user model with the scenes that it answers.
pub(crate) struct SceneUser<'a> {
    pub model: &'a dyn UserModel,
    pub lookup: &'a Lookup<'a>,
}

impl SceneUser<'_> {
    fn batch(&self, questions: &[&Question], memories: [&[f32]; 2], clock: &LogClock) -> SceneBatch {
        let (width, slate) = (self.model.memory().read, questions.first().map_or(1, |first| first.items.len()));
        let mut scenes = SceneBatch::default();
        scenes.reset(questions.len(), slate, width);
        for (row, question) in questions.iter().enumerate() {
            let memory = memories[usize::from(question.is_frozen())];
            let own = &memory[question.memory * width..(question.memory + 1) * width];
            scenes.memory[row * width..(row + 1) * width].copy_from_slice(own);
            for (slot, shown) in question.items.iter().enumerate() {
                let (at, item) = (row * slate + slot, self.lookup.items[shown.scene][shown.slot]);
                scenes.items[at] = item;
                let context = clock.context(&self.lookup.catalogue, item, self.lookup.times[question.scene]);
                scenes.context[at * CONTEXT..(at + 1) * CONTEXT].copy_from_slice(&context);
            }
        }
        scenes
    }
}

impl Answerer for SceneUser<'_> {
    fn answer(&self, _: &SceneSet, questions: &[Question], watch: &dyn Watch) -> Result<Answers, AlignError> {
        let own = memories_at(self.model, &self.lookup.whole, &self.lookup.moments)?;
        let frozen = memories_at(self.model, &self.lookup.whole, &self.lookup.begins)?;
        let clock = LogClock::new(self.lookup.before);
        let mut by_length: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (place, question) in questions.iter().enumerate() {
            by_length.entry(question.items.len()).or_default().push(place);
        }
        let mut answers = Answers::none(questions.len());
        for (slate, places) in by_length {
            let asked: Vec<&Question> = places.iter().map(|&place| &questions[place]).collect();
            let mut responses = Responses::default();
            self.model.respond(&self.batch(&asked, [&own, &frozen], &clock), &mut responses)?;
            let choices = responses.choice.chunks_exact_mut(slate + 1);
            for (row, (choice, rating)) in choices.zip(responses.rating.chunks_exact_mut(slate * RATINGS)).enumerate() {
                let question = asked[row];
                if !question.offers_none {
                    choice[slate] = EMPTY_SLOT;
                }
                if !softmax(choice) {
                    let kind = self.model.kind();
                    return Err(crate::user::UserError::NotFinite { kind, row: question.scene }.into());
                }
                let options = &choice[..slate + usize::from(question.offers_none)];
                let options = options.iter().map(|&share| f64::from(share)).collect();
                let real = rating.chunks_exact_mut(RATINGS).nth(question.real);
                answers.given[places[row]] = Some(Answer { options, rating: real.and_then(classes) });
            }
            watch.advance(places.len() as u64);
        }
        Ok(answers)
    }

    fn can_freeze(&self) -> bool {
        true
    }
}

/// Probabilities of the ratings from their logits.
fn classes(logits: &mut [f32]) -> Option<[f64; RATINGS]> {
    let is_finite = softmax(logits);
    let mut shares = [0.0; RATINGS];
    shares.iter_mut().zip(logits.iter()).for_each(|(share, &value)| *share = f64::from(value));
    is_finite.then_some(shares)
}
