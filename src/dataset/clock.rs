//! Times of logs.
//!
//! Numbers of seconds and finer units, days, and dates with or without a zone.
//!
//! The unit of a number is recognised by its magnitude: below 10^11 it is seconds, below 10^14 milliseconds, below
//! 10^17 microseconds, else nanoseconds. An integer of eight digits that is a date (`20200119`) is one if all times of
//! its column are. A column has one spelling; two in one column are an error. Dates without a zone are in UTC.

use super::Moment;
use jiff::civil::Date;
use std::collections::BTreeMap;

/// Seconds since 1970 that a time may be away from it: what is further is no time of a log.
const FURTHEST: f64 = 1e11;

/// A time to the nanosecond.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Instant {
    /// Whole seconds since 1970, rounded down.
    pub(super) seconds: i64,
    /// Nanoseconds since then, below 10^9.
    pub(super) nanos: u32,
}

impl Instant {
    /// A time in nanoseconds since 1970.
    fn of_nanos(nanos: i128) -> Instant {
        Instant { seconds: nanos.div_euclid(1_000_000_000) as i64, nanos: nanos.rem_euclid(1_000_000_000) as u32 }
    }

    /// A time in microseconds since 1970.
    pub(super) fn of_micros(micros: i64) -> Instant {
        Instant::of_nanos(i128::from(micros) * 1_000)
    }

    /// A time in milliseconds since 1970.
    pub(super) fn of_moment(moment: Moment) -> Instant {
        Instant::of_nanos(i128::from(moment.0) * 1_000_000)
    }

    /// The millisecond in which the time lies.
    pub(super) fn moment(self) -> Moment {
        Moment(self.seconds * 1_000 + i64::from(self.nanos / 1_000_000))
    }
}

/// The spelling of the times of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Spelling {
    /// Numbers of seconds.
    Seconds,
    /// Numbers of milliseconds.
    Milliseconds,
    /// Numbers of microseconds.
    Microseconds,
    /// Numbers of nanoseconds.
    Nanoseconds,
    /// Whole numbers of eight digits that are days.
    Day,
    /// Dates without a zone.
    Civil,
    /// Dates with a zone.
    Zoned,
}

impl Spelling {
    /// The words for messages.
    pub(super) fn description(self) -> &'static str {
        match self {
            Spelling::Seconds => "seconds since 1970",
            Spelling::Milliseconds => "milliseconds since 1970",
            Spelling::Microseconds => "microseconds since 1970",
            Spelling::Nanoseconds => "nanoseconds since 1970",
            Spelling::Day => "days (YYYYMMDD)",
            Spelling::Civil => "dates without a zone, read as UTC",
            Spelling::Zoned => "dates with a zone",
        }
    }
}

/// Reads one time. `None` for a text that is no time.
pub(super) fn read(text: &str) -> Option<(Instant, Spelling)> {
    let text = text.trim();
    let first = *text.as_bytes().first()?;
    if !(first.is_ascii_digit() || b"+-.".contains(&first)) {
        return named(text);
    }
    if let Ok(whole) = text.parse::<i64>() {
        return whole_number(whole, text.len());
    }
    match text.parse::<f64>() {
        Ok(number) => fraction(number),
        Err(_) => date(text).or_else(|| named(text)),
    }
}

fn whole_number(number: i64, digits: usize) -> Option<(Instant, Spelling)> {
    if digits == 8
        && let Some(day) = day(number)
    {
        return Some((day, Spelling::Day));
    }
    let (factor, spelling) = unit(number.unsigned_abs() as f64)?;
    Some((Instant::of_nanos(i128::from(number) * factor), spelling))
}

fn fraction(number: f64) -> Option<(Instant, Spelling)> {
    let (factor, spelling) = unit(number.abs())?;
    let whole = number.floor();
    // A double resolves the current time in seconds only to a microsecond.
    let step = (factor / 1_000).max(1);
    let parts = ((number - whole) * (factor / step) as f64).round() as i128;
    Some((Instant::of_nanos(whole as i128 * factor + parts * step), spelling))
}

