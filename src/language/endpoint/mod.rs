//! Language models behind an OpenAI-compatible server: `/v1/chat/completions` over http or https.
//!
//! Requests run concurrently on threads. Temporary failures are retried: 429, 5xx, dropped connections, time-outs,
//! answers that are not JSON or have another shape. Permanent failures are reported at once. A server that returns
//! fewer answers than requested, or refuses several, is asked for one at a time from then on.
//!
//! Out of scope: streaming, tools, and likelihoods of given texts, which such servers do not return.

mod budget;
mod call;
mod wait;
mod wire;

pub use self::budget::estimate_tokens;
pub use self::wire::{
    Extra, LetterStyle, Letters, NoLetters, completion_body, error_message, letter_body, read_completions, read_letters,
};

use self::budget::Budget;
use self::call::{Address, Key, Outcome};
use super::{Arrived, Completion, CompletionRequest, LanguageError, LanguageModel, LetterRequest};
use crate::random::Streams;
use serde_json::Value;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Options of a server.
#[derive(Clone, Debug)]
pub struct EndpointOptions {
    /// The address before `/chat/completions`.
    pub base: String,
    /// The model's name at the server.
    pub model: String,
    /// The environment variable with the key; without it no key is sent.
    pub key_variable: Option<String>,
    /// Concurrent requests.
    pub concurrency: usize,
    /// Time for a whole exchange, from connecting to the last byte.
    pub timeout: Duration,
    /// Tries after the first.
    pub retries: u32,
    /// The wait before the second try; it doubles with each try.
    pub first_wait: Duration,
    /// The token budget.
    pub budget: Option<u64>,
    /// Continue if a single request fails permanently.
    pub skip_failed: bool,
    /// The form of label requests.
    pub letter_style: LetterStyle,
    /// Most likely tokens to request.
    pub top: u32,
    /// The user's own keys of every request.
    pub extra: Extra,
    /// Root of the jitter of the waits.
    pub streams: Streams,
    /// A flag that stops: no new requests, active ones are finished.
    pub stop: Arc<AtomicBool>,
}

/// The requests to a server and its answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Exchanges, including failed ones.
    pub requests: u64,
    /// Of them, tries after the first.
    pub retries: u64,
    /// Tokens counted by the server, or estimated if it does not count.
    pub tokens: u64,
    /// Option labels whose probability was requested.
    pub letters: u64,
    /// Of them, labels that were not among the listed tokens.
    pub letters_missing: u64,
}

/// A language model behind a server.
pub struct Endpoint {
    options: EndpointOptions,
    address: Address,
    budget: Budget,
    /// True if the server returns one answer at a time.
    single: AtomicBool,
    answered: AtomicBool,
    /// True after a request found that no further one can succeed.
    halted: AtomicBool,
    failures: AtomicU32,
    requests: AtomicU64,
    retries: AtomicU64,
    letters: AtomicU64,
    letters_missing: AtomicU64,
}

/// The reason for a missing answer.
enum Fault {
    /// The server refuses this very request.
    Refused(u16, String),
    /// This request failed; others may continue.
    One(LanguageError),
    /// No further request can succeed.
    All(LanguageError),
    /// The run was interrupted.
    Stopped,
}

impl Endpoint {
    /// Checks the options; nothing is sent yet.
    ///
    /// # Errors
    /// When the address is invalid, or the environment variable of the key is not set.
    pub fn new(options: EndpointOptions) -> Result<Endpoint, LanguageError> {
        let key = options.key_variable.as_ref().map(|variable| key(variable)).transpose()?;
        let address = Address::new(&options.base, key, options.timeout).map_err(LanguageError::Setup)?;
        Ok(Endpoint {
            address,
            budget: Budget::new(options.budget),
            single: AtomicBool::new(false),
            answered: AtomicBool::new(false),
            halted: AtomicBool::new(false),
            failures: AtomicU32::new(0),
            requests: AtomicU64::new(0),
            retries: AtomicU64::new(0),
            letters: AtomicU64::new(0),
            letters_missing: AtomicU64::new(0),
            options,
        })
    }

    /// The requests so far.
    pub fn usage(&self) -> Usage {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Usage {
            requests: of(&self.requests),
            retries: of(&self.retries),
            tokens: self.budget.used(),
            letters: of(&self.letters),
            letters_missing: of(&self.letters_missing),
        }
    }

    /// True if requests can be read on their way: they go unencrypted to another machine.
    pub fn is_exposed(&self) -> bool {
        self.address.is_exposed()
    }

