//! All dynamics of one trial, with their state.

use super::{
    Dynamic, DynamicContext, DynamicError, DynamicFault, DynamicKind, DynamicSpec, Moment, Offer, Pull, Shown, Step,
};
use crate::ids::{ItemId, UserId};
use crate::log::EventBatch;
use crate::random::Streams;
use std::collections::BTreeMap;

/// The dynamics of a scenario, in the order of the file. They act in sequence: logits are added, factors and the
/// probabilities of staying are multiplied, so the order changes at most the last bit of a number.
#[derive(Default)]
pub struct Dynamics {
    parts: Vec<Part>,
    /// Numbers of one user.
    width: usize,
    /// `[users, width]`.
    state: Vec<f32>,
    /// The tick at which each user joins; empty if all are present from the start.
    joins: Vec<u32>,
    /// Items with later releases, by tick; those before `next` are on offer.
    releases: Vec<(u32, ItemId)>,
    next: usize,
    offer: Offer,
    start: i64,
    seconds: i64,
}

/// A dynamic and the offset of its numbers in a user's row.
struct Part {
    name: String,
    dynamic: Box<dyn Dynamic>,
    first: usize,
    end: usize,
}

impl Part {
    /// The value if it is from 0 to `most`, else an error.
    fn checked(&self, what: &'static str, user: UserId, value: f64, most: f64) -> Result<f64, DynamicFault> {
        if (0.0..=most).contains(&value) {
            return Ok(value);
        }
        let expected = if most == 1.0 { "0 to 1" } else { "a finite number of at least 0" };
        Err(DynamicFault { dynamic: self.name.clone(), user: user.0, what, value, expected })
    }
}

impl Dynamics {
    /// Builds the dynamics of a scenario; `kinds` are the known kinds. Two of one kind draw from different streams.
    ///
    /// # Errors
    /// The name of the first dynamic that cannot be built, and the reason.
    pub fn new(
        specs: &[DynamicSpec],
        kinds: &[DynamicKind],
        context: &DynamicContext,
    ) -> Result<Dynamics, (String, DynamicError)> {
        let mut copies: BTreeMap<&str, u32> = BTreeMap::new();
        let mut parts = Vec::with_capacity(specs.len());
        for spec in specs {
            let copy = copies.entry(&spec.kind).or_default();
            // The first of a kind has the same draws whatever else the scenario has.
            let streams: Streams = if *copy == 0 { context.streams } else { context.streams.fork(*copy) };
            *copy += 1;
            let unknown = || (spec.name.clone(), DynamicError(format!("there is no kind `{}`", spec.kind)));
            let kind = kinds.iter().find(|kind| kind.name == spec.kind).ok_or_else(unknown)?;
            let own = DynamicContext { streams, ..context.clone() };
            let dynamic = kind.build(&spec.params, &own);
            parts.push((spec.name.clone(), dynamic.map_err(|problem| (spec.name.clone(), problem))?));
        }
        Ok(Dynamics::named(parts, context))
    }

    /// Combines dynamics that are already built.
    pub fn of(dynamics: Vec<Box<dyn Dynamic>>, context: &DynamicContext) -> Dynamics {
        let numbered = dynamics.into_iter().zip(1..);
        Dynamics::named(numbered.map(|(dynamic, number)| (number.to_string(), dynamic)).collect(), context)
    }

