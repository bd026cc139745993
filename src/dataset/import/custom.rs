//! Data sets in the unified form.
//!
//! `NAME_user_feature`, `NAME_item_feature` and `NAME_interaction`, as
//! JSON lines in the columns of the paper's reference code or as CSV, in any form that own tables may have. `NAME_template.toml` beside them is taken too.
//!
//! In CSV the ids and `timestamp` are columns of that name. Of an item, `year` and `time` are for code and are shown as
//! well. Of an interaction, `impression_list` has ids separated by spaces and `item_pos` the index of the item in it.
//! In a CSV log with times a row without one is left out; in JSON lines an explicit `null` stays, as in the unified
//! form. Every other column is shown under its name: numbers as numbers, empty fields not at all.
//!
//! Only the interactions are needed. The filter of 5 interactions does not hold here: one is enough.

use super::super::clock::{self, Spelling};
use super::super::sheet::Sheet;
use super::super::{ExternalId, InteractionRow, ItemRow, Moment, UserRow};
use super::folder::{Folder, plain_name};
use super::publisher::{Fields, Place, Publisher, RawRow, Rules, Verdict, Visit};
use super::values::{NO_ID, NO_TIME, WRONG_TIME, id, nameless, number_or_text, put};
use super::{Family, Format, ImportError, Opened};
use crate::files::{FileError, Jsonl};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

pub(super) const FAMILY: Family = Family {
    name: "custom",
    summary: "your own data set in the unified form, as JSON lines or CSV",
    formats: &[
        Format { name: "jsonl", files: "`NAME_interaction.jsonl`, `NAME_item_feature.jsonl`, ...", open: open_jsonl },
        Format { name: "csv", files: "`NAME_interaction.csv`, `NAME_item_feature.csv`, ...", open: open_csv },
    ],
    template: super::GENERIC_TEMPLATE,
};

struct Custom {
    is_csv: bool,
    /// True if any row of a CSV log has a time.
    is_dated: bool,
    /// The note on the unit of times.
    unit: Option<String>,
    log: PathBuf,
    items: Option<PathBuf>,
    users: Option<PathBuf>,
    template: Option<PathBuf>,
}

fn open_jsonl(folder: &Folder) -> Opened {
    open(folder, "jsonl")
}

fn open_csv(folder: &Folder) -> Opened {
    open(folder, "csv")
}

fn open(folder: &Folder, ending: &str) -> Opened {
    let last = format!("_interaction.{ending}");
    let Some(log) = folder.one(|name| name.ends_with(&last))? else { return Ok(None) };
    let name = plain_name(&log);
    let stem = name.strip_suffix(&last).unwrap_or_default();
    let beside = |kind: &str| folder.find(&[&format!("{stem}_{kind}.{ending}")]);
    let (items, users) = (beside("item_feature"), beside("user_feature"));
    let template = folder.find(&[&format!("{stem}_template.toml")]);
    let is_csv = ending == "csv";
    let (is_dated, unit) = if is_csv { times(&log)? } else { (false, None) };
    Ok(Some(Box::new(Custom { is_csv, is_dated, unit, log, items, users, template })))
}

/// True if some row of a CSV log has a time, with a remark on the unit.
fn times(log: &Path) -> Result<(bool, Option<String>), ImportError> {
    let mut table = Sheet::open(log)?;
    let Some(time) = find(&table, "timestamp") else { return Ok((false, None)) };
    let (mut is_dated, mut units) = (false, BTreeSet::new());
    while table.step()? {
        if let Some(text) = filled(&table, Some(time)) {
            is_dated = true;
            units.extend(clock::read(text).map(|(_, spelling)| spelling));
        }
    }
    let fine = [Spelling::Milliseconds, Spelling::Microseconds, Spelling::Nanoseconds, Spelling::Day];
    let names: Vec<&str> = fine.into_iter().filter(|unit| units.contains(unit)).map(Spelling::description).collect();
    if units.contains(&Spelling::Seconds) && !names.is_empty() {
        let problem = format!("`timestamp` holds seconds and {}; write the column in one unit", names.join(" and "));
        return Err(FileError::whole(log, problem).into());
    }
    Ok((is_dated, (!names.is_empty()).then(|| format!("`timestamp` holds {}", names.join(" and ")))))
}

/// Gives every record of a JSONL file.
fn each<T: DeserializeOwned, R>(
    path: &Path,
    visit: &mut Visit<'_, R>,
    row: impl Fn(T) -> R,
) -> Result<(), ImportError> {
    let mut records = Jsonl::<T>::open(path, "")?;
    while let Some((line, record)) = records.step()? {
        visit(&Place::new(path, line, records.taken()), Ok(row(record)))?;
    }
    Ok(())
}

/// The columns of a row that are not in `special`, the empty ones left out.
fn rest(table: &Sheet, special: &[&str]) -> Fields {
    let columns = table.columns().iter().enumerate().filter(|(_, name)| !special.contains(&name.as_str()));
    columns.filter_map(|(place, name)| Some((name.clone(), table.value(place)?))).collect()
}

/// The column of this name.
fn find(table: &Sheet, name: &str) -> Option<usize> {
    table.columns().iter().position(|column| column == name)
}

/// The column of this name, which the table must have.
fn need(table: &Sheet, path: &Path, name: &str) -> Result<usize, FileError> {
    let message = || format!("no column `{name}`; the columns are `{}`", table.columns().join("`, `"));
    find(table, name).ok_or_else(|| FileError::line(path, 1, message()))
}

