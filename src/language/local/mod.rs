//! A local language model, run in process by ONNX Runtime.
//!
//! Any causal language model that Hugging Face Optimum has exported with keys and values runs from its folder: the
//! graph, the tokenizer, the chat template, the end-of-text tokens. docs/reference/language-models.md lists the files.
//!
//! The bits of an answer depend on its request alone: not on other requests, the number of threads, or the cache. The
//! model does not shorten prompts: callers can use [`LocalModel::count_tokens`].

mod engine;
mod folder;
mod liking;
mod prefixes;
mod sample;
mod template;
mod tokens;

use self::engine::Engine;
use self::folder::Folder;
use self::liking::Liking;
use self::prefixes::Prefixes;
use self::sample::{log_probability, shares};
use self::template::{ChatTemplate, TokenizerConfig};
use self::tokens::Tokens;
use super::{
    Arrived, Completion, CompletionRequest, LanguageError, LanguageModel, LetterRequest, Likelihood, LikelihoodRequest,
    Message,
};
use crate::files::FileError;
use crate::onnx::CausalGraph;
use rayon::{ThreadPool, ThreadPoolBuilder};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The prompts that a model was trained with, in its folder.
pub const PROMPTS_FILE: &str = "prompts.toml";
/// The text templates that a model was trained with, in its folder.
pub const TEMPLATE_FILE: &str = "template.toml";

/// Options of a local model. Only the choice of the graph changes an answer.
#[derive(Clone, Debug)]
pub struct LocalOptions {
    /// The graph's file in the folder; without one, that of the card, else `model.onnx` or `onnx/model.onnx`.
    pub graph: Option<String>,
    /// Concurrent requests, each with a session of its own and one thread.
    pub threads: usize,
    /// Bytes for the keys and values of texts that may recur.
    pub cache_bytes: usize,
    /// Bytes for the keys and values of the samples that all threads grow at a time. A limit below four samples of a
    /// request on each thread is exceeded.
    pub sample_bytes: usize,
    /// A flag that stops: incomplete answers are given up.
    pub stop: Arc<AtomicBool>,
}

impl Default for LocalOptions {
    fn default() -> LocalOptions {
        let (threads, bytes) = (rayon::current_num_threads(), 1 << 30);
        LocalOptions { graph: None, threads, cache_bytes: bytes, sample_bytes: bytes, stop: Arc::default() }
    }
}

/// See the module's documentation.
pub struct LocalModel {
    name: String,
    fingerprint: String,
    tokens: Tokens,
    template: ChatTemplate,
    engine: Engine,
    /// The texts of [`PROMPTS_FILE`] and [`TEMPLATE_FILE`], if present.
    texts: BTreeMap<&'static str, String>,
    /// Its position bias.
    liking: Liking,
    /// The token before a text without context.
    start: u32,
    threads: ThreadPool,
}

/// The required parts of `config.json` and `generation_config.json`.
#[derive(Default, Deserialize)]
struct Config {
    eos_token_id: Option<Ids>,
    max_position_embeddings: Option<usize>,
    n_positions: Option<usize>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Ids {
    One(u32),
    Several(Vec<u32>),
}

impl LocalModel {
    /// Loads the model in `folder`.
    ///
    /// # Errors
    /// A file that is missing, broken, or not the one of the card; a graph that is no causal language model; no
    /// runtime.
    pub fn load(folder: &Path, options: &LocalOptions) -> Result<LocalModel, LanguageError> {
        let folder = Folder::open(folder)?;
        let path = folder.graph(options.graph.as_deref())?;
        let tokens = Tokens::load(&folder)?;
        let (template, tokenizer) = ChatTemplate::load(&folder)?;
        let (context, ends) = limits(&folder, &tokens, &tokenizer)?;
        let mut texts = BTreeMap::new();
        for name in [PROMPTS_FILE, TEMPLATE_FILE] {
            texts.extend(folder.beside(name)?.map(|text| (name, text)));
        }
        let liking = Liking::load(&folder)?;
        let start = tokenizer.start().and_then(|token| tokens.id(token)).unwrap_or(ends[0]);
        let threads = options.threads.max(1);
        let graph = CausalGraph::load(&path, threads)?;
        let prefixes = Prefixes::new(options.cache_bytes);
        let (sample_bytes, stop) = (options.sample_bytes / threads, Arc::clone(&options.stop));
        let engine = Engine { graph, prefixes, context, ends, sample_bytes, stop };
        // A graph that cannot run is reported now, and not after the first request.
        let vocabulary = engine.logits(&[start])?.len();
        if vocabulary < tokens.count() {
            let problem = format!(
                "gives logits for {vocabulary} tokens, but tokenizer.json has {}; they are not of the same model",
                tokens.count()
            );
            return Err(FileError::whole(path, problem).into());
        }
        let threads = ThreadPoolBuilder::new().num_threads(threads).build();
        let threads = threads.map_err(|problem| LanguageError::Setup(format!("cannot start threads: {problem}")))?;
        let fingerprint = folder.fingerprint();
        Ok(LocalModel { name: folder.name(), fingerprint, tokens, template, engine, texts, liking, start, threads })
    }

