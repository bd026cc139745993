//! Item factors by implicit alternating least squares.
//!
//! Hu, Koren and Volinsky 2008: minimise `sum_ui c_ui (p_ui - x_u . y_i)^2 + reg (|X|^2 + |Y|^2)` with `p = 1` if the
//! user has the item and 0 otherwise, and confidence `c = 1 + alpha w` (`w` is the weight in [`super::feedback`]). With
//! one side fixed each row of the other solves `(Y'Y + alpha sum w y y' + reg I) x = sum (1 + alpha w) y`, by Cholesky, or
//! approximately by three steps of the conjugate gradient from its vector of the sweep before.
//! Rows are solved in parallel and independently, with sums in the order of their entries, so the number of threads
//! changes no bit.

use super::feedback::{Feedback, Sparse};
use super::item_table::ItemTable;
use super::{Histories, PolicyContext};
use crate::ids::{ItemId, UserId};
use crate::linalg::{ConjugateGradient, LeastSquares, Loop, Shared, Symmetric, widest};
use crate::params::words;
use crate::random::{Purpose, Streams, unit};
use rayon::prelude::*;
use std::sync::Arc;

words! {
    /// The solver of a sweep's regressions.
    pub enum Solver { Cholesky = "cholesky", ConjugateGradient = "conjugate_gradient" }
}

/// Steps of the conjugate gradient for a row and sweep.
const STEPS: usize = 3;

/// The quantity that is fitted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Objective {
    /// Length of the vectors.
    pub factors: usize,
    /// Confidence gained per unit of weight.
    pub alpha: f64,
    /// Weight of the squared norm of a vector.
    pub regularisation: f64,
}

/// One vector for each item.
#[derive(Clone)]
pub(super) struct Factors {
    objective: Objective,
    /// `[items, factors]`.
    values: Vec<f32>,
    /// `Y'Y`.
    gram: Symmetric,
}

/// Rows that one parallel task solves.
const ROWS_PER_TASK: usize = 16;

impl Factors {
    /// Small random vectors, from streams with ids above those of all users.
    pub fn new(objective: Objective, items: usize, streams: &Streams) -> Factors {
        let scale = 0.2 / (objective.factors as f64).sqrt();
        let values = (0..items as u64).flat_map(|item| {
            let mut rng = streams.derive(Purpose::Policy, (1 << 32) + item, 0);
            (0..objective.factors).map(move |_| ((unit(&mut rng) - 0.5) * scale) as f32)
        });
        let values: Vec<f32> = values.collect();
        let gram = widest(Gram(&values, objective.factors));
        Factors { objective, values, gram }
    }

    /// Fitted to the log before the start with this many sweeps.
    pub fn of_log(objective: Objective, sweeps: usize, solver: Solver, context: &PolicyContext) -> Arc<Factors> {
        context.fit_drawn("factors", &(objective, sweeps, solver), || {
            let mut factors = Factors::new(objective, context.log.items, &context.streams);
            factors.fit(&Feedback::new(context).matrix(), sweeps, solver);
            factors
        })
    }

    /// Solves all users, then all items, `sweeps` times.
    pub fn fit(&mut self, by_user: &Sparse, sweeps: usize, solver: Solver) {
        let by_item = by_user.transposed();
        let factors = self.objective.factors;
        let mut users = vec![0.0; by_user.rows() * factors];
        for _ in 0..sweeps {
            let rows = self.rows(|row, entries| entries.extend_from_slice(by_user.row(row)));
            users = match solver {
                Solver::Cholesky => rows.solve(by_user.rows()),
                Solver::ConjugateGradient => rows.improve(users),
            };
            let gram = widest(Gram(&users, factors));
            let row = |row: usize, entries: &mut Vec<(u32, f32)>| entries.extend_from_slice(by_item.row(row));
            let rows = Rows { objective: &self.objective, fixed: &users, gram: &gram, row };
            self.values = match solver {
                Solver::Cholesky => rows.solve(by_item.rows()),
                Solver::ConjugateGradient => rows.improve(std::mem::take(&mut self.values)),
            };
            self.gram = widest(Gram(&self.values, factors));
        }
    }

