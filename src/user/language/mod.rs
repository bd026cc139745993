//! The language user.
//!
//! A causal language model reads a user's history and a slate, and returns the probabilities of option labels.
//! docs/research/fine-tuning.md describes how such a model is made.
//!
//! Two files of the model's folder, or built-in ones, turn a scene into a conversation: `template.toml` renders the
//! profile, the history and the list; `prompts.toml` orders them as system, profile, history, list, so that all except
//! the list comes first and is read once. The labels' probabilities are the choice; "none of these" is the last label
//! and means rejecting all. In `rationale` mode the model first writes a rationale, which the label follows.
//!
//! Texts are drawn from streams by user and tick, and an answer depends on its request alone; so rows are independent,
//! and neither threads nor chunks nor the cache change a bit.

mod ask;
mod memory;
mod ratings;
mod text;

use self::ratings::RatingPrior;
use self::text::{Lines, SceneTexts};
use super::{
    BuildUser, EMPTY_SLOT, Identity, Memorised, MemoryShape, RATINGS, Responses, UserContext, UserError, UserModel,
};
use crate::dataset::{Dataset, TrainingLog};
use crate::ids::{ItemId, LogUserId};
use crate::language::{LanguageError, LanguageModel, Letter, LocalModel, LocalOptions, PromptKind, Prompts, Sampling};
use crate::language::{PROMPTS_FILE, SceneText, TEMPLATE_FILE};
use crate::log::Decision;
use crate::params::{parameters, words};
use crate::scene::SceneBatch;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Tokens reserved for a label.
const LETTER_TOKENS: usize = 8;

words! {
    /// The text of a language user before the option label.
    pub enum LanguageMode {
        /// Nothing.
        Direct = "direct",
        /// The decision: why it acts as it does.
        Rationale = "rationale",
    }
}

parameters! {
    /// a causal language model in ONNX form that reads the history and the list; slates of 25 items at most.
    pub struct LanguageSpec = "language" {
        /// Folder of the model with its tokenizer and chat template, relative to the folder of this file; `make lm`
        /// makes the default one. Its `prompts.toml` and `template.toml`, if present, word the scenes.
        path: PathBuf = "../models/lm",
        /// The graph's file in that folder; empty means that of the model's card, else `model.onnx`. The `model.onnx`
        /// of `make lm` has 32-bit weights; without AVX-512 it reads half as fast again as the 8-bit one, writes
        /// slower, and takes two fifths more memory.
        graph: String = "",
        /// `direct` asks only for the option label; with `rationale` the model first writes a rationale, which is
        /// stored in the run's folder and takes many times as long.
        mode: LanguageMode = LanguageMode::Direct,
        /// The most entries of a user's history that the model reads. The older half of a full history is dropped at
        /// once, so that the cache of the rest can be used again.
        #[range(1..=1_000)]
        history: usize = 20,
        /// Rotations of the list whose probabilities are averaged (geometric mean), against position bias. With 1 the
        /// model is asked once. Each costs a question, and only `direct` can have more than 1.
        #[range(1..=25)]
        rotations: usize = 1,
        /// Divides the logits of a rationale's tokens; 0 takes the most likely.
        #[range(0.0..=10.0)]
        rationale_temperature: f64 = 1.0,
        /// A rationale's tokens are drawn from the smallest set with this probability.
        #[range(0.01..=1.0)]
        rationale_top_p: f64 = 0.9,
        /// The most tokens of a rationale; longer ones are cut off.
        #[range(1..=4_096)]
        rationale_tokens: usize = 160,
        /// Scenes on which the acceptance level is set; each takes as long as a step of a user.
        #[range(1..=100_000)]
        probe: usize = 64,
    }
}

impl BuildUser for LanguageSpec {
    fn build(self, context: &UserContext<'_>) -> Result<Arc<dyn UserModel>, UserError> {
        let UserContext { data, log, slate, chunk, cache, .. } = *context;
        Ok(Arc::new(LanguageUser::load(&self, data, log, slate, chunk, cache)?))
    }
}

impl LanguageSpec {
    /// How a rationale is drawn.
    fn sampling(&self) -> Sampling {
        Sampling {
            temperature: self.rationale_temperature,
            top_p: self.rationale_top_p,
            max_tokens: self.rationale_tokens,
        }
    }
}

/// See the module's documentation.
pub struct LanguageUser {
    spec: LanguageSpec,
    dataset: String,
    model: LocalModel,
    prompts: Prompts,
    kind: PromptKind,
    texts: SceneTexts,
    ratings: RatingPrior,
    identity: Identity,
    /// Scenes in one call of the model.
    chunk: usize,
    /// The most tokens of a question.
    room: usize,
    shortened: AtomicU64,
}

