//! Keys of kinds, and the values given in a scenario.
//!
//! A kind (of policy, user model, dynamic) declares a struct of parameters with [`parameters!`](crate::parameters): its
//! fields are the keys. Checks, messages, the JSON Schema and the reference file follow from them, and the kind is built
//! from the values.

mod keys;
mod macros;
mod messages;
mod parameters;
mod sections;

pub(crate) use self::keys::{number, text, whole, word};
pub(crate) use self::macros::builtin_kinds;
#[doc(hidden)]
pub use self::macros::{key, kind_of_key, kind_of_shared, limits, maybe};
pub use self::macros::{parameters, shared_key, words};
pub use self::messages::{did_you_mean, listed, nearest, renamed, short};
pub use self::parameters::{Count, ParameterError, Parameters, PolicyTable, PolicyTables, Texts, Words};
#[doc(hidden)]
pub use self::parameters::{FieldValue, write_field};
pub use self::sections::{KindList, KindSpec, Section, Variant};

/// The derives of [`parameters!`](crate::parameters) and [`words!`](crate::words) use it.
#[doc(hidden)]
pub use {serde, toml};

use toml::Value;

/// A key: its name, its allowed values, and its meaning.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Key {
    /// The name within its table.
    pub name: &'static str,
    /// Type, range and default.
    pub kind: Kind,
    /// One line for readers, unit included.
    pub doc: &'static str,
}

impl Key {
    /// True if the key has no default and must be given.
    pub fn is_required(&self) -> bool {
        self.kind.default_value().is_none()
    }
}

/// The values of a key. A `default` of `None` means that the key must be given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// A whole number in `min..=max`.
    Integer {
        /// Smallest value.
        min: i64,
        /// Largest value.
        max: i64,
        /// Value when the key is absent.
        default: Option<i64>,
    },
    /// A finite number in `min..=max`; whole numbers are accepted.
    Number {
        /// Smallest value.
        min: f64,
        /// Largest value.
        max: f64,
        /// Value when the key is absent.
        default: Option<f64>,
    },
    /// `true` or `false`.
    Bool {
        /// Value when the key is absent.
        default: Option<bool>,
    },
    /// Any text.
    Text {
        /// Value when the key is absent.
        default: Option<&'static str>,
    },
    /// One of a list of words.
    Word {
        /// The words.
        words: &'static [&'static str],
        /// Value when the key is absent.
        default: Option<&'static str>,
    },
    /// A word of a list, or a whole number in `min..=max`.
    WordOrInteger {
        /// The words.
        words: &'static [&'static str],
        /// Smallest number.
        min: i64,
        /// Largest number.
        max: i64,
        /// Value when the key is absent.
        default: Option<&'static str>,
    },
    /// A word of a list, or a finite number in `min..=max`.
    WordOrNumber {
        /// The words.
        words: &'static [&'static str],
        /// Smallest number.
        min: f64,
        /// Largest number.
        max: f64,
        /// Value when the key is absent; without one it is the first word.
        default: Option<f64>,
    },
    /// A list of finite numbers in `min..=max`, empty by default, or one of a list of words.
    Numbers {
        /// The words.
        words: &'static [&'static str],
        /// Smallest number.
        min: f64,
        /// Largest number.
        max: f64,
    },
    /// A list of words, each of the list at most once.
    Words {
        /// The words.
        words: &'static [&'static str],
        /// Value when the key is absent.
        default: &'static [&'static str],
    },
    /// A file or folder, resolved against the folder of the scenario file.
    Path {
        /// Value when the key is absent.
        default: Option<&'static str>,
    },
    /// A list of at least one text; it must be given.
    Texts,
    /// A policy inside a policy: a table with a `kind` and the keys of that kind.
    Policy {
        /// The kind when the key is absent.
        default: &'static str,
    },
    /// A list of inner policies, each with an additional `weight`.
    Policies {
        /// The kinds when the key is absent.
        default: &'static [&'static str],
    },
}

impl Kind {
    /// The value when the key is absent; `None` if the key must be given.
    pub fn default_value(&self) -> Option<Value> {
        match *self {
            Kind::Integer { default, .. } => default.map(Value::Integer),
            Kind::Number { default, .. } => default.map(Value::Float),
            Kind::Bool { default } => default.map(Value::Boolean),
            Kind::Text { default }
            | Kind::Word { default, .. }
            | Kind::WordOrInteger { default, .. }
            | Kind::Path { default } => default.map(Value::from),
            Kind::WordOrNumber { default: Some(number), .. } => Some(Value::Float(number)),
            Kind::WordOrNumber { words, default: None, .. } => words.first().copied().map(Value::from),
            Kind::Numbers { .. } => Some(Value::Array(Vec::new())),
            Kind::Words { default, .. } => Some(Value::from(default.to_vec())),
            Kind::Texts => None,
            Kind::Policy { default } => Some(policy_of(default)),
            Kind::Policies { default } => Some(Value::Array(default.iter().map(|kind| policy_of(kind)).collect())),
        }
    }

    /// The allowed values, as a noun phrase: "a whole number from 1 to 9".
    pub fn wanted(&self) -> String {
        match *self {
            Kind::Integer { min, max, .. } => format!("a whole number from {min} to {max}"),
            Kind::Number { min, max, .. } if max >= f64::MAX => format!("a number of at least {min}"),
            Kind::Number { min, max, .. } => format!("a number from {min} to {max}"),
            Kind::Bool { .. } => "true or false".to_owned(),
            Kind::Text { .. } => "text in quotes".to_owned(),
            Kind::Word { words, .. } => format!("one of {}", quoted(words)),
            Kind::WordOrInteger { words, min, max, .. } => {
                format!("{} or a whole number from {min} to {max}", quoted(words))
            }
            Kind::WordOrNumber { words, min, max, .. } => {
                format!("{} or a number from {min} to {max}", quoted(words))
            }
            Kind::Numbers { words, min, max } => {
                let list = format!("a list of numbers from {min} to {max}");
                if words.is_empty() { list } else { format!("{} or {list}", quoted(words)) }
            }
            Kind::Words { words, .. } => format!("a list of at least one of {}", quoted(words)),
            Kind::Path { .. } => "a path in quotes".to_owned(),
            Kind::Texts => "a list of at least one text in quotes".to_owned(),
            Kind::Policy { .. } => "a policy: a table with a `kind` and the keys of that kind".to_owned(),
            Kind::Policies { .. } => "a list of policies: tables with a `kind`, its keys, and a `weight`".to_owned(),
        }
    }

    /// The allowed words.
    pub fn words(&self) -> &'static [&'static str] {
        match *self {
            Kind::Word { words, .. }
            | Kind::WordOrInteger { words, .. }
            | Kind::WordOrNumber { words, .. }
            | Kind::Numbers { words, .. }
            | Kind::Words { words, .. } => words,
            _ => &[],
        }
    }
}

/// The table of a policy of this kind, its keys not filled in.
fn policy_of(kind: &str) -> Value {
    Value::Table(toml::Table::from_iter([("kind".to_owned(), Value::from(kind))]))
}

fn quoted(words: &[&str]) -> String {
    words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ")
}
