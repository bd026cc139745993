//! The lines that are exchanged; see the protocol in [`super`].

use crate::dataset::Column;
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};
use std::collections::BTreeMap;

/// What the program is told.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(super) enum Question<'a> {
    Start {
        protocol: u32,
        slate: usize,
        tick_seconds: i64,
        seed: u64,
        items: Vec<Item<'a>>,
        /// For each user of the log: item, rating, time.
        log: Vec<Vec<(u32, Option<f32>, i64)>>,
        users: Vec<u32>,
    },
    Recommend {
        tick: u32,
        slate: usize,
        users: Vec<u32>,
        blocked: Vec<Vec<u32>>,
    },
    Observe {
        tick: u32,
        users: Vec<u32>,
        slates: Vec<Vec<u32>>,
        accepted: Vec<Option<u8>>,
        ratings: Vec<Option<f32>>,
    },
}

/// An item of the catalogue.
#[derive(Serialize)]
pub(super) struct Item<'a> {
    pub title: &'a str,
    pub year: Option<Value>,
    pub categories: Vec<&'a str>,
    pub fields: BTreeMap<&'a str, Value>,
}

/// The value of a field for one item; `None` where it is missing. Times are milliseconds since 1970.
pub(super) fn value_of(column: &Column, item: usize) -> Option<Value> {
    match column {
        Column::Category { names, .. } => Some(Value::from(names.external(*column.categories(item).first()?))),
        Column::Categories { names, .. } => {
            let own: Vec<&str> = column.categories(item).iter().map(|&code| names.external(code)).collect();
            (!own.is_empty()).then(|| Value::from(own))
        }
        Column::Number(values) => number(values[item]),
        Column::Time(times) => times[item].map(Value::from),
        Column::Text(texts) => Some(texts[item].as_str()).filter(|text| !text.is_empty()).map(Value::from),
        Column::Vector { width, values } => {
            let own: Option<Vec<Value>> =
                values[item * width..(item + 1) * width].iter().map(|&it| number(it)).collect();
            own.map(Value::from)
        }
    }
}

/// Whole numbers without a point; `None` for what is not finite.
pub(super) fn number(value: f32) -> Option<Value> {
    if value.fract() == 0.0 && value.abs() < 1e9 {
        return Some(Value::from(value as i64));
    }
    // By way of the text: 3.7 of 32 bits is not 3.7 of 64.
    value.to_string().parse().ok().and_then(Number::from_f64).map(Value::Number)
}

/// What it may answer.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum Answer {
    Ready,
    Slates {
        slates: Vec<Vec<i64>>,
        #[serde(default)]
        scores: Option<Vec<Vec<Option<f32>>>>,
        #[serde(default)]
        propensities: Option<Vec<Vec<Option<f32>>>>,
    },
    Observed,
    Error {
        message: String,
    },
}

impl Answer {
    /// The value of its `type`.
    pub fn name(&self) -> &'static str {
        match self {
            Answer::Ready => "ready",
            Answer::Slates { .. } => "slates",
            Answer::Observed => "observed",
            Answer::Error { .. } => "error",
        }
    }
}