    /// Length of a vector.
    pub fn factors(&self) -> usize {
        self.objective.factors
    }

    /// The vectors of all items, for comparison with users.
    pub fn table(&self) -> ItemTable {
        ItemTable::new(&self.values, self.objective.factors, false)
    }

    /// The vectors of all items, `[items, factors]`.
    pub fn items(&self) -> &[f32] {
        &self.values
    }

    /// The regressions of rows against the items; `row` writes their entries.
    fn rows<R: Fn(usize, &mut Vec<(u32, f32)>)>(&self, row: R) -> Rows<'_, R> {
        Rows { objective: &self.objective, fixed: &self.values, gram: &self.gram, row }
    }
}

/// The regressions of many rows against the other side.
struct Rows<'a, R> {
    objective: &'a Objective,
    /// The vectors of the other side.
    fixed: &'a [f32],
    gram: &'a Symmetric,
    /// Writes the entries of a row.
    row: R,
}

impl<R: Fn(usize, &mut Vec<(u32, f32)>) + Sync> Rows<'_, R> {
    /// The vectors of rows `0..count`.
    fn solve(&self, count: usize) -> Vec<f32> {
        let factors = self.objective.factors;
        let scratch = || LeastSquares::new(factors);
        self.each(vec![0.0; count * factors], scratch, |system, entries, vector| {
            widest(Regression { rows: self, system, entries, vector });
        })
    }

    /// The vectors of all rows, improved from those of the sweep before.
    fn improve(&self, vectors: Vec<f32>) -> Vec<f32> {
        let factors = self.objective.factors;
        let shared = Shared::new(self.gram, self.objective.regularisation, factors);
        self.each(
            vectors,
            || ConjugateGradient::new(factors),
            |system, entries, vector| {
                widest(Improvement { rows: self, shared: &shared, system, entries, vector });
            },
        )
    }

    /// Writes the vector of each row by `fit`, in parallel; zero where a row is empty.
    fn each<S>(
        &self,
        mut vectors: Vec<f32>,
        scratch: impl Fn() -> S + Send + Sync,
        fit: impl Fn(&mut S, &[(u32, f32)], &mut [f32]) + Send + Sync,
    ) -> Vec<f32> {
        let factors = self.objective.factors;
        let tasks = vectors.par_chunks_mut(factors * ROWS_PER_TASK).enumerate();
        tasks.for_each_init(
            || (scratch(), Vec::new()),
            |(system, entries), (task, vectors)| {
                for (vector, row) in vectors.chunks_exact_mut(factors).zip(task * ROWS_PER_TASK..) {
                    entries.clear();
                    (self.row)(row, entries);
                    if entries.is_empty() {
                        vector.fill(0.0);
                    } else {
                        fit(system, entries, vector);
                    }
                }
            },
        );
        vectors
    }
}

/// The approximation of one row.
struct Improvement<'a, 'b, R> {
    rows: &'a Rows<'b, R>,
    shared: &'a Shared,
    system: &'a mut ConjugateGradient,
    entries: &'a [(u32, f32)],
    vector: &'a mut [f32],
}

impl<R> Loop for Improvement<'_, '_, R> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let alpha = self.rows.objective.alpha;
        let rows = self.entries.iter().map(|&(column, weight)| {
            let confidence = (alpha * f64::from(weight)) as f32;
            (column as usize, confidence, 1.0 + confidence)
        });
        self.system.improve(self.shared, self.rows.fixed, rows, STEPS, self.vector);
    }
}

/// The regression of one row.
struct Regression<'a, 'b, R> {
    rows: &'a Rows<'b, R>,
    system: &'a mut LeastSquares,
    entries: &'a [(u32, f32)],
    vector: &'a mut [f32],
}

