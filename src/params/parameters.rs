//! Structs of parameters, and what they have in common.

use super::{Key, Kind, short};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use toml::{Table, Value};

/// A list of texts, at least one.
pub type Texts = Vec<String>;

/// A policy inside a policy: its `kind` and the keys of that kind, as [`Parameters::with_kind`] gives them.
pub type PolicyTable = Table;

/// Policies inside a policy, each with a `weight` besides.
pub type PolicyTables = Vec<Table>;

/// The parameters of a kind; [`parameters!`](crate::parameters) implements it.
///
/// `Default` gives each key its default. A key without one holds a value that a scenario refuses, so that it cannot be
/// forgotten: NaN for a number, a whole number outside the range, an empty text, path or list. Flags and words need a default.
pub trait Parameters: Serialize + DeserializeOwned + Default {
    /// The value of `kind`.
    const NAME: &'static str;
    /// What the kind does, in a line, and the source.
    const SUMMARY: &'static str;
    /// The keys in the order of the fields.
    const KEYS: &'static [Key];

    /// The fields as the keys of a scenario file.
    ///
    /// # Errors
    /// When a field cannot be written in TOML, such as a path that is not UTF-8.
    fn table(&self) -> Result<Table, ParameterError>;

    /// The fields and the `kind`, as a policy inside a policy is written.
    ///
    /// ```
    /// use recmirror::params::Parameters;
    /// use recmirror::policy::{ItemKnnParameters, MmrParameters};
    ///
    /// let inner = ItemKnnParameters { neighbours: 20, ..Default::default() }.with_kind()?;
    /// let diverse = MmrParameters { relevance: 0.3, inner, ..Default::default() };
    /// assert_eq!(diverse.table()?["inner"]["kind"].as_str(), Some("item_knn"));
    /// # Ok::<(), recmirror::params::ParameterError>(())
    /// ```
    ///
    /// # Errors
    /// As [`Parameters::table`].
    fn with_kind(&self) -> Result<PolicyTable, ParameterError> {
        let mut table = self.table()?;
        table.insert("kind".to_owned(), Self::NAME.into());
        Ok(table)
    }

    /// Reads the fields from a table; what the table does not have takes its default. Ranges are not checked: a scenario
    /// file or a builder has done that.
    ///
    /// # Errors
    /// When a key without a default is absent, or a value has another type.
    fn read(table: &Table) -> Result<Self, ParameterError> {
        let value_of = |key: &Key| Some((key.name.to_owned(), key.kind.default_value()?));
        let mut values: Table = Self::KEYS.iter().filter_map(value_of).collect();
        values.extend(table.iter().map(|(key, value)| (key.clone(), value.clone())));
        let fail = |problem: toml::de::Error| ParameterError {
            kind: Self::NAME,
            problem: problem.to_string().trim_end().replace('\n', " "),
        };
        values.try_into().map_err(fail)
    }
}

/// Parameters that cannot be read from a table, or written as one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("parameters of `{kind}`: {problem}")]
pub struct ParameterError {
    /// The kind.
    pub kind: &'static str,
    /// The key, its value, and what it may be.
    pub problem: String,
}

/// Writes the field of a key into a table.
#[doc(hidden)]
pub fn write_field<T: Serialize + std::fmt::Debug>(
    kind: &'static str,
    key: &Key,
    field: &T,
    table: &mut Table,
) -> Result<(), ParameterError> {
    let value = Value::try_from(field).map_err(|_| {
        let (name, found) = (key.name, short(&format!("{field:?}")));
        ParameterError { kind, problem: format!("`{name}` must be {}, found {found}", key.kind.wanted()) }
    })?;
    table.insert(key.name.to_owned(), value);
    Ok(())
}

/// Values that are one of some words; [`words!`](crate::words) implements it.
pub trait Words {
    /// All words, in the order of the variants.
    const WORDS: &'static [&'static str];
}

/// How many, or all there are: a whole number, or `all`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// All there are.
    All,
    /// So many.
    Of(u32),
}

/// The word of [`Count::All`].
const ALL: &str = "all";

