//! The folder of a language model, checked against its card.
//!
//! A folder written by Hugging Face Optimum needs no card. With a `card.toml` of the kind `language`, each file that is
//! read is compared with its sha256 there.

use crate::card_header::parse_card;
use crate::files::{FileError, MOST_OF_TOKENIZER, open_regular, read_bounded};
use crate::language::LanguageError;
use crate::onnx::weights_of;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

const CARD: &str = "card.toml";
/// The version of the contract that this build reads.
const VERSION: u32 = 1;
/// The graph files of exports, in the order of the search.
const GRAPHS: [&str; 2] = ["model.onnx", "onnx/model.onnx"];

/// `card.toml` of a language model.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Card {
    #[serde(rename = "kind")]
    _kind: String,
    #[serde(rename = "version")]
    _version: u32,
    name: String,
    #[serde(rename = "summary")]
    _summary: String,
    graph: String,
    files: BTreeMap<String, FileEntry>,
    #[serde(default, rename = "base")]
    _base: toml::Table,
    #[serde(default, rename = "training")]
    _training: toml::Table,
    #[serde(default, rename = "licence")]
    _licence: toml::Table,
    #[serde(default, rename = "measured")]
    _measured: toml::Table,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileEntry {
    sha256: String,
}

/// An opened folder.
pub(super) struct Folder {
    path: PathBuf,
    card: Option<Card>,
    /// The sha256 of each file that was read, by its name in the folder.
    hashes: RefCell<BTreeMap<String, String>>,
}

impl Folder {
    /// Opens `path` and reads its card, if there is one.
    pub(super) fn open(path: &Path) -> Result<Folder, LanguageError> {
        if !path.is_dir() {
            let problem = format!(
                "{} is no folder; a language model is a folder with `model.onnx`, `tokenizer.json` and `tokenizer_config.json`: make one with `make lm`, or export a checkpoint with `optimum-cli export onnx --task text-generation-with-past`",
                path.display()
            );
            return Err(LanguageError::Setup(problem));
        }
        let mut folder = Folder { path: path.to_owned(), card: None, hashes: RefCell::default() };
        if let Some(bytes) = folder.bytes(CARD)? {
            folder.card = Some(folder.checked(&bytes)?);
        }
        Ok(folder)
    }

    fn checked(&self, bytes: &[u8]) -> Result<Card, LanguageError> {
        let path = self.path.join(CARD);
        let text = String::from_utf8_lossy(bytes);
        parse_card(&text, "language", VERSION).map_err(|problem| FileError::whole(&path, problem).into())
    }

    /// The model's name: that of the card, or of the folder.
    pub(super) fn name(&self) -> String {
        let folder = || self.path.canonicalize().unwrap_or_else(|_| self.path.clone());
        let named = |path: PathBuf| path.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = self.card.as_ref().map(|card| card.name.clone()).or_else(|| named(folder()));
        name.unwrap_or_else(|| "local".to_owned())
    }

    /// The graph's file: the requested one, that of the card, or the first known export.
    pub(super) fn graph(&self, wanted: Option<&str>) -> Result<PathBuf, LanguageError> {
        let named = wanted.or(self.card.as_ref().map(|card| card.graph.as_str()));
        if let Some(name) = named {
            let path = self.path.join(name);
            if !Path::new(name).components().all(|part| matches!(part, Component::Normal(_))) {
                let problem = format!("the graph `{name}` is not a file in the model's folder");
                return Err(FileError::whole(&self.path, problem).into());
            }
            if !path.is_file() {
                return Err(FileError::Missing { path, remedy: self.graphs() }.into());
            }
            return self.whole(name);
        }
        let found = GRAPHS.iter().find(|name| self.path(name).is_file());
        let missing = || FileError::Missing { path: self.path.join(GRAPHS[0]), remedy: self.graphs() };
        self.whole(found.ok_or_else(missing)?)
    }

