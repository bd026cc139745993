//! The sections of a scenario file over a registry's kinds.
//!
//! Kinds that a program adds join the built-in ones.

use super::keys::SECTIONS;
use super::user_keys::variant;
use super::{Key, Kind, Section, Variant};
use crate::dataset::FORMATS;
use crate::registry::Registry;

/// The sections over the kinds of `registry`.
pub(super) fn sections_of(registry: &Registry) -> &'static [Section] {
    if registry.has_builtin_sections() {
        return SECTIONS;
    }
    registry.sections_or(|| kept(SECTIONS.iter().map(|section| widened(section, registry)).collect()))
}

/// Kinds and the words that name them live as long as the program; a registry creates them once.
fn kept<T>(made: Vec<T>) -> &'static [T] {
    Box::leak(made.into_boxed_slice())
}

fn widened(section: &Section, registry: &Registry) -> Section {
    let keys = section.keys.iter().map(|key| Key { kind: with_own_words(section.name, key, registry), ..*key });
    let keys = kept(keys.collect());
    let variants: Vec<Variant> = registry.users().iter().map(variant).collect();
    Section { keys, variants: if section.name == "user" { kept(variants) } else { section.variants }, ..*section }
}

/// The values of a key, whose words may be names of kinds.
fn with_own_words(section: &str, key: &Key, registry: &Registry) -> Kind {
    match (section, key.name, key.kind) {
        ("", "metrics", Kind::Words { words, default }) => {
            let all = words.last().copied();
            Kind::Words { words: kept(registry.metrics().iter().map(|kind| kind.name).chain(all).collect()), default }
        }
        ("user", "kind", Kind::Word { default, .. }) => {
            Kind::Word { words: kept(registry.users().iter().map(|kind| kind.name).collect()), default }
        }
        ("data", "format", Kind::Word { default, .. }) => {
            let own = registry.readers().iter().map(|reader| reader.name);
            Kind::Word { words: kept(FORMATS.iter().copied().chain(own).collect()), default }
        }
        (_, _, kind) => kind,
    }
}
