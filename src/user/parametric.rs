//! The parametric user.
//!
//! A multinomial logit over interest x item attributes, with position bias and an outside
//! option. The exact, fast twin of the learned models.
//!
//! `u(slot) = taste <interest, x> + popularity p - position log2(1 + slot)`, slots counted from 0, where `x` are the item's
//! unit-length attributes and `p` its popularity so far. Rejecting has utility 0, shifted by the acceptance level.
//! The choice is the logit of McFadden (1974), "Conditional logit analysis of qualitative choice behavior".

use super::{BuildUser, EMPTY_SLOT, Memorised, MemoryShape, RATINGS, Responses, UserContext, UserError, UserModel};
use crate::dataset::Catalogue;
use crate::ids::{ItemId, LogUserId};
use crate::params::parameters;
use crate::scene::{CONTEXT, SceneBatch, unit_fields};
use ndarray::Array2;
use rayon::prelude::*;
use std::sync::Arc;

/// Rows that one parallel task answers at least.
const ROWS_PER_TASK: usize = 128;
/// Categories with a column of their own.
const NAMES: usize = 64;
/// Ratings below this level do not move the interest.
const LIKED: f32 = 3.5;

parameters! {
    /// a multinomial logit over the match of interest and item, popularity and slot.
    pub struct ParametricParameters = "parametric" {
        /// Weight of the match between a user's interest and an item, in logits.
        #[range(0.0..=100.0)]
        taste: f64 = 3.0,
        /// Weight of an item's popularity so far, in logits; negative for users who avoid popular items.
        #[range(-10.0..=10.0)]
        popularity: f64 = 0.3,
        /// Logits lost with every doubling of the slot number: how much less lower slots are examined.
        #[range(0.0..=10.0)]
        position: f64 = 0.2,
        /// How far one accepted item moves the interest towards it, as a share of the distance; 0 keeps tastes fixed.
        #[range(0.0..=1.0)]
        learning: f64 = 0.05,
        /// Field of the items whose categories define tastes, `*` for all fields as numbers. Empty: `data.item_field`,
        /// and all fields if the items have no categories.
        field: String = "",
    }
}

impl BuildUser for ParametricParameters {
    fn build(self, context: &UserContext<'_>) -> Result<Arc<dyn UserModel>, UserError> {
        Ok(Arc::new(Parametric::new(self, context.catalogue)?))
    }
}

/// See the module's documentation.
pub struct Parametric {
    spec: ParametricParameters,
    width: usize,
    items: Vec<f32>,
    penalties: Vec<f32>,
    /// True if any two items differ.
    has_signal: bool,
}

impl Parametric {
    /// A user model over the categories of a field, and the years, of a catalogue. An empty `field` means the category
    /// field; `*`, or no such field, all fields as numbers.
    ///
    /// # Errors
    /// When the items have no such field.
    pub fn new(spec: ParametricParameters, catalogue: &Catalogue) -> Result<Parametric, UserError> {
        let attributes = attributes(catalogue, &spec.field).map_err(UserError::Setup)?;
        // Padded to complete SIMD registers: the tail of each vector is zero.
        let known = attributes.ncols();
        let width = (known + 2).next_multiple_of(8);
        let mut items = vec![0.0; catalogue.len() * width];
        let rows = items.chunks_exact_mut(width).zip(attributes.rows());
        for (item, (row, attributes)) in (0..).map(ItemId).zip(rows) {
            row.iter_mut().zip(attributes).for_each(|(value, &attribute)| *value = attribute);
            let year = catalogue.year(item);
            let decade = if year.is_nan() { 0.0 } else { (year - 1990.0) / 20.0 };
            row[known] = decade.clamp(-1.0, 1.0);
            row[known + 1] = 0.5;
            let length = row.iter().map(|value| value * value).sum::<f32>().sqrt();
            row.iter_mut().for_each(|value| *value /= length);
        }
        let mut vectors = items.chunks_exact(width);
        let first = vectors.next();
        let has_signal = vectors.any(|vector| Some(vector) != first);
        let penalties = (0..256).map(|slot| (spec.position * libm::log2(f64::from(slot) + 1.0)) as f32).collect();
        Ok(Parametric { spec, width, items, penalties, has_signal })
    }

