//! Models named on the command line.

use super::Align;
use crate::align::scenes::{Contender, Lookup, Variations};
use crate::cli::Failure;
use crate::cli::language::{LetterArgs, local};
use crate::dataset::{Catalogue, Dataset, TrainingLog};
use crate::language::LanguageModel;
use crate::language::endpoint::Endpoint;
use crate::params::Parameters;
use crate::pipeline::Prompts;
use crate::registry::Registry;
use crate::scenario::Scenario;
use crate::user::{Mirror, Parametric, ParametricSpec, UserModel};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The file of prompts in a model's folder.
const PROMPTS: &str = "prompts.toml";

/// The kind of a model, read from its folder.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Language,
    Mirror,
    Parametric,
}

/// A loaded model.
pub(super) enum Loaded {
    Language { model: Box<dyn LanguageModel>, prompts: Prompts },
    Server { model: Box<Endpoint>, prompts: Prompts },
    User { name: String, fingerprint: String, model: Box<dyn UserModel> },
}

/// A data set with the part of its log on which models were trained.
pub(super) struct Data {
    pub whole: Dataset,
    pub before: TrainingLog,
}

/// The kind of model at `path`.
pub(super) fn kind_of(path: &Path) -> Result<Kind, Failure> {
    if path == Path::new("parametric") && !path.is_dir() {
        return Ok(Kind::Parametric);
    }
    let card = path.join("card.toml");
    if card.is_file() {
        let wrong = |problem: String| Failure::input(format!("{}: {problem}", card.display()));
        let text =
            crate::files::read_text(&card, crate::files::MOST_OF_TEXT).map_err(|problem| wrong(problem.to_string()))?;
        let table: toml::Table = toml::from_str(&text).map_err(|problem| wrong(problem.to_string()))?;
        return match table.get("kind").and_then(toml::Value::as_str) {
            Some("language") => Ok(Kind::Language),
            Some("mirror") => Ok(Kind::Mirror),
            Some(other) => Err(wrong(format!("kind is `{other}`, expected `language` or `mirror`"))),
            None => Err(wrong("there is no `kind`; expected `language` or `mirror`".to_owned())),
        };
    }
    let graphs = ["model.onnx", "onnx/model.onnx"];
    if path.join("tokenizer.json").is_file() || graphs.iter().any(|graph| path.join(graph).is_file()) {
        return Ok(Kind::Language);
    }
    Err(Failure::input(format!(
        "{} is no model; a model is a folder with a card.toml (a mirror or a language model), one with model.onnx and \
         tokenizer.json, or the word `parametric`; --endpoint asks a server",
        path.display()
    )))
}

/// Loads the model at `path`; `data` is required for kinds that need it.
pub(super) fn load(
    arguments: &Align,
    path: &Path,
    data: Option<&Data>,
    stop: &Arc<AtomicBool>,
) -> Result<Loaded, Failure> {
    let kind = kind_of(path)?;
    if kind == Kind::Language {
        let own = path.join(PROMPTS);
        let prompts = prompts(if own.is_file() { Some(&own) } else { arguments.prompts.as_ref() })?;
        return Ok(Loaded::Language { model: local(path, arguments.graph.as_deref(), stop)?, prompts });
    }
    let Some(data) = data else {
        return Err(Failure::input(format!(
            "{} knows items by their id; name the data set of the scenes: --data DIR",
            path.display()
        )));
    };
    if kind == Kind::Parametric {
        let (model, fingerprint) = parametric(&data.whole)?;
        return Ok(Loaded::User { name: "parametric".to_owned(), fingerprint, model: Box::new(model) });
    }
    let Data { whole, before } = data;
    let model = Mirror::load(path, whole, before, arguments.chunk as usize);
    let model = model.map_err(Failure::input)?;
    let (name, fingerprint) = (model.card().name.clone(), model.card().hash()[..16].to_owned());
    Ok(Loaded::User { name, fingerprint, model: Box::new(model) })
}

/// The server's model, if one is named.
pub(super) fn server(arguments: &Align, stop: &Arc<AtomicBool>) -> Result<Option<Loaded>, Failure> {
    let letter = LetterArgs { style: arguments.letter, top: arguments.top_logprobs };
    let Some(model) = arguments.server.open(arguments.seed, letter, false, stop)? else { return Ok(None) };
    Ok(Some(Loaded::Server { model: Box::new(model), prompts: prompts(arguments.prompts.as_ref())? }))
}

fn prompts(path: Option<&PathBuf>) -> Result<Prompts, Failure> {
    Prompts::load(path.map(PathBuf::as_path)).map_err(Failure::input)
}

/// The parametric user with the default keys of scenarios.
fn parametric(data: &Dataset) -> Result<(Parametric, String), Failure> {
    let text = "data.path = '.'\nuser.kind = 'parametric'\npolicy = [{ kind = 'random' }]";
    let scenario = Scenario::parse(text, Path::new("parametric"), &Registry::builtin(), &[]).map_err(Failure::other)?;
    let spec = ParametricSpec::read(&scenario.user.model.params).map_err(Failure::other)?;
    let ParametricSpec { taste, popularity, position, learning, .. } = &spec;
    let fingerprint = format!("taste {taste}, popularity {popularity}, position {position}, learning {learning}");
    Ok((Parametric::new(spec, &Catalogue::of(data)).map_err(Failure::input)?, fingerprint))
}

impl Loaded {
    /// The model's own name.
    pub(super) fn name(&self) -> &str {
        match self {
            Loaded::Language { model, .. } => model.name(),
            Loaded::Server { model, .. } => model.name(),
            Loaded::User { name, .. } => name,
        }
    }

    /// The model as a contender.
    pub(super) fn contender<'a>(
        &'a self,
        name: String,
        lookup: Option<&'a Lookup<'a>>,
        frozen: Option<&'a [String]>,
        stop: &'a AtomicBool,
        variations: Variations,
    ) -> Result<Contender<'a>, Failure> {
        match (self, lookup) {
            (Loaded::Language { model, prompts }, _) => {
                Ok(Contender::language(name, model.as_ref(), prompts, frozen, stop, variations))
            }
            (Loaded::Server { model, prompts }, _) => {
                Ok(Contender::language(name, model.as_ref(), prompts, frozen, stop, variations))
            }
            (Loaded::User { fingerprint, model, .. }, Some(lookup)) => {
                Ok(Contender::user(name, fingerprint.clone(), model.as_ref(), lookup, variations))
            }
            (Loaded::User { name, .. }, None) => Err(Failure::input(format!("{name} needs --data DIR"))),
        }
    }
}
