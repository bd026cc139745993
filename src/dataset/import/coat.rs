//! Coat shopping (Schnabel et al. 2016).
//!
//! `train.ascii` has ratings of coats that users chose themselves, in a dense matrix (rows
//! users, columns coats, 0 = not rated), with `user_features.ascii`, `item_features.ascii` and their maps. No times.
//!
//! `test.ascii`, ratings of coats drawn at random, is no part of the log: it is read as exposures. Users and coats are
//! called by their places in the matrix, counted from 0.

use super::super::{ExternalId, ItemRow, UserRow};
use super::folder::Folder;
use super::publisher::{Fields, Place, Publisher, RawRow, Roles, Visit};
use super::tables::FieldType;
use super::values::put;
use super::{Family, Format, ImportError, Opened};
use crate::files::{FileError, Source};
use serde_json::Value;
use std::path::{Path, PathBuf};

pub(super) const FAMILY: Family = Family {
    name: "coat",
    summary: "ratings of coats, chosen and drawn at random (Coat shopping)",
    formats: &[Format { name: "ascii", files: "`train.ascii`, `user_features.ascii`, `item_features.ascii`", open }],
    template: super::GENERIC_TEMPLATE,
};

/// A matrix of numbers, one row a line.
pub(in crate::dataset) struct Matrix {
    source: Source,
    width: Option<usize>,
}

impl Matrix {
    pub(in crate::dataset) fn open(path: &Path) -> Result<Matrix, FileError> {
        Ok(Matrix { source: Source::open(path, "")?, width: None })
    }

    /// The next row; `None` at the end.
    pub(in crate::dataset) fn step(&mut self) -> Result<Option<Vec<f32>>, FileError> {
        if !self.source.advance()? {
            return Ok(None);
        }
        let mut row = Vec::new();
        for word in self.source.text()?.split([' ', '\t', ',', ';']).filter(|word| !word.is_empty()) {
            let number = word.parse::<f32>().ok().filter(|number| number.is_finite());
            row.push(number.ok_or_else(|| self.source.error(format!("`{word}` is not a finite number")))?);
        }
        let wanted = *self.width.get_or_insert(row.len());
        if row.len() != wanted {
            let problem = format!("{} numbers, the first row has {wanted}", row.len());
            return Err(self.source.error(problem));
        }
        Ok(Some(row))
    }

    /// The line of the current row.
    pub(in crate::dataset) fn line(&self) -> u64 {
        self.source.line()
    }
}

/// Flags of users or items: a matrix and the names of its columns, `field:value`.
struct Flags {
    rows: Vec<Vec<f32>>,
    names: Vec<(String, String)>,
}

struct Coat {
    log: PathBuf,
    others: Vec<PathBuf>,
    items: Option<Flags>,
    users: Option<Flags>,
    notes: Vec<String>,
}

fn open(folder: &Folder) -> Opened {
    let Some(log) = folder.log(&["train.ascii"]) else { return Ok(None) };
    let mut data = Coat { log, others: Vec::new(), items: None, users: None, notes: Vec::new() };
    data.items = data.flags(folder, "item")?;
    data.users = data.flags(folder, "user")?;
    Ok(Some(Box::new(data)))
}

impl Coat {
    fn flags(&mut self, folder: &Folder, side: &str) -> Result<Option<Flags>, ImportError> {
        let name = format!("{side}_features.ascii");
        let Some(path) = folder.find(&[&name]) else {
            self.notes.push(format!("there is no `{name}`: {side}s have no fields"));
            return Ok(None);
        };
        let (mut rows, mut matrix) = (Vec::new(), Matrix::open(&path)?);
        while let Some(row) = matrix.step()? {
            rows.push(row);
        }
        let width = rows.first().map_or(0, Vec::len);
        let mut names: Vec<(String, String)> =
            (0..width).map(|column| (format!("feature_{column}"), "yes".to_owned())).collect();
        if let Some(map) = folder.find(&[&format!("{side}_features_map.txt")]) {
            let mut source = Source::open(&map, "")?;
            let mut place = 0;
            while source.advance()? {
                let text = source.text()?.trim().to_owned();
                let (field, value) = text.split_once(':').unwrap_or((&text, "yes"));
                if let Some(name) = names.get_mut(place) {
                    *name = (field.to_owned(), value.to_owned());
                }
                place += 1;
            }
            if place != width {
                return Err(source.error(format!("{place} names for the {width} columns of {name}")).into());
            }
            self.others.push(map);
        }
        self.others.push(path);
        Ok(Some(Flags { rows, names }))
    }
}

impl Flags {
    /// The fields of a row: of each field the values whose flags are set.
    fn fields(&self, row: usize) -> Fields {
        let mut fields = Fields::new();
        for ((field, value), flag) in self.names.iter().zip(&self.rows[row]) {
            if *flag == 0.0 {
                continue;
            }
            let value = if *flag == 1.0 { Value::from(value.as_str()) } else { Value::from(f64::from(*flag)) };
            put(&mut fields, field, Some(value));
        }
        fields
    }
}

impl Publisher for Coat {
    fn log(&self) -> &Path {
        &self.log
    }

    fn others(&self) -> Vec<PathBuf> {
        self.others.clone()
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn is_unordered(&self) -> bool {
        true
    }

    fn items(&self, visit: &mut Visit<'_, ItemRow>) -> Result<bool, ImportError> {
        let Some(flags) = &self.items else { return Ok(false) };
        for row in 0..flags.rows.len() {
            let item_id = ExternalId::Number(row as i64);
            let row = ItemRow { item_id, item_description: flags.fields(row), item_features: Fields::new() };
            visit(&Place::file(&self.log), Ok(row))?;
        }
        Ok(true)
    }

    fn users(&self, visit: &mut Visit<'_, UserRow>) -> Result<bool, ImportError> {
        let Some(flags) = &self.users else { return Ok(false) };
        for row in 0..flags.rows.len() {
            let user_id = ExternalId::Number(row as i64);
            let row = UserRow { user_id, user_description: flags.fields(row), user_features: Fields::new() };
            visit(&Place::file(&self.log), Ok(row))?;
        }
        Ok(true)
    }

    fn rows(&self, visit: &mut Visit<'_, RawRow>) -> Result<(), ImportError> {
        let mut matrix = Matrix::open(&self.log)?;
        let mut user = 0;
        while let Some(ratings) = matrix.step()? {
            let place = Place::new(&self.log, matrix.line(), 0);
            for (item, rating) in ratings.into_iter().enumerate().filter(|(_, rating)| *rating != 0.0) {
                let mut row = RawRow::new(ExternalId::Number(user), ExternalId::Number(item as i64), None);
                row.rating = Some(f64::from(rating));
                put(&mut row.behavior, "rating", row.rating);
                visit(&place, Ok(row))?;
            }
            user += 1;
        }
        Ok(())
    }

    fn roles(&self) -> Roles {
        let types = |flags: &Option<Flags>| {
            let names = flags.iter().flat_map(|flags| &flags.names);
            names.map(|(field, _)| (field.clone(), FieldType::Category)).collect()
        };
        Roles { item_types: types(&self.items), user_types: types(&self.users), ..Roles::default() }
    }

    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }
}
