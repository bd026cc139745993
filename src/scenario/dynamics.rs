//! The `[[dynamic]]` tables.

use super::DynamicSpec;
use super::check::Checker;
use super::error::Place;
use super::keys::DYNAMIC_KEYS;
use super::raw::{RawEntry, RawTable, RawValue};
use super::scope::Scope;
use super::value;
use crate::params::{did_you_mean, listed, short};
use std::collections::BTreeMap;

impl Checker<'_> {
    /// The dynamics of a scenario, which may have none.
    pub(super) fn dynamics(&mut self, entry: Option<&RawEntry>) -> Vec<DynamicSpec> {
        let items = match entry.map(|entry| (&entry.value, &entry.place)) {
            None => return Vec::new(),
            Some((RawValue::List(items), _)) => items,
            Some((value, place)) => {
                self.no_dynamic(place, value);
                return Vec::new();
            }
        };
        let (mut specs, mut places) = (Vec::new(), BTreeMap::new());
        for (index, item) in items.iter().enumerate() {
            let RawValue::Table(raw) = &item.value else {
                self.no_dynamic(&item.place, &item.value);
                continue;
            };
            let Some(spec) = self.dynamic(index, raw) else { continue };
            let place = raw.get("name").map_or(&raw.place, |entry| &entry.place);
            if let Some(first) = places.insert(spec.name.clone(), place.clone()) {
                let name = short(&spec.name);
                self.report(place, format!("dynamic name `{name}` is taken by {first}; give this one another `name`"));
            }
            specs.push(spec);
        }
        specs
    }

    fn no_dynamic(&mut self, place: &Place, value: &RawValue) {
        self.report(place, format!("dynamics are written [[dynamic]], one table each; found {}", value.describe()));
    }

    /// One dynamic; `None` if its name or kind is wrong.
    fn dynamic(&mut self, index: usize, raw: &RawTable) -> Option<DynamicSpec> {
        let written = raw.get("kind").and_then(|entry| {
            let key = DYNAMIC_KEYS.iter().find(|key| key.name == "kind")?;
            let kind = value::check("kind", &key.kind, &entry.value, &entry.place, self.folder).ok()?;
            Some((entry, kind.as_str()?.to_owned()))
        });
        let kind = written.as_ref().and_then(|(_, name)| self.registry.dynamic(name));
        let mut table = self.table(&Scope::dynamic(index, raw, kind, self.registry), raw);
        if let (Some((entry, written)), None) = (&written, kind) {
            let registry = self.registry;
            let kinds = || registry.dynamics().iter().map(|kind| kind.name);
            let hint = did_you_mean(written, kinds());
            let (written, kinds) = (short(written), listed(kinds()));
            self.report(&entry.place, format!("unknown dynamic kind `{written}`{hint} (there are {kinds})"));
        }
        let name = table.remove("name")?.as_str()?.to_owned();
        let kind = table.remove("kind")?.as_str()?.to_owned();
        Some(DynamicSpec { name: if name.is_empty() { kind.clone() } else { name }, kind, params: table })
    }
}
