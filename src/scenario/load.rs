//! From a file or text to a checked [`Scenario`].

use super::error::{Place, Problem, ScenarioError};
use super::{Scenario, build, check, raw, settings};
use crate::registry::Registry;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf, absolute};

/// Larger files are no scenarios but data files.
const LARGEST: u64 = 1 << 20;

impl Scenario {
    /// Reads and checks the scenario file at `path`.
    ///
    /// `overrides` are the `--set KEY=VALUE` of the command line, in order; they replace values of the file. Relative
    /// paths in the file start from the file's folder, those of overrides from the current one.
    ///
    /// # Errors
    /// The file cannot be read, or there are problems, which are all reported at once.
    pub fn load(path: &Path, registry: &Registry, overrides: &[(String, String)]) -> Result<Scenario, ScenarioError> {
        let text = read(path).map_err(|reason| ScenarioError::Unreadable { file: path.to_owned(), reason })?;
        Scenario::parse(&text, path, registry, overrides)
    }

    /// Checks the text of a scenario file; `origin` is its path.
    ///
    /// ```
    /// use recmirror::Registry;
    /// use recmirror::scenario::Scenario;
    /// use std::path::Path;
    ///
    /// let text = "data.path = 'ml-100k'\npolicy = [{ kind = 'popular' }, { kind = 'random' }]";
    /// let overrides = [("ticks".to_owned(), "30".to_owned())];
    /// let scenario = Scenario::parse(text, Path::new("two.toml"), &Registry::builtin(), &overrides)?;
    /// assert_eq!((scenario.name.as_str(), scenario.ticks, scenario.slate), ("two", 30, 10));
    /// assert_eq!(scenario.baseline, "popular");
    ///
    /// let error = Scenario::parse("tics = 30", Path::new("two.toml"), &Registry::builtin(), &[]).unwrap_err();
    /// assert!(error.to_string().contains("two.toml:1: unknown key `tics` at the top of the file; did you mean `ticks`?"));
    /// # Ok::<(), recmirror::scenario::ScenarioError>(())
    /// ```
    ///
    /// # Errors
    /// All problems of the text and the overrides at once.
    pub fn parse(
        text: &str,
        origin: &Path,
        registry: &Registry,
        overrides: &[(String, String)],
    ) -> Result<Scenario, ScenarioError> {
        let invalid = |mut problems: Vec<Problem>| {
            problems.sort();
            problems.dedup();
            ScenarioError::Invalid { file: origin.to_owned(), problems }
        };
        let (mut root, mut problems) = raw::parse(text);
        if !are_local(text, &problems) {
            return Err(invalid(problems));
        }
        let partial = !problems.is_empty();
        problems.extend(settings::apply(&mut root, overrides, registry));
        let folder = folder_of(origin);
        match check::check(&root, registry, &folder, partial) {
            Ok(checked) if problems.is_empty() => build::build(&checked, origin, registry)
                .map_err(|problem| invalid(vec![Problem { place: Place::Line(1), message: problem.to_string() }])),
            Ok(_) => Err(invalid(problems)),
            Err(more) => {
                // A line that could not be read is reported only once.
                let broken: BTreeSet<Place> = problems.iter().map(|problem| problem.place.clone()).collect();
                problems.extend(more.into_iter().filter(|problem| !broken.contains(&problem.place)));
                Err(invalid(problems))
            }
        }
    }
}

fn read(path: &Path) -> Result<String, String> {
    let metadata = path.metadata().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        _ => error.to_string(),
    })?;
    if metadata.is_dir() {
        return Err("it is a folder; name the .toml file in it".to_owned());
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| error.to_string())?;
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > LARGEST {
        return Err("it is larger than 1 MiB; a scenario is a short TOML file".to_owned());
    }
    String::from_utf8(bytes).map_err(|error| {
        let before = error.as_bytes().iter().take(error.utf8_error().valid_up_to());
        let line = 1 + before.filter(|byte| **byte == b'\n').count();
        format!("line {line} is not UTF-8; save the file as UTF-8 text")
    })
}

/// The folder of a file, absolute if the current folder is known.
pub(super) fn folder_of(origin: &Path) -> PathBuf {
    let folder = origin.parent().unwrap_or(Path::new(""));
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    absolute(folder).unwrap_or_else(|_| folder.to_owned())
}

/// True if all syntax errors affect single `KEY = VALUE` lines. A broken header, string or list also changes the
/// meaning of correct lines.
fn are_local(text: &str, errors: &[Problem]) -> bool {
    // The parser's names of values that may span several lines.
    const OVER_LINES: [&str; 3] = ["multi-line", "array", "inline table"];
    let lines: Vec<&str> = text.lines().collect();
    let is_assignment = |line: &&str| {
        let key = line.split_once('=').map_or("", |(key, _)| key).trim();
        !key.is_empty() && key.chars().all(|letter| letter.is_ascii_alphanumeric() || "_-.".contains(letter))
    };
    errors.iter().all(|error| match error.place {
        Place::Line(line) => {
            !OVER_LINES.iter().any(|words| error.message.contains(words))
                && lines.get(line - 1).is_some_and(is_assignment)
        }
        Place::Setting(_) => true,
    })
}
