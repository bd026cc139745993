//! `calibrated`: re-ranking by the categories of the history.
//!
//! Steck 2018, "Calibrated Recommendations": from the `pool` best items of the inner policy a slate `I` is built
//! greedily for the largest `(1 - calibration) sum r(i) - calibration KL(p, q~)`. Every item divides one unit over its
//! categories; `p(g)` is the mean of that over the user's distinct items, `q(g)` over `I`, and `q~ = 0.99 q + 0.01 p`
//! keeps the divergence finite. `r` are the inner scores, scaled to 0..1 within the pool (ranks if there are no
//! scores). The categories are those of one field of the items. Items without a category count in neither share. The
//! slate has no scores, because the gain of an item depends on those above. A user without categories in the history
//! gets the inner list. The inner policy learns from the slates that were shown.

use super::attributes::FIELD;
use super::inner::{INNER, Inner, List, POOL};
use super::{BuildPolicy, Histories, Policy, PolicyContext, PolicyError, Request, Requests, SlateRow, Slates};
use crate::dataset::ItemCategories;
use crate::ids::{ItemId, UserId};
use crate::log::EventBatch;
use crate::params::{PolicyTable, parameters};
use std::sync::Arc;

/// The paper's alpha: the share of `p` in `q~`.
const SHARE_OF_HISTORY: f64 = 0.01;

parameters! {
    /// another policy re-ranked to the category shares of each history (Steck 2018)
    pub(super) struct CalibratedSpec = "calibrated" {
        /// weight of the divergence from the history's categories; the rest is the weight of the inner policy's scores
        #[range(0.0..=1.0)]
        calibration: f64 = 0.5,
        #[key(FIELD)]
        field: String,
        #[key(POOL)]
        pool: usize,
        #[key(INNER)]
        inner: PolicyTable,
    }
}

impl BuildPolicy for CalibratedSpec {
    fn build(self, context: &PolicyContext) -> Result<Box<dyn Policy>, PolicyError> {
        Ok(Box::new(Calibrated {
            calibration: self.calibration,
            pool: self.pool,
            categories: context.catalogue.categories(&self.field).map_err(PolicyError::of)?,
            histories: Histories::new(context),
            inner: Inner::new(&self.inner, 0, context)?,
        }))
    }
}

struct Calibrated {
    calibration: f64,
    pool: usize,
    categories: Arc<ItemCategories>,
    histories: Histories,
    inner: Inner,
}

/// Category shares under construction: units by category, and the number of items with a category.
struct Shares {
    units: Vec<f64>,
    items: f64,
}

impl Shares {
    fn new(categories: usize) -> Shares {
        Shares { units: vec![0.0; categories], items: 0.0 }
    }

    fn add(&mut self, own: &[u32]) {
        if !own.is_empty() {
            let unit = 1.0 / own.len() as f64;
            own.iter().for_each(|&code| self.units[code as usize] += unit);
            self.items += 1.0;
        }
    }

    /// `KL(self, q~)` where `q` are the shares of `slate` with the categories `new` added.
    fn divergence(&self, slate: &Shares, new: &[u32]) -> f64 {
        if self.items == 0.0 {
            return 0.0;
        }
        let unit = if new.is_empty() { 0.0 } else { 1.0 / new.len() as f64 };
        let items = (slate.items + f64::from(u8::from(!new.is_empty()))).max(1.0);
        let mut sum = 0.0;
        for (code, (&own, &shown)) in
            self.units.iter().zip(&slate.units).enumerate().filter(|(_, (own, _))| **own > 0.0)
        {
            let added = if new.binary_search(&(code as u32)).is_ok() { unit } else { 0.0 };
            let (p, q) = (own / self.items, (shown + added) / items);
            sum += p * libm::log(p / ((1.0 - SHARE_OF_HISTORY) * q + SHARE_OF_HISTORY * p));
        }
        sum
    }
}

impl Calibrated {
    fn history(&self, user: UserId) -> Shares {
        let mut items: Vec<ItemId> = self.histories.first_of(user).map(|(item, _)| item).collect();
        items.sort_unstable();
        items.dedup();
        let mut shares = Shares::new(self.categories.len());
        items.into_iter().for_each(|item| shares.add(self.categories.of(item)));
        shares
    }