    /// A graph whose weights are in files beside it, which the runtime opens: files that it names, and files whose
    /// names begin with its own, as exports write them.
    fn whole(&self, name: &str) -> Result<PathBuf, LanguageError> {
        let path = self.path(name);
        let (above, own) = name.rsplit_once('/').map_or(("", name), |(above, own)| (above, own));
        let beside = std::fs::read_dir(self.path(above)).into_iter().flatten().flatten();
        let mut names: Vec<String> = beside.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        let named = weights_of(&path)?;
        names.retain(|other| other == own || (other.starts_with(own) && !other.ends_with(".onnx")));
        names.extend(named);
        names.sort();
        names.dedup();
        for other in names {
            let other = if above.is_empty() { other } else { format!("{above}/{other}") };
            self.verify(&other, hash(&self.path(&other))?)?;
        }
        Ok(path)
    }

    /// A short hash over all files read so far.
    pub(super) fn fingerprint(&self) -> String {
        let mut hasher = Sha256::new();
        for (name, hash) in self.hashes.borrow().iter() {
            hasher.update(format!("{hash}  {name}\n"));
        }
        hex(&hasher.finalize())[..16].to_owned()
    }

    /// The remedy for a missing graph.
    fn graphs(&self) -> String {
        let names = std::fs::read_dir(&self.path).into_iter().flatten().flatten();
        let mut names: Vec<String> = names.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.retain(|name| name.ends_with(".onnx"));
        names.sort();
        match names.as_slice() {
            [] => "make a model with `make lm`, or export a checkpoint with `optimum-cli export onnx --task text-generation-with-past`".to_owned(),
            names => format!("the folder has: {}", names.join(", ")),
        }
    }

    /// The text of a required file.
    pub(super) fn text(&self, name: &str, remedy: &str) -> Result<String, LanguageError> {
        let missing = || FileError::Missing { path: self.path(name), remedy: remedy.to_owned() };
        self.optional_text(name)?.ok_or_else(|| missing().into())
    }

    /// The text of an optional file.
    pub(super) fn optional_text(&self, name: &str) -> Result<Option<String>, LanguageError> {
        let Some(bytes) = self.bytes(name)? else { return Ok(None) };
        self.verify(name, hex(&Sha256::digest(&bytes)))?;
        let text = String::from_utf8(bytes);
        Ok(Some(text.map_err(|_| FileError::whole(self.path(name), "is not UTF-8"))?))
    }

    /// The text of a file that only some folders have; if the card lists it and it is absent, that is an error.
    pub(super) fn beside(&self, name: &str) -> Result<Option<String>, LanguageError> {
        let text = self.optional_text(name)?;
        if text.is_none() && self.card.as_ref().is_some_and(|card| card.files.contains_key(name)) {
            let remedy = format!("{CARD} lists it: the folder is not whole, or the card is of another version");
            return Err(FileError::Missing { path: self.path(name), remedy }.into());
        }
        Ok(text)
    }

    /// An optional JSON file.
    pub(super) fn json<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, LanguageError> {
        let Some(text) = self.optional_text(name)? else { return Ok(None) };
        let parsed = serde_json::from_str(&text);
        Ok(Some(parsed.map_err(|problem| FileError::whole(self.path(name), problem.to_string()))?))
    }

    /// The path of a file of this folder.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    fn bytes(&self, name: &str) -> Result<Option<Vec<u8>>, LanguageError> {
        let path = self.path(name);
        match read_bounded(&path, MOST_OF_TOKENIZER) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(problem) => Err(FileError::read(path, problem).into()),
        }
    }

    /// Records a file's hash and compares it with the card, if the card lists the file.
    fn verify(&self, name: &str, found: String) -> Result<(), LanguageError> {
        self.hashes.borrow_mut().insert(name.to_owned(), found.clone());
        let Some(entry) = self.card.as_ref().and_then(|card| card.files.get(name)) else { return Ok(()) };
        if found == entry.sha256 {
            return Ok(());
        }
        let problem = format!(
            "has sha256 {found}, {CARD} says {}; the file was changed or the card is of another version",
            entry.sha256
        );
        Err(FileError::whole(self.path(name), problem).into())
    }
}

fn hash(path: &Path) -> Result<String, FileError> {
    let fail = |problem| FileError::read(path, problem);
    let mut file = open_regular(path).map_err(fail)?;
    let (mut hasher, mut block) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut block).map_err(fail)? {
            0 => return Ok(hex(&hasher.finalize())),
            read => hasher.update(&block[..read]),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
