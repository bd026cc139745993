//! The writer of the unified form, in passes over the log.
//!
//! 1. The items and users that are known, by their ids.
//! 2. Where only the end of the log is used: rows a day, for the cut.
//! 3. Rows of each user and item.
//! 4. The rows that stay are written, in the order of the publisher's log.
//! 5. The items and users of those rows are written, in the order of the publisher's files, or of their first row if
//!    there is no such file.
//!
//! Memory grows with users and items, not with rows.

use super::super::{InteractionRow, ItemRow, Moment, UserRow};
use super::ImportError;
use super::output::Output;
use super::publisher::{Place, Publisher, RawRow, Rules, Verdict};
use super::sieve::{Ids, Sieve};
use super::table::empty;
use crate::files::{FileError, Tally, Watch};
use std::collections::BTreeMap;

const DAY: i64 = 24 * 60 * 60 * 1_000;

/// A kept row with its user and item, as an example for readers.
#[derive(Clone, Debug)]
pub(super) struct Example {
    pub(super) done: InteractionRow,
    pub(super) user: Option<UserRow>,
    pub(super) item: Option<ItemRow>,
}

/// The findings of the passes.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) tally: Tally,
    pub(super) examples: Vec<Example>,
    /// The time of the latest kept row.
    pub(super) end: Option<Moment>,
    /// Kept rows without a time.
    pub(super) undated: u64,
}

/// Tells of progress in batches: one row is too little to speak of. Where the number of rows is not known the steps
/// are the bytes of the file.
struct Steps<'w> {
    watch: &'w dyn Watch,
    rows: u64,
    /// The file that is read, while no row has named its file.
    what: Option<&'w str>,
    taken: Option<u64>,
}

impl<'w> Steps<'w> {
    fn begin(watch: &'w dyn Watch, what: &str, total: u64) -> Steps<'w> {
        watch.begin(what, total);
        Steps { watch, rows: 0, what: None, taken: None }
    }

    /// A pass over a file that the first row names.
    fn over(watch: &'w dyn Watch, what: &'w str) -> Steps<'w> {
        watch.begin(what, 0);
        Steps { watch, rows: 0, what: Some(what), taken: None }
    }

    fn step(&mut self, place: &Place<'_>) {
        self.rows += 1;
        if let Some(what) = self.what.take().filter(|_| place.taken > 0) {
            self.watch.begin(what, std::fs::metadata(place.path).map_or(0, |file| file.len()));
            self.taken = Some(0);
        }
        if !self.rows.is_multiple_of(1_024) {
            return;
        }
        match &mut self.taken {
            None => self.watch.advance(1_024),
            Some(taken) => {
                self.watch.advance(place.taken.saturating_sub(*taken));
                *taken = place.taken;
            }
        }
    }
}

/// Runs all passes. Nothing is written without an `output`.
pub(super) fn run(
    publisher: &dyn Publisher,
    rules: Rules,
    examples: usize,
    mut output: Option<&mut Output>,
    watch: &dyn Watch,
) -> Result<Found, ImportError> {
    let (items, users) = known(publisher, watch)?;
    let cut = if rules.latest < 1.0 { Some(cut(publisher, rules.latest, watch)?) } else { None };
    let mut sieve = Sieve::new(rules, users, items, cut);
    let rows = count_rows(publisher, &mut sieve, watch)?;
    if rows == 0 {
        return Err(empty(publisher.log()));
    }
    sieve.restart();
    let mut found = Found::default();
    found.tally.set("rows read", rows);
    write_rows(publisher, &mut sieve, &mut found, examples, output.as_deref_mut(), rows, watch)?;
    if found.tally.count("interactions kept") == Some(0) {
        let tally = found.tally.to_string();
        return Err(ImportError::NothingLeft { path: publisher.log().to_owned(), tally: tally.trim_end().to_owned() });
    }
    write_items(publisher, &sieve.items, &mut found, output.as_deref_mut(), watch)?;
    write_users(publisher, &sieve.users, &mut found, output, watch)?;
    Ok(found)
}

