//! Language models that continue conversations, behind one trait.
//!
//! Back ends differ (a server, an ONNX file, a template); callers pass prompts and receive texts, or the probabilities
//! of option labels.

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

/// How texts are drawn from a model's distributions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sampling {
    /// Divides the logits; 0 takes the most likely token.
    pub temperature: f64,
    /// Draws from the smallest set of most likely tokens with at least this probability.
    pub top_p: f64,
    /// The most tokens of an answer.
    pub max_tokens: usize,
}

/// The key of the draws of one request: sample `n` draws from `streams.derive(purpose, id, n)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draws {
    /// The experiment's streams.
    pub streams: Streams,
    /// The purpose of the draws.
    pub purpose: Purpose,
    /// The id of the request, the same in every run.
    pub id: u64,
    /// The first sample's number: a resumed request asks only for missing samples.
    pub first: u32,
}

/// Several answers to one conversation.
#[derive(Clone, Debug)]
pub struct CompletionRequest {
    /// The conversation; it ends with a turn of the user.
    pub messages: Vec<Message>,
    /// Requested answers.
    pub samples: u32,
    /// How they are sampled.
    pub sampling: Sampling,
    /// The key of their draws.
    pub draws: Draws,
}

/// The reason for the end of an answer.
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
    /// The reason for its end.
    pub finish: Finish,
}

/// A request for the probabilities of option labels.
#[derive(Clone, Debug)]
pub struct LetterRequest {
    /// The conversation. A last turn of the assistant is unfinished, and the label continues it.
    pub messages: Vec<Message>,
    /// The number of labels, from A.
    pub options: usize,
    /// The number of items among them: all, or all except the last, which is "none of these".
    pub items: usize,
    /// Bytes of the decision in that last turn; the rest only leads to the label.
    pub said: usize,
}

/// A request for the likelihood of a text.
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

/// A receiver of answers as they arrive: the request's index, and the answers or the error. Several answers to one
/// request may come in parts, in the order of the samples.
pub type Arrived<'a, T> = &'a (dyn Fn(usize, Result<T, LanguageError>) + Sync);

/// A model that continues conversations.
///
/// Requests are independent. An error of one request goes to `arrived` and does not stop the others; an error that
/// affects all of them (no server, no budget left, a wrong key) is returned.
pub trait LanguageModel: Sync {
    /// The name under which the model's answers are stored.
    fn name(&self) -> &str;

    /// The identity of the answers' model: its name, and more if models of the same name can be distinguished.
    fn fingerprint(&self) -> &str {
        self.name()
    }

    /// Draws the answers to each request.
    ///
    /// # Errors
    /// When no further request can succeed.
    fn complete(
        &self,
        requests: &[CompletionRequest],
        arrived: Arrived<'_, Vec<Completion>>,
    ) -> Result<(), LanguageError>;

    /// The probabilities of the labels for each request; they sum to 1.
    ///
    /// # Errors
    /// When no further request can succeed.
    fn letters(&self, requests: &[LetterRequest], arrived: Arrived<'_, Vec<f64>>) -> Result<(), LanguageError>;

    /// The likelihood of each request's text. Most servers do not return it.
    ///
    /// # Errors
    /// When the back end has no likelihoods, or no further request can succeed.
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
    /// The user can correct it: a wrong key, address, folder or setting.
    #[error("{0}")]
    Setup(String),
    /// An unusable answer; another attempt would not change it.
    #[error("{0}")]
    Answer(String),
    /// The server refuses this request; with other settings it may accept it.
    #[error("{0}")]
    Refused(String),
    /// The run was interrupted before the answer was complete.
    #[error("stopped")]
    Stopped,
    /// No answer after all tries; a later attempt may succeed.
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
