//! The struct of a kind's parameters.
//!
//! The one definition of a kind's parameters: a struct from whose fields everything else follows.

use super::{Key, Kind};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::ops::RangeInclusive;
use toml::Table;

/// A list of texts, at least one.
pub type Texts = Vec<String>;

/// A policy inside a policy: its `kind` and the keys of that kind.
pub type PolicyTable = Table;

/// Inner policies, each with an additional `weight`.
pub type PolicyTables = Vec<Table>;

/// The parameters of a kind; [`parameters!`](crate::parameters) implements it.
pub trait Parameters: Serialize + DeserializeOwned {
    /// The value of `kind`.
    const NAME: &'static str;
    /// A description of the kind in a line, with the source.
    const SUMMARY: &'static str;
    /// The keys in the order of the fields.
    const KEYS: &'static [Key];

    /// Reads the fields from a table; what the table does not have takes its default. Ranges are not checked: a scenario
    /// file or a builder has done that.
    ///
    /// # Errors
    /// When a key without a default is absent, or a value has another type.
    fn read(table: &Table) -> Result<Self, ParameterError> {
        let mut values = defaults(Self::KEYS);
        values.extend(table.iter().map(|(key, value)| (key.clone(), value.clone())));
        let fail = |problem: toml::de::Error| ParameterError {
            kind: Self::NAME,
            problem: problem.to_string().trim_end().replace('\n', " "),
        };
        values.try_into().map_err(fail)
    }
}

/// A table from which a kind cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("parameters of `{kind}`: {problem}")]
pub struct ParameterError {
    /// The kind.
    pub kind: &'static str,
    /// The outcome.
    pub problem: String,
}

/// The default of each key that has one.
fn defaults(keys: &[Key]) -> Table {
    let value_of = |key: &Key| Some((key.name.to_owned(), key.kind.default_value()?));
    keys.iter().filter_map(value_of).collect()
}

impl Kind {
    /// Numbers of a range.
    #[doc(hidden)]
    pub const fn number(range: RangeInclusive<f64>, default: Option<f64>) -> Kind {
        Kind::Number { min: *range.start(), max: *range.end(), default }
    }

    /// Whole numbers of a range.
    #[doc(hidden)]
    pub const fn integer(range: RangeInclusive<i64>, default: Option<i64>) -> Kind {
        Kind::Integer { min: *range.start(), max: *range.end(), default }
    }
}

/// Values that are one of some words; [`words!`](crate::words) implements it.
pub trait Words {
    /// All words, in the order of the variants.
    const WORDS: &'static [&'static str];
}

