//! `external`: a policy in a child process.
//!
//! The program reads and writes lines of JSON.
//!
//! The program is started once for each replication. It reads one line of JSON from its standard input at a time and
//! answers each with one line on its standard output; its standard error is shown if it fails. Users and items are
//! numbers from 0. `null` means unknown or absent.
//!
//! ```text
//! -> {"type":"start","protocol":2,"slate":10,"tick_seconds":86400,"seed":7,
//!     "items":[{"title":"Alien","year":1979,"categories":["Horror"],"fields":{"director":"Scott"}}, ...],
//!     "log":[[[item,rating,time], ...], ...],     what happened before the start: a list for each user of the log
//!     "users":[0,1, ...]}                         the user of the log whose history each simulated user starts with
//! <- {"type":"ready"}
//! -> {"type":"recommend","tick":0,"slate":10,"users":[3,8],"blocked":[[0,4],[7]]}    items that each may not be shown
//! <- {"type":"slates","slates":[[5,1, ...],[2,0, ...]],
//!     "scores":[[0.9,0.8, ...],[...]],            optional
//!     "propensities":[[0.5,0.1, ...],[...]]}      optional: P(this item in this slot, given the slots above)
//! -> {"type":"observe","tick":0,"users":[3,8],"slates":[[5,1, ...],[2,0, ...]],
//!     "accepted":[1,null],"ratings":[4.0,null]}   the accepted slot, counted from 0
//! <- {"type":"observed"}
//! ```
//!
//! All users of a tick come in one `recommend`, and all users with a shown slate in one `observe`. A wrapper may ask
//! for longer lists than `slate` of `start`: the number in `recommend` counts. `categories` are those of
//! `data.item_field`, `fields` all fields of an item; ratings are levels from 1 to 5, whatever the scale of the data.
//! `{"type":"error","message":"..."}` is an answer to anything and ends the policy. At the end its standard input is
//! closed; on Unix, programs that it started and did not end are ended with it, unless they have left its process
//! group.
//!
//! The program must be a function of its messages, `seed` included, or the run cannot be repeated. It has
//! `start_timeout` seconds to get ready and `timeout` for every other answer. A program that fails, ends, is late or
//! answers something else ends the policy's run with an error that names policy, tick and, if it is about one of them,
//! the user. A slate with fewer items than slots although candidates were left is shown short and counted.
//! `examples/external_policy.py` needs only Python, `examples/external_implicit.py` wraps a library.

mod child;
mod message;

use self::child::Child;
use self::message::{Answer, Item, Question, seconds};
use super::{BuildPolicy, Policy, PolicyContext, PolicyError, Requests, Slates};
use crate::dataset::{Field, number};
use crate::ids::{ItemId, LogUserId, UserId};
use crate::log::{EventBatch, REJECTED};
use crate::params::{Texts, parameters};
use crate::random::Purpose;
use rand_chacha::rand_core::Rng;
use std::path::PathBuf;
use std::time::Duration;

/// The protocol version, which a program may check.
const PROTOCOL: u32 = 2;

/// Id of the stream of the program's seed, above those of users and of training.
const SEED: u64 = 1 << 41;

parameters! {
    /// your own program in any language, through lines of JSON (protocol: src/policy/external/mod.rs)
    pub(super) struct ExternalSpec = "external" {
        /// the program and its arguments
        command: Texts,
        /// folder in which the program is started, relative to the folder of this file
        folder: PathBuf = ".",
        /// the most seconds for one answer
        #[range(0.01..=1e6)]
        timeout: f64 = 60.0,
        /// the most seconds for the program to get ready, including training on the log
        #[range(0.01..=1e6)]
        start_timeout: f64 = 600.0,
    }
}

impl BuildPolicy for ExternalSpec {
    fn build(self, context: &PolicyContext) -> Result<Box<dyn Policy>, PolicyError> {
        Ok(Box::new(External::new(&self, context)?))
    }
}

struct External {
    child: Child,
    timeout: Duration,
}

impl External {
    fn new(params: &ExternalSpec, context: &PolicyContext) -> Result<External, PolicyError> {
        let child = Child::start(&params.command, &params.folder).map_err(PolicyError::new)?;
        let mut external = External { child, timeout: Duration::from_secs_f64(params.timeout) };
        let ready = Duration::from_secs_f64(params.start_timeout);
        match external.child.ask(&start(context), "start", ready, "start_timeout") {
            Ok(Answer::Ready) => Ok(external),
            Ok(other) => Err(PolicyError::new(external.child.unexpected("start", "ready", &other))),
            Err(problem) => Err(PolicyError::new(problem)),
        }
    }

    fn slates(&mut self, requests: &Requests<'_>) -> Result<Lists, PolicyError> {
        let blocked = (0..requests.len()).map(|row| requests.get(row).blocked().map(|item| item.0).collect());
        let question = Question::Recommend {
            tick: requests.tick,
            slate: requests.slate,
            users: requests.users.iter().map(|user| user.0).collect(),
            blocked: blocked.collect(),
        };
        match self.child.ask(&question, "recommend", self.timeout, "timeout") {
            Ok(Answer::Slates { slates, scores, propensities }) => {
                let lists = Lists { slates, scores, propensities };
                lists.check(requests).map_err(|(user, problem)| PolicyError { user, problem })?;
                Ok(lists)
            }
            Ok(other) => Err(PolicyError::new(self.child.unexpected("recommend", "slates", &other))),
            Err(problem) => Err(PolicyError::new(problem)),
        }
    }
}

