//! One log row: an interaction or an exposure.

use super::roles::Layout;
use crate::dataset::ExternalId;
use crate::dataset::clock::{self, Instant, Spelling};
use crate::dataset::import::ImportError;
use crate::dataset::import::publisher::{Fields, RawRow, ShownRow, Verdict};
use crate::dataset::import::values::{NO_ID, id, nameless, put};
use crate::dataset::sheet::{Cell, Sheet};
use crate::files::FileError;
use serde_json::Value;

/// The rules for reading the rows of a log.
pub(super) struct Reading<'t> {
    pub(super) layout: &'t Layout,
    pub(super) columns: &'t [String],
    pub(super) spelling: Option<Spelling>,
    /// The number of the first slot: 0 or 1.
    pub(super) first: u32,
    /// True if a table is about items.
    pub(super) has_items: bool,
    /// Values that mean "no rating".
    pub(super) unrated: &'t [f64],
}

/// Receives the content of a row.
type Take<'v, T> = dyn FnMut(Verdict<T>) -> Result<(), ImportError> + 'v;

/// The number of a slot.
pub(super) fn position(sheet: &Sheet, at: usize) -> Result<u32, FileError> {
    let number = sheet.number(at, "position")?;
    if number.fract() != 0.0 || !(0.0..=f64::from(u16::MAX)).contains(&number) {
        return Err(sheet.error(format!("position `{}` is not a whole number from 0 to {}", sheet.text(at), u16::MAX)));
    }
    Ok(number as u32)
}

/// A truth value: 0 or 1, true or false, yes or no.
/// Nothing, and a word for nothing, is 0: joins leave the click of what was not clicked empty.
fn truth(sheet: &Sheet, at: usize, column: &str) -> Result<bool, FileError> {
    if !sheet.cell(at).is_filled() {
        return Ok(false);
    }
    match sheet.text(at).to_ascii_lowercase().as_str() {
        "1" | "1.0" | "true" | "yes" | "y" | "t" => Ok(true),
        "0" | "0.0" | "false" | "no" | "n" | "f" => Ok(false),
        other => {
            Err(sheet.error(format!("{column} `{other}` is neither 0 nor 1; name the column of clicks in data.toml")))
        }
    }
}

/// The entries of a list: a JSON or Parquet list, `[a, b]`, or words between spaces, commas, semicolons or bars.
pub(super) fn entries(cell: &Cell) -> Vec<String> {
    if let Cell::List(entries) = cell {
        return entries.clone();
    }
    let text = cell.text();
    if let Ok(serde_json::Value::Array(values)) = serde_json::from_str(text) {
        return values.iter().map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned)).collect();
    }
    let inside = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let separator = ['|', ';', ','].into_iter().find(|separator| inside.contains(*separator));
    let parts = inside.split(|letter: char| separator.map_or(letter.is_whitespace(), |separator| letter == separator));
    parts.map(|part| part.trim().trim_matches(['\'', '"']).to_owned()).filter(|part| !part.is_empty()).collect()
}

fn as_value(id: &ExternalId) -> Value {
    match id {
        ExternalId::Number(number) => Value::from(*number),
        ExternalId::Text(text) => Value::from(text.as_str()),
    }
}

