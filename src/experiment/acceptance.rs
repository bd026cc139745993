//! Acceptance in a scenario.
//!
//! Keys for meaning, examination and level become a calibrated user model and sentences for reports.

mod examined;
mod from_log;

use self::examined::examined;
use self::from_log::from_log;
pub(super) use self::from_log::later_lists;
use crate::dataset::{Dataset, RatingScale};
use crate::random::Streams;
use crate::scenario::{AcceptSpec, AcceptanceSpec, UserSpec};
use crate::scene::SceneBatch;
use crate::simulation::StartingPoint;
use crate::user::{Accept, Calibrated, ResponseRule, UserError, UserModel};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The default level that counts as liking.
const USUAL_LEVEL: f32 = 4.0;

/// The meaning of "accepted" in the results of a run, in words.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AcceptanceRecord {
    /// The response that counts as accepting.
    pub accepted: String,
    /// The slots that users examine.
    pub examination: String,
    /// The source of acceptance level and temperature.
    pub level: String,
    /// The mean probability of accepting something from a slate of random candidates at the start.
    pub on_random_slates: f64,
    /// The divisor of the utilities.
    pub temperature: f64,
    /// The lowest of the levels 1 to 5 that counts as liking.
    pub like_level: u8,
    /// Where liking begins, on the scale of the data; ratings count by their nearest level.
    pub like_rating: f64,
}

impl AcceptanceRecord {
    /// Returns true if a rating on this scale counts as liking.
    pub fn is_liking(&self, rating: f32, scale: Option<RatingScale>) -> bool {
        scale.unwrap_or(RatingScale::STARS).is_liked(rating, self.like_level)
    }

    /// All of it in a line.
    pub fn sentence(&self) -> String {
        format!("accepted = {}; {}; {}", self.accepted, self.examination, self.level)
    }
}

/// A user model that is calibrated for a scenario.
pub(super) struct Settled {
    pub model: Calibrated,
    pub record: AcceptanceRecord,
}

/// Applies the scenario's acceptance keys to its data; `probe` are slates of random candidates.
///
/// # Errors
/// When the keys do not fit the data or the model, or the level cannot be reached.
pub(super) fn settle(
    spec: &UserSpec,
    slate: usize,
    data: &Dataset,
    start: &StartingPoint,
    model: Arc<dyn UserModel>,
    probe: &SceneBatch,
    streams: &Streams,
) -> Result<Settled, UserError> {
    let liking = Liking::of(spec, data.scale)?;
    let (examination, looked_at) = examined(spec, slate, data, start, streams.seed())?;
    let rule = ResponseRule { accept: accept(spec, liking, model.as_ref())?, examination };
    let (model, level) = match spec.acceptance {
        AcceptanceSpec::Share(share) => {
            let model = Calibrated::fit(model, rule, spec.temperature, share, probe)?;
            (model, assumed(share, data))
        }
        AcceptanceSpec::Log => from_log(model, rule, liking, data, start, streams)?,
    };
    let on_random_slates = match spec.acceptance {
        AcceptanceSpec::Share(share) => share,
        AcceptanceSpec::Log => model.level(probe)?,
    };
    let record = AcceptanceRecord {
        accepted: match model.rule().accept {
            Accept::Take => "the user takes an item".to_owned(),
            Accept::Like { .. } => format!("the user takes an item and rates it {}", liking.words()),
        },
        examination: looked_at,
        level,
        on_random_slates,
        temperature: f64::from(model.temperature()),
        like_level: liking.level,
        like_rating: f64::from(liking.rating),
    };
    Ok(Settled { model, record })
}

/// The meaning of an assumed level on this log.
fn assumed(share: f64, data: &Dataset) -> String {
    const RELATIVE: &str =
        "; the log has neither ratings nor lists as shown, so acceptance is relative: it orders items and has no level";
    let is_relative = data.scale.is_none() && data.impressions.is_empty();
    let relative = if is_relative { RELATIVE } else { "" };
    format!("the acceptance level is an assumption of the scenario: {share} on random slates at the start{relative}")
}

/// The threshold of liking.
#[derive(Clone, Copy)]
struct Liking {
    level: u8,
    rating: f32,
    scale: RatingScale,
    is_rated: bool,
}

