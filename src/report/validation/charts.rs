//! The calibration chart of a validation.

use crate::report::svg::{self, Axis, Caption, at};
use crate::validate::Figure;

const HEIGHT: f64 = 320.0;
const LEFT: f64 = 52.0;
const TOP: f64 = 8.0;
const FLOOR: f64 = HEIGHT - 42.0;
const RIGHT: f64 = svg::WIDTH - 20.0;
/// Height of a line of names.
const LINE: f64 = 14.0;

/// A dot of the chart.
pub(super) struct Dot<'a> {
    pub name: &'a str,
    pub predicted: f64,
    pub observed: Figure,
}

/// Dots with the intervals of the observed values; `named` writes names beside them and `path` joins them by a line.
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
    }
    if named {
        let places: Vec<(f64, f64)> = dots.iter().map(|dot| (x(dot.predicted), y(dot.observed.estimate))).collect();
        body += &names(dots, &places);
    }
    Some(svg::document(caption, HEIGHT, &body))
}

/// The names of dots at `places`, each on a line of its own; a name that was moved is joined to its dot.
fn names(dots: &[Dot<'_>], places: &[(f64, f64)]) -> String {
    let mut body = String::new();
    let heights = spread(&places.iter().map(|place| place.1).collect::<Vec<f64>>());
    for ((dot, &(across, height)), own) in dots.iter().zip(places).zip(heights) {
        let (anchor, side) = if across > (LEFT + RIGHT) / 2.0 { ("end", -1.0) } else { ("start", 1.0) };
        let has_moved = (own - height).abs() > LINE / 2.0;
        let beside = across + side * if has_moved { 22.0 } else { 8.0 };
        if has_moved {
            body += &svg::line("grid", (across + side * 5.0, height), (beside - side * 2.0, own));
        }
        body += &svg::text("tick", (beside, own + 4.0), anchor, &svg::shorten(dot.name, 20));
    }
    body
}

/// The nearest heights that are a line apart, or as far apart as the chart allows.
fn spread(heights: &[f64]) -> Vec<f64> {
    let (first, last) = (TOP + 14.0, FLOOR - 4.0);
    let gap = LINE.min((last - first) / (heights.len().max(2) - 1) as f64);
    let mut order: Vec<usize> = (0..heights.len()).collect();
    order.sort_by(|&a, &b| heights[a].total_cmp(&heights[b]).then(a.cmp(&b)));
    let mut found = heights.to_vec();
    let mut least = first;
    for &place in &order {
        found[place] = found[place].max(least);
        least = found[place] + gap;
    }
    let mut most = last;
    for &place in order.iter().rev() {
        found[place] = found[place].min(most);
        most = found[place] - gap;
    }
    found
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_close_dots_are_on_separate_lines() {
        let close = [100.0, 101.0, 100.5, 250.0, 277.0, 276.0];
        let found = spread(&close);
        let mut sorted = found.clone();
        sorted.sort_by(f64::total_cmp);
        assert!(sorted.windows(2).all(|pair| pair[1] - pair[0] >= LINE - 1e-9), "{found:?}");
        assert!(found[0] < found[2] && found[2] < found[1], "they keep their order: {found:?}");
        assert!(sorted[0] >= TOP && sorted[5] <= FLOOR, "{found:?}");
        assert_eq!(spread(&[50.0, 150.0]), [50.0, 150.0]);
        let many = spread(&vec![200.0; 60]);
        assert!(many.iter().all(|height| (TOP..=FLOOR).contains(height)), "{many:?}");
        assert!(spread(&[]).is_empty());
    }
}
