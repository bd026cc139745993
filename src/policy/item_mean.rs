//! `item_mean`: items by their mean rating.
//!
//! `score(j) = (sum of the ratings of j + shrinkage * mean of all ratings) / (ratings of j + shrinkage)`: a mean that
//! is shrunk towards that of all items as if each had `shrinkage` more ratings, so that one enthusiastic rating does
//! not lead the list (a normal prior; the "damped mean" of Ekstrand, Riedl and Konstan 2011, section 2.1). Equal scores
//! are ordered by item id. Ratings are levels from 1 to 5. With `learn` the ratings of the policy's own users count as
//! well; acceptances without a rating do not. It needs a log with ratings.

use super::levels::Levels;
use super::{BuildPolicy, Policy, PolicyContext, PolicyError, Requests, Slates};
use crate::ids::ItemId;
use crate::log::EventBatch;
use crate::params::{Parameters, parameters};

parameters! {
    /// the items with the best mean rating, shrunken (Ekstrand, Riedl and Konstan 2011)
    pub(super) struct ItemMeanSpec = "item_mean" {
        /// ratings at the mean of all items that are added to each item's own
        #[range(0.0..=1e9)]
        shrinkage: f64 = 5.0,
        /// whether ratings of accepted items count, besides the log
        learn: bool = true,
    }
}

impl BuildPolicy for ItemMeanSpec {
    fn build(self, context: &PolicyContext) -> Result<Box<dyn Policy>, PolicyError> {
        Ok(Box::new(ItemMean::new(&self, context)?))
    }
}

struct ItemMean {
    shrinkage: f64,
    learn: bool,
    /// By item: the sum of its ratings, and their number.
    sums: Vec<(f64, f64)>,
    scores: Vec<f32>,
    /// All items, best first; empty while out of date.
    ranking: Vec<ItemId>,
}

impl ItemMean {
    fn new(params: &ItemMeanSpec, context: &PolicyContext) -> Result<ItemMean, PolicyError> {
        // Refuses a log without ratings.
        Levels::new(context, ItemMeanSpec::NAME)?;
        let mut sums = vec![(0.0, 0.0); context.log.items];
        for row in context.log.rows.iter().filter(|row| !row.rating.is_nan()) {
            add(&mut sums[row.item.index()], row.rating);
        }
        let (shrinkage, learn) = (params.shrinkage, params.learn);
        Ok(ItemMean { shrinkage, learn, sums, scores: Vec::new(), ranking: Vec::new() })
    }

    fn rank(&mut self) {
        let all = self.sums.iter().fold((0.0, 0.0), |all, one| (all.0 + one.0, all.1 + one.1));
        let mean = if all.1 > 0.0 { all.0 / all.1 } else { 0.0 };
        // Without shrinkage an item without ratings has no mean.
        let score = |&(sum, count): &(f64, f64)| {
            let weight = count + self.shrinkage;
            if weight > 0.0 { ((sum + self.shrinkage * mean) / weight) as f32 } else { mean as f32 }
        };
        self.scores = self.sums.iter().map(score).collect();
        let scores = &self.scores;
        self.ranking.extend((0..scores.len() as u32).map(ItemId));
        self.ranking.sort_unstable_by(|&a, &b| scores[b.index()].total_cmp(&scores[a.index()]).then_with(|| a.cmp(&b)));
    }
}

fn add(sum: &mut (f64, f64), rating: f32) {
    *sum = (sum.0 + f64::from(rating), sum.1 + 1.0);
}

impl Policy for ItemMean {
    fn recommend(&mut self, requests: &Requests<'_>, slates: &mut Slates) -> Result<(), PolicyError> {
        if self.ranking.is_empty() {
            self.rank();
        }
        let (ranking, scores) = (&self.ranking, &self.scores);
        slates.fill(requests, |request, slate| {
            let allowed = ranking.iter().filter(|&&item| request.allows(item));
            for &item in allowed.take(request.slate) {
                slate.push(item, scores[item.index()]);
            }
        });
        slates.mark_certain();
        Ok(())
    }

    fn observe(&mut self, events: &EventBatch) -> Result<(), PolicyError> {
        if !self.learn {
            return Ok(());
        }
        for (row, &rating) in events.ratings.iter().enumerate().filter(|(_, rating)| !rating.is_nan()) {
            if let Some(item) = events.accepted_item(row) {
                add(&mut self.sums[item.index()], rating);
            }
        }
        self.ranking.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::policy::testing::{World, build, build_with, mask};

    /// Item `i` is rated `i % 5 + 1`: item 4 has one rating of 5, item 3 three of 4, item 0 one of 1; 1, 2 and 5 have none.
    fn world() -> World {
        World::with_log(3, 6, &[&[3, 4], &[3], &[0, 3]]).slate(6)
    }

    fn ranking(world: &World, policy: &mut dyn crate::policy::Policy) -> (Vec<u32>, Vec<f32>) {
        let slates = world.recommend(policy, 0, &world.users()[..1], &[mask(6, &[])]);
        (slates.items.iter().map(|item| item.0).collect(), slates.scores)
    }

    #[test]
    fn means_are_shrunk_towards_that_of_all_ratings() {
        let world = world();
        // The mean of all is 18 / 5 = 3.6: items 3, 4 and 0 have (12 + 18) / 8, (5 + 18) / 6 and (1 + 18) / 6.
        let (items, scores) = ranking(&world, build("item_mean", &world.context()).as_mut());
        assert_eq!(items, [4, 3, 1, 2, 5, 0]);
        assert_eq!(scores, [23.0 / 6.0, 3.75, 3.6, 3.6, 3.6, 19.0 / 6.0]);
        let params = toml::Table::from_iter([("shrinkage".to_owned(), 0.0.into())]);
        let (items, scores) = ranking(&world, build_with("item_mean", params, &world.context()).as_mut());
        assert_eq!(items, [4, 3, 1, 2, 5, 0]);
        assert_eq!(scores, [5.0, 4.0, 3.6, 3.6, 3.6, 1.0]);
    }

    #[test]
    fn ratings_since_count_unless_learning_is_off() {
        for (learn, best) in [(true, 3.0 + 2.0 / 3.0), (false, 23.0 / 6.0)] {
            let world = world();
            let params = toml::Table::from_iter([("learn".to_owned(), learn.into())]);
            let mut policy = build_with("item_mean", params, &world.context());
            // Two users rate item 4 with 4 and 1: with the log (5 + 4 + 1 + 5 m) / 8, m = 23 / 7.
            let mut events = world.accept(0, &[Some(4), Some(4), None]);
            events.ratings = vec![4.0, 1.0, f32::NAN];
            policy.observe(&events).expect("a policy that learns");
            let (_, scores) = ranking(&world, policy.as_mut());
            // Item 3 then leads with (12 + 5 * 23 / 7) / 8.
            let wanted = if learn { (12.0 + 5.0 * 23.0 / 7.0) / 8.0 } else { best };
            assert!((scores[0] - wanted as f32).abs() < 1e-6, "{scores:?}");
        }
    }

    #[test]
    fn a_log_without_ratings_is_an_error_that_names_policies_without() {
        for kind in ["item_mean", "biased_mf"] {
            let kind = crate::policy::all().iter().find(|known| known.name == kind).unwrap();
            let mut context = world().context();
            let mut log = (*context.log).clone();
            log.rows.iter_mut().for_each(|row| row.rating = f32::NAN);
            context.log = log.into();
            let problem = kind.build(&toml::Table::new(), &context).err().expect("an error");
            assert!(problem.to_string().contains("the log before the start has none"), "{problem}");
        }
    }
}
