//! A kind of metric: its name, its reading, and its constructor.

use super::{Accumulator, Background};
use serde::Serialize;

/// A metric: how it is named, read and computed.
#[derive(Clone, Debug)]
pub struct MetricKind {
    /// Name in scenario files and CSV files.
    pub name: &'static str,
    /// Name in reports.
    pub title: &'static str,
    /// The formula, in a line.
    pub formula: &'static str,
    /// The format of its values.
    pub format: Format,
    /// The better direction.
    pub better: Better,
    /// The events in the value at a tick.
    pub window: Window,
    /// The kind of policy whose value is subtracted in each replication, if any: a single log does not have such a
    /// metric, a run does (see [`super::regret`]).
    pub against: Option<&'static str>,
    /// Makes an empty state. What it takes from [`Background::table`] is worked out once an experiment.
    pub make: fn(&Background) -> Box<dyn Accumulator>,
}

/// The better direction of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// More is better.
    Higher,
    /// Less is better.
    Lower,
    /// It describes, it does not judge.
    Neither,
}

/// The events in the value at a tick. The final value always covers all events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// Those of the tick.
    Tick,
    /// Those of all ticks up to and with this one.
    SoFar,
}

/// The format of values for readers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Format {
    /// A share, times 100, with a percent sign; differences are in percentage points.
    Percent {
        /// Digits after the point.
        digits: usize,
    },
    /// A plain number.
    Number {
        /// Digits after the point.
        digits: usize,
    },
}

impl Format {
    /// Stands for a value that is undefined.
    pub const UNDEFINED: &'static str = "\u{2013}";

    /// A value with its unit; an en dash if undefined.
    ///
    /// ```
    /// use recmirror::metrics::Format;
    /// assert_eq!(Format::Percent { digits: 1 }.value(Some(0.1234)), "12.3%");
    /// assert_eq!(Format::Number { digits: 2 }.value(None), "\u{2013}");
    /// ```
    pub fn value(self, value: Option<f64>) -> String {
        self.write(value, |number, digits| format!("{number:.digits$}"), if self.is_percent() { "%" } else { "" })
    }

    /// A signed difference without its unit (see [`Format::difference_unit`]).
    ///
    /// ```
    /// use recmirror::metrics::Format;
    /// assert_eq!(Format::Percent { digits: 1 }.difference(Some(0.021)), "+2.1");
    /// assert_eq!(Format::Number { digits: 1 }.difference(Some(0.0)), "0.0");
    /// ```
    pub fn difference(self, value: Option<f64>) -> String {
        self.write(value, signed, "")
    }

    /// The unit of a difference: percentage points, or none.
    pub fn difference_unit(self) -> &'static str {
        if self.is_percent() { "pp" } else { "" }
    }

    /// A width (of an interval), without unit or sign.
    pub fn width(self, value: Option<f64>) -> String {
        self.write(value, |number, digits| format!("{number:.digits$}"), "")
    }

    /// The factor of a value in output.
    pub fn scale(self) -> f64 {
        if self.is_percent() { 100.0 } else { 1.0 }
    }

    /// True if it is a share.
    pub fn is_percent(self) -> bool {
        matches!(self, Format::Percent { .. })
    }

    fn write(self, value: Option<f64>, number: impl Fn(f64, usize) -> String, unit: &str) -> String {
        let (Format::Percent { digits } | Format::Number { digits }) = self;
        match value.filter(|value| value.is_finite()) {
            Some(value) => number(value * self.scale(), digits) + unit,
            None => Format::UNDEFINED.to_owned(),
        }
    }
}

/// With a sign, except what is written as zero.
fn signed(number: f64, digits: usize) -> String {
    let text = format!("{number:+.digits$}");
    if text.bytes().any(|byte| byte.is_ascii_digit() && byte != b'0') {
        text
    } else {
        text.trim_start_matches(['+', '-']).to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_readers() {
        let percent = Format::Percent { digits: 1 };
        assert_eq!(percent.value(Some(0.0)), "0.0%");
        assert_eq!(percent.value(Some(f64::NAN)), "\u{2013}");
        assert_eq!(percent.difference(Some(-0.000_01)), "0.0");
        assert_eq!(percent.difference(Some(-0.015)), "-1.5");
        assert_eq!(percent.difference_unit(), "pp");
        let number = Format::Number { digits: 3 };
        assert_eq!(number.value(Some(1.0 / 3.0)), "0.333");
        assert_eq!(number.width(Some(0.25)), "0.250");
        assert_eq!(number.difference(Some(2.5)), "+2.500");
        assert_eq!(number.difference(None), "\u{2013}");
    }
}