    /// Sends a body until `read` understands the answer.
    fn ask<T>(&self, body: &Value, most_tokens: u64, read: impl Fn(&Value) -> Result<T, String>) -> Result<T, Fault> {
        let bytes = body.to_string().into_bytes();
        let id = blake3::hash(&bytes).as_bytes()[..8].iter().fold(0, |id, &byte| (id << 8) | u64::from(byte));
        let prompt = estimate_tokens(bytes.len());
        let mut last = String::new();
        for attempt in 0..=self.options.retries {
            if self.stopped() {
                return Err(Fault::Stopped);
            }
            let outcome = self.try_once(&bytes, prompt, most_tokens, attempt > 0)?;
            let (reason, asked) = match outcome {
                Outcome::Answer(value) => match read(&value) {
                    Ok(answer) => return Ok(self.well(answer)),
                    Err(problem) => {
                        let problem = self.address.shown(&problem);
                        (format!("the answer has another shape: {problem}"), None)
                    }
                },
                Outcome::Again { reason, asked, .. } => (reason, asked),
                Outcome::Absent(reason) if self.answered.load(Ordering::Relaxed) => (reason, None),
                Outcome::Absent(reason) => return Err(self.absent(&reason)),
                Outcome::Refused(status, message) => return Err(Fault::Refused(status, message)),
                Outcome::Useless(problem) => return Err(Fault::All(LanguageError::Setup(problem))),
            };
            if let Some(asked) = asked.filter(|asked| *asked > wait::MOST_ASKED) {
                let problem = format!("{} asks to wait {} s", self.address.url(), asked.as_secs());
                return Err(Fault::All(LanguageError::Unanswered(problem)));
            }
            last = reason;
            if attempt < self.options.retries {
                let delay = wait::delay(self.options.streams, id, attempt + 1, self.options.first_wait, asked);
                wait::sleep(delay, || self.stopped());
            }
        }
        Err(self.given_up(&last))
    }

    /// Sends a body once, within the budget.
    fn try_once(&self, bytes: &[u8], prompt: u64, most_tokens: u64, is_retry: bool) -> Result<Outcome, Fault> {
        let reserved = prompt + most_tokens;
        let full = |(budget, used)| Fault::All(LanguageError::Budget { budget, used });
        self.budget.reserve(reserved).map_err(full)?;
        // The request may have waited, and the run may have been interrupted meanwhile.
        if self.stopped() {
            self.budget.settle(reserved, 0);
            return Err(Fault::Stopped);
        }
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.retries.fetch_add(u64::from(is_retry), Ordering::Relaxed);
        let outcome = self.address.exchange(bytes);
        self.budget.settle(reserved, used(&outcome, prompt, reserved));
        Ok(outcome)
    }

    fn stopped(&self) -> bool {
        self.halted.load(Ordering::Relaxed) || self.options.stop.load(Ordering::Relaxed)
    }

    /// Records a success of the server.
    fn well<T>(&self, answer: T) -> T {
        self.answered.store(true, Ordering::Relaxed);
        self.failures.store(0, Ordering::Relaxed);
        answer
    }

    fn absent(&self, reason: &str) -> Fault {
        let problem =
            format!("nothing answers at {} ({reason}); start the server or change --endpoint", self.address.url());
        Fault::All(LanguageError::Setup(problem))
    }

    fn given_up(&self, last: &str) -> Fault {
        let tries = self.options.retries + 1;
        let problem = format!("{} gave no answer in {tries} tries, the last one: {last}", self.address.url());
        self.failed(LanguageError::Unanswered(problem))
    }

    fn refused(&self, status: u16, message: &str) -> Fault {
        let problem = format!("{} refuses the request (status {status}): {message}", self.address.url());
        self.failed(LanguageError::Refused(problem))
    }

    /// Handles a permanent failure of a request.
    fn failed(&self, error: LanguageError) -> Fault {
        // As many failures in a row as there are concurrent requests indicate a problem of the server, not of a
        // request.
        let in_a_row = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
        let most = self.options.concurrency.max(3) as u32;
        if self.options.skip_failed && in_a_row < most { Fault::One(error) } else { Fault::All(error) }
    }

    /// Asks for the answers to one request, in as few exchanges as the server allows.
    fn complete_one(&self, request: &CompletionRequest, arrived: &dyn Fn(Vec<Completion>)) -> Result<(), Fault> {
        let mut have = 0;
        let mut single = self.single.load(Ordering::Relaxed);
        while have < request.samples {
            let wanted = if single { 1 } else { request.samples - have };
            let first = request.draws.first + have;
            let body = completion_body(&self.options.model, request, first, wanted, &self.options.extra);
            let most = request.sampling.max_tokens as u64 * u64::from(wanted);
            let mut answers = match self.ask(&body, most, read_completions) {
                Ok(answers) => answers,
                Err(Fault::Refused(400 | 422, _)) if wanted > 1 => {
                    single = true;
                    continue;
                }
                Err(Fault::Refused(status, message)) => return Err(self.refused(status, &message)),
                Err(fault) => return Err(fault),
            };
            if single || answers.len() < wanted as usize {
                single = true;
                self.single.store(true, Ordering::Relaxed);
            }
            answers.truncate(wanted as usize);
            have += answers.len() as u32;
            arrived(answers);
        }
        Ok(())
    }