impl<R> Loop for Regression<'_, '_, R> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Rows { objective, fixed, gram, .. } = self.rows;
        self.system.start_from(gram);
        for &(column, weight) in self.entries {
            let confidence = objective.alpha * f64::from(weight);
            let start = column as usize * objective.factors;
            self.system.add(&fixed[start..start + objective.factors], confidence, 1.0 + confidence);
        }
        // Positive definite by construction: the regularisation is positive.
        if let Some(solution) = self.system.solve(|_| objective.regularisation) {
            self.vector.iter_mut().zip(solution).for_each(|(to, &from)| *to = from as f32);
        }
    }
}

/// Adds `scale * v v'` to the lower triangle of a column-major matrix.
pub(super) fn add_outer(matrix: &mut [f64], vector: &[f64], scale: f64) {
    let size = vector.len();
    for (column, values) in matrix.chunks_exact_mut(size).enumerate() {
        let factor = scale * vector[column];
        values[column..].iter_mut().zip(&vector[column..]).for_each(|(sum, &value)| *sum += factor * value);
    }
}

/// The sum of the outer products of all rows.
struct Gram<'a>(&'a [f32], usize);

impl Loop for Gram<'_> {
    type Output = Symmetric;

    #[inline(always)]
    fn run(self) -> Symmetric {
        let mut system = LeastSquares::new(self.1);
        self.0.chunks_exact(self.1).for_each(|row| system.add(row, 1.0, 0.0));
        system.sums()
    }
}

/// The vectors of simulated users, folded in on request from their distinct items if they are out of date.
pub(super) struct UserVectors {
    factors: usize,
    values: Vec<f32>,
    fresh: Vec<bool>,
    /// The distinct items of each user in ascending order, from the first request on: a history with repeats grows
    /// without bound, its distinct items do not.
    distinct: Vec<Option<Vec<u32>>>,
}

impl UserVectors {
    /// Vectors that are all out of date.
    pub fn new(context: &PolicyContext, factors: usize) -> UserVectors {
        let users = context.sources.len();
        UserVectors {
            factors,
            values: vec![0.0; users * factors],
            fresh: vec![false; users],
            distinct: vec![None; users],
        }
    }

    /// Adds an accepted item; a new one makes the user out of date.
    pub fn accept(&mut self, user: UserId, item: ItemId) {
        if let Some(known) = &mut self.distinct[user.index()]
            && let Err(place) = known.binary_search(&item.0)
        {
            known.insert(place, item.0);
            self.fresh[user.index()] = false;
        }
    }

    /// Marks all users as out of date.
    pub fn outdate_all(&mut self) {
        self.fresh.fill(false);
    }

    /// Updates these users.
    pub fn refresh(&mut self, users: &[UserId], histories: &Histories, factors: &Factors) {
        let stale: Vec<UserId> = users.iter().copied().filter(|user| !self.fresh[user.index()]).collect();
        for &user in &stale {
            self.distinct[user.index()].get_or_insert_with(|| {
                let mut items: Vec<u32> = histories.first_of(user).map(|(item, _)| item.0).collect();
                items.sort_unstable();
                items.dedup();
                items
            });
        }
        let distinct = &self.distinct;
        let row = |row: usize, entries: &mut Vec<(u32, f32)>| {
            entries.extend(distinct[stale[row].index()].iter().flatten().map(|&item| (item, 1.0)));
        };
        let vectors = factors.rows(row).solve(stale.len());
        for (user, vector) in stale.iter().zip(vectors.chunks_exact(self.factors)) {
            self.values[user.index() * self.factors..][..self.factors].copy_from_slice(vector);
            self.fresh[user.index()] = true;
        }
    }

