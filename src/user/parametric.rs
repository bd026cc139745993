//! The parametric user: a multinomial logit over interest x item attributes, with position bias and an outside
//! option. The exact, fast twin of the learned models.
//!
//! `u(slot) = taste <interest, x> + popularity p - position log2(1 + slot)`, slots counted from 0, where `x` are the item's
//! unit-length attributes and `p` its popularity so far. Rejecting has utility 0, shifted by the acceptance level.
//! The choice is the logit of McFadden (1974), "Conditional logit analysis of qualitative choice behavior".

use super::{EMPTY_SLOT, Memorised, MemoryShape, RATINGS, Responses, UserError, UserModel};
use crate::dataset::Catalogue;
use crate::ids::{ItemId, UserId};
use crate::scene::{CONTEXT, SceneBatch};
use rayon::prelude::*;

/// Rows that one parallel task answers.
const ROWS_PER_TASK: usize = 128;
/// Ratings below this do not move the interest.
const LIKED: f32 = 3.5;

/// The weights of the utility.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ParametricSpec {
    /// Weight of the match between interest and item.
    pub taste: f64,
    /// Weight of the popularity so far.
    pub popularity: f64,
    /// Utility lost per doubling of the slot number.
    pub position: f64,
    /// How far one accepted item moves the interest.
    pub learning: f64,
}

/// See the module's documentation.
pub struct Parametric {
    spec: ParametricSpec,
    width: usize,
    items: Vec<f32>,
    penalties: Vec<f32>,
}

impl Parametric {
    /// A user model over the genres and years of a catalogue.
    pub fn new(spec: ParametricSpec, catalogue: &Catalogue) -> Parametric {
        // Padded to whole SIMD registers: the tail of each vector is zero.
        let width = (catalogue.genre_names.len() + 2).next_multiple_of(8);
        let mut items = vec![0.0; catalogue.len() * width];
        for (item, row) in items.chunks_exact_mut(width).enumerate() {
            for (bit, value) in row.iter_mut().enumerate().take(catalogue.genre_names.len()) {
                *value = f32::from(u8::from(catalogue.genres[item].contains(bit as u32)));
            }
            let decade = catalogue.years[item].map_or(0.0, |year| (f32::from(year) - 1990.0) / 20.0);
            row[catalogue.genre_names.len()] = decade.clamp(-1.0, 1.0);
            row[catalogue.genre_names.len() + 1] = 0.5;
            let length = row.iter().map(|value| value * value).sum::<f32>().sqrt();
            row.iter_mut().for_each(|value| *value /= length);
        }
        let penalties = (0..256).map(|slot| (spec.position * libm::log2(f64::from(slot) + 1.0)) as f32).collect();
        Parametric { spec, width, items, penalties }
    }

    fn item(&self, item: ItemId) -> &[f32] {
        &self.items[item.index() * self.width..(item.index() + 1) * self.width]
    }

    fn answer(&self, scenes: &SceneBatch, row: usize, choice: &mut [f32], rating: &mut [f32]) {
        let interest = scenes.memory_of(row);
        let context = scenes.context_of(row);
        choice[scenes.slate] = 0.0;
        for (slot, &item) in scenes.items_of(row).iter().enumerate() {
            if !item.is_some() {
                choice[slot] = EMPTY_SLOT;
                continue;
            }
            let fit = dot(interest, self.item(item)) * self.spec.taste as f32;
            let popularity = context[slot * CONTEXT] * self.spec.popularity as f32;
            choice[slot] = fit + popularity - self.penalties[slot.min(255)];
            // A normal-shaped spread around 3.5 plus the match: logit = -(r - mean)^2 / (2 s^2), s = 0.9.
            let mean = 3.5 + 0.5 * fit.clamp(-3.0, 3.0);
            for class in 0..RATINGS {
                let distance = (class + 1) as f32 - mean;
                rating[slot * RATINGS + class] = -distance * distance / 1.62;
            }
        }
    }
}

/// The sum of products in a fixed order: eight partial sums, added pairwise.
#[inline]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; 8];
    for (a, b) in a.chunks_exact(8).zip(b.chunks_exact(8)) {
        for lane in 0..8 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let pairs = [sums[0] + sums[4], sums[1] + sums[5], sums[2] + sums[6], sums[3] + sums[7]];
    (pairs[0] + pairs[2]) + (pairs[1] + pairs[3])
}

