//! Tests of damaged scenario files.

use super::*;
use crate::random::{Purpose, Streams, below};
use rand_chacha::rand_core::Rng;

const TEXTS: u64 = 1000;

/// Values and fragments that are wrong in most places.
const FRAGMENTS: &[&str] = &[
    "nan",
    "-inf",
    "1e400",
    "99999999999999999999",
    "-0.0",
    "''",
    "\"\\u0000\"",
    "[]",
    "[[[1]]]",
    "{}",
    "{a.b.c = {d = 1}}",
    "1979-05-27T07:32:00Z",
    "07:32:00",
    "true",
    "[1, 'gini', {x = 2}]",
    "\"\"\"",
    "0xFF",
    "é",
    "a.b.c.d = 1",
    "[data]",
    "[[data]]",
    "[policy]",
    "[[policy]]",
    "[user.kind]",
    "[[policy.name]]",
    "policy.kind = 3",
    "\u{feff}",
    "\r",
];

fn mutate<R: Rng>(text: &str, rng: &mut R) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let line = below(rng, lines.len() as u32) as usize;
    let other = below(rng, lines.len() as u32) as usize;
    let fragment = FRAGMENTS[below(rng, FRAGMENTS.len() as u32) as usize];
    match below(rng, 7) {
        0 => drop(lines.remove(line)),
        1 => lines.insert(other, lines[line].clone()),
        2 => lines.swap(line, other),
        3 => lines[line] = fragment.to_owned(),
        4 => {
            if let Some((key, _)) = lines[line].split_once(" = ") {
                lines[line] = format!("{key} = {fragment}");
            }
        }
        5 => {
            let value = |line: &str| line.split_once(" = ").map(|(_, value)| value.to_owned());
            if let (Some((key, _)), Some(value)) = (lines[line].split_once(" = "), value(&lines[other])) {
                lines[line] = format!("{key} = {value}");
            }
        }
        _ => {
            let mut bytes = lines[line].clone().into_bytes();
            if !bytes.is_empty() {
                let at = below(rng, bytes.len() as u32) as usize;
                bytes[at] ^= 1 << below(rng, 8);
            }
            lines[line] = String::from_utf8_lossy(&bytes).into_owned();
        }
    }
    lines.join("\n")
}

#[test]
fn damaged_files_are_refused_or_read() {
    let base =
        to_toml(&parse("data.path = 'd'\npolicy = [{ kind = 'test_knn' }, { kind = 'test_file', scores = 's' }]"));
    let (mut read, mut refused) = (0, 0);
    for number in 0..TEXTS {
        let mut rng = Streams::new(4, 0).derive(Purpose::Scenes, number, 0);
        let mut text = base.clone();
        for _ in 0..=below(&mut rng, 4) {
            text = mutate(&text, &mut rng);
            if text.is_empty() {
                break;
            }
        }
        match parse_with(&text, &["policy.test_knn.neighbours=7", "arrival.probability=0.25"]) {
            Ok(scenario) => {
                read += 1;
                assert_eq!(scenario.arrival.probability, 0.25);
            }
            Err(error) => {
                refused += 1;
                let lines = text.lines().count().max(1) + 1;
                assert!(!error.problems().is_empty(), "{text}");
                for problem in error.problems() {
                    assert!(!problem.message.is_empty() && !problem.message.contains('\n'), "{problem:?}");
                    assert!(matches!(problem.place, Place::Setting(_)) || problem.place <= Place::Line(lines));
                }
            }
        }
    }
    assert!(read > 50 && refused > 500, "{read} read, {refused} refused: the mutations are too weak or too strong");
}

#[test]
fn settings_of_any_text_are_refused_or_read() {
    for fragment in FRAGMENTS {
        for key in
            ["seed", "arrival.probability", "metrics", "name", "data.path", "population.users", "policy.popular.kind"]
        {
            let _ = parse_with(VALID, &[&format!("{key}={fragment}"), &format!("{fragment}={key}")]);
        }
    }
}

#[test]
fn deep_nesting_is_refused() {
    let dotted = vec!["a"; 75].join(".");
    let nested = (0..75).fold("1".to_owned(), |inner, _| format!("{{{dotted} = {inner}}}"));
    for text in [
        format!("seed = {}1{}", "[".repeat(100_000), "]".repeat(100_000)),
        format!("{}b = 1", "a.".repeat(100_000)),
        format!("x = {nested}"),
        format!("[{dotted}]\n[[{dotted}.b]]\n{dotted} = {nested}"),
    ] {
        assert!(parse_with(&text, &[]).is_err());
    }
}

#[test]
fn one_syntax_error_brings_no_second_problem() {
    const PATCHES: [&str; 6] = ["", "=", "[", "\"", "\n", "'''"];
    let base = reference_text(&registry());
    for ((at, letter), patch) in base.char_indices().zip(PATCHES.iter().cycle()) {
        let text = format!("{}{patch}{}", &base[..at], &base[at + letter.len_utf8()..]);
        // A list that comes after a line break is a header.
        if *patch == "\n" && base[at + letter.len_utf8()..].starts_with('[') {
            continue;
        }
        let (_, syntax) = raw::parse(&text);
        // Without its line break a comment absorbs the header below it: then keys are in the wrong table.
        if syntax.is_empty() || letter == '\n' {
            continue;
        }
        let error = parse_with(&text, &[]).unwrap_err();
        let noise = error.problems().iter().find(|problem| !syntax.contains(problem));
        assert!(noise.is_none(), "{noise:?} after {syntax:?}");
    }
}

#[test]
fn floods_of_problems_are_cut() {
    for line in ["=\n", "[a]\n", "[[policy]]\n", "x = [\n", "a.b = 1\n", "'''\n", "\"", "{", "a = 1\n"] {
        let error = parse_with(&line.repeat(20_000), &[]).unwrap_err();
        assert!(error.to_string().lines().count() <= 101);
    }
    let many: String = (0..150).map(|number| format!("k{number} = 1\n")).collect();
    let shown = problems(&format!("{VALID}{many}"));
    assert_eq!(shown.lines().last(), Some("150 problems in /project/s.toml; the first 100 are shown"));
}