    /// The vector of an up-to-date user.
    pub fn of(&self, user: UserId) -> &[f32] {
        &self.values[user.index() * self.factors..][..self.factors]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::testing::World;

    fn fold_in(factors: &Factors, row: &[(u32, f32)]) -> Vec<f32> {
        factors.rows(|_, entries| entries.extend_from_slice(row)).solve(1)
    }

    #[test]
    fn one_row_by_hand() {
        // One factor, items 1 and 2, the user has item 1: (1 + 4 + 3 * 1 + 2) x = (1 + 3) * 1.
        let objective = Objective { factors: 1, alpha: 3.0, regularisation: 2.0 };
        let factors = Factors { objective, values: vec![1.0, 2.0], gram: widest(Gram(&[1.0, 2.0], 1)) };
        assert_eq!(fold_in(&factors, &[(0, 1.0)]), [0.4]);
        assert_eq!(fold_in(&factors, &[]), [0.0]);
    }

    /// `sum_ui c_ui (p_ui - x_u . y_i)^2 + reg (|X|^2 + |Y|^2)` with exact vectors of users.
    fn loss(factors: &Factors, log: &Sparse) -> f64 {
        let Objective { factors: size, alpha, regularisation } = factors.objective;
        let square = |vector: &[f32]| vector.iter().map(|&value| f64::from(value) * f64::from(value)).sum::<f64>();
        let mut sum = regularisation * square(factors.items());
        for row in 0..log.rows() {
            let user = fold_in(factors, log.row(row));
            sum += regularisation * square(&user);
            for (item, vector) in factors.items().chunks(size).enumerate() {
                let weight = log.row(row).iter().find(|entry| entry.0 as usize == item).map(|entry| f64::from(entry.1));
                let predicted: f64 = user.iter().zip(vector).map(|(a, b)| f64::from(a * b)).sum();
                let wanted = f64::from(u8::from(weight.is_some()));
                sum += (1.0 + alpha * weight.unwrap_or(0.0)) * (wanted - predicted) * (wanted - predicted);
            }
        }
        sum
    }

    #[test]
    fn the_conjugate_gradient_comes_close_to_the_loss_of_the_exact_solution() {
        let objective = Objective { factors: 8, alpha: 5.0, regularisation: 0.7 };
        let log = Feedback::new(&World::new(60, 80).context()).matrix();
        let after = |sweeps: usize, solver: Solver| {
            let mut factors = Factors::new(objective, 80, &Streams::new(1, 0));
            factors.fit(&log, sweeps, solver);
            loss(&factors, &log)
        };
        let (exact, close) = (after(10, Solver::Cholesky), after(10, Solver::ConjugateGradient));
        assert!((close / exact - 1.0).abs() < 0.02, "{close} and {exact}");
        assert!(after(0, Solver::Cholesky) > 1.5 * exact, "a fit is better than none");
    }

    #[test]
    fn the_normal_equations_hold() {
        let objective = Objective { factors: 3, alpha: 5.0, regularisation: 0.7 };
        let mut factors = Factors::new(objective, 40, &Streams::new(1, 0));
        let world = World::new(20, 40);
        factors.fit(&Feedback::new(&world.context()).matrix(), 2, Solver::Cholesky);
        let row = [(3, 1.0), (8, 0.5), (21, 1.0)];
        let user = fold_in(&factors, &row);
        // The gradient of the objective with respect to the user's vector is zero.
        for place in 0..3 {
            let mut gradient = 0.7 * f64::from(user[place]);
            for (item, vector) in factors.items().chunks(3).enumerate() {
                let weight = row.iter().find(|entry| entry.0 as usize == item).map(|entry| f64::from(entry.1));
                let predicted: f64 = user.iter().zip(vector).map(|(a, b)| f64::from(a * b)).sum();
                let error = weight.map_or(0.0, |_| 1.0) - predicted;
                gradient -= (1.0 + 5.0 * weight.unwrap_or(0.0)) * error * f64::from(vector[place]);
            }
            assert!(gradient.abs() < 1e-4, "{gradient}");
        }
    }
}
