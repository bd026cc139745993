//! From a publisher's files, or your own tables, to a [`Dataset`].
//!
//! Users and items are in the order of their tables; those that only the log knows come after them, numbers by value,
//! then texts by their bytes, so that no number hangs on the order of the log's lines.

mod missing;
mod named;
mod remarks;
mod rows;
mod shown_lists;
mod side;
mod typed;

pub(super) use self::missing::count_missing;
pub(super) use self::named::title_among;
pub(super) use self::rows::{RowValues, Rows};
pub(super) use self::shown_lists::{Lists, Shown};
use self::side::Side;
pub(super) use self::side::ranks;
use super::clock::{self, Instant};
use super::import::{Family, ImportError, Place, Publisher, RawRow, Roles, ShownRow, Verdict};
use super::{Cleaner, Cleanup, DataError, Dataset, ExternalId, RatingScale};
use crate::files::FileError;
use serde_json::{Map, Value};
use std::io::Read;
use std::path::{Path, PathBuf};

/// The part of a data set that is read so far.
struct Collector<'p> {
    publisher: &'p dyn Publisher,
    roles: Roles,
    users: Side,
    items: Side,
    rows: Rows,
    lists: Lists,
    cleanup: Cleanup,
    unrated: u64,
}

/// Reads everything that a publisher provides.
pub(super) fn collect(publisher: &dyn Publisher, family: &'static str, name: String) -> Result<Dataset, DataError> {
    let mut collector = Collector {
        publisher,
        roles: publisher.roles(),
        users: Side::default(),
        items: Side::default(),
        rows: Rows::default(),
        lists: Lists::default(),
        cleanup: Cleanup::default(),
        unrated: 0,
    };
    collector.read_items()?;
    collector.read_users()?;
    collector.read_rows()?;
    let mut data = collector.finish()?;
    (data.family, data.name) = (family, name);
    let of_family = || Family::find(family).map_or_else(String::new, |family| family.template().to_owned());
    data.template = publisher.template()?.unwrap_or_else(of_family);
    // Tables in memory have no files; their owner hashes their values.
    data.hash = if family == "memory" { String::new() } else { hash(publisher)? };
    Ok(data)
}

/// The hash over the bytes of all files: items, users, what belongs to them, the log.
fn hash(publisher: &dyn Publisher) -> Result<String, DataError> {
    let mut hasher = blake3::Hasher::new();
    let mut bytes = vec![0; 1 << 20];
    let files: Vec<PathBuf> = publisher.others().into_iter().chain([publisher.log().to_owned()]).collect();
    for path in files {
        let io = |source| FileError::read(&path, source);
        let mut file = crate::files::open_regular(&path).map_err(io)?;
        loop {
            match file.read(&mut bytes).map_err(io)? {
                0 => break,
                read => hasher.update(&bytes[..read]),
            };
        }
    }
    Ok(hasher.finalize().to_hex().to_string())
}

/// Fields of a user or item for code: features that are no lists, else the shown text.
fn merged(mut shown: Map<String, Value>, features: Map<String, Value>) -> Map<String, Value> {
    for (name, value) in features.into_iter().filter(|(_, value)| !value.is_array() && !value.is_object()) {
        match (name.as_str(), value.as_f64()) {
            ("time", Some(seconds)) => {
                shown.entry("released").or_insert_with(|| clock::written(seconds as i64).into());
            }
            _ => {
                shown.entry(name).or_insert(value);
            }
        }
    }
    shown
}

/// Words before an id in names that publishers' readers derive from it.
const STAND_INS: [&str; 7] = ["", "item", "video", "book", "artist", "product", "news article"];

/// Removes names that publishers' readers derive from an id, like "item 7".
fn without_stand_in(id: &ExternalId, mut fields: Map<String, Value>) -> Map<String, Value> {
    let is_stand_in = |text: &str| {
        let id = id.to_string();
        text.strip_suffix(&id).is_some_and(|before| STAND_INS.contains(&before.trim_end()))
    };
    fields.retain(|name, value| {
        !matches!(name.as_str(), "title" | "name" | "caption") || !value.as_str().is_some_and(is_stand_in)
    });
    fields
}

fn refused(place: &Place<'_>, problem: impl Into<String>) -> ImportError {
    FileError::line(place.path, place.line, problem).into()
}

