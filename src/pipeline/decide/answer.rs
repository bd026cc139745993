//! The form of an answer: the decision, then `Behavior: [X]`.

use crate::language::{Completion, Finish, Letter, rationale};
use crate::pipeline::BEHAVIOR;

/// A usable decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The text before the behaviour.
    pub text: String,
    /// Its option label.
    pub letter: Letter,
}

/// The reason why an answer is no decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Malformed {
    /// The answer is empty.
    Empty,
    /// The token limit came before the label.
    CutOff,
    /// There is no `Behavior:`.
    NoBehavior,
    /// There is no label in brackets after it.
    NoLetter,
    /// The label is beyond the list.
    Beyond,
    /// There is a behaviour but no decision before it.
    NoDecision,
}

impl Malformed {
    /// The reason as a sentence.
    pub fn reason(self) -> &'static str {
        match self {
            Malformed::Empty => "malformed: empty answer",
            Malformed::CutOff => "malformed: cut off by the token limit before its option label",
            Malformed::NoBehavior => "malformed: no `Behavior:`",
            Malformed::NoLetter => "malformed: no option label in brackets after `Behavior:`",
            Malformed::Beyond => "malformed: an option label beyond the list",
            Malformed::NoDecision => "malformed: a behaviour without a decision before it",
        }
    }
}

/// Reads an answer to a scene with `options` options.
///
/// The decision is the text before the first `Behavior:`; the label is the first capital in brackets on the line after
/// it, or on the next line with text if the rest of the line is blank.
///
/// # Errors
/// The defect of the answer.
pub fn parse(answer: &Completion, options: usize) -> Result<Decision, Malformed> {
    let or_cut = |kind| if answer.finish == Finish::Length { Malformed::CutOff } else { kind };
    if answer.text.trim().is_empty() {
        return Err(or_cut(Malformed::Empty));
    }
    let (_, after) = answer.text.split_once(BEHAVIOR).ok_or(or_cut(Malformed::NoBehavior))?;
    let line = after.lines().find(|line| line.chars().any(char::is_alphanumeric)).unwrap_or_default();
    let letter = bracketed(line).ok_or(or_cut(Malformed::NoLetter))?;
    if letter.place() >= options {
        return Err(Malformed::Beyond);
    }
    let text = rationale(&answer.text);
    if text.is_empty() {
        return Err(Malformed::NoDecision);
    }
    Ok(Decision { text: text.to_owned(), letter })
}

fn bracketed(line: &str) -> Option<Letter> {
    line.split('[').skip(1).find_map(|rest| {
        let (inside, _) = rest.split_once(']')?;
        Letter::try_from(inside.trim().to_owned()).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, finish: Finish) -> Result<(String, usize), Malformed> {
        let answer = Completion { text: text.to_owned(), finish };
        parse(&answer, 3).map(|decision| (decision.text, decision.letter.place()))
    }

    #[test]
    fn decisions_end_in_the_label_after_behavior() {
        for (text, wanted) in [
            ("Thought:\nx\nBehavior: [B]", ("Thought:\nx", 1)),
            ("x Behavior:[ C ] because of y", ("x", 2)),
            ("x\n**Behavior:** **[A]**", ("x", 0)),
            ("x\nBehavior:\n\n[B]\n[C]", ("x", 1)),
            ("I like [A].\nBehavior: takes [B] Emma [romance]", ("I like [A].", 1)),
            ("x\nBehavior: [A]\nBehavior: [B]", ("x", 0)),
            ("é\nBehavior: [Emma] [B]", ("é", 1)),
        ] {
            assert_eq!(read(text, Finish::Stop), Ok((wanted.0.to_owned(), wanted.1)), "{text}");
        }
        assert_eq!(read("x\nBehavior: [B] and then the limit", Finish::Length), Ok(("x".to_owned(), 1)));
    }

    #[test]
    fn each_way_to_be_malformed_has_its_kind() {
        for (text, finish, wanted) in [
            ("", Finish::Stop, Malformed::Empty),
            (" \n", Finish::Stop, Malformed::Empty),
            ("", Finish::Length, Malformed::CutOff),
            ("Thought: x", Finish::Length, Malformed::CutOff),
            ("x\nBehavior: [", Finish::Length, Malformed::CutOff),
            ("Thought: x", Finish::Stop, Malformed::NoBehavior),
            ("x\nBehavior:", Finish::Stop, Malformed::NoLetter),
            ("x\nBehavior: B", Finish::Stop, Malformed::NoLetter),
            ("x\nBehavior: [b]", Finish::Stop, Malformed::NoLetter),
            ("x\nBehavior: [letter]", Finish::Stop, Malformed::NoLetter),
            ("x\nBehavior: none\n[B]", Finish::Stop, Malformed::NoLetter),
            ("x\nBehavior: [D]", Finish::Stop, Malformed::Beyond),
            ("Behavior: [A]", Finish::Stop, Malformed::NoDecision),
            ("**Behavior:** [A]", Finish::Stop, Malformed::NoDecision),
        ] {
            assert_eq!(read(text, finish), Err(wanted), "{text:?}");
        }
    }
}
