//! `recmirror data`: a summary of a data set in one screen.

use super::data_format::DataFormat;
use super::{Failure, print};
use crate::dataset::{Column, Dataset, Field, Fields, Interaction};
use crate::registry::Registry;
use std::fmt::Write;
use std::path::PathBuf;

/// Arguments of `data`.
#[derive(clap::Args)]
pub struct Data {
    /// The folder of a data set, or the log in it.
    path: PathBuf,
    #[command(flatten)]
    format: DataFormat,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Data {
    pub(super) fn run(self, registry: &Registry) -> Result<(), Failure> {
        let data = registry.read(&self.path, self.format.family()).map_err(Failure::input)?;
        if self.json {
            print(&format!("{:#}\n", as_json(&data)));
        } else {
            print(&rendered(&data));
        }
        Ok(())
    }
}

/// The summary as JSON.
fn as_json(data: &Dataset) -> serde_json::Value {
    let fields = |fields: &Fields| -> Vec<serde_json::Value> {
        let one = |field: &Field| {
            let (column, name) = (&field.column, &field.name);
            serde_json::json!({ "name": name, "kind": column.kind(), "rows": column.len(), "filled": column.filled() })
        };
        fields.iter().map(one).collect()
    };
    let lists = &data.impressions;
    let [none, one, more] = lists.counts_by_taken();
    let cleaned: Vec<String> = data.cleanup.lines().collect();
    serde_json::json!({
        "name": data.name, "family": data.family, "hash": data.hash,
        "users": data.users.len(), "items": data.items.len(), "interactions": data.interactions.len(),
        "has_times": data.has_times, "scale": data.scale, "has_weights": !data.weights.is_empty(),
        "lists": { "count": lists.len(), "items": lists.items.len(), "none_taken": none, "one_taken": one, "more_taken": more },
        "user_fields": fields(&data.user_fields), "item_fields": fields(&data.item_fields),
        "cleaned": cleaned, "notes": data.notes,
    })
}

/// The most category names printed for a field.
const EXAMPLES: usize = 3;

/// The most fields printed of users and of items.
const MOST_FIELDS: usize = 24;

fn rendered(data: &Dataset) -> String {
    let mut text = format!("{} ({})\n", data.name, data.family);
    log(&mut text, data);
    lists(&mut text, data);
    fields(&mut text, "user", data.users.len(), &data.user_fields, &[]);
    let meanings = [("title", &data.title), ("release", &data.released), ("provider", &data.provider)];
    let meanings: Vec<(&str, &str)> =
        meanings.iter().filter_map(|(word, name)| Some((name.as_deref()?, *word))).collect();
    fields(&mut text, "item", data.items.len(), &data.item_fields, &meanings);
    for line in data.cleanup.lines() {
        let _ = writeln!(text, "cleaned   {line}");
    }
    for note in &data.notes {
        let _ = writeln!(text, "note      {note}");
    }
    let _ = writeln!(text, "hash      {}", data.hash);
    text
}

fn log(text: &mut String, data: &Dataset) {
    let (users, items, rows) = (data.users.len(), data.items.len(), data.interactions.len());
    let _ = writeln!(text, "log       {rows} interactions of {users} users with {items} items");
    let cells = users as f64 * items as f64;
    let mut of_user = vec![0_u32; users];
    data.interactions.iter().for_each(|row| of_user[row.user.index()] += 1);
    of_user.sort_unstable();
    if let (Some(least), Some(most)) = (of_user.first(), of_user.last()) {
        let median = of_user[of_user.len() / 2];
        let share = 100.0 * rows as f64 / cells;
        let _ = writeln!(
            text,
            "density   {share:.3}% of all pairs; a user has {least} to {most} items, {median} in the middle"
        );
    }
    let times = || data.interactions.iter().map(|row| row.time);
    if let (true, Some(first), Some(last)) = (data.has_times, times().min(), times().max()) {
        let day = |time| jiff::Timestamp::from_millisecond(time).map_or_else(|_| time.to_string(), |it| it.to_string());
        let same = same_times(&data.interactions);
        let _ = writeln!(
            text,
            "times     {} to {}; {same} rows share their time with the user's row before",
            day(first),
            day(last)
        );
    } else {
        let _ = writeln!(text, "times     none");
    }
    match data.scale {
        Some(scale) => {
            let rated: Vec<f32> =
                data.interactions.iter().map(|row| row.rating).filter(|rating| !rating.is_nan()).collect();
            let mean = rated.iter().map(|rating| f64::from(*rating)).sum::<f64>() / rated.len().max(1) as f64;
            let (min, max) = (scale.min, scale.max);
            let _ = writeln!(text, "ratings   {} on a scale from {min} to {max}, {mean:.3} in the mean", rated.len());
        }
        None => {
            let _ = writeln!(text, "ratings   none");
        }
    }
    if !data.weights.is_empty() {
        let weighed: Vec<f64> = data.weights.iter().filter(|it| !it.is_nan()).map(|it| f64::from(*it)).collect();
        let mean = weighed.iter().sum::<f64>() / weighed.len().max(1) as f64;
        let _ = writeln!(text, "weights   {}, {mean:.3} in the mean", weighed.len());
    }
}

/// Rows with the time of the previous row of the same user.
fn same_times(rows: &[Interaction]) -> usize {
    rows.windows(2).filter(|pair| (pair[0].user, pair[0].time) == (pair[1].user, pair[1].time)).count()
}

fn lists(text: &mut String, data: &Dataset) {
    let lists = &data.impressions;
    if lists.is_empty() {
        let _ = writeln!(text, "shown     the log has no impressions");
        return;
    }
    let [none, one, more] = lists.counts_by_taken();
    let taken = lists.taken.iter().filter(|&&taken| taken).count();
    let _ = writeln!(
        text,
        "shown     {} lists of {:.1} items in the mean: nothing taken from {none}, one item from {one}, more from {more}; {taken} of {} items taken",
        lists.len(),
        lists.items.len() as f64 / lists.len() as f64,
        lists.items.len(),
    );
    if !lists.propensities.is_empty() {
        let _ = writeln!(text, "          propensities of the logging policy are known");
    }
}

fn fields(text: &mut String, side: &str, rows: usize, fields: &Fields, meanings: &[(&str, &str)]) {
    if fields.is_empty() {
        let _ = writeln!(text, "{side}s     no fields, only ids");
        return;
    }
    let width = fields.iter().map(|field| field.name.chars().count()).max().unwrap_or(0).min(28);
    for (place, field) in fields.iter().take(MOST_FIELDS).enumerate() {
        let start = if place == 0 { format!("{side}s") } else { String::new() };
        let meaning = meanings.iter().find(|(name, _)| *name == field.name);
        let meaning = meaning.map_or_else(String::new, |(_, word)| format!(" [{word}]"));
        let share = 100.0 * field.column.filled() as f64 / rows.max(1) as f64;
        let (name, kind) = (&field.name, field.column.kind());
        let _ =
            writeln!(text, "{start:<10}{name:<width$} {kind:<10} {share:>5.1}%  {}{meaning}", summary(&field.column));
    }
    if fields.len() > MOST_FIELDS {
        let _ = writeln!(text, "          and {} more", fields.len() - MOST_FIELDS);
    }
}

fn shortened(text: &str) -> String {
    const MOST: usize = 30;
    let clean: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    if clean.chars().count() <= MOST { clean } else { format!("{}...", clean.chars().take(MOST).collect::<String>()) }
}

/// The range of a column, or a few of its values.
fn summary(column: &Column) -> String {
    match column {
        Column::Category { names, .. } | Column::Categories { names, .. } => {
            let shown: Vec<String> =
                (0..names.len().min(EXAMPLES) as u32).map(|code| shortened(names.external(code))).collect();
            format!("{} names: {}", names.len(), shown.join(", "))
        }
        Column::Number(values) => {
            let numbers = || values.iter().copied().filter(|value| !value.is_nan());
            format!("{} to {}", numbers().fold(f32::INFINITY, f32::min), numbers().fold(f32::NEG_INFINITY, f32::max))
        }
        Column::Time(values) => {
            let day = |time: Option<i64>| {
                let stamp = time.and_then(|time| jiff::Timestamp::from_millisecond(time).ok());
                stamp.map_or_else(|| "?".to_owned(), |stamp| stamp.strftime("%Y-%m-%d").to_string())
            };
            format!(
                "{} to {}",
                day(values.iter().flatten().min().copied()),
                day(values.iter().flatten().max().copied())
            )
        }
        Column::Text(values) => {
            values.iter().find(|text| !text.is_empty()).map_or_else(String::new, |text| shortened(text))
        }
        Column::Vector { width, .. } => format!("{width} numbers"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_screen_summarises_a_data_set() {
        let rows = [
            ("a", "x", Some(1.0), Some(10_000)),
            ("a", "y", Some(5.0), Some(10_000)),
            ("b", "x", None, Some(86_410_000)),
        ];
        let data = Dataset::from_rows("mine", rows).expect("a data set");
        let text = rendered(&data);
        for line in [
            "log       3 interactions of 2 users with 2 items",
            "density   75.000% of all pairs; a user has 1 to 2 items, 2 in the middle",
            "times     1970-01-01T00:00:10Z to 1970-01-02T00:00:10Z; 1 rows share their time with the user's row before",
            "ratings   2 on a scale from 1 to 5, 3.000 in the mean",
            "shown     the log has no impressions",
            "items     no fields, only ids",
        ] {
            assert!(text.lines().any(|found| found == line), "no `{line}` in:\n{text}");
        }
    }
}
