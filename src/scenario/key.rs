//! The description of one key of a scenario file.

/// A key: its name, the values that it takes, and what it means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Key {
    /// The name within its table.
    pub name: &'static str,
    /// Type, range and default.
    pub kind: Kind,
    /// One line for people, unit included.
    pub doc: &'static str,
}

impl Key {
    /// Whether the key must be given because it has no default.
    pub fn is_required(&self) -> bool {
        self.kind.default_value().is_none()
    }
}

/// What values a key takes. A `default` of `None` means that the key must be given.
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
    /// A list of policies inside a policy, each with a `weight` besides.
    Policies {
        /// The kinds when the key is absent.
        default: &'static [&'static str],
    },
}

/// Checked values of one table, such as the parameters of a policy: every key of its kind is present and has the
/// right type.
pub struct Params<'a> {
    table: &'a toml::Table,
}

impl<'a> Params<'a> {
    /// Wraps a table that was checked against the keys of its kind, defaults filled in.
    pub fn new(table: &'a toml::Table) -> Params<'a> {
        Params { table }
    }

    /// A whole number; 0 when the kind has no such key (a mistake in the kind's own code).
    pub fn integer(&self, name: &str) -> i64 {
        debug_assert!(self.table.contains_key(name), "`{name}` is not a key of this kind");
        self.table.get(name).and_then(toml::Value::as_integer).unwrap_or_default()
    }

    /// A number.
    pub fn number(&self, name: &str) -> f64 {
        debug_assert!(self.table.contains_key(name), "`{name}` is not a key of this kind");
        let value = self.table.get(name);
        value
            .and_then(|value| value.as_float().or_else(|| value.as_integer().map(|whole| whole as f64)))
            .unwrap_or_default()
    }

    /// The whole number of a key that also takes words; `None` when it is one of the words.
    pub fn optional_integer(&self, name: &str) -> Option<i64> {
        debug_assert!(self.table.contains_key(name), "`{name}` is not a key of this kind");
        self.table.get(name).and_then(toml::Value::as_integer)
    }

    /// The number of a key that also takes words; `None` when it is one of the words.
    pub fn optional_number(&self, name: &str) -> Option<f64> {
        debug_assert!(self.table.contains_key(name), "`{name}` is not a key of this kind");
        self.table.get(name).and_then(toml::Value::as_float)
    }

    /// A list of numbers.
    pub fn numbers(&self, name: &str) -> Vec<f64> {
        debug_assert!(self.table.contains_key(name), "`{name}` is not a key of this kind");
        let list = self.table.get(name).and_then(toml::Value::as_array);
        list.into_iter().flatten().filter_map(toml::Value::as_float).collect()
    }

    /// The table of a policy inside a policy: `kind` and its keys.
    pub fn policy(&self, name: &str) -> Option<&'a toml::Table> {
        debug_assert!(self.table.contains_key(name), "`{name}` is not a key of this kind");
        self.table.get(name).and_then(toml::Value::as_table)
    }

    /// The tables of a list of policies.
    pub fn policies(&self, name: &str) -> Vec<&'a toml::Table> {
        debug_assert!(self.table.contains_key(name), "`{name}` is not a key of this kind");
        let list = self.table.get(name).and_then(toml::Value::as_array);
        list.into_iter().flatten().filter_map(toml::Value::as_table).collect()
    }

    /// A list of words or texts.
    pub fn words(&self, name: &str) -> Vec<&'a str> {
        debug_assert!(self.table.contains_key(name), "`{name}` is not a key of this kind");
        let list = self.table.get(name).and_then(toml::Value::as_array);
        list.into_iter().flatten().filter_map(toml::Value::as_str).collect()
    }

    /// A word, text or path (paths are absolute).
    pub fn text(&self, name: &str) -> &'a str {
        debug_assert!(self.table.contains_key(name), "`{name}` is not a key of this kind");
        self.table.get(name).and_then(toml::Value::as_str).unwrap_or_default()
    }

    /// True or false.
    pub fn flag(&self, name: &str) -> bool {
        debug_assert!(self.table.contains_key(name), "`{name}` is not a key of this kind");
        self.table.get(name).and_then(toml::Value::as_bool).unwrap_or_default()
    }
}
