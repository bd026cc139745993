//! `mmr`: any policy, re-ranked for dissimilar items in a slate.
//!
//! Maximal marginal relevance (Carbonell and Goldstein 1998): from the `pool` best items of the inner policy the next
//! one is that with the largest `relevance r(i) - (1 - relevance) max_{j in slate} s(i, j)`. `r` are the inner scores,
//! scaled to 0..1 within the pool (ranks if there are no scores); `s` is the cosine of the items
//! ([`super::attributes`]): of their categories, `|A and B| / sqrt(|A| |B|)`, or of all fields as numbers. That value
//! is the score. The inner policy learns from the slates that were shown.

use super::attributes::{Attributes, TRAITS};
use super::inner::{INNER, Inner, List, POOL};
use super::{BuildPolicy, Policy, PolicyContext, PolicyError, Requests, SlateRow, Slates};
use crate::log::EventBatch;
use crate::params::{PolicyTable, parameters};

parameters! {
    /// another policy re-ranked so that the items of a slate differ (Carbonell and Goldstein 1998)
    pub(super) struct MmrSpec = "mmr" {
        /// weight of the inner policy's score; the rest is the weight of being unlike the items above
        #[range(0.0..=1.0)]
        relevance: f64 = 0.7,
        #[key(TRAITS)]
        field: String,
        #[key(POOL)]
        pool: usize,
        #[key(INNER)]
        inner: PolicyTable,
    }
}

impl BuildPolicy for MmrSpec {
    fn build(self, context: &PolicyContext) -> Result<Box<dyn Policy>, PolicyError> {
        let inner = Inner::new(&self.inner, 0, context)?;
        let (relevance, pool) = (self.relevance as f32, self.pool);
        Ok(Box::new(Mmr { relevance, pool, attributes: Attributes::new(&self.field, &context.catalogue)?, inner }))
    }
}

struct Mmr {
    relevance: f32,
    pool: usize,
    attributes: Attributes,
    inner: Inner,
}

impl Mmr {
    fn rank(&self, list: &List<'_>, slate: &mut SlateRow<'_>) {
        let relevances = list.relevances();
        let mut likeness = vec![0.0f32; list.items.len()];
        let mut left: Vec<usize> = (0..list.items.len()).collect();
        while !slate.is_full() && !left.is_empty() {
            let value = |place: usize| self.relevance * relevances[place] - (1.0 - self.relevance) * likeness[place];
            // Of equal values the higher one in the inner list.
            let better = |a: &usize, b: &usize| if value(left[*b]) > value(left[*a]) { *b } else { *a };
            let Some(best) = (0..left.len()).reduce(|a, b| better(&a, &b)) else { return };
            let (place, score) = (left[best], value(left[best]));
            left.remove(best);
            slate.push_drawn(list.items[place], score, if list.certain { 1.0 } else { f32::NAN });
            for &other in &left {
                let like = self.attributes.cosine(list.items[other], list.items[place]);
                likeness[other] = likeness[other].max(like);
            }
        }
    }
}

impl Policy for Mmr {
    fn recommend(&mut self, requests: &Requests<'_>, slates: &mut Slates) -> Result<(), PolicyError> {
        self.inner.ask(requests, self.pool.max(requests.slate))?;
        let policy = &*self;
        slates.fill(requests, |request, slate| policy.rank(&policy.inner.list(request.row), slate));
        Ok(())
    }

    fn needs_oracle_access(&self) -> bool {
        self.inner.needs_oracle_access()
    }

    fn observe(&mut self, events: &EventBatch) -> Result<(), PolicyError> {
        self.inner.observe(events)
    }
}

#[cfg(test)]
mod tests {
    use crate::policy::testing::{World, build_with, mask};

    #[test]
    fn slates_by_hand() {
        // Genres of the test catalogue: items 0, 1 Drama + Western; 2, 3 Comedy + Western; 4, 5 War + Western;
        // 6, 7 Drama + Crime. Popularity 4, 3, 2, 0, 1 for items 0, 1, 2, 3, 6: relevances 1, 3/4, 1/2, 0, 1/4.
        let log: [&[u32]; 4] = [&[0, 1, 2, 6], &[0, 1, 2], &[0, 1], &[0]];
        let world = World::with_log(4, 8, &log).slate(3);
        let show = |relevance: f64| {
            let params = format!("relevance = {relevance:?}\npool = 5\ninner = {{ kind = 'popular' }}");
            let mut policy = build_with("mmr", toml::from_str(&params).expect("parameters"), &world.context());
            let open = mask(8, &[]);
            let slates = world.recommend(policy.as_mut(), 0, &world.users()[..1], &[open]);
            (slates.items.iter().map(|item| item.0).collect::<Vec<_>>(), slates.scores)
        };
        assert_eq!(show(1.0).0, [0, 1, 2]);
        // After 0: item 1 has 3/8 - 1/2, item 2 1/4 - 1/4, item 6 1/8 - 1/4. After 2: 1 and 6 are both at -1/8, and the
        // inner order decides.
        let (items, scores) = show(0.5);
        assert_eq!(items, [0, 2, 1]);
        for (found, wanted) in scores.iter().zip([0.5, 0.0, -0.125]) {
            assert!((found - wanted).abs() < 1e-6, "{scores:?}");
        }
        assert_eq!(show(0.1).0[1], 2);
    }
}
