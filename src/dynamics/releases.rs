//! `releases`: part of the catalogue comes out during the run.
//!
//! With `order = "random"` each item is released late with probability `share`, at a tick drawn uniformly from 1 to
//! below `until`. With `order = "newest"` the share of the items with the latest years is released late, in the order
//! of their years and evenly spread; items without a year are on offer from the start. Policies have no interactions
//! with an item before its release: its rows of the log are removed. This is the cold-start problem of items: Schein,
//! Popescul, Ungar and Pennock (2002), "Methods and metrics for cold-start recommendations".

use super::{BuildDynamic, Dynamic, DynamicContext, DynamicError};
use crate::ids::ItemId;
use crate::params::{parameters, words};
use crate::random::{Purpose, below, unit};

words! {
    /// Which items come late.
    pub(super) enum Order { Random = "random", Newest = "newest" }
}

parameters! {
    /// part of the items are released during the run, without known interactions (Schein et al. 2002)
    pub(super) struct ReleasesSpec = "releases" {
        /// share of the items that are released during the run; 0 = all are on offer from the start
        #[range(0.0..=1.0)]
        share: f64,
        /// tick before which all items are released, evenly spread; 0 = the horizon
        #[range(0..=100_000)]
        until: u32 = 0,
        /// which items are released late: `random` ones, or the newest in their order
        order: Order = Order::Random,
    }
}

impl BuildDynamic for ReleasesSpec {
    fn build(self, context: &DynamicContext) -> Result<Box<dyn Dynamic>, DynamicError> {
        Ok(Box::new(Releases { ticks: ticks(&self, context) }))
    }
}

/// The release tick of each item.
struct Releases {
    ticks: Vec<u32>,
}

fn ticks(params: &ReleasesSpec, context: &DynamicContext) -> Vec<u32> {
    let (share, items) = (params.share, context.catalogue.len());
    let until = if params.until > 0 { params.until } else { context.ticks };
    let span = until.saturating_sub(1).max(1);
    if params.order == Order::Random {
        let tick = |item: u32| {
            let mut rng = context.streams.derive(Purpose::Release, u64::from(item), 0);
            if unit(&mut rng) < share { 1 + below(&mut rng, span) } else { 0 }
        };
        return (0..items as u32).map(tick).collect();
    }
    let year = |item: usize| context.catalogue.year(ItemId(item as u32));
    let mut dated: Vec<usize> = (0..items).filter(|&item| !year(item).is_nan()).collect();
    dated.sort_by(|&a, &b| year(a).total_cmp(&year(b)).then(a.cmp(&b)));
    let late = ((items as f64 * share).round() as usize).min(dated.len());
    let mut ticks = vec![0; items];
    for (place, &item) in dated[dated.len() - late..].iter().enumerate() {
        ticks[item] = 1 + (place as u64 * u64::from(span) / late as u64) as u32;
    }
    ticks
}

impl Dynamic for Releases {
    fn released(&self, item: ItemId) -> u32 {
        self.ticks[item.index()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dynamics::testing::context;

    fn of(share: f64, order: Order, items: usize) -> Vec<u32> {
        ticks(&ReleasesSpec { share, until: 6, order }, &context(1, items))
    }

    #[test]
    fn the_newest_come_in_the_order_of_their_years() {
        // Items 0, 1 of 1980, 2, 3 of 1981, 4, 5 of 1982, 6, 7 of 1983, 8 without a year, 9 of 1984.
        assert_eq!(of(0.5, Order::Newest, 10), [0, 0, 0, 0, 1, 2, 3, 4, 0, 5]);
        assert_eq!(of(1.0, Order::Newest, 10)[8], 0);
    }

    #[test]
    fn a_random_share_comes_before_the_end() {
        let ticks = of(0.5, Order::Random, 4_000);
        let late = ticks.iter().filter(|&&tick| tick > 0).count() as i64;
        assert!((late - 2_000).abs() < 160, "{late}");
        assert!(ticks.iter().all(|&tick| tick < 6));
    }
}
