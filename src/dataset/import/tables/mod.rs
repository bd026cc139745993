//! Own tables in CSV, JSON lines or Parquet.
//!
//! An optional `data.toml` names columns.
//!
//! A row of the log is an interaction (user, item, time, rating), a shown item (then a column like `clicked` says
//! whether it was taken), or a complete list (a column with the shown items and one with the taken ones).

mod before;
mod find;
mod memory;
mod probabilities;
mod reading;
mod remarks;
mod roles;
mod spec;
mod wanted;

pub(in crate::dataset) use self::memory::{MemoryNames, tables_in_memory};
pub(in crate::dataset) use self::probabilities::{ProbabilityRow, read_probabilities};
pub(in crate::dataset) use self::spec::FieldType;

use self::find::Found;
use self::reading::Reading;
use self::roles::Layout;
use self::spec::Spec;
use self::wanted::Wanted;
use super::super::clock::{Spelling, Spellings};
use super::super::collect::title_among;
use super::super::sheet::Sheet;
use super::super::{ItemRow, MemoryTables, UserRow};
use super::folder::Folder;
use super::publisher::{Fields, Place, Publisher, RawRow, Roles, Rules, ShownRow, Visit};
use super::values::{NO_ID, id, put};
use super::{Family, Format, ImportError, Opened};
use crate::files::FileError;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub(super) const FAMILY: Family = Family {
    name: "tables",
    summary: "your own tables: CSV, JSON lines or Parquet, with an optional data.toml that names columns",
    formats: &[Format {
        name: "tables",
        files: "a table with columns like `user_id` and `item_id`, others for items and users",
        open,
    }],
    template: super::GENERIC_TEMPLATE,
};

struct Tables {
    /// Tables to look up by name instead of opening files.
    memory: Option<MemoryTables>,
    found: Found,
    spec: Spec,
    layout: Layout,
    columns: Vec<String>,
    /// The rows of the log that count.
    wanted: Wanted,
    /// The spelling of the log's times; `None` without times.
    spelling: Option<Spelling>,
    /// The smallest position: lists are counted from 0 or from 1.
    first_position: u32,
    notes: Vec<String>,
}

fn open(folder: &Folder) -> Opened {
    let spec = Spec::read(folder.root())?;
    let Some(found) = find::find(folder, &spec)? else { return Ok(None) };
    Tables::new(found, spec, None).map(|tables| Some(Box::new(tables) as Box<dyn Publisher>))
}

impl Tables {
    fn new(found: Found, spec: Spec, memory: Option<MemoryTables>) -> Result<Tables, ImportError> {
        let mut tables = Tables {
            memory,
            found,
            spec,
            layout: Layout::default(),
            columns: Vec::new(),
            wanted: Wanted::default(),
            spelling: None,
            first_position: 0,
            notes: Vec::new(),
        };
        let log = tables.found.logs[0].clone();
        let sheet = tables.sheet(&log)?;
        tables.columns = sheet.columns().to_vec();
        tables.layout = Layout::of(&tables.columns, &tables.spec.columns, &log)?;
        tables.wanted = Wanted::of(&tables.spec.wanted, &tables.columns, &log)?;
        tables.find_time()?;
        tables.look()?;
        tables.remark(sheet.is_guessed());
        Ok(tables)
    }

    /// A table from its first row on.
    fn sheet(&self, path: &Path) -> Result<Sheet, FileError> {
        match &self.memory {
            Some(tables) => memory::sheet(tables, path),
            None => Sheet::open_as(path, self.spec.form(self.found.headers.get(path))),
        }
    }

    /// A part of the log. Its columns have the positions of the first part.
    fn part(&self, path: &Path) -> Result<Sheet, ImportError> {
        let sheet = self.sheet(path)?;
        let is_same = sheet.columns().iter().zip(&self.columns).all(|(one, other)| one == other);
        if !is_same {
            let problem = format!(
                "the columns differ from those of {}; the parts of a log have the same",
                self.found.logs[0].display()
            );
            return Err(FileError::line(path, 1, problem).into());
        }
        Ok(sheet)
    }

