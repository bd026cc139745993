//! The card of a ranker.

use crate::card_header::{kind_of, parse_card};
use crate::dataset::Catalogue;
use crate::files::{FileError, MOST_OF_TEXT, read_bounded, sha256};
use crate::params::renamed;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The version of the contract that this build reads.
const VERSION: u32 = 1;

/// The kind of a card.
const KIND: &str = "ranker";

/// Its name in earlier versions.
const EARLIER_KIND: &str = "scorer";

/// The most latest items that a ranker may read.
const LONGEST: usize = 65_536;

/// The most bytes of a graph or its weights.
const MOST_OF_FILE: u64 = 1 << 30;

/// The most items: their numbers go through the graph as `f32`, which represents all integers up to here.
const MOST_ITEMS: usize = 1 << 24;

/// `card.toml` of a ranker.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "some keys are for readers; a card without them is refused all the same")]
pub(super) struct Card {
    kind: String,
    version: u32,
    name: String,
    summary: String,
    /// Latest items that the graph reads.
    pub history: usize,
    /// True if it reads their ratings, too.
    #[serde(default)]
    pub ratings: bool,
    /// Items that it scores.
    pub items: usize,
    catalogue: String,
    files: BTreeMap<String, File>,
    training: toml::Table,
    licence: toml::Table,
    #[serde(default)]
    measured: toml::Table,
}

/// A file in the folder.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    sha256: String,
}

impl Card {
    /// Reads and checks the card of `folder` for this catalogue; the second value is the graph's file.
    pub(super) fn read(folder: &Path, catalogue: &Catalogue) -> Result<(Card, PathBuf), FileError> {
        let path = folder.join("card.toml");
        let bytes = bytes(&path, MOST_OF_TEXT)?;
        let whole = |problem: String| FileError::Whole { path: path.clone(), problem };
        let text = String::from_utf8(bytes).map_err(|problem| whole(format!("this is no text in UTF-8: {problem}")))?;
        let card: Card = parse_card(&text, &[KIND, EARLIER_KIND], VERSION).map_err(whole)?;
        card.check().map_err(whole)?;
        card.check_catalogue(catalogue).map_err(whole)?;
        let graph = card.graph(folder)?;
        Ok((card, graph))
    }

    fn check(&self) -> Result<(), String> {
        if !(1..=LONGEST).contains(&self.history) {
            return Err(format!("history is {}, expected 1 to {LONGEST}", self.history));
        }
        if self.items >= MOST_ITEMS {
            return Err(format!("items is {}, expected less than {MOST_ITEMS}", self.items));
        }
        let plain = |name: &str| Path::new(name).components().count() == 1 && name != ".." && name != ".";
        if let Some(name) = self.files.keys().find(|name| !plain(name)) {
            return Err(format!("[files.\"{name}\"] is not a plain file name"));
        }
        self.graph_name().map(|_| ())
    }

    /// The name of the graph's file: the only file, or the only one that ends in `.onnx` if the others are its weights.
    fn graph_name(&self) -> Result<&str, String> {
        let names: Vec<&str> = self.files.keys().map(String::as_str).collect();
        let mut graphs = names.iter().filter(|name| names.len() == 1 || name.ends_with(".onnx"));
        match (graphs.next(), graphs.next()) {
            (Some(name), None) => Ok(name),
            _ => Err(format!(
                "there are {} tables [files.\"NAME\"]; a ranker has one graph, which ends in .onnx where other files hold \
                 its weights",
                names.len()
            )),
        }
    }

    /// Checks that the weight files of the graph, with their sha256, are those of the card.
    pub(super) fn check_weights(&self, folder: &Path, weights: &BTreeMap<String, String>) -> Result<(), FileError> {
        for (name, found) in weights {
            match self.files.get(name) {
                Some(file) if file.sha256 == *found => {}
                Some(file) => return Err(differs(folder.join(name), found, &file.sha256)),
                None => {
                    let problem = format!(
                        "the graph keeps weights in `{name}`, which the card does not list; add [files.\"{name}\"] with \
                         `sha256 = \"{found}\"`"
                    );
                    return Err(FileError::whole(folder.join("card.toml"), problem));
                }
            }
        }
        Ok(())
    }

    /// A ranker knows items only by number: scores for another catalogue, or another order of it, would be meaningless.
    fn check_catalogue(&self, catalogue: &Catalogue) -> Result<(), String> {
        let remedy = "train it on this data set (models/README.md, Rankers) or choose the data set that it knows";
        if self.items != catalogue.len() {
            let (own, given) = (self.items, catalogue.len());
            return Err(format!("the ranker knows {own} items, the catalogue has {given}; {remedy}"));
        }
        let found = catalogue.hash();
        if self.catalogue != found {
            return Err(format!(
                "the titles of the catalogue have sha256 {found}, the ranker was made for {}: other items, or another \
                 order; {remedy}",
                self.catalogue
            ));
        }
        Ok(())
    }

    /// The graph, compared with its hash.
    fn graph(&self, folder: &Path) -> Result<PathBuf, FileError> {
        for (name, file) in &self.files {
            let path = folder.join(name);
            let found = sha256(&bytes(&path, MOST_OF_FILE)?);
            if found != file.sha256 {
                return Err(differs(path, &found, &file.sha256));
            }
        }
        let name = self.graph_name().map_err(|problem| FileError::whole(folder.join("card.toml"), problem))?;
        Ok(folder.join(name))
    }
}

/// A note on a card with the kind of an earlier version.
pub(crate) fn note_on_kind(path: &Path, card: &[u8]) -> Option<String> {
    let kind = kind_of(std::str::from_utf8(card).ok()?)?;
    (kind == EARLIER_KIND).then(|| format!("{}: kind {}", path.display(), renamed(EARLIER_KIND, KIND)))
}

fn differs(path: PathBuf, found: &str, wanted: &str) -> FileError {
    let problem =
        format!("has sha256 {found}, the card says {wanted}; the file was changed or the card is of another version");
    FileError::Whole { path, problem }
}

fn bytes(path: &Path, most: u64) -> Result<Vec<u8>, FileError> {
    read_bounded(path, most).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => FileError::Missing {
            path: path.to_owned(),
            remedy: "a ranker is a folder with `card.toml` and the graph that it names".to_owned(),
        },
        _ => FileError::Io { action: "read", path: path.to_owned(), source },
    })
}
