//! Python literals, one record a line.
//!
//! Some publishers wrote such records: `{u'id': 7, 'tags': ['a', "b"], 'x': None}`.
//!
//! It reads the output of `repr` for dictionaries, lists, tuples, strings, numbers, `True`, `False` and `None`; nothing
//! is evaluated. Names, operators, comments, bytes and f-strings are refused. Nesting is bounded, so that no input can
//! exhaust the stack.

use serde_json::{Map, Number, Value};

/// Containers within containers; real records have three.
const DEEPEST: usize = 64;

/// The reason why a text is no literal, and its byte, counted from 1.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem} (column {column})")]
pub(super) struct LiteralError {
    problem: String,
    column: usize,
}

/// Reads one literal that fills the complete text. Tuples become arrays, numeric keys become text.
pub(super) fn parse(text: &str) -> Result<Value, LiteralError> {
    let mut parser = Parser { text, at: 0 };
    let value = parser.value(0)?;
    parser.skip_space();
    match parser.peek() {
        None => Ok(value),
        Some(found) => Err(parser.error(format!("`{}` after the end of the value", found.escape_default()))),
    }
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Parser<'t> {
    fn error(&self, problem: impl Into<String>) -> LiteralError {
        LiteralError { problem: problem.into(), column: self.at + 1 }
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let found = self.peek()?;
        self.at += found.len_utf8();
        Some(found)
    }

    fn skip_space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t']).len();
    }

    fn value(&mut self, depth: usize) -> Result<Value, LiteralError> {
        if depth > DEEPEST {
            return Err(self.error(format!("more than {DEEPEST} containers within each other")));
        }
        self.skip_space();
        match self.peek() {
            None => Err(self.error("the text ends before a value")),
            Some('{') => self.dictionary(depth),
            Some('[') => self.sequence(']', depth),
            Some('(') => self.sequence(')', depth),
            Some('\'' | '"') => self.string().map(Value::String),
            Some('u' | 'U') if self.rest()[1..].starts_with(['\'', '"']) => {
                self.at += 1;
                self.string().map(Value::String)
            }
            Some(first) if first.is_ascii_digit() || "+-.".contains(first) => self.number(),
            Some(_) => self.word(),
        }
    }

    fn word(&mut self) -> Result<Value, LiteralError> {
        let rest = self.rest();
        let word = &rest[..rest.find(|of: char| !of.is_alphanumeric() && of != '_').unwrap_or(rest.len())];
        let value = match word {
            "True" => Value::Bool(true),
            "False" => Value::Bool(false),
            "None" => Value::Null,
            _ => {
                let shown: String = rest.chars().take(20).filter(|of| !of.is_control()).collect();
                return Err(self.error(format!("`{shown}` is no Python literal")));
            }
        };
        self.at += word.len();
        Ok(value)
    }

    fn number(&mut self) -> Result<Value, LiteralError> {
        let rest = self.rest();
        let end = rest.find(|of: char| !of.is_ascii_alphanumeric() && !"+-.".contains(of)).unwrap_or(rest.len());
        let written = &rest[..end];
        let digits = written.trim_end_matches(['L', 'l']);
        let value = match digits.parse::<i64>() {
            Ok(whole) => Some(Number::from(whole)),
            Err(_) => digits.parse::<f64>().ok().and_then(Number::from_f64),
        };
        let value = value.ok_or_else(|| self.error(format!("`{written}` is not a number")))?;
        self.at += end;
        Ok(Value::Number(value))
    }

    fn sequence(&mut self, close: char, depth: usize) -> Result<Value, LiteralError> {
        self.next();
        let mut values = Vec::new();
        loop {
            self.skip_space();
            if self.peek() == Some(close) {
                self.next();
                return Ok(Value::Array(values));
            }
            values.push(self.value(depth + 1)?);
            self.comma_or(close)?;
        }
    }

    fn dictionary(&mut self, depth: usize) -> Result<Value, LiteralError> {
        self.next();
        let mut entries = Map::new();
        loop {
            self.skip_space();
            if self.peek() == Some('}') {
                self.next();
                return Ok(Value::Object(entries));
            }
            let at = self.at;
            let key = match self.value(depth + 1)? {
                Value::String(text) => text,
                Value::Number(number) => number.to_string(),
                _ => {
                    self.at = at;
                    return Err(self.error("a key must be text or a number"));
                }
            };
            self.skip_space();
            if self.peek() != Some(':') {
                return Err(self.error("expected `:` after a key"));
            }
            self.next();
            let value = self.value(depth + 1)?;
            entries.insert(key, value);
            self.comma_or('}')?;
        }
    }

    fn comma_or(&mut self, close: char) -> Result<(), LiteralError> {
        self.skip_space();
        match self.peek() {
            Some(',') => {
                self.next();
                Ok(())
            }
            Some(found) if found == close => Ok(()),
            Some(found) => Err(self.error(format!("expected `,` or `{close}`, found `{}`", found.escape_default()))),
            None => Err(self.error(format!("the text ends before `{close}`"))),
        }
    }

    fn string(&mut self) -> Result<String, LiteralError> {
        let Some(quote) = self.next() else { return Err(self.error("expected a text")) };
        let mut text = String::new();
        loop {
            let rest = self.rest();
            let Some(end) = rest.find([quote, '\\']) else {
                self.at = self.text.len();
                return Err(self.error(format!("the text ends before `{quote}`")));
            };
            text.push_str(&rest[..end]);
            self.at += end;
            if self.next() == Some(quote) {
                return Ok(text);
            }
            text.extend(self.escape()?);
        }
    }

    /// The character after a backslash; an unknown escape is kept, backslash included, as in Python.
    fn escape(&mut self) -> Result<Escaped, LiteralError> {
        let Some(kind) = self.next() else { return Err(self.error("the text ends after `\\`")) };
        Ok(Escaped::One(match kind {
            '\\' | '\'' | '"' => kind,
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'a' => '\x07',
            'b' => '\x08',
            'f' => '\x0c',
            'v' => '\x0b',
            'x' => self.code(2)?,
            'u' => return self.unit(),
            'U' => self.code(8)?,
            '0'..='7' => self.octal(kind),
            'N' => return Err(self.error("`\\N{...}` names are not read")),
            other => return Ok(Escaped::Two(other)),
        }))
    }

    fn octal(&mut self, first: char) -> char {
        let mut code = first.to_digit(8).unwrap_or_default();
        for _ in 0..2 {
            let Some(digit) = self.peek().and_then(|digit| digit.to_digit(8)) else { break };
            code = code * 8 + digit;
            self.next();
        }
        char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
    }

    fn hex(&mut self, digits: usize) -> Result<u32, LiteralError> {
        let written = self.rest().get(..digits).filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let code = written.and_then(|written| u32::from_str_radix(written, 16).ok());
        let code = code.ok_or_else(|| self.error(format!("expected {digits} hexadecimal digits")))?;
        self.at += digits;
        Ok(code)
    }

    fn code(&mut self, digits: usize) -> Result<char, LiteralError> {
        let code = self.hex(digits)?;
        char::from_u32(code).ok_or_else(|| self.error(format!("{code:x} is no character")))
    }

    /// `\uXXXX`. Narrow builds of Python 2 wrote characters beyond 0xffff as two of them; half a pair is replaced.
    fn unit(&mut self) -> Result<Escaped, LiteralError> {
        let high = self.hex(4)?;
        if (0xd800..0xdc00).contains(&high) && self.rest().starts_with("\\u") {
            let start = self.at;
            self.at += 2;
            let low = self.hex(4)?;
            if (0xdc00..0xe000).contains(&low) {
                let code = 0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00);
                return Ok(Escaped::One(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)));
            }
            self.at = start;
        }
        Ok(Escaped::One(char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER)))
    }
}

