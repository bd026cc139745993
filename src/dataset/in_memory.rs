//! A data set from rows in memory.

use super::clock::Instant;
use super::collect::{RowValues, Rows, count_missing, ranks};
use super::{Cleanup, DataError, Dataset, IdTable, Moment, RatingScale};
use crate::files::FileError;
use std::path::Path;

impl Dataset {
    /// A data set from rows of user id, item id, rating (in any scale), and time in milliseconds since 1970. Users and items are
    /// numbered in order of appearance and have no fields.
    ///
    /// # Errors
    /// When there is no row, or a rating is not finite.
    pub fn from_rows<U: AsRef<str>, I: AsRef<str>>(
        name: &str,
        rows: impl IntoIterator<Item = (U, I, Option<f32>, Option<i64>)>,
    ) -> Result<Dataset, DataError> {
        let origin = Path::new(name);
        let (mut users, mut items) = (IdTable::default(), IdTable::default());
        let (mut log, mut cleanup, mut hasher) = (Rows::default(), Cleanup::default(), blake3::Hasher::new());
        for (number, (user, item, rating, time)) in rows.into_iter().enumerate() {
            let (user, item) = (user.as_ref(), item.as_ref());
            if rating.is_some_and(|rating| !rating.is_finite()) {
                let problem =
                    format!("the rating {} is not finite; leave it out where there is none", rating.unwrap_or(0.0));
                return Err(FileError::line(origin, number as u64 + 1, problem).into());
            }
            hash(&mut hasher, user, item, rating, time);
            let time = time.map(|time| Instant::of_moment(Moment(time)));
            let values =
                RowValues { time, rating: rating.unwrap_or(f32::NAN), weight: f32::NAN, line: number as u64 + 1 };
            log.push(users.insert(user).0, items.insert(item).0, values);
        }
        if log.is_empty() {
            return Err(DataError::Empty { path: origin.to_owned() });
        }
        let log = log.finish(&ranks(&items), None, &mut cleanup, |row| format!("row {row}"));
        let mut data = Dataset {
            name: name.to_owned(),
            family: "memory",
            scale: RatingScale::of(log.interactions.iter().map(|row| row.rating)),
            has_times: log.is_timed,
            users,
            items,
            interactions: log.interactions,
            cleanup,
            hash: hasher.finalize().to_hex().to_string(),
            ..Dataset::default()
        };
        count_missing(&mut data);
        Ok(data)
    }
}

/// Ids with their lengths, so that no two logs share their bytes.
fn hash(hasher: &mut blake3::Hasher, user: &str, item: &str, rating: Option<f32>, time: Option<i64>) {
    for id in [user, item] {
        hasher.update(&(id.len() as u64).to_le_bytes());
        hasher.update(id.as_bytes());
    }
    hasher.update(&rating.unwrap_or(f32::NAN).to_bits().to_le_bytes());
    hasher.update(&[u8::from(time.is_some())]);
    hasher.update(&time.unwrap_or(0).to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_in_memory_are_a_log() {
        let rows = [("b", "x", Some(2.0), Some(9)), ("a", "y", None, Some(3)), ("b", "y", Some(4.0), Some(1))];
        let data = Dataset::from_rows("mine", rows).unwrap();
        assert_eq!((data.users.external(0), data.items.external(1)), ("b", "y"));
        let seen: Vec<(u32, u32, i64)> =
            data.interactions.iter().map(|row| (row.user.0, row.item.0, row.time)).collect();
        assert_eq!(seen, [(0, 1, 1), (0, 0, 9), (1, 1, 3)]);
        assert_eq!(data.scale, Some(RatingScale::STARS));
        let other = Dataset::from_rows("mine", [("b", "x", Some(2.0), Some(9))]).unwrap();
        assert_ne!(data.hash, other.hash);
        assert!(Dataset::from_rows("none", [("a", "b", None, None); 0]).is_err());
        let problem = Dataset::from_rows("mine", [("a", "b", Some(f32::NAN), None)]).unwrap_err().to_string();
        assert!(problem.contains("not finite"), "{problem}");
    }
}
