//! Chat templates of language models.
//!
//! Templates are written for Python. `minijinja-contrib` provides the methods that they call on texts and lists.
//! `strftime_now` is absent, because a prompt must not depend on the clock: templates that use it fall back to a fixed
//! date.

use super::folder::Folder;
use crate::files::FileError;
use crate::jinja;
use crate::language::{LanguageError, Message, Role};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, Error, ErrorKind, Value, context};
use serde::Deserialize;
use std::path::PathBuf;

const NAME: &str = "chat";
const FILE: &str = "chat_template.jinja";
const CONFIG: &str = "tokenizer_config.json";

/// The required parts of `tokenizer_config.json`.
#[derive(Default, Deserialize)]
pub(super) struct TokenizerConfig {
    chat_template: Option<Templates>,
    bos_token: Option<Token>,
    eos_token: Option<Token>,
    unk_token: Option<Token>,
    pad_token: Option<Token>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Templates {
    One(String),
    Several(Vec<Named>),
}

#[derive(Deserialize)]
struct Named {
    name: String,
    template: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Token {
    Text(String),
    Added { content: String },
}

impl TokenizerConfig {
    /// The token that ends a text.
    pub(super) fn end(&self) -> Option<&str> {
        text(&self.eos_token)
    }

    /// The token that begins a text.
    pub(super) fn start(&self) -> Option<&str> {
        text(&self.bos_token)
    }

    fn template(&self) -> Option<String> {
        match self.chat_template.as_ref()? {
            Templates::One(template) => Some(template.clone()),
            Templates::Several(named) => {
                named.iter().find(|named| named.name == "default").map(|named| named.template.clone())
            }
        }
    }
}

fn text(token: &Option<Token>) -> Option<&str> {
    token.as_ref().map(|token| match token {
        Token::Text(text) | Token::Added { content: text } => text.as_str(),
    })
}

/// A chat template, with the tokens that it may name.
pub(super) struct ChatTemplate {
    path: PathBuf,
    environment: Environment<'static>,
}

impl ChatTemplate {
    /// The template of a folder: `chat_template.jinja`, else the one in `tokenizer_config.json`.
    pub(super) fn load(folder: &Folder) -> Result<(ChatTemplate, TokenizerConfig), LanguageError> {
        let config: TokenizerConfig = folder.json(CONFIG)?.unwrap_or_default();
        let (path, source) = match folder.optional_text(FILE)? {
            Some(source) => (folder.path(FILE), source),
            None => match config.template() {
                Some(source) => (folder.path(CONFIG), source),
                None => {
                    let problem = format!(
                        "no chat template: put it into `{FILE}` or under `chat_template`; a model without one was not trained on conversations"
                    );
                    return Err(FileError::whole(folder.path(CONFIG), problem).into());
                }
            },
        };
        let wrong = |problem: String| FileError::whole(&path, format!("the chat template is wrong: {problem}"));
        jinja::check_template(&source).map_err(wrong)?;
        let mut environment = jinja::environment();
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(syntax.map_err(|problem| LanguageError::Setup(problem.to_string()))?);
        environment.set_unknown_method_callback(jinja::python_method);
        environment.add_function("raise_exception", |message: String| -> Result<Value, Error> {
            Err(Error::new(ErrorKind::InvalidOperation, message))
        });
        let added = environment.add_template_owned(NAME, source);
        added.map_err(|problem| wrong(error_message(&problem)))?;
        let tokens = [
            ("bos_token", &config.bos_token),
            ("eos_token", &config.eos_token),
            ("unk_token", &config.unk_token),
            ("pad_token", &config.pad_token),
        ];
        for (name, token) in tokens {
            if let Some(token) = text(token) {
                environment.add_global(name, token.to_owned());
            }
        }
        let template = ChatTemplate { path, environment };
        // A template that fails on the simplest conversation fails on all: better now than after an hour.
        template.check()?;
        Ok((template, config))
    }

    /// Checks that the text of a conversation contains the messages. Otherwise the model would answer another question.
    fn check(&self) -> Result<(), LanguageError> {
        let question = "What is 7 times 191?";
        let turns = [Message::new(Role::User, question)];
        let again = [
            Message::new(Role::User, "Hello."),
            Message::new(Role::Assistant, "Hi."),
            Message::new(Role::User, question),
        ];
        for messages in [&turns[..], &again] {
            // Some templates allow only one turn, and report others.
            let text = match self.render(messages) {
                Ok(text) => text,
                Err(_) if messages.len() > 1 => return Ok(()),
                Err(problem) => return Err(problem),
            };
            if !text.contains(question) {
                let problem = "the chat template leaves out the user's message: the text of a conversation with one \
                               question lacks it; it must write `message.content` of each of the `messages`";
                return Err(FileError::whole(&self.path, problem).into());
            }
        }
        Ok(())
    }

    /// The text of a conversation up to the model's turn. A last turn of the assistant is unfinished: the text ends
    /// with it, unchanged.
    pub(super) fn render(&self, messages: &[Message]) -> Result<String, LanguageError> {
        let (messages, unfinished) = match messages.split_last() {
            Some((last, rest)) if last.role == Role::Assistant => (rest, last.content.as_str()),
            _ => (messages, ""),
        };
        let values = context! { messages => Value::from(Serde(messages)), add_generation_prompt => true };
        let rendered = jinja::render(&self.environment, NAME, &values);
        let mut text = rendered.map_err(|problem| {
            let problem = format!("the chat template fails on this conversation: {}", error_message(&problem));
            FileError::whole(&self.path, problem)
        })?;
        text.push_str(unfinished);
        Ok(text)
    }
}

/// A problem with its line in the template.
fn error_message(problem: &Error) -> String {
    let detail = match problem.kind() {
        ErrorKind::OutOfFuel => jinja::error_message(problem),
        kind => problem.detail().map_or_else(|| kind.to_string(), str::to_owned),
    };
    problem.line().map_or_else(|| detail.clone(), |line| format!("line {line}: {detail}"))
}
