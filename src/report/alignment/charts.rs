//! The charts of an alignment.

use crate::align::scenes::{ReliabilityBin, SceneFigure};
use crate::report::svg::{self, Axis, Caption, at};

/// Height of a row of the forest: its name above, its interval below.
const ROW: f64 = 40.0;
const TOP: f64 = 8.0;
/// The most characters of a name.
const LABEL: usize = 44;

/// A row of the forest.
pub(super) struct Row<'a> {
    pub name: String,
    pub class: &'static str,
    pub figure: &'a SceneFigure,
}

/// Accuracies with their intervals, one below the other; `guess` is drawn as a line behind each.
pub(super) fn forest(caption: &Caption<'_>, rows: &[Row<'_>], guess: f64) -> String {
    let span = (14.0, svg::WIDTH - 14.0);
    let bottom = TOP + ROW * rows.len() as f64;
    let ends = rows.iter().flat_map(|row| [row.figure.estimate, row.figure.high]).filter(|value| value.is_finite());
    let most = ends.fold(guess, f64::max);
    let axis = Axis::new(0.0, (100.0 * most + 4.0).min(100.0), 5, 1.0);
    let x = |value: f64| axis.place(100.0 * value, span);
    let mut body = String::new();
    for &tick in &axis.ticks {
        let place = axis.place(tick, span);
        body += &svg::line("grid", (place, TOP), (place, bottom));
        body +=
            &svg::text("tick", (place, bottom + 17.0), "middle", &format!("{tick:.digits$}%", digits = axis.digits));
    }
    for (nth, row) in rows.iter().enumerate() {
        let top = TOP + ROW * nth as f64;
        let (of, y) = (row.figure, top + 28.0);
        body += &svg::text("name", (span.0, top + 15.0), "start", &svg::shorten(&row.name, LABEL));
        let written = format!("{:.1}%", 100.0 * of.estimate);
        body += &svg::text("name", (span.1, top + 15.0), "end", &written);
        body += &svg::line("zero", (x(guess), y - 9.0), (x(guess), y + 9.0));
        if of.low.is_finite() {
            let class = format!("whisker {}", row.class);
            body += &svg::line(&class, (x(of.low), y), (x(of.high), y));
            body += &[of.low, of.high].map(|end| svg::line(&class, (x(end), y - 4.0), (x(end), y + 4.0))).concat();
        }
        body += &svg::dot(&format!("dot {}", row.class), (x(of.estimate), y), 4.5);
    }
    svg::document(caption, bottom + 24.0, &body)
}

const HEIGHT: f64 = 300.0;
const LEFT: f64 = 52.0;
const FLOOR: f64 = HEIGHT - 42.0;
const RIGHT: f64 = svg::WIDTH - 20.0;

/// The frame of a chart whose vertical axis is a share.
fn frame(axis: &Axis, titles: [&str; 2]) -> String {
    let mut body = String::new();
    for &tick in &axis.ticks {
        let y = axis.place(tick, (FLOOR, TOP));
        body += &svg::line("grid", (LEFT, y), (RIGHT, y));
        let label = format!("{tick:.digits$}%", digits = axis.digits);
        body += &svg::text("tick", (LEFT - 7.0, y + 4.5), "end", &svg::minus(&label));
    }
    body += &svg::line("axis", (LEFT, FLOOR), (RIGHT, FLOOR));
    body += &svg::text("tick", ((LEFT + RIGHT) / 2.0, HEIGHT - 4.0), "middle", titles[0]);
    // The title of the vertical axis lies over the first grid line, where no other text is.
    body + &svg::text("tick", (LEFT + 4.0, TOP + 10.0), "start", titles[1])
}

/// How often answers of a confidence were right; on the diagonal both are equal. A dot's area is its number of scenes.
pub(super) fn reliability(caption: &Caption<'_>, models: &[(&'static str, Vec<&ReliabilityBin>)]) -> Option<String> {
    let all = || models.iter().flat_map(|(_, bins)| bins.iter());
    let most = all().map(|bin| bin.scenes).max()? as f64;
    let axis = Axis::new(0.0, 100.0, 5, 1.0);
    let mut body = frame(&axis, ["confidence", "right"]);
    let xy = |x: f64, y: f64| (axis.place(100.0 * x, (LEFT, RIGHT)), axis.place(100.0 * y, (FLOOR, TOP)));
    for &tick in &axis.ticks {
        let x = axis.place(tick, (LEFT, RIGHT));
        body += &svg::text("tick", (x, FLOOR + 17.0), "middle", &format!("{tick:.0}%"));
    }
    body += &svg::line("zero", xy(0.0, 0.0), xy(1.0, 1.0));
    for (class, bins) in models {
        let points: Vec<(f64, f64)> = bins.iter().map(|bin| xy(bin.confidence, bin.accuracy)).collect();
        let path: Vec<String> = points.iter().map(|&(x, y)| format!("{} {}", at(x), at(y))).collect();
        body += &format!("<path class=\"line {class}\" d=\"M{}\"/>\n", path.join("L"));
        for (bin, &point) in bins.iter().zip(&points) {
            let radius = 2.0 + 7.0 * (bin.scenes as f64 / most).sqrt();
            body += &svg::dot(&format!("dot {class}"), point, (10.0 * radius).round() / 10.0);
        }
    }
    Some(svg::document(caption, HEIGHT, &body))
}

/// Shares of positions, side by side for each model.
pub(super) fn positions(caption: &Caption<'_>, series: &[(&'static str, Vec<&SceneFigure>)]) -> Option<String> {
    let places = series.iter().map(|(_, shares)| shares.len()).max().filter(|&places| places > 0)?;
    let all = || series.iter().flat_map(|(_, shares)| shares.iter());
    let most = all().flat_map(|of| [of.estimate, of.high]).filter(|value| value.is_finite()).fold(0.0, f64::max);
    let axis = Axis::new(0.0, (100.0 * most * 1.12).clamp(5.0, 106.0), 5, 1.0);
    let mut body = frame(&axis, ["place in the list", "chosen"]);
    let width = (RIGHT - LEFT) / places as f64;
    let y = |value: f64| axis.place(100.0 * value, (FLOOR, TOP));
    for place in 0..places {
        let middle = LEFT + width * (place as f64 + 0.5);
        let letter = crate::language::Letter::of(place).map(|letter| letter.to_string()).unwrap_or_default();
        body += &svg::text("tick", (middle, FLOOR + 17.0), "middle", &letter);
        for (nth, (class, shares)) in series.iter().enumerate() {
            let Some(of) = shares.get(place) else { continue };
            let step = (width * 0.7) / series.len() as f64;
            let x = middle + step * (nth as f64 + 0.5 - series.len() as f64 / 2.0);
            if of.low.is_finite() {
                body += &svg::line(&format!("whisker {class}"), (x, y(of.low)), (x, y(of.high)));
            }
            body += &svg::dot(&format!("dot {class}"), (x, y(of.estimate)), 4.5);
        }
    }
    Some(svg::document(caption, HEIGHT, &body))
}