/// The ids of the publisher's items and users.
fn known(publisher: &dyn Publisher, watch: &dyn Watch) -> Result<(Ids, Ids), ImportError> {
    let (mut items, mut users) = (Ids::of_log(), Ids::of_log());
    let mut steps = Steps::over(watch, "reading items");
    let has_items = publisher.items(&mut |place, verdict| {
        steps.step(place);
        if let Ok(item) = verdict {
            items.place(&item.item_id);
        }
        Ok(())
    })?;
    let mut steps = Steps::over(watch, "reading users");
    let has_users = publisher.users(&mut |place, verdict| {
        steps.step(place);
        if let Ok(user) = verdict {
            users.place(&user.user_id);
        }
        Ok(())
    })?;
    if has_items {
        items.close();
    }
    if has_users {
        users.close();
    }
    Ok((items, users))
}

/// The start of the day from which on at least `share` of the rows happened.
fn cut(publisher: &dyn Publisher, share: f64, watch: &dyn Watch) -> Result<i64, ImportError> {
    let mut days: BTreeMap<i64, u64> = BTreeMap::new();
    let mut steps = Steps::over(watch, "reading times");
    publisher.rows(&mut |place, verdict| {
        steps.step(place);
        if let Some(time) = verdict.ok().and_then(|row| row.time) {
            *days.entry(time.0.div_euclid(DAY)).or_default() += 1;
        }
        Ok(())
    })?;
    if days.is_empty() {
        let message = "the log has no times, which --latest needs";
        return Err(FileError::whole(publisher.log(), message).into());
    }
    let wanted = (days.values().sum::<u64>() as f64 * share).ceil() as u64;
    let mut later = 0;
    for (&day, &rows) in days.iter().rev() {
        later += rows;
        if later >= wanted {
            return Ok(day * DAY);
        }
    }
    Ok(i64::MIN)
}

/// Counts the rows of users and items; returns the number of all rows.
fn count_rows(publisher: &dyn Publisher, sieve: &mut Sieve, watch: &dyn Watch) -> Result<u64, ImportError> {
    let mut steps = Steps::over(watch, "counting interactions");
    publisher.rows(&mut |place, verdict| {
        steps.step(place);
        if let Ok(row) = verdict
            && let Ok((user, item)) = sieve.take(&row)
        {
            sieve.count(user, item);
        }
        Ok(())
    })?;
    Ok(steps.rows)
}

fn write_rows(
    publisher: &dyn Publisher,
    sieve: &mut Sieve,
    found: &mut Found,
    examples: usize,
    mut output: Option<&mut Output>,
    rows: u64,
    watch: &dyn Watch,
) -> Result<(), ImportError> {
    let mut steps = Steps::begin(watch, "writing interactions", rows);
    let (mut kept, mut disorder, mut last) = (0_u64, 0_u64, Vec::<i64>::new());
    publisher.rows(&mut |place, verdict| {
        steps.step(place);
        let (mut row, user, item) = match stays(sieve, verdict) {
            Ok(stays) => stays,
            Err(reason) => {
                found.tally.drop(&reason, || place.to_string());
                return Ok(());
            }
        };
        kept += 1;
        disorder += u64::from(is_early(&mut last, user, row.time));
        found.end = found.end.max(row.time);
        found.undated += u64::from(row.time.is_none());
        let is_new = sieve.mark(&mut row, user, item);
        let RawRow { user: user_id, item: item_id, time: timestamp, behavior: behavior_features, .. } = row;
        let done = InteractionRow { user_id, item_id, timestamp, behavior_features };
        if let Some(output) = output.as_deref_mut() {
            output.interactions.push(&done)?;
        }
        if is_new && found.examples.len() < examples {
            found.examples.push(Example { done, user: None, item: None });
        }
        Ok(())
    })?;
    found.tally.set("interactions kept", kept);
    if disorder > 0 {
        found.tally.set("of them earlier than their user's row before", disorder);
    }
    Ok(())
}

fn stays(sieve: &mut Sieve, verdict: Verdict<RawRow>) -> Result<(RawRow, u32, u32), String> {
    let row = verdict.map_err(str::to_owned)?;
    let (user, item) = sieve.take(&row).map_err(str::to_owned)?;
    sieve.fits(user, item)?;
    Ok((row, user, item))
}

/// True if a row is earlier than the previous one of the same user.
fn is_early(last: &mut Vec<i64>, user: u32, time: Option<Moment>) -> bool {
    let user = user as usize;
    if last.len() <= user {
        last.resize(user + 1, i64::MIN);
    }
    let time = time.map_or(i64::MIN, |time| time.0);
    let is_early = time < last[user];
    last[user] = time;
    is_early
}