/// The lists of one answer.
struct Lists {
    slates: Vec<Vec<i64>>,
    scores: Option<Vec<Vec<Option<f32>>>>,
    propensities: Option<Vec<Vec<Option<f32>>>>,
}

impl Lists {
    /// Checks the shape; the items are checked as those of every policy.
    fn check(&self, requests: &Requests<'_>) -> Result<(), (Option<UserId>, String)> {
        let rows = requests.len();
        let count = |what: &str, found: usize| {
            if found == rows {
                Ok(())
            } else {
                Err((None, format!("the program gave {found} {what} for {rows} users")))
            }
        };
        count("slates", self.slates.len())?;
        for (row, slate) in self.slates.iter().enumerate() {
            let user = Some(requests.users[row]);
            if slate.len() > requests.slate {
                return Err((user, format!("the slate has {} items, its slots are {}", slate.len(), requests.slate)));
            }
            let inside = |item: i64| (0..i64::from(u32::MAX)).contains(&item);
            if let Some(item) = slate.iter().find(|&&item| !inside(item)) {
                return Err((user, format!("there is no item {item}, the catalogue has {} items", requests.items)));
            }
        }
        for (what, numbers) in [("lists of scores", &self.scores), ("lists of propensities", &self.propensities)] {
            let Some(numbers) = numbers else { continue };
            count(what, numbers.len())?;
            if let Some(row) = (0..rows).find(|&row| numbers[row].len() != self.slates[row].len()) {
                let (found, items) = (numbers[row].len(), self.slates[row].len());
                return Err((Some(requests.users[row]), format!("{what}: {found} numbers for {items} items")));
            }
        }
        for (row, numbers) in self.scores.iter().flatten().enumerate() {
            if let Some(value) = numbers.iter().flatten().find(|value| !value.is_finite()) {
                let problem = format!("a score is {value}; it must be a finite number, or null");
                return Err((Some(requests.users[row]), problem));
            }
        }
        let odd = |value: &f32| !(*value > 0.0 && *value <= 1.0);
        for (row, numbers) in self.propensities.iter().flatten().enumerate() {
            if let Some(value) = numbers.iter().flatten().find(|value| odd(value)) {
                let problem = format!("a propensity is {value}; it must be above 0 and at most 1");
                return Err((Some(requests.users[row]), problem));
            }
        }
        Ok(())
    }
}

fn start<'a>(context: &'a PolicyContext) -> Question<'a> {
    let catalogue = &context.catalogue;
    let item = |item: usize| {
        let (id, fields) = (ItemId(item as u32), catalogue.fields().iter());
        let value = |field: &'a Field| Some((field.name.as_str(), field.column.value(item)?));
        let categories =
            catalogue.category().map(|own| own.of(id).iter().map(|&code| own.names()[code as usize].as_str()));
        Item {
            title: catalogue.title(id),
            year: number(catalogue.year(id)),
            categories: categories.into_iter().flatten().collect(),
            fields: fields.filter_map(value).collect(),
        }
    };
    let known = |rating: f32| (!rating.is_nan()).then_some(rating);
    let history = |user: u32| {
        let rows = context.log.of(LogUserId(user)).iter();
        rows.map(|row| (row.item.0, known(row.rating), seconds(row.time))).collect()
    };
    Question::Start {
        protocol: PROTOCOL,
        slate: context.slate,
        tick_seconds: context.tick_seconds,
        // 53 bits: every JSON reader keeps them exactly.
        seed: context.streams.derive(Purpose::Policy, SEED, 0).next_u64() >> 11,
        items: (0..catalogue.len()).map(item).collect(),
        log: (0..context.log.users() as u32).map(history).collect(),
        users: context.sources.iter().map(|source| source.0).collect(),
    }
}

impl Policy for External {
    fn recommend(&mut self, requests: &Requests<'_>, slates: &mut Slates) -> Result<(), PolicyError> {
        slates.reset(requests.len(), requests.slate);
        if requests.is_empty() {
            return Ok(());
        }
        let lists = self.slates(requests)?;
        for (row, items) in lists.slates.iter().enumerate() {
            let first = row * requests.slate;
            let known = |numbers: &Option<Vec<Vec<Option<f32>>>>, slot: usize| {
                numbers.as_ref().and_then(|numbers| numbers[row][slot]).unwrap_or(f32::NAN)
            };
            for (slot, &item) in items.iter().enumerate() {
                slates.items[first + slot] = ItemId(item as u32);
                slates.scores[first + slot] = known(&lists.scores, slot);
                slates.propensities[first + slot] = known(&lists.propensities, slot);
            }
        }
        Ok(())
    }

    fn observe(&mut self, events: &EventBatch) -> Result<(), PolicyError> {
        let shown = |row: usize| {
            let filled = events.slate_of(row).iter().take_while(|item| item.is_some());
            filled.map(|item| item.0).collect()
        };
        let question = Question::Observe {
            tick: events.tick,
            users: events.users.iter().map(|user| user.0).collect(),
            slates: (0..events.len()).map(shown).collect(),
            accepted: events.accepted.iter().map(|&slot| (slot != REJECTED).then_some(slot)).collect(),
            ratings: events.ratings.iter().map(|&rating| (!rating.is_nan()).then_some(rating)).collect(),
        };
        match self.child.ask(&question, "observe", self.timeout, "timeout") {
            Ok(Answer::Observed) => Ok(()),
            Ok(other) => Err(PolicyError::new(self.child.unexpected("observe", "observed", &other))),
            Err(problem) => Err(PolicyError::new(problem)),
        }
    }
}