impl Reading<'_> {
    /// True if the log has exposures.
    pub(super) fn has_lists(&self) -> bool {
        self.layout.clicked.is_some() || self.layout.shown.is_some()
    }

    fn user(&self, sheet: &Sheet) -> Option<ExternalId> {
        let parts: Vec<&str> = self.layout.user.iter().map(|&at| sheet.text(at)).collect();
        let text = parts.join("/");
        (!parts.iter().all(|part| part.is_empty())).then(|| id(&text))
    }

    fn item(&self, sheet: &Sheet) -> Option<ExternalId> {
        self.layout.item.map(|at| sheet.text(at)).filter(|text| !text.is_empty()).map(id)
    }

    fn time(&self, sheet: &Sheet) -> Result<Option<Instant>, FileError> {
        let Some(at) = self.layout.time.filter(|at| sheet.cell(*at).is_filled()) else { return Ok(None) };
        match sheet.cell(at) {
            Cell::Time(micros) => Ok(Some(Instant::of_micros(*micros))),
            cell => {
                let read = clock::read_as(cell.text(), self.spelling);
                read.map(Some).ok_or_else(|| sheet.error(clock::not_a_time(cell.text())))
            }
        }
    }

    fn number(&self, sheet: &Sheet, at: Option<usize>) -> Result<Option<f64>, FileError> {
        let Some(at) = at.filter(|at| sheet.cell(*at).is_filled()) else { return Ok(None) };
        sheet.number(at, &self.columns[at]).map(Some)
    }

    fn rating(&self, sheet: &Sheet) -> Result<Option<f64>, FileError> {
        Ok(self.number(sheet, self.layout.rating)?.filter(|rating| !self.unrated.contains(rating)))
    }

    fn fields(&self, sheet: &Sheet, places: &[usize]) -> Fields {
        let mut fields = Fields::new();
        for &at in places {
            put(&mut fields, &self.columns[at], sheet.value(at));
        }
        fields
    }

    fn row(&self, sheet: &Sheet, user: ExternalId, item: ExternalId) -> Result<RawRow, FileError> {
        let time = self.time(sheet)?;
        let mut row = RawRow::new(user, item, time.map(Instant::moment));
        row.finer = time.map_or(0, |time| time.nanos % 1_000_000);
        row.rating = self.rating(sheet)?;
        row.weight = self.number(sheet, self.layout.weight)?;
        row.behavior = self.fields(sheet, &self.layout.rest);
        if row.rating.is_none() && self.layout.rating.is_some() {
            // Another column of that name is no rating.
            row.behavior.remove("rating");
        }
        let rating = self.layout.rating.filter(|_| row.rating.is_some());
        for at in [rating, self.layout.weight].into_iter().flatten() {
            put(&mut row.behavior, &self.columns[at], sheet.value(at));
        }
        row.user_description = self.fields(sheet, &self.layout.user_fields);
        row.item_description = self.fields(sheet, &self.layout.item_fields);
        if !self.has_items && row.item_description.is_empty() {
            row.item_description = nameless(&row.item);
        }
        Ok(row)
    }

    /// The behaviour of a user in a log row: none, one, or several actions.
    pub(super) fn rows(&self, sheet: &Sheet, take: &mut Take<'_, RawRow>) -> Result<(), ImportError> {
        let Some(user) = self.user(sheet) else { return take(Err(NO_ID)) };
        if self.layout.shown.is_some() {
            let (list, taken) = self.list(sheet)?;
            let shown: Vec<Value> = list.iter().map(as_value).collect();
            for (place, (item, _)) in list.into_iter().zip(taken).enumerate().filter(|(_, (_, taken))| *taken) {
                let mut row = self.row(sheet, user.clone(), item)?;
                row.behavior.insert("impression_list".to_owned(), Value::Array(shown.clone()));
                row.behavior.insert("item_pos".to_owned(), Value::from(place));
                take(Ok(row))?;
            }
            return Ok(());
        }
        let Some(item) = self.item(sheet) else { return take(Err(NO_ID)) };
        if let Some(at) = self.layout.clicked
            && !truth(sheet, at, &self.columns[at])?
        {
            return Ok(());
        }
        take(Ok(self.row(sheet, user, item)?))
    }

    /// The items of a list with whether they were taken.
    fn list(&self, sheet: &Sheet) -> Result<(Vec<ExternalId>, Vec<bool>), FileError> {
        let cell = |at: Option<usize>| at.map_or(&Cell::Missing, |at| sheet.cell(at));
        let list: Vec<ExternalId> = entries(cell(self.layout.shown)).iter().map(|text| id(text)).collect();
        let mut taken = vec![false; list.len()];
        let mut names: Vec<ExternalId> = entries(cell(self.layout.taken)).iter().map(|text| id(text)).collect();
        if self.layout.taken.is_none() {
            names.extend(self.item(sheet));
        }
        if let (None, Some(at), [_]) = (self.layout.taken, self.layout.position, names.as_slice())
            && sheet.cell(at).is_filled()
            && let place = (position(sheet, at)?.saturating_sub(self.first)) as usize
            && list.get(place) == names.first()
        {
            taken[place] = true;
            return Ok((list, taken));
        }
        for name in names {
            let Some(place) = list.iter().position(|item| *item == name) else {
                return Err(sheet.error(format!(
                    "`{name}` was taken, but it is not in the list that was shown; add it there, or take it out"
                )));
            };
            taken[place] = true;
        }
        Ok((list, taken))
    }

    /// The exposure in a log row: one item, or a complete list.
    pub(super) fn shown(&self, sheet: &Sheet, take: &mut Take<'_, ShownRow>) -> Result<(), ImportError> {
        let Some(user) = self.user(sheet) else { return take(Err(NO_ID)) };
        let time = self.time(sheet)?;
        let list = self.layout.impression.map(|at| sheet.text(at).to_owned()).filter(|text| !text.is_empty());
        if self.layout.shown.is_some() {
            let list = list.unwrap_or_else(|| format!("line {:012}", sheet.line()));
            let (items, taken) = self.list(sheet)?;
            for (place, (item, taken)) in items.into_iter().zip(taken).enumerate() {
                let mut row = ShownRow::new(user.clone(), item, time, taken);
                (row.list, row.slot) = (Some(list.clone()), u16::try_from(place).ok());
                if place == 0 {
                    row.user_description = self.fields(sheet, &self.layout.user_fields);
                }
                take(Ok(row))?;
            }
            return Ok(());
        }
        let Some(item) = self.item(sheet) else { return take(Err(NO_ID)) };
        let taken = self.layout.clicked.map(|at| truth(sheet, at, &self.columns[at])).transpose()?.unwrap_or(false);
        let mut row = ShownRow::new(user, item, time, taken);
        row.list = list;
        if let Some(at) = self.layout.position.filter(|at| sheet.cell(*at).is_filled()) {
            row.slot = u16::try_from(position(sheet, at)?.saturating_sub(self.first)).ok();
        }
        row.propensity = self.number(sheet, self.layout.propensity)?;
        if row.propensity.is_some_and(|share| !(share > 0.0 && share <= 1.0)) {
            let text = sheet.text(self.layout.propensity.unwrap_or_default());
            return Err(sheet.error(format!("propensity `{text}` is not above 0 and at most 1")).into());
        }
        row.rating = self.rating(sheet)?;
        row.user_description = self.fields(sheet, &self.layout.user_fields);
        row.item_description = self.fields(sheet, &self.layout.item_fields);
        take(Ok(row))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_however_they_are_written() {
        let of = |text: &str| entries(&Cell::Text(text.to_owned()));
        for text in ["a b c", "a|b|c", "a, b, c", "['a', 'b', 'c']", "[\"a\", \"b\", \"c\"]", "[a b c]"] {
            assert_eq!(of(text), ["a", "b", "c"], "{text}");
        }
        assert_eq!(of("[1, 2]"), ["1", "2"]);
        assert_eq!((of(""), of("[]")), (vec![], vec![]));
        assert_eq!(entries(&Cell::List(vec!["x y".into()])), ["x y"]);
    }
}
