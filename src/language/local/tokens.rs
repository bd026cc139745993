//! Texts as tokens, and the tokens of option labels.

use super::folder::Folder;
use crate::files::FileError;
use crate::language::tokenizer::SafeTokenizer;
use crate::language::{LanguageError, Letter};

const FILE: &str = "tokenizer.json";

/// A model's tokenizer.
pub(super) struct Tokens(SafeTokenizer);

/// The labels after a text: the tokens that all share, and the rest of each.
pub(super) struct LetterTokens {
    pub shared: Vec<u32>,
    pub letters: Vec<Vec<u32>>,
}

impl Tokens {
    /// The tokenizer of a folder.
    pub(super) fn load(folder: &Folder) -> Result<Tokens, LanguageError> {
        let remedy = "copy it from the checkpoint; a tokenizer in another form is converted by `AutoTokenizer.from_pretrained(...).save_pretrained(...)`";
        let text = folder.text(FILE, remedy)?;
        let tokenizer = SafeTokenizer::parse(text.as_bytes(), None);
        Ok(Tokens(tokenizer.map_err(|problem| FileError::whole(folder.path(FILE), problem))?))
    }

    /// The tokens of a text that already has its special tokens from a template.
    pub(super) fn of(&self, text: &str) -> Result<Vec<u32>, LanguageError> {
        self.0.encode(text, false).map_err(|problem| failed("split into", &problem))
    }

    /// The text of some tokens, without the special ones.
    pub(super) fn text(&self, tokens: &[u32]) -> Result<String, LanguageError> {
        self.0.decode(tokens).map_err(|problem| failed("put together from", &problem))
    }

    /// The number of a token.
    pub(super) fn id(&self, token: &str) -> Option<u32> {
        self.0.id(token)
    }

    /// Tokens of the vocabulary.
    pub(super) fn count(&self) -> usize {
        self.0.count()
    }

    /// The first `options` labels after `text`. A label may merge with the end of the text (`[A` is one token in some
    /// vocabularies), so text and label are tokenised together, and each label's tokens begin where they differ.
    pub(super) fn letters(&self, text: &str, options: usize) -> Result<LetterTokens, LanguageError> {
        let letters: Vec<Letter> = Letter::first(options).collect();
        let whole = letters.iter().map(|letter| self.of(&format!("{text}{letter}")));
        let whole: Vec<Vec<u32>> = whole.collect::<Result<_, _>>()?;
        let Some(first) = whole.first() else {
            return Err(LanguageError::Answer("there is no option label".to_owned()));
        };
        let alike = |other: &Vec<u32>| first.iter().zip(other).take_while(|(a, b)| a == b).count();
        let shared = whole.iter().map(|tokens| alike(tokens).min(tokens.len().saturating_sub(1))).min().unwrap_or(0);
        if shared == 0 {
            return Err(LanguageError::Answer("there is no text before the option label".to_owned()));
        }
        let own: Vec<Vec<u32>> = whole.iter().map(|tokens| tokens[shared..].to_vec()).collect();
        for (place, tokens) in own.iter().enumerate() {
            if let Some(twin) =
                own[..place].iter().position(|other| other.starts_with(tokens) || tokens.starts_with(other))
            {
                let problem =
                    format!("the tokenizer does not distinguish the labels {} and {}", letters[twin], letters[place]);
                return Err(LanguageError::Setup(problem));
            }
        }
        Ok(LetterTokens { shared: first[..shared].to_vec(), letters: own })
    }
}

fn failed(what: &str, problem: &str) -> LanguageError {
    LanguageError::Answer(format!("a text cannot be {what} tokens: {problem}"))
}
