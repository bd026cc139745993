//! Reading and continuing tokens, with a cache.
//!
//! A prompt is read in complete steps, with the last one padded; sampled tokens are read one at a time, for all samples
//! of a prompt at once. The start of a step depends on the cached tokens, but a row of a step does not depend on its
//! position, so the bits depend on the request alone.

use super::prefixes::{Known, Prefixes};
use super::sample::next_token;
use crate::language::{Draws, Finish, LanguageError, Sampling};
use crate::onnx::{CausalGraph, OnnxError, Piece, Sequences};
use crate::random::unit;
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The most tokens of a prompt in one call: logits of more would fill the memory.
const CALL: usize = 256;
/// The most samples drawn concurrently: more are no faster.
const TOGETHER: usize = 32;

/// See the module's documentation.
pub(super) struct Engine {
    pub graph: CausalGraph,
    pub prefixes: Prefixes,
    /// The most tokens of the model's context.
    pub context: usize,
    /// Tokens that end a text.
    pub ends: Vec<u32>,
    /// Bytes for keys and values of the samples that one call of [`Engine::sample`] grows at a time.
    pub sample_bytes: usize,
    /// A flag that stops.
    pub stop: Arc<AtomicBool>,
}

/// A growing sample.
struct Sample {
    tokens: Vec<u32>,
    finish: Option<Finish>,
    draws: ChaCha8Rng,
}

impl Engine {
    /// True if the stop flag is set.
    pub(super) fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn check_stop(&self) -> Result<(), LanguageError> {
        if self.stopped() { Err(LanguageError::Stopped) } else { Ok(()) }
    }

    /// Samples of at most `tokens` tokens, prompt included, that grow concurrently.
    fn together(&self, tokens: usize) -> usize {
        // A call reads the keys and values of a step and writes those of the next one.
        let row = 2 * tokens * self.graph.token_width() * size_of::<f32>();
        rows_within(self.sample_bytes, row)
    }

    /// The longest prompt in tokens: prompts are read in complete steps.
    pub(super) fn longest(&self) -> usize {
        self.context / CausalGraph::STEP * CausalGraph::STEP
    }

    /// Refuses a prompt that is too long.
    pub(super) fn check_length(&self, tokens: &[u32]) -> Result<(), LanguageError> {
        let most = self.longest();
        let problem = match tokens.len() {
            0 => "there is nothing to read".to_owned(),
            count if count > most => {
                format!(
                    "the prompt has {count} tokens, the model reads at most {most}; shorten the history or the list"
                )
            }
            _ => return Ok(()),
        };
        Err(LanguageError::Answer(problem))
    }

    /// Reads `tokens` and passes on the logits after each token from index `from`. The returned sequences hold keys and
    /// values of the tokens and of the padding after them.
    pub(super) fn read(
        &self,
        tokens: &[u32],
        from: usize,
        mut each: impl FnMut(&[f32]),
    ) -> Result<Sequences, LanguageError> {
        self.check_length(tokens)?;
        let step = CausalGraph::STEP;
        let ids: Vec<i64> = tokens.iter().map(|&token| i64::from(token)).collect();
        let mut known = self.prefixes.find(&ids[..from]);
        // Sums over all tokens have groups of at least four: the end of the last call must not depend on the cache.
        shorten(&mut known, ids.len().next_multiple_of(CausalGraph::ROWS));
        let pieces: Vec<Piece<'_>> =
            known.iter().map(|block| Piece { data: &block.data, tokens: step, taken: block.taken }).collect();
        let mut sequence = self.graph.sequences(&pieces, 1)?;
        let mut at = sequence.tokens();
        while at < ids.len() {
            self.check_stop()?;
            let real = (ids.len() - at).min(CALL);
            let count = real.next_multiple_of(step);
            let mut call = ids[at..at + real].to_vec();
            call.resize(count, call[real - 1]);
            // If no logits are wanted, those of the last token are the smallest possible request.
            let wanted = if from < at + real { from.max(at) - at..real } else { count - 1..count };
            let rows = if from < at + real { wanted.len() } else { 0 };
            let (logits, next) = self.graph.run(&sequence, &call, wanted.clone())?;
            logits.chunks_exact(logits.len() / wanted.len()).take(rows).for_each(&mut each);
            (sequence, at) = (next, at + real);
        }
        let missing = self.prefixes.missing(&ids);
        let block = |place: usize| Ok((place, self.graph.read(&sequence, place * step..(place + 1) * step)?));
        let blocks = missing.into_iter().map(block).collect::<Result<Vec<_>, OnnxError>>()?;
        self.prefixes.keep(&ids, blocks);
        Ok(sequence)
    }

    /// The logits after the last of `tokens`.
    pub(super) fn logits(&self, tokens: &[u32]) -> Result<Vec<f32>, LanguageError> {
        let mut logits = Vec::new();
        self.read(tokens, tokens.len().saturating_sub(1), |row| logits.extend_from_slice(row))?;
        Ok(logits)
    }