    /// Looks through the log for what only all rows together say: the spelling of times, the first position, missing clicks.
    fn look(&mut self) -> Result<(), ImportError> {
        let is_needed = [self.layout.time, self.layout.position, self.layout.clicked].iter().any(Option::is_some);
        if !is_needed && self.wanted.is_all() {
            return Ok(());
        }
        let mut seen = Seen { first_position: u32::MAX, ..Seen::default() };
        for path in &self.found.logs {
            let mut sheet = self.part(path)?;
            while sheet.step()? {
                if self.wanted.counts(&sheet) {
                    seen.row(&self.layout, &sheet, path)?;
                }
            }
        }
        self.notes.extend(self.wanted.note(&self.found.logs[0])?);
        if let Some((at, first)) = self.layout.clicked.zip(seen.first_unclicked.as_ref()) {
            let (column, rows) = (&self.columns[at], seen.unclicked);
            self.notes.push(format!(
                "{rows} rows have no value in `{column}`: their items count as shown and not taken (first: {first})"
            ));
        }
        let log = self.found.logs.last().map_or(Path::new(""), PathBuf::as_path);
        let decided = seen.spellings.decide().map_err(|(line, problem)| FileError::line(log, line, problem))?;
        let otherwise = if seen.is_typed { Spelling::Zoned } else { Spelling::Seconds };
        self.spelling = seen.is_timed.then(|| decided.unwrap_or(otherwise));
        self.first_position = if seen.first_position == u32::MAX { 0 } else { seen.first_position.min(1) };
        if seen.spellings.has_some_zones() {
            self.notes.push("some times have a zone and some have none: those without are read as UTC".to_owned());
        }
        Ok(())
    }

    fn reading(&self) -> Reading<'_> {
        Reading {
            layout: &self.layout,
            columns: &self.columns,
            spelling: self.spelling,
            first: self.first_position,
            has_items: self.found.items.is_some(),
            unrated: &self.spec.unrated,
        }
    }
}

/// What the rows of a log say together.
#[derive(Default)]
struct Seen {
    spellings: Spellings,
    is_timed: bool,
    /// Some times are times for the file itself.
    is_typed: bool,
    first_position: u32,
    /// Rows without a value in the column of clicks, and the first of them.
    unclicked: u64,
    first_unclicked: Option<String>,
}

impl Seen {
    fn row(&mut self, layout: &Layout, sheet: &Sheet, path: &Path) -> Result<(), FileError> {
        let filled = |at: Option<usize>| at.filter(|at| sheet.cell(*at).is_filled());
        if layout.clicked.is_some() && filled(layout.clicked).is_none() {
            self.unclicked += 1;
            self.first_unclicked.get_or_insert_with(|| Place::new(path, sheet.line(), 0).to_string());
        }
        if let Some(at) = filled(layout.time) {
            self.is_timed = true;
            let text = sheet.text(at);
            self.is_typed |= text.is_empty();
            if !text.is_empty() {
                self.spellings.look(text, sheet.line()).map_err(|problem| sheet.error(problem))?;
            }
        }
        if let Some(at) = filled(layout.position) {
            self.first_position = self.first_position.min(reading::position(sheet, at)?);
        }
        Ok(())
    }
}

