//! All dynamics of one replication under one policy, and what they remember of its users.

use super::{Dynamic, DynamicContext, DynamicError, DynamicKind, DynamicSpec, Moment, Offer, Pull, Shown, Step};
use crate::ids::{ItemId, UserId};
use crate::log::EventBatch;
use crate::params::Params;
use crate::random::Streams;
use std::collections::BTreeMap;

/// The dynamics of a scenario, in the order of the file. They act one after the other: logits are added up, factors and
/// the probabilities of staying multiplied, so that the order changes at most the last bit of a number.
#[derive(Default)]
pub struct Dynamics {
    parts: Vec<Part>,
    /// Numbers of one user.
    width: usize,
    /// `[users, width]`.
    state: Vec<f32>,
    /// The tick at which each user joins; empty when all are there from the start.
    joins: Vec<u32>,
    /// Items that come later, by tick; those before `next` are on offer.
    releases: Vec<(u32, ItemId)>,
    next: usize,
    offer: Offer,
    start: i64,
    seconds: i64,
}

/// A dynamic and the place of its numbers in a user's row.
struct Part {
    dynamic: Box<dyn Dynamic>,
    first: usize,
    end: usize,
}

impl Dynamics {
    /// Builds the dynamics of a scenario, which are of some of `kinds`. Two of one kind draw from different streams.
    ///
    /// # Errors
    /// The name of the first dynamic that cannot be built, and why.
    pub fn new(
        specs: &[DynamicSpec],
        kinds: &[DynamicKind],
        context: &DynamicContext,
    ) -> Result<Dynamics, (String, DynamicError)> {
        let mut copies: BTreeMap<&str, u32> = BTreeMap::new();
        let mut parts = Vec::with_capacity(specs.len());
        for spec in specs {
            let copy = copies.entry(&spec.kind).or_default();
            // The first of a kind draws the same whatever else the scenario has.
            let streams: Streams = if *copy == 0 { context.streams } else { context.streams.fork(*copy) };
            *copy += 1;
            let unknown = || (spec.name.clone(), DynamicError(format!("there is no kind `{}`", spec.kind)));
            let kind = kinds.iter().find(|kind| kind.name == spec.kind).ok_or_else(unknown)?;
            let own = DynamicContext { streams, ..context.clone() };
            let dynamic = (kind.build)(&Params::new(&spec.params), &own);
            parts.push(dynamic.map_err(|problem| (spec.name.clone(), problem))?);
        }
        Ok(Dynamics::of(parts, context))
    }

    /// The same from dynamics that were built already.
    pub fn of(dynamics: Vec<Box<dyn Dynamic>>, context: &DynamicContext) -> Dynamics {
        let mut all = Dynamics { start: context.start, seconds: context.tick_seconds, ..Dynamics::default() };
        for dynamic in dynamics {
            let first = all.width;
            all.width += dynamic.width();
            all.parts.push(Part { dynamic, first, end: all.width });
        }
        all.state = vec![0.0; context.users * all.width];
        (0..context.users as u32).for_each(|user| all.restart(UserId(user)));
        let latest = |of: &dyn Fn(&dyn Dynamic) -> u32| {
            all.parts.iter().map(|part| of(part.dynamic.as_ref())).max().unwrap_or(0)
        };
        let users = (0..context.users as u32).map(UserId);
        let joins: Vec<u32> = users.map(|user| latest(&|part| part.joins(user))).collect();
        let items = (0..context.catalogue.len() as u32).map(ItemId);
        let mut releases: Vec<(u32, ItemId)> = items.map(|item| (latest(&|part| part.released(item)), item)).collect();
        releases.retain(|release| release.0 > 0);
        releases.sort_unstable();
        all.offer = Offer::new(context.catalogue.len(), releases.iter().map(|release| release.1));
        all.joins = if joins.iter().any(|&tick| tick > 0) { joins } else { Vec::new() };
        all.releases = releases;
        all
    }

