//! The chart of a validation: what was predicted against what people did. On the diagonal both are the same.

use crate::report::svg::{self, Axis, Caption, at};
use crate::validate::Figure;

const HEIGHT: f64 = 320.0;
const LEFT: f64 = 52.0;
const TOP: f64 = 8.0;
const FLOOR: f64 = HEIGHT - 42.0;
const RIGHT: f64 = svg::WIDTH - 20.0;

/// A dot of the chart.
pub(super) struct Dot<'a> {
    pub name: &'a str,
    pub predicted: f64,
    pub observed: Figure,
}

/// Dots with the intervals of what was observed; `named` writes names beside them and `path` joins them by a line.
pub(super) fn diagonal(caption: &Caption<'_>, dots: &[Dot<'_>], named: bool, path: bool) -> Option<String> {
    let values =
        dots.iter().flat_map(|dot| [dot.predicted, dot.observed.estimate, dot.observed.high, dot.observed.low]);
    let values: Vec<f64> = values.filter(|value| value.is_finite()).map(|value| 100.0 * value).collect();
    let most = values.iter().copied().reduce(f64::max)?;
    let least = if named { values.iter().copied().fold(most, f64::min) * 0.9 } else { 0.0 };
    let axis = Axis::new(least, (most * 1.05).clamp(least + 0.01, 105.0), 5, 0.0);
    let mut body = frame(&axis);
    let x = |value: f64| axis.place(100.0 * value, (LEFT, RIGHT));
    let y = |value: f64| axis.place(100.0 * value, (FLOOR, TOP));
    body += &svg::line("zero", (LEFT, FLOOR), (RIGHT, TOP));
    if path {
        let points: Vec<String> =
            dots.iter().map(|dot| format!("{} {}", at(x(dot.predicted)), at(y(dot.observed.estimate)))).collect();
        body += &format!("<path class=\"line s0\" d=\"M{}\"/>\n", points.join("L"));
    }
    for dot in dots {
        let (across, Figure { estimate, low, high }) = (x(dot.predicted), dot.observed);
        if low.is_finite() {
            body += &svg::line("whisker s0", (across, y(low)), (across, y(high)));
        }
        body += &svg::dot("dot s0", (across, y(estimate)), 4.5);
        if named {
            let (anchor, beside) = if across > (LEFT + RIGHT) / 2.0 { ("end", -8.0) } else { ("start", 8.0) };
            body += &svg::text("tick", (across + beside, y(estimate) + 4.0), anchor, &svg::shorten(dot.name, 20));
        }
    }
    Some(svg::document(caption, HEIGHT, &body))
}

fn frame(axis: &Axis) -> String {
    let mut body = String::new();
    for &tick in &axis.ticks {
        let (x, y) = (axis.place(tick, (LEFT, RIGHT)), axis.place(tick, (FLOOR, TOP)));
        let label = format!("{tick:.digits$}%", digits = axis.digits);
        body += &svg::line("grid", (LEFT, y), (RIGHT, y));
        body += &svg::text("tick", (LEFT - 7.0, y + 4.5), "end", &label);
        body += &svg::text("tick", (x, FLOOR + 17.0), "middle", &label);
    }
    body += &svg::line("axis", (LEFT, FLOOR), (RIGHT, FLOOR));
    body += &svg::text("tick", ((LEFT + RIGHT) / 2.0, HEIGHT - 4.0), "middle", "predicted");
    body + &svg::text("tick", (LEFT + 4.0, TOP + 10.0), "start", "observed")
}
