//! A language user's memory, as a row of numbers.
//!
//! `[user, count, (item, rating, day, second) x history]`. All except the rating are integers below 2^24, which `f32`
//! represents exactly; that is why a time is split into days since 1970 and seconds of the day: no text needs less than
//! a minute.
//!
//! A full history loses its older half at once. If only the oldest entry were dropped, every text would begin
//! differently after each acceptance, and the cache could not be used.

use crate::ids::{ItemId, LogUserId};
use crate::user::Memorised;

/// The most users and items that a memory can distinguish.
pub(super) const MOST: usize = 1 << 24;

const HEAD: usize = 2;
const ENTRY: usize = 4;
const DAY: i64 = 86_400;

/// The width of a memory with `history` entries.
pub(super) fn width(history: usize) -> usize {
    HEAD + ENTRY * history
}

/// A memory without history.
pub(super) fn start(row: &mut [f32], user: LogUserId) {
    row.fill(0.0);
    row[0] = user.0 as f32;
}

/// The user of the data set to whom the memory belongs.
pub(super) fn user(row: &[f32]) -> LogUserId {
    LogUserId(row[0] as u32)
}

/// The remembered items, the oldest first.
pub(super) fn entries(row: &[f32]) -> impl Iterator<Item = Memorised> {
    row[HEAD..].chunks_exact(ENTRY).take(row[1] as usize).map(|entry| Memorised {
        item: ItemId(entry[0] as u32),
        rating: entry[1],
        time: (entry[2] as i64 * DAY + entry[3] as i64) * 1_000,
    })
}

/// Adds an entry; a full history first loses its older half.
pub(super) fn push(row: &mut [f32], event: &Memorised) {
    let most = (row.len() - HEAD) / ENTRY;
    let mut count = row[1] as usize;
    if count >= most {
        let kept = most / 2;
        row.copy_within(HEAD + ENTRY * (count - kept)..HEAD + ENTRY * count, HEAD);
        row[HEAD + ENTRY * kept..].fill(0.0);
        count = kept;
    }
    let seconds = event.time.div_euclid(1_000);
    let (day, second) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
    let entry = [event.item.0 as f32, event.rating, day as f32, second as f32];
    row[HEAD + ENTRY * count..HEAD + ENTRY * (count + 1)].copy_from_slice(&entry);
    row[1] = (count + 1) as f32;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(number: u32) -> Memorised {
        let time = (893_286_638 - i64::from(number) * 100_000_000) * 1_000;
        Memorised { item: ItemId(MOST as u32 - 1 - number), rating: 1.0 + (number % 5) as f32, time }
    }

    #[test]
    fn entries_come_back_exactly_and_the_older_half_goes_at_once() {
        let mut row = vec![7.0; width(4)];
        start(&mut row, LogUserId(MOST as u32 - 1));
        assert_eq!((user(&row), entries(&row).count()), (LogUserId(MOST as u32 - 1), 0));
        let kept = [&[0][..], &[0, 1], &[0, 1, 2], &[0, 1, 2, 3], &[2, 3, 4], &[2, 3, 4, 5], &[4, 5, 6]];
        for (number, kept) in (0..).zip(kept) {
            push(&mut row, &event(number));
            let wanted: Vec<Memorised> = kept.iter().map(|&number| event(number)).collect();
            assert_eq!(entries(&row).collect::<Vec<_>>(), wanted);
        }
        // Dropped entries leave no trace: equal histories are equal rows.
        let mut fresh = vec![0.0; width(4)];
        start(&mut fresh, LogUserId(MOST as u32 - 1));
        (4..7).for_each(|number| push(&mut fresh, &event(number)));
        assert_eq!(fresh, row);
    }

    #[test]
    fn a_history_of_one_keeps_the_last() {
        let mut row = vec![0.0; width(1)];
        start(&mut row, LogUserId(3));
        (0..3).for_each(|number| push(&mut row, &event(number)));
        assert_eq!(entries(&row).collect::<Vec<_>>(), [event(2)]);
        push(&mut row, &Memorised { rating: f32::NAN, ..event(4) });
        assert!(entries(&row).all(|entry| entry.rating.is_nan()));
    }
}