    /// Draws `count` continuations of a prompt: their tokens, without the one that ends them.
    pub(super) fn sample(
        &self,
        prompt: &[u32],
        count: u32,
        sampling: &Sampling,
        draws: &Draws,
    ) -> Result<Vec<(Vec<u32>, Finish)>, LanguageError> {
        let mut logits = Vec::new();
        let sequence = self.read(prompt, prompt.len().saturating_sub(1), |row| logits.extend_from_slice(row))?;
        let read = self.graph.read(&sequence, 0..prompt.len())?;
        drop(sequence);
        let mut answers = Vec::with_capacity(count as usize);
        let together = self.together(self.context.min(prompt.len().saturating_add(sampling.max_tokens)));
        for first in (0..count).step_by(together) {
            let numbers = first..count.min(first + together as u32);
            let draws = numbers.map(|number| draws.streams.derive(draws.purpose, draws.id, draws.first + number));
            let mut samples: Vec<Sample> =
                draws.map(|draws| Sample { tokens: Vec::new(), finish: None, draws }).collect();
            self.grow(prompt.len(), &read, &logits, &mut samples, sampling)?;
            answers.extend(samples.into_iter().map(|sample| (sample.tokens, sample.finish.unwrap_or(Finish::Length))));
        }
        Ok(answers)
    }

    /// Grows samples until each has ended. `first` are the logits after the prompt, which all share.
    fn grow(
        &self,
        prompt: usize,
        read: &[f32],
        first: &[f32],
        samples: &mut [Sample],
        sampling: &Sampling,
    ) -> Result<(), LanguageError> {
        let rows = samples.len().next_multiple_of(CausalGraph::ROWS);
        let most = sampling.max_tokens.min(self.context.saturating_sub(prompt));
        let (mut logits, vocabulary) = (first.repeat(samples.len()), first.len());
        let mut sequences = None;
        loop {
            self.check_stop()?;
            for (sample, logits) in samples.iter_mut().zip(logits.chunks_exact(vocabulary)) {
                self.extend(sample, logits, sampling, most)?;
            }
            if samples.iter().all(|sample| sample.finish.is_some()) {
                return Ok(());
            }
            // Ended and padding rows continue with any token, because their output is ignored.
            let last = |row: usize| samples.get(row).and_then(|sample| sample.tokens.last()).copied().unwrap_or(0);
            let tokens: Vec<i64> = (0..rows).map(|row| i64::from(last(row))).collect();
            let before = match sequences.take() {
                Some(sequences) => sequences,
                None => self.graph.sequences(&[Piece { data: read, tokens: prompt, taken: prompt }], rows)?,
            };
            let (next, grown) = self.graph.run(&before, &tokens, 0..1)?;
            (logits, sequences) = (next, Some(grown));
        }
    }

    /// Draws a sample's next token, if it has not ended.
    fn extend(
        &self,
        sample: &mut Sample,
        logits: &[f32],
        sampling: &Sampling,
        most: usize,
    ) -> Result<(), LanguageError> {
        if sample.finish.is_some() {
            return Ok(());
        }
        if sample.tokens.len() >= most {
            sample.finish = Some(Finish::Length);
            return Ok(());
        }
        let token = next_token(logits, sampling, unit(&mut sample.draws));
        let token =
            token.ok_or_else(|| LanguageError::Answer("the model gave logits that are no numbers".to_owned()))?;
        if self.ends.contains(&token) {
            sample.finish = Some(Finish::Stop);
        } else {
            sample.tokens.push(token);
            if sample.tokens.len() >= most {
                sample.finish = Some(Finish::Length);
            }
        }
        Ok(())
    }
}

/// Drops the last few cached tokens, so that the rest of a text of `tokens` needs complete steps and no padding. If
/// fewer are cached, all are dropped.
fn shorten(known: &mut Vec<Known>, tokens: usize) {
    let all: usize = known.iter().map(|block| block.taken).sum();
    let mut surplus = (tokens - all).next_multiple_of(CausalGraph::STEP) - (tokens - all);
    while let Some(last) = known.last_mut().filter(|_| surplus > 0) {
        let left_out = surplus.min(last.taken);
        (last.taken, surplus) = (last.taken - left_out, surplus - left_out);
        if last.taken == 0 {
            known.pop();
        }
    }
}

/// The number of rows of `row` bytes within `budget`, in multiples that the graph accepts.
fn rows_within(budget: usize, row: usize) -> usize {
    let rows = budget / row.max(1) / CausalGraph::ROWS * CausalGraph::ROWS;
    rows.clamp(CausalGraph::ROWS, TOGETHER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_of_a_text_has_complete_steps() {
        // Cached tokens of each block, and the tokens kept for texts of some lengths.
        for (known, tokens, wanted) in [
            (&[16, 16, 5][..], 60, &[16, 12][..]),
            (&[16, 16, 5], 53, &[16, 16, 5]),
            (&[16, 1], 34, &[2]),
            (&[7], 9, &[]),
            (&[], 9, &[]),
        ] {
            let block = |&taken: &usize| Known { data: [].into(), taken };
            let mut found: Vec<Known> = known.iter().map(block).collect();
            shorten(&mut found, tokens);
            let found: Vec<usize> = found.iter().map(|block| block.taken).collect();
            assert_eq!(found, wanted, "{known:?} of {tokens}");
            assert!((tokens - found.iter().sum::<usize>()).is_multiple_of(16) || found.is_empty());
        }
    }

    #[test]
    fn rows_stay_within_the_budget_and_are_four_at_least() {
        let rows = [0, 399, 799, 800, 3_199, 3_200, usize::MAX].map(|budget| rows_within(budget, 100));
        assert_eq!(rows, [4, 4, 4, 8, 28, 32, 32]);
    }
}