impl UserModel for Parametric {
    fn kind(&self) -> &'static str {
        "parametric"
    }

    fn memory(&self) -> MemoryShape {
        MemoryShape { read: self.width, total: self.width }
    }

    fn start(&self, _: &[UserId], memory: &mut [f32]) -> Result<(), UserError> {
        memory.fill(0.0);
        Ok(())
    }

    fn update(&self, memories: &mut [&mut [f32]], events: &[Memorised]) -> Result<(), UserError> {
        let rate = self.spec.learning as f32;
        for (interest, event) in memories.iter_mut().zip(events) {
            if event.rating < LIKED {
                continue;
            }
            for (value, &target) in interest.iter_mut().zip(self.item(event.item)) {
                *value += rate * (target - *value);
            }
        }
        Ok(())
    }

    fn drifts(&self) -> bool {
        true
    }

    fn drift(&self, memories: &mut [&mut [f32]], pulls: &[(ItemId, f32)]) -> Result<(), UserError> {
        for (interest, &(item, rate)) in memories.iter_mut().zip(pulls) {
            for (value, &target) in interest.iter_mut().zip(self.item(item)) {
                *value += rate * (target - *value);
            }
        }
        Ok(())
    }

    fn respond(&self, scenes: &SceneBatch, out: &mut Responses) -> Result<(), UserError> {
        out.resize(scenes.len(), scenes.slate);
        if scenes.is_empty() {
            return Ok(());
        }
        let (choices, ratings) = (scenes.slate + 1, scenes.slate * RATINGS);
        let choice = out.choice.par_chunks_mut(choices * ROWS_PER_TASK);
        let rating = out.rating.par_chunks_mut(ratings * ROWS_PER_TASK);
        choice.zip(rating).enumerate().for_each(|(task, (choice, rating))| {
            let rows = choice.chunks_exact_mut(choices).zip(rating.chunks_exact_mut(ratings));
            for (row, (choice, rating)) in rows.enumerate() {
                self.answer(scenes, task * ROWS_PER_TASK + row, choice, rating);
            }
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::GenreSet;

    fn model(spec: ParametricSpec) -> Parametric {
        let catalogue = Catalogue {
            titles: vec!["a".into(), "b".into()],
            years: vec![Some(1990), None],
            genre_names: vec!["Drama".into(), "War".into()],
            genres: vec![GenreSet(0b01), GenreSet(0b10)],
            ..Catalogue::default()
        };
        Parametric::new(spec, &catalogue)
    }

    const PLAIN: ParametricSpec = ParametricSpec { taste: 2.0, popularity: 0.5, position: 1.0, learning: 0.5 };

    fn scene(model: &Parametric, items: &[ItemId]) -> SceneBatch {
        let mut scenes = SceneBatch::default();
        scenes.reset(1, items.len(), model.memory().read);
        scenes.items.copy_from_slice(items);
        scenes
    }

    #[test]
    fn utility_by_hand() {
        let model = model(PLAIN);
        let mut scenes = scene(&model, &[ItemId(1), ItemId(0), ItemId::NONE]);
        scenes.memory[0] = 1.0; // interest in Drama alone
        scenes.context[0] = 2.0; // popularity of the first slot
        let mut out = Responses::default();
        model.respond(&scenes, &mut out).unwrap();
        let drama = 1.0 / 1.25f32.sqrt(); // item 0 is (1, 0, 0, 0.5) before it gets unit length
        assert!((out.choice[0] - 1.0).abs() < 1e-6, "0 match, 0.5 x 2 popularity, slot 0");
        assert!((out.choice[1] - (2.0 * drama - 1.0)).abs() < 1e-6, "one doubling of the slot number");
        assert_eq!(out.choice[2], EMPTY_SLOT);
        assert_eq!(out.choice[3], 0.0);
    }

    #[test]
    fn liked_items_move_the_interest_and_disliked_ones_do_not() {
        let model = model(PLAIN);
        let mut memory = vec![0.0; model.memory().total];
        model.update(&mut [&mut memory], &[Memorised { item: ItemId(0), rating: 2.0, time: 0 }]).unwrap();
        assert!(memory.iter().all(|&value| value == 0.0));
        model.update(&mut [&mut memory], &[Memorised { item: ItemId(0), rating: f32::NAN, time: 0 }]).unwrap();
        assert!((memory[0] - 0.5 / 1.25f32.sqrt()).abs() < 1e-6, "an unknown rating counts as liked");
    }

    #[test]
    fn a_pull_moves_the_interest_by_its_own_rate() {
        let model = model(ParametricSpec { learning: 0.0, ..PLAIN });
        let mut memory = vec![0.0; model.memory().total];
        model.drift(&mut [&mut memory], &[(ItemId(0), 0.25)]).unwrap();
        assert!((memory[0] - 0.25 / 1.25f32.sqrt()).abs() < 1e-6);
        assert_eq!(memory[1], 0.0);
    }

    #[test]
    fn better_match_means_higher_expected_rating() {
        let model = model(PLAIN);
        let mut scenes = scene(&model, &[ItemId(0), ItemId(1)]);
        scenes.memory[0] = 1.0;
        let mut out = Responses::default();
        model.respond(&scenes, &mut out).unwrap();
        assert!(out.rating[4] > out.rating[RATINGS + 4]);
    }
}