impl LanguageUser {
    /// Loads the model for one data set: `log` is the log before the start, `slate` the longest list. `chunk` scenes
    /// are asked together, and `cache_bytes` hold cached keys and values; neither changes an answer.
    ///
    /// # Errors
    /// A folder without a complete language model, prompts or templates that fail, a list with more options than
    /// labels.
    pub fn load(
        spec: &LanguageSpec,
        data: &Dataset,
        log: &TrainingLog,
        slate: usize,
        chunk: usize,
        cache_bytes: usize,
    ) -> Result<LanguageUser, UserError> {
        check(spec, data, slate)?;
        let options = LocalOptions {
            graph: Some(spec.graph.clone()).filter(|name| !name.is_empty()),
            cache_bytes,
            ..LocalOptions::default()
        };
        let model = LocalModel::load(&spec.path, &options)?;
        let own = |name: &str| model.text(name).map(str::to_owned);
        let prompts = match own(PROMPTS_FILE) {
            Some(text) => Prompts::parse(&text, &spec.path.join(PROMPTS_FILE))?,
            None => Prompts::load(None)?,
        };
        let texts = SceneTexts::new(own(TEMPLATE_FILE).as_deref(), &spec.path.join(TEMPLATE_FILE), data)?;
        let all = format!("{} {} {}", model.fingerprint(), prompts.digest(), texts.digest());
        let hash = blake3::hash(all.as_bytes()).to_hex()[..16].to_owned();
        let mut user = LanguageUser {
            identity: Identity { name: model.name().to_owned(), hash },
            dataset: data.name.clone(),
            kind: if spec.mode == LanguageMode::Direct { PromptKind::Letter } else { PromptKind::Decision },
            ratings: RatingPrior::new(log),
            spec: spec.clone(),
            chunk: chunk.max(1),
            room: 0,
            shortened: AtomicU64::new(0),
            model,
            prompts,
            texts,
        };
        user.room = user.room()?;
        Ok(user)
    }

    /// Scenes so far, including those of the probe, whose history was shortened because the text was too long.
    pub fn shortened_scenes(&self) -> u64 {
        self.shortened.load(Ordering::Relaxed)
    }

    /// The most tokens of a question, with room for the text after it.
    fn room(&self) -> Result<usize, UserError> {
        // The text between rationale and label; a few tokens more than it has alone, whatever is before it.
        let lead = self.model.count_text(&self.prompts.unfinished("")?.0.content)? + LETTER_TOKENS;
        let written = match self.spec.mode {
            LanguageMode::Direct => 0,
            // A text may be tokenised into more tokens than were written.
            LanguageMode::Rationale => self.spec.rationale_tokens + self.spec.rationale_tokens / 4,
        };
        let longest = self.model.longest_prompt();
        longest.checked_sub(lead + written).filter(|&room| room > 0).ok_or_else(|| {
            UserError::Setup(format!(
                "the model in {} reads at most {longest} tokens, and a rationale may take {written} of them; lower `user.rationale_tokens`",
                self.spec.path.display()
            ))
        })
    }

    /// The text of a scene, without the oldest part of the history if the text would be too long.
    fn scene(&self, row: &[f32], items: &[ItemId], now: Option<i64>) -> Result<SceneText, UserError> {
        let Lines { profile, history, list } = self.texts.lines(row, items, now)?;
        // In steps, so that the next scenes of this user begin alike.
        let step = self.spec.history.div_ceil(4);
        let mut first = 0;
        loop {
            let lines = history[first.min(history.len())..].join("\n");
            let scene = SceneText { profile: profile.clone(), history: lines, action_list: list.clone() };
            let count = self.model.count_tokens(&self.prompts.question(self.question(&scene), self.kind)?)?;
            if count <= self.room {
                self.shortened.fetch_add(u64::from(first > 0), Ordering::Relaxed);
                return Ok(scene);
            }
            if first >= history.len() {
                let problem = format!(
                    "a scene of {} items has {count} tokens without any history, and there is room for {}; lower `slate` or `user.rationale_tokens`, or take shorter texts",
                    items.len(),
                    self.room
                );
                return Err(LanguageError::Answer(problem).into());
            }
            first += step;
        }
    }