/// Nanoseconds of the unit that a number of this size is in.
fn unit(size: f64) -> Option<(i128, Spelling)> {
    let units = [
        (1.0, 1_000_000_000, Spelling::Seconds),
        (1e3, 1_000_000, Spelling::Milliseconds),
        (1e6, 1_000, Spelling::Microseconds),
        (1e9, 1, Spelling::Nanoseconds),
    ];
    let found = units.iter().find(|(scale, ..)| size < FURTHEST * scale);
    found.map(|&(_, factor, spelling)| (factor, spelling))
}

/// `20200119` as a day.
fn day(number: i64) -> Option<Instant> {
    let (year, rest) = (number / 10_000, number % 10_000);
    if !(1900..=2100).contains(&year) {
        return None;
    }
    let date = Date::new(year as i16, (rest / 100) as i8, (rest % 100) as i8).ok()?;
    Some(Instant { seconds: days(date) * 86_400, nanos: 0 })
}

fn days(date: Date) -> i64 {
    let (year, month) = (i64::from(date.year()), i64::from(date.month()));
    // Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + i64::from(date.day()) - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// `YYYY-MM-DD`, then optionally `T` or a space, `HH:MM`, `:SS`, a fraction, and `Z` or an offset.
fn date(text: &str) -> Option<(Instant, Spelling)> {
    let bytes = text.as_bytes();
    let separator = *bytes.get(4)?;
    if !matches!(separator, b'-' | b'/') || bytes.get(7) != Some(&separator) {
        return None;
    }
    let number = |from: usize, to: usize| digits(bytes.get(from..to)?);
    let date = Date::new(number(0, 4)? as i16, number(5, 7)? as i8, number(8, 10)? as i8).ok()?;
    let start = days(date) * 86_400;
    let Some(rest) = text.get(10..).filter(|rest| !rest.is_empty()) else {
        return Some((Instant { seconds: start, nanos: 0 }, Spelling::Civil));
    };
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (of_day, nanos, rest) = time_of_day(rest)?;
    let (offset, spelling) = zone(rest.trim())?;
    Some((Instant { seconds: start + of_day - offset, nanos }, spelling))
}

fn digits(bytes: &[u8]) -> Option<i64> {
    if bytes.is_empty() || !bytes.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(bytes.iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0')))
}

/// Seconds and nanoseconds of the day, and the rest of the text.
fn time_of_day(text: &str) -> Option<(i64, u32, &str)> {
    let bytes = text.as_bytes();
    let (hour, minute) = (digits(bytes.get(..2)?)?, digits(bytes.get(3..5)?)?);
    if bytes[2] != b':' || hour > 23 || minute > 59 {
        return None;
    }
    let minutes = hour * 3_600 + minute * 60;
    if bytes.get(5) != Some(&b':') {
        return Some((minutes, 0, &text[5..]));
    }
    // A leap second counts as the one after it.
    let second = digits(bytes.get(6..8)?).filter(|second| *second <= 60)?;
    let rest = &text[8..];
    let Some(fraction) = rest.strip_prefix(['.', ',']) else { return Some((minutes + second, 0, rest)) };
    let length = fraction.bytes().take_while(u8::is_ascii_digit).count();
    let shown = &fraction.as_bytes()[..length.min(9)];
    let nanos = digits(shown)? * 10_i64.pow(9 - shown.len() as u32);
    Some((minutes + second, nanos as u32, &fraction[length..]))
}

/// Seconds east of Greenwich.
fn zone(text: &str) -> Option<(i64, Spelling)> {
    if text.is_empty() {
        return Some((0, Spelling::Civil));
    }
    if matches!(text, "Z" | "z" | "UTC" | "GMT") {
        return Some((0, Spelling::Zoned));
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let offset: String = text.strip_prefix(['+', '-'])?.chars().filter(|letter| *letter != ':').collect();
    let hours = digits(offset.as_bytes().get(..2)?)?;
    let minutes = if offset.len() == 2 { 0 } else { digits(offset.as_bytes().get(2..4)?)? };
    (offset.len() <= 4 && hours <= 26 && minutes <= 59)
        .then_some((sign * (hours * 3_600 + minutes * 60), Spelling::Zoned))
}

/// Forms in which publishers write dates with words, in American order, or as day, month and year with points.
fn named(text: &str) -> Option<(Instant, Spelling)> {
    const FORMS: [&str; 9] = [
        "%m/%d/%Y %I:%M:%S %p",
        "%a %b %d %H:%M:%S %z %Y",
        "%a, %d %b %Y %H:%M:%S %z",
        "%b %d, %Y",
        "%d %b %Y",
        "%d %B %Y",
        "%d.%m.%Y",
        "%d.%m.%Y %H:%M",
        "%d.%m.%Y %H:%M:%S",
    ];
    FORMS.iter().find_map(|form| {
        let parsed = jiff::fmt::strtime::parse(form, text).ok()?;
        if let Ok(stamp) = parsed.to_timestamp() {
            return Some((Instant::of_nanos(stamp.as_nanosecond()), Spelling::Zoned));
        }
        let date = parsed.to_date().ok()?;
        let of_day = parsed.to_time().map_or(0, |time| {
            i64::from(time.hour()) * 3_600 + i64::from(time.minute()) * 60 + i64::from(time.second())
        });
        Some((Instant { seconds: days(date) * 86_400 + of_day, nanos: 0 }, Spelling::Civil))
    })
}

/// `YYYY-MM-DD HH:MM:SS` in UTC; the number itself if it is no date of the calendar.
pub(super) fn written(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds)
        .map_or_else(|_| seconds.to_string(), |stamp| stamp.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

/// The spellings that a column has, with the line of the first of each.
#[derive(Clone, Debug, Default)]
pub(super) struct Spellings {
    found: BTreeMap<Spelling, (u64, String)>,
}

impl Spellings {
    /// Looks at one time. Zero means the same in every unit and is uninformative.
    ///
    /// # Errors
    /// When the text is no time.
    pub(super) fn look(&mut self, text: &str, line: u64) -> Result<(), String> {
        let (instant, spelling) = read(text).ok_or_else(|| not_a_time(text))?;
        let is_zero = instant == Instant::default() && spelling == Spelling::Seconds;
        if !is_zero && !self.found.contains_key(&spelling) {
            self.found.insert(spelling, (line, text.to_owned()));
        }
        Ok(())
    }

    /// The meaning of the column's numbers of eight digits, and of all others; `None` if it has only zeros.
    ///
    /// # Errors
    /// When the column has two spellings: line and message.
    pub(super) fn decide(&self) -> Result<Option<Spelling>, (u64, String)> {
        let mut kinds: Vec<(Spelling, &(u64, String))> =
            self.found.iter().map(|(kind, first)| (*kind, first)).collect();
        if self.found.contains_key(&Spelling::Seconds) {
            kinds.retain(|(kind, _)| *kind != Spelling::Day);
        }
        if self.found.contains_key(&Spelling::Zoned) {
            kinds.retain(|(kind, _)| *kind != Spelling::Civil);
        }
        match kinds.as_slice() {
            [] => Ok(None),
            [(kind, _)] => Ok(Some(*kind)),
            [(one, (first, was)), (other, (line, text)), ..] => {
                let (one, other) = (one.description(), other.description());
                let problem = format!(
                    "the time `{text}` is in {other}, but `{was}` in line {first} is in {one}; write the column in one unit"
                );
                Err((*line, problem))
            }
        }
    }

    /// True if some dates have a zone and some do not.
    pub(super) fn has_some_zones(&self) -> bool {
        self.found.contains_key(&Spelling::Zoned) && self.found.contains_key(&Spelling::Civil)
    }
}

/// One time of a column whose spelling is decided.
pub(super) fn read_as(text: &str, decided: Option<Spelling>) -> Option<Instant> {
    match read(text)? {
        (_, Spelling::Day) if decided != Some(Spelling::Day) => {
            let seconds = text.trim().parse().ok()?;
            Some(Instant { seconds, nanos: 0 })
        }
        (instant, _) => Some(instant),
    }
}

/// The message for a text that is no time.
pub(super) fn not_a_time(text: &str) -> String {
    format!("`{text}` is not a time; write seconds since 1970, or a date like 2020-01-31 13:45:00+01:00")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> (i64, u32, Spelling) {
        let (instant, spelling) = read(text).unwrap_or_else(|| panic!("`{text}` is no time"));
        (instant.seconds, instant.nanos, spelling)
    }

    #[test]
    fn units_follow_from_the_size_of_numbers() {
        use Spelling::{Microseconds, Milliseconds, Nanoseconds, Seconds};
        assert_eq!(at("1577934245"), (1_577_934_245, 0, Seconds));
        assert_eq!(at("1577934245.25"), (1_577_934_245, 250_000_000, Seconds));
        assert_eq!(at("1577934246500"), (1_577_934_246, 500_000_000, Milliseconds));
        assert_eq!(at("1577934246500123"), (1_577_934_246, 500_123_000, Microseconds));
        assert_eq!(at("1577934246500123456"), (1_577_934_246, 500_123_456, Nanoseconds));
        assert_eq!(at("-1.5"), (-2, 500_000_000, Seconds));
        assert_eq!(at("8.81250949e8"), (881_250_949, 0, Seconds));
        assert_eq!((read("1e300"), read("nan"), read("now"), read("")), (None, None, None, None));
    }

    #[test]
    fn dates_keep_their_zones() {
        // 2020-01-01 09:00 in Tokyo is midnight in London; 02:00 in Los Angeles is 10:00 there.
        assert_eq!(at("2020-01-01 09:00:00+09:00"), (1_577_836_800, 0, Spelling::Zoned));
        assert_eq!(at("2020-01-01 02:00:00-08:00"), (1_577_872_800, 0, Spelling::Zoned));
        assert_eq!(at("2020-01-01T00:00:00.5Z"), (1_577_836_800, 500_000_000, Spelling::Zoned));
        assert_eq!(at("2020-01-01T05:30+0530"), (1_577_836_800, 0, Spelling::Zoned));
        assert_eq!(at("2020-01-01"), (1_577_836_800, 0, Spelling::Civil));
        assert_eq!(at("2020/01/01 00:01"), (1_577_836_860, 0, Spelling::Civil));
        assert_eq!(at("20200101"), (1_577_836_800, 0, Spelling::Day));
        assert_eq!(at("11/13/2019 11:23:03 PM"), (1_573_687_383, 0, Spelling::Civil));
        assert_eq!(at("Wed Jan 09 14:39:14 -0800 2013"), (1_357_771_154, 0, Spelling::Zoned));
        assert_eq!(at("1969-12-31 23:59:59"), (-1, 0, Spelling::Civil));
        assert_eq!(at("31.01.2020"), (1_580_428_800, 0, Spelling::Civil));
        assert_eq!((at("31.01.2020 13:45").0, at("1.2.2020 00:00:01").0), (1_580_478_300, 1_580_515_201));
        for wrong in
            ["2020-13-01", "2020-01-32", "2020-01-01 25:00", "2020-01-01 00:00:00+9", "2020-01-01x", "á020-01-01"]
        {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_column_has_one_spelling() {
        let decide = |texts: &[&str]| {
            let mut spellings = Spellings::default();
            for (text, line) in texts.iter().zip(2..) {
                spellings.look(text, line).expect("a time");
            }
            spellings.decide()
        };
        assert_eq!(decide(&["0", "20200119"]), Ok(Some(Spelling::Day)));
        assert_eq!(decide(&["5", "20200119"]), Ok(Some(Spelling::Seconds)));
        assert_eq!(decide(&["0"]), Ok(None));
        let (line, problem) = decide(&["1577934245", "1577934245000"]).expect_err("two units");
        assert_eq!(line, 3);
        assert!(problem.contains("milliseconds since 1970, but `1577934245` in line 2"), "{problem}");
        assert_eq!(read_as("20200119", Some(Spelling::Seconds)).map(|it| it.seconds), Some(20_200_119));
        assert_eq!(written(1_577_836_800), "2020-01-01 00:00:00");
    }
}
