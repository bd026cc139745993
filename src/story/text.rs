//! A story as plain text.

use super::{Shown, Step, Story};
use std::fmt::{self, Display, Formatter};

/// Columns of the text.
const WIDTH: usize = 100;
/// Columns of a title.
const TITLE: usize = 56;

impl Display for Story {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let Story { run, policy, replication, user, mirrors, data, model, seed, .. } = self;
        writeln!(out, "User {user} of `{run}` under policy `{policy}`, replication {replication}")?;
        writeln!(out, "mirrors user {mirrors} of {data}; user model {model}; seed {seed}")?;
        let accepted = self.steps.iter().filter(|step| step.accepted.is_some()).count();
        let sessions = self.steps.last().map_or(0, |step| step.session);
        let slates = self.steps.len();
        writeln!(out, "sessions {sessions}, slates {slates}, accepted {accepted}; ticks of the run {}", self.ticks)?;
        let mut next = 0;
        for step in &self.steps {
            away(out, next, step.tick)?;
            write_step(out, step)?;
            next = step.tick + 1;
        }
        writeln!(out, "\n{}", self.ending)
    }
}

/// The ticks from `first` to before `next`, at which nothing was shown.
fn away(out: &mut Formatter<'_>, first: u32, next: u32) -> fmt::Result {
    match next.saturating_sub(first) {
        0 => Ok(()),
        1 => writeln!(out, "\ntick {first}: away"),
        _ => writeln!(out, "\nticks {first} to {}: away", next - 1),
    }
}

fn write_step(out: &mut Formatter<'_>, step: &Step) -> fmt::Result {
    write!(out, "\ntick {}: ", step.tick)?;
    match step.arrival {
        Some(draw) => writeln!(out, "session {} begins (arrival draw {draw:.6})", step.session)?,
        None => writeln!(out, "slate {} of session {}", step.slate, step.session)?,
    }
    writeln!(out, "     {:TITLE$} {:>10} {:>10} {:>11}", "shown", "score", "propensity", "probability")?;
    if step.shown.is_empty() {
        writeln!(out, "     (nothing: the policy left the slate empty)")?;
    }
    for (slot, shown) in (1..).zip(&step.shown) {
        write_shown(out, slot, shown, step.accepted == Some(slot))?;
    }
    let mark = if step.accepted.is_none() { '>' } else { ' ' };
    writeln!(out, "{mark}    {:TITLE$} {:>10} {:>10} {:>11.6}", "reject all", "", "", step.reject)?;
    if let Some(thought) = &step.thought {
        let letters: Vec<String> = thought.letters.iter().map(|share| format!("{share:.4}")).collect();
        let text = if thought.text.is_empty() { "(nothing)" } else { thought.text.as_str() };
        writeln!(out, "  rationale (its draws begin with {:.6}):", thought.draw)?;
        text.lines().filter(|line| !line.trim().is_empty()).try_for_each(|line| wrap(out, "    ", line))?;
        wrap(out, "  ", &format!("its option labels, the last for none: {}", letters.join(" ")))?;
    }
    wrap(out, "  ", &decided(step))?;
    wrap(out, "  ", &outcome(step))?;
    if !step.traced {
        let text = "the log differs from these draws: it was changed, or comes from another version";
        wrap(out, "  ", text)?;
    }
    step.end.as_ref().map_or(Ok(()), |end| wrap(out, "  ", &format!("the session ends: {end}")))
}

fn write_shown(out: &mut Formatter<'_>, slot: usize, shown: &Shown, accepted: bool) -> fmt::Result {
    let number = |value: Option<f32>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"));
    let mark = if accepted { '>' } else { ' ' };
    let mut title: String = shown.title.chars().take(TITLE).collect();
    title.extend(std::iter::repeat_n(' ', TITLE.saturating_sub(title.chars().count())));
    let (score, propensity) = (number(shown.score), number(shown.propensity));
    writeln!(out, "{mark}{slot:>3} {title} {score:>10} {propensity:>10} {:>11.6}", shown.probability)
}

/// The effect of the draws.
fn decided(step: &Step) -> String {
    let (draws, total) = (step.draws, 1.0 - step.reject);
    if draws.accept >= total {
        return format!(
            "draws: {:.6} is not below {total:.6}, the sum of the items: nothing is accepted",
            draws.accept
        );
    }
    let point = draws.slot * total;
    format!(
        "draws: {:.6} is below {total:.6}, the sum of the items: one is accepted; {:.6} of that sum is {point:.6}, which falls \
         into {}; {:.6} for the rating",
        draws.accept,
        draws.slot,
        place(step, point),
        draws.rating
    )
}

/// The slot that a point of the running sum falls into, with its part of the sum.
fn place(step: &Step, point: f64) -> String {
    let mut low = 0.0;
    for (slot, shown) in (1..).zip(&step.shown) {
        let high = low + f64::from(shown.probability);
        if point < high {
            return format!("slot {slot} ({low:.6} to {high:.6})");
        }
        low = high;
    }
    "the last slot that can be accepted".to_owned()
}

fn outcome(step: &Step) -> String {
    let shown = step.accepted.and_then(|slot| step.shown.get(slot - 1));
    match (shown, step.rating) {
        (Some(shown), Some(rating)) => format!("accepted: {}, rated {rating}", shown.title),
        (Some(shown), None) => format!("accepted: {}", shown.title),
        (None, _) => "accepted: nothing".to_owned(),
    }
}

/// A text in lines of [`WIDTH`] columns, each after `margin`.
fn wrap(out: &mut Formatter<'_>, margin: &str, text: &str) -> fmt::Result {
    let mut line = String::new();
    for word in text.split_whitespace() {
        let longer = margin.len() + line.chars().count() + 1 + word.chars().count() > WIDTH;
        if !line.is_empty() && longer {
            writeln!(out, "{margin}{line}")?;
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    writeln!(out, "{margin}{line}")
}

#[cfg(test)]
mod tests {
    use super::super::{Luck, Thought};
    use super::*;

    fn step(tick: u32) -> Step {
        let shown = |item: u32, title: &str, probability: f32| Shown {
            item,
            title: title.to_owned(),
            score: (item == 0).then_some(0.5),
            propensity: Some(1.0),
            probability,
        };
        Step {
            tick,
            session: 1,
            slate: 1,
            arrival: Some(0.25),
            shown: vec![shown(0, "Café Müller", 0.25), shown(1, "東京物語", 0.125)],
            reject: 0.625,
            thought: Some(Thought {
                text: "Thought:\n\nNothing new.".to_owned(),
                letters: vec![0.5, 0.25, 0.25],
                draw: 0.375,
            }),
            draws: Luck { accept: 0.125, slot: 0.75, rating: 0.5 },
            accepted: Some(2),
            rating: Some(4.0),
            traced: true,
            end: None,
        }
    }

    #[test]
    fn a_story_reads_in_order() {
        let second = Step {
            slate: 2,
            arrival: None,
            thought: None,
            draws: Luck { accept: 0.75, ..step(0).draws },
            accepted: None,
            rating: None,
            end: Some("a session has 2 slates at most".to_owned()),
            ..step(3)
        };
        let story = Story {
            run: "Small".to_owned(),
            policy: "popular".to_owned(),
            replication: 0,
            user: 12,
            mirrors: "405".to_owned(),
            data: "films".to_owned(),
            model: "language (tiny)".to_owned(),
            seed: 5,
            ticks: 6,
            steps: vec![step(2), second],
            ending: "The user left for good.".to_owned(),
        };
        insta::assert_snapshot!(story.to_string());
    }
}
