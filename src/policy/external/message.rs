//! The lines that are exchanged; see the protocol in [`super`].

use serde::{Deserialize, Serialize};

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
    pub year: Option<u16>,
    pub genres: Vec<&'a str>,
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