    /// Answers some rows of the batch.
    fn answer(&self, batch: &SceneBatch, rows: Range<usize>, out: &mut Responses) -> Result<(), UserError> {
        let shown = |row: usize| batch.items_of(row).iter().copied().filter(|item| item.is_some());
        // A user with an empty slate has no choice and needs no rationale.
        let asked: Vec<usize> = rows.clone().filter(|&row| shown(row).next().is_some()).collect();
        let scene = |&row: &usize| {
            let items: Vec<ItemId> = shown(row).collect();
            self.scene(batch.memory_of(row), &items, batch.times.get(row).copied())
        };
        let scenes = asked.iter().map(scene).collect::<Result<Vec<SceneText>, UserError>>()?;
        let thoughts = match self.spec.mode {
            LanguageMode::Direct => vec![String::new(); scenes.len()],
            LanguageMode::Rationale => self.thoughts(&scenes, batch, &asked)?,
        };
        let shares = self.shares(&scenes, &thoughts)?;
        let mut answers = asked.iter().zip(shares.into_iter().zip(thoughts)).peekable();
        for row in rows {
            let own = answers.next_if(|(asked, _)| **asked == row);
            let (shares, text) = own.map_or_else(|| (vec![1.0], String::new()), |(_, answer)| answer);
            self.write(batch, row, &shares, out);
            if self.spec.mode == LanguageMode::Rationale {
                let letters = shares.iter().map(|&share| share as f32).collect();
                out.decisions.push(Decision { text, letters });
            }
        }
        Ok(())
    }

    /// Writes the logits of one row; `shares` has an entry for each slot with an item, and last "none of these".
    fn write(&self, batch: &SceneBatch, row: usize, shares: &[f64], out: &mut Responses) {
        let slate = batch.slate;
        let choice = &mut out.choice[row * (slate + 1)..(row + 1) * (slate + 1)];
        let rating = &mut out.rating[row * slate * RATINGS..(row + 1) * slate * RATINGS];
        // An impossible option gets a tiny probability, so that its logit is finite.
        let mut logits = shares.iter().map(|share| libm::log(share.max(1e-30)) as f32);
        let tilt = self.ratings.tilt(batch.memory_of(row));
        let slots = batch.items_of(row).iter().zip(choice.iter_mut()).zip(rating.chunks_exact_mut(RATINGS));
        for ((&item, choice), rating) in slots {
            if item.is_some() {
                *choice = logits.next().unwrap_or(EMPTY_SLOT);
                self.ratings.write(item, tilt, rating);
            } else {
                *choice = EMPTY_SLOT;
                rating.fill(0.0);
            }
        }
        choice[slate] = logits.next().unwrap_or(0.0);
    }
}

/// Refuses settings that no model supports.
fn check(spec: &LanguageSpec, data: &Dataset, slate: usize) -> Result<(), UserError> {
    let most = Letter::MOST - 1;
    if slate > most {
        return Err(UserError::Setup(format!(
            "`slate` is {slate}, but a language user identifies options by labels: {most} items and \"none of these\" are the most"
        )));
    }
    if spec.mode == LanguageMode::Rationale && spec.rotations > 1 {
        return Err(UserError::Setup(format!(
            "`user.rotations` is {}, but a rationale speaks of one order of the list; set it to 1, or `user.mode` to `direct`",
            spec.rotations
        )));
    }
    for (what, count) in [("users", data.users.len()), ("items", data.items.len())] {
        if count >= memory::MOST {
            let problem =
                format!("{} has {count} {what}; a language user remembers at most {}", data.name, memory::MOST);
            return Err(UserError::Setup(problem));
        }
    }
    Ok(())
}

impl UserModel for LanguageUser {
    fn kind(&self) -> &'static str {
        "language"
    }

    /// Ratings come from the log.
    fn rates(&self) -> bool {
        false
    }

    fn memory(&self) -> MemoryShape {
        let width = memory::width(self.spec.history);
        MemoryShape { read: width, total: width }
    }

    fn start(&self, users: &[LogUserId], memory: &mut [f32]) -> Result<(), UserError> {
        let rows = memory.chunks_exact_mut(memory::width(self.spec.history));
        users.iter().zip(rows).for_each(|(&user, row)| memory::start(row, user));
        Ok(())
    }

    fn update(&self, memories: &mut [&mut [f32]], events: &[Memorised]) -> Result<(), UserError> {
        memories.iter_mut().zip(events).for_each(|(row, event)| memory::push(row, event));
        Ok(())
    }

    fn respond(&self, scenes: &SceneBatch, out: &mut Responses) -> Result<(), UserError> {
        out.resize(scenes.len(), scenes.slate);
        for first in (0..scenes.len()).step_by(self.chunk) {
            self.answer(scenes, first..scenes.len().min(first + self.chunk), out)?;
        }
        Ok(())
    }

    fn identity(&self) -> Option<&Identity> {
        Some(&self.identity)
    }

    fn probe_scenes(&self) -> usize {
        self.spec.probe
    }

    fn shortened_scenes(&self) -> u64 {
        LanguageUser::shortened_scenes(self)
    }
}
