//! The checked values of a section, by type.

use toml::Value;

/// Checked values of one section: every key is present and has the right type.
pub(super) struct Params<'a> {
    table: &'a toml::Table,
}

impl<'a> Params<'a> {
    /// Wraps a table that was checked against the keys of its section, defaults filled in.
    pub(super) fn new(table: &'a toml::Table) -> Params<'a> {
        Params { table }
    }

    /// The table itself.
    pub(super) fn table(&self) -> &'a toml::Table {
        self.table
    }

    /// An integer; 0 if the section has no such key (a defect).
    pub(super) fn integer(&self, name: &str) -> i64 {
        debug_assert!(self.table.contains_key(name), "`{name}` is not a key of this section");
        self.table.get(name).and_then(Value::as_integer).unwrap_or_default()
    }

    /// A number.
    pub(super) fn number(&self, name: &str) -> f64 {
        debug_assert!(self.table.contains_key(name), "`{name}` is not a key of this section");
        let value = self.table.get(name);
        value
            .and_then(|value| value.as_float().or_else(|| value.as_integer().map(|whole| whole as f64)))
            .unwrap_or_default()
    }

    /// The integer of a key that also takes words; `None` for a word.
    pub(super) fn optional_integer(&self, name: &str) -> Option<i64> {
        debug_assert!(self.table.contains_key(name), "`{name}` is not a key of this section");
        self.table.get(name).and_then(Value::as_integer)
    }

    /// The number of a key that also takes words; `None` for a word.
    pub(super) fn optional_number(&self, name: &str) -> Option<f64> {
        debug_assert!(self.table.contains_key(name), "`{name}` is not a key of this section");
        self.table.get(name).and_then(Value::as_float)
    }

    /// A list of numbers.
    pub(super) fn numbers(&self, name: &str) -> Vec<f64> {
        debug_assert!(self.table.contains_key(name), "`{name}` is not a key of this section");
        let list = self.table.get(name).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_float).collect()
    }

    /// A list of words or texts.
    pub(super) fn words(&self, name: &str) -> Vec<&'a str> {
        debug_assert!(self.table.contains_key(name), "`{name}` is not a key of this section");
        let list = self.table.get(name).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// A word, text or path (paths are absolute).
    pub(super) fn text(&self, name: &str) -> &'a str {
        debug_assert!(self.table.contains_key(name), "`{name}` is not a key of this section");
        self.table.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// True or false.
    pub(super) fn flag(&self, name: &str) -> bool {
        debug_assert!(self.table.contains_key(name), "`{name}` is not a key of this section");
        self.table.get(name).and_then(Value::as_bool).unwrap_or_default()
    }
}
