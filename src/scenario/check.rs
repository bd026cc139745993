//! The check of a scenario against its keys.
//!
//! Reports all problems at once.

use super::error::{Place, Problem};
use super::keys::{DYNAMIC, POLICY};
use super::params::Params;
use super::raw::{RawEntry, RawTable, RawValue};
use super::scope::Scope;
use super::sections::sections_of;
use super::value;
use super::{DynamicSpec, Key, Kind, PolicySpec, Section};
use crate::params::{did_you_mean, listed, short};
use crate::registry::Registry;
use std::collections::BTreeMap;
use std::path::Path;
use toml::Table;

/// A scenario with valid values for all keys, by section (the top of the file is `""`).
pub(super) struct Checked {
    pub sections: BTreeMap<&'static str, Table>,
    pub policies: Vec<PolicySpec>,
    pub dynamics: Vec<DynamicSpec>,
}

/// Checks a raw scenario. Relative paths start from `folder`. With `partial`, some lines of the file could not be read:
/// problems that those lines might solve are then not reported.
pub(super) fn check(
    raw: &RawTable,
    registry: &Registry,
    folder: &Path,
    partial: bool,
) -> Result<Checked, Vec<Problem>> {
    let mut checker = Checker { registry, folder, partial, problems: Vec::new() };
    let mut sections = BTreeMap::new();
    for section in sections_of(registry) {
        let table = if section.name.is_empty() { checker.root(section, raw) } else { checker.section(section, raw) };
        sections.insert(section.name, table);
    }
    let policies = checker.policies(raw.get(POLICY));
    let dynamics = checker.dynamics(raw.get(DYNAMIC));
    if let (Some(names), Some(root), false) = (policies.names, sections.get_mut(""), partial) {
        checker.baseline(root, raw.get("baseline"), &names);
    }
    if !checker.problems.is_empty() {
        return Err(checker.problems);
    }
    Ok(Checked { sections, policies: policies.specs, dynamics })
}

/// Collects problems while it walks through the tables.
pub(super) struct Checker<'a> {
    pub registry: &'a Registry,
    pub folder: &'a Path,
    pub partial: bool,
    problems: Vec<Problem>,
}

impl Checker<'_> {
    pub fn report(&mut self, place: &Place, message: String) {
        self.problems.push(Problem { place: place.clone(), message });
    }

    fn root(&mut self, section: &'static Section, raw: &RawTable) -> Table {
        self.table(&Scope::section(section, None), raw)
    }

    fn section(&mut self, section: &'static Section, root: &RawTable) -> Table {
        let name = section.name;
        let absent = RawTable::empty(Place::Line(1));
        let raw = match root.get(name) {
            None => &absent,
            Some(RawEntry { value: RawValue::Table(table), .. }) => table,
            Some(RawEntry { place, value, .. }) => {
                let message = format!("`{name}` must be one table, written [{name}], found {}", value.describe());
                self.report(place, message);
                return Table::new();
            }
        };
        self.table(&Scope::section(section, self.variant(section, raw)), raw)
    }

    /// The kind that a section chooses; `None` if it cannot be determined.
    fn variant(&self, section: &Section, raw: &RawTable) -> Option<&'static str> {
        let key = section.keys.iter().find(|key| key.name == "kind")?;
        let word = match raw.get("kind") {
            None if self.partial => return None,
            None => key.kind.default_value()?,
            Some(entry) => value::check("kind", &key.kind, &entry.value, &entry.place, self.folder).ok()?,
        };
        section.variants.iter().map(|variant| variant.name).find(|name| word.as_str() == Some(name))
    }

    /// Checks every entry of a table, and fills in the defaults of missing keys.
    pub fn table(&mut self, scope: &Scope, raw: &RawTable) -> Table {
        let mut table = Table::new();
        for entry in &raw.entries {
            let Some(key) = scope.key(&entry.name) else {
                if let Some(message) = scope.unknown(entry) {
                    self.report(&entry.place, message);
                }
                continue;
            };
            if let Some(value) = self.value(&scope.path(key.name), key, entry) {
                table.insert(key.name.to_owned(), value);
            }
        }
        for key in scope.keys.iter().filter(|key| raw.get(key.name).is_none()) {
            if let Some(value) = self.default_of(scope, key, raw) {
                table.insert(key.name.to_owned(), value);
            }
        }
        table
    }

    fn value(&mut self, path: &str, key: &Key, entry: &RawEntry) -> Option<toml::Value> {
        if matches!(key.kind, Kind::Policy { .. } | Kind::Policies { .. }) {
            return self.inner(path, &key.kind, &entry.value, &entry.place);
        }
        let folder = if matches!(entry.place, Place::Setting(_)) { Path::new("") } else { self.folder };
        match value::check(path, &key.kind, &entry.value, &entry.place, folder) {
            Ok(value) => return Some(value),
            Err(problems) => problems.into_iter().for_each(|(place, message)| self.report(&place, message)),
        }
        None
    }

    fn default_of(&mut self, scope: &Scope, key: &Key, raw: &RawTable) -> Option<toml::Value> {
        if let Some(inner @ (toml::Value::Table(_) | toml::Value::Array(_))) = key.kind.default_value()
            && !matches!(key.kind, Kind::Words { .. } | Kind::Numbers { .. })
        {
            // The keys of the inner policies have defaults of their own.
            let written = super::raw::parse_value(&inner.to_string(), &raw.place)?;
            return self.inner(&scope.path(key.name), &key.kind, &written, &raw.place);
        }
        // A relative default path starts from the file's folder, like a written one.
        let default = key.kind.default_value().map(|value| match (&key.kind, value) {
            (Kind::Path { .. }, toml::Value::String(text)) => {
                let written = RawValue::Text(text);
                value::check(&scope.path(key.name), &key.kind, &written, &raw.place, self.folder)
            }
            (_, value) => Ok(value),
        });
        match default {
            Some(Ok(value)) => return Some(value),
            Some(Err(problems)) => problems.into_iter().for_each(|(place, message)| self.report(&place, message)),
            None if self.partial => {}
            None => {
                let message = format!("`{}` is missing; it must be {}", scope.path(key.name), scope.wanted(key));
                self.report(&raw.place, message);
            }
        }
        None
    }

    fn baseline(&mut self, root: &mut Table, entry: Option<&RawEntry>, names: &[String]) {
        // It is absent from the table if its value was wrong, which is already reported.
        let Some(baseline) = root.contains_key("baseline").then(|| Params::new(root).text("baseline").to_owned())
        else {
            return;
        };
        if baseline.is_empty() {
            let first = names.first().cloned().unwrap_or_default();
            root.insert("baseline".to_owned(), first.into());
        } else if let (true, Some(entry)) = (!names.contains(&baseline), entry) {
            let known = || names.iter().map(String::as_str);
            let hint = did_you_mean(&baseline, known());
            let message = format!(
                "`baseline` must be the name of a policy, found \"{}\"{hint} (there are {})",
                short(&baseline),
                listed(known())
            );
            self.report(&entry.place, message);
        }
    }
}
