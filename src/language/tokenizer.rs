//! Tokenizers from untrusted files.

use crate::guard::guarded;
use serde::Deserialize;
use serde_json::Value;
use tokenizers::{Tokenizer, TruncationParams};

/// The most times that a tokenizer may lengthen a text.
const MOST_GROWTH: f64 = 64.0;

/// The most bytes of a text.
const LONGEST_TEXT: usize = 1 << 20;

/// The inspected parts of `tokenizer.json`.
#[derive(Deserialize)]
struct Content {
    #[serde(default)]
    normalizer: Value,
    #[serde(default)]
    decoder: Value,
    #[serde(default)]
    model: Model,
}

#[derive(Default, Deserialize)]
struct Model {
    #[serde(default)]
    dropout: Option<f64>,
}

/// A loaded tokenizer.
pub(crate) struct SafeTokenizer(Tokenizer);

impl SafeTokenizer {
    /// Reads the bytes of `tokenizer.json`; texts are cut after `most` tokens, if given.
    pub(crate) fn parse(bytes: &[u8], most: Option<usize>) -> Result<SafeTokenizer, String> {
        let content: Content = serde_json::from_slice(bytes).map_err(|problem| problem.to_string())?;
        if let Some(dropout) = content.model.dropout.filter(|&dropout| dropout != 0.0) {
            return Err(format!("`model.dropout` is {dropout}, which draws random numbers; set it to null"));
        }
        for (key, part) in [("normalizer", &content.normalizer), ("decoder", &content.decoder)] {
            let growth = growth(part);
            if growth > MOST_GROWTH {
                return Err(format!(
                    "`{key}` may make a text {growth:.0} times as long; {MOST_GROWTH} times is the most"
                ));
            }
        }
        let mut tokenizer = flat(guarded(|| Tokenizer::from_bytes(bytes)))?;
        tokenizer.with_padding(None);
        let cut = most.map(|most| TruncationParams { max_length: most, ..TruncationParams::default() });
        flat(guarded(|| tokenizer.with_truncation(cut).map(|_| ())))?;
        Ok(SafeTokenizer(tokenizer))
    }

    /// The tokens of a text, with or without the special ones that the tokenizer adds.
    pub(crate) fn encode(&self, text: &str, special: bool) -> Result<Vec<u32>, String> {
        if text.len() > LONGEST_TEXT {
            return Err(format!("it has {} bytes; {LONGEST_TEXT} are the most", text.len()));
        }
        Ok(flat(guarded(|| self.0.encode_fast(text, special)))?.get_ids().to_vec())
    }

    /// The text of some tokens, without the special ones.
    pub(crate) fn decode(&self, tokens: &[u32]) -> Result<String, String> {
        flat(guarded(|| self.0.decode(tokens, true)))
    }

    /// The number of a token.
    pub(crate) fn id(&self, token: &str) -> Option<u32> {
        self.0.token_to_id(token)
    }

    /// Tokens of the vocabulary.
    pub(crate) fn count(&self) -> usize {
        self.0.get_vocab_size(true)
    }
}

fn flat<R>(outcome: Result<Result<R, tokenizers::Error>, String>) -> Result<R, String> {
    match outcome {
        Ok(found) => found.map_err(|problem| problem.to_string()),
        Err(panic) => Err(format!("the tokenizer fails: {panic}")),
    }
}

/// An upper estimate of how many times longer a normaliser or decoder makes a text.
fn growth(part: &Value) -> f64 {
    let length = |value: &Value| value.as_str().map_or(0, str::len) as f64;
    match part["type"].as_str().unwrap_or_default() {
        "Sequence" => {
            let parts = ["normalizers", "decoders"].iter().filter_map(|key| part[*key].as_array()).flatten();
            parts.map(growth).product()
        }
        "Replace" => {
            let content = length(&part["content"]);
            match part["pattern"]["String"].as_str().filter(|pattern| !pattern.is_empty()) {
                Some(pattern) => (content / pattern.len() as f64).max(1.0),
                // It may match between all characters.
                None => 1.0 + content,
            }
        }
        // Decompositions turn a character into several.
        "NFC" | "NFD" | "NFKC" | "NFKD" | "Nmt" | "Precompiled" | "BertNormalizer" => 4.0,
        "ByteLevel" => 2.0,
        _ => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn base() -> Value {
        let text = include_str!("../../tests/fixtures/embedder/tokenizer.json");
        serde_json::from_str(text).expect("JSON")
    }

    fn with(key: &str, value: Value) -> Result<SafeTokenizer, String> {
        let mut tokenizer = base();
        tokenizer[key] = value;
        SafeTokenizer::parse(tokenizer.to_string().as_bytes(), None)
    }

    #[test]
    fn a_tokenizer_that_lengthens_texts_without_measure_is_refused() {
        let replace =
            |pattern: Value, content: &str| json!({"type": "Replace", "pattern": pattern, "content": content});
        let double = replace(json!({"String": "a"}), "aa");
        let sequence = |count: usize| json!({"type": "Sequence", "normalizers": vec![double.clone(); count]});
        assert!(with("normalizer", sequence(6)).is_ok());
        for (key, value) in [
            ("normalizer", sequence(7)),
            ("normalizer", json!({"type": "Sequence", "normalizers": [sequence(4), sequence(4)]})),
            ("normalizer", replace(json!({"String": "a"}), &"b".repeat(100))),
            ("normalizer", replace(json!({"String": ""}), &"b".repeat(100))),
            ("normalizer", replace(json!({"Regex": "."}), &"b".repeat(100))),
            ("decoder", json!({"type": "Sequence", "decoders": vec![double.clone(); 40]})),
        ] {
            let problem = with(key, value).err().expect("refused");
            assert!(problem.starts_with(&format!("`{key}` may make a text")), "{problem}");
        }
        assert!(with("normalizer", replace(json!({"String": " "}), "\u{2581}")).is_ok());
    }

    #[test]
    fn damage_and_panics_are_errors() {
        let text = base().to_string();
        for broken in [
            text.replacen("\"type\":", "\"type\" ", 1),
            text[..text.len() / 2].to_owned(),
            "{}".to_owned(),
            "[]".to_owned(),
            String::new(),
            "[".repeat(100_000),
        ] {
            assert!(SafeTokenizer::parse(broken.as_bytes(), None).is_err());
        }
        for key in ["normalizer", "pre_tokenizer", "post_processor", "decoder", "model", "added_tokens"] {
            for value in [json!(1), json!("x"), json!({"type": 1}), json!({"type": "X"}), json!([[]]), json!({})] {
                if let Ok(tokenizer) = with(key, value) {
                    let _ = tokenizer.encode("a film of the day", true).and_then(|tokens| tokenizer.decode(&tokens));
                }
            }
        }
    }

    #[test]
    fn a_tokenizer_that_draws_is_refused() {
        let mut tokenizer = base();
        tokenizer["model"]["dropout"] = json!(0.1);
        let problem = SafeTokenizer::parse(tokenizer.to_string().as_bytes(), None).err().expect("refused");
        assert!(problem.contains("`model.dropout` is 0.1"), "{problem}");
    }

    #[test]
    fn a_text_has_a_longest_length() {
        let tokenizer = SafeTokenizer::parse(base().to_string().as_bytes(), Some(4)).expect("a tokenizer");
        assert!(tokenizer.encode("a film of the day of the day", false).is_ok_and(|tokens| tokens.len() == 4));
        let problem = tokenizer.encode(&"a ".repeat(1 << 20), false).expect_err("too long");
        assert!(problem.contains("1048576 are the most"), "{problem}");
    }
}
