//! Exposures for the validation of user models.
//!
//! Lists that were shown, or drawn at random, beside a log.

use super::collect::{Lists, Shown};
use super::import::{Matrix, Place, Publisher, ShownRow};
use super::{DataError, Dataset, ExternalId, Impressions, RatingScale};
use crate::files::FileError;
use std::path::Path;

/// Exposures of a data set's users, with taken items and ratings.
#[derive(Clone, Debug, Default)]
pub struct Exposures {
    /// The lists. Users and items have the numbers of the data set.
    pub impressions: Impressions,
    /// The scale of the ratings: that of the data set if it has one; `None` without ratings.
    pub scale: Option<RatingScale>,
    /// Guesses and omissions, one sentence each.
    pub notes: Vec<String>,
}

/// Counts of rows with users or items that are not in the data set.
#[derive(Default)]
struct Unknown {
    users: (u64, String),
    items: (u64, String),
}

impl Unknown {
    fn count(side: &mut (u64, String), place: impl FnOnce() -> String) {
        if side.0 == 0 {
            side.1 = place();
        }
        side.0 += 1;
    }

    fn notes(&self) -> Vec<String> {
        let sides = [("users", &self.users), ("items", &self.items)];
        let found = sides.into_iter().filter(|(_, (count, _))| *count > 0);
        found
            .map(|(kind, (count, first))| {
                format!("{count} rows of {kind} that the log does not have are left out (first: {first})")
            })
            .collect()
    }
}

/// Reads exposures for the users and items of `data`: a dense matrix of ratings (one row a user, one column an item, 0
/// = not shown; a user's row is one list), or a table like a log in which each row is a shown item, with a column like
/// `clicked`, or a rating, or a complete list; Open Bandit's tables have that form.
///
/// In a table without a column of clicks a rated item counts as taken; the caller decides what that means.
///
/// # Errors
/// A file that cannot be read, a row that cannot be understood, a rating outside the scale of `data`, or no row at all of a
/// user and an item of `data`.
pub fn read_exposures(path: &Path, data: &Dataset) -> Result<Exposures, DataError> {
    if !path.exists() {
        return Err(
            FileError::Missing { path: path.to_owned(), remedy: "give the file of exposures".to_owned() }.into()
        );
    }
    let (mut lists, mut unknown) = (Lists::default(), Unknown::default());
    let mut notes = Vec::new();
    if is_matrix(path, data)? {
        read_matrix(path, data, &mut lists, &mut unknown)?;
    } else {
        notes = read_rows(path, data, &mut lists, &mut unknown)?;
    }
    if lists.is_empty() {
        let found = unknown.notes().join("; ");
        let problem =
            format!("no row is of a user and an item of the log {}: are the ids the same? {found}", data.name);
        return Err(FileError::whole(path, problem).into());
    }
    if lists.are_single_items() {
        lists.join_by_user();
        notes.push("each item was shown alone: what was shown to a user is one list, in no order".to_owned());
    }
    let (impressions, told_of_lists) = lists.finish();
    notes.extend(told_of_lists);
    let ratings = || impressions.ratings.iter().copied();
    let scale =
        if ratings().any(|rating| !rating.is_nan()) { data.scale.or_else(|| RatingScale::of(ratings())) } else { None };
    notes.extend(unknown.notes());
    Ok(Exposures { impressions, scale, notes })
}

/// Columns that a log without a header line may have: user, item, rating, time.
const COLUMNS_OF_LOG: std::ops::RangeInclusive<usize> = 3..=4;

/// True if a file is a matrix: its first line has only numbers and spaces, more than one number, and not as few as a
/// log without a header line, unless there are as few items.
fn is_matrix(path: &Path, data: &Dataset) -> Result<bool, DataError> {
    if !path.is_file() {
        return Ok(false);
    }
    let head = crate::files::Source::head(path, "")?;
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let words = || line.split(|byte| byte.is_ascii_whitespace()).filter(|word| !word.is_empty());
    let is_number = |word: &[u8]| std::str::from_utf8(word).is_ok_and(|word| word.parse::<f32>().is_ok());
    let count = words().count();
    let is_log = COLUMNS_OF_LOG.contains(&count) && count != data.items.len();
    Ok(count > 1 && !is_log && words().all(is_number))
}

fn read_matrix(path: &Path, data: &Dataset, lists: &mut Lists, unknown: &mut Unknown) -> Result<(), DataError> {
    let mut matrix = Matrix::open(path)?;
    let mut user = 0;
    while let Some(ratings) = matrix.step()? {
        for (item, rating) in ratings.into_iter().enumerate().filter(|(_, rating)| *rating != 0.0) {
            let mut row = ShownRow::new(ExternalId::Number(user), ExternalId::Number(item as i64), None, true);
            (row.rating, row.list) = (Some(f64::from(rating)), Some(format!("row {user:012}")));
            take(&Place::new(path, matrix.line(), 0), &row, data, lists, unknown)?;
        }
        user += 1;
    }
    Ok(())
}

fn read_rows(path: &Path, data: &Dataset, lists: &mut Lists, unknown: &mut Unknown) -> Result<Vec<String>, DataError> {
    let found = super::detect::open(path, None, None)?;
    let publisher: &dyn Publisher = found.publisher.as_ref();
    let has_lists = publisher.shown(&mut |place, verdict| match verdict {
        Ok(row) => take(place, &row, data, lists, unknown),
        Err(reason) => Err(FileError::line(place.path, place.line, format!("{reason}{}", place.shown())).into()),
    })?;
    // Tables of users and items belong to the log, not to what lies beside the exposures.
    let notes_of = || publisher.notes().into_iter().filter(|note| !note.starts_with("there is no table of"));
    if has_lists {
        return Ok(notes_of().collect());
    }
    // Without clicks, what was shown is what was rated.
    publisher.all_rows(&mut |place, verdict| match verdict {
        Ok(row) => {
            let time = row.time.map(super::clock::Instant::of_moment);
            let mut shown = ShownRow::new(row.user, row.item, time, true);
            shown.list = Some(shown.user.to_string());
            (shown.rating, shown.time) = (row.rating, None);
            if shown.rating.is_none() {
                let problem = "the row has neither a click nor a rating; name the columns in data.toml";
                return Err(FileError::line(place.path, place.line, problem).into());
            }
            take(place, &shown, data, lists, unknown)
        }
        Err(reason) => Err(FileError::line(place.path, place.line, format!("{reason}{}", place.shown())).into()),
    })?;
    let note = "there is no column of clicks: all rated items of a user are one list";
    let mut notes: Vec<String> = notes_of().collect();
    notes.push(note.to_owned());
    Ok(notes)
}

fn take(
    place: &Place<'_>,
    row: &ShownRow,
    data: &Dataset,
    lists: &mut Lists,
    unknown: &mut Unknown,
) -> Result<(), super::import::ImportError> {
    let (user, item) = (data.users.get(&row.user.to_string()), data.items.get(&row.item.to_string()));
    if user.is_none() {
        Unknown::count(&mut unknown.users, || place.to_string());
    }
    if item.is_none() {
        Unknown::count(&mut unknown.items, || place.to_string());
    }
    if let (Some(scale), Some(rating)) = (data.scale, row.rating)
        && !scale.contains(rating as f32)
    {
        let problem = format!("rating {rating} is outside the scale of the log from {} to {}", scale.min, scale.max);
        return Err(FileError::line(place.path, place.line, problem).into());
    }
    if let (Some(user), Some(item)) = (user, item) {
        lists.push(user, item, &Shown::of(row));
    }
    Ok(())
}
