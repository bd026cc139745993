//! Publishers' texts, numbers, dates and ids as values of the unified form.

use super::super::{ExternalId, Moment};
use super::publisher::Fields;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use serde_json::{Number, Value};

/// The reason to leave out a row without a time.
pub(super) const NO_TIME: &str = "row without a time";
/// The reason to leave out a row with a wrong time.
pub(super) const WRONG_TIME: &str = "row whose time cannot be read";
/// The reason to leave out a row without ids.
pub(super) const NO_ID: &str = "row without a user's or an item's id";
/// The reason to leave out a row with a wrong rating.
pub(super) const WRONG_RATING: &str = "row whose rating is not a number";

/// The description of an item that has no title: `item ID`.
pub(in crate::dataset::import) fn nameless(item: &ExternalId) -> Fields {
    Fields::from_iter([("title".to_owned(), Value::String(format!("item {item}")))])
}

/// An id: an integer if it is written as one, without leading zeros, else text.
pub(super) fn id(text: &str) -> ExternalId {
    match text.parse::<i64>() {
        Ok(number) if number.to_string() == text => ExternalId::Number(number),
        _ => ExternalId::Text(text.to_owned()),
    }
}

/// The id under one of these keys of a JSON record; `None` if missing or empty.
pub(super) fn id_at(record: &Fields, keys: &[&str]) -> Option<ExternalId> {
    text_at(record, keys).map(|text| id(&text))
}

