//! The lines exchanged; see the protocol in [`super`].

use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};
use std::collections::BTreeMap;

/// The message to the program.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(super) enum Question<'a> {
    Start {
        protocol: u32,
        slate: usize,
        tick_seconds: i64,
        seed: u64,
        items: Vec<Item<'a>>,
        /// For each user of the log: item, rating, time in seconds.
        log: Vec<Vec<(u32, Option<f32>, Number)>>,
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

/// A time in milliseconds as seconds: an integer if it is one.
pub(super) fn seconds(time: i64) -> Number {
    let whole = Number::from(time.div_euclid(1_000));
    if time.rem_euclid(1_000) == 0 { whole } else { Number::from_f64(time as f64 / 1_000.0).unwrap_or(whole) }
}

/// The allowed answers.
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
