//! `biased_mf`: matrix factorisation of ratings with biases.
//!
//! Koren, Bell and Volinsky (2009).
//!
//! `rating(u, j) = m + b_u + c_j + x_u . y_j`, where `m` is the mean of all ratings. Minimises `sum_(u, j rated) w (r -
//! rating(u, j))^2 + bias_regularisation (b^2 + c^2) + regularisation (|X|^2 + |Y|^2)` by alternating least squares:
//! with the items fixed, a user's bias and vector solve one linear system, and vice versa. It makes `iterations` sweeps
//! over the log before the first tick, and every `retrain_every` ticks one more over the log and all ratings of the
//! policy's own users. A user's bias and vector are solved for exactly from all ratings of the user whenever these or
//! the items change; a user without ratings gets `m + c_j`. Ratings are levels from 1 to 5; it needs a log with
//! ratings. Rows are solved in parallel and independently, with sums in the order of their entries.
//!
//! It predicts missing ratings as if they were missing at random, which is not true for a log of users' own choices.

use super::item_table::{ItemTable, Taste};
use super::levels::{Entry, Levels, Rated};
use super::{BuildPolicy, Histories, Policy, PolicyContext, PolicyError, Requests, Slates};
use crate::ids::UserId;
use crate::linalg::{LeastSquares, Loop, widest};
use crate::log::EventBatch;
use crate::params::{Parameters, parameters};
use crate::random::{Purpose, Streams, unit};
use rayon::prelude::*;
use std::sync::Arc;

parameters! {
    /// the best predicted ratings, matrix factorisation with biases (Koren, Bell and Volinsky 2009)
    pub(super) struct BiasedMfSpec = "biased_mf" {
        /// length of the vectors of users and items; 0 = biases alone
        #[range(0..=256)]
        factors: usize = 16,
        /// weight of the squared norm of a vector against the sum of squared errors
        #[range(1e-3..=1e9)]
        regularisation: f64 = 8.0,
        /// weight of a squared bias against the sum of squared errors
        #[range(1e-3..=1e9)]
        bias_regularisation: f64 = 3.0,
        /// sweeps over users and items before the first tick
        #[range(1..=1000)]
        iterations: usize = 15,
        /// ticks between further sweeps; 0 = items from the log only
        #[range(0..=1_000_000)]
        retrain_every: u32 = 10,
    }
}

impl BuildPolicy for BiasedMfSpec {
    fn build(self, context: &PolicyContext) -> Result<Box<dyn Policy>, PolicyError> {
        Ok(Box::new(BiasedMf::new(&self, context)?))
    }
}

/// The quantity that is fitted.
#[derive(Clone, Copy, Debug)]
struct Objective {
    factors: usize,
    regularisation: f64,
    bias_regularisation: f64,
}

/// Bias and vector of each item, in rows of `1 + factors`.
#[derive(Clone)]
struct Model {
    objective: Objective,
    mean: f64,
    items: Vec<f32>,
}

impl Model {
    /// Zero biases and small random vectors, from streams with ids above those of all users.
    fn new(objective: Objective, items: usize, mean: f64, streams: &Streams) -> Model {
        let scale = 0.2 / (objective.factors.max(1) as f64).sqrt();
        let rows = (0..items as u64).flat_map(|item| {
            let mut rng = streams.derive(Purpose::Policy, (1 << 32) + item, 0);
            let vector = (0..objective.factors).map(move |_| ((unit(&mut rng) - 0.5) * scale) as f32);
            std::iter::once(0.0).chain(vector)
        });
        Model { objective, mean, items: rows.collect() }
    }

    /// Solves all users, then all items, `sweeps` times.
    fn fit(&mut self, by_user: &Rated, sweeps: usize) {
        self.mean = by_user.mean();
        let by_item = by_user.transposed();
        for _ in 0..sweeps {
            let users = self.solve_all(by_user, &self.items);
            self.items = self.solve_all(&by_item, &users);
        }
    }

    fn width(&self) -> usize {
        1 + self.objective.factors
    }

    fn solve_all(&self, rows: &Rated, fixed: &[f32]) -> Vec<f32> {
        let mut solved = vec![0.0; rows.rows() * self.width()];
        let tasks = solved.par_chunks_mut(self.width()).enumerate();
        tasks.for_each_init(
            || self.system(),
            |system, (row, solved)| widest(Regression { model: self, system, row: rows.row(row), fixed, solved }),
        );
        solved
    }

    /// Memory for the equations of one row.
    fn system(&self) -> LeastSquares {
        LeastSquares::new(self.width())
    }

    /// All items, for users whose offset is `mean + bias`.
    fn table(&self) -> ItemTable {
        ItemTable::new(&self.items, self.objective.factors, true)
    }
}

/// Bias and vector of one row, given those of the other side; left at zero when the row is empty.
struct Regression<'a> {
    model: &'a Model,
    system: &'a mut LeastSquares,
    row: &'a [Entry],
    /// Biases and vectors of the other side.
    fixed: &'a [f32],
    solved: &'a mut [f32],
}

