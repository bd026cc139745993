//! Questions to the language model, in order.

use super::{LETTER_TOKENS, LanguageUser};
use crate::language::{
    Completion, CompletionRequest, Draws, LanguageError, LanguageModel, LetterRequest, PromptKind, Question, Sampling,
    SceneText, rationale,
};
use crate::random::{Purpose, Streams};
use crate::scene::SceneBatch;
use crate::user::UserError;
use std::sync::{Mutex, PoisonError};

impl LanguageUser {
    /// The probabilities of the labels for each scene: those of its items in order, then "none of these". A scene comes
    /// with its rationale, and may be asked in several rotations of its list.
    ///
    /// Rotations are combined by the geometric mean. Position bias adds to a label's logit; when each item was at each
    /// position once, the bias adds the same to all of them and cancels.
    pub(super) fn shares(&self, scenes: &[SceneText], thoughts: &[String]) -> Result<Vec<Vec<f64>>, UserError> {
        let mut requests = Vec::with_capacity(scenes.len() * self.spec.rotations);
        for (scene, thought) in scenes.iter().zip(thoughts) {
            for shift in self.shifts(scene.action_list.len()) {
                let mut turned = scene.clone();
                turned.action_list.rotate_left(shift);
                requests.push(self.letter_request(&turned, thought)?);
            }
        }
        let answers = gather(requests.len(), |arrived| self.model.letters(&requests, arrived))?;
        let mut answers = answers.into_iter();
        let mean = |scene: &SceneText| {
            let items = scene.action_list.len();
            let shifts = self.shifts(items);
            let turned: Vec<(usize, Vec<f64>)> = shifts.into_iter().zip(answers.by_ref()).collect();
            geometric_mean(items, &turned)
        };
        Ok(scenes.iter().map(mean).collect())
    }

    /// Rationales before the choice, one text for each scene; `rows` are the scenes' rows in `batch`.
    pub(super) fn thoughts(
        &self,
        scenes: &[SceneText],
        batch: &SceneBatch,
        rows: &[usize],
    ) -> Result<Vec<String>, UserError> {
        let mut requests = Vec::with_capacity(scenes.len());
        for (scene, &row) in scenes.iter().zip(rows) {
            let (draws, sampling) = self.draws(batch, row);
            let messages = self.prompts.question(self.question(scene), PromptKind::Decision)?;
            requests.push(CompletionRequest { messages, samples: 1, sampling, draws });
        }
        let answers = gather(requests.len(), |arrived| self.model.complete(&requests, arrived))?;
        let text = |answer: &Vec<Completion>| answer.first().map(|answer| rationale(&answer.text).to_owned());
        let texts = answers.iter().map(|answer| text(answer).unwrap_or_default());
        scenes.iter().zip(texts).map(|(scene, text)| self.cut(scene, text)).collect()
    }

    /// A rationale that leaves room for the label. One within its limit may still be too long, because its text may be
    /// tokenised into more tokens than were written. Then its end is cut.
    fn cut(&self, scene: &SceneText, mut thought: String) -> Result<String, UserError> {
        let most = self.model.longest_prompt() - LETTER_TOKENS;
        let question = self.prompts.question(self.question(scene), self.kind)?;
        loop {
            let mut messages = question.clone();
            messages.push(self.prompts.unfinished(&thought)?.0);
            let over = self.model.count_tokens(&messages)?.saturating_sub(most);
            if over == 0 || thought.is_empty() {
                return Ok(thought);
            }
            let letters: Vec<usize> = thought.char_indices().map(|(at, _)| at).collect();
            let kept = thought[..letters[letters.len().saturating_sub(over)]].trim_end().len();
            thought.truncate(kept);
        }
    }

    /// The draws of a row. A batch without draws, such as one of the oracle, gets the most likely text.
    fn draws(&self, batch: &SceneBatch, row: usize) -> (Draws, Sampling) {
        match batch.draws.zip(batch.users.get(row)) {
            Some((from, user)) => {
                let id = u64::from(user.0);
                let draws = Draws { streams: from.streams, purpose: from.purpose, id, first: from.tick };
                (draws, self.spec.sampling())
            }
            None => {
                let draws = Draws { streams: Streams::new(0, 0), purpose: Purpose::Rationale, id: 0, first: 0 };
                (draws, Sampling { temperature: 0.0, ..self.spec.sampling() })
            }
        }
    }

    pub(super) fn question<'a>(&'a self, text: &'a SceneText) -> Question<'a> {
        Question { dataset: &self.dataset, text, offers_none: true }
    }

    fn letter_request(&self, scene: &SceneText, thought: &str) -> Result<LetterRequest, UserError> {
        let question = self.question(scene);
        let options = question.options();
        let mut messages = self.prompts.question(question, self.kind)?;
        let (unfinished, said) = self.prompts.unfinished(thought)?;
        messages.push(unfinished);
        Ok(LetterRequest { messages, options, items: scene.action_list.len(), said })
    }