/// The character behind an escape.
enum Escaped {
    One(char),
    Two(char),
}

impl IntoIterator for Escaped {
    type Item = char;
    type IntoIter = std::iter::Flatten<std::array::IntoIter<Option<char>, 2>>;

    fn into_iter(self) -> Self::IntoIter {
        let both = match self {
            Escaped::One(only) => [Some(only), None],
            Escaped::Two(second) => [Some('\\'), Some(second)],
        };
        both.into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn literals_of_python_are_read() {
        for (text, wanted) in [
            (
                r"{u'hours': 0.1, 'ok': True, 'no': False, 'x': None}",
                json!({"hours": 0.1, "ok": true, "no": false, "x": null}),
            ),
            (
                r#"['it\'s', "say \"hi\"", u"caf\xe9", '\u00e9\U0001f600', '\ud83d\ude00', 'a\tb\n']"#,
                json!(["it's", "say \"hi\"", "café", "é😀", "😀", "a\tb\n"]),
            ),
            ("(1, -2, 3e2, .5, 12L,)", json!([1, -2, 300.0, 0.5, 12])),
            ("{1: (), 2.5: [[]]}", json!({"1": [], "2.5": [[]]})),
            (r"'\d\101'", json!("\\dA")),
            (r"'\ud83d'", json!("\u{fffd}")),
            ("99999999999999999999", json!(1e20)),
        ] {
            assert_eq!(parse(text).expect(text), wanted, "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused_with_their_column() {
        for (text, expected) in [
            ("", "the text ends before a value (column 1)"),
            ("{'a': 1", "the text ends before `}` (column 8)"),
            ("{'a' 1}", "expected `:` after a key (column 6)"),
            ("{[1]: 1}", "a key must be text or a number (column 2)"),
            ("[1 2]", "expected `,` or `]`, found `2` (column 4)"),
            ("['a", "the text ends before `'` (column 4)"),
            (r"'\x4'", "expected 2 hexadecimal digits (column 4)"),
            ("1 2", "`2` after the end of the value (column 3)"),
            ("__import__('os')", "`__import__('os')` is no Python literal"),
            ("nan", "`nan` is no Python literal"),
            ("1e999", "`1e999` is not a number"),
            ("--1", "`--1` is not a number"),
        ] {
            let problem = parse(text).expect_err(text).to_string();
            assert!(problem.starts_with(expected), "{text}: {problem}");
        }
    }

    #[test]
    fn deep_nesting_is_refused_before_the_stack_ends() {
        for open in ["[", "(", "{'a':", "{1:[("] {
            let problem = parse(&open.repeat(200_000)).expect_err("too deep").to_string();
            assert!(problem.contains("more than 64 containers"), "{problem}");
        }
        let deepest = format!("{}{}", "[".repeat(DEEPEST), "]".repeat(DEEPEST));
        assert!(parse(&deepest).is_ok());
    }

    /// Writes a value as Python's `repr` would.
    fn python(value: &Value) -> String {
        match value {
            Value::Null => "None".to_owned(),
            Value::Bool(true) => "True".to_owned(),
            Value::Bool(false) => "False".to_owned(),
            Value::Number(number) => number.to_string(),
            Value::String(text) => {
                let mut written = "u'".to_owned();
                for character in text.chars() {
                    match character {
                        '\'' | '\\' => written.extend(['\\', character]),
                        ' '..='~' => written.push(character),
                        other => written.push_str(&format!("\\U{:08x}", u32::from(other))),
                    }
                }
                written + "'"
            }
            Value::Array(values) => format!("[{}]", values.iter().map(python).collect::<Vec<_>>().join(", ")),
            Value::Object(entries) => {
                let entry = |(key, value): (&String, &Value)| {
                    format!("{}: {}", python(&Value::String(key.clone())), python(value))
                };
                format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
            }
        }
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(|number| json!(number)),
            any::<String>().prop_map(Value::String),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
                prop::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|entries| Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_literal_of_python_is_restored(value in values()) {
            prop_assert_eq!(parse(&python(&value)), Ok(value));
        }

        #[test]
        fn no_text_makes_it_panic(text in any::<String>(), near in "[\\[\\](){}:,'\"\\\\uUxN0-9a-fL .+é-]{0,60}") {
            let _ = parse(&text);
            let _ = parse(&near);
        }

        #[test]
        fn a_damaged_literal_never_panics(value in values(), at in any::<prop::sample::Index>(), with in any::<char>()) {
            let whole: Vec<char> = python(&value).chars().collect();
            let at = at.index(whole.len());
            let cut: String = whole[..at].iter().collect();
            let changed: String = whole[..at].iter().copied().chain([with]).chain(whole[at + 1..].iter().copied()).collect();
            let _ = parse(&cut);
            let _ = parse(&changed);
        }
    }
}