/// Declares the parameters of a kind: a struct with a doc, a range and a default for each field. Scenario files, `--set`, the
/// JSON Schema, the reference file and messages know the keys from it, and the kind is built from its values.
///
/// The doc of the struct is the summary of the kind. A field without a default must be given. The types are `f64`,
/// `u32`, `u64`, `usize` and `i64` with a range, `bool`, `String`, [`PathBuf`](std::path::PathBuf) (relative to the folder
/// of the scenario file), [`Texts`], [`PolicyTable`], [`PolicyTables`], and an enum of [`words!`](crate::words). With
/// `#[key(KEY)]` a field has the type, doc and default of a [`Key`] that several kinds share.
///
/// ```
/// use recmirror::params::Parameters;
///
/// recmirror::words! {
///     /// Who is asked first.
///     pub enum Order { Oldest = "oldest", Newest = "newest" }
/// }
///
/// recmirror::parameters! {
///     /// asks users one after the other
///     pub struct QueueSpec = "queue" {
///         /// users who are asked at one step
///         #[range(1..=100)]
///         users: usize = 10,
///         /// seconds that one answer takes
///         #[range(0.0..=60.0)]
///         pause: f64,
///         /// who is asked first
///         order: Order = Order::Oldest,
///     }
/// }
///
/// let queue = QueueSpec::read(&toml::from_str("pause = 2").expect("TOML"))?;
/// assert_eq!(queue, QueueSpec { users: 10, pause: 2.0, order: Order::Oldest });
/// assert_eq!(QueueSpec::KEYS[1].doc, "seconds that one answer takes");
/// assert!(QueueSpec::read(&toml::Table::new()).is_err());
/// let problem = QueueSpec::read(&toml::from_str("pause = 'long'").expect("TOML")).expect_err("a text");
/// assert!(problem.to_string().contains("`pause`"), "{problem}");
/// # Ok::<(), recmirror::params::ParameterError>(())
/// ```
#[macro_export]
macro_rules! parameters {
    (
        $(#[doc = $summary:literal])+
        $visibility:vis struct $name:ident = $kind:literal {
            $(
                $(#[doc = $doc:literal])*
                $(#[range($range:expr)])?
                $(#[key($key:expr)])?
                $field:ident: $type:ident $(= $default:expr)?
            ),* $(,)?
        }
    ) => {
        #[doc = concat!("The parameters of `", $kind, "`:" $(, $summary)+)]
        #[derive(Clone, Debug, PartialEq, $crate::params::serde::Serialize, $crate::params::serde::Deserialize)]
        #[serde(crate = "recmirror::params::serde")]
        $visibility struct $name {
            $(
                $(#[doc = $doc])*
                $(#[doc = concat!("See `", stringify!($key), "`.")])?
                pub $field: $type
            ),*
        }

        impl $crate::params::Parameters for $name {
            const NAME: &'static str = $kind;
            const SUMMARY: &'static str = concat!($($summary),+).trim_ascii();
            const KEYS: &'static [$crate::params::Key] = &[
                $($crate::params::Key {
                    name: stringify!($field),
                    ..$crate::params::key!($type [$($doc)*] [$($range)?] [$($key)?] [$($default)?])
                }),*
            ];
        }
    };
}

/// Declares an enum whose variants are words of scenario files, see [`parameters!`](crate::parameters).
#[macro_export]
macro_rules! words {
    ($(#[$outer:meta])* $visibility:vis enum $name:ident { $($(#[$inner:meta])* $variant:ident = $word:literal),* $(,)? }) => {
        $(#[$outer])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, $crate::params::serde::Serialize, $crate::params::serde::Deserialize)]
        #[serde(crate = "recmirror::params::serde")]
        $visibility enum $name {
            $($(#[$inner])* #[doc = concat!("`", $word, "`")] #[serde(rename = $word)] $variant),*
        }

        impl $name {
            /// The word in scenario files.
            pub const fn word(self) -> &'static str {
                match self {
                    $($name::$variant => $word),*
                }
            }
        }

        impl $crate::params::Words for $name {
            const WORDS: &'static [&'static str] = &[$($word),*];
        }
    };
}

/// One key of [`parameters!`](crate::parameters).
#[doc(hidden)]
#[macro_export]
macro_rules! key {
    ($type:ident [] [] [$key:expr] []) => { $key };
    ($type:ident [$($doc:literal)+] [$($range:expr)?] [] [$($default:expr)?]) => {
        $crate::params::Key {
            name: "",
            doc: concat!($($doc),+).trim_ascii(),
            kind: $crate::params::kind_of_key!($type [$($range)?] [$($default)?]),
        }
    };
}

/// The values of a key of [`parameters!`](crate::parameters), by its type.
#[doc(hidden)]
#[macro_export]
macro_rules! kind_of_key {
    (f64 [$range:expr] [$($default:expr)?]) => { $crate::params::Kind::number($range, $crate::params::maybe!($($default)?)) };
    (u32 [$range:expr] [$($default:expr)?]) => { $crate::params::Kind::integer($range, $crate::params::maybe!($($default)?)) };
    (u64 [$range:expr] [$($default:expr)?]) => { $crate::params::Kind::integer($range, $crate::params::maybe!($($default)?)) };
    (i64 [$range:expr] [$($default:expr)?]) => { $crate::params::Kind::integer($range, $crate::params::maybe!($($default)?)) };
    (usize [$range:expr] [$($default:expr)?]) => { $crate::params::Kind::integer($range, $crate::params::maybe!($($default)?)) };
    (bool [] [$($default:expr)?]) => { $crate::params::Kind::Bool { default: $crate::params::maybe!($($default)?) } };
    (String [] [$($default:expr)?]) => { $crate::params::Kind::Text { default: $crate::params::maybe!($($default)?) } };
    (PathBuf [] [$($default:expr)?]) => { $crate::params::Kind::Path { default: $crate::params::maybe!($($default)?) } };
    (Texts [] []) => { $crate::params::Kind::Texts };
    (PolicyTable [] [$default:expr]) => { $crate::params::Kind::Policy { default: $default } };
    (PolicyTables [] [$default:expr]) => { $crate::params::Kind::Policies { default: $default } };
    ($words:ident [] []) => {
        $crate::params::Kind::Word { words: <$words as $crate::params::Words>::WORDS, default: None }
    };
    ($words:ident [] [$default:expr]) => {
        $crate::params::Kind::Word { words: <$words as $crate::params::Words>::WORDS, default: Some($default.word()) }
    };
}

/// A value that may be missing.
#[doc(hidden)]
#[macro_export]
macro_rules! maybe {
    () => {
        None
    };
    ($value:expr) => {
        Some($value)
    };
}

pub use {key, kind_of_key, maybe, parameters, words};
