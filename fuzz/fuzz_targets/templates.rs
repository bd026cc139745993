//! Text templates and prompts with this template as each of their parts.
#![no_main]

use libfuzzer_sys::fuzz_target;
use recmirror::dataset::{ItemRow, TextTemplates};
use recmirror::language::{PromptKind, Prompts, Question, SceneText};
use std::path::Path;

fuzz_target!(|template: &str| {
    let file = |keys: &[&str]| {
        let value = || toml::Value::String(template.to_owned());
        let table: toml::Table = keys.iter().map(|key| ((*key).to_owned(), value())).collect();
        toml::to_string(&table).expect("a table of texts")
    };
    if let Ok(templates) = TextTemplates::parse(&file(&["profile", "item", "history"]), Path::new("t.toml")) {
        let row = r#"{"item_id": 1, "item_description": {"title": "A b"}, "item_features": {"year": 1970, "tags": ["x", "y"]}}"#;
        let item: ItemRow = serde_json::from_str(row).expect("an item");
        let _ = templates.item(&item, None);
    }
    let keys = ["name", "system_decision", "system_letter", "user", "none", "assistant"];
    if let Ok(prompts) = Prompts::parse(&file(&keys), Path::new("p.toml")) {
        let text = SceneText {
            profile: "A reader.".to_owned(),
            history: "Dune\nEmma".to_owned(),
            action_list: vec!["Ulysses".to_owned(), "Persuasion".to_owned()],
        };
        let _ = prompts.question(Question { dataset: "books", text: &text, offers_none: true }, PromptKind::Letter);
    }
});