impl Liking {
    fn of(spec: &UserSpec, scale: Option<RatingScale>) -> Result<Liking, UserError> {
        let Some(scale) = scale else {
            if spec.accept == AcceptSpec::Like || spec.like_at.is_some() {
                return Err(UserError::Setup(
                    "`user.accept = \"like\"` and `user.like_at` need a log with ratings, and this one has none; set \
                     `user.accept` to \"take\", or take a log with ratings"
                        .to_owned(),
                ));
            }
            let scale = RatingScale::STARS;
            return Ok(Liking { level: USUAL_LEVEL as u8, rating: USUAL_LEVEL, scale, is_rated: false });
        };
        let rating = spec.like_at.map_or(scale.rating(USUAL_LEVEL), |rating| rating as f32);
        let level = scale.level(rating).round();
        if !scale.contains(rating) || level < 2.0 {
            let RatingScale { min, max } = scale;
            return Err(UserError::Setup(format!(
                "`user.like_at` is {rating}, but the ratings of the data go from {min} to {max}; give one above {}, \
                 so that some ratings do not count as liked",
                scale.rating(1.5)
            )));
        }
        Ok(Liking { level: level as u8, rating, scale, is_rated: true })
    }

    /// Returns true if a rating on the scale of the data counts.
    fn holds(&self, rating: f32) -> bool {
        self.scale.is_liked(rating, self.level)
    }

    fn words(&self) -> String {
        let RatingScale { min, max } = self.scale;
        let exact = self.scale.level(self.rating);
        let nearest = if exact == f32::from(self.level) { "" } else { ", to the nearest level," };
        format!("{} or more on {min} to {max}{nearest} (level {} of 5)", self.rating, self.level)
    }
}