impl Count {
    /// The number; `None` for all.
    pub const fn number(self) -> Option<u32> {
        match self {
            Count::All => None,
            Count::Of(number) => Some(number),
        }
    }
}

impl Serialize for Count {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Count::All => ALL.serialize(serializer),
            Count::Of(number) => number.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Count, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(word) if word == ALL => Ok(Count::All),
            Value::Integer(number) => u32::try_from(number).map(Count::Of).map_err(serde::de::Error::custom),
            other => Err(serde::de::Error::custom(format!("`all` or a whole number is expected, found {other}"))),
        }
    }
}

impl FieldValue for Count {
    fn default_of(_: &Kind) -> Count {
        Count::All
    }
}

/// The types that a field may have.
#[doc(hidden)]
pub trait FieldValue {
    /// The default of a key of this kind, see [`Parameters`].
    fn default_of(kind: &Kind) -> Self;
}

impl FieldValue for f64 {
    fn default_of(kind: &Kind) -> f64 {
        if let Kind::Number { default: Some(number), .. } = *kind { number } else { f64::NAN }
    }
}

macro_rules! whole_numbers {
    ($($type:ty)*) => {
        $(impl FieldValue for $type {
            fn default_of(kind: &Kind) -> $type {
                let Kind::Integer { min, max, default } = *kind else { return 0 };
                // Without a default: outside of the range, so that a scenario refuses it.
                let above = max.checked_add(1).and_then(|above| <$type>::try_from(above).ok());
                let below = || min.checked_sub(1).and_then(|below| <$type>::try_from(below).ok());
                match default {
                    Some(default) => <$type>::try_from(default).unwrap_or_default(),
                    None => above.or_else(below).unwrap_or(<$type>::MAX),
                }
            }
        })*
    };
}

whole_numbers!(u32 u64 usize i64);

impl FieldValue for bool {
    fn default_of(kind: &Kind) -> bool {
        matches!(kind, Kind::Bool { default: Some(true) })
    }
}

impl FieldValue for String {
    fn default_of(kind: &Kind) -> String {
        kind.default_value().as_ref().and_then(Value::as_str).unwrap_or_default().to_owned()
    }
}

impl FieldValue for PathBuf {
    fn default_of(kind: &Kind) -> PathBuf {
        String::default_of(kind).into()
    }
}

impl FieldValue for Texts {
    fn default_of(_: &Kind) -> Texts {
        Texts::new()
    }
}

impl FieldValue for PolicyTable {
    fn default_of(kind: &Kind) -> PolicyTable {
        kind.default_value().as_ref().and_then(Value::as_table).cloned().unwrap_or_default()
    }
}

impl FieldValue for PolicyTables {
    fn default_of(kind: &Kind) -> PolicyTables {
        let tables = kind.default_value().as_ref().and_then(Value::as_array).cloned().unwrap_or_default();
        tables.iter().filter_map(Value::as_table).cloned().collect()
    }
}

impl Kind {
    /// Numbers of a range.
    #[doc(hidden)]
    pub const fn number(range: RangeInclusive<f64>, default: Option<f64>) -> Kind {
        let (min, max) = (*range.start(), *range.end());
        assert!(min <= max, "the range of a key is empty");
        if let Some(default) = default {
            assert!(min <= default && default <= max, "the default of a key is outside of its range");
        }
        Kind::Number { min, max, default }
    }

    /// Whole numbers of a range, or all there are.
    #[doc(hidden)]
    pub const fn count(range: RangeInclusive<i64>, default: Count) -> Kind {
        assert!(matches!(default, Count::All), "the default of a count is all there are");
        Kind::WordOrInteger { words: &[ALL], min: *range.start(), max: *range.end(), default: Some(ALL) }
    }

    /// Whole numbers of a range.
    #[doc(hidden)]
    pub const fn integer(range: RangeInclusive<i64>, default: Option<i64>) -> Kind {
        let (min, max) = (*range.start(), *range.end());
        assert!(min <= max, "the range of a key is empty");
        if let Some(default) = default {
            assert!(min <= default && default <= max, "the default of a key is outside of its range");
        }
        Kind::Integer { min, max, default }
    }
}