/// The text or number under the first of these keys that has one.
pub(super) fn text_at(record: &Fields, keys: &[&str]) -> Option<String> {
    keys.iter().find_map(|&key| match record.get(key)? {
        Value::String(text) => filled(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    })
}

/// The number under one of these keys, written as a number or as text.
pub(super) fn number_at(record: &Fields, keys: &[&str]) -> Option<Number> {
    keys.iter().find_map(|&key| match record.get(key)? {
        Value::Number(number) if number.is_f64() => whole_if_it_is(number.as_f64()?),
        Value::Number(number) => Some(number.clone()),
        Value::String(text) => number(text),
        _ => None,
    })
}

/// The texts in a list, the empty ones left out; a single text counts as a list of one.
pub(super) fn texts_at(record: &Fields, key: &str) -> Vec<String> {
    match record.get(key) {
        Some(Value::Array(values)) => values.iter().filter_map(Value::as_str).filter_map(filled).collect(),
        Some(Value::String(text)) => filled(text).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// A text without the space around it; `None` when nothing is left.
pub(super) fn filled(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// The first words of a text: only what templates show is kept, not complete reviews.
pub(super) fn first_words(text: &str, most: usize) -> Option<String> {
    let mut words = text.split_whitespace();
    let mut kept = words.by_ref().take(most).collect::<Vec<_>>().join(" ");
    if words.next().is_some() {
        kept.push_str(" ...");
    }
    filled(&kept)
}

/// A finite number. `3.0` becomes 3, the usual spelling.
pub(super) fn number(text: &str) -> Option<Number> {
    let text = text.trim();
    if let Ok(whole) = text.parse::<i64>() {
        return Some(Number::from(whole));
    }
    whole_if_it_is(text.parse().ok()?)
}

/// A finite number, as an integer if it has no fraction.
pub(super) fn whole_if_it_is(value: f64) -> Option<Number> {
    if value.fract() == 0.0 && value.abs() < 9e15 { Some(Number::from(value as i64)) } else { Number::from_f64(value) }
}

/// A number where the text is one, else the text.
pub(super) fn number_or_text(text: &str) -> Value {
    match number(text) {
        // Codes with leading zeros are names, not numbers.
        Some(number) if !(text.len() > 1 && text.starts_with('0') && !text.starts_with("0.")) => Value::Number(number),
        _ => Value::String(text.to_owned()),
    }
}

/// Sets a field if there is a value.
pub(super) fn put<V: Into<Value>>(fields: &mut Fields, key: &str, value: Option<V>) {
    if let Some(value) = value {
        fields.insert(key.to_owned(), value.into());
    }
}

/// Sets a list if it has entries.
pub(super) fn put_list(fields: &mut Fields, key: &str, values: Vec<String>) {
    put(fields, key, (!values.is_empty()).then_some(values));
}

/// Seconds since 1970, as a number with or without a fraction.
pub(super) fn seconds(text: &str) -> Result<Moment, &'static str> {
    if text.is_empty() {
        return Err(NO_TIME);
    }
    let seconds = text.parse::<f64>().map_err(|_| WRONG_TIME)?;
    if seconds.is_nan() {
        return Err(NO_TIME);
    }
    if seconds.abs() > 1e11 {
        return Err(WRONG_TIME);
    }
    Ok(Moment((seconds * 1_000.0).round() as i64))
}

/// A day as `YYYY-MM-DD`, or a moment as `YYYY-MM-DD HH:MM:SS` with or without a fraction, in UTC.
pub(super) fn date(text: &str) -> Option<Moment> {
    let text = text.trim();
    let civil = match text.len() {
        10 => text.parse::<Date>().ok()?.at(0, 0, 0, 0),
        19.. if text.as_bytes()[10] == b' ' => text.parse::<DateTime>().ok()?,
        _ => return None,
    };
    moment(civil)
}

/// A moment in the form of `format`, in UTC unless the text names an offset.
pub(super) fn date_like(format: &str, text: &str) -> Option<Moment> {
    let parsed = jiff::fmt::strtime::parse(format, text.trim()).ok()?;
    match parsed.to_timestamp() {
        Ok(stamp) => Some(Moment(stamp.as_millisecond())),
        Err(_) => moment(parsed.to_datetime().ok()?),
    }
}

fn moment(civil: DateTime) -> Option<Moment> {
    TimeZone::UTC.to_timestamp(civil).ok().map(|stamp| Moment(stamp.as_millisecond()))
}

/// A year of four digits.
pub(super) fn year(text: &str) -> Option<i64> {
    let text = text.trim();
    (text.len() == 4).then(|| text.parse().ok()).flatten().filter(|year| (1000..=2999).contains(year))
}

/// Splits "Toy Story (1995)" into its title and year.
pub(super) fn title_and_year(text: &str) -> (&str, Option<i64>) {
    let text = text.trim();
    let parts = text.strip_suffix(')').and_then(|text| text.rsplit_once('('));
    match parts.and_then(|(title, written)| Some((title.trim_end(), year(written)?))) {
        Some((title, year)) => (title, Some(year)),
        None => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_numbers_only_where_nothing_is_lost() {
        assert_eq!(id("17"), ExternalId::Number(17));
        assert_eq!(id("0017"), ExternalId::Text("0017".to_owned()));
        assert_eq!(id("+17"), ExternalId::Text("+17".to_owned()));
        assert_eq!(id("B00005"), ExternalId::Text("B00005".to_owned()));
    }

    #[test]
    fn numbers_read_as_users_write_them() {
        assert_eq!(number(" 4.0 ").map(|number| number.to_string()).as_deref(), Some("4"));
        assert_eq!(number("3.5").map(|number| number.to_string()).as_deref(), Some("3.5"));
        assert_eq!((number("nan"), number("inf"), number("")), (None, None, None));
        assert_eq!(number_or_text("0012"), Value::from("0012"));
        assert_eq!(number_or_text("0.5"), Value::from(0.5));
    }

    #[test]
    fn times_in_every_spelling() {
        assert_eq!(seconds("1.5"), Ok(Moment(1_500)));
        assert_eq!((seconds(""), seconds("nan")), (Err(NO_TIME), Err(NO_TIME)));
        assert_eq!((seconds("x"), seconds("1700000000000")), (Err(WRONG_TIME), Err(WRONG_TIME)));
        assert_eq!(date("1970-01-02"), Some(Moment(86_400_000)));
        assert_eq!(date("1970-01-02 00:00:01"), Some(Moment(86_401_000)));
        assert_eq!((date("1970-13-02"), date("yesterday"), date("áááááááááá")), (None, None, None));
        assert_eq!(date_like("%m/%d/%Y %I:%M:%S %p", "11/13/2019 11:23:03 PM"), Some(Moment(1_573_687_383_000)));
        assert_eq!(date_like("%m/%d/%Y %I:%M:%S %p", "11/13/2019 1:02:03 AM"), Some(Moment(1_573_606_923_000)));
        let goodreads = date_like("%a %b %d %H:%M:%S %z %Y", "Wed Jan 09 14:39:14 -0800 2013");
        assert_eq!(goodreads, Some(Moment(1_357_771_154_000)));
    }

    #[test]
    fn years_come_off_titles() {
        assert_eq!(title_and_year("Toy Story (1995)"), ("Toy Story", Some(1995)));
        assert_eq!(title_and_year("Marvin (live)"), ("Marvin (live)", None));
        assert_eq!(title_and_year("("), ("(", None));
    }

    #[test]
    fn long_texts_are_cut_at_words() {
        assert_eq!(first_words("one  two\nthree", 2).as_deref(), Some("one two ..."));
        assert_eq!(first_words("one", 2).as_deref(), Some("one"));
        assert_eq!(first_words("  ", 2), None);
    }
}
