//! The card of a mirror model.
//!
//! `models/README.md` is the contract. Names, shapes, types and hashes of the card are checked against the graphs at
//! load; an error names the difference.

use crate::card_header::parse_card;
use crate::files::{MOST_OF_TEXT, read_bounded, read_text};
use crate::scene::{FieldFeatures, VectorBasis};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The version of the contract that this build reads.
pub(crate) const VERSION: u32 = 2;

/// The most bytes of a graph or table.
const MOST_OF_FILE: u64 = 1 << 30;

/// The files of a model's item vectors, both or neither.
const BASIS: [&str; 2] = ["vectors", "vector_items"];

/// A model folder that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CardError {
    /// A file of the folder cannot be read.
    #[error("cannot read {}: {problem}; a model is a folder with `card.toml` and its graphs", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        problem: String,
    },
    /// The card is invalid.
    #[error("{}: {problem}", path.display())]
    Content {
        /// The card.
        path: PathBuf,
        /// The problem.
        problem: String,
    },
    /// A file differs from the card.
    #[error("{} has sha256 {found}, the card says {expected}; the file was changed or the card is of another version", path.display())]
    Hash {
        /// The file.
        path: PathBuf,
        /// Hash of the file.
        found: String,
        /// Hash in the card.
        expected: String,
    },
}

/// `card.toml` of a mirror model.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// `mirror`.
    pub kind: String,
    /// Version of the contract.
    pub version: u32,
    /// Name of the model.
    pub name: String,
    /// A description for readers.
    pub summary: String,
    /// The attributes and vectors that it reads.
    pub features: FieldFeatures,
    /// Sizes of its tensors.
    pub dims: Dims,
    /// Its graphs: `item`, `start`, `update`, `choice`; and `vectors` with `vector_items`, the item vectors of its training.
    pub files: BTreeMap<String, FileEntry>,
    /// Data, split, seeds, recipe.
    pub training: toml::Table,
    /// Terms of the data and of the model.
    pub licence: toml::Table,
    /// Figures on held-out scenes, written by `recmirror align`.
    #[serde(default)]
    pub measured: toml::Table,
}

/// Sizes of a mirror model's tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dims {
    /// Static attributes of an item.
    pub attributes: usize,
    /// Vectors of an item from the log.
    pub vectors: usize,
    /// An item after the item graph.
    pub item: usize,
    /// The leading part of it that a choice reads.
    pub choice_item: usize,
    /// A user's profile.
    pub profile: usize,
    /// The part of the memory that only an update reads.
    pub state: usize,
    /// The part of the memory that a choice reads.
    pub query: usize,
    /// An accepted item's rating, encoded.
    pub event: usize,
    /// Inputs that depend on item and time.
    pub context: usize,
}

/// One graph file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// File name inside the model's folder.
    pub file: String,
    /// Hash of its bytes, hexadecimal.
    pub sha256: String,
}

impl Card {
    /// Reads and checks `card.toml` of `folder`.
    ///
    /// # Errors
    /// A missing or malformed card, another kind or version, or a hash that differs.
    pub fn read(folder: &Path) -> Result<Card, CardError> {
        let path = folder.join("card.toml");
        let text = read_text(&path, MOST_OF_TEXT)
            .map_err(|problem| CardError::Read { path: path.clone(), problem: problem.to_string() })?;
        let content = |problem: String| CardError::Content { path: path.clone(), problem };
        let card: Card = parse_card(&text, "mirror", VERSION).map_err(|problem| content(remedy(problem)))?;
        card.check_dims().map_err(content)?;
        card.looks().map_err(content)?;
        let graphs = ["item", "start", "update", "choice"];
        let has_vectors = BASIS.iter().any(|name| card.files.contains_key(*name));
        for name in graphs.into_iter().chain(BASIS.into_iter().filter(|_| has_vectors)) {
            let entry = card.files.get(name).ok_or_else(|| content(format!("no [files.{name}]")))?;
            if Path::new(&entry.file).components().count() != 1 || entry.file == ".." {
                return Err(content(format!("[files.{name}] file `{}` is not a plain file name", entry.file)));
            }
            verify(&folder.join(&entry.file), &entry.sha256)?;
        }
        Ok(card)
    }

