//! Helpers of all charts.

/// Width of every chart in its own units; a page scales it to fit.
pub const WIDTH: f64 = 440.0;

/// Mean width of a character of a label, for layout.
pub const CHARACTER: f64 = 8.4;

/// A chart's name and description, for screen readers.
pub struct Caption<'a> {
    /// Unique in the page.
    pub id: String,
    /// The content of the chart.
    pub title: &'a str,
    /// The chart's description.
    pub description: &'a str,
}

/// Wraps the body of a chart.
pub fn document(caption: &Caption<'_>, height: f64, body: &str) -> String {
    let id = escape(&caption.id);
    format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-labelledby=\"{id}-title {id}-desc\">\
         <title id=\"{id}-title\">{title}</title><desc id=\"{id}-desc\">{description}</desc>\n{body}</svg>",
        height = at(height),
        title = escape(caption.title),
        description = escape(caption.description),
    )
}

/// Escapes text for element content and attribute values.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // XML allows no other control characters, not even escaped.
            control if control.is_control() => escaped.push(' '),
            other => escaped.push(other),
        }
    }
    escaped
}

/// At most `limit` characters, the last one an ellipsis if something was cut.
pub fn shorten(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let kept: String = text.chars().take(limit.saturating_sub(1)).collect();
    kept.trim_end().to_owned() + "\u{2026}"
}

/// A number with the typographic minus.
pub fn minus(number: &str) -> String {
    number.replace('-', "\u{2212}")
}

/// A formatted coordinate.
pub fn at(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

/// A line.
pub fn line(class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) -> String {
    format!("<line class=\"{class}\" x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"/>\n", at(x1), at(y1), at(x2), at(y2))
}

/// A dot.
pub fn dot(class: &str, (x, y): (f64, f64), radius: f64) -> String {
    format!("<circle class=\"{class}\" cx=\"{}\" cy=\"{}\" r=\"{radius}\"/>\n", at(x), at(y))
}

/// Text, escaped here; `anchor` is `start`, `middle` or `end`.
pub fn text(class: &str, (x, y): (f64, f64), anchor: &str, content: &str) -> String {
    let content = escape(content);
    format!("<text class=\"{class}\" x=\"{}\" y=\"{}\" text-anchor=\"{anchor}\">{content}</text>\n", at(x), at(y))
}

/// An axis: values from `low` to `high` and round ticks between them.
#[derive(Debug, PartialEq)]
pub struct Axis {
    /// Value at its start.
    pub low: f64,
    /// Value at its end.
    pub high: f64,
    /// Round values within.
    pub ticks: Vec<f64>,
    /// Digits of the ticks after the point.
    pub digits: usize,
}

impl Axis {
    /// An axis over `low..=high` with about `count` ticks, no closer than `least`.
    pub fn new(low: f64, high: f64, count: usize, least: f64) -> Axis {
        let span = high - low;
        let (step, digits) =
            if span > 0.0 && span.is_finite() { round_step((span / count.max(1) as f64).max(least)) } else { (1.0, 0) };
        let first = (low / step - 1e-9).ceil();
        // `+ 0.0` turns a negative zero into zero.
        let ticks =
            (0..64).map(|nth| (first + f64::from(nth)) * step + 0.0).take_while(|tick| *tick <= high + step * 1e-9);
        Axis { low, high, ticks: ticks.collect(), digits }
    }

    /// The coordinate of a value if the axis covers the coordinates `from..to`.
    pub fn place(&self, value: f64, (from, to): (f64, f64)) -> f64 {
        let span = self.high - self.low;
        let share = if span > 0.0 { (value - self.low) / span } else { 0.5 };
        from + share * (to - from)
    }
}

/// The smallest of 1, 2, 5 times a power of ten that is not below `least`, and the digits it needs.
fn round_step(least: f64) -> (f64, usize) {
    let (mut power, mut digits) = (1.0_f64, 0_usize);
    while power > least && digits < 12 {
        power /= 10.0;
        digits += 1;
    }
    while power * 10.0 <= least {
        power *= 10.0;
        digits = 0;
    }
    let factor =
        [1.0, 2.0, 5.0, 10.0].into_iter().find(|factor| factor * power >= least * (1.0 - 1e-9)).unwrap_or(10.0);
    (factor * power, if factor == 10.0 { digits.saturating_sub(1) } else { digits })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped() {
        assert_eq!(escape("<a href='x'>&\"\u{7}"), "&lt;a href=&#39;x&#39;&gt;&amp;&quot; ");
        assert_eq!(shorten("collaborative", 6), "colla\u{2026}");
        assert_eq!(shorten("short", 5), "short");
    }

    #[test]
    fn ticks_are_round() {
        let axis = Axis::new(0.013, 0.21, 4, 0.0);
        assert_eq!(axis.digits, 2);
        let labels: Vec<String> = axis.ticks.iter().map(|tick| format!("{tick:.2}")).collect();
        assert_eq!(labels, ["0.05", "0.10", "0.15", "0.20"]);
        assert_eq!(Axis::new(0.0, 99.0, 5, 1.0).ticks, [0.0, 20.0, 40.0, 60.0, 80.0]);
        assert_eq!(Axis::new(0.0, 2.0, 5, 1.0).ticks, [0.0, 1.0, 2.0]);
        assert_eq!(Axis::new(-3.0, 4.0, 4, 0.0).ticks, [-2.0, 0.0, 2.0, 4.0]);
        assert_eq!(Axis::new(0.0, 1_234_567.0, 3, 1.0).ticks, [0.0, 500_000.0, 1_000_000.0]);
        assert_eq!(Axis::new(0.0, 2.7, 3, 0.0), Axis { low: 0.0, high: 2.7, ticks: vec![0.0, 1.0, 2.0], digits: 0 });
    }

    #[test]
    fn an_axis_without_width_puts_its_value_in_the_middle() {
        let axis = Axis::new(3.0, 3.0, 4, 0.0);
        assert_eq!(axis.place(3.0, (0.0, 10.0)), 5.0);
        assert_eq!(axis.ticks, [3.0]);
    }

    #[test]
    fn coordinates_are_short() {
        assert_eq!((at(12.0).as_str(), at(1.26).as_str()), ("12", "1.3"));
    }
}