fn accept(spec: &UserSpec, liking: Liking, model: &dyn UserModel) -> Result<Accept, UserError> {
    if spec.accept == AcceptSpec::Take {
        return Ok(Accept::Take);
    }
    debug_assert!(liking.is_rated);
    if !model.rates() {
        return Err(UserError::Setup(format!(
            "`user.accept = \"like\"` needs a user model that rates items itself, and the ratings of the {} user come from \
             the log; set `user.accept` to \"take\"",
            model.kind()
        )));
    }
    Ok(Accept::Like { level: liking.level })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Impression;
    use crate::environment::Environment;
    use crate::experiment::{Experiment, shown_utilities};
    use crate::ids::{ItemId, LogUserId};
    use crate::user::testing::Scripted;
    use crate::user::{RATINGS, Responses};

    /// Users who rate items with high numbers better, from 0 to 10; `lists` of three items, with the second item taken
    /// in every fifth list.
    fn data(lists: u32) -> Dataset {
        let rows = (0..600i64).map(|n| {
            let (user, item) = (n % 29, (n * 11 + n / 29) % 43);
            (format!("u{user}"), format!("i{item}"), Some((item * 10 / 42) as f32), Some(1_000 + n))
        });
        let mut data = Dataset::from_rows("shop", rows).expect("a data set");
        for list in 0..lists {
            let entry = |slot: u16| (ItemId((list + u32::from(slot)) % 43), list % 5 == 0 && slot == 1, slot);
            data.impressions.push(LogUserId(list % 29), 5_000 + i64::from(list), (0..3).map(entry));
        }
        data
    }

    fn experiment(data: &Dataset, settings: &[(&str, &str)]) -> Result<Experiment, String> {
        let mut builder = Environment::builder(data).population(400).slate(4).steps(1).policy("item_mean", &[]);
        builder = builder.set("arrival.probability", 1).set("arrival.rate", "uniform");
        for (key, value) in settings {
            builder = builder.set(key, value);
        }
        builder.experiment().map_err(|problem| problem.to_string())
    }

    /// Users who give item `i` the best rating with odds that grow with `i`.
    fn admire(scenes: &SceneBatch, out: &mut Responses) {
        for (classes, item) in out.rating.chunks_exact_mut(RATINGS).zip(&scenes.items) {
            classes[RATINGS - 1] = if item.is_some() { item.0 as f32 / 8.0 } else { 0.0 };
        }
    }

    /// The mean probability of accepting something from the slates of `item_mean`, and from the reversed slates.
    fn accepted(settings: &[(&str, &str)]) -> [f64; 2] {
        let mut builder = Environment::builder(&data(0)).users(Scripted(admire)).population(400).slate(4).steps(1);
        builder = builder.policy("item_mean", &[]).set("arrival.probability", 1);
        for (key, value) in settings {
            builder = builder.set(key, value);
        }
        let experiment = Arc::new(builder.experiment().expect("an experiment"));
        [false, true].map(|turned| {
            let mut environment = Environment::of(experiment.clone(), 0).expect("an environment");
            let mut policy = environment.policy("item_mean").expect("a policy");
            let mut slates = policy.slates(&environment.observation()).expect("slates");
            if turned {
                slates.items.chunks_mut(4).for_each(<[ItemId]>::reverse);
            }
            let events = environment.step(&slates).expect("a step").events();
            events.probabilities.iter().map(|&share| f64::from(share)).sum::<f64>() / events.len() as f64
        })
    }

    #[test]
    fn the_order_of_a_slate_counts_where_slots_are_examined_by_place() {
        let like = ("user.accept", "like");
        let [best_first, turned] = accepted(&[like]);
        assert!((best_first - turned).abs() < 1e-6, "all slots are examined: {best_first} {turned}");
        for examination in ["position", "cascade"] {
            let [best_first, turned] = accepted(&[like, ("user.examination", examination)]);
            assert!(best_first > turned + 1e-3, "{examination}: {best_first} {turned}");
        }
        // Only the last slot is examined, so only the best item in it is ever accepted.
        let last = [like, ("user.examination", "position"), ("user.examination_weights", "[0, 0, 0, 0.9]")];
        let [best_first, turned] = accepted(&last);
        assert!(turned > best_first, "{best_first} {turned}");
    }

    #[test]
    fn accepted_items_are_liked_if_accepting_means_liking() {
        let settings = [("user.accept", "like"), ("user.like_at", "8"), ("metrics", "acceptance_rate,like_rate")];
        let experiment = experiment(&data(0), &settings).expect("an experiment");
        let record = experiment.acceptance();
        assert_eq!(record.like_level, 4, "8 of 0 to 10 is level 4.2");
        assert!(record.sentence().contains("rates it 8 or more on 0 to 10, to the nearest level, (level 4 of 5)"));
        let mut environment = Environment::of(Arc::new(experiment), 0).expect("an environment");
        let mut policy = environment.policy("item_mean").expect("a policy");
        let slates = policy.slates(&environment.observation()).expect("slates");
        let events = environment.step(&slates).expect("a step").events();
        let rated: Vec<f32> = events.ratings.iter().copied().filter(|rating| !rating.is_nan()).collect();
        assert!(rated.len() > 20 && rated.iter().all(|&rating| rating >= 4.0), "{rated:?}");
        let metrics = environment.metrics();
        assert_eq!(metrics[0].1, metrics[1].1);
    }

    #[test]
    fn acceptance_is_relative_without_ratings_and_impressions() {
        let rows = (0..600i64).map(|n| (format!("u{}", n % 29), format!("i{}", n * 11 % 43), None, Some(1_000 + n)));
        let implicit = Dataset::from_rows("clicks", rows).expect("a data set");
        let level = |data: &Dataset| {
            let builder = Environment::builder(data).population(50).slate(4).steps(1).policy("popular", &[]);
            builder.experiment().expect("an experiment").acceptance().level.clone()
        };
        assert!(level(&implicit).ends_with("so acceptance is relative: it orders items and has no level"));
        assert!(!level(&data(0)).contains("relative") && !level(&data(40)).contains("relative"));
    }

    #[test]
    fn impressions_determine_the_level() {
        let experiment = experiment(&data(400), &[("user.acceptance", "log")]).expect("an experiment");
        let record = experiment.acceptance();
        assert!(record.level.contains("fitted on 400 impressions after the cut, from 20.0% of which"), "{record:?}");
        let lists: Vec<Impression<'_>> = experiment.data.impressions.iter().collect();
        let model = experiment.model();
        let utilities = shown_utilities(model.model(), model.rule(), experiment.start(), &lists).unwrap();
        let accepted = utilities.iter().map(|row| {
            let odds: f64 =
                row[..3].iter().map(|utility| f64::from(utility / model.temperature())).map(libm::exp).sum();
            odds / (odds + libm::exp(f64::from(row[3] / model.temperature() + model.reject_shift())))
        });
        assert!((accepted.sum::<f64>() / 400.0 - 0.2).abs() < 1e-3);
        // Slates have four slots and lists three items.
        assert!(record.on_random_slates > 0.2 && record.on_random_slates < 0.4, "{record:?}");
    }

    #[test]
    fn rated_impressions_determine_the_level_of_liking() {
        let like = [("user.acceptance", "log"), ("user.accept", "like"), ("user.like_at", "8")];
        let mut data = data(400);
        // Every fifth list has something taken; every second of these is rated 9, then 2, and every fourth is not
        // rated.
        let rated = |entry: usize| match entry / 3 / 5 % 4 {
            0 | 2 => 9.0,
            1 => 2.0,
            _ => f32::NAN,
        };
        data.interactions.retain(|row| row.time < 0);
        data.interactions.extend((0..600).map(|n| crate::dataset::Interaction {
            user: LogUserId(n / 21),
            item: ItemId(n % 21),
            rating: (n % 11) as f32,
            time: i64::from(n),
        }));
        data.impressions.items.iter_mut().for_each(|item| *item = ItemId(21 + item.0 % 22));
        data.impressions.ratings = (0..1_200).map(rated).collect();
        let experiment = experiment(&data, &like).expect("an experiment");
        let level = &experiment.acceptance().level;
        // 80 lists with something taken, 60 of them rated, 40 liked; three quarters of 320 others.
        assert!(level.contains("taken and liked; 20 impressions with an item that was taken and not rated"), "{level}");
        let kept: f64 =
            level.split(" impressions").next().and_then(|text| text.rsplit(' ').next()).unwrap().parse().unwrap();
        assert!((kept - 300.0).abs() < 25.0, "{level}");
        let share = format!("from {:.1}% of which", 100.0 * 40.0 / kept);
        assert!(level.contains(&share), "{level}");
    }

    #[test]
    fn impressions_determine_the_examination_of_slots() {
        let mut data = data(0);
        let streams = Streams::new(3, 0);
        let truth = [1.0, 0.5, 0.25, 0.4];
        for list in 0..4_000u32 {
            let mut rng = streams.derive(crate::random::Purpose::Scenes, u64::from(list), 0);
            let entries: Vec<_> = (0..4u16)
                .map(|slot| {
                    let item = crate::random::below(&mut rng, 43);
                    let attraction = 0.2 + 0.6 * f64::from(item) / 43.0;
                    let taken = crate::random::unit(&mut rng) < truth[usize::from(slot)] * attraction;
                    (ItemId(item), taken, slot)
                })
                .collect();
            data.impressions.push(LogUserId(list % 29), 4 * i64::from(list % 500), entries.into_iter());
        }
        let learned = [("user.examination", "position"), ("user.examination_weights", "log")];
        let found = experiment(&data, &learned).expect("an experiment");
        let crate::user::Examination::Position(weights) = &found.model().rule().examination else {
            panic!("by position")
        };
        for (weight, truth) in weights.iter().zip(truth) {
            assert!((f64::from(*weight) - truth).abs() < 0.08, "{weights:?}");
        }
        let said = &found.acceptance().examination;
        assert!(said.contains("as estimated from") && said.contains("impressions before the cut"), "{said}");
        let all: usize =
            said.split("estimated from ").nth(1).and_then(|text| text.split(' ').next()).unwrap().parse().unwrap();
        assert!(all > 1_000 && all < 4_000, "those after the cut are not used: {said}");
    }

    #[test]
    fn keys_that_do_not_fit_the_data_say_what_to_do() {
        let mut unrated = data(0);
        unrated.scale = None;
        unrated.interactions.iter_mut().for_each(|row| row.rating = f32::NAN);
        let mut early = data(40);
        early.impressions.times.iter_mut().for_each(|time| *time -= 5_000);
        let mut none = data(40);
        none.impressions.taken.fill(false);
        type Case<'a> = (&'a Dataset, &'a [(&'a str, &'a str)], &'a str);
        let (position, learned) = (("user.examination", "position"), ("user.examination_weights", "log"));
        let cases: [Case<'_>; 13] = [
            (&data(0), &[("user.acceptance", "log")], "the data have no impressions"),
            (&early, &[("user.acceptance", "log")], "hold out more (`data.holdout`)"),
            (&none, &[("user.acceptance", "log")], "taken from none of the 40 lists"),
            (&data(1), &[("user.acceptance", "log"), ("user.accept", "like")], "set `user.accept` to \"take\""),
            (&data(0), &[position, learned], "is \"log\", and the data have no impressions"),
            (&data(40), &[("user.examination", "cascade"), learned], "set `user.examination` to \"position\""),
            (&none, &[position, learned], "no impression comes before the cut"),
            (&early, &[position, learned], "nothing was taken from slot 1 of the 40 impressions before the cut"),
            (&data(0), &[("user.like_at", "11")], "the ratings of the data go from 0 to 10; give one above 1.25"),
            (&data(0), &[("user.like_at", "1")], "so that some ratings do not count as liked"),
            (&data(0), &[("user.examination", "position"), ("user.examination_weights", "[1]")], "one for each slot"),
            (&data(0), &[("user.examination_weights", "[1, 1, 1, 1]")], "means nothing with"),
            (
                &data(0),
                &[("user.examination", "cascade"), ("user.examination_weights", "[0.5, 1, 0, 0]")],
                "increases from one slot to the next",
            ),
        ];
        for (data, settings, wanted) in cases {
            let problem = experiment(data, settings).err().unwrap_or_else(|| panic!("{settings:?}"));
            assert!(problem.contains(wanted), "{settings:?}: {problem}");
        }
        let builder = Environment::builder(&unrated).policy("popular", &[]).set("user.accept", "like");
        let problem = builder.experiment().err().expect("an error").to_string();
        assert!(problem.contains("need a log with ratings"), "{problem}");
    }
}