    fn item(&self, item: ItemId) -> &[f32] {
        &self.items[item.index() * self.width..(item.index() + 1) * self.width]
    }

    /// The match of a user's interest with an item, in logits.
    #[inline]
    fn fit(&self, interest: &[f32], item: ItemId) -> f32 {
        dot(interest, self.item(item)) * self.spec.taste as f32
    }

    fn choose_row(&self, scenes: &SceneBatch, row: usize, choice: &mut [f32]) {
        let interest = scenes.memory_of(row);
        let context = scenes.context_of(row);
        choice[scenes.slate] = 0.0;
        for (slot, &item) in scenes.items_of(row).iter().enumerate() {
            if !item.is_some() {
                choice[slot] = EMPTY_SLOT;
                continue;
            }
            let popularity = context[slot * CONTEXT] * self.spec.popularity as f32;
            choice[slot] = self.fit(interest, item) + popularity - self.penalties[slot.min(255)];
        }
    }

    fn choose_rows(&self, scenes: &SceneBatch, choice: &mut [f32]) {
        let rows = choice.par_chunks_mut(scenes.slate + 1).with_min_len(ROWS_PER_TASK).enumerate();
        rows.for_each(|(row, choice)| self.choose_row(scenes, row, choice));
    }

    /// A normal-shaped spread around 3.5 plus the match: logit = -(r - mean)^2 / (2 s^2), s = 0.9.
    fn rate_item(&self, interest: &[f32], item: ItemId, logits: &mut [f32]) {
        let mean = 3.5 + 0.5 * self.fit(interest, item).clamp(-3.0, 3.0);
        for (class, logit) in logits.iter_mut().enumerate() {
            let distance = (class + 1) as f32 - mean;
            *logit = -distance * distance / 1.62;
        }
    }
}

