//! The keys of a table, and messages for others.

use super::keys::{DYNAMIC, DYNAMIC_KEYS, POLICY, POLICY_KEYS, SECTIONS};
use super::raw::{RawEntry, RawTable, RawValue};
use super::settings::name_of;
use crate::dynamics::DynamicKind;
use crate::params::{Key, Section, listed, nearest, short};
use crate::policy::PolicyKind;
use crate::registry::Registry;

/// The keys of one table.
pub(super) struct Scope {
    /// The name of the table in messages.
    title: String,
    /// The prefix of a key in messages and in `--set`.
    prefix: String,
    /// The section; `None` for a policy or a dynamic.
    section: Option<&'static str>,
    /// The valid keys.
    pub keys: Vec<&'static Key>,
    /// The chosen kind; `None` if the choice itself is wrong.
    kind: Option<&'static str>,
    /// The other kinds, with their keys.
    others: Vec<(&'static str, &'static [Key])>,
}

impl Scope {
    /// A section with the chosen kind `variant`.
    pub fn section(section: &'static Section, variant: Option<&'static str>) -> Scope {
        let chosen = section.variants.iter().find(|candidate| Some(candidate.name) == variant);
        let others = section.variants.iter().filter(|candidate| Some(candidate.name) != variant);
        let top = section.name.is_empty();
        Scope {
            title: if top { "at the top of the file".to_owned() } else { format!("in [{}]", section.name) },
            prefix: if top { String::new() } else { format!("{}.", section.name) },
            section: Some(section.name),
            keys: section.keys.iter().chain(chosen.map_or(&[][..], |variant| variant.keys)).collect(),
            kind: variant,
            others: others.map(|variant| (variant.name, variant.keys)).collect(),
        }
    }

    /// The policy table number `index`.
    pub fn policy(index: usize, raw: &RawTable, kind: Option<&PolicyKind>, registry: &Registry) -> Scope {
        let chosen = kind.map(|kind| kind.name);
        let label = name_of(raw).map_or_else(|| format!("#{}", index + 1), short);
        let others = registry.policies().iter().filter(|other| Some(other.name) != chosen);
        Scope {
            title: format!("in [[{POLICY}]] `{label}`"),
            prefix: format!("{POLICY}.{label}."),
            section: None,
            keys: POLICY_KEYS.iter().chain(kind.map_or(&[][..], |kind| kind.keys)).collect(),
            kind: chosen,
            others: others.map(|other| (other.name, other.keys)).collect(),
        }
    }

    /// The dynamic table number `index`.
    pub fn dynamic(index: usize, raw: &RawTable, kind: Option<&DynamicKind>, registry: &Registry) -> Scope {
        let chosen = kind.map(|kind| kind.name);
        let label = name_of(raw).map_or_else(|| format!("#{}", index + 1), short);
        let others = registry.dynamics().iter().filter(|other| Some(other.name) != chosen);
        Scope {
            title: format!("in [[{DYNAMIC}]] `{label}`"),
            prefix: format!("{DYNAMIC}.{label}."),
            section: None,
            keys: DYNAMIC_KEYS.iter().chain(kind.map_or(&[][..], |kind| kind.keys)).collect(),
            kind: chosen,
            others: others.map(|other| (other.name, other.keys)).collect(),
        }
    }

    /// An inner policy; `path` is its name in messages, `head` the keys that do not depend on its kind.
    pub fn inner(path: &str, head: &'static [Key], kind: Option<&PolicyKind>, registry: &Registry) -> Scope {
        let chosen = kind.map(|kind| kind.name);
        let others = registry.policies().iter().filter(|other| Some(other.name) != chosen);
        Scope {
            title: format!("in `{path}`"),
            prefix: format!("{path}."),
            section: None,
            keys: head.iter().chain(kind.map_or(&[][..], |kind| kind.keys)).collect(),
            kind: chosen,
            others: others.map(|other| (other.name, other.keys)).collect(),
        }
    }

    /// The key with this name.
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().copied().find(|key| key.name == name)
    }

    /// The key in full, as in `--set`.
    pub fn path(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    /// The required value of a missing key.
    pub fn wanted(&self, key: &Key) -> String {
        if self.section.is_none() && key.name == "kind" {
            return format!("one of {}", listed(self.others.iter().map(|(kind, _)| *kind)));
        }
        key.kind.wanted()
    }

    /// The problem of an entry that is no key of this table; `None` if it cannot be determined.
    pub fn unknown(&self, entry: &RawEntry) -> Option<String> {
        let name = entry.name.as_str();
        if self.section == Some("") && sections().any(|section| section == name) {
            return None;
        }
        let owners: Vec<&str> = self.others.iter().filter(|(_, keys)| has(keys, name)).map(|(kind, _)| *kind).collect();
        match (owners.is_empty(), self.kind) {
            (false, None) => None,
            (false, Some(kind)) => {
                let owners = listed(owners);
                Some(format!(
                    "`{}` is a key of kind {owners}, not of `{kind}`; remove it or change `kind`",
                    self.path(name)
                ))
            }
            (true, _) if self.section == Some("") && matches!(entry.value, RawValue::Table(_)) => {
                Some(unknown_section(name))
            }
            (true, _) => Some(format!("unknown key `{}` {}{}", short(name), self.title, self.advice(name))),
        }
    }

    fn advice(&self, name: &str) -> String {
        // Outer policies have this key, so this is an inner one.
        if self.section.is_none() && name == "name" {
            return "; a policy inside a policy has no name of its own".to_owned();
        }
        let home = SECTIONS.iter().find(|section| Some(section.name) != self.section && owns(section, name));
        match home.map(|section| section.name) {
            Some("") => return "; it belongs at the top of the file, before the first [section]".to_owned(),
            Some(section) => return format!("; it is a key of [{section}]"),
            None => {}
        }
        let tables = sections().filter(|_| self.section == Some(""));
        match nearest(name, self.keys.iter().map(|key| key.name).chain(tables)) {
            Some(near) => format!("; did you mean `{near}`?"),
            None => format!("; the keys are {}", listed(self.keys.iter().map(|key| key.name))),
        }
    }
}

/// The message for a section that does not exist.
pub(super) fn unknown_section(name: &str) -> String {
    let advice = match nearest(name, sections()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the sections are {}", listed(sections())),
    };
    format!("unknown section `{}`; {advice}", short(name))
}

/// The names of the sections, policies and dynamics included.
pub(super) fn sections() -> impl Iterator<Item = &'static str> {
    SECTIONS.iter().map(|section| section.name).filter(|name| !name.is_empty()).chain([POLICY, DYNAMIC])
}

fn owns(section: &Section, name: &str) -> bool {
    has(section.keys, name) || section.variants.iter().any(|variant| has(variant.keys, name))
}

fn has(keys: &[Key], name: &str) -> bool {
    keys.iter().any(|key| key.name == name)
}
