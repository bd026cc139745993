//! Printing for readers.
//!
//! Names, titles and messages of servers come from others and must not control a terminal.
//!
//! Control characters, and the marks that reverse the direction of writing, are printed as `\u001b`, the form that JSON
//! also uses. Line feeds and tabs stay.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::Write as _;

/// Prints a line for readers on stderr.
macro_rules! say {
    ($($part:tt)*) => { $crate::cli::terminal::print_stderr(&format!("{}\n", format_args!($($part)*))) };
}
pub(crate) use say;

/// Prints on stderr; a failure to do so cannot be reported anywhere.
pub(crate) fn print_stderr(text: &str) {
    let _ = std::io::stderr().lock().write_all(harmless(text).as_bytes());
}

/// The text without anything that a terminal would obey.
pub(crate) fn harmless(text: &str) -> Cow<'_, str> {
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        if steers(letter) {
            let _ = write!(shown, "\\u{:04x}", u32::from(letter));
        } else {
            shown.push(letter);
        }
    }
    Cow::Owned(shown)
}

fn steers(letter: char) -> bool {
    let turns = matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || letter.is_control() && !matches!(letter, '\n' | '\t')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_a_terminal() {
        assert_eq!(harmless("\u{1b}[31mred\u{1b}[0m"), "\\u001b[31mred\\u001b[0m");
        assert_eq!(harmless("a\rb\u{7}\u{9b}2J\u{7f}\u{202e}c"), "a\\u000db\\u0007\\u009b2J\\u007f\\u202ec");
        let plain = "Größe\tΔ\n…";
        assert!(matches!(harmless(plain), Cow::Borrowed(text) if text == plain));
        // JSON with such characters keeps its meaning.
        let json = serde_json::json!({"title": "\u{1b}]0;x\u{7}\u{9b}1m"}).to_string();
        let read: serde_json::Value = serde_json::from_str(&harmless(&json)).unwrap();
        assert_eq!(read["title"], "\u{1b}]0;x\u{7}\u{9b}1m");
    }
}
