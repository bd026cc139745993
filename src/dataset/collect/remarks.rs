//! Notes on what was read as a whole.

use crate::dataset::sheet::MISSING;
use crate::dataset::{Dataset, IdTable};

/// What only the collector knows of a log.
pub(super) struct Seen {
    /// Some times were finer than a millisecond.
    pub(super) is_finer: bool,
    pub(super) is_unordered: bool,
    /// data.toml may say which ratings mean "no rating", and no scale says that all are ratings.
    pub(super) may_name_unrated: bool,
    /// Rows without a rating.
    pub(super) unrated: u64,
    /// Numbers of users and of items that have tables of their own; `None` without such a table.
    pub(super) known: [Option<u32>; 2],
}

/// Notes on times, ratings and ids.
pub(super) fn notes_of(data: &Dataset, seen: &Seen) -> Vec<String> {
    let mut notes = Vec::new();
    if !data.has_times {
        let order = if seen.is_unordered { "is drawn by a hash of the ids" } else { "is that of the file" };
        notes.push(format!("the log has no times: the order of each user's rows {order}"));
    }
    if seen.is_finer {
        notes.push("fractions of milliseconds order the rows, then times are cut to whole milliseconds".to_owned());
    }
    match data.scale {
        None => notes.push("the log has no ratings".to_owned()),
        Some(_) if seen.unrated > 0 => notes.push(format!("{} rows have no rating", seen.unrated)),
        Some(_) => {}
    }
    notes.extend(number_for_nothing(data).filter(|_| seen.may_name_unrated));
    notes.extend(words_for_nothing(data));
    notes.extend(strangers(data, seen.known));
    if data.interactions.is_empty() {
        notes.push("nothing was taken of anything that was shown".to_owned());
    }
    notes
}

/// Share of the ratings from which on a 0 below all others is doubtful.
const DOUBTFUL: f64 = 0.2;

/// A lowest rating that may mean "no rating": below 0 where all others are above, or a frequent 0 below a scale that begins at 1.
fn number_for_nothing(data: &Dataset) -> Option<String> {
    let rated = || data.interactions.iter().map(|row| row.rating).filter(|rating| !rating.is_nan());
    let lowest = rated().fold(f32::INFINITY, f32::min);
    let next = rated().filter(|rating| *rating > lowest).fold(f32::INFINITY, f32::min);
    let best = rated().fold(f32::NEG_INFINITY, f32::max);
    let count = rated().filter(|rating| *rating == lowest).count();
    let is_frequent = count as f64 >= DOUBTFUL * rated().count() as f64;
    let is_doubtful = next < best && ((lowest < 0.0 && next > 0.0) || (lowest == 0.0 && next >= 1.0 && is_frequent));
    is_doubtful.then(|| {
        format!(
            "the rating {lowest} is given {count} times, and all others are from {next} to {best}; if it stands for no rating, \
             write `unrated = [{lowest}]` in data.toml"
        )
    })
}

/// Ids that are words for "no value": an id may be any text, but rows without a user must not become one user silently.
fn words_for_nothing(data: &Dataset) -> Vec<String> {
    let note = |kind: &str, word: &str, rows: usize| {
        format!(
            "`{word}` is the id of one {kind} with {rows} interactions; if the word stands for no {kind}, take these rows out of \
             the log"
        )
    };
    let found = MISSING.iter().flat_map(|word| {
        let rows =
            |is: &dyn Fn(u32, u32) -> bool| data.interactions.iter().filter(|row| is(row.user.0, row.item.0)).count();
        let user = data.users.get(word).map(|one| ("user", rows(&|user, _| user == one)));
        let item = data.items.get(word).map(|one| ("item", rows(&|_, item| item == one)));
        user.into_iter().chain(item).filter(|(_, rows)| *rows > 0).map(|(kind, rows)| note(kind, word, rows))
    });
    found.collect()
}

/// Tables of users or items that have nothing in common with the log: mostly the ids are written in another way.
fn strangers(data: &Dataset, known: [Option<u32>; 2]) -> Vec<String> {
    let note = |kind: &str, ids: &IdTable, known: u32| {
        format!(
            "no {kind} of the log is in the table of {kind}s: the log writes ids like `{}`, the table like `{}`; are they the same?",
            ids.external(known),
            ids.external(0)
        )
    };
    let kinds = [("user", &data.users), ("item", &data.items)];
    let found = kinds.into_iter().zip(known).enumerate().filter_map(|(place, ((kind, ids), known))| {
        let known = known.filter(|&known| known > 0 && (known as usize) < ids.len())?;
        let id = |row: &crate::dataset::Interaction| if place == 0 { row.user.0 } else { row.item.0 };
        let is_strange = !data.interactions.is_empty() && data.interactions.iter().all(|row| id(row) >= known);
        is_strange.then(|| note(kind, ids, known))
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_nothing_and_foreign_tables_are_noted() {
        let rows = [("NA", "1.0"), ("NA", "2.0"), ("7", "1.0")].map(|(user, item)| (user, item, None, None));
        let mut data = Dataset::from_rows("log", rows).expect("a data set");
        let seen = |known| Seen { is_finer: false, is_unordered: false, may_name_unrated: true, unrated: 0, known };
        let notes = notes_of(&data, &seen([None, None]));
        assert!(
            notes.iter().any(|note| note.starts_with("`NA` is the id of one user with 2 interactions")),
            "{notes:?}"
        );
        assert!(!notes.iter().any(|note| note.contains("table of")), "{notes:?}");
        // The table has one item more than the log names, and none of these.
        let mut items = IdTable::default();
        for id in ["1", "1.0", "2.0"] {
            items.insert(id);
        }
        data.items = items;
        data.interactions.iter_mut().for_each(|row| row.item.0 += 1);
        let notes = notes_of(&data, &seen([None, Some(1)]));
        let wanted = "no item of the log is in the table of items: the log writes ids like `1.0`, the table like `1`";
        assert!(notes.iter().any(|note| note.starts_with(wanted)), "{notes:?}");
    }
}