impl Loop for Regression<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        if self.row.is_empty() {
            return;
        }
        let (system, width) = (self.system, self.model.width());
        let mut other = vec![0.0; width];
        system.start_from_zero();
        for entry in self.row {
            let start = entry.column as usize * width;
            other.copy_from_slice(&self.fixed[start..start + width]);
            let left = f64::from(entry.level) - self.model.mean - f64::from(other[0]);
            // The bias of this side is the coefficient of a constant.
            other[0] = 1.0;
            let weight = f64::from(entry.weight);
            system.add(&other, weight, weight * left);
        }
        let Objective { regularisation, bias_regularisation, .. } = self.model.objective;
        // Positive definite by construction: the regularisation is positive.
        if let Some(solution) = system.solve(|place| if place == 0 { bias_regularisation } else { regularisation }) {
            self.solved.iter_mut().zip(solution).for_each(|(to, &from)| *to = from as f32);
        }
    }
}

struct BiasedMf {
    retrain_every: u32,
    levels: Levels,
    histories: Histories,
    model: Arc<Model>,
    table: ItemTable,
    /// Bias and vector of each simulated user.
    users: Vec<f32>,
    fresh: Vec<bool>,
}

impl BiasedMf {
    fn new(params: &BiasedMfSpec, context: &PolicyContext) -> Result<BiasedMf, PolicyError> {
        let objective = Objective {
            factors: params.factors,
            regularisation: params.regularisation,
            bias_regularisation: params.bias_regularisation,
        };
        let levels = Levels::new(context, BiasedMfSpec::NAME)?;
        let sweeps = params.iterations;
        let model = context.fit_drawn(BiasedMfSpec::NAME, &(objective, sweeps), || {
            let matrix = levels.matrix();
            let mut model = Model::new(objective, context.log.items, matrix.mean(), &context.streams);
            model.fit(&matrix, sweeps);
            model
        });
        Ok(BiasedMf {
            retrain_every: params.retrain_every,
            levels,
            histories: Histories::new(context),
            users: vec![0.0; context.sources.len() * model.width()],
            fresh: vec![false; context.sources.len()],
            table: model.table(),
            model,
        })
    }

    /// Solves for these users if they are out of date.
    fn refresh(&mut self, users: &[UserId]) {
        let stale: Vec<UserId> = users.iter().copied().filter(|user| !self.fresh[user.index()]).collect();
        let (model, histories, width) = (&self.model, &self.histories, self.model.width());
        let solved: Vec<Vec<f32>> = stale
            .par_iter()
            .map_init(
                || model.system(),
                |system, &user| {
                    let rated = histories.first_of(user).filter(|(_, level)| !level.is_nan());
                    let mut row: Vec<Entry> =
                        rated.map(|(item, level)| Entry { column: item.0, level, weight: 1.0 }).collect();
                    row.sort_by_key(|entry| entry.column);
                    // Of two ratings of an item the first one counts, as in the matrix.
                    row.dedup_by_key(|entry| entry.column);
                    let mut solved = vec![0.0; width];
                    widest(Regression { model, system, row: &row, fixed: &model.items, solved: &mut solved });
                    solved
                },
            )
            .collect();
        for (user, solved) in stale.into_iter().zip(solved) {
            self.users[user.index() * width..][..width].copy_from_slice(&solved);
            self.fresh[user.index()] = true;
        }
    }
}

impl Policy for BiasedMf {
    fn recommend(&mut self, requests: &Requests<'_>, slates: &mut Slates) -> Result<(), PolicyError> {
        self.refresh(requests.users);
        let (users, mean, width) = (&self.users, self.model.mean as f32, self.model.width());
        self.table.rank(requests, slates, |row| {
            let user = &users[requests.users[row].index() * width..][..width];
            Taste { vector: &user[1..], offset: mean + user[0] }
        });
        slates.mark_certain();
        Ok(())
    }

