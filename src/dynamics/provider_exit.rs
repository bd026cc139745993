//! `provider_exit`: providers who leave with their items.
//!
//! At the end of every `period` ticks a provider whose items got less than `need` times their fair share leaves
//! permanently. The fair share is the provider's items over all items of the remaining providers, times the slots shown
//! (or the acceptances). Viability thresholds of providers over epochs are those of Mladenov, Creager, Ben-Porat,
//! Swersky, Zemel and Boutilier (2020), "Optimizing long-term social welfare in recommender systems: a constrained
//! matching approach". The key `data.providers` sets the provider of an item.

use super::{BuildDynamic, Dynamic, DynamicContext, DynamicError, Moment, Offer};
use crate::dataset::Catalogue;
use crate::ids::ItemId;
use crate::log::EventBatch;
use crate::params::{parameters, words};
use std::sync::Arc;

words! {
    /// The exposure of a provider that counts.
    pub(super) enum By { Exposure = "exposure", Acceptance = "acceptance" }
}

parameters! {
    /// providers who are shown too little leave with their items (Mladenov et al. 2020)
    pub(super) struct ProviderExitSpec = "provider_exit" {
        /// exposure that a provider needs to stay, as a share of the fair share; 0 = no provider leaves
        #[range(0.0..=100.0)]
        need: f64,
        /// ticks between the decisions of providers
        #[range(1..=100_000)]
        period: u32 = 10,
        /// what counts for a provider: items that were shown, or accepted
        by: By = By::Exposure,
    }
}

impl BuildDynamic for ProviderExitSpec {
    fn build(self, context: &DynamicContext) -> Result<Box<dyn Dynamic>, DynamicError> {
        ProviderExit::new(&self, context).map(|made| Box::new(made) as Box<dyn Dynamic>)
    }
}

struct ProviderExit {
    catalogue: Arc<Catalogue>,
    need: f64,
    period: u32,
    by_acceptance: bool,
    /// Items of each remaining provider; 0 for those who have left.
    items: Vec<u64>,
    /// The exposure of each provider since the last balance.
    counts: Vec<u64>,
}

impl ProviderExit {
    fn new(params: &ProviderExitSpec, context: &DynamicContext) -> Result<ProviderExit, DynamicError> {
        let (need, catalogue) = (params.need, context.catalogue.clone());
        let mut items = vec![0; catalogue.providers().map_or(0, |providers| providers.len())];
        if need > 0.0 && items.is_empty() {
            let problem = "the data have no providers of items; set `data.providers` to \"seeded\" or \"category\", \
                           or `data.provider_field` to the field of the items that names them";
            return Err(DynamicError(problem.to_owned()));
        }
        for provider in (0..catalogue.len() as u32).filter_map(|item| catalogue.provider_of(ItemId(item))) {
            items[provider as usize] += 1;
        }
        let (period, by_acceptance) = (params.period, params.by == By::Acceptance);
        Ok(ProviderExit { counts: vec![0; items.len()], items, catalogue, need, period, by_acceptance })
    }

    fn count(&mut self, item: ItemId) {
        if let Some(provider) = self.catalogue.provider_of(item) {
            self.counts[provider as usize] += 1;
        }
    }

    /// The providers who leave; resets the counts.
    fn balance(&mut self) -> Vec<bool> {
        let total: u64 = self.counts.iter().sum();
        let items: u64 = self.items.iter().sum();
        let fair = |own: u64| total as f64 * own as f64 / items.max(1) as f64;
        let gone = |(&own, &count): (&u64, &u64)| own > 0 && (count as f64) < self.need * fair(own);
        let leaves: Vec<bool> = self.items.iter().zip(&self.counts).map(gone).collect();
        self.items.iter_mut().zip(&leaves).filter(|(_, leaves)| **leaves).for_each(|(items, _)| *items = 0);
        self.counts.fill(0);
        leaves
    }
}

impl Dynamic for ProviderExit {
    fn supply(&mut self, moment: &Moment, offer: &mut Offer) {
        if self.need == 0.0 || moment.tick == 0 || !moment.tick.is_multiple_of(self.period) {
            return;
        }
        let leaves = self.balance();
        for item in (0..self.catalogue.len() as u32).map(ItemId) {
            if self.catalogue.provider_of(item).is_some_and(|provider| leaves[provider as usize]) {
                offer.withdraw(item);
            }
        }
    }

    fn observe(&mut self, events: &EventBatch) {
        if self.by_acceptance {
            (0..events.len()).filter_map(|row| events.accepted_item(row)).for_each(|item| self.count(item));
        } else {
            events.items.iter().for_each(|&item| self.count(item));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dynamics::testing::{context, moment};
    use crate::ids::UserId;
    use crate::log::REJECTED;

    fn shown(tick: u32, items: &[u32]) -> EventBatch {
        EventBatch {
            tick,
            slate: items.len(),
            users: vec![UserId(0)],
            items: items.iter().map(|&item| ItemId(item)).collect(),
            accepted: vec![REJECTED],
            ..EventBatch::default()
        }
    }

    #[test]
    fn providers_below_the_need_leave() {
        // Providers of the test catalogue: items 0, 2, 4 of the first, 1, 3, 5 of the second.
        let params = ProviderExitSpec { need: 0.5, period: 2, by: By::Exposure };
        let mut exit = ProviderExit::new(&params, &context(1, 6)).expect("providers");
        let mut offer = Offer::new(6, []);
        exit.observe(&shown(0, &[0, 2, 1]));
        exit.supply(&moment(1), &mut offer);
        exit.observe(&shown(1, &[4]));
        // 3 and 1 of 4 slots: the fair share is 2, the need 1.
        exit.supply(&moment(2), &mut offer);
        assert_eq!(offer.withheld(), [0]);
        exit.observe(&shown(2, &[0, 2, 4]));
        exit.supply(&moment(4), &mut offer);
        assert_eq!(offer.withheld(), [0b10_1010]);
        // The last provider has the entire share.
        exit.observe(&shown(4, &[0]));
        exit.supply(&moment(6), &mut offer);
        assert_eq!(offer.withheld(), [0b10_1010]);
    }

    #[test]
    fn without_providers_there_is_something_to_do() {
        let mut context = context(1, 6);
        context.catalogue = Arc::new(Catalogue::unknown(6));
        let params = ProviderExitSpec { need: 0.5, period: 10, by: By::Exposure };
        let problem = ProviderExit::new(&params, &context).err().expect("a problem");
        assert!(problem.to_string().contains("data.providers"), "{problem}");
    }
}