    fn letters_of_one(&self, request: &LetterRequest) -> Result<Vec<f64>, Fault> {
        let options = &self.options;
        let body = letter_body(&options.model, request, options.letter_style, options.top, &options.extra);
        let read = |body: &Value| match read_letters(body, request.options) {
            Err(NoLetters::Shape(problem)) => Err(problem),
            other => Ok(other),
        };
        match self.ask(&body, 1, read) {
            Ok(Ok(letters)) => {
                self.letters.fetch_add(request.options as u64, Ordering::Relaxed);
                self.letters_missing.fetch_add(letters.missing, Ordering::Relaxed);
                Ok(letters.probabilities)
            }
            // The server returned labels before, so only this answer lacks them.
            Ok(Err(NoLetters::Unsupported)) if self.letters.load(Ordering::Relaxed) > 0 => Err(Fault::One(
                LanguageError::Answer("no option label: the answer has no log-probabilities".to_owned()),
            )),
            Ok(Err(NoLetters::Unsupported)) => Err(Fault::All(LanguageError::Setup(format!(
                "{} gives no log-probabilities (`logprobs` with `top_logprobs`); use another server or --local",
                self.address.url()
            )))),
            Ok(Err(problem)) => {
                let problem = self.address.shown(&format!("{problem:?}"));
                Err(Fault::One(LanguageError::Answer(format!("no letter: {problem}"))))
            }
            Err(Fault::Refused(status, message)) => Err(self.refused(status, &message)),
            Err(fault) => Err(fault),
        }
    }

    /// Processes `count` requests on threads until all are done or no further one can succeed.
    fn each(
        &self,
        count: usize,
        failed: &(dyn Fn(usize, LanguageError) + Sync),
        work: &(dyn Fn(usize) -> Result<(), Fault> + Sync),
    ) -> Result<(), LanguageError> {
        let next = AtomicUsize::new(0);
        let problem = Mutex::new(None);
        self.halted.store(false, Ordering::Relaxed);
        let worker = || {
            while !self.stopped() {
                let place = next.fetch_add(1, Ordering::Relaxed);
                if place >= count {
                    break;
                }
                match work(place) {
                    Ok(()) => {}
                    Err(Fault::Stopped) => break,
                    Err(Fault::One(error)) => failed(place, error),
                    Err(Fault::Refused(_, message)) => failed(place, LanguageError::Refused(message)),
                    Err(Fault::All(error)) => {
                        self.halted.store(true, Ordering::Relaxed);
                        if let Ok(mut problem) = problem.lock() {
                            problem.get_or_insert(error);
                        }
                    }
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..self.options.concurrency.clamp(1, count.max(1)) {
                scope.spawn(worker);
            }
        });
        match problem.into_inner() {
            Ok(Some(error)) => Err(error),
            _ => Ok(()),
        }
    }
}

/// Tokens of an exchange: the server's count, else an estimate from the texts; the whole reservation if the answer was
/// lost, and 0 if the server refused.
fn used(outcome: &Outcome, prompt: u64, reserved: u64) -> u64 {
    let estimated = |value: &Value| {
        let answers = read_completions(value).unwrap_or_default();
        prompt + answers.iter().map(|answer| estimate_tokens(answer.text.len())).sum::<u64>()
    };
    match outcome {
        Outcome::Answer(value) => wire::read_usage(value).unwrap_or_else(|| estimated(value)),
        Outcome::Again { begun: true, .. } => reserved,
        _ => 0,
    }
}

fn key(variable: &str) -> Result<Key, LanguageError> {
    match std::env::var(variable) {
        Ok(value) if !value.trim().is_empty() => {
            Ok(Key { variable: variable.to_owned(), value: value.trim().to_owned() })
        }
        _ => Err(LanguageError::Setup(format!(
            "the environment variable {variable}, which --api-key-env names, is not set or empty"
        ))),
    }
}

impl LanguageModel for Endpoint {
    fn name(&self) -> &str {
        &self.options.model
    }

    fn complete(
        &self,
        requests: &[CompletionRequest],
        arrived: Arrived<'_, Vec<Completion>>,
    ) -> Result<(), LanguageError> {
        let work = |place: usize| self.complete_one(&requests[place], &|answers| arrived(place, Ok(answers)));
        self.each(requests.len(), &|place, error| arrived(place, Err(error)), &work)
    }

    fn letters(&self, requests: &[LetterRequest], arrived: Arrived<'_, Vec<f64>>) -> Result<(), LanguageError> {
        let work = |place: usize| {
            arrived(place, Ok(self.letters_of_one(&requests[place])?));
            Ok(())
        };
        self.each(requests.len(), &|place, error| arrived(place, Err(error)), &work)
    }
}
