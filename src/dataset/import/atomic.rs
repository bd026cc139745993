//! RecBole's atomic files.
//!
//! `NAME.inter`, `NAME.item` and `NAME.user` are tab separated, with a typed header (`user_id:token`,
//! `rating:float`, `class:token_seq`, ...). Every column becomes a field: `token` a category, `token_seq` categories,
//! `float` a number, `float_seq` a vector.

use super::super::clock::{self, Spelling, Spellings};
use super::super::{ItemRow, UserRow};
use super::folder::{Folder, plain_name};
use super::publisher::{Fields, Publisher, RawRow, Roles, Rules, Visit};
use super::table::{Encoding, Table};
use super::tables::FieldType;
use super::values::{NO_ID, id, nameless, number, put};
use super::{Family, Format, ImportError, Opened};
use crate::dataset::sheet::is_missing;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub(super) const FAMILY: Family = Family {
    name: "recbole",
    summary: "RecBole's atomic files of any data set",
    formats: &[Format { name: "atomic", files: "`NAME.inter`, `NAME.item`, `NAME.user`", open }],
    template: super::GENERIC_TEMPLATE,
};

/// RecBole's names for columns that other files name differently.
const COMMON: [(&str, &str); 4] =
    [("movie_title", "title"), ("release_year", "year"), ("class", "genres"), ("genre", "genres")];

/// Texts that RecBole types as sequences of words.
const TEXTS: [&str; 5] = ["title", "name", "description", "review", "text"];

/// Numbers that RecBole types as tokens.
const NUMBERS: [&str; 3] = ["age", "year", "price"];

struct Atomic {
    log: PathBuf,
    items: Option<PathBuf>,
    users: Option<PathBuf>,
    spelling: Option<Spelling>,
    item_types: BTreeMap<String, FieldType>,
    user_types: BTreeMap<String, FieldType>,
    item_order: Vec<String>,
    user_order: Vec<String>,
    notes: Vec<String>,
}

fn open(folder: &Folder) -> Opened {
    let Some(log) = folder.one(|name| name.ends_with(".inter"))? else { return Ok(None) };
    let name = plain_name(&log);
    let stem = name.strip_suffix(".inter").unwrap_or(&name).to_owned();
    let beside = |ending: &str| folder.find(&[&format!("{stem}.{ending}")]);
    let (items, users) = (beside("item"), beside("user"));
    let mut notes = Vec::new();
    for (kind, path) in [("item", &items), ("user", &users)] {
        if path.is_none() {
            notes.push(format!("there is no `{stem}.{kind}`: only the ids of {kind}s are known"));
        }
    }
    let (item_types, item_order) = types(items.as_deref(), "item_id")?;
    let (user_types, user_order) = types(users.as_deref(), "user_id")?;
    let mut data = Atomic { log, items, users, spelling: None, item_types, user_types, item_order, user_order, notes };
    data.look()?;
    Ok(Some(Box::new(data)))
}

/// The name of a column among the fields.
fn common(column: &str) -> &str {
    COMMON.iter().find(|(own, _)| *own == column).map_or(column, |(_, common)| common)
}

type Types = (BTreeMap<String, FieldType>, Vec<String>);

/// Types and order of the fields of a file.
fn types(path: Option<&Path>, id: &str) -> Result<Types, ImportError> {
    let Some(path) = path else { return Ok(Types::default()) };
    let table = Table::headed(path, "\t", Encoding::Utf8)?;
    let (mut types, mut order) = (BTreeMap::new(), Vec::new());
    for (column, kind) in table.columns().iter().zip(table.kinds()).filter(|(column, _)| *column != id) {
        let name = common(column).to_owned();
        let kind = match kind.as_str() {
            _ if TEXTS.contains(&name.as_str()) => Some(FieldType::Text),
            _ if NUMBERS.contains(&name.as_str()) => Some(FieldType::Number),
            "token" => Some(FieldType::Category),
            "token_seq" => Some(FieldType::Categories),
            "float" => Some(FieldType::Number),
            "float_seq" => Some(FieldType::Vector),
            _ => None,
        };
        if let Some(kind) = kind {
            types.insert(name.clone(), kind);
        }
        order.push(name);
    }
    Ok((types, order))
}

/// The fields of the current row, in the types of the header.
fn fields(table: &Table, id_at: usize) -> Fields {
    let mut fields = Fields::new();
    for (place, (column, kind)) in table.columns().iter().zip(table.kinds()).enumerate() {
        let text = table.get(place);
        if place == id_at || text.is_empty() {
            continue;
        }
        let name = common(column);
        let words = || text.split_whitespace();
        let value = match kind.as_str() {
            "token_seq" if !TEXTS.contains(&name) => Value::from(words().collect::<Vec<_>>()),
            "float_seq" => words().map(|word| number(word).map_or_else(|| Value::from(word), Value::Number)).collect(),
            "float" if is_missing(text) => continue,
            "float" => number(text).map_or_else(|| Value::from(text), Value::Number),
            // A year that is no number is none: RecBole's own file of films has one.
            _ if name == "year" && number(text).is_none() => continue,
            _ if NUMBERS.contains(&name) => number(text).map_or_else(|| Value::from(text), Value::Number),
            _ => Value::from(text),
        };
        put(&mut fields, name, Some(value));
    }
    fields
}