impl Collector<'_> {
    /// A row, or `None` if it is left out and counted. Rows of a strict publisher must be correct.
    fn accept<T>(&mut self, place: &Place<'_>, verdict: Verdict<T>) -> Result<Option<T>, ImportError> {
        match verdict {
            Ok(row) => Ok(Some(row)),
            Err(reason) if self.publisher.is_strict() => Err(refused(place, format!("{reason}{}", place.shown()))),
            Err(reason) => {
                self.cleanup.count_at(Cleaner::Dropped(reason), || place.to_string());
                Ok(None)
            }
        }
    }

    fn take_side(
        &mut self,
        is_user: bool,
        place: &Place<'_>,
        id: &ExternalId,
        fields: Map<String, Value>,
    ) -> Result<(), ImportError> {
        let side = if is_user { &mut self.users } else { &mut self.items };
        let (dense, is_new) = side.insert(id);
        if is_new {
            side.store.push(dense, without_stand_in(id, fields));
        } else if self.publisher.is_strict() {
            let kind = if is_user { "user" } else { "item" };
            let message = format!(
                "{kind} id `{id}` occurs for the second time, but a table of {kind}s has one row for each; keep one row (for tables of \
                 your own, data.toml can name another table, or none with `[{kind}s]`, `file = \"\"`)"
            );
            return Err(refused(place, message));
        } else {
            let kind = if is_user { "user whose id stood before" } else { "item whose id stood before" };
            self.cleanup.count_at(Cleaner::Dropped(kind), || place.to_string());
        }
        if place.is_latin1 {
            self.cleanup.count_at(Cleaner::Latin1Title, || place.to_string());
        }
        Ok(())
    }

    fn read_items(&mut self) -> Result<(), DataError> {
        let publisher = self.publisher;
        let has_table = publisher.items(&mut |place, verdict| match self.accept(place, verdict)? {
            Some(row) => self.take_side(false, place, &row.item_id, merged(row.item_description, row.item_features)),
            None => Ok(()),
        })?;
        self.items.known = has_table.then_some(self.items.ids.len() as u32);
        Ok(())
    }

    fn read_users(&mut self) -> Result<(), DataError> {
        let publisher = self.publisher;
        let has_table = publisher.users(&mut |place, verdict| match self.accept(place, verdict)? {
            Some(row) => self.take_side(true, place, &row.user_id, merged(row.user_description, row.user_features)),
            None => Ok(()),
        })?;
        self.users.known = has_table.then_some(self.users.ids.len() as u32);
        Ok(())
    }

    fn read_rows(&mut self) -> Result<(), DataError> {
        let publisher = self.publisher;
        let mut with_lists = false;
        with_lists |= publisher.shown(&mut |place, verdict| match self.accept(place, verdict)? {
            Some(row) => self.take_shown(place, row),
            None => Ok(()),
        })?;
        publisher.all_rows(&mut |place, verdict| match self.accept(place, verdict)? {
            Some(row) => {
                if !with_lists {
                    self.take_list(place, &row)?;
                }
                self.take_row(place, row)
            }
            None => Ok(()),
        })?;
        if self.rows.is_empty() && self.lists.is_empty() {
            return Err(DataError::Empty { path: publisher.log().to_owned() });
        }
        Ok(())
    }

    /// The numbers of a user and an item. Ids that only the log has are counted if there is a table.
    fn numbers(&mut self, place: &Place<'_>, user: &ExternalId, item: &ExternalId) -> (u32, u32) {
        let ((user, _), (item, _)) = (self.users.insert(user), self.items.insert(item));
        if !self.users.is_known(user) {
            self.cleanup.count_at(Cleaner::UnknownUser, || place.to_string());
        }
        if !self.items.is_known(item) {
            self.cleanup.count_at(Cleaner::UnknownItem, || place.to_string());
        }
        (user, item)
    }

    fn take_row(&mut self, place: &Place<'_>, row: RawRow) -> Result<(), ImportError> {
        let rating = self.rating(place, &row)?;
        self.unrated += u64::from(rating.is_nan());
        let (user, item) = self.numbers(place, &row.user, &row.item);
        let time = row.time.map(|time| {
            let instant = Instant::of_moment(time);
            Instant { nanos: instant.nanos + row.finer, ..instant }
        });
        let weight = row.weight.map_or(f32::NAN, |weight| weight as f32);
        if weight.is_infinite() {
            return Err(refused(place, "the weight is too large"));
        }
        self.rows.push(user, item, RowValues { time, rating, weight, line: place.line });
        if !row.user_description.is_empty() {
            self.users.store.push_first(user, row.user_description);
        }
        if !row.item_description.is_empty() {
            self.items.store.push_first(item, without_stand_in(&row.item, row.item_description));
        }
        Ok(())
    }

    /// The rating of a row, within the given scale; NaN without a rating.
    fn rating(&self, place: &Place<'_>, row: &RawRow) -> Result<f32, ImportError> {
        let written = row.rating.or_else(|| row.behavior.get("rating").and_then(Value::as_f64));
        let Some(rating) = written else { return Ok(f32::NAN) };
        let rating = rating as f32;
        if !rating.is_finite() {
            return Err(refused(place, format!("rating `{}` is not a finite number", written.unwrap_or_default())));
        }
        match self.roles.scale {
            Some([min, max]) if !RatingScale { min, max }.contains(rating) => {
                let message = format!("rating {rating} is outside the scale from {min} to {max} that data.toml sets");
                Err(refused(place, message))
            }
            _ => Ok(rating),
        }
    }

    fn take_shown(&mut self, place: &Place<'_>, row: ShownRow) -> Result<(), ImportError> {
        let ((user, _), (item, _)) = (self.users.insert(&row.user), self.items.insert(&row.item));
        self.lists.push(user, item, &Shown::of(&row));
        if row.rating.is_some_and(|rating| !(rating as f32).is_finite()) {
            return Err(refused(place, "the rating is not a finite number"));
        }
        if !row.user_description.is_empty() {
            self.users.store.push_first(user, row.user_description);
        }
        if !row.item_description.is_empty() {
            self.items.store.push_first(item, without_stand_in(&row.item, row.item_description));
        }
        Ok(())
    }

    /// The list in which a row's item was shown, where the row names one.
    fn take_list(&mut self, place: &Place<'_>, row: &RawRow) -> Result<(), ImportError> {
        let Some(list) = row.behavior.get("impression_list").and_then(Value::as_array) else { return Ok(()) };
        let items: Vec<ExternalId> = list
            .iter()
            .map(|id| match id {
                Value::Number(number) if number.is_i64() => ExternalId::Number(number.as_i64().unwrap_or_default()),
                other => ExternalId::Text(other.as_str().map_or_else(|| other.to_string(), str::to_owned)),
            })
            .collect();
        let given = row.behavior.get("item_pos").and_then(Value::as_u64).map(|place| place as usize);
        let found = given.or_else(|| items.iter().position(|item| *item == row.item));
        let Some(taken) = found.filter(|&found| items.get(found) == Some(&row.item)) else {
            return Err(refused(
                place,
                format!("the item `{}` is not in its `impression_list`, or not at `item_pos`", row.item),
            ));
        };
        let name = format!("line {:012}", place.line);
        for (slot, item) in items.into_iter().enumerate() {
            let mut shown = ShownRow::new(row.user.clone(), item, row.time.map(Instant::of_moment), slot == taken);
            (shown.list, shown.slot) = (Some(name.clone()), u16::try_from(slot).ok());
            self.take_shown(place, shown)?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Dataset, DataError> {
        let (users, items) = (self.users.settle(), self.items.settle());
        self.rows.renumber(&users, &items);
        self.lists.renumber(&users, &items);
        let log = self.publisher.log().file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let rank = ranks(&self.items.ids);
        let unrated = self.unrated;
        let (user_ids, item_ids) = (&self.users.ids, &self.items.ids);
        let scatter = |user: u32, item: u32| rows::scattered(user_ids.external(user), item_ids.external(item));
        let is_unordered = self.publisher.is_unordered();
        let known = [self.users.known, self.items.known];
        let scatter: Option<rows::Scatter<'_>> = if is_unordered { Some(&scatter) } else { None };
        let finished = self.rows.finish(&rank, scatter, &mut self.cleanup, |line| format!("{log}:{line}"));
        let named = named::Names::of(&self.items.store, &self.roles);
        let item_types = named.types(&self.roles);
        let wrong = |path: PathBuf| move |problem: String| DataError::from(FileError::whole(path, problem));
        let (of_items, of_users) = (self.items.ids.len(), self.users.ids.len());
        let log = || self.publisher.log().to_owned();
        let items = self.items.store.finish(of_items, &self.roles.item_order, &item_types).map_err(wrong(log()))?;
        let users =
            self.users.store.finish(of_users, &self.roles.user_order, &self.roles.user_types).map_err(wrong(log()))?;
        let rated = || finished.interactions.iter().map(|row| row.rating);
        let scale = match self.roles.scale {
            Some([min, max]) => Some(RatingScale { min, max }).filter(|_| rated().any(|rating| !rating.is_nan())),
            None => RatingScale::of(rated()),
        };
        let (impressions, told_of_lists) = self.lists.finish();
        let mut notes = self.publisher.notes();
        notes.extend(told_of_lists);
        notes.extend(items.notes.into_iter().chain(users.notes));
        let mut data = Dataset {
            scale,
            impressions,
            users: self.users.ids,
            items: self.items.ids,
            user_fields: users.fields,
            item_fields: items.fields,
            weights: finished.weights,
            has_times: finished.is_timed,
            interactions: finished.interactions,
            cleanup: self.cleanup,
            ..Dataset::default()
        };
        named.mark(&mut data);
        count_missing(&mut data);
        let may_name_unrated = self.publisher.reads_data_toml() && self.roles.scale.is_none();
        let seen = remarks::Seen { is_finer: finished.is_finer, is_unordered, may_name_unrated, unrated, known };
        notes.extend(remarks::notes_of(&data, &seen));
        data.notes = notes;
        Ok(data)
    }
}

/// The name of a data set: that of its folder, or of its file without endings.
pub(super) fn name_of(path: &Path, family: &str) -> String {
    let absolute = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let name = absolute.file_name().map_or_else(|| family.to_owned(), |name| name.to_string_lossy().into_owned());
    if absolute.is_file() { name.split('.').next().unwrap_or(&name).to_owned() } else { name }
}
