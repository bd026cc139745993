//! The JSON Schema of scenario files.

use super::keys::{DYNAMIC, DYNAMIC_HEADING, DYNAMIC_KEYS, INNER_KEYS, PART_KEYS, POLICY, POLICY_HEADING, POLICY_KEYS};
use super::sections::sections_of;
use super::{Key, Kind, Section};
use crate::dynamics::DynamicKind;
use crate::policy::PolicyKind;
use crate::registry::Registry;
use serde_json::{Map, Value, json};

/// The schema (draft 2020-12) of scenario files that may name the policies of `registry`.
pub fn json_schema(registry: &Registry) -> Value {
    let mut properties = Map::new();
    let mut required = vec![POLICY];
    for section in sections_of(registry) {
        if section.name.is_empty() {
            properties.extend(section.keys.iter().map(|key| (key.name.to_owned(), key_schema(key))));
        } else {
            properties.insert(section.name.to_owned(), section_schema(section));
            required.extend(section.keys.iter().any(Key::is_required).then_some(section.name));
        }
    }
    properties.insert(POLICY.to_owned(), policies_schema(registry));
    properties.insert(DYNAMIC.to_owned(), dynamics_schema(registry));
    required.sort_unstable();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "recmirror scenario",
        "description": "What is simulated: data, users and the policies that compete for them.",
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
        "$defs": {
            "inner_policy": kinds_schema(registry, INNER_KEYS, "A policy inside a policy."),
            "weighted_policy": kinds_schema(registry, PART_KEYS, "A policy of a list, with its weight."),
        },
    })
}

/// A policy of any kind, with the keys `head` in addition to those of the kind.
fn kinds_schema(registry: &Registry, head: &'static [Key], description: &str) -> Value {
    let branch = |kind: &PolicyKind| {
        let choice = Choice { name: kind.name, summary: kind.summary, required: true };
        object(head.iter().chain(kind.keys), Some(&choice))
    };
    let branches: Vec<Value> = registry.policies().iter().map(branch).collect();
    json!({ "description": description, "type": "object", "oneOf": branches })
}

fn section_schema(section: &Section) -> Value {
    let mut schema = if section.variants.is_empty() {
        object(section.keys.iter(), None)
    } else {
        let default = section.keys.iter().find(|key| key.name == "kind").and_then(|key| key.kind.default_value());
        let branches = section.variants.iter().map(|variant| {
            let choice = Choice {
                name: variant.name,
                summary: variant.summary,
                required: default.as_ref().and_then(toml::Value::as_str) != Some(variant.name),
            };
            object(section.keys.iter().chain(variant.keys), Some(&choice))
        });
        json!({ "type": "object", "oneOf": branches.collect::<Vec<_>>() })
    };
    schema["title"] = json!(format!("[{}]", section.name));
    schema["description"] = json!(section.heading);
    schema
}

fn policies_schema(registry: &Registry) -> Value {
    let branch = |kind: &PolicyKind| {
        let choice = Choice { name: kind.name, summary: kind.summary, required: true };
        object(POLICY_KEYS.iter().chain(kind.keys), Some(&choice))
    };
    json!({
        "title": format!("[[{POLICY}]]"),
        "description": POLICY_HEADING,
        "type": "array",
        "minItems": 1,
        "items": { "type": "object", "oneOf": registry.policies().iter().map(branch).collect::<Vec<_>>() },
    })
}

fn dynamics_schema(registry: &Registry) -> Value {
    let branch = |kind: &DynamicKind| {
        let choice = Choice { name: kind.name, summary: kind.summary, required: true };
        object(DYNAMIC_KEYS.iter().chain(kind.keys), Some(&choice))
    };
    json!({
        "title": format!("[[{DYNAMIC}]]"),
        "description": DYNAMIC_HEADING,
        "type": "array",
        "items": { "type": "object", "oneOf": registry.dynamics().iter().map(branch).collect::<Vec<_>>() },
    })
}

/// The kind of one branch of a `oneOf`.
struct Choice {
    name: &'static str,
    summary: &'static str,
    /// True if `kind` must be written to choose it.
    required: bool,
}

/// A closed table with these keys; with a choice, its `kind` is fixed.
fn object(keys: impl Iterator<Item = &'static Key>, choice: Option<&Choice>) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for key in keys {
        let mut schema = key_schema(key);
        let fixed = choice.filter(|_| key.name == "kind");
        if let Some(choice) = fixed {
            schema = json!({ "description": key.doc, "const": choice.name });
        }
        if fixed.map_or(key.is_required(), |choice| choice.required) {
            required.push(key.name);
        }
        properties.insert(key.name.to_owned(), schema);
    }
    let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    if let Some(choice) = choice {
        schema["title"] = json!(choice.name);
        schema["description"] = json!(choice.summary);
    }
    schema
}

fn key_schema(key: &Key) -> Value {
    let mut schema = match key.kind {
        Kind::Integer { min, max, .. } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Kind::Number { min, max, .. } if max >= f64::MAX => json!({ "type": "number", "minimum": min }),
        Kind::Number { min, max, .. } => json!({ "type": "number", "minimum": min, "maximum": max }),
        Kind::Bool { .. } => json!({ "type": "boolean" }),
        Kind::Text { .. } => json!({ "type": "string" }),
        Kind::Word { words, .. } => json!({ "type": "string", "enum": words }),
        Kind::WordOrInteger { words, min, max, .. } => {
            json!({ "oneOf": [{ "type": "string", "enum": words }, { "type": "integer", "minimum": min, "maximum": max }] })
        }
        Kind::WordOrNumber { words, min, max, .. } => {
            json!({ "oneOf": [{ "type": "string", "enum": words }, { "type": "number", "minimum": min, "maximum": max }] })
        }
        Kind::Numbers { words, min, max } => {
            let list = json!({ "type": "array", "items": { "type": "number", "minimum": min, "maximum": max } });
            if words.is_empty() { list } else { json!({ "oneOf": [{ "type": "string", "enum": words }, list] }) }
        }
        Kind::Words { words, .. } => {
            json!({ "type": "array", "items": { "type": "string", "enum": words }, "minItems": 1, "uniqueItems": true })
        }
        Kind::Path { .. } => json!({ "type": "string", "minLength": 1 }),
        Kind::Texts => json!({ "type": "array", "items": { "type": "string" }, "minItems": 1 }),
        Kind::Policy { .. } => json!({ "$ref": "#/$defs/inner_policy" }),
        Kind::Policies { .. } => {
            json!({ "type": "array", "items": { "$ref": "#/$defs/weighted_policy" }, "minItems": 1 })
        }
    };
    schema["description"] = json!(key.doc);
    if let Some(default) = key.kind.default_value() {
        schema["default"] = json!(default);
    }
    schema
}
