//! `retirement`: items leave the catalogue.
//!
//! At every tick after the first, each item leaves permanently with probability `hazard`, so its time on offer is
//! geometric with mean `1 / hazard` ticks. The tick is drawn once for each item, the same under every policy. Das,
//! Datar, Garg and Rajaram (2007), "Google news personalization: scalable online collaborative filtering", describe
//! item churn as a fact for recommenders.

use super::{BuildDynamic, Dynamic, DynamicContext, DynamicError, Moment, Offer};
use crate::ids::ItemId;
use crate::params::parameters;
use crate::random::{Purpose, unit};

parameters! {
    /// items leave the catalogue for good (Das et al. 2007)
    pub(super) struct RetirementSpec = "retirement" {
        /// probability that an item leaves at a tick; 0 = no item leaves
        #[range(0.0..=1.0)]
        hazard: f64,
    }
}

impl BuildDynamic for RetirementSpec {
    fn build(self, context: &DynamicContext) -> Result<Box<dyn Dynamic>, DynamicError> {
        Ok(Box::new(Retirement::new(self.hazard, context)))
    }
}

/// The items that leave within the horizon, by tick; those before `next` have left.
struct Retirement {
    leaving: Vec<(u32, ItemId)>,
    next: usize,
}

impl Retirement {
    fn new(hazard: f64, context: &DynamicContext) -> Retirement {
        let tick = |item: ItemId| {
            let mut rng = context.streams.derive(Purpose::Retirement, u64::from(item.0), 0);
            // The number of failures before the first success of trials with this probability.
            let survived = libm::floor(libm::log(1.0 - unit(&mut rng)) / libm::log1p(-hazard));
            (survived < f64::from(context.ticks)).then_some((1 + survived as u32, item))
        };
        let items = (0..context.catalogue.len() as u32).map(ItemId);
        let mut leaving: Vec<(u32, ItemId)> = if hazard > 0.0 { items.filter_map(tick).collect() } else { Vec::new() };
        leaving.sort_unstable();
        Retirement { leaving, next: 0 }
    }
}

impl Dynamic for Retirement {
    fn supply(&mut self, moment: &Moment, offer: &mut Offer) {
        while let Some(&(_, item)) = self.leaving.get(self.next).filter(|leaving| leaving.0 <= moment.tick) {
            offer.withdraw(item);
            self.next += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dynamics::testing::{context, moment};

    #[test]
    fn the_share_on_offer_falls_geometrically() {
        let mut retirement = Retirement::new(0.2, &context(1, 10_000));
        let mut offer = Offer::new(10_000, []);
        for tick in 0..4 {
            retirement.supply(&moment(tick), &mut offer);
            let left = (0..10_000).filter(|&item| offer.has(ItemId(item))).count() as f64;
            let wanted = 10_000.0 * libm::pow(0.8, f64::from(tick));
            // Five standard deviations at most.
            assert!((left - wanted).abs() < 250.0, "{left} at {tick}");
        }
        assert_eq!(Retirement::new(1.0, &context(1, 50)).leaving.iter().filter(|entry| entry.0 == 1).count(), 50);
    }
}
