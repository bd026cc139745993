//! External ids of users and items, and times.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;

/// An id in the publisher's spelling: text or an integer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(untagged)]
pub enum ExternalId {
    /// An integer.
    Number(i64),
    /// Text.
    Text(String),
}

impl fmt::Display for ExternalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExternalId::Number(number) => write!(f, "{number}"),
            ExternalId::Text(text) => f.write_str(text),
        }
    }
}

impl<'de> Deserialize<'de> for ExternalId {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<ExternalId, D::Error> {
        struct Id;
        impl Visitor<'_> for Id {
            type Value = ExternalId;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an id: text or a whole number")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<ExternalId, E> {
                Ok(ExternalId::Text(text.to_owned()))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<ExternalId, E> {
                Ok(ExternalId::Number(number))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<ExternalId, E> {
                i64::try_from(number)
                    .map(ExternalId::Number)
                    .map_err(|_| E::custom(format!("the id {number} is too large")))
            }
        }
        input.deserialize_any(Id)
    }
}

/// A moment in milliseconds since 1970. Read from milliseconds or from `YYYY-MM-DD HH:MM:SS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Moment(pub i64);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Moment, D::Error> {
        struct Time;
        impl Visitor<'_> for Time {
            type Value = Moment;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time: milliseconds since 1970 or `YYYY-MM-DD HH:MM:SS`")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Moment, E> {
                let wrong = |_| E::custom(format!("the time `{text}` is not of the form YYYY-MM-DD HH:MM:SS"));
                let time = DateTime::strptime("%Y-%m-%d %H:%M:%S", text).map_err(wrong)?;
                let stamp = TimeZone::UTC.to_timestamp(time).map_err(wrong)?;
                Ok(Moment(stamp.as_millisecond()))
            }

            fn visit_i64<E: Error>(self, milliseconds: i64) -> Result<Moment, E> {
                Ok(Moment(milliseconds))
            }

            fn visit_u64<E: Error>(self, milliseconds: u64) -> Result<Moment, E> {
                let wrong = |_| E::custom(format!("the time {milliseconds} is too large"));
                i64::try_from(milliseconds).map(Moment).map_err(wrong)
            }

            fn visit_f64<E: Error>(self, milliseconds: f64) -> Result<Moment, E> {
                if milliseconds.fract() == 0.0 && milliseconds.abs() < 9e15 {
                    return Ok(Moment(milliseconds as i64));
                }
                Err(E::custom(format!("the time {milliseconds} is not a whole number of milliseconds")))
            }
        }
        input.deserialize_any(Time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_read_from_text_and_numbers() {
        let read = |text: &str| serde_json::from_str::<Moment>(text);
        assert_eq!(read("\"1970-01-02 00:00:01\"").expect("a time"), Moment(86_401_000));
        assert_eq!(read("1.5e3").expect("a time"), Moment(1_500));
        let problem = read("\"yesterday\"").expect_err("no time").to_string();
        assert!(problem.starts_with("the time `yesterday` is not of the form YYYY-MM-DD HH:MM:SS"), "{problem}");
    }
}
