//! Documentation against the command line.
//!
//! Every `recmirror` line of the `sh` blocks must parse, and `docs/reference/commands.md` must be the help that the program prints.

use super::Arguments;
use clap::{Command, CommandFactory, Parser};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

const PACKAGE: &str = env!("CARGO_MANIFEST_DIR");

/// The pages of `docs`, and those in the root and in `models` and `python`.
fn pages() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(PACKAGE).join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "md") {
                found.push(path);
            }
        }
    }
    found.extend(["README.md", "CONTRIBUTING.md", "models/README.md"].map(|name| Path::new(PACKAGE).join(name)));
    found.sort();
    found
}

/// The `recmirror` commands in the `sh` blocks of a page, with their line numbers.
fn commands(text: &str) -> Vec<(usize, String)> {
    let (mut found, mut inside, mut open) = (Vec::<(usize, String)>::new(), false, false);
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with("```") {
            inside = line == "```sh";
            open = false;
            continue;
        }
        if inside && open {
            let last = found.last_mut().expect("a command was opened");
            last.1 += &format!(" {}", line.trim_end_matches('\\'));
        } else if inside && line.starts_with("recmirror ") {
            found.push((number + 1, line.trim_end_matches('\\').to_owned()));
        } else {
            continue;
        }
        open = line.ends_with('\\');
    }
    found
}

/// The words of a command as a shell splits them, up to a comment, a pipe or a redirection.
fn words(command: &str) -> Vec<String> {
    let (mut found, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for letter in command.chars() {
        match quote {
            Some(mark) if letter == mark => quote = None,
            Some(_) => word.get_or_insert_default().push(letter),
            None if letter == '"' || letter == '\'' => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            None if letter.is_whitespace() => found.extend(word.take()),
            None if word.is_none() && matches!(letter, '#' | '|' | '>' | ';') => return found,
            None => word.get_or_insert_default().push(letter),
        }
    }
    found.extend(word);
    found
}

/// Replaces a variable of a shell loop by its first value.
fn without_variables(command: &str) -> String {
    command.replace("$strength", "strong")
}

fn problem(command: &str) -> Option<String> {
    Arguments::try_parse_from(words(&without_variables(command))).err().map(|problem| problem.to_string())
}

#[test]
fn every_command_of_the_pages_parses() {
    let mut count = 0;
    let mut wrong = String::new();
    for page in pages() {
        for (line, command) in commands(&fs::read_to_string(&page).expect("a page")) {
            count += 1;
            if let Some(problem) = problem(&command) {
                let _ = writeln!(wrong, "{}:{line}: {command}\n  {problem}", page.display());
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(count > 50, "{count} commands: are blocks still marked as `sh`?");
}

#[test]
fn a_wrong_command_of_a_page_would_be_found() {
    let page = "```sh\nrecmirror run my.toml --out runs/mine --seeds 3   # no such option\nrecmirror data \\\n  'my log'\n```\n";
    let found = commands(page);
    assert_eq!(found.len(), 2);
    assert!(problem(&found[0].1).is_some_and(|problem| problem.contains("--seeds")));
    assert_eq!(words(&found[1].1), ["recmirror", "data", "my log"]);
    assert_eq!(problem(&found[1].1), None);
}

/// The help of a command and of those below it, as Markdown.
fn write_help(command: &mut Command, path: &str, depth: usize, page: &mut String) {
    let help = command.clone().render_long_help().to_string();
    let help: Vec<&str> = help.trim_end().lines().map(str::trim_end).collect();
    let _ = write!(page, "\n{} `{path}`\n\n```text\n{}\n```\n", "#".repeat(depth), help.join("\n"));
    for below in command.get_subcommands_mut().filter(|below| below.get_name() != "help") {
        let path = format!("{path} {}", below.get_name());
        write_help(below, &path, (depth + 1).min(3), page);
    }
}

#[test]
fn the_page_of_commands_is_up_to_date() {
    let mut page =
        "# Commands\n\nThis page is what `--help` prints. `RECMIRROR_BLESS=1 cargo test --lib pages` writes it.\n"
            .to_owned();
    let mut program = Arguments::command();
    program.build();
    write_help(&mut program, "recmirror", 2, &mut page);
    let path = Path::new(PACKAGE).join("docs/reference/commands.md");
    if std::env::var_os("RECMIRROR_BLESS").is_some() {
        fs::write(&path, &page).expect("the page is written");
    }
    let shipped = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        shipped == page,
        "docs/reference/commands.md differs from the help; RECMIRROR_BLESS=1 cargo test --lib pages"
    );
}
