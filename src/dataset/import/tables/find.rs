//! Roles of a folder's tables, inferred from their columns.

use super::roles::{history_column, is_log, item_column, plain, user_column};
use super::spec::{NAME, Names, Spec};
use crate::dataset::import::ImportError;
use crate::dataset::import::folder::{Folder, plain as unpacked};
use crate::dataset::sheet::Sheet;
use crate::files::FileError;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Endings of tables, packed or not.
const ENDINGS: [&str; 7] = [".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson", ".parquet"];

/// Beginnings of the names of files whose ids are called `id`.
const ITEMS: [&str; 12] =
    ["item", "product", "movie", "book", "game", "song", "track", "article", "news", "video", "app", "catalog"];
const USERS: [&str; 5] = ["user", "customer", "people", "profile", "member"];

/// The files of a data set.
pub(super) struct Found {
    /// The log in its parts, which have the same columns.
    pub(super) logs: Vec<PathBuf>,
    pub(super) items: Option<PathBuf>,
    pub(super) users: Option<PathBuf>,
    /// Users' interactions before the log, a list for each user.
    pub(super) history: Option<PathBuf>,
    /// Tables that are not read.
    pub(super) unread: Vec<PathBuf>,
    /// Why tables cannot be read, where nothing says that they belong to the data.
    pub(super) unreadable: Vec<String>,
    /// The columns of tables without a header line, as data.toml names them.
    pub(super) headers: BTreeMap<PathBuf, Vec<String>>,
}

/// A table with its columns.
struct Table {
    path: PathBuf,
    columns: Vec<String>,
    /// True if the columns have no names in the file.
    is_guessed: bool,
}

/// Looks at the tables of `folder`; `None` where none is a log.
///
/// # Errors
/// When several tables could have one role, or a table that seems to belong to the data cannot be read: it must not be left
/// out silently.
pub(super) fn find(folder: &Folder, spec: &Spec) -> Result<Option<Found>, ImportError> {
    let named = |name: &String| {
        let path = folder.root().join(name);
        if path.is_file() {
            return Ok(path);
        }
        Err(FileError::Missing { path, remedy: format!("{NAME} names it") })
    };
    let is_one_file = folder.chosen().is_some();
    let (mut tables, mut headers, mut unreadable) = (Vec::new(), BTreeMap::new(), Vec::new());
    for path in folder.files().filter(|path| is_table(path)) {
        let header = header_of(folder, spec, &path);
        headers.extend(header.map(|header| (path.clone(), header.clone())));
        match Sheet::open_as(&path, spec.form(header)) {
            Ok(sheet) => tables.push(Table { columns: sheet.columns().to_vec(), is_guessed: sheet.is_guessed(), path }),
            // What is no table may lie beside the tables; a log that is named is opened again, and then an error says.
            Err(problem) => unreadable.push((path, problem)),
        }
    }
    let logs = match (&spec.log, folder.chosen()) {
        (_, Some(path)) => vec![path.to_owned()],
        (Some(names), None) => Names::list(names).iter().map(named).collect::<Result<_, _>>()?,
        (None, None) => parts(folder, spec, &tables)?,
    };
    if logs.is_empty() {
        // A table that cannot be read may be the log.
        let may_be_log = |path: &Path| tables.is_empty() || is_alike(path, path);
        return match unreadable.into_iter().find(|(path, _)| may_be_log(path)) {
            Some((_, problem)) => Err(problem.into()),
            None => Ok(None),
        };
    }
    let others: Vec<&Table> = tables.iter().filter(|table| !logs.contains(&table.path)).collect();
    let side = |given: &Option<String>, is: fn(&Table) -> bool, what: &'static str| match given {
        Some(name) if name.is_empty() => Ok(None),
        Some(name) => named(name).map(Some).map_err(ImportError::from),
        None => one(folder, others.iter().filter(|table| is(table)).map(|table| &table.path), what),
    };
    let items = side(&spec.items.file, is_items, "items")?;
    let users = side(&spec.users.file, is_users, "users")?;
    let history = side(&spec.history.file, is_history, "history")?;
    let belongs = |path: &Path| {
        // A name that is empty says that there is no such table.
        let lacks = |found: &Option<PathBuf>, given: &Option<String>| found.is_none() && given.is_none();
        (spec.log.is_none() && logs.iter().any(|log| is_alike(log, path)))
            || (lacks(&items, &spec.items.file) && is_called(path, &ITEMS))
            || (lacks(&users, &spec.users.file) && is_called(path, &USERS))
    };
    let unreadable = if is_one_file { Vec::new() } else { noted(unreadable, belongs)? };
    let read = |path: &PathBuf| [&items, &users, &history].contains(&&Some(path.clone()));
    let unread = others.iter().map(|table| table.path.clone()).filter(|path| !read(path) && !is_one_file);
    Ok(Some(Found { unread: unread.collect(), unreadable, logs, items, users, history, headers }))
}