    /// Checks that the weight files of the graph `name`, with their sha256, are those of the card.
    ///
    /// # Errors
    /// When the card does not list a file, or lists another hash.
    pub(super) fn check_weights(
        &self,
        folder: &Path,
        name: &str,
        weights: &BTreeMap<String, String>,
    ) -> Result<(), CardError> {
        for (file, found) in weights {
            let listed = self.files.values().find(|entry| entry.file == *file);
            let missing = || CardError::Content {
                path: folder.join("card.toml"),
                problem: format!(
                    "the graph `{name}` keeps weights in `{file}`, which the card does not list; add a table [files.NAME] \
                     with `file = \"{file}\"` and `sha256 = \"{found}\"`"
                ),
            };
            let expected = &listed.ok_or_else(missing)?.sha256;
            if found != expected {
                let (path, found, expected) = (folder.join(file), found.clone(), expected.clone());
                return Err(CardError::Hash { path, found, expected });
            }
        }
        Ok(())
    }

    /// The item vectors in the model's folder; `None` if there are none.
    ///
    /// # Errors
    /// When they cannot be read or do not fit `features.rank`.
    pub fn basis(&self, folder: &Path) -> Result<Option<VectorBasis>, CardError> {
        let [vectors, ids] = BASIS.map(|name| self.files.get(name).map(|entry| folder.join(&entry.file)));
        let Some((vectors, ids)) = vectors.zip(ids) else { return Ok(None) };
        let read = VectorBasis::read(&vectors, &ids, self.features.rank);
        read.map(Some).map_err(|problem| CardError::Content { path: folder.join("card.toml"), problem })
    }

    fn check_dims(&self) -> Result<(), String> {
        let (dims, features) = (&self.dims, &self.features);
        let wanted = [
            ("attributes", dims.attributes, features.attribute_width()),
            ("vectors", dims.vectors, features.vector_width()),
            ("profile", dims.profile, features.profile_width()),
            ("event", dims.event, super::mirror::EVENT),
            ("context", dims.context, crate::scene::CONTEXT),
        ];
        for (name, found, wanted) in wanted {
            if found != wanted {
                return Err(format!("dims.{name} is {found}, but the features of the card give {wanted}"));
            }
        }
        if dims.choice_item > dims.item {
            return Err(format!("dims.choice_item is {}, more than dims.item, {}", dims.choice_item, dims.item));
        }
        let sizes = [dims.item, dims.choice_item, dims.query, dims.state];
        if sizes.iter().any(|&size| size == 0 || size > 1 << 16) {
            return Err("dims.item, choice_item, query and state must be 1 to 65536".to_owned());
        }
        Ok(())
    }

    /// The examination probability of each slot (`training.lists.looks`); empty if all slots are examined.
    ///
    /// # Errors
    /// When an entry is no number from 0 to 1.
    fn looks(&self) -> Result<Vec<f32>, String> {
        let entry = self.training.get("lists").and_then(|lists| lists.get("looks"));
        let Some(looks) = entry.and_then(toml::Value::as_array) else { return Ok(Vec::new()) };
        let number = |(place, value): (usize, &toml::Value)| {
            let number = value.as_float().or(value.as_integer().map(|whole| whole as f64));
            number
                .filter(|number| (0.0..=1.0).contains(number))
                .map(|number| number as f32)
                .ok_or_else(|| format!("training.lists.looks[{place}] is {value}, expected a number from 0 to 1"))
        };
        looks.iter().enumerate().map(number).collect()
    }

    /// Like [`Card::looks`], for a checked card.
    pub(super) fn checked_looks(&self) -> Vec<f32> {
        self.looks().unwrap_or_default()
    }

    /// One hash over the hashes of all graphs, for manifests.
    pub fn hash(&self) -> String {
        let mut hasher = Sha256::new();
        for (name, entry) in &self.files {
            hasher.update(format!("{name} {}\n", entry.sha256));
        }
        hex(&hasher.finalize())
    }
}

/// Names the command that makes a model of this version, for a card of another one.
fn remedy(problem: String) -> String {
    match problem.starts_with("version is") {
        true => problem + "; fit the model again: recmirror fit DATA --out MODEL",
        false => problem,
    }
}

fn verify(path: &Path, expected: &str) -> Result<(), CardError> {
    let found = sha256_of(path)?;
    if found == expected {
        return Ok(());
    }
    Err(CardError::Hash { path: path.to_owned(), found, expected: expected.to_owned() })
}

/// The sha256 of a file, hexadecimal.
///
/// # Errors
/// When the file cannot be read.
pub(crate) fn sha256_of(path: &Path) -> Result<String, CardError> {
    let bytes = read_bounded(path, MOST_OF_FILE)
        .map_err(|problem| CardError::Read { path: path.to_owned(), problem: problem.to_string() })?;
    Ok(hex(&Sha256::digest(&bytes)))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
