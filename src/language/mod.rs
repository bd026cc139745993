//! Language models: what continues a conversation, behind one trait.
//!
//! Back ends differ (a server, an ONNX file, a template); callers give prompts and get texts, or the
//! probabilities of the letters that may come next.

pub mod endpoint;
mod letter;
mod local;
mod prompt;
mod tokenizer;

pub use self::letter::{Letter, LetterError};
pub use self::local::{LocalModel, LocalOptions, PROMPTS_FILE, TEMPLATE_FILE};
pub use self::prompt::{BEHAVIOR, PromptError, PromptKind, Prompts, Question, SceneText, rationale};
pub(crate) use self::tokenizer::SafeTokenizer;

use crate::random::{Purpose, Streams};
use serde::{Deserialize, Serialize};

/// The speaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The instructions.
    System,
    /// The question.
    User,
    /// The model.
    Assistant,
}

/// One turn of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Message {
    /// The speaker.
    pub role: Role,
    /// The message.
    pub content: String,
}

impl Message {
    /// A turn.
    pub fn new(role: Role, content: impl Into<String>) -> Message {
        Message { role, content: content.into() }
    }
}

/// How a text is drawn from a model's distributions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sampling {
    /// Divides the logits; 0 takes the most likely token.
    pub temperature: f64,
    /// The smallest set of most likely tokens with at least this probability is drawn from.
    pub top_p: f64,
    /// Tokens of an answer at most.
    pub max_tokens: usize,
}

/// The key of the draws of one request: sample `n` draws from `streams.derive(purpose, id, n)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draws {
    /// The experiment's streams.
    pub streams: Streams,
    /// The purpose of the draws.
    pub purpose: Purpose,
    /// Which request: the same request has the same id in every run.
    pub id: u64,
    /// The first sample's number: a resumed request asks only for the samples that it has not.
    pub first: u32,
}

/// Several answers to one conversation.
#[derive(Clone, Debug)]
pub struct CompletionRequest {
    /// The conversation; it ends with a turn of the user.
    pub messages: Vec<Message>,
    /// Answers wanted.
    pub samples: u32,
    /// How they are drawn.
    pub sampling: Sampling,
    /// From which draws.
    pub draws: Draws,
}

/// Why an answer ends where it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Finish {
    /// The model ended it.
    Stop,
    /// It reached the limit of tokens.
    Length,
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completion {
    /// The text.
    pub text: String,
    /// Why it ends.
    pub finish: Finish,
}

/// Which letter comes next.
#[derive(Clone, Debug)]
pub struct LetterRequest {
    /// The conversation. A last turn of the assistant is one that it is still saying: the letter continues it.
    pub messages: Vec<Message>,
    /// The letters to choose from: A to this one.
    pub options: usize,
    /// How many of them are items of the list: all, or all but the last, which is "none of these".
    pub items: usize,
    /// Bytes of that last turn that stand for themselves; what follows only leads to the letter.
    pub said: usize,
}

/// How likely a text is.
#[derive(Clone, Debug)]
pub struct LikelihoodRequest {
    /// The conversation before the text; empty for the text alone.
    pub messages: Vec<Message>,
    /// The continuation of the model.
    pub text: String,
}

/// The likelihood of a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Likelihood {
    /// Tokens of the text.
    pub tokens: usize,
    /// The sum of the natural logarithms of their probabilities.
    pub log: f64,
}

/// Answers of a model, given as each arrives: the request's index and the answers or what went wrong with it.
/// Several answers to one request may come in parts, in the order of the samples.
pub type Arrived<'a, T> = &'a (dyn Fn(usize, Result<T, LanguageError>) + Sync);

/// A model that continues conversations.
///
/// Requests are independent. An error of one request is given to `arrived` and does not stop the others; an
/// error that makes going on pointless (no server, no budget left, a wrong key) is returned.
pub trait LanguageModel: Sync {
    /// The name under which the model's answers are kept.
    fn name(&self) -> &str;

    /// The owner of the answers: the name where nothing more is known, and more where the model itself can be identified
    /// from another of the same name.
    fn fingerprint(&self) -> &str {
        self.name()
    }

    /// Draws the answers to each request.
    ///
    /// # Errors
    /// When nothing more can be asked.
    fn complete(
        &self,
        requests: &[CompletionRequest],
        arrived: Arrived<'_, Vec<Completion>>,
    ) -> Result<(), LanguageError>;

    /// The probabilities of the letters for each request; they sum to 1.
    ///
    /// # Errors
    /// When nothing more can be asked.
    fn letters(&self, requests: &[LetterRequest], arrived: Arrived<'_, Vec<f64>>) -> Result<(), LanguageError>;

    /// The likelihood of each request's text. Most servers do not return it.
    ///
    /// # Errors
    /// When the back end gives no likelihoods, or nothing more can be asked.
    fn likelihoods(
        &self,
        _requests: &[LikelihoodRequest],
        _arrived: Arrived<'_, Likelihood>,
    ) -> Result<(), LanguageError> {
        let problem = format!("{} gives no likelihoods of texts; use a local model", self.name());
        Err(LanguageError::Setup(problem))
    }
}

/// Errors of a language model.
#[derive(Debug, thiserror::Error)]
pub enum LanguageError {
    /// The user can mend it: a wrong key, address, folder or setting.
    #[error("{0}")]
    Setup(String),
    /// One answer cannot be used; asking again would give no other.
    #[error("{0}")]
    Answer(String),
    /// The server refuses this request as it is; with other settings of the server it may not.
    #[error("{0}")]
    Refused(String),
    /// Somebody stopped it before the answer was whole.
    #[error("stopped")]
    Stopped,
    /// There is no answer after all tries; another time there may be one.
    #[error("{0}")]
    Unanswered(String),
    /// The budget is used up.
    #[error(
        "the budget of {budget} tokens is used up ({used} used); what was answered is kept: raise --max-total-tokens and run the command again"
    )]
    Budget {
        /// The limit.
        budget: u64,
        /// Tokens used.
        used: u64,
    },
    /// A model file or the runtime.
    #[error(transparent)]
    Onnx(#[from] crate::onnx::OnnxError),
    /// A file.
    #[error(transparent)]
    File(#[from] crate::files::FileError),
}