    fn rank(&self, request: &Request<'_>, list: &List<'_>, slate: &mut SlateRow<'_>) {
        let (history, relevances) = (self.history(request.user), list.relevances());
        let mut shown = Shares::new(history.units.len());
        let mut left: Vec<usize> = (0..list.items.len()).collect();
        while !slate.is_full() && !left.is_empty() {
            let value = |place: &usize| {
                let gain = f64::from(relevances[*place]);
                let own = self.categories.of(list.items[*place]);
                (1.0 - self.calibration) * gain - self.calibration * history.divergence(&shown, own)
            };
            let values: Vec<f64> = left.iter().map(value).collect();
            // Of equal values the higher one in the inner list.
            let best = (1..values.len()).fold(0, |best, next| if values[next] > values[best] { next } else { best });
            let item = list.items[left.remove(best)];
            shown.add(self.categories.of(item));
            slate.push_drawn(item, f32::NAN, if list.certain { 1.0 } else { f32::NAN });
        }
    }
}

impl Policy for Calibrated {
    fn recommend(&mut self, requests: &Requests<'_>, slates: &mut Slates) -> Result<(), PolicyError> {
        self.inner.ask(requests, self.pool.max(requests.slate))?;
        let policy = &*self;
        slates.fill(requests, |request, slate| policy.rank(&request, &policy.inner.list(request.row), slate));
        Ok(())
    }

    fn needs_oracle_access(&self) -> bool {
        self.inner.needs_oracle_access()
    }

    fn observe(&mut self, events: &EventBatch) -> Result<(), PolicyError> {
        self.histories.observe(events, |_, _, _| ());
        self.inner.observe(events)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::testing::{World, build_with, mask};

    #[test]
    fn divergence_by_hand() {
        let (mut history, mut shown) = (Shares::new(2), Shares::new(2));
        // The history is 3/4 and 1/4, the slate would be 1/2 and 1/2.
        [&[0][..], &[0, 1]].into_iter().for_each(|own| history.add(own));
        shown.add(&[0]);
        let q = [0.99 * 0.5 + 0.01 * 0.75, 0.99 * 0.5 + 0.01 * 0.25];
        let wanted = 0.75 * libm::log(0.75 / q[0]) + 0.25 * libm::log(0.25 / q[1]);
        assert!((history.divergence(&shown, &[1]) - wanted).abs() < 1e-12);
        assert_eq!(Shares::new(2).divergence(&shown, &[1]), 0.0, "no history");
        // An item without categories does not change the shares: the slate is all of the first genre.
        let alone = 0.75 * libm::log(0.75 / (0.99 + 0.0075)) + 0.25 * libm::log(100.0);
        assert!((history.divergence(&shown, &[]) - alone).abs() < 1e-12);
    }

    #[test]
    fn slates_take_the_categories_of_the_history() {
        // Items 0, 1 are Drama + Western; 2, 3 Comedy + Western; 4, 5 War + Western; 6, 7 Drama + Crime. User 0 has
        // item 2 (Comedy + Western), popular are 0, 1, 4, 3 in this order.
        let log: [&[u32]; 5] = [&[2], &[0, 1, 4, 3], &[0, 1, 4], &[0, 1], &[0]];
        let world = World::with_log(5, 8, &log).slate(2);
        let show = |calibration: f64| {
            let params = format!("calibration = {calibration:?}\npool = 4\ninner = {{ kind = 'popular' }}");
            let mut policy = build_with("calibrated", toml::from_str(&params).expect("parameters"), &world.context());
            let slates = world.recommend(policy.as_mut(), 0, &world.users()[..1], &[mask(8, &[2])]);
            slates.items.iter().map(|item| item.0).collect::<Vec<_>>()
        };
        assert_eq!(show(0.0), [0, 1], "the inner policy");
        assert_eq!(show(1.0)[0], 3, "the genres alone");
        assert_eq!(show(0.9)[0], 3);
    }
}
