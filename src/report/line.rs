//! A line chart of a metric over time.

use super::svg::{self, Axis, Caption, at};
use crate::experiment::BandPoint;
use crate::metrics::Format;

const HEIGHT: f64 = 264.0;
const LEFT: f64 = 50.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = HEIGHT - 40.0;
/// The most ticks drawn; more could not be distinguished.
const DRAWN: usize = 240;
const LABEL: usize = 14;
/// The distance between two names at the ends of lines.
const LABEL_GAP: f64 = 16.0;

/// One policy's line.
pub struct Series<'a> {
    /// Name of the policy.
    pub name: &'a str,
    /// Class of its colour and dash pattern.
    pub class: &'a str,
    /// The line, by ascending tick.
    pub points: Vec<BandPoint>,
}

/// The layout of the chart.
struct Plot {
    x: Axis,
    y: Axis,
    right: f64,
    /// The ticks that are drawn.
    ticks: Vec<u32>,
    scale: f64,
}

/// The step between drawn ticks.
pub fn stride(ticks: usize) -> usize {
    ticks.div_ceil(DRAWN).max(1)
}

/// Draws the chart; `None` without any point.
pub fn chart(caption: &Caption<'_>, format: Format, tick: &str, series: &[Series<'_>]) -> Option<String> {
    let plot = Plot::new(format, series)?;
    let clip = format!("{}-clip", caption.id);
    let mut body = plot.axes(format, tick);
    body += &format!(
        "<clipPath id=\"{clip}\"><rect x=\"{LEFT}\" y=\"{TOP}\" width=\"{}\" height=\"{}\"/></clipPath>\n",
        at(plot.right - LEFT),
        at(BOTTOM - TOP)
    );
    body += &format!("<g clip-path=\"url(#{clip})\">\n");
    for one in series {
        plot.runs(one).iter().for_each(|run| body += &plot.band(one.class, run));
    }
    body += "</g>\n";
    for one in series {
        plot.runs(one).iter().for_each(|run| body += &plot.line(one.class, run));
    }
    body += &plot.names(series);
    Some(svg::document(caption, HEIGHT, &body))
}

