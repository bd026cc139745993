//! `data.toml`: the meaning of columns.
//!
//! Every key is optional.

use crate::dataset::sheet::Form;
use crate::files::FileError;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// The name of the file, in the folder of the tables.
pub(super) const NAME: &str = "data.toml";

/// One name or several.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Names {
    One(String),
    Many(Vec<String>),
}

impl Names {
    pub(super) fn list(&self) -> Vec<String> {
        match self {
            Names::One(name) => vec![name.clone()],
            Names::Many(names) => names.clone(),
        }
    }
}

/// The content of a column of users or items.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(in crate::dataset) enum FieldType {
    /// One category.
    Category,
    /// Several categories.
    Categories,
    /// A number.
    Number,
    /// A day or moment.
    Time,
    /// A text.
    Text,
    /// Numbers that belong together.
    Vector,
    /// Nothing that is read.
    Ignore,
}

/// The complete file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Spec {
    /// The log, or its parts.
    pub(super) log: Option<Names>,
    /// Worst and best rating that can be given.
    pub(super) scale: Option<[f32; 2]>,
    /// Values of the rating column that mean "no rating".
    #[serde(default)]
    pub(super) unrated: Vec<f64>,
    /// The separator of fields in text tables, one character.
    pub(super) separator: Option<char>,
    /// False if quotes in text tables are letters like any other.
    pub(super) quotes: Option<bool>,
    /// The columns of a log without a header line.
    pub(super) header: Option<Vec<String>>,
    #[serde(default)]
    pub(super) columns: Columns,
    /// The rows of the log that count, by column: one value or several.
    #[serde(default, rename = "where")]
    pub(super) wanted: BTreeMap<String, Wanted>,
    /// Users' interactions before the log, a list for each user.
    #[serde(default)]
    pub(super) history: History,
    #[serde(default)]
    pub(super) items: Side,
    #[serde(default)]
    pub(super) users: Side,
}

/// Columns of the log by their meaning.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Columns {
    /// The user. Several columns together make one id.
    pub(super) user: Option<Names>,
    pub(super) item: Option<String>,
    pub(super) time: Option<String>,
    pub(super) rating: Option<String>,
    pub(super) weight: Option<String>,
    /// True if the item that the row shows was taken.
    pub(super) clicked: Option<String>,
    /// The slot in which the item was shown.
    pub(super) position: Option<String>,
    /// The id of the list of a row.
    pub(super) impression: Option<String>,
    /// The probability of showing the item in its slot.
    pub(super) propensity: Option<String>,
    /// A list of the items that were shown.
    pub(super) shown: Option<String>,
    /// A list of those that were taken.
    pub(super) taken: Option<String>,
    /// Columns of the log about the user.
    #[serde(default)]
    pub(super) user_fields: Vec<String>,
    /// Columns of the log about the item.
    #[serde(default)]
    pub(super) item_fields: Vec<String>,
}

/// Values that a column of the log may have.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Wanted {
    One(Scalar),
    Many(Vec<Scalar>),
}

/// A value in a cell.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Scalar {
    Text(String),
    Whole(i64),
    Truth(bool),
}

impl Wanted {
    /// The values as a text table writes them.
    pub(super) fn texts(&self) -> Vec<String> {
        let values = match self {
            Wanted::One(value) => std::slice::from_ref(value),
            Wanted::Many(values) => values.as_slice(),
        };
        let text = |value: &Scalar| match value {
            Scalar::Text(text) => text.clone(),
            Scalar::Whole(number) => number.to_string(),
            Scalar::Truth(truth) => truth.to_string(),
        };
        values.iter().map(text).collect()
    }
}

/// A table with a row a user: the items of earlier interactions, and their times.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct History {
    pub(super) file: Option<String>,
    /// The column of the user.
    pub(super) user: Option<String>,
    /// The column with a list of items.
    pub(super) items: Option<String>,
    /// The column with a list of as many times.
    pub(super) times: Option<String>,
}

/// The table of items or of users.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Side {
    pub(super) file: Option<String>,
    /// The columns of a table without a header line.
    pub(super) header: Option<Vec<String>>,
    /// The column of the id.
    pub(super) id: Option<String>,
    /// The column that names an item.
    pub(super) title: Option<String>,
    /// The column with the release of an item.
    pub(super) released: Option<String>,
    /// The column with the provider of an item.
    pub(super) provider: Option<String>,
    /// Types by column, if the values do not determine them.
    #[serde(default)]
    pub(super) fields: BTreeMap<String, FieldType>,
}

impl Spec {
    /// The form of a text table with this header; `None`: its first line is the header.
    pub(super) fn form<'f>(&self, header: Option<&'f Vec<String>>) -> Form<'f> {
        let separator = self.separator.and_then(|separator| u8::try_from(separator).ok());
        Form {
            separator,
            header: header.map(Vec::as_slice),
            is_maybe_log: true,
            is_unquoted: self.quotes == Some(false),
            is_nested: self.is_nested(),
        }
    }

    /// Returns true if a column is named by a path like `event.user.id`: then records in records have columns of their own.
    fn is_nested(&self) -> bool {
        let Columns {
            user, item, time, rating, weight, clicked, position, impression, propensity, shown, taken, ..
        } = &self.columns;
        let one = [item, time, rating, weight, clicked, position, impression, propensity, shown, taken];
        let sides = [&self.items.id, &self.items.title, &self.items.released, &self.items.provider, &self.users.id];
        let fields = self.columns.user_fields.iter().chain(&self.columns.item_fields);
        let fields = fields.chain(self.items.fields.keys()).chain(self.users.fields.keys());
        let users = user.iter().flat_map(Names::list);
        let history = [&self.history.user, &self.history.items, &self.history.times];
        let mut names = one.into_iter().chain(sides).chain(history).flatten().chain(fields).cloned().chain(users);
        names.any(|name| name.contains('.')) || self.wanted.keys().any(|name| name.contains('.'))
    }

    /// Reads `data.toml` of a folder; the default if there is none.
    pub(super) fn read(folder: &Path) -> Result<Spec, FileError> {
        let path = folder.join(NAME);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => return Ok(Spec::default()),
            Err(problem) => return Err(FileError::read(&path, problem)),
        };
        Spec::parse(&text, &path)
    }

    /// Reads the text of a `data.toml`, which is in `path`.
    pub(super) fn parse(text: &str, path: &Path) -> Result<Spec, FileError> {
        let spec: Spec = toml::from_str(text).map_err(|problem| FileError::whole(path, problem.to_string()))?;
        let wrong = |message: &str| Err(FileError::whole(path, message));
        if spec.scale.is_some_and(|[min, max]| !(min.is_finite() && max.is_finite() && min < max)) {
            return wrong("`scale` is two numbers, the worst rating and the best, like [1, 5]");
        }
        if spec.separator.is_some_and(|separator| !separator.is_ascii()) {
            return wrong("`separator` is one ASCII character, like \";\"");
        }
        Ok(spec)
    }
}