    /// Tokens of a conversation as the model would read it.
    ///
    /// # Errors
    /// When the chat template refuses the conversation.
    pub fn count_tokens(&self, messages: &[Message]) -> Result<usize, LanguageError> {
        Ok(self.prompt(messages)?.len())
    }

    /// Tokens of a text without context.
    ///
    /// # Errors
    /// When the tokenizer refuses it.
    pub fn count_text(&self, text: &str) -> Result<usize, LanguageError> {
        Ok(self.tokens.of(text)?.len())
    }

    /// The most tokens that the model can read.
    pub fn context(&self) -> usize {
        self.engine.context
    }

    /// The most tokens of a prompt.
    pub fn longest_prompt(&self) -> usize {
        self.engine.longest()
    }

    /// The text of [`PROMPTS_FILE`] or [`TEMPLATE_FILE`] of the model's folder.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(String::as_str)
    }

    fn prompt(&self, messages: &[Message]) -> Result<Vec<u32>, LanguageError> {
        self.tokens.of(&self.template.render(messages)?)
    }

    fn completions(&self, request: &CompletionRequest) -> Result<Vec<Completion>, LanguageError> {
        let prompt = self.prompt(&request.messages)?;
        let answers = self.engine.sample(&prompt, request.samples, &request.sampling, &request.draws)?;
        let read = |(tokens, finish): (Vec<u32>, _)| Ok(Completion { text: self.tokens.text(&tokens)?, finish });
        answers.into_iter().map(read).collect()
    }

    fn letter_shares(&self, request: &LetterRequest) -> Result<Vec<f64>, LanguageError> {
        let text = self.template.render(&request.messages)?;
        let tokens = self.tokens.letters(&text, request.options)?;
        if tokens.letters.iter().all(|letter| letter.len() == 1) {
            let logits = self.engine.logits(&tokens.shared)?;
            let of = |letter: &Vec<u32>| letter.first().and_then(|&token| logits.get(token as usize)).copied();
            let values =
                tokens.letters.iter().map(|letter| of(letter).filter(|logit| logit.is_finite()).map(f64::from));
            return Ok(shares(&values.collect::<Option<Vec<_>>>().ok_or_else(no_numbers)?));
        }
        let whole = |letter: &Vec<u32>| [tokens.shared.as_slice(), letter].concat();
        let logs = tokens.letters.iter().map(|letter| self.log_likelihood(&whole(letter), tokens.shared.len()));
        Ok(shares(&logs.collect::<Result<Vec<_>, _>>()?))
    }

    /// The sum of the log-probabilities of the tokens from index `from`, each after those before it.
    fn log_likelihood(&self, tokens: &[u32], from: usize) -> Result<f64, LanguageError> {
        let mut wanted = tokens[from..].iter();
        let mut log = Some(0.0);
        self.engine.read(&tokens[..tokens.len() - 1], from - 1, |logits| {
            let next = wanted.next().and_then(|&token| log_probability(logits, token));
            log = log.zip(next).map(|(sum, next)| sum + next);
        })?;
        log.filter(|log| log.is_finite()).ok_or_else(no_numbers)
    }

    fn likelihood(&self, request: &LikelihoodRequest) -> Result<Likelihood, LanguageError> {
        let before = match request.messages.as_slice() {
            [] => vec![self.start],
            messages => self.prompt(messages)?,
        };
        let whole = match request.messages.as_slice() {
            [] => [before.clone(), self.tokens.of(&request.text)?].concat(),
            messages => self.tokens.of(&(self.template.render(messages)? + &request.text))?,
        };
        // The first token of the text may have merged with the end of the prompt, so the text begins where the tokens
        // differ.
        let from = before.iter().zip(&whole).take_while(|(a, b)| a == b).count();
        if from == 0 || from >= whole.len() {
            return Err(LanguageError::Answer("the text is empty: it has no likelihood".to_owned()));
        }
        self.engine.check_length(&whole)?;
        Ok(Likelihood { tokens: whole.len() - from, log: self.log_likelihood(&whole, from)? })
    }