    /// The rotation of the list for each question.
    fn shifts(&self, items: usize) -> Vec<usize> {
        let rotations = self.spec.rotations.clamp(1, items.max(1));
        (0..rotations).map(|number| number * items / rotations).collect()
    }
}

/// The means of the items' probabilities over rotations, and of the last label's, scaled to sum to 1.
fn geometric_mean(items: usize, turned: &[(usize, Vec<f64>)]) -> Vec<f64> {
    if let [(0, shares)] = turned {
        return shares.clone();
    }
    let mut logs = vec![0.0; items + 1];
    for (shift, shares) in turned {
        for (place, share) in shares.iter().enumerate() {
            let option = if place < items { (place + shift) % items } else { items };
            logs[option] += libm::log(share.max(f64::MIN_POSITIVE)) / turned.len() as f64;
        }
    }
    let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let means: Vec<f64> = logs.iter().map(|log| libm::exp(log - most)).collect();
    let total: f64 = means.iter().sum();
    means.into_iter().map(|mean| mean / total).collect()
}

/// The answers in the order of the requests.
///
/// The model has threads of its own. A worker of the pool that runs the trials must block here: if it looked for other
/// work meanwhile, as workers do, it would begin one trial inside another until its stack overflows.
fn gather<T: Send>(
    count: usize,
    ask: impl FnOnce(&(dyn Fn(usize, Result<T, LanguageError>) + Sync)) -> Result<(), LanguageError> + Send,
) -> Result<Vec<T>, LanguageError> {
    let found: Mutex<Vec<Option<Result<T, LanguageError>>>> = Mutex::new((0..count).map(|_| None).collect());
    let arrived = |place: usize, outcome: Result<T, LanguageError>| {
        let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = found.get_mut(place) {
            *slot = Some(outcome);
        }
    };
    let asked = std::thread::scope(|scope| scope.spawn(|| ask(&arrived)).join());
    match asked {
        Ok(outcome) => outcome?,
        Err(panic) => std::panic::resume_unwind(panic),
    }
    let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    found.into_iter().map(|outcome| outcome.unwrap_or(Err(LanguageError::Stopped))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: &[f64], wanted: &[f64]) {
        assert_eq!(found.len(), wanted.len());
        let same = found.iter().zip(wanted).all(|(found, wanted)| (found - wanted).abs() < 1e-12);
        assert!(same, "{found:?} and not {wanted:?}");
    }

    /// The probabilities of a model whose label weights by position multiply those of the options.
    fn said(places: &[f64], options: &[f64], shift: usize) -> (usize, Vec<f64>) {
        let items = options.len() - 1;
        let option = |place: usize| if place < items { (place + shift) % items } else { items };
        let weights: Vec<f64> = places.iter().enumerate().map(|(place, bias)| bias * options[option(place)]).collect();
        let total: f64 = weights.iter().sum();
        (shift, weights.into_iter().map(|weight| weight / total).collect())
    }

    #[test]
    fn all_rotations_take_the_liking_for_places_away() {
        let options = [0.1, 0.2, 0.3, 0.4];
        let turned: Vec<_> = (0..3).map(|shift| said(&[5.0, 1.0, 0.2, 1.0], &options, shift)).collect();
        near(&geometric_mean(3, &turned), &options);
        // A single rotation returns the model's probabilities.
        let (_, shares) = &turned[0];
        near(&geometric_mean(3, &turned[..1]), shares);
        assert!(shares[0] > 0.4);
    }

    #[test]
    fn a_share_of_nothing_is_a_number_still() {
        let found = geometric_mean(2, &[(0, vec![1.0, 0.0, 0.0]), (1, vec![1.0, 0.0, 0.0])]);
        assert!(found.iter().all(|share| share.is_finite()), "{found:?}");
        near(&found, &[0.5, 0.5, 0.0]);
    }

    #[test]
    fn answers_are_ordered_and_the_first_problem_is_reported() {
        let found = gather(3, |arrived| {
            [2, 0, 1].into_iter().for_each(|place| arrived(place, Ok(place * 10)));
            Ok(())
        });
        assert_eq!(found.expect("answers"), [0, 10, 20]);
        let found = gather(2, |arrived: &(dyn Fn(usize, Result<u8, LanguageError>) + Sync)| {
            arrived(1, Err(LanguageError::Answer("too long".to_owned())));
            arrived(0, Ok(1));
            Ok(())
        });
        assert_eq!(found.expect_err("a problem").to_string(), "too long");
        let found: Result<Vec<u8>, _> = gather(1, |_| Ok(()));
        assert!(matches!(found, Err(LanguageError::Stopped)));
    }
}