    fn observe(&mut self, events: &EventBatch) -> Result<(), PolicyError> {
        self.levels.observe(events, &self.histories);
        let fresh = &mut self.fresh;
        self.histories.observe(events, |user, _, _| fresh[user.index()] = false);
        if self.retrain_every > 0 && (events.tick + 1).is_multiple_of(self.retrain_every) {
            Arc::make_mut(&mut self.model).fit(&self.levels.matrix(), 1);
            self.table = self.model.table();
            self.fresh.fill(false);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::testing::{World, build_with, mask};

    fn solve(model: &Model, row: &[Entry], solved: &mut [f32]) {
        widest(Regression { model, system: &mut model.system(), row, fixed: &model.items, solved });
    }

    /// The predicted rating from the bias and vector of a user and an item.
    fn rating(model: &Model, user: &[f32], item: &[f32]) -> f32 {
        let product: f32 = user[1..].iter().zip(&item[1..]).map(|(a, b)| a * b).sum();
        model.mean as f32 + user[0] + item[0] + product
    }

    fn objective(factors: usize) -> Objective {
        Objective { factors, regularisation: 0.7, bias_regularisation: 2.0 }
    }

    #[test]
    fn biases_alone_by_hand() {
        // Without factors a user's bias is sum (r - m - c) / (n + 2): ((5 - 3 - 0.5) + (4 - 3 + 1)) / 4.
        let model = Model { objective: objective(0), mean: 3.0, items: vec![0.5, -1.0] };
        let row = [Entry { column: 0, level: 5.0, weight: 1.0 }, Entry { column: 1, level: 4.0, weight: 1.0 }];
        let mut user = [0.0];
        solve(&model, &row, &mut user);
        assert_eq!(user, [0.875]);
        assert_eq!(rating(&model, &user, &model.items[..1]), 4.375);
    }

    #[test]
    fn the_gradient_of_the_objective_is_zero() {
        let streams = Streams::new(1, 0);
        let levels = Levels::new(&World::new(20, 40).context(), "test").unwrap();
        let mut model = Model::new(objective(3), 40, 3.0, &streams);
        model.fit(&levels.matrix(), 2);
        let row: Vec<Entry> = [(3, 5.0, 1.0), (8, 2.0, 0.5), (21, 4.0, 1.0)]
            .map(|(column, level, weight)| Entry { column, level, weight })
            .to_vec();
        let mut user = vec![0.0; 4];
        solve(&model, &row, &mut user);
        for place in 0..4 {
            let mut gradient = if place == 0 { 2.0 } else { 0.7 } * f64::from(user[place]);
            for entry in &row {
                let item = &model.items[entry.column as usize * 4..][..4];
                let error = f64::from(entry.level - rating(&model, &user, item));
                let slope = if place == 0 { 1.0 } else { f64::from(item[place]) };
                gradient -= f64::from(entry.weight) * error * slope;
            }
            assert!(gradient.abs() < 1e-4, "{place}: {gradient}");
        }
    }

    /// The sum of squared errors of the log and the penalties.
    fn loss(model: &Model, matrix: &Rated) -> f64 {
        let users = model.solve_all(matrix, &model.items);
        let square = |value: f32| f64::from(value) * f64::from(value);
        let penalty = |rows: &[f32]| -> f64 {
            let of =
                |row: &[f32]| 2.0 * square(row[0]) + 0.7 * row[1..].iter().map(|&value| square(value)).sum::<f64>();
            rows.chunks(4).map(of).sum()
        };
        let errors = (0..matrix.rows()).flat_map(|row| matrix.row(row).iter().map(move |entry| (row, entry)));
        let squares = errors.map(|(row, entry)| {
            let item = &model.items[entry.column as usize * 4..][..4];
            square(entry.level - rating(model, &users[row * 4..][..4], item))
        });
        squares.sum::<f64>() + penalty(&users) + penalty(&model.items)
    }

    #[test]
    fn every_sweep_lowers_the_objective() {
        let levels = Levels::new(&World::new(30, 24).context(), "test").unwrap();
        let matrix = levels.matrix();
        let mut model = Model::new(objective(3), 24, 3.0, &Streams::new(2, 0));
        model.fit(&matrix, 1);
        let mut before = loss(&model, &matrix);
        for _ in 0..8 {
            model.fit(&matrix, 1);
            let after = loss(&model, &matrix);
            assert!(after <= before + 1e-4, "{before} -> {after}");
            before = after;
        }
    }

    #[test]
    fn a_user_without_ratings_gets_the_best_items_of_all() {
        // Item i is rated i % 5 + 1: items 4 and 3 are liked, item 0 is not.
        let world = World::with_log(4, 6, &[&[0, 3, 4], &[0, 4], &[0, 3], &[]]).slate(2);
        let params = toml::Table::from_iter([("factors".to_owned(), 0.into())]);
        let mut policy = build_with("biased_mf", params, &world.context());
        let slates = world.recommend(policy.as_mut(), 0, &world.users()[3..], &[mask(6, &[])]);
        assert_eq!(slates.items.iter().map(|item| item.0).collect::<Vec<_>>(), [4, 3]);
    }

    #[test]
    fn retraining_learns_new_items() {
        let world = World::with_log(4, 6, &[&[0, 1], &[0, 1], &[0, 1], &[0, 1]]).slate(1);
        let params = toml::Table::from_iter([("retrain_every".to_owned(), 2.into())]);
        let mut policy = build_with("biased_mf", params, &world.context());
        for tick in 0..2 {
            policy.observe(&world.accept(tick, &[Some(5), Some(5), Some(5), None])).expect("a policy that learns");
        }
        let slates = world.recommend(policy.as_mut(), 2, &world.users()[3..], &[mask(6, &[0, 1])]);
        assert_eq!(slates.items[0].0, 5);
    }
}
