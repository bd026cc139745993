//! The `[[policy]]` tables.

use super::check::Checker;
use super::error::Place;
use super::keys::{INNER_KEYS, PART_KEYS, POLICY_KEYS};
use super::raw::{RawEntry, RawItem, RawTable, RawValue};
use super::scope::Scope;
use super::value;
use super::{Key, Kind, PolicySpec};
use crate::params::{did_you_mean, listed, short};
use std::collections::BTreeMap;

/// The policies of a scenario.
pub(super) struct Policies {
    pub specs: Vec<PolicySpec>,
    /// Their names, each once; `None` if some name could not be determined.
    pub names: Option<Vec<String>>,
}

impl Checker<'_> {
    pub(super) fn policies(&mut self, entry: Option<&RawEntry>) -> Policies {
        let mut specs = Vec::new();
        let mut names = Vec::new();
        let mut places = BTreeMap::new();
        let items = self.items(entry);
        for (index, item) in items.iter().enumerate() {
            let RawValue::Table(raw) = &item.value else {
                self.not_a_table(&item.place, &item.value);
                continue;
            };
            let Some(spec) = self.policy(index, raw) else { continue };
            let place = raw.get("name").map_or(&raw.place, |entry| &entry.place);
            match places.get(&spec.name) {
                Some(first) => {
                    let name = short(&spec.name);
                    self.report(
                        place,
                        format!("policy name `{name}` is taken by {first}; give this one another `name`"),
                    );
                }
                None => {
                    places.insert(spec.name.clone(), place.clone());
                    names.push(spec.name.clone());
                }
            }
            specs.push(spec);
        }
        let complete = !items.is_empty() && specs.len() == items.len();
        Policies { specs, names: complete.then_some(names) }
    }

    fn items<'a>(&mut self, entry: Option<&'a RawEntry>) -> &'a [RawItem] {
        match entry.map(|entry| (&entry.value, &entry.place)) {
            Some((RawValue::List(items), _)) if !items.is_empty() => return items,
            None | Some((RawValue::List(_), _)) if self.partial => {}
            None | Some((RawValue::List(_), _)) => {
                let place = entry.map_or(Place::Line(1), |entry| entry.place.clone());
                let kinds = listed(self.kinds());
                self.report(&place, format!("there is no policy; add a [[policy]] table with a `kind` out of {kinds}"));
            }
            Some((value, place)) => self.not_a_table(place, value),
        }
        &[]
    }

    fn not_a_table(&mut self, place: &Place, value: &RawValue) {
        self.report(place, format!("policies are written [[policy]], one table each; found {}", value.describe()));
    }

    /// One policy; `None` if its name or kind is wrong.
    fn policy(&mut self, index: usize, raw: &RawTable) -> Option<PolicySpec> {
        let written = self.written_kind(raw);
        let kind = written.as_deref().and_then(|name| self.registry.policy(name));
        let mut table = self.table(&Scope::policy(index, raw, kind, self.registry), raw);
        self.known_kind(raw, written.as_deref(), kind.is_some());
        let name = table.remove("name")?.as_str()?.to_owned();
        let kind = table.remove("kind")?.as_str()?.to_owned();
        Some(PolicySpec { name: if name.is_empty() { kind.clone() } else { name }, kind, params: table })
    }

    /// The inner policies of a policy: one table, or a list of tables with weights.
    pub(super) fn inner(&mut self, path: &str, kind: &Kind, value: &RawValue, place: &Place) -> Option<toml::Value> {
        let interpreted;
        let value = match value {
            RawValue::Argument(argument) => {
                interpreted = value::interpret(argument, kind, place);
                &interpreted
            }
            written => written,
        };
        match (kind, value) {
            (Kind::Policy { .. }, RawValue::Table(raw)) => {
                self.inner_policy(path, INNER_KEYS, raw).map(toml::Value::Table)
            }
            (Kind::Policies { .. }, RawValue::List(items)) if !items.is_empty() => {
                let parts: Vec<_> = (1..)
                    .zip(items)
                    .map(|(number, item)| {
                        let path = format!("{path}.{number}");
                        if let RawValue::Table(raw) = &item.value {
                            return self.inner_policy(&path, PART_KEYS, raw);
                        }
                        let one = Kind::Policy { default: "" };
                        self.report(&item.place, value::wrong(&path, &one, &item.value));
                        None
                    })
                    .collect();
                let parts: Option<Vec<_>> = parts.into_iter().map(|part| part.map(toml::Value::Table)).collect();
                parts.map(toml::Value::Array)
            }
            _ => {
                self.report(place, value::wrong(path, kind, value));
                None
            }
        }
    }

    /// The table of an inner policy; `None` if its kind is wrong.
    fn inner_policy(&mut self, path: &str, head: &'static [Key], raw: &RawTable) -> Option<toml::Table> {
        let written = self.written_kind(raw);
        let kind = written.as_deref().and_then(|name| self.registry.policy(name));
        let table = self.table(&Scope::inner(path, head, kind, self.registry), raw);
        self.known_kind(raw, written.as_deref(), kind.is_some());
        table.contains_key("kind").then_some(table)
    }

    /// Reports a `kind` that does not exist.
    fn known_kind(&mut self, raw: &RawTable, written: Option<&str>, known: bool) {
        if let (Some(written), false, Some(entry)) = (written, known, raw.get("kind")) {
            let hint = did_you_mean(written, self.kinds());
            let (written, kinds) = (short(written), listed(self.kinds()));
            self.report(&entry.place, format!("unknown policy kind `{written}`{hint} (there are {kinds})"));
        }
    }

    /// The text of `kind`, valid or not.
    fn written_kind(&self, raw: &RawTable) -> Option<String> {
        let entry = raw.get("kind")?;
        let key = POLICY_KEYS.iter().find(|key| key.name == "kind")?;
        let kind = value::check("kind", &key.kind, &entry.value, &entry.place, self.folder).ok()?;
        kind.as_str().map(str::to_owned)
    }

    fn kinds(&self) -> impl Iterator<Item = &'static str> {
        self.registry.policies().iter().map(|kind| kind.name)
    }
}