impl Atomic {
    fn table(&self) -> Result<Table, ImportError> {
        Table::headed(&self.log, "\t", Encoding::Utf8)
    }

    /// Looks at all times: only together do they reveal their unit.
    fn look(&mut self) -> Result<(), ImportError> {
        let mut table = self.table()?;
        table.need(&["user_id"])?;
        table.need(&["item_id"])?;
        let Some(at) = table.find(&["timestamp"]) else { return Ok(()) };
        let mut spellings = Spellings::default();
        while table.step()? {
            let text = table.get(at);
            if !is_missing(text) {
                let fail = |problem| table.error(format!("timestamp {problem}"));
                spellings.look(text, table.place().line).map_err(fail)?;
                self.spelling = self.spelling.or(Some(Spelling::Seconds));
            }
        }
        let decided = spellings.decide();
        let decided = decided.map_err(|(line, problem)| crate::files::FileError::line(&self.log, line, problem))?;
        self.spelling = decided.or(self.spelling);
        if let Some(kind) = self.spelling.filter(|kind| *kind != Spelling::Seconds) {
            self.notes.push(format!("`timestamp` holds {}", kind.description()));
        }
        Ok(())
    }

    fn number(&self, table: &Table, at: Option<usize>, what: &str) -> Result<Option<f64>, ImportError> {
        let Some(text) = at.map(|at| table.get(at)).filter(|text| !is_missing(text)) else { return Ok(None) };
        let read = text.parse::<f64>().ok().filter(|number| (*number as f32).is_finite());
        read.map(Some).ok_or_else(|| table.error(format!("{what} `{text}` is not a finite number")))
    }
}

impl Publisher for Atomic {
    fn log(&self) -> &Path {
        &self.log
    }

    fn others(&self) -> Vec<PathBuf> {
        self.items.iter().chain(&self.users).cloned().collect()
    }

    fn rules(&self) -> Rules {
        Rules { least_of_user: 1, ..Rules::FIVE }
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn items(&self, visit: &mut Visit<'_, ItemRow>) -> Result<bool, ImportError> {
        let Some(path) = &self.items else { return Ok(false) };
        let mut table = Table::headed(path, "\t", Encoding::Utf8)?;
        let at = table.need(&["item_id"])?;
        while table.step()? {
            let row = ItemRow {
                item_id: id(table.get(at)),
                item_description: fields(&table, at),
                item_features: Fields::new(),
            };
            visit(&table.place(), if table.get(at).is_empty() { Err(NO_ID) } else { Ok(row) })?;
        }
        Ok(true)
    }

    fn users(&self, visit: &mut Visit<'_, UserRow>) -> Result<bool, ImportError> {
        let Some(path) = &self.users else { return Ok(false) };
        let mut table = Table::headed(path, "\t", Encoding::Utf8)?;
        let at = table.need(&["user_id"])?;
        while table.step()? {
            let row = UserRow {
                user_id: id(table.get(at)),
                user_description: fields(&table, at),
                user_features: Fields::new(),
            };
            visit(&table.place(), if table.get(at).is_empty() { Err(NO_ID) } else { Ok(row) })?;
        }
        Ok(true)
    }

    fn rows(&self, visit: &mut Visit<'_, RawRow>) -> Result<(), ImportError> {
        let mut table = self.table()?;
        let (user_at, item_at) = (table.need(&["user_id"])?, table.need(&["item_id"])?);
        let (rating_at, time_at) = (table.find(&["rating"]), table.find(&["timestamp"]));
        let weight_at = table.find(&["weight"]);
        while table.step()? {
            let (user, item) = (table.get(user_at), table.get(item_at));
            if user.is_empty() || item.is_empty() {
                visit(&table.place(), Err(NO_ID))?;
                continue;
            }
            let time = time_at.map(|at| table.get(at)).filter(|text| !is_missing(text));
            let time = time.and_then(|text| clock::read_as(text, self.spelling));
            let mut row = RawRow::new(id(user), id(item), time.map(clock::Instant::moment));
            row.finer = time.map_or(0, |time| time.nanos % 1_000_000);
            row.rating = self.number(&table, rating_at, "rating")?;
            row.weight = self.number(&table, weight_at, "weight")?;
            put(&mut row.behavior, "rating", row.rating);
            if self.items.is_none() {
                row.item_description = nameless(&row.item);
            }
            visit(&table.place(), Ok(row))?;
        }
        Ok(())
    }

    fn roles(&self) -> Roles {
        Roles {
            item_types: self.item_types.clone(),
            user_types: self.user_types.clone(),
            item_order: self.item_order.clone(),
            user_order: self.user_order.clone(),
            ..Roles::default()
        }
    }

    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }
}
