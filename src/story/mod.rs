//! One user's timeline in a run.
//!
//! Read from the run's folder alone.
//!
//! The uniform numbers of the draws are derived again from seed, replication, user and tick, and their results are
//! compared with the log, so that each line can be traced. The reason for the end of a session follows from the
//! scenario's rules and the responses; otherwise it is reported as unknown. Works for every user model.

mod read;
mod sessions;
mod text;

pub use self::read::{StoryChoice, StoryError, typical};

use serde::Serialize;

/// A user's life under one policy in one replication.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Story {
    /// The run's name.
    pub run: String,
    /// The policy.
    pub policy: String,
    /// The replication.
    pub replication: u32,
    /// The user's number in the population.
    pub user: u32,
    /// Whom the user mirrors: an id of the data set.
    pub mirrors: String,
    /// The data set.
    pub data: String,
    /// The user model: its kind, and its name if it has one.
    pub model: String,
    /// Root of the draws.
    pub seed: u64,
    /// Ticks of the run.
    pub ticks: u32,
    /// The ticks at which the user saw a slate.
    pub steps: Vec<Step>,
    /// The state of the user after the last of them.
    pub ending: String,
}

/// A tick at which the user saw a slate.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    /// The tick.
    pub tick: u32,
    /// The session, counted from 1.
    pub session: u32,
    /// The slate within the session, counted from 1.
    pub slate: u32,
    /// The number, uniform in [0, 1), that let an absent user come; for the first slate of a session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arrival: Option<f64>,
    /// The shown items, from the first slot on.
    pub shown: Vec<Shown>,
    /// The probability of rejecting all.
    pub reject: f64,
    /// The user's rationale, where the user model writes one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thought: Option<Thought>,
    /// The numbers, uniform in [0, 1), that decided.
    pub draws: Luck,
    /// The slot accepted, counted from 1; absent when all were rejected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted: Option<usize>,
    /// The rating of the accepted item.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rating: Option<f32>,
    /// True if the draws and the probabilities give the logged response.
    pub traced: bool,
    /// The reason for the end of the session, if it ended with this slate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
}

/// An item in a slot.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Shown {
    /// The item's number in the catalogue.
    pub item: u32,
    /// Its title.
    pub title: String,
    /// The policy's score.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<f32>,
    /// The policy's probability for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub propensity: Option<f32>,
    /// The probability with which the user accepts it.
    pub probability: f32,
}

/// The text of a language model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Thought {
    /// The rationale.
    pub text: String,
    /// The model's own probability of each item, then of none, before temperature and acceptance level.
    pub letters: Vec<f32>,
    /// The first of the numbers, uniform in [0, 1), that drew its words, one for each: those of the stream `rationale` by user and
    /// tick.
    pub draw: f64,
}

/// The numbers that decide what a user does with a slate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Luck {
    /// Below the sum of the items' probabilities, something is accepted.
    pub accept: f64,
    /// The draw of the slot: its position in that sum decides.
    pub slot: f64,
    /// The draw of the rating: its position in the ratings' probabilities decides.
    pub rating: f64,
}
