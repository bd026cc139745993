//! One user's timeline as a table.

use super::percent;
use crate::story::{Shown, Step, Story};
use serde::Serialize;

/// The most slates in the table; `recmirror story` prints all.
const STEPS: usize = 8;

/// The view of a [`Story`] for the template.
#[derive(Serialize)]
pub struct Life {
    about: String,
    steps: Vec<LifeStep>,
    rest: Option<String>,
    ending: String,
    command: String,
}

#[derive(Serialize)]
struct LifeStep {
    tick: u32,
    /// The start of a session, or the number of the slate within it.
    place: String,
    shown: Vec<LifeItem>,
    reject: String,
    rejected: bool,
    rating: Option<String>,
    thought: Option<String>,
    end: Option<String>,
}

#[derive(Serialize)]
struct LifeItem {
    title: String,
    probability: String,
    accepted: bool,
}

impl Life {
    /// `folder` is the final name of the run's folder.
    pub fn new(story: &Story, folder: &str) -> Life {
        let Story { policy, replication, user, mirrors, data, ticks, .. } = story;
        let accepted = story.steps.iter().filter(|step| step.accepted.is_some()).count();
        let sessions = story.steps.last().map_or(0, |step| step.session);
        let count = story.steps.len();
        let about = format!(
            "User {user} mirrors user {mirrors} of {data}; under {policy}, in replication {replication}, at least half of \
             the users accepted no more. {} in {}, {}, {accepted} accepted.",
            counted(count, "slate"),
            counted(sessions as usize, "session"),
            counted(*ticks as usize, "tick")
        );
        let left_out = count.saturating_sub(STEPS);
        Life {
            about,
            steps: story.steps.iter().take(STEPS).map(step).collect(),
            rest: (left_out > 0).then(|| format!("{} more", counted(left_out, "slate"))),
            ending: story.ending.clone(),
            command: format!("recmirror story {folder} --user {user} --policy {policy} --replication {replication}"),
        }
    }
}

fn step(step: &Step) -> LifeStep {
    let place = match step.arrival {
        Some(_) => format!("session {} begins", step.session),
        None => format!("slate {} of session {}", step.slate, step.session),
    };
    LifeStep {
        tick: step.tick,
        place,
        shown: (1..).zip(&step.shown).map(|(slot, shown)| item(shown, step.accepted == Some(slot))).collect(),
        // Rounding of the items' sum may leave a negative rest.
        reject: percent(step.reject.max(0.0)),
        rejected: step.accepted.is_none(),
        rating: step.rating.map(|rating| format!("rated {rating}")),
        thought: step.thought.as_ref().map(|thought| thought.text.trim().to_owned()).filter(|text| !text.is_empty()),
        end: step.end.clone(),
    }
}

fn item(shown: &Shown, accepted: bool) -> LifeItem {
    LifeItem { title: shown.title.clone(), probability: percent(f64::from(shown.probability)), accepted }
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
