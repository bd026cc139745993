//! The choice of a language model on the command line.
//!
//! Arguments that `decide` and `judge` share.

use super::Failure;
use crate::cli::terminal::say;
use crate::language::endpoint::{Endpoint, EndpointOptions, Extra, LetterStyle, Usage};
use crate::language::{LanguageError, LanguageModel, LocalModel, LocalOptions};
use crate::random::Streams;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Arguments of stages that ask a language model.
#[derive(clap::Args)]
pub(super) struct LanguageArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// Ask a language model in ONNX form in this folder.
    #[arg(long, value_name = "DIR", group = "backend", help_heading = "Back end")]
    local: Option<PathBuf>,
    /// The graph in that folder; by default the one that its card names, else `model.onnx`.
    #[arg(long, value_name = "FILE", requires = "local", help_heading = "Back end")]
    graph: Option<String>,
    /// Use no model: write the requests as an OpenAI batch file.
    #[arg(long, value_name = "FILE", requires = "model", group = "backend", help_heading = "Back end")]
    pub(super) batch_out: Option<PathBuf>,
    /// Use no model: read the answers from OpenAI batch output files.
    #[arg(long, value_name = "FILE", requires = "model", num_args = 1.., group = "backend", help_heading = "Back end")]
    pub(super) batch_in: Vec<PathBuf>,
    /// Write the file even if some requests failed for good; the failed ones are stored apart and asked again next
    /// time.
    #[arg(long, help_heading = "Server")]
    pub(super) skip_failed: bool,
    /// Discard existing answers and start again.
    #[arg(long)]
    pub(super) restart: bool,
}

/// Arguments that name a server and say how it is asked.
#[derive(clap::Args)]
pub(super) struct ServerArgs {
    /// Ask an OpenAI-compatible server: the address before `/chat/completions`, as in http://127.0.0.1:8080/v1.
    #[arg(long, value_name = "URL", requires = "model", group = "backend", help_heading = "Back end")]
    endpoint: Option<String>,
    /// The model's name at the server.
    #[arg(long, value_name = "NAME", help_heading = "Back end")]
    model: Option<String>,
    /// The environment variable that holds the server's key. Without this option no key is sent.
    #[arg(long, value_name = "VAR", requires = "endpoint", help_heading = "Server")]
    api_key_env: Option<String>,
    /// Number of concurrent requests.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = "Server")]
    concurrency: u16,
    /// Seconds for an exchange, from connecting to the last byte.
    #[arg(long, value_name = "S", default_value_t = 120.0, value_parser = seconds, help_heading = "Server")]
    timeout: f64,
    /// Retries after 429, 5xx, dropped connections, time-outs and unusable answers.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(0..=100), help_heading = "Server")]
    retries: u32,
    /// Seconds before the first retry; they double up to 60. A server's `Retry-After` has priority.
    #[arg(long, value_name = "S", default_value_t = 1.0, value_parser = seconds, help_heading = "Server")]
    retry_wait: f64,
    /// Token budget of this run; no request starts that could exceed it.
    #[arg(long, value_name = "N", requires = "endpoint", help_heading = "Server")]
    max_total_tokens: Option<u64>,
    /// A JSON object with further keys of every request; `null` removes a key.
    #[arg(long, value_name = "JSON", value_parser = extra, help_heading = "Server")]
    request_extra: Option<Extra>,
}

/// The request for the option label; only `judge` has it.
#[derive(Clone, Copy, Default)]
pub(super) struct LetterArgs {
    pub style: LetterStyle,
    pub top: u32,
}

/// A language model.
pub(super) enum Model {
    /// Behind a server.
    Endpoint(Box<Endpoint>),
    /// In this process.
    Local(Box<dyn LanguageModel>),
}

impl Model {
    pub(super) fn get(&self) -> &dyn LanguageModel {
        match self {
            Model::Endpoint(endpoint) => endpoint.as_ref(),
            Model::Local(model) => model.as_ref(),
        }
    }

    /// The requests to a server.
    pub(super) fn usage(&self) -> Option<Usage> {
        match self {
            Model::Endpoint(endpoint) => Some(endpoint.usage()),
            Model::Local(_) => None,
        }
    }
}

impl LanguageArgs {
    /// True if no back end is named.
    pub(super) fn is_none(&self) -> bool {
        self.server.is_none() && self.local.is_none() && self.batch_out.is_none() && self.batch_in.is_empty()
    }

    /// The model's name at the server.
    pub(super) fn model_name(&self) -> &str {
        self.server.model_name()
    }

    /// The user's own keys of every request.
    pub(super) fn extra(&self) -> Extra {
        self.server.extra()
    }

