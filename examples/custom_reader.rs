//! A reader of data sets of your own, entered into an experiment: diaries, one file a user, one line an item.
//!
//! Scenario files, `--set`, the JSON Schema and messages know `data.format = "diaries"`, and `auto` finds such folders.
//! Run it with `cargo run --example custom_reader`; with arguments it is the whole `recmirror` command with one reader more.

use recmirror::dataset::{DataError, Reader};
use recmirror::prelude::*;
use recmirror::scenario::Scenario;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const DIARIES: Reader = Reader {
    name: "diaries",
    summary: "a file NAME.diary for each user, with the items in the order in which they were taken, one a line",
    recognises: |path| diaries(path).is_ok_and(|files| !files.is_empty()),
    read: |path| {
        let mut rows = Vec::new();
        for file in diaries(path).map_err(|problem| DataError::own(path, problem))? {
            let text = std::fs::read_to_string(&file).map_err(|problem| DataError::own(&file, problem))?;
            let user = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let taken = text.lines().map(str::trim).filter(|line| !line.is_empty());
            rows.extend(taken.map(|item| (user.clone(), item.to_owned(), None, None)));
        }
        Dataset::from_rows("diaries", rows)
    },
};

/// The diaries of a folder, by name, so that the order of the folder means nothing.
fn diaries(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
    let mut files: Vec<PathBuf> =
        entries.into_iter().filter(|path| path.extension().is_some_and(|end| end == "diary")).collect();
    files.sort();
    Ok(files)
}

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let registry = Registry::builtin().with(DIARIES);
    if std::env::args().len() > 1 {
        return Ok(recmirror::cli::main_with(&registry));
    }
    let folder = std::env::temp_dir().join(format!("recmirror-diaries-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    for user in 0..30 {
        let taken: Vec<String> = (0..12).map(|n| format!("item {}", (user * 7 + n * 5) % 50)).collect();
        std::fs::write(folder.join(format!("user{user}.diary")), taken.join("\n"))?;
    }
    let text = "data.path = '.'\ndata.format = 'diaries'\nticks = 10\nreplications = 2\nslate = 5\n\
                [[policy]]\nkind = 'popular'\n[[policy]]\nkind = 'markov'\n";
    let scenario = Scenario::parse(text, &folder.join("scenario.toml"), &registry, &[])?;
    let run = Experiment::prepare(scenario, registry)?.run_observed(None, &mut |_| ())?;
    println!("{}", run.results.table(100));
    std::fs::remove_dir_all(&folder)?;
    Ok(ExitCode::SUCCESS)
}
