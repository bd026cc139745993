//! Option labels: A, B, C, ...

use serde::{Deserialize, Serialize};
use std::fmt;

/// The label of an option. A list has at most [`Letter::MOST`] options.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Letter(u8);

/// A text that names no option.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a letter from A to Z")]
pub struct LetterError(String);

impl Letter {
    /// The most options.
    pub const MOST: usize = 26;

    /// The label of an index from 0; `None` beyond Z.
    pub fn of(place: usize) -> Option<Letter> {
        u8::try_from(place).ok().filter(|&place| usize::from(place) < Letter::MOST).map(Letter)
    }

    /// The index, from 0.
    pub fn place(self) -> usize {
        usize::from(self.0)
    }

    /// The first `options` labels, at most 26.
    pub fn first(options: usize) -> impl Iterator<Item = Letter> {
        (0..options.min(Letter::MOST) as u8).map(Letter)
    }
}

impl fmt::Display for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", char::from(b'A' + self.0))
    }
}

impl TryFrom<String> for Letter {
    type Error = LetterError;

    fn try_from(text: String) -> Result<Letter, LetterError> {
        match text.as_bytes() {
            [byte @ b'A'..=b'Z'] => Ok(Letter(byte - b'A')),
            _ => Err(LetterError(text)),
        }
    }
}

impl From<Letter> for String {
    fn from(letter: Letter) -> String {
        letter.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_indices_are_one_to_one() {
        for place in 0..26 {
            let letter = Letter::of(place).expect("a letter");
            assert_eq!(letter.place(), place);
            assert_eq!(Letter::try_from(letter.to_string()), Ok(letter));
        }
        assert_eq!(Letter::of(26), None);
        assert_eq!(Letter::first(3).map(String::from).collect::<String>(), "ABC");
        for wrong in ["", "a", "AB", "1", "Ä"] {
            assert!(Letter::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }
}
