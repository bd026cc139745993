//! A forest plot of differences from the baseline.

use super::svg::{self, Axis, Caption};
use crate::experiment::Estimate;
use crate::metrics::Format;

const ROW: f64 = 28.0;
const TOP: f64 = 10.0;
const LABEL: usize = 18;

/// One policy's difference.
pub struct Row<'a> {
    /// Name of the policy.
    pub name: &'a str,
    /// Class of its colour.
    pub class: &'a str,
    /// The difference; `None` if undefined.
    pub difference: Option<Estimate>,
}

/// Draws the chart; `None` if no difference is defined.
pub fn chart(caption: &Caption<'_>, format: Format, axis_title: &str, rows: &[Row<'_>]) -> Option<String> {
    let longest = rows.iter().map(|row| row.name.chars().count().min(LABEL)).max()?;
    let written: Vec<String> = rows.iter().map(|row| written(row, format)).collect();
    let widest = written.iter().map(|text| text.chars().count()).max()?;
    let room = |characters: usize| characters as f64 * svg::CHARACTER;
    let span = (14.0 + room(longest), svg::WIDTH - 14.0 - room(widest));
    let bottom = TOP + ROW * rows.len() as f64;
    let axis = domain(rows, format.scale())?;
    let mut body = String::new();
    for &value in &axis.ticks {
        let x = axis.place(value, span);
        body += &svg::line(if value == 0.0 { "zero" } else { "grid" }, (x, TOP), (x, bottom));
        let sign = if value > 0.0 { "+" } else { "" };
        let label = format!("{sign}{value:.digits$}", digits = axis.digits);
        body += &svg::text("tick", (x, bottom + 17.0), "middle", &svg::minus(&label));
    }
    for (nth, (row, written)) in rows.iter().zip(&written).enumerate() {
        let y = TOP + ROW * (nth as f64 + 0.5);
        body += &svg::text("name", (span.0 - 12.0, y + 4.5), "end", &svg::shorten(row.name, LABEL));
        body += &mark(row, &axis, span, y, format.scale());
        body += &svg::text(if is_shown(row) { "name shown" } else { "name" }, (svg::WIDTH, y + 4.5), "end", written);
    }
    body += &svg::text("tick", ((span.0 + span.1) / 2.0, bottom + 35.0), "middle", axis_title);
    Some(svg::document(caption, bottom + 42.0, &body))
}

/// The mean at the end of the row.
fn written(row: &Row<'_>, format: Format) -> String {
    svg::minus(&format.difference(row.difference.map(|found| found.mean)))
}

/// True if the interval excludes 0.
fn is_shown(row: &Row<'_>) -> bool {
    row.difference.and_then(|found| found.interval).is_some_and(|interval| !interval.contains(0.0))
}

/// A filled dot if the interval excludes 0, else a hollow one.
fn mark(row: &Row<'_>, axis: &Axis, span: (f64, f64), y: f64, scale: f64) -> String {
    let class = row.class;
    let x = |value: f64| axis.place(value * scale, span);
    let Some(found) = row.difference else {
        return svg::text("tick", (x(0.0) + 8.0, y + 4.5), "start", "undefined");
    };
    let whisker = found.interval.map(|interval| {
        let (low, high) = (x(interval.low), x(interval.high));
        let ends = [low, high].map(|end| svg::line(&format!("whisker {class}"), (end, y - 4.0), (end, y + 4.0)));
        svg::line(&format!("whisker {class}"), (low, y), (high, y)) + &ends.concat()
    });
    let dot = if is_shown(row) { "dot" } else { "dot hollow" };
    whisker.unwrap_or_default() + &svg::dot(&format!("{dot} {class}"), (x(found.mean), y), 5.0)
}

fn domain(rows: &[Row<'_>], scale: f64) -> Option<Axis> {
    let found = rows.iter().filter_map(|row| row.difference);
    let ends = found.flat_map(|found| {
        let interval = found.interval.map(|interval| [interval.low, interval.high]);
        interval.into_iter().flatten().chain([found.mean])
    });
    let ends: Vec<f64> = ends.map(|end| end * scale).collect();
    let low = ends.iter().copied().min_by(f64::total_cmp)?.min(0.0);
    let high = ends.iter().copied().max_by(f64::total_cmp)?.max(0.0);
    let room = if high > low { 0.06 * (high - low) } else { 1.0 };
    Some(Axis::new(low - room, high + room, 5, 0.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::estimate;

    fn draw(rows: &[Row<'_>]) -> Option<String> {
        let caption = Caption { id: "f".to_owned(), title: "t", description: "d" };
        chart(&caption, Format::Percent { digits: 1 }, "difference (pp)", rows)
    }

    fn row(values: &[f64]) -> Row<'static> {
        Row { name: "a", class: "s0", difference: estimate(values.iter().copied().map(Some)) }
    }

    #[test]
    fn a_dot_is_filled_when_the_interval_excludes_zero() {
        let drawn = draw(&[row(&[0.1, 0.11, 0.12]), row(&[-0.1, 0.1]), row(&[0.1])]).unwrap();
        assert_eq!(drawn.matches("class=\"dot s0\"").count(), 1);
        assert_eq!(drawn.matches("class=\"dot hollow s0\"").count(), 2);
        assert_eq!(drawn.matches("class=\"whisker s0\"").count(), 6);
    }

    #[test]
    fn zero_is_always_in_sight() {
        let drawn = draw(&[row(&[0.0, 0.0]), row(&[])]).unwrap();
        assert!(drawn.contains("class=\"zero\"") && drawn.contains("undefined") && !drawn.contains("NaN"), "{drawn}");
        assert!(draw(&[row(&[])]).is_none());
    }
}