/// `[items, columns]`: 1 for each category of an item. Fields with more than [`NAMES`] categories, and all fields
/// together, are encoded, each field at length 1.
fn attributes(catalogue: &Catalogue, field: &str) -> Result<Array2<f32>, String> {
    let all = field == "*" || (field.is_empty() && catalogue.category().is_none());
    if all {
        return unit_fields(catalogue.fields().iter(), catalogue.len()).map_err(|problem| problem.to_string());
    }
    let categories = catalogue.categories(field).map_err(|problem| problem.to_string())?;
    if categories.len() > NAMES {
        let named = catalogue.fields().get(categories.field());
        return unit_fields(named, catalogue.len()).map_err(|problem| problem.to_string());
    }
    let mut table = Array2::zeros((catalogue.len(), categories.len()));
    for item in 0..catalogue.len() {
        categories.of(ItemId(item as u32)).iter().for_each(|&code| table[(item, code as usize)] = 1.0);
    }
    Ok(table)
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

    fn start(&self, _: &[LogUserId], memory: &mut [f32]) -> Result<(), UserError> {
        memory.fill(0.0);
        Ok(())
    }

    fn update(&self, memories: &mut [&mut [f32]], events: &[Memorised]) -> Result<(), UserError> {
        let rate = self.spec.learning as f32;
        let rows = memories.par_iter_mut().with_min_len(ROWS_PER_TASK).zip(events);
        rows.filter(|(_, event)| event.rating.is_nan() || event.rating >= LIKED).for_each(|(interest, event)| {
            for (value, &target) in interest.iter_mut().zip(self.item(event.item)) {
                *value += rate * (target - *value);
            }
        });
        Ok(())
    }

    fn drifts(&self) -> bool {
        true
    }

    fn notes(&self) -> Vec<String> {
        let note = "the items have no field that distinguishes them: tastes have no effect, and users choose by \
                    popularity and slot";
        if self.has_signal { Vec::new() } else { vec![note.to_owned()] }
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
        self.choose_rows(scenes, &mut out.choice);
        if scenes.slate == 0 {
            return Ok(());
        }
        let rows = out.rating.par_chunks_mut(scenes.slate * RATINGS).with_min_len(ROWS_PER_TASK).enumerate();
        rows.for_each(|(row, rating)| {
            for (&item, logits) in scenes.items_of(row).iter().zip(rating.chunks_exact_mut(RATINGS)) {
                if item.is_some() {
                    self.rate_item(scenes.memory_of(row), item, logits);
                }
            }
        });
        Ok(())
    }

    fn rates_apart(&self) -> bool {
        true
    }

    fn choose(&self, scenes: &SceneBatch, out: &mut Responses) -> Result<(), UserError> {
        out.resize_choices(scenes.len(), scenes.slate);
        self.choose_rows(scenes, &mut out.choice);
        Ok(())
    }

    fn rate(&self, scenes: &SceneBatch, slots: &[(usize, usize)], out: &mut [f32]) -> Result<(), UserError> {
        let ratings = slots.par_iter().with_min_len(ROWS_PER_TASK).zip(out.par_chunks_exact_mut(RATINGS));
        ratings.for_each(|(&(row, slot), logits)| {
            self.rate_item(scenes.memory_of(row), scenes.items_of(row)[slot], logits);
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{Column, Field, Fields};

    fn model(spec: ParametricParameters) -> Parametric {
        let mut catalogue = catalogue();
        catalogue.set_released(Some("year"));
        Parametric::new(spec, &catalogue).expect("categories")
    }

    fn catalogue() -> Catalogue {
        let fields = Fields::new(vec![
            Field { name: "genres".to_owned(), column: Column::of_names([["Drama"], ["War"]]) },
            Field { name: "year".to_owned(), column: Column::Number(vec![1990.0, f32::NAN]) },
        ]);
        Catalogue::new(vec!["a".into(), "b".into()], fields)
    }

    #[test]
    fn a_taste_is_about_the_named_field_and_a_model_without_signal_says_so() {
        let named =
            |field: &str| Parametric::new(ParametricParameters { field: field.to_owned(), ..PLAIN }, &catalogue());
        assert_eq!(named("genres").expect("a field").items, named("").expect("a field").items);
        let problem = named("studio").err().expect("no such field").to_string();
        assert!(problem.contains("no field `studio`"), "{problem}");
        let alone = Catalogue::new(
            vec![String::new(); 9],
            Fields::new(vec![Field {
                name: "price".to_owned(),
                column: Column::Number((0..9).map(|item| (item % 3) as f32).collect()),
            }]),
        );
        assert!(Parametric::new(PLAIN, &alone).expect("all fields").notes().is_empty());
        let blind = Parametric::new(PLAIN, &Catalogue::unknown(3)).expect("no field is no error");
        assert!(blind.notes()[0].contains("no field that distinguishes them"), "{:?}", blind.notes());
    }

    #[test]
    fn a_field_of_many_categories_has_a_column_for_the_most_frequent() {
        let rows: Vec<Vec<String>> = (0..400).map(|item| vec![format!("shop {}", item % 200)]).collect();
        let fields = Fields::new(vec![Field { name: "shop".to_owned(), column: Column::of_names(&rows) }]);
        let catalogue = Catalogue::new(vec![String::new(); 400], fields);
        let model =
            Parametric::new(ParametricParameters { field: "shop".to_owned(), ..PLAIN }, &catalogue).expect("a field");
        assert_eq!(model.width, 72, "64 names, other, missing, year and constant");
        // Categories of equal frequency come in alphabetical order: "shop 0", "shop 1", "shop 10", ...
        assert_eq!(model.item(ItemId(1)), model.item(ItemId(201)));
        assert_ne!(model.item(ItemId(1)), model.item(ItemId(10)));
        assert_eq!(model.item(ItemId(98)), model.item(ItemId(99)), "others");
    }

    const PLAIN: ParametricParameters =
        ParametricParameters { taste: 2.0, popularity: 0.5, position: 1.0, learning: 0.5, field: String::new() };

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
        let model = model(ParametricParameters { learning: 0.0, ..PLAIN });
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
