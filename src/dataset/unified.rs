//! The unified form of a feedback log.
//!
//! Three JSONL files for every family, in the columns of
//! the paper's reference code. `NAME_user_feature`, `NAME_item_feature` and `NAME_interaction`.

use super::{ExternalId, Moment};
use serde::de::{Error, IgnoredAny};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// A line of `NAME_user_feature.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UserRow {
    /// The user.
    pub user_id: ExternalId,
    /// The displayed fields of the user.
    #[serde(default)]
    pub user_description: Map<String, Value>,
    /// Fields of the user for code.
    #[serde(default)]
    pub user_features: Map<String, Value>,
}

/// A line of `NAME_item_feature.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ItemRow {
    /// The item.
    pub item_id: ExternalId,
    /// The displayed fields of the item.
    #[serde(default)]
    pub item_description: Map<String, Value>,
    /// Fields of the item for code: `year` or `time` of its release if known.
    #[serde(default)]
    pub item_features: Map<String, Value>,
}

impl ItemRow {
    /// When the item came out: `time` (seconds since 1970 or text), else the first moment of `year`.
    pub fn released(&self) -> Option<Moment> {
        let time = self.item_features.get("time").filter(|time| !time.is_null());
        if let Some(time) = time {
            return match time {
                Value::Number(number) => seconds(number.as_f64()?).ok(),
                other => serde_json::from_value(other.clone()).ok(),
            };
        }
        let year = self.item_features.get("year")?.as_f64().filter(|year| (1.0..=9999.0).contains(year))?;
        let first = jiff::civil::date(year as i16, 1, 1).at(0, 0, 0, 0);
        let stamp = jiff::tz::TimeZone::UTC.to_timestamp(first).ok()?;
        Some(Moment(stamp.as_millisecond()))
    }
}

/// A line of `NAME_interaction.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InteractionRow {
    /// The user.
    pub user_id: ExternalId,
    /// The item that the user took.
    pub item_id: ExternalId,
    /// When, in seconds since 1970 or as `YYYY-MM-DD HH:MM:SS`; absent in logs without times.
    #[serde(default, serialize_with = "write_seconds", deserialize_with = "read_seconds")]
    pub timestamp: Option<Moment>,
    /// The user's behaviour: rating, review, playtime, ...; `impression_list` (ids) and `item_pos` (the place of
    /// the real item, counted from 0) where the log has what was shown.
    #[serde(default)]
    pub behavior_features: Map<String, Value>,
}

/// The parts of `NAME_interaction.jsonl` that a first pass needs: user, item and time, and little of the behaviour.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct InteractionHead {
    /// The user.
    pub user_id: ExternalId,
    /// The item that the user took.
    pub item_id: ExternalId,
    /// When.
    #[serde(default, deserialize_with = "read_seconds")]
    pub timestamp: Option<Moment>,
    /// Of the behaviour, what a first pass needs.
    #[serde(default, rename = "behavior_features")]
    pub behavior: BehaviorHead,
}

/// The number of shown items in a row, and the rating.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(from = "BehaviorColumns")]
pub struct BehaviorHead {
    /// Entries of `impression_list`; `None` for a row without one. What is no list has none.
    pub shown: Option<usize>,
    /// `rating`, if it is a number.
    pub rating: Option<f64>,
}

#[derive(Deserialize)]
struct BehaviorColumns {
    #[serde(default)]
    impression_list: Option<Entries>,
    #[serde(default)]
    rating: Option<Rating>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Rating {
    Number(f64),
    Other(IgnoredAny),
}

impl From<BehaviorColumns> for BehaviorHead {
    fn from(columns: BehaviorColumns) -> BehaviorHead {
        let rating = match columns.rating {
            Some(Rating::Number(rating)) => Some(rating),
            Some(Rating::Other(IgnoredAny)) | None => None,
        };
        BehaviorHead { shown: columns.impression_list.map(|entries| entries.0), rating }
    }
}

/// The number of entries of a list, which are not kept.
#[derive(Deserialize)]
#[serde(from = "Listed")]
struct Entries(usize);

#[derive(Deserialize)]
#[serde(untagged)]
enum Listed {
    List(Vec<IgnoredAny>),
    Other(IgnoredAny),
}

impl From<Listed> for Entries {
    fn from(listed: Listed) -> Entries {
        match listed {
            Listed::List(entries) => Entries(entries.len()),
            Listed::Other(_) => Entries(0),
        }
    }
}

fn write_seconds<S: Serializer>(time: &Option<Moment>, output: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) if time.0.rem_euclid(1_000) != 0 => (time.0 as f64 / 1_000.0).serialize(output),
        time => time.map(|time| time.0.div_euclid(1_000)).serialize(output),
    }
}