impl Plot {
    fn new(format: Format, series: &[Series<'_>]) -> Option<Plot> {
        let scale = format.scale();
        let mut ticks: Vec<u32> = series.iter().flat_map(|one| one.points.iter().map(|point| point.tick)).collect();
        ticks.sort_unstable();
        ticks.dedup();
        let (first, last) = (*ticks.first()?, *ticks.last()?);
        let stride = stride(ticks.len());
        let mut ticks: Vec<u32> = ticks.into_iter().step_by(stride).collect();
        if ticks.last() != Some(&last) {
            ticks.push(last);
        }
        let longest = series.iter().map(|one| one.name.chars().count().min(LABEL)).max().unwrap_or(0);
        let right = svg::WIDTH - 30.0 - longest as f64 * svg::CHARACTER;
        let (low, high) = domain(series, scale)?;
        Some(Plot {
            x: Axis::new(f64::from(first), f64::from(last), 5, 1.0),
            y: Axis::new(low, high, 5, 0.0),
            right,
            ticks,
            scale,
        })
    }

    fn xy(&self, tick: u32, value: f64) -> (f64, f64) {
        (self.x.place(f64::from(tick), (LEFT, self.right)), self.y.place(value * self.scale, (BOTTOM, TOP)))
    }

    fn axes(&self, format: Format, tick: &str) -> String {
        let mut body = String::new();
        let unit = if format.is_percent() { "%" } else { "" };
        for &value in &self.y.ticks {
            let y = self.y.place(value, (BOTTOM, TOP));
            body += &svg::line("grid", (LEFT, y), (self.right, y));
            let label = format!("{value:.digits$}{unit}", digits = self.y.digits);
            body += &svg::text("tick", (LEFT - 7.0, y + 4.5), "end", &svg::minus(&label));
        }
        body += &svg::line("axis", (LEFT, BOTTOM), (self.right, BOTTOM));
        for &value in &self.x.ticks {
            let x = self.x.place(value, (LEFT, self.right));
            body += &svg::line("axis", (x, BOTTOM), (x, BOTTOM + 4.0));
            body += &svg::text("tick", (x, BOTTOM + 18.0), "middle", &format!("{value:.0}"));
        }
        body + &svg::text("tick", ((LEFT + self.right) / 2.0, HEIGHT - 5.0), "middle", tick)
    }

    /// The drawn points of a policy, split at drawn ticks without a value.
    fn runs<'p>(&self, series: &'p Series<'_>) -> Vec<Vec<&'p BandPoint>> {
        let mut points = series.points.iter().peekable();
        let mut runs = vec![Vec::new()];
        for &tick in &self.ticks {
            while points.next_if(|point| point.tick < tick).is_some() {}
            match points.next_if(|point| point.tick == tick) {
                Some(point) => runs.last_mut().into_iter().for_each(|run: &mut Vec<_>| run.push(point)),
                None => runs.push(Vec::new()),
            }
        }
        runs.retain(|run| !run.is_empty());
        runs
    }

    fn band(&self, class: &str, run: &[&BandPoint]) -> String {
        let ends = run.iter().filter_map(|point| Some((point.tick, point.estimate.interval?)));
        let ends: Vec<_> = ends.collect();
        let upper = ends.iter().map(|(tick, interval)| self.xy(*tick, interval.high));
        let lower = ends.iter().rev().map(|(tick, interval)| self.xy(*tick, interval.low));
        match ends.as_slice() {
            [] => String::new(),
            [(tick, interval)] => {
                svg::line(&format!("whisker {class}"), self.xy(*tick, interval.low), self.xy(*tick, interval.high))
            }
            _ => format!("<path class=\"band {class}\" d=\"{}Z\"/>\n", path(upper.chain(lower))),
        }
    }

    fn line(&self, class: &str, run: &[&BandPoint]) -> String {
        let mut places = run.iter().map(|point| self.xy(point.tick, point.estimate.mean));
        match run {
            [_] => places.next().map(|place| svg::dot(&format!("dot {class}"), place, 3.5)).unwrap_or_default(),
            _ => format!("<path class=\"line {class}\" d=\"{}\"/>\n", path(places)),
        }
    }

    /// Names beside the ends of their lines, moved apart if they would overlap.
    fn names(&self, series: &[Series<'_>]) -> String {
        let end = |one: &Series<'_>| one.points.last().map(|point| self.xy(point.tick, point.estimate.mean).1);
        let mut places: Vec<(f64, &Series<'_>)> = series.iter().filter_map(|one| Some((end(one)?, one))).collect();
        places.sort_by(|a, b| a.0.total_cmp(&b.0));
        let heights = apart(&places.iter().map(|(y, _)| *y).collect::<Vec<_>>(), LABEL_GAP, (TOP, BOTTOM));
        let mut body = String::new();
        for ((_, one), y) in places.iter().zip(heights) {
            let class = format!("line {}", one.class);
            body += &svg::line(&class, (self.right + 5.0, y), (self.right + 21.0, y));
            body += &svg::text("name", (self.right + 25.0, y + 4.5), "start", &svg::shorten(one.name, LABEL));
        }
        body
    }
}

/// The range to show: all means, and the bands unless they would squeeze the means into a thin strip.
fn domain(series: &[Series<'_>], scale: f64) -> Option<(f64, f64)> {
    let points = || series.iter().flat_map(|one| &one.points).map(|point| &point.estimate);
    let least = |values: &mut dyn Iterator<Item = f64>| values.min_by(f64::total_cmp);
    let most = |values: &mut dyn Iterator<Item = f64>| values.max_by(f64::total_cmp);
    let low = least(&mut points().map(|point| point.mean))?;
    let high = most(&mut points().map(|point| point.mean))?;
    let band_low = least(&mut points().filter_map(|point| point.interval).map(|interval| interval.low));
    let band_high = most(&mut points().filter_map(|point| point.interval).map(|interval| interval.high));
    let (band_low, band_high) = (band_low.unwrap_or(low).min(low), band_high.unwrap_or(high).max(high));
    let reach = high - low;
    let flat = reach <= 1e-9 * high.abs();
    let mut bottom = if flat { band_low } else { band_low.max(low - reach) };
    let mut top = if flat { band_high } else { band_high.min(high + reach) };
    let room = if top > bottom { 0.05 * (top - bottom) } else { (0.1 * top.abs()).max(0.01 / scale) };
    (bottom, top) = (bottom - room, top + room);
    // A scale that nearly reaches zero starts there; no metric is hidden by that.
    if low >= 0.0 && bottom < 0.3 * top {
        bottom = 0.0;
    }
    Some((bottom * scale, top * scale))
}

/// Moves ascending positions at least `gap` apart within the limits, as far as there is room.
fn apart(places: &[f64], gap: f64, (least, most): (f64, f64)) -> Vec<f64> {
    let mut moved: Vec<f64> = Vec::with_capacity(places.len());
    for &place in places {
        let floor = moved.last().map_or(least, |above| above + gap);
        moved.push(place.max(floor));
    }
    let mut ceiling = most;
    for place in moved.iter_mut().rev() {
        *place = place.min(ceiling);
        ceiling = *place - gap;
    }
    moved
}

fn path(places: impl Iterator<Item = (f64, f64)>) -> String {
    let mut text = String::new();
    for (nth, (x, y)) in places.enumerate() {
        text += if nth == 0 { "M" } else { "L" };
        text += &format!("{} {}", at(x), at(y));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::estimate;

    fn point(tick: u32, values: &[f64]) -> BandPoint {
        BandPoint { tick, estimate: estimate(values.iter().copied().map(Some)).unwrap() }
    }

    fn series(points: Vec<BandPoint>) -> Series<'static> {
        Series { name: "popular", class: "s0", points }
    }

    fn draw(all: &[Series<'_>]) -> Option<String> {
        let caption = Caption { id: "c".to_owned(), title: "t", description: "d" };
        chart(&caption, Format::Percent { digits: 1 }, "tick", all)
    }

    #[test]
    fn names_move_apart_and_stay_inside() {
        assert_eq!(apart(&[10.0, 11.0, 50.0], 15.0, (0.0, 100.0)), [10.0, 25.0, 50.0]);
        assert_eq!(apart(&[95.0, 99.0], 15.0, (0.0, 100.0)), [85.0, 100.0]);
    }

    #[test]
    fn a_line_breaks_where_a_tick_has_no_value() {
        let full = series((0..5).map(|tick| point(tick, &[0.1, 0.2])).collect());
        let gap = series([0, 1, 4].map(|tick| point(tick, &[0.1, 0.3])).into());
        let drawn = draw(&[full, gap]).unwrap();
        // A path of two ticks and a dot for the last, whose band is a whisker.
        assert_eq!(drawn.matches("class=\"dot s0\"").count(), 1);
        assert_eq!(drawn.matches("class=\"whisker s0\"").count(), 1);
        assert_eq!(drawn.matches("class=\"band s0\"").count(), 2);
    }

    #[test]
    fn one_tick_is_a_dot() {
        let drawn = draw(&[series(vec![point(0, &[0.5])])]).unwrap();
        assert!(drawn.contains("class=\"dot s0\"") && !drawn.contains("band") && !drawn.contains("NaN"), "{drawn}");
        assert!(draw(&[series(vec![])]).is_none());
    }

    #[test]
    fn many_ticks_are_thinned_and_the_last_is_kept() {
        let long = series((0..1000).map(|tick| point(tick, &[f64::from(tick), 1.0])).collect());
        let plot = Plot::new(Format::Number { digits: 1 }, std::slice::from_ref(&long)).unwrap();
        assert!(plot.ticks.len() <= DRAWN + 1);
        assert_eq!(plot.ticks.last(), Some(&999));
        assert_eq!(plot.runs(&long).len(), 1);
    }

    #[test]
    fn a_huge_band_does_not_squeeze_the_means() {
        let wide = series(vec![point(0, &[0.0, 0.2]), point(1, &[0.2, 0.2])]);
        let (low, high) = domain(&[wide], 100.0).unwrap();
        assert_eq!(low, 0.0);
        assert!(high < 35.0, "{high}");
    }
}