    /// The settings that change answers and are recorded nowhere else.
    pub(super) fn settings(&self) -> String {
        let extra = self.server.request_extra.as_ref();
        extra.map(|extra| serde_json::Value::Object(extra.clone()).to_string()).unwrap_or_default()
    }

    /// The model to ask; `None` if the answers come from elsewhere.
    pub(super) fn open(&self, seed: u64, letter: LetterArgs, stop: &Arc<AtomicBool>) -> Result<Option<Model>, Failure> {
        if let Some(folder) = &self.local {
            return local(folder, self.graph.as_deref(), stop).map(|model| Some(Model::Local(model)));
        }
        let endpoint = self.server.open(seed, letter, self.skip_failed, stop)?;
        Ok(endpoint.map(|endpoint| Model::Endpoint(Box::new(endpoint))))
    }
}

impl ServerArgs {
    /// True if no server is named.
    pub(super) fn is_none(&self) -> bool {
        self.endpoint.is_none()
    }

    /// The model's name at the server.
    pub(super) fn model_name(&self) -> &str {
        self.model.as_deref().unwrap_or_default()
    }

    fn extra(&self) -> Extra {
        self.request_extra.clone().unwrap_or_default()
    }

    /// The server's model; `None` if no server is named.
    pub(super) fn open(
        &self,
        seed: u64,
        letter: LetterArgs,
        skip_failed: bool,
        stop: &Arc<AtomicBool>,
    ) -> Result<Option<Endpoint>, Failure> {
        let Some(base) = &self.endpoint else { return Ok(None) };
        let options = EndpointOptions {
            base: base.clone(),
            model: self.model_name().to_owned(),
            key_variable: self.api_key_env.clone(),
            concurrency: usize::from(self.concurrency),
            timeout: Duration::from_secs_f64(self.timeout),
            retries: self.retries,
            first_wait: Duration::from_secs_f64(self.retry_wait),
            budget: self.max_total_tokens,
            skip_failed,
            letter_style: letter.style,
            top: letter.top,
            extra: self.extra(),
            streams: Streams::new(seed, 0),
            stop: Arc::clone(stop),
        };
        let endpoint = Endpoint::new(options).map_err(Failure::input)?;
        if self.api_key_env.is_some() && endpoint.is_exposed() {
            say!("warning: the key goes to {base} without encryption; use https where others can listen");
        }
        Ok(Some(endpoint))
    }
}

/// The language model in a folder; answers come from `graph`, or from the graph that its card names.
pub(super) fn local(
    folder: &Path,
    graph: Option<&str>,
    stop: &Arc<AtomicBool>,
) -> Result<Box<dyn LanguageModel>, Failure> {
    let options = LocalOptions { graph: graph.map(str::to_owned), stop: Arc::clone(stop), ..LocalOptions::default() };
    Ok(Box::new(LocalModel::load(folder, &options).map_err(Failure::input)?))
}

/// A flag that the first Ctrl-C sets; the second ends the process. Answers received so far are in the journal either
/// way.
pub(super) fn stop_flag() -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    let handler = move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(1);
        }
        say!("stopping: active requests are finished and stored; Ctrl-C again stops at once");
    };
    ctrlc::set_handler(handler).map_err(Failure::other)?;
    Ok(stop)
}

/// The exit code for an error of a model: wrong input, or a problem that may be gone next time.
pub(super) fn failure(error: &LanguageError, mut message: String, restart: bool) -> Failure {
    if restart {
        message.push_str("\nanswers so far are kept; leave out --restart next time, because it deletes them");
    }
    match error {
        LanguageError::Budget { .. } | LanguageError::Unanswered(_) => Failure::other(message),
        _ => Failure::input(message),
    }
}

/// The requests to a server in one line.
pub(super) fn usage_summary(usage: Usage) -> String {
    let mut text = format!("asked {} times ({} of them again), {} tokens", usage.requests, usage.retries, usage.tokens);
    if usage.letters > 0 {
        text.push_str(&format!(
            "; {} of {} option labels were not among the most likely tokens and got their upper bound",
            usage.letters_missing, usage.letters
        ));
    }
    text + "\n"
}

fn seconds(text: &str) -> Result<f64, String> {
    let wrong = || format!("`{text}` is not a number of seconds between 0.001 and 86400");
    let number: f64 = text.parse().map_err(|_| wrong())?;
    if (0.001..=86_400.0).contains(&number) { Ok(number) } else { Err(wrong()) }
}

fn extra(text: &str) -> Result<Extra, String> {
    serde_json::from_str(text).map_err(|problem| format!("not a JSON object: {problem}"))
}
