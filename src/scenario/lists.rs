//! The `[[policy]]` and `[[dynamic]]` tables.

use super::check::Checker;
use super::error::Place;
use super::keys::{DYNAMICS, INNER_KEYS, PART_KEYS, POLICIES, POLICY_KEYS};
use super::raw::{RawEntry, RawItem, RawTable, RawValue};
use super::scope::Scope;
use super::value;
use super::{DynamicSpec, Key, Kind, Variant};
use crate::dynamics::DynamicKind;
use crate::params::{KindList, KindSpec, did_you_mean, listed, short};
use crate::policy::PolicyKind;
use std::collections::BTreeMap;

/// The tables of a list.
pub(super) struct Entries {
    pub specs: Vec<KindSpec>,
    /// Their names, each once; `None` when some name could not be determined.
    pub names: Option<Vec<String>>,
}

impl Checker<'_> {
    /// The policies of a scenario: at least one.
    pub(super) fn policies(&mut self, entry: Option<&RawEntry>) -> Entries {
        let kinds = self.policy_kinds();
        let items = self.items(&POLICIES, entry);
        let is_list = entry.is_none_or(|entry| matches!(entry.value, RawValue::List(_)));
        if items.is_empty() && is_list && !self.partial {
            let place = entry.map_or(Place::Line(1), |entry| entry.place.clone());
            let kinds = listed(kinds.iter().map(|kind| kind.name));
            self.report(&place, format!("there is no policy; add a [[policy]] table with a `kind` out of {kinds}"));
        }
        self.entries(&POLICIES, &kinds, items)
    }

    /// The dynamics of a scenario; none is right.
    pub(super) fn dynamics(&mut self, entry: Option<&RawEntry>) -> Vec<DynamicSpec> {
        let kinds: Vec<Variant> = self.registry.dynamics().iter().map(DynamicKind::variant).collect();
        let items = self.items(&DYNAMICS, entry);
        self.entries(&DYNAMICS, &kinds, items).specs
    }

    fn policy_kinds(&self) -> Vec<Variant> {
        self.registry.policies().iter().map(PolicyKind::variant).collect()
    }

    fn items<'a>(&mut self, list: &KindList, entry: Option<&'a RawEntry>) -> &'a [RawItem] {
        match entry.map(|entry| (&entry.value, &entry.place)) {
            None => &[],
            Some((RawValue::List(items), _)) => items,
            Some((value, place)) => {
                self.not_a_table(list, place, value);
                &[]
            }
        }
    }

    fn not_a_table(&mut self, list: &KindList, place: &Place, value: &RawValue) {
        let (name, plural, found) = (list.name, list.plural, value.describe());
        self.report(place, format!("{plural} are written [[{name}]], one table each; found {found}"));
    }

    fn entries(&mut self, list: &KindList, kinds: &[Variant], items: &[RawItem]) -> Entries {
        let (mut specs, mut names, mut places) = (Vec::new(), Vec::new(), BTreeMap::new());
        for (index, item) in items.iter().enumerate() {
            let RawValue::Table(raw) = &item.value else {
                self.not_a_table(list, &item.place, &item.value);
                continue;
            };
            let Some(spec) = self.entry(list, kinds, index, raw) else { continue };
            let place = raw.get("name").map_or(&raw.place, |entry| &entry.place);
            match places.get(&spec.name) {
                Some(first) => {
                    let (sort, name) = (list.name, short(&spec.name));
                    let message = format!("{sort} name `{name}` is taken by {first}; give this one another `name`");
                    self.report(place, message);
                }
                None => {
                    places.insert(spec.name.clone(), place.clone());
                    names.push(spec.name.clone());
                }
            }
            specs.push(spec);
        }
        let complete = !items.is_empty() && specs.len() == items.len();
        Entries { specs, names: complete.then_some(names) }
    }

    /// One table of a list; `None` when its name or kind is wrong.
    fn entry(&mut self, list: &KindList, kinds: &[Variant], index: usize, raw: &RawTable) -> Option<KindSpec> {
        let written = self.written_kind(raw);
        let chosen = named(kinds, written.as_deref());
        let mut table = self.table(&Scope::entry(list, index, raw, kinds, chosen), raw);
        self.known_kind(list, kinds, raw, written.as_deref());
        let name = table.remove("name")?.as_str()?.to_owned();
        let kind = table.remove("kind")?.as_str()?.to_owned();
        Some(KindSpec { name: if name.is_empty() { kind.clone() } else { name }, kind, params: table })
    }

    /// The policies inside a policy: one table, or a list of tables with weights.
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

    /// The table of one policy inside a policy; `None` when its kind is wrong.
    fn inner_policy(&mut self, path: &str, head: &'static [Key], raw: &RawTable) -> Option<toml::Table> {
        let kinds = self.policy_kinds();
        let written = self.written_kind(raw);
        let chosen = named(&kinds, written.as_deref());
        let table = self.table(&Scope::inner(path, head, &kinds, chosen), raw);
        self.known_kind(&POLICIES, &kinds, raw, written.as_deref());
        table.contains_key("kind").then_some(table)
    }

    /// Says so when `kind` names no kind.
    fn known_kind(&mut self, list: &KindList, kinds: &[Variant], raw: &RawTable, written: Option<&str>) {
        if let (Some(written), None, Some(entry)) = (written, named(kinds, written), raw.get("kind")) {
            let names = || kinds.iter().map(|kind| kind.name);
            let hint = did_you_mean(written, names());
            let (sort, written, kinds) = (list.name, short(written), listed(names()));
            self.report(&entry.place, format!("unknown {sort} kind `{written}`{hint} (there are {kinds})"));
        }
    }

    /// The text of `kind`, whether there is such a kind or not.
    fn written_kind(&self, raw: &RawTable) -> Option<String> {
        let entry = raw.get("kind")?;
        let key = POLICY_KEYS.iter().find(|key| key.name == "kind")?;
        let kind = value::check("kind", &key.kind, &entry.value, &entry.place, self.folder).ok()?;
        kind.as_str().map(str::to_owned)
    }
}

/// The kind of this name, if there is one.
fn named(kinds: &[Variant], name: Option<&str>) -> Option<&'static str> {
    kinds.iter().map(|kind| kind.name).find(|known| Some(*known) == name)
}