/// The current row.
fn place<'p>(path: &'p Path, table: &Sheet) -> Place<'p> {
    Place::new(path, table.line(), table.taken())
}

/// The text of a field that has one.
fn filled(table: &Sheet, place: Option<usize>) -> Option<&str> {
    place.filter(|&place| table.cell(place).is_filled()).map(|place| table.text(place))
}

/// A row; without a `time` column the log has no times.
fn csv_row(table: &Sheet, ids: (usize, usize), time: Option<usize>) -> Verdict<RawRow> {
    let (user, item) = (table.text(ids.0), table.text(ids.1));
    if user.is_empty() || item.is_empty() {
        return Err(NO_ID);
    }
    let time = time.map(|place| filled(table, Some(place)).ok_or(NO_TIME).and_then(moment)).transpose()?;
    let mut row = RawRow::new(id(user), id(item), time);
    row.behavior = rest(table, &["user_id", "item_id", "timestamp", "impression_list"]);
    if let Some(list) = filled(table, find(table, "impression_list")) {
        let ids = list.split_whitespace().map(|text| match id(text) {
            ExternalId::Number(number) => Value::from(number),
            ExternalId::Text(text) => Value::from(text),
        });
        row.behavior.insert("impression_list".to_owned(), Value::Array(ids.collect()));
    }
    Ok(row)
}

/// A time in any spelling of [`clock`].
fn moment(text: &str) -> Verdict<Moment> {
    clock::read(text).map(|(time, _)| time.moment()).ok_or(WRONG_TIME)
}

impl Custom {
    /// Without a file of items an item has at least its id for a name.
    fn named(&self, mut row: RawRow) -> RawRow {
        if self.items.is_none() {
            row.item_description = nameless(&row.item);
        }
        row
    }
}

impl Publisher for Custom {
    fn log(&self) -> &Path {
        &self.log
    }

    fn others(&self) -> Vec<PathBuf> {
        self.items.iter().chain(&self.users).chain(&self.template).cloned().collect()
    }

    fn rules(&self) -> Rules {
        Rules { least_of_user: 1, ..Rules::FIVE }
    }

    fn items(&self, visit: &mut Visit<'_, ItemRow>) -> Result<bool, ImportError> {
        let Some(path) = &self.items else { return Ok(false) };
        if !self.is_csv {
            each(path, visit, |row: ItemRow| row)?;
            return Ok(true);
        }
        let mut table = Sheet::open(path)?;
        let (id_at, year, time) = (need(&table, path, "item_id")?, find(&table, "year"), find(&table, "time"));
        while table.step()? {
            let mut item_features = Fields::new();
            put(&mut item_features, "year", filled(&table, year).map(number_or_text));
            let time = filled(&table, time).map(moment).transpose();
            put(&mut item_features, "time", time.ok().flatten().map(|time| time.0.div_euclid(1_000)));
            let item_description = rest(&table, &["item_id"]);
            let row = ItemRow { item_id: id(table.text(id_at)), item_description, item_features };
            let verdict = match time {
                _ if table.text(id_at).is_empty() => Err(NO_ID),
                Err(_) => Err("item whose time cannot be read"),
                Ok(_) => Ok(row),
            };
            visit(&place(path, &table), verdict)?;
        }
        Ok(true)
    }

    fn users(&self, visit: &mut Visit<'_, UserRow>) -> Result<bool, ImportError> {
        let Some(path) = &self.users else { return Ok(false) };
        if !self.is_csv {
            each(path, visit, |row: UserRow| row)?;
            return Ok(true);
        }
        let mut table = Sheet::open(path)?;
        let id_at = need(&table, path, "user_id")?;
        while table.step()? {
            let user_description = rest(&table, &["user_id"]);
            let row = UserRow { user_id: id(table.text(id_at)), user_description, user_features: Fields::new() };
            visit(&place(path, &table), if table.text(id_at).is_empty() { Err(NO_ID) } else { Ok(row) })?;
        }
        Ok(true)
    }

    fn rows(&self, visit: &mut Visit<'_, RawRow>) -> Result<(), ImportError> {
        if !self.is_csv {
            return each(&self.log, visit, |row: InteractionRow| {
                let mut raw = RawRow::new(row.user_id, row.item_id, row.timestamp);
                raw.behavior = row.behavior_features;
                self.named(raw)
            });
        }
        let mut table = Sheet::open(&self.log)?;
        let ids = (need(&table, &self.log, "user_id")?, need(&table, &self.log, "item_id")?);
        let time = find(&table, "timestamp").filter(|_| self.is_dated);
        while table.step()? {
            visit(&place(&self.log, &table), csv_row(&table, ids, time).map(|row| self.named(row)))?;
        }
        Ok(())
    }

    fn template(&self) -> Result<Option<String>, ImportError> {
        let read = |path: &PathBuf| {
            crate::files::read_text(path, crate::files::MOST_OF_TEXT).map_err(|problem| FileError::read(path, problem))
        };
        Ok(self.template.as_ref().map(read).transpose()?)
    }

    fn notes(&self) -> Vec<String> {
        let files = [("items", &self.items), ("users", &self.users)];
        let missing = files.iter().filter(|(_, path)| path.is_none());
        let missing = missing.map(|(kind, _)| format!("there is no file of {kind}: only their ids are known"));
        self.unit.iter().cloned().chain(missing).collect()
    }
}