/// The header that data.toml gives a table: that of items and users to their files, that of the log to any other text
/// table without names in its first line, or to the named log.
fn header_of<'s>(folder: &Folder, spec: &'s Spec, path: &Path) -> Option<&'s Vec<String>> {
    let is = |file: &Option<String>| file.as_ref().is_some_and(|name| folder.root().join(name) == path);
    if is(&spec.items.file) {
        return spec.items.header.as_ref();
    }
    if is(&spec.users.file) {
        return spec.users.header.as_ref();
    }
    let header = spec.header.as_ref()?;
    let is_named = spec.log.as_ref().is_some_and(|names| Names::list(names).iter().any(|name| is(&Some(name.clone()))));
    let is_chosen = folder.chosen() == Some(path);
    let has_names = || Sheet::open_as(path, spec.form(None)).is_ok_and(|sheet| item_id(sheet.columns()).is_some());
    (is_named || ((is_chosen || spec.log.is_none()) && !has_names())).then_some(header)
}

fn is_table(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    ENDINGS.iter().any(|ending| unpacked(&name).ends_with(ending))
}

/// The tables that are logs. Several with the same columns are parts of one log, in the order of their names.
fn parts(folder: &Folder, spec: &Spec, tables: &[Table]) -> Result<Vec<PathBuf>, ImportError> {
    let named = spec.columns.user.is_some() || spec.columns.item.is_some();
    let has_named = |table: &Table| {
        let users = spec.columns.user.as_ref().map(Names::list).unwrap_or_default();
        let wanted = users.iter().chain(&spec.columns.item);
        wanted.into_iter().all(|name| table.columns.contains(name))
    };
    let is = |table: &&Table| if named { has_named(table) } else { is_log(&table.columns) };
    let mut logs: Vec<&Table> = tables.iter().filter(is).collect();
    if logs.iter().any(|table| !table.is_guessed) {
        // A table of numbers without a header may be anything if another table has the name of a log.
        logs.retain(|table| !table.is_guessed);
    }
    if logs.windows(2).any(|pair| pair[0].columns != pair[1].columns) {
        let names = logs.iter().map(|table| name(&table.path)).collect::<Vec<_>>().join(", ");
        return Err(ImportError::Several { path: folder.root().to_owned(), found: names });
    }
    Ok(logs.into_iter().map(|table| table.path.clone()).collect())
}

fn one<'p>(
    folder: &Folder,
    found: impl Iterator<Item = &'p PathBuf>,
    what: &'static str,
) -> Result<Option<PathBuf>, ImportError> {
    let found: Vec<&PathBuf> = found.collect();
    match found.as_slice() {
        [] => Ok(None),
        [only] => Ok(Some((*only).clone())),
        several => {
            let names = several.iter().map(|path| name(path)).collect::<Vec<_>>().join(", ");
            let problem = format!(
                "several tables could hold the {what} ({names}); name one in {NAME} (`[{what}]`, `file`; `file = \"\"` for none)"
            );
            Err(FileError::whole(folder.root(), problem).into())
        }
    }
}

fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Why tables cannot be read, as notes.
///
/// # Errors
/// When one of them seems to belong to the data.
fn noted(unreadable: Vec<(PathBuf, FileError)>, belongs: impl Fn(&Path) -> bool) -> Result<Vec<String>, FileError> {
    let note = |(path, problem): (PathBuf, FileError)| match belongs(&path) {
        true => Err(left_out(&path, &problem)),
        // Without the folder: notes go into manifests, which name no folder of a machine.
        false => Ok(problem.to_string().replace(&path.display().to_string(), &name(&path))),
    };
    unreadable.into_iter().map(note).collect()
}

/// The error about a table that may belong to the data.
fn left_out(path: &Path, problem: &FileError) -> FileError {
    let message = problem.to_string();
    let message = message.strip_prefix(&path.display().to_string()).unwrap_or(&message).trim_start_matches([':', ' ']);
    let remedy = format!("repair the file, move it away if it is no part of the data, or name the tables in {NAME}");
    FileError::whole(path, format!("{message}; {remedy}"))
}

/// Returns true if two files are tables of one form that hardly anything but a log is written in.
fn is_alike(one: &Path, other: &Path) -> bool {
    let ending = |path: &Path| {
        let file = name(path).to_lowercase();
        [".csv", ".tsv", ".jsonl", ".ndjson", ".parquet"].into_iter().find(|ending| unpacked(&file).ends_with(ending))
    };
    ending(one).is_some() && ending(one) == ending(other)
}

fn is_called(path: &Path, names: &[&str]) -> bool {
    let stem = name(path).to_lowercase();
    names.iter().any(|wanted| stem.starts_with(wanted) || stem.contains(&format!("_{wanted}")))
}

/// The column of the id in the table of items.
pub(super) fn item_id(columns: &[String]) -> Option<usize> {
    item_column(columns).or_else(|| columns.iter().position(|name| plain(name) == "id"))
}

/// The column of the id in the table of users.
pub(super) fn user_id(columns: &[String]) -> Option<usize> {
    user_column(columns).or_else(|| columns.iter().position(|name| plain(name) == "id"))
}

fn is_items(table: &Table) -> bool {
    let has_id =
        item_column(&table.columns).is_some() || (is_called(&table.path, &ITEMS) && item_id(&table.columns).is_some());
    user_column(&table.columns).is_none() && has_id
}

fn is_users(table: &Table) -> bool {
    let has_id =
        user_column(&table.columns).is_some() || (is_called(&table.path, &USERS) && user_id(&table.columns).is_some());
    item_column(&table.columns).is_none() && has_id && !is_history(table)
}

fn is_history(table: &Table) -> bool {
    history_column(&table.columns).is_some() && !is_log(&table.columns)
}
