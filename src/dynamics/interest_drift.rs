//! `interest_drift`: exposure that shifts tastes.
//!
//! At every slate one of its items, drawn uniformly for user and tick, is noticed and pulls the taste towards itself by
//! the share `rate` of the distance. The distance depends on the user model: the parametric user's interest moves
//! towards the item's attributes, `w <- w + rate (x - w)`; the mirror's memory moves towards the result of its `update`
//! graph for an acceptance without a rating. Zajonc (1968), "Attitudinal effects of mere exposure", shows that exposure
//! alone creates liking; Jiang, Chiappa, Lattimore, Gyorgy and Kohli (2019), "Degenerate feedback loops in recommender
//! systems", analyse how a recommender that learns from it narrows interests.

use super::{BuildDynamic, Dynamic, DynamicContext, DynamicError, Pull, Step};
use crate::ids::ItemId;
use crate::params::parameters;
use crate::random::{Purpose, Streams, below};

parameters! {
    /// what is shown shifts tastes towards itself (Zajonc 1968; Jiang et al. 2019)
    pub(super) struct InterestDriftSpec = "interest_drift" {
        /// share of the distance by which one noticed item of a slate pulls the taste towards itself; 0 = only accepted
        /// items change a taste
        #[range(0.0..=1.0)]
        rate: f64,
    }
}

impl BuildDynamic for InterestDriftSpec {
    fn build(self, context: &DynamicContext) -> Result<Box<dyn Dynamic>, DynamicError> {
        Ok(Box::new(InterestDrift { rate: self.rate as f32, streams: context.streams }))
    }
}

struct InterestDrift {
    rate: f32,
    streams: Streams,
}

impl Dynamic for InterestDrift {
    fn pulls(&self) -> bool {
        self.rate > 0.0
    }

    fn pull(&self, step: &Step<'_>) -> Option<Pull> {
        let shown = step.items.iter().filter(|item| item.is_some()).count();
        if !self.pulls() || shown == 0 {
            return None;
        }
        let mut rng = self.streams.derive(Purpose::Notice, u64::from(step.user.0), step.tick);
        let item: ItemId = step.items[below(&mut rng, shown as u32) as usize];
        Some(Pull { item, rate: self.rate })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dynamics::testing::step;

    #[test]
    fn every_item_of_a_slate_is_noticed_equally_often() {
        let drift = InterestDrift { rate: 0.25, streams: Streams::new(4, 0) };
        let mut counts = [0; 4];
        for user in 0..4_000 {
            let mut step = step(2, user, &[0, 1, 2, 3], None);
            let items = [step.items, &[ItemId::NONE]].concat();
            step.items = &items;
            let pull = drift.pull(&step).expect("a pull");
            assert_eq!(pull.rate, 0.25);
            counts[pull.item.index()] += 1;
        }
        // Mean 1000, standard deviation 27.
        assert!(counts.iter().all(|&count: &i32| (count - 1000).abs() < 137), "{counts:?}");
    }
}