    /// Whether there is none: then nothing needs to be asked.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// When a tick takes place.
    pub fn moment(&self, tick: u32) -> Moment {
        Moment { tick, time: self.start + i64::from(tick) * self.seconds, seconds: self.seconds }
    }

    /// The tick at which each user joins; empty when all are there from the start.
    pub fn joins(&self) -> &[u32] {
        &self.joins
    }

    /// The items that are released after the start, by tick.
    pub fn releases(&self) -> &[(u32, ItemId)] {
        &self.releases
    }

    /// Whether tastes may be pulled.
    pub fn pulls(&self) -> bool {
        self.parts.iter().any(|part| part.dynamic.pulls())
    }

    /// Factor on the probability that an absent user starts a session; 0 before the user joins.
    pub fn arrival(&self, moment: &Moment, user: UserId) -> f64 {
        if self.joins.get(user.index()).is_some_and(|&joins| moment.tick < joins) {
            return 0.0;
        }
        let row = self.row(user);
        let factors = self.parts.iter().map(|part| part.dynamic.arrival(moment, user, &row[part.first..part.end]));
        factors.product()
    }

    /// Brings what is remembered of a user back to the start.
    pub fn restart(&mut self, user: UserId) {
        let row = &mut self.state[user.index() * self.width..(user.index() + 1) * self.width];
        row.fill(0.0);
        self.parts.iter().for_each(|part| part.dynamic.start(user, &mut row[part.first..part.end]));
    }

    /// A session begins.
    pub fn begin(&mut self, moment: &Moment, user: UserId) {
        let row = &mut self.state[user.index() * self.width..(user.index() + 1) * self.width];
        for part in &self.parts {
            part.dynamic.begin(moment, user, &mut row[part.first..part.end]);
        }
    }

    /// Adds to the logits of a choice.
    pub fn shift(&self, shown: &Shown<'_>, logits: &mut [f32]) {
        let row = self.row(shown.user);
        self.parts.iter().for_each(|part| part.dynamic.shift(shown, &row[part.first..part.end], logits));
    }

    /// Takes note of a response; says whether the session ends with it.
    pub fn remember(&mut self, step: &Step<'_>) -> bool {
        let row = &mut self.state[step.user.index() * self.width..(step.user.index() + 1) * self.width];
        let mut ends = false;
        for part in &self.parts {
            let state = &mut row[part.first..part.end];
            part.dynamic.remember(step, state);
            ends |= part.dynamic.ends(step, state);
        }
        ends
    }

    /// The probability that a user whose session ends never returns.
    pub fn leaving(&self, step: &Step<'_>) -> f64 {
        let row = self.row(step.user);
        let stays = self.parts.iter().map(|part| 1.0 - part.dynamic.leaving(step, &row[part.first..part.end]));
        1.0 - stays.product::<f64>()
    }

    /// What draws the user's taste, one entry a dynamic that pulls.
    pub fn pull(&self, step: &Step<'_>) -> impl Iterator<Item = Pull> {
        self.parts.iter().filter_map(|part| part.dynamic.pull(step)).filter(|pull| pull.rate > 0.0)
    }

    /// Changes what is on offer at the beginning of a tick, and says what is not.
    pub fn supply(&mut self, tick: u32) -> &[u64] {
        while let Some(&(_, item)) = self.releases.get(self.next).filter(|release| release.0 <= tick) {
            self.offer.release(item);
            self.next += 1;
        }
        let moment = self.moment(tick);
        for part in &mut self.parts {
            part.dynamic.supply(&moment, &mut self.offer);
        }
        self.offer.withheld()
    }

    /// Shows all of them the events of a tick.
    pub fn observe(&mut self, events: &EventBatch) {
        self.parts.iter_mut().for_each(|part| part.dynamic.observe(events));
    }

    fn row(&self, user: UserId) -> &[f32] {
        &self.state[user.index() * self.width..(user.index() + 1) * self.width]
    }
}
