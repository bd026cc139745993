//! Counts of kept and dropped records by reason.

use std::collections::BTreeMap;
use std::fmt;

/// Rows dropped for one reason.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Drops {
    /// The count.
    pub count: u64,
    /// The first place, as `file:line` or an id.
    pub first: String,
}

/// Counts of a stage. Reasons are kept in alphabetical order.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Tally {
    counts: Vec<(String, u64)>,
    dropped: BTreeMap<String, Drops>,
}

impl Tally {
    /// Sets a count that is shown: what was read, kept, written.
    pub fn set(&mut self, what: &str, count: u64) {
        match self.counts.iter_mut().find(|(name, _)| name == what) {
            Some((_, value)) => *value = count,
            None => self.counts.push((what.to_owned(), count)),
        }
    }

    /// Counts one dropped row.
    pub fn drop(&mut self, reason: &str, place: impl FnOnce() -> String) {
        self.drop_many(reason, 1, place);
    }

    /// Counts several dropped rows.
    pub fn drop_many(&mut self, reason: &str, count: u64, place: impl FnOnce() -> String) {
        if count == 0 {
            return;
        }
        match self.dropped.get_mut(reason) {
            Some(drops) => drops.count += count,
            None => {
                self.dropped.insert(reason.to_owned(), Drops { count, first: place() });
            }
        }
    }

    /// A count that was set.
    pub fn count(&self, what: &str) -> Option<u64> {
        self.counts.iter().find(|(name, _)| name == what).map(|&(_, count)| count)
    }

    /// Rows dropped for `reason`.
    pub fn dropped(&self, reason: &str) -> u64 {
        self.dropped.get(reason).map_or(0, |drops| drops.count)
    }

    /// The reasons with their counts.
    pub fn reasons(&self) -> impl Iterator<Item = (&str, &Drops)> {
        self.dropped.iter().map(|(reason, drops)| (reason.as_str(), drops))
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts: Vec<String> = self.counts.iter().map(|(what, count)| format!("{count} {what}")).collect();
        writeln!(f, "  {}", counts.join(", "))?;
        for (reason, drops) in &self.dropped {
            let place = if drops.first.is_empty() { String::new() } else { format!(" (first: {})", drops.first) };
            writeln!(f, "  dropped {:>9}  {reason}{place}", drops.count)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tally_shows_counts_in_order_and_drops_with_their_first_place() {
        let mut tally = Tally::default();
        tally.set("rows", 10);
        tally.set("kept", 7);
        tally.drop("no time", || "a.csv:3".to_owned());
        tally.drop("no time", || "a.csv:4".to_owned());
        tally.drop_many("a user who is too short", 1, String::new);
        let wanted = "  10 rows, 7 kept\n  dropped         1  a user who is too short\n  dropped         2  no time (first: a.csv:3)\n";
        assert_eq!(tally.to_string(), wanted);
        assert_eq!((tally.count("kept"), tally.dropped("no time")), (Some(7), 2));
    }
}
