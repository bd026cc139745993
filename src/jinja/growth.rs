//! A check against templates whose output explodes.
//!
//! Such a template builds a list of lists that is small in memory and huge when it is rendered.
//!
//! A list holds other lists without copies: after `a = [a, a]` sixty times `a` takes a few kilobytes, but its text has
//! 2^60 parts. Fuel counts only the few kilobytes. So a value that lives from one turn of a loop to the next may grow
//! only once at a time by itself, and the other assignments of a template may multiply a value only a limited number of
//! times. Texts are exempt: they are copied, and count.

use super::Words;
use std::collections::BTreeSet;

/// By how much the assignments of a template may multiply a value.
const MOST_COPIES: f64 = 10_000.0;

/// The cost of an expression with a repetition.
const REPEATED: f64 = 1_000.0;

/// Words that carry values that the template itself has made.
const CARRIERS: [&str; 5] = ["previtem", "nextitem", "varargs", "kwargs", "caller"];

/// Words of filters and functions that repeat or nest what they are given.
const REPEATERS: [&str; 7] = ["map", "batch", "slice", "zip", "groupby", "chain", "dict"];

/// Words that make a value depend on more than the texts beside it.
const CHOICES: [&str; 7] = ["if", "in", "is", "and", "or", "not", "else"];

/// Refuses a template that may grow so. `tags` are the texts between the delimiters.
pub(super) fn check(tags: &[&str]) -> Result<(), String> {
    let tags: Vec<Vec<&str>> = tags.iter().map(|tag| words(tag)).collect();
    let own = own_names(&tags);
    let has_calls = tags.iter().any(|tag| tag.contains(&"macro") || tag.contains(&"recursive"));
    let mut copies = 1.0;
    for tag in &tags {
        let (target, value) = assignment(tag);
        let count = multiplied(value, &own);
        if count < 2.0 {
            continue;
        }
        let carried = target.contains(&".") || has_calls;
        if carried || (!target.is_empty() && copies * count > MOST_COPIES) {
            return Err(format!(
                "`{}` may put a list into itself again and again; use each name that the template sets once in it",
                tag.join(" ")
            ));
        }
        if !target.is_empty() {
            copies *= count;
        }
    }
    Ok(())
}

fn words(tag: &str) -> Vec<&str> {
    Words { rest: tag.trim_start_matches('-'), end: "" }.collect()
}

/// The variable that a tag sets and its value; for other tags the complete tag is the value.
fn assignment<'t, 'a>(tag: &'t [&'a str]) -> (&'t [&'a str], &'t [&'a str]) {
    let at = tag.iter().position(|&word| word == "=");
    match (tag.first(), at) {
        (Some(&"set"), Some(at)) => (&tag[1..at], &tag[at + 1..]),
        (Some(&"set"), None) => (&[], &[]),
        (Some(&"with"), Some(_)) => (&tag[1..], &tag[1..]),
        _ => (&[], tag),
    }
}

/// The names of values that the template creates.
fn own_names<'a>(tags: &[Vec<&'a str>]) -> BTreeSet<&'a str> {
    let mut own = BTreeSet::new();
    let is_name = |word: &&str| word.starts_with(|letter: char| letter.is_alphabetic() || letter == '_');
    // A name may be made of one that is set further below, in the turn before.
    for _ in 0..tags.len().min(8) {
        let before = own.len();
        for tag in tags {
            match tag.first() {
                Some(&"set") => {
                    let targets = assignment(tag).0;
                    let most = if targets.contains(&".") { 1 } else { targets.len() };
                    own.extend(targets[..most].iter().copied().filter(is_name));
                }
                Some(&"with" | &"macro" | &"call") => own.extend(tag[1..].iter().copied().filter(is_name)),
                Some(&"for") => {
                    let at = tag.iter().position(|&word| word == "in").unwrap_or(tag.len());
                    let (targets, source) = tag.split_at(at);
                    if mentions(source, &own) > 0 || grows(source) {
                        own.extend(targets[1..].iter().copied().filter(is_name));
                    }
                }
                _ => {}
            }
        }
        if own.len() == before {
            break;
        }
    }
    own
}

/// The number of times that an expression may hold a value of the template.
fn multiplied(value: &[&str], own: &BTreeSet<&str>) -> f64 {
    let count = mentions(value, own);
    if count == 0 || is_text(value) {
        return 0.0;
    }
    let repeats = value.contains(&"*") || value.iter().any(|word| REPEATERS.contains(word));
    if repeats {
        return count as f64 * REPEATED;
    }
    if grows(value) { count as f64 } else { 0.0 }
}

fn mentions(value: &[&str], own: &BTreeSet<&str>) -> usize {
    let is_attribute = |at: usize| at > 0 && value[at - 1] == ".";
    let counts = |at: &usize| CARRIERS.contains(&value[*at]) || (!is_attribute(*at) && own.contains(value[*at]));
    (0..value.len()).filter(counts).count()
}

/// True if an expression makes a list, a map, or a longer list.
fn grows(value: &[&str]) -> bool {
    let begins = |at: usize| {
        let before = at.checked_sub(1).map_or("", |before| value[before]);
        let follows_value = before.ends_with(|letter: char| letter.is_alphanumeric() || "_])}\"'".contains(letter));
        !follows_value || CHOICES.contains(&before) || before == "in"
    };
    (0..value.len()).any(|at| match value[at] {
        "+" | "{" | "namespace" | "dict" => true,
        "[" | "(" => begins(at),
        _ => false,
    })
}

/// True if an expression can only be a text: a text in quotes is added, and nothing is chosen, called or listed.
fn is_text(value: &[&str]) -> bool {
    let quoted = value.iter().any(|word| word.starts_with(['"', '\'']));
    let plain = |at: usize| match value[at] {
        "{" | "(" => false,
        "[" => at > 0 && value[at - 1].ends_with(|letter: char| letter.is_alphanumeric() || "_])".contains(letter)),
        word => !CHOICES.contains(&word),
    };
    // A text in quotes that only names a key adds nothing.
    let added = |at: usize| {
        let of = |at: Option<usize>| at.and_then(|at| value.get(at)).copied().unwrap_or_default();
        value[at].starts_with(['"', '\''])
            && (["+", "~"].contains(&of(at.checked_sub(1))) || ["+", "~"].contains(&of(Some(at + 1))))
    };
    quoted && (0..value.len()).all(plain) && (0..value.len()).any(added)
}