fn read_seconds<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Moment>, D::Error> {
    match Option::<Value>::deserialize(input)? {
        None => Ok(None),
        Some(Value::Number(number)) => seconds(number.as_f64().unwrap_or(f64::NAN)).map(Some).map_err(Error::custom),
        Some(other) => serde_json::from_value(other).map(Some).map_err(Error::custom),
    }
}

fn seconds(seconds: f64) -> Result<Moment, String> {
    if seconds.is_finite() && seconds.abs() <= 1e11 {
        return Ok(Moment((seconds * 1_000.0).round() as i64));
    }
    Err(format!("the time {seconds} is not a number of seconds since 1970; are these milliseconds?"))
}

/// The files of a data set in the unified form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnifiedFiles {
    /// `NAME_user_feature.jsonl`.
    pub users: PathBuf,
    /// `NAME_item_feature.jsonl`.
    pub items: PathBuf,
    /// `NAME_interaction.jsonl`.
    pub interactions: PathBuf,
    /// `NAME_template.toml`: how rows become text.
    pub template: PathBuf,
}

impl UnifiedFiles {
    /// The files of data set `name` in the folder `raws`.
    pub fn of(raws: &Path, name: &str) -> UnifiedFiles {
        UnifiedFiles {
            users: raws.join(format!("{name}_user_feature.jsonl")),
            items: raws.join(format!("{name}_item_feature.jsonl")),
            interactions: raws.join(format!("{name}_interaction.jsonl")),
            template: raws.join(format!("{name}_template.toml")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_or_text_or_absent() {
        let read = |time: &str| {
            let text = format!(r#"{{"user_id": 1, "item_id": "a"{time}}}"#);
            serde_json::from_str::<InteractionRow>(&text)
        };
        let time = |text: &str| read(text).expect("a row").timestamp;
        assert_eq!(time(""), None);
        assert_eq!(time(r#", "timestamp": null"#), None);
        assert_eq!(time(r#", "timestamp": 86401"#), Some(Moment(86_401_000)));
        assert_eq!(time(r#", "timestamp": "1970-01-02 00:00:01""#), Some(Moment(86_401_000)));
        let problem = read(r#", "timestamp": 1700000000000"#).expect_err("milliseconds").to_string();
        assert!(problem.contains("are these milliseconds?"), "{problem}");
        let row = read(r#", "timestamp": 86401"#).expect("a row");
        let text = serde_json::to_string(&row).expect("text");
        assert_eq!(text, r#"{"user_id":1,"item_id":"a","timestamp":86401,"behavior_features":{}}"#);
        let finer = InteractionRow { timestamp: Some(Moment(1_700_000_000_007)), ..row };
        let text = serde_json::to_string(&finer).expect("text");
        assert!(text.contains("\"timestamp\":1700000000.007,"), "{text}");
        assert_eq!(serde_json::from_str::<InteractionRow>(&text).expect("a row"), finer);
    }

    #[test]
    fn a_head_has_the_number_of_shown_items() {
        let shown = |columns: &str| {
            let text = format!(r#"{{"user_id": 1, "item_id": "a", "behavior_features": {{{columns}}}}}"#);
            serde_json::from_str::<InteractionHead>(&text).expect("a head").behavior.shown
        };
        let rating = |value: &str| {
            let text = format!(r#"{{"user_id": 1, "item_id": "a", "behavior_features": {{"rating": {value}}}}}"#);
            serde_json::from_str::<InteractionHead>(&text).expect("a head").behavior.rating
        };
        assert_eq!(
            (rating("3"), rating("4.5"), rating("null"), rating(r#""good""#)),
            (Some(3.0), Some(4.5), None, None)
        );
        assert_eq!((shown(""), shown(r#""impression_list": null"#)), (None, None));
        assert_eq!(shown(r#""rating": 3, "impression_list": ["a", 7, "b"]"#), Some(3));
        assert_eq!((shown(r#""impression_list": []"#), shown(r#""impression_list": "a b""#)), (Some(0), Some(0)));
    }
}