    fn named(dynamics: Vec<(String, Box<dyn Dynamic>)>, context: &DynamicContext) -> Dynamics {
        let mut all = Dynamics { start: context.start, seconds: context.tick_seconds, ..Dynamics::default() };
        for (name, dynamic) in dynamics {
            let first = all.width;
            all.width += dynamic.width();
            all.parts.push(Part { name, dynamic, first, end: all.width });
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

    /// True without any dynamic: then no hook needs a call.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The moment of a tick.
    pub fn moment(&self, tick: u32) -> Moment {
        Moment { tick, time: self.start + i64::from(tick) * self.seconds * 1_000, seconds: self.seconds }
    }

    /// The tick at which each user joins; empty if all are present from the start.
    pub fn joins(&self) -> &[u32] {
        &self.joins
    }

    /// The items that are released after the start, by tick.
    pub fn releases(&self) -> &[(u32, ItemId)] {
        &self.releases
    }

    /// True if tastes may be pulled.
    pub fn pulls(&self) -> bool {
        self.parts.iter().any(|part| part.dynamic.pulls())
    }

    /// Factor on the probability that an absent user starts a session; 0 before the user joins.
    ///
    /// # Errors
    /// A factor that is not finite, or less than 0.
    pub fn arrival(&self, moment: &Moment, user: UserId) -> Result<f64, DynamicFault> {
        if self.joins.get(user.index()).is_some_and(|&joins| moment.tick < joins) {
            return Ok(0.0);
        }
        let (row, mut product) = (self.row(user), 1.0);
        for part in &self.parts {
            let factor = part.dynamic.arrival(moment, user, &row[part.first..part.end]);
            product *= part.checked("the factor on coming", user, factor, f64::MAX)?;
        }
        Ok(product)
    }

    /// Resets the state of a user to the start.
    pub fn restart(&mut self, user: UserId) {
        let row = &mut self.state[user.index() * self.width..(user.index() + 1) * self.width];
        row.fill(0.0);
        self.parts.iter().for_each(|part| part.dynamic.start(user, &mut row[part.first..part.end]));
    }

    /// Begins a session.
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

    /// Processes a response; returns true if the session ends with it.
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
    ///
    /// # Errors
    /// A probability that is not 0 to 1.
    pub fn leaving(&self, step: &Step<'_>) -> Result<f64, DynamicFault> {
        let (row, mut stays) = (self.row(step.user), 1.0);
        for part in &self.parts {
            let leaving = part.dynamic.leaving(step, &row[part.first..part.end]);
            stays *= 1.0 - part.checked("the probability of leaving", step.user, leaving, 1.0)?;
        }
        Ok(1.0 - stays)
    }

    /// The attractors of the user's taste, one entry for each dynamic that pulls.
    ///
    /// # Errors
    /// A rate that is not finite, or less than 0.
    pub fn pull(&self, step: &Step<'_>) -> Result<Vec<Pull>, DynamicFault> {
        let mut pulls = Vec::new();
        for part in &self.parts {
            let Some(pull) = part.dynamic.pull(step) else { continue };
            if part.checked("the rate of drift", step.user, f64::from(pull.rate), f64::MAX)? > 0.0 {
                pulls.push(pull);
            }
        }
        Ok(pulls)
    }

    /// Updates the offer at the start of a tick, and returns the withheld items.
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

    /// Passes the events of a tick to all dynamics.
    pub fn observe(&mut self, events: &EventBatch) {
        self.parts.iter_mut().for_each(|part| part.dynamic.observe(events));
    }

    fn row(&self, user: UserId) -> &[f32] {
        &self.state[user.index() * self.width..(user.index() + 1) * self.width]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dynamics::testing::{context, moment, step};

    /// A dynamic with these fixed numbers.
    struct Wrong {
        arrival: f64,
        leaving: f64,
        rate: f32,
    }

    impl Dynamic for Wrong {
        fn arrival(&self, _: &Moment, _: UserId, _: &[f32]) -> f64 {
            self.arrival
        }

        fn leaving(&self, _: &Step<'_>, _: &[f32]) -> f64 {
            self.leaving
        }

        fn pulls(&self) -> bool {
            true
        }

        fn pull(&self, _: &Step<'_>) -> Option<Pull> {
            Some(Pull { item: ItemId(1), rate: self.rate })
        }
    }

    #[test]
    fn numbers_that_are_not_finite_are_faults() {
        let of = |arrival: f64, leaving: f64, rate: f32| {
            let good = Wrong { arrival: 0.5, leaving: 0.5, rate: 0.5 };
            let parts: Vec<Box<dyn Dynamic>> = vec![Box::new(good), Box::new(Wrong { arrival, leaving, rate })];
            Dynamics::of(parts, &context(4, 9))
        };
        let (fine, step) = (of(3.0, 0.0, 0.0), step(0, 2, &[1], Some(1)));
        assert_eq!(fine.arrival(&moment(0), UserId(2)), Ok(1.5));
        assert_eq!(fine.leaving(&step), Ok(0.5));
        assert_eq!(fine.pull(&step).map(|pulls| pulls.len()), Ok(1), "a rate of 0 pulls nothing");
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.5] {
            let wrong = of(value, value, value as f32);
            let message = |problem: DynamicFault| problem.to_string();
            let number = format!("is {value}, expected a finite number of at least 0");
            assert_eq!(
                wrong.arrival(&moment(0), UserId(2)).map_err(message),
                Err(format!("dynamic `2`, user 2: the factor on coming {number}"))
            );
            assert_eq!(
                wrong.pull(&step).map_err(message),
                Err(format!("dynamic `2`, user 2: the rate of drift {number}"))
            );
            assert_eq!(
                wrong.leaving(&step).map_err(message),
                Err(format!("dynamic `2`, user 2: the probability of leaving is {value}, expected 0 to 1"))
            );
        }
        assert!(of(1.0, 1.5, 0.0).leaving(&step).is_err());
    }
}
