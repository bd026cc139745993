//! `--set KEY=VALUE`: settings of the command line.
//!
//! A key has the form of messages: `seed`, `arrival.probability`, `policy.NAME.KEY`, `dynamic.NAME.KEY`. The value is
//! TOML, and quotes around text may be omitted.

use super::error::{Place, Problem};
use super::keys::{DYNAMICS, POLICIES};
use super::raw::{RawEntry, RawTable, RawValue};
use super::scope::{sections, unknown_section};
use crate::params::{did_you_mean, listed, short};
use crate::registry::Registry;
use crate::user;

/// Writes the settings into the raw scenario in order; the last setting of a key counts.
pub(super) fn apply(root: &mut RawTable, settings: &[(String, String)], registry: &Registry) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (key, value) in settings {
        let place = Place::Setting(format!("{}={}", short(key), short(value)));
        let (key, value) = (key.trim(), value.trim());
        if key == "user.kind" {
            choose_users(root, value.trim_matches(['"', '\'']), registry);
        }
        if let Err(message) = apply_one(root, key, value, &place) {
            problems.push(Problem { place, message });
        }
    }
    problems
}

fn apply_one(root: &mut RawTable, key: &str, value: &str, place: &Place) -> Result<(), String> {
    let entry = |name: &str| RawEntry {
        name: name.trim().to_owned(),
        place: place.clone(),
        value: RawValue::Argument(value.to_owned()),
    };
    match key.split_once('.') {
        None if key.is_empty() => Err("the key is empty; write --set KEY=VALUE".to_owned()),
        None if is_list(key) => Err(usage(key)),
        None if is_section(key) => Err(format!("`{key}` is a section; set one of its keys: --set {key}.KEY=VALUE")),
        None => {
            root.set(entry(key));
            Ok(())
        }
        Some((list, rest)) if is_list(list) => {
            if list == POLICIES.name
                && let Some((table, key)) = inner(root, rest)?
            {
                table.set(entry(key));
                return Ok(());
            }
            // The name may contain dots, a key may not.
            let (name, key) = rest.rsplit_once('.').ok_or_else(|| usage(list))?;
            if let Some(table) = one_of(root, list, name)? {
                table.set(entry(key));
            }
            Ok(())
        }
        Some((section, key)) if is_section(section) => {
            if let Some(table) = section_table(root, section) {
                table.set(entry(key));
            }
            Ok(())
        }
        Some((section, _)) => Err(unknown_section(section)),
    }
}

/// Drops the keys that belong to the file's kind of user model where a setting chooses another kind: they mean nothing to it.
fn choose_users(root: &mut RawTable, kind: &str, registry: &Registry) {
    let Some(table) = section_table(root, "user") else { return };
    let before = registry.user(table.text("kind").unwrap_or(user::KINDS[0].name));
    let (Some(before), Some(_)) = (before.filter(|before| before.name != kind), registry.user(kind)) else { return };
    let is_own = |name: &str| before.keys.iter().any(|key| key.name == name);
    table.entries.retain(|entry| matches!(entry.place, Place::Setting(_)) || !is_own(&entry.name));
}

fn usage(list: &str) -> String {
    format!("name the {list} and its key: --set {list}.NAME.KEY=VALUE")
}

fn is_list(name: &str) -> bool {
    [POLICIES.name, DYNAMICS.name].contains(&name)
}

fn is_section(name: &str) -> bool {
    !is_list(name) && sections().any(|section| section == name)
}

/// The table of a section, added if absent; `None` if the file has another value in its place.
fn section_table<'a>(root: &'a mut RawTable, section: &str) -> Option<&'a mut RawTable> {
    if root.get(section).is_none() {
        let value = RawValue::Table(RawTable::empty(Place::Line(1)));
        root.set(RawEntry { name: section.to_owned(), place: Place::Line(1), value });
    }
    root.entries.iter_mut().find(|entry| entry.name == section).and_then(|entry| entry.value.table_mut())
}

/// The policy or dynamic in `list` with the name `name`; `Ok(None)` if the file has no list of policies.
fn one_of<'a>(root: &'a mut RawTable, list: &str, name: &str) -> Result<Option<&'a mut RawTable>, String> {
    let Some(entry) = root.entries.iter_mut().find(|entry| entry.name == list) else {
        let absent = || format!("the file has no [[{list}]] table; write it into the file first");
        // A file without policies is refused anyway.
        return if list == POLICIES.name { Ok(None) } else { Err(absent()) };
    };
    let RawValue::List(items) = &mut entry.value else { return Ok(None) };
    let tables = || items.iter().filter_map(|item| item.value.table());
    let known: Vec<String> = tables().filter_map(name_of).map(str::to_owned).collect();
    if known.iter().all(|known| known != name) {
        let known = || known.iter().map(String::as_str);
        let hint = did_you_mean(name, known());
        return Err(format!("no {list} is called `{}`{hint} (there are {})", short(name), listed(known())));
    }
    let mut tables = items.iter_mut().filter_map(|item| item.value.table_mut());
    Ok(tables.find(|table| name_of(table) == Some(name)))
}

/// For `NAME.inner.KEY` and deeper: the table of the inner policy, and the key; a policy of a list is named by its
/// index from 1. `Ok(None)` if this names no inner policy.
fn inner<'a, 'k>(root: &'a mut RawTable, rest: &'k str) -> Result<Option<(&'a mut RawTable, &'k str)>, String> {
    let Some(entry) = root.entries.iter_mut().find(|entry| entry.name == POLICIES.name) else { return Ok(None) };
    let RawValue::List(items) = &mut entry.value else { return Ok(None) };
    let after = |table: &RawTable| rest.strip_prefix(name_of(table)?)?.strip_prefix('.');
    let tables = items.iter_mut().filter_map(|item| item.value.table_mut());
    // Of several matching names, the longest counts.
    let found = tables.filter_map(|table| after(table).map(|path| (table, path))).min_by_key(|(_, path)| path.len());
    let Some((mut table, path)) = found else { return Ok(None) };
    let Some((parents, key)) = path.rsplit_once('.') else { return Ok(None) };
    let mut steps = parents.split('.');
    while let Some(step) = steps.next() {
        let absent =
            || format!("`{}` is no policy inside the policy; write its table into the file first", short(step));
        let entry = table.entries.iter_mut().find(|entry| entry.name == step).ok_or_else(absent)?;
        let value = match &mut entry.value {
            RawValue::List(parts) => {
                let place = steps.next().and_then(|number| number.parse::<usize>().ok()).filter(|&number| number > 0);
                let count = parts.len();
                let part = place.and_then(|place| parts.get_mut(place - 1));
                let wanted = || format!("`{step}` is a list; name one of its {count} policies: {step}.1.KEY");
                &mut part.ok_or_else(wanted)?.value
            }
            value => value,
        };
        table = value.table_mut().ok_or_else(absent)?;
    }
    Ok(Some((table, key)))
}

/// The display name of a policy or a dynamic: its name, else its kind.
pub(super) fn name_of(table: &RawTable) -> Option<&str> {
    table.text("name").or_else(|| table.text("kind"))
}