/// Gives the rows of a table of items or users: id, fields, line.
fn each(
    path: &Path,
    mut sheet: Sheet,
    id_of: impl Fn(&Sheet) -> Result<usize, FileError>,
    mut take: impl FnMut(&Place<'_>, &str, Fields) -> Result<(), ImportError>,
) -> Result<(), ImportError> {
    let at = id_of(&sheet)?;
    while sheet.step()? {
        let mut fields = Fields::new();
        for (place, column) in
            sheet.columns().iter().enumerate().filter(|(place, name)| *place != at && !name.is_empty())
        {
            put(&mut fields, column, sheet.value(place));
        }
        take(&Place::new(path, sheet.line(), 0), sheet.text(at), fields)?;
    }
    Ok(())
}

/// The column of the id: the given one, else by its name.
fn id_column(
    path: &Path,
    given: &Option<String>,
    by_name: fn(&[String]) -> Option<usize>,
    key: &str,
) -> impl Fn(&Sheet) -> Result<usize, FileError> {
    move |sheet| {
        let columns = sheet.columns();
        let found = match given {
            Some(name) => columns.iter().position(|column| column == name),
            None => by_name(columns),
        };
        found.ok_or_else(|| {
            let known = columns.join("`, `");
            let problem =
                format!("no column of ids; the columns are `{known}`; name it in {} (`[{key}]`, `id`)", spec::NAME);
            FileError::line(path, 1, problem)
        })
    }
}

impl Publisher for Tables {
    fn log(&self) -> &Path {
        &self.found.logs[0]
    }

    fn others(&self) -> Vec<PathBuf> {
        let folder = self.found.logs[0].parent().filter(|_| self.memory.is_none());
        let toml = folder.map(|folder| folder.join(spec::NAME)).filter(|path| path.is_file());
        let parts = self.found.logs.iter().skip(1);
        self.found
            .items
            .iter()
            .chain(&self.found.users)
            .chain(&self.found.history)
            .chain(parts)
            .cloned()
            .chain(toml)
            .collect()
    }

    fn rules(&self) -> Rules {
        Rules { least_of_user: 1, ..Rules::FIVE }
    }

    fn reads_data_toml(&self) -> bool {
        true
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn items(&self, visit: &mut Visit<'_, ItemRow>) -> Result<bool, ImportError> {
        let Some(path) = &self.found.items else { return Ok(false) };
        let id_of = id_column(path, &self.spec.items.id, find::item_id, "items");
        each(path, self.sheet(path)?, id_of, |place, text, item_description| {
            let row = ItemRow { item_id: id(text), item_description, item_features: Fields::new() };
            visit(place, if text.is_empty() { Err(NO_ID) } else { Ok(row) })
        })?;
        Ok(true)
    }

    fn users(&self, visit: &mut Visit<'_, UserRow>) -> Result<bool, ImportError> {
        let Some(path) = &self.found.users else { return Ok(false) };
        let id_of = id_column(path, &self.spec.users.id, find::user_id, "users");
        each(path, self.sheet(path)?, id_of, |place, text, user_description| {
            let row = UserRow { user_id: id(text), user_description, user_features: Fields::new() };
            visit(place, if text.is_empty() { Err(NO_ID) } else { Ok(row) })
        })?;
        Ok(true)
    }

    fn rows(&self, visit: &mut Visit<'_, RawRow>) -> Result<(), ImportError> {
        let reading = self.reading();
        for path in &self.found.logs {
            let mut sheet = self.part(path)?;
            while sheet.step()? {
                if self.wanted.has(&sheet) {
                    let place = Place::new(path, sheet.line(), sheet.taken());
                    reading.rows(&sheet, &mut |row| visit(&place, row))?;
                }
            }
        }
        match &self.found.history {
            Some(path) => before::rows(path, self.sheet(path)?, &self.spec.history, visit),
            None => Ok(()),
        }
    }

    fn shown(&self, visit: &mut Visit<'_, ShownRow>) -> Result<bool, ImportError> {
        let reading = self.reading();
        if !reading.has_lists() {
            return Ok(false);
        }
        for path in &self.found.logs {
            let mut sheet = self.part(path)?;
            while sheet.step()? {
                if self.wanted.has(&sheet) {
                    let place = Place::new(path, sheet.line(), sheet.taken());
                    reading.shown(&sheet, &mut |row| visit(&place, row))?;
                }
            }
        }
        Ok(true)
    }

    fn roles(&self) -> Roles {
        let all = |side: &spec::Side| -> BTreeMap<String, FieldType> { side.fields.clone() };
        let order = |path: &Option<PathBuf>| {
            let sheet = path.as_ref().and_then(|path| self.sheet(path).ok());
            sheet.map(|sheet| sheet.columns().to_vec()).unwrap_or_default()
        };
        let item_order = order(&self.found.items);
        Roles {
            title: self.spec.items.title.clone().or_else(|| title_among(&item_order).cloned()),
            released: self.spec.items.released.clone(),
            provider: self.spec.items.provider.clone(),
            scale: self.spec.scale,
            item_types: all(&self.spec.items),
            user_types: all(&self.spec.users),
            item_order,
            user_order: order(&self.found.users),
        }
    }

    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }
}