fn write_items(
    publisher: &dyn Publisher,
    items: &Ids,
    found: &mut Found,
    mut output: Option<&mut Output>,
    watch: &dyn Watch,
) -> Result<(), ImportError> {
    let mut steps = Steps::begin(watch, "writing items", items.used());
    let mut written = Written::default();
    let title = publisher.roles().title;
    let mut write = |place: &Place<'_>, mut row: ItemRow, examples: &mut Vec<Example>| {
        steps.step(place);
        name_item(&mut row, title.as_deref());
        for example in examples.iter_mut().filter(|example| example.done.item_id == row.item_id) {
            example.item = Some(row.clone());
        }
        output.as_deref_mut().map_or(Ok(()), |output| output.items.push(&row)).map_err(ImportError::from)
    };
    let Found { tally, examples, .. } = found;
    if items.is_open() {
        for (id, fields) in &items.taken {
            let (item_id, item_description, item_features) = (id.clone(), fields.clone(), Default::default());
            write(&Place::file(publisher.log()), ItemRow { item_id, item_description, item_features }, examples)?;
        }
    } else {
        publisher.items(&mut |place, verdict| {
            let row = written.accept(items, verdict, |row| items.get(&row.item_id), "item", place, tally);
            row.map_or(Ok(()), |row| write(place, row, examples))
        })?;
    }
    tally.set("items", items.used());
    Ok(())
}

/// Gives an item its title under that name, where the publisher's column has another one.
fn name_item(row: &mut ItemRow, column: Option<&str>) {
    let fields = &mut row.item_description;
    if let Some(title) = column.and_then(|column| fields.get(column)).cloned()
        && !fields.contains_key("title")
    {
        fields.insert("title".to_owned(), title);
    }
}

fn write_users(
    publisher: &dyn Publisher,
    users: &Ids,
    found: &mut Found,
    mut output: Option<&mut Output>,
    watch: &dyn Watch,
) -> Result<(), ImportError> {
    let mut steps = Steps::begin(watch, "writing users", users.used());
    let mut written = Written::default();
    let mut write = |place: &Place<'_>, row: UserRow, examples: &mut Vec<Example>| {
        steps.step(place);
        for example in examples.iter_mut().filter(|example| example.done.user_id == row.user_id) {
            example.user = Some(row.clone());
        }
        output.as_deref_mut().map_or(Ok(()), |output| output.users.push(&row)).map_err(ImportError::from)
    };
    let Found { tally, examples, .. } = found;
    if users.is_open() {
        for (id, fields) in &users.taken {
            let (user_id, user_description, user_features) = (id.clone(), fields.clone(), Default::default());
            write(&Place::file(publisher.log()), UserRow { user_id, user_description, user_features }, examples)?;
        }
    } else {
        publisher.users(&mut |place, verdict| {
            let row = written.accept(users, verdict, |row| users.get(&row.user_id), "user", place, tally);
            row.map_or(Ok(()), |row| write(place, row, examples))
        })?;
    }
    tally.set("users", users.used());
    Ok(())
}

/// True for rows of the publisher's items or users that are already written.
#[derive(Default)]
struct Written(Vec<bool>);

impl Written {
    /// The row if a kept interaction names it and it is the first of its id; else it is counted.
    fn accept<T>(
        &mut self,
        ids: &Ids,
        verdict: Verdict<T>,
        dense: impl Fn(&T) -> Option<u32>,
        kind: &str,
        place: &Place<'_>,
        tally: &mut Tally,
    ) -> Option<T> {
        let row = verdict.map_err(|reason| tally.drop(reason, || place.to_string())).ok()?;
        let dense = dense(&row)?;
        if self.0.len() <= dense as usize {
            self.0.resize(dense as usize + 1, false);
        }
        if std::mem::replace(&mut self.0[dense as usize], true) {
            tally.drop(&format!("{kind} whose id stood before"), || place.to_string());
            return None;
        }
        if !ids.is_used(dense) {
            tally.drop(&format!("{kind} that no kept interaction names"), || place.to_string());
            return None;
        }
        Some(row)
    }
}
