//! Time quantiles of a log, in fixed memory.

use super::log::{Entry, Log, UNDATED};
use crate::files::FileError;
use crate::pipeline::Watch;

/// The number of spans of a range of clocks; each is divided as finely once more.
const SPANS: usize = 1 << 16;

/// For each share (ascending, 0 to 1) the earliest moment before which at least that share of the interactions
/// happened. Interactions without a clock do not count. Exact to 2^-32 of the log's range: to a second over 130 years.
pub(super) fn quantiles(log: &Log, shares: &[f64], watch: &dyn Watch) -> Result<Vec<i64>, FileError> {
    let (mut first, mut last) = (i64::MAX, i64::MIN);
    clocks(log, watch, |clock| (first, last) = (first.min(clock), last.max(clock)))?;
    let coarse = Spans::over(first, last);
    let mut counts = vec![0u64; SPANS];
    clocks(log, watch, |clock| counts[coarse.of(clock)] += 1)?;
    let total = log.clocked() as f64;
    let wanted: Vec<u64> = shares.iter().map(|share| ((share * total).ceil() as u64).max(1)).collect();
    let found: Vec<(usize, u64)> = wanted.iter().map(|&wanted| crossing(&counts, 0, wanted)).collect();
    let mut fine: Vec<(usize, Spans, Vec<u64>)> = Vec::new();
    for &(span, _) in &found {
        if fine.last().is_none_or(|(known, ..)| *known != span) {
            fine.push((span, coarse.within(span), vec![0; SPANS]));
        }
    }
    clocks(log, watch, |clock| {
        let span = coarse.of(clock);
        if let Ok(place) = fine.binary_search_by_key(&span, |(known, ..)| *known) {
            let (_, spans, counts) = &mut fine[place];
            counts[spans.of(clock)] += 1;
        }
    })?;
    let refine = |(&wanted, &(span, before)): (&u64, &(usize, u64))| {
        let place = fine.partition_point(|(known, ..)| *known < span);
        let (_, spans, counts) = &fine[place];
        spans.end(crossing(counts, before, wanted).0)
    };
    Ok(wanted.iter().zip(&found).map(refine).collect())
}

fn clocks(log: &Log, watch: &dyn Watch, mut each: impl FnMut(i64)) -> Result<(), FileError> {
    log.watched_pass("dividing the log by time", watch, |Entry { clock, .. }, _| {
        if clock != UNDATED {
            each(clock);
        }
    })
}

/// The first span with which the sum reaches `wanted`, and the sum before it.
fn crossing(counts: &[u64], start: u64, wanted: u64) -> (usize, u64) {
    let mut before = start;
    for (span, &count) in counts.iter().enumerate() {
        if before + count >= wanted {
            return (span, before);
        }
        before += count;
    }
    (counts.len() - 1, before)
}

/// Equal spans of integers.
#[derive(Clone, Copy)]
struct Spans {
    first: i64,
    width: i64,
}

impl Spans {
    fn over(first: i64, last: i64) -> Spans {
        Spans { first, width: (last - first) / SPANS as i64 + 1 }
    }

    fn of(self, clock: i64) -> usize {
        (((clock - self.first) / self.width) as usize).min(SPANS - 1)
    }

    fn within(self, span: usize) -> Spans {
        let first = self.first + span as i64 * self.width;
        Spans::over(first, first + self.width - 1)
    }

    /// The first moment after a span.
    fn end(self, span: usize) -> i64 {
        self.first + (span as i64 + 1) * self.width
    }
}

#[cfg(test)]
mod tests {
    use super::super::spill::Scratch;
    use super::*;
    use crate::pipeline::Quiet;

    #[test]
    fn spans_cover_their_range() {
        for (first, last) in [(0, 0), (5, 70_000), (-3, 4_100_000_000_000)] {
            let spans = Spans::over(first, last);
            for clock in [first, (first + last) / 2, last] {
                let span = spans.of(clock);
                assert!(clock < spans.end(span) && clock >= spans.end(span) - spans.width, "{clock} in {span}");
                let finer = spans.within(span);
                assert!(clock < finer.end(finer.of(clock)));
            }
        }
    }

    #[test]
    fn quantiles_split_the_log() {
        let folder = tempfile::tempdir().expect("a folder");
        let scratch = Scratch::new(folder.path());
        let year = 31_536_000_000;
        // Half of the interactions in the last second of 100 years.
        let clock = |row: i64| if row < 500 { row * year / 5 } else { 100 * year + row };
        let rows: Vec<_> = (0..1_000).map(|row| (0, row as u32, clock(row))).collect();
        let log = Log::with_rows(&rows, 1, &scratch);
        let found = quantiles(&log, &[0.1, 0.25, 0.5, 0.9], &Quiet).expect("read");
        let before = |moment: i64| rows.iter().filter(|row| row.2 < moment).count();
        assert_eq!(found[..3].iter().map(|&moment| before(moment)).collect::<Vec<_>>(), [100, 250, 500]);
        assert!(before(found[3]) >= 900, "within a second: {}", before(found[3]));
    }

    #[test]
    fn rows_without_times_move_no_quantile() {
        let folder = tempfile::tempdir().expect("a folder");
        let scratch = Scratch::new(folder.path());
        let mut rows: Vec<_> = (0..300).map(|row| (0, row as u32, row * row * 1_000)).collect();
        let found = |rows: &[(u32, u32, i64)]| {
            quantiles(&Log::with_rows(rows, 1, &scratch), &[0.2, 0.5, 0.8], &Quiet).expect("read")
        };
        let dated = found(&rows);
        rows.splice(0..0, (300..500).map(|item| (0, item, UNDATED)));
        assert_eq!(dated, found(&rows));
    }

    #[test]
    fn the_crossing_is_where_the_sum_is_reached() {
        assert_eq!(crossing(&[2, 0, 3], 0, 2), (0, 0));
        assert_eq!(crossing(&[2, 0, 3], 0, 3), (2, 2));
        assert_eq!(crossing(&[2, 0, 3], 4, 5), (0, 4));
    }
}
