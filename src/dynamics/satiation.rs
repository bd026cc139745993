//! `satiation`: categories that lose appeal after use.
//!
//! For each user and category of the items, `s(t) = g (s(t-1) + u(t-1))` with `g = 2^(-1 / half_life)`; `u` is 1 for
//! each category of an accepted item, or with `by = "exposure"` the share of the slate that has the category. A slot
//! loses `strength` times the mean of `s` over the categories of its item, in logits. Items without categories do not
//! satiate. The linear system and the utility `b - strength s` are those of Leqi, Kilinc-Karzan, Lipton and Montgomery
//! (2021), "Rebounding bandits for modeling satiation effects".

use super::{BuildDynamic, Dynamic, DynamicContext, DynamicError, Shown, Step};
use crate::dataset::{FieldError, ItemCategories};
use crate::ids::{ItemId, UserId};
use crate::params::{parameters, words};
use std::sync::Arc;

words! {
    /// The events that satiate.
    pub(super) enum By { Acceptance = "acceptance", Exposure = "exposure" }
}

parameters! {
    /// a category that was consumed or seen appeals less, and recovers (Leqi et al. 2021)
    pub(super) struct SatiationSpec = "satiation" {
        /// logits that a slot loses for each unit of satiation with its categories; 0 = no satiation
        #[range(0.0..=100.0)]
        strength: f64,
        /// ticks after which half of the satiation is gone
        #[range(0.01..=1e6)]
        half_life: f64 = 5.0,
        /// what satiates: `acceptance` adds 1 to each category of an accepted item, `exposure` adds to each category
        /// its share of the slate
        by: By = By::Acceptance,
        /// field of the items whose categories satiate; empty takes `data.item_field`
        field: String = "",
    }
}

impl BuildDynamic for SatiationSpec {
    fn build(self, context: &DynamicContext) -> Result<Box<dyn Dynamic>, DynamicError> {
        Satiation::new(&self, context).map(|made| Box::new(made) as Box<dyn Dynamic>)
    }
}

struct Satiation {
    categories: Arc<ItemCategories>,
    strength: f32,
    half_life: f64,
    by_exposure: bool,
}

impl Satiation {
    fn new(params: &SatiationSpec, context: &DynamicContext) -> Result<Satiation, DynamicError> {
        let (found, strength) = (context.catalogue.categories(&params.field), params.strength as f32);
        // Without strength no categories are needed.
        let found = if strength == 0.0 { found.or_else(|_| Ok(Arc::default())) } else { found };
        Ok(Satiation {
            categories: found.map_err(|problem: FieldError| DynamicError(problem.to_string()))?,
            strength,
            half_life: params.half_life,
            by_exposure: params.by == By::Exposure,
        })
    }

    /// The decayed levels at `tick`; the last number is the tick of the stored levels.
    fn left(&self, tick: u32, state: &[f32]) -> f32 {
        let passed = f64::from(tick) - f64::from(state[self.categories.len()]);
        libm::exp2(-passed / self.half_life) as f32
    }

    fn categories_of(&self, item: ItemId) -> impl Iterator<Item = usize> + '_ {
        self.categories.of(item).iter().map(|&code| code as usize)
    }
}

impl Dynamic for Satiation {
    /// One level for each category, and the tick of the levels.
    fn width(&self) -> usize {
        self.categories.len() + 1
    }

    fn start(&self, _: UserId, state: &mut [f32]) {
        state.fill(0.0);
    }

    fn shift(&self, shown: &Shown<'_>, state: &[f32], logits: &mut [f32]) {
        let left = self.strength * self.left(shown.tick, state);
        for (logit, &item) in logits.iter_mut().zip(shown.items) {
            let (mut sum, mut count) = (0.0, 0.0);
            for category in self.categories_of(item) {
                sum += state[category];
                count += 1.0;
            }
            if count > 0.0 {
                *logit -= left * (sum / count);
            }
        }
    }

    fn remember(&self, step: &Step<'_>, state: &mut [f32]) {
        let left = self.left(step.tick, state);
        state[..self.categories.len()].iter_mut().for_each(|level| *level *= left);
        state[self.categories.len()] = step.tick as f32;
        if self.by_exposure {
            let shown = step.items.iter().filter(|item| item.is_some()).count().max(1) as f32;
            for &item in step.items {
                self.categories_of(item).for_each(|category| state[category] += 1.0 / shown);
            }
        } else if let Some(item) = step.accepted {
            self.categories_of(item).for_each(|category| state[category] += 1.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dynamics::testing::{context, step};

    fn build(by: By) -> Satiation {
        // Item 0 is Drama + Western, item 2 Comedy + Western (see the test catalogue).
        let params = SatiationSpec { strength: 2.0, half_life: 1.0, by, field: String::new() };
        Satiation::new(&params, &context(3, 8)).expect("categories")
    }

    #[test]
    fn levels_by_hand() {
        let satiation = build(By::Acceptance);
        let mut state = vec![0.0; satiation.width()];
        satiation.remember(&step(0, 0, &[0, 2], Some(0)), &mut state);
        let items = [ItemId(0), ItemId(2), ItemId::NONE];
        let shown = Shown { tick: 1, user: UserId(0), items: &items };
        let mut logits = [0.0; 4];
        satiation.shift(&shown, &state, &mut logits);
        // A tick later half remains: item 0 has both genres at 1/2, item 2 one of its two.
        assert_eq!(logits, [-1.0, -0.5, 0.0, 0.0]);
        satiation.remember(&step(1, 0, &[2], None), &mut state);
        satiation.remember(&step(3, 0, &[0], Some(0)), &mut state);
        logits = [0.0; 4];
        satiation.shift(&Shown { tick: 3, ..shown }, &state, &mut logits);
        assert_eq!(logits[0], -2.0 * 1.125, "1/8 of the first and the new one");
    }

    #[test]
    fn without_categories_there_is_something_to_do() {
        let context = DynamicContext { catalogue: Arc::new(crate::dataset::Catalogue::unknown(8)), ..context(3, 8) };
        let build = |strength: f64| {
            let params = SatiationSpec { strength, half_life: 5.0, by: By::Acceptance, field: String::new() };
            Satiation::new(&params, &context).map(|made| made.width())
        };
        let problem = build(1.0).expect_err("nothing can bore").to_string();
        assert!(problem.contains("data.item_field"), "{problem}");
        assert_eq!(build(0.0).ok(), Some(1));
    }

    #[test]
    fn being_shown_satiates_by_the_share_of_the_slate() {
        let satiation = build(By::Exposure);
        let mut state = vec![0.0; satiation.width()];
        satiation.remember(&step(0, 0, &[0, 2], None), &mut state);
        let items = [ItemId(0)];
        let mut logits = [0.0; 2];
        satiation.shift(&Shown { tick: 0, user: UserId(0), items: &items }, &state, &mut logits);
        // Drama in half of the slots, Western in all.
        assert_eq!(logits, [-2.0 * 0.75, 0.0]);
    }
}
