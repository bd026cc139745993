//! Detection of a data set's family.
//!
//! File names decide, and columns where names are common.

use super::DataError;
use super::import::{Family, Folder, ImportError, Publisher};
use super::sheet::Sheet;
use std::path::Path;

/// Names of kinds of data sets: `auto`, every family, and an older name of one.
pub const FORMATS: [&str; 14] = [
    "auto",
    "movielens",
    "steam",
    "amazon",
    "mind",
    "kuairec",
    "lastfm",
    "goodreads",
    "mobilerec",
    "custom",
    "coat",
    "recbole",
    "tables",
    "grouplens",
];

/// The family of own tables.
const TABLES: &str = "tables";

/// Families whose files have names of their own, in the order in which they are tried.
const BY_NAME: [(&str, &str); 10] = [
    ("movielens", "100k"),
    ("recbole", "atomic"),
    ("mind", "tsv"),
    ("kuairec", "csv"),
    ("lastfm", "hetrec"),
    ("coat", "ascii"),
    ("movielens", "colons"),
    ("mobilerec", "csv"),
    ("custom", "jsonl"),
    ("goodreads", "ucsd"),
];

/// Families whose files have common names: the file, and the columns that it must have.
const BY_COLUMNS: [(&str, &str, &[&str], &[&str]); 5] = [
    ("movielens", "csv", &["ratings.csv"], &["userId", "movieId"]),
    ("goodreads", "goodbooks", &["ratings.csv", "ratings_sample.csv"], &["user_id", "book_id", "rating"]),
    ("steam", "csv", &["user_reviews.csv"], &["user_id", "item_id", "posted"]),
    ("steam", "ucsd", &["steam_reviews.json"], &[]),
    ("amazon", "2018", &[], &["reviewerID", "asin"]),
];

/// A data set in a folder, with the names of its family and of the form of its files.
pub(super) struct Detected {
    pub(super) family: &'static Family,
    #[cfg_attr(not(feature = "all"), expect(dead_code, reason = "only an import states it"))]
    pub(super) format: &'static str,
    pub(super) publisher: Box<dyn Publisher>,
}

/// The data set at `path`, of the given family if any, `without` a file that belongs to something else.
pub(super) fn open(path: &Path, family: Option<&str>, without: Option<&Path>) -> Result<Detected, DataError> {
    let mut folder = Folder::open(path)?;
    if let Some(file) = without {
        folder = folder.without(file);
    }
    match family {
        Some(name) => of_family(&folder, name),
        None => detect(&folder, path),
    }
}

/// The data set at `path` where a file holds exposures, and a note on that file if it lies beside the log or is the log.
pub(super) fn open_beside(path: &Path, exposures: &Path) -> Result<(Detected, Option<String>), DataError> {
    let name = exposures.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let is_log = |found: &Detected| {
        let publisher = found.publisher.as_ref();
        is_same(publisher.log(), exposures) || publisher.others().iter().any(|path| is_same(path, exposures))
    };
    let note = format!(
        "{name} is the log and holds the exposures: the user model and the policies start from these responses"
    );
    // The files of a publisher are known by their names: no other table of the folder takes the place of the log.
    match open(path, None, None) {
        Ok(found) if found.family.name != TABLES && is_log(&found) => return Ok((found, Some(note))),
        _ => {}
    }
    // Logged traffic may be all that there is, or what data.toml names: it is the log then, too.
    match open(path, None, Some(exposures)) {
        Ok(found) if !is_log(&found) => {
            let parent = exposures.parent().filter(|parent| !parent.as_os_str().is_empty());
            let is_beside = is_same(path, parent.unwrap_or(Path::new(".")));
            Ok((found, is_beside.then(|| format!("{name} holds the exposures: it is no part of the log"))))
        }
        Err(problem) if !matches!(problem, DataError::UnknownFormat { .. }) => Err(problem),
        _ => {
            let found = open(path, None, None)?;
            let note = is_log(&found).then_some(note);
            Ok((found, note))
        }
    }
}

fn is_same(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

/// The names of all families, for messages and the scenario's key.
pub fn names() -> String {
    let names = super::import::FAMILIES.iter().map(|family| format!("`{}`", family.name));
    names.collect::<Vec<_>>().join(", ")
}

fn of_family(folder: &Folder, name: &str) -> Result<Detected, DataError> {
    // The name that older scenarios have for one of the forms.
    let (known, format) = if name == "grouplens" { ("movielens", Some("100k")) } else { (name, None) };
    let unknown = || DataError::UnknownFamily { family: name.to_owned(), known: names() };
    let family = Family::find(known).ok_or_else(unknown)?;
    let (format, publisher) = family.open(folder, format)?;
    Ok(Detected { family, format, publisher })
}

fn detect(folder: &Folder, path: &Path) -> Result<Detected, DataError> {
    let is_described = folder.root().join("data.toml").is_file();
    let tables = if is_described { attempt(folder, TABLES, "tables")? } else { None };
    if let Some(found) = tables {
        return Ok(found);
    }
    for (family, format) in BY_NAME {
        if let Some(found) = attempt(folder, family, format)? {
            return Ok(found);
        }
    }
    for (family, format, names, columns) in BY_COLUMNS {
        if has_columns(folder, names, columns)
            && let Some(found) = attempt(folder, family, format)?
        {
            return Ok(found);
        }
    }
    if has_columns(folder, &[], &["parent_asin", "user_id", "asin"])
        && let Some(found) = attempt(folder, "amazon", "2023")?
    {
        return Ok(found);
    }
    let project = folder.root().join("raws");
    if project.is_dir()
        && let Some(found) = attempt(&Folder::open(&project)?, "custom", "jsonl")?
    {
        return Ok(found);
    }
    match attempt(folder, TABLES, "tables")? {
        Some(found) => Ok(found),
        None => Err(DataError::UnknownFormat { path: path.to_owned(), found: folder.listed() }),
    }
}

fn attempt(folder: &Folder, family: &str, format: &'static str) -> Result<Option<Detected>, ImportError> {
    let Some(family) = Family::find(family) else { return Ok(None) };
    Ok(family.attempt(folder, format)?.map(|publisher| Detected { family, format, publisher }))
}

/// True if the log, or one of the files with these names, has all of these columns.
fn has_columns(folder: &Folder, names: &[&str], columns: &[&str]) -> bool {
    let named = if names.is_empty() { None } else { folder.log(names) };
    let files: Vec<_> = match (named, folder.chosen()) {
        (Some(path), _) => vec![path],
        (None, _) if !names.is_empty() => return false,
        (None, Some(path)) => vec![path.to_owned()],
        (None, None) => folder.files().filter(|path| path.to_string_lossy().contains(".json")).collect(),
    };
    files.iter().any(|path| {
        columns.is_empty()
            || Sheet::open(path)
                .is_ok_and(|sheet| columns.iter().all(|column| sheet.columns().iter().any(|name| name == column)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_of_the_families() {
        let families: Vec<&str> = super::super::import::FAMILIES.iter().map(|family| family.name).collect();
        assert_eq!(FORMATS[1..FORMATS.len() - 1], families);
        for (family, format) in BY_NAME.iter().copied().chain(BY_COLUMNS.iter().map(|it| (it.0, it.1))) {
            let known = Family::find(family).unwrap_or_else(|| panic!("no family `{family}`"));
            assert!(known.formats().any(|name| name == format), "{family}: {format}");
        }
    }
}
