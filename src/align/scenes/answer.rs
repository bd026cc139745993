//! Predictors: one trait over language models and user models.

use super::AlignError;
use super::question::{Question, Variation};
use super::set::SceneSet;
use crate::files::Watch;
use crate::language::{LanguageError, LanguageModel, LetterRequest};
use crate::pipeline::{PromptKind, Prompts, SceneRecord};
use crate::user::RATINGS;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Memories whose questions are asked together. The first question of each memory is answered first, so the others find
/// the start of their text in the cache; more memories would evict each other from a language model's cache.
const TOGETHER: usize = 32;

/// The answer of a model to one question.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The probability of each option: the items, then "none of these" if it is offered. They sum to 1.
    pub options: Vec<f64>,
    /// The probability of each rating of the real item, if it were taken.
    pub rating: Option<[f64; RATINGS]>,
}

/// The answers to some questions, and the fate of the others.
#[derive(Debug, Default)]
pub struct Answers {
    /// In the order of the questions.
    pub(crate) given: Vec<Option<Answer>>,
    /// The reason why the first unanswered question has no answer.
    pub(crate) first_failure: Option<(usize, String)>,
}

/// A model that answers questions about scenes.
pub(crate) trait Answerer {
    /// Answers all questions.
    fn answer(&self, set: &SceneSet, questions: &[Question], watch: &dyn Watch) -> Result<Answers, AlignError>;

    /// True if a history can end early.
    fn can_freeze(&self) -> bool;
}

/// A language model that answers with the option label.
pub(crate) struct Speaker<'a> {
    pub model: &'a dyn LanguageModel,
    pub prompts: &'a Prompts,
    /// For each scene the history up to the held-out part of the log, if known.
    pub frozen: Option<&'a [String]>,
    pub stop: &'a AtomicBool,
}

impl Speaker<'_> {
    fn request(&self, set: &SceneSet, question: &Question) -> Result<LetterRequest, AlignError> {
        let record = self.record(set, question);
        let mut messages = self.prompts.question(&record, PromptKind::Letter)?;
        let (unfinished, said) = self.prompts.unfinished("")?;
        messages.push(unfinished);
        Ok(LetterRequest { messages, options: record.options(), items: record.text.action_list.len(), said })
    }

    /// The scene in the form that the model reads.
    fn record(&self, set: &SceneSet, question: &Question) -> SceneRecord {
        let mut record = set.scenes[question.scene].record.clone();
        let memory = &set.scenes[question.memory].record.text;
        record.text.profile.clone_from(&memory.profile);
        record.text.history.clone_from(match (question.is_frozen(), self.frozen) {
            (true, Some(frozen)) => &frozen[question.scene],
            _ => &memory.history,
        });
        let text = |of: &super::question::Shown| set.scenes[of.scene].record.text.action_list[of.slot].clone();
        record.text.action_list = question.items.iter().map(text).collect();
        record.choice_cnt = question.items.len();
        record.offers_none = question.offers_none;
        record
    }

    /// Asks the questions with these indices.
    fn ask(
        &self,
        set: &SceneSet,
        questions: &[Question],
        places: &[usize],
        found: &Mutex<Answers>,
        watch: &dyn Watch,
    ) -> Result<(), AlignError> {
        let requests: Vec<LetterRequest> =
            places.iter().map(|&place| self.request(set, &questions[place])).collect::<Result<_, _>>()?;
        let arrived = |at: usize, answer: Result<Vec<f64>, LanguageError>| {
            let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
            let usable = answer.map_err(|problem| problem.to_string()).and_then(|options| {
                let fits = options.len() == requests[at].options && options.iter().all(|share| share.is_finite());
                if fits { Ok(options) } else { Err("the probabilities are no numbers".to_owned()) }
            });
            match usable {
                Ok(options) => found.given[places[at]] = Some(Answer { options, rating: None }),
                Err(problem) => found.fail(places[at], problem),
            }
            watch.advance(1);
        };
        self.model.letters(&requests, &arrived)?;
        if self.stop.load(Ordering::Relaxed) { Err(AlignError::Stopped) } else { Ok(()) }
    }
}

impl Answers {
    pub(super) fn none(count: usize) -> Answers {
        Answers { given: vec![None; count], first_failure: None }
    }

    /// Records a failure; the failure of the earliest question is reported.
    fn fail(&mut self, place: usize, problem: String) {
        if self.first_failure.as_ref().is_none_or(|first| place < first.0) {
            self.first_failure = Some((place, problem));
        }
    }
}

impl Answerer for Speaker<'_> {
    fn answer(&self, set: &SceneSet, questions: &[Question], watch: &dyn Watch) -> Result<Answers, AlignError> {
        let found = Mutex::new(Answers::none(questions.len()));
        let places: Vec<usize> = (0..questions.len()).collect();
        // A frozen history is a different text: it shares only the profile with the user's own.
        let alike = |a: &usize, b: &usize| questions[*a].memory == questions[*b].memory;
        let memories: Vec<&[usize]> = places.chunk_by(alike).collect();
        for memories in memories.chunks(TOGETHER) {
            let first: Vec<usize> = memories.iter().filter_map(|places| places.first()).copied().collect();
            let rest: Vec<usize> = memories.iter().flat_map(|places| places.iter().skip(1)).copied().collect();
            for places in [first, rest] {
                if !places.is_empty() {
                    self.ask(set, questions, &places, &found, watch)?;
                }
            }
        }
        Ok(found.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    fn can_freeze(&self) -> bool {
        self.frozen.is_some()
    }
}

/// The answers to the questions of one scene, by variation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard {
    pub plain: Option<Answer>,
    pub swapped: Option<Answer>,
    pub frozen: Option<Answer>,
    /// By the rotation of the list, from 1.
    pub turned: Vec<Option<Answer>>,
    /// In the order of [`super::question::RATIOS`], with the position of the real item.
    pub ratios: [Option<(usize, Answer)>; 4],
}

/// Sorts answers by scene.
pub(crate) fn by_scene(set: &SceneSet, questions: &[Question], answers: Answers) -> Vec<Heard> {
    let mut heard = vec![Heard::default(); set.len()];
    for (question, answer) in questions.iter().zip(answers.given) {
        let of = &mut heard[question.scene];
        match question.variation {
            Variation::Plain => of.plain = answer,
            Variation::Swapped => of.swapped = answer,
            Variation::Frozen => of.frozen = answer,
            Variation::Turned(by) => {
                if of.turned.len() < by {
                    of.turned.resize(by, None);
                }
                of.turned[by - 1] = answer;
            }
            Variation::Ratio(negatives) => {
                let place = super::question::RATIOS.iter().position(|&ratio| ratio == negatives);
                of.ratios[place.unwrap_or_default()] = answer.map(|answer| (question.real, answer));
            }
        }
    }
    heard
}