    /// Answers requests in the order of `groups`, a group at a time on each thread.
    fn answer<T>(
        &self,
        groups: &[std::ops::Range<usize>],
        arrived: Arrived<'_, T>,
        answer: impl Fn(usize) -> Result<T, LanguageError> + Sync,
    ) -> Result<(), LanguageError> {
        let (next, stopped) = (AtomicUsize::new(0), AtomicBool::new(false));
        let work = || -> Result<(), LanguageError> {
            while let Some(group) = groups.get(next.fetch_add(1, Ordering::Relaxed)) {
                for place in group.clone() {
                    if stopped.load(Ordering::Relaxed) || self.engine.stopped() {
                        return Ok(());
                    }
                    match answer(place) {
                        Err(LanguageError::Stopped) => return Ok(()),
                        Err(problem) if !matches!(problem, LanguageError::Answer(_)) => {
                            stopped.store(true, Ordering::Relaxed);
                            return Err(problem);
                        }
                        outcome => arrived(place, outcome),
                    }
                }
            }
            Ok(())
        };
        self.threads.broadcast(|_| work()).into_iter().collect()
    }

    /// Consecutive requests whose conversations begin alike form a group for one thread, which then reads the beginning
    /// once; unless there are too few groups to keep all threads busy.
    fn groups(&self, count: usize, alike: impl Fn(usize, usize) -> bool) -> Vec<std::ops::Range<usize>> {
        let mut groups: Vec<std::ops::Range<usize>> = Vec::new();
        for place in 0..count {
            match groups.last_mut() {
                Some(group) if alike(group.start, place) => group.end = place + 1,
                _ => groups.push(place..place + 1),
            }
        }
        if groups.len() < 2 * self.engine.graph.workers() {
            return (0..count).map(|place| place..place + 1).collect();
        }
        groups
    }
}

impl LanguageModel for LocalModel {
    fn name(&self) -> &str {
        &self.name
    }

    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    fn complete(
        &self,
        requests: &[CompletionRequest],
        arrived: Arrived<'_, Vec<Completion>>,
    ) -> Result<(), LanguageError> {
        let groups = self.groups(requests.len(), |_, _| false);
        self.answer(&groups, arrived, |place| self.completions(&requests[place]))
    }

    fn letters(&self, requests: &[LetterRequest], arrived: Arrived<'_, Vec<f64>>) -> Result<(), LanguageError> {
        let alike = |a: usize, b: usize| begins_alike(&requests[a].messages, &requests[b].messages);
        let groups = self.groups(requests.len(), alike);
        let one = |request: &LetterRequest| Ok(self.liking.taken_from(self.letter_shares(request)?, request.items));
        self.answer(&groups, arrived, |place| one(&requests[place]))
    }

    fn likelihoods(
        &self,
        requests: &[LikelihoodRequest],
        arrived: Arrived<'_, Likelihood>,
    ) -> Result<(), LanguageError> {
        let alike =
            |a: usize, b: usize| !requests[a].messages.is_empty() && requests[a].messages == requests[b].messages;
        let groups = self.groups(requests.len(), alike);
        self.answer(&groups, arrived, |place| self.likelihood(&requests[place]))
    }
}

/// True if two conversations differ at most in their last turn.
fn begins_alike(a: &[Message], b: &[Message]) -> bool {
    a.len() == b.len() && a.len() > 1 && a[..a.len() - 1] == b[..b.len() - 1]
}

/// The longest text that the model reads, and the tokens that end one.
fn limits(folder: &Folder, tokens: &Tokens, tokenizer: &TokenizerConfig) -> Result<(usize, Vec<u32>), LanguageError> {
    const CONFIG: &str = "config.json";
    let remedy = "copy it from the checkpoint; it states the longest text";
    let missing = || FileError::Missing { path: folder.path(CONFIG), remedy: remedy.to_owned() };
    let config: Config = folder.json(CONFIG)?.ok_or_else(missing)?;
    let generation: Config = folder.json("generation_config.json")?.unwrap_or_default();
    let wrong = |problem: &str| FileError::whole(folder.path(CONFIG), problem);
    let context = config.max_position_embeddings.or(config.n_positions);
    let context = context.ok_or_else(|| wrong("neither `max_position_embeddings` nor `n_positions`"))?;
    if context < 2 * CausalGraph::STEP {
        return Err(wrong(&format!("a text of {context} tokens is too short for any prompt")).into());
    }
    let mut ends = Vec::new();
    for ids in [config.eos_token_id, generation.eos_token_id].into_iter().flatten() {
        match ids {
            Ids::One(id) => ends.push(id),
            Ids::Several(ids) => ends.extend(ids),
        }
    }
    ends.extend(tokenizer.end().and_then(|token| tokens.id(token)));
    ends.sort_unstable();
    ends.dedup();
    if ends.is_empty() {
        return Err(
            wrong("no `eos_token_id`, and tokenizer_config.json has no known `eos_token`: no text would end").into()
        );
    }
    Ok((context, ends))
}

fn no_numbers() -> LanguageError {
    LanguageError::Answer("the model gave logits that are no numbers".to_owned())
}
