//! Item factors by alternating least squares on implicit feedback, and users folded into them.
//!
//! Hu, Koren and Volinsky 2008: minimise `sum_ui c_ui (p_ui - x_u . y_i)^2 + reg (|X|^2 + |Y|^2)` with
//! `p = 1` where the user has the item and 0 elsewhere, and confidence `c = 1 + alpha w` (`w` is the
//! weight in [`super::feedback`]). With one side fixed each row of the other solves
//! `(Y'Y + alpha sum w y y' + reg I) x = sum (1 + alpha w) y`, by Cholesky. Rows are solved in parallel, each
//! by itself and with sums in the order of its entries, so the number of threads changes no bit.

use super::feedback::{Feedback, Sparse};
use super::{Histories, PolicyContext};
use crate::ids::{ItemId, UserId};
use crate::random::{Purpose, Streams, unit};
use nalgebra::{Cholesky, DMatrix, DVector};
use rayon::prelude::*;
use std::sync::Arc;

/// What is fitted.
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
    /// `Y'Y`, column-major; only the lower triangle is filled.
    gram: Vec<f64>,
}

impl Factors {
    /// Small random vectors, from streams whose ids lie above those of all users.
    pub fn new(objective: Objective, items: usize, streams: &Streams) -> Factors {
        let scale = 0.2 / (objective.factors as f64).sqrt();
        let values = (0..items as u64).flat_map(|item| {
            let mut rng = streams.derive(Purpose::Policy, (1 << 32) + item, 0);
            (0..objective.factors).map(move |_| ((unit(&mut rng) - 0.5) * scale) as f32)
        });
        let values: Vec<f32> = values.collect();
        let gram = gram_of(&values, objective.factors);
        Factors { objective, values, gram }
    }

    /// Fitted to the log before the start with this many sweeps.
    pub fn of_log(objective: Objective, sweeps: usize, context: &PolicyContext) -> Arc<Factors> {
        context.fit_drawn("factors", &(objective, sweeps), || {
            let mut factors = Factors::new(objective, context.log.items, &context.streams);
            factors.fit(&Feedback::new(context).matrix(), sweeps);
            factors
        })
    }

    /// Solves all users, then all items, `sweeps` times.
    pub fn fit(&mut self, by_user: &Sparse, sweeps: usize) {
        let by_item = by_user.transposed();
        for _ in 0..sweeps {
            let users = solve_rows(&self.objective, by_user, &self.values, &self.gram);
            let gram = gram_of(&users, self.objective.factors);
            self.values = solve_rows(&self.objective, &by_item, &users, &gram);
            self.gram = gram_of(&self.values, self.objective.factors);
        }
    }

    /// Length of a vector.
    pub fn factors(&self) -> usize {
        self.objective.factors
    }

    /// The vectors of all items, `[items, factors]`.
    pub fn items(&self) -> &[f32] {
        &self.values
    }

    fn fold_in(&self, row: &[(u32, f32)]) -> Vec<f32> {
        let mut vector = vec![0.0; self.objective.factors];
        solve_row(&self.objective, row, &self.values, &self.gram, &mut vector);
        vector
    }
}

fn solve_rows(objective: &Objective, rows: &Sparse, fixed: &[f32], gram: &[f64]) -> Vec<f32> {
    let mut solved = vec![0.0; rows.rows() * objective.factors];
    let tasks = solved.par_chunks_mut(objective.factors).enumerate();
    tasks.for_each(|(row, vector)| solve_row(objective, rows.row(row), fixed, gram, vector));
    solved
}

/// Leaves `vector` at zero when the row is empty.
fn solve_row(objective: &Objective, row: &[(u32, f32)], fixed: &[f32], gram: &[f64], vector: &mut [f32]) {
    if row.is_empty() {
        return;
    }
    let factors = objective.factors;
    let mut matrix = gram.to_vec();
    let mut target = DVector::zeros(factors);
    let mut other = vec![0.0; factors];
    for &(column, weight) in row {
        let start = column as usize * factors;
        other.iter_mut().zip(&fixed[start..start + factors]).for_each(|(to, &from)| *to = f64::from(from));
        let confidence = objective.alpha * f64::from(weight);
        add_outer(&mut matrix, &other, confidence);
        target.iter_mut().zip(&other).for_each(|(sum, value)| *sum += (1.0 + confidence) * value);
    }
    for diagonal in 0..factors {
        matrix[diagonal * (factors + 1)] += objective.regularisation;
    }
    // Positive definite by construction: the regularisation is positive.
    if let Some(root) = Cholesky::new(DMatrix::from_vec(factors, factors, matrix)) {
        root.solve_mut(&mut target);
        vector.iter_mut().zip(target.iter()).for_each(|(to, &from)| *to = from as f32);
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

fn gram_of(values: &[f32], factors: usize) -> Vec<f64> {
    let mut gram = vec![0.0; factors * factors];
    let mut vector = vec![0.0; factors];
    for row in values.chunks_exact(factors) {
        vector.iter_mut().zip(row).for_each(|(to, &from)| *to = f64::from(from));
        add_outer(&mut gram, &vector, 1.0);
    }
    gram
}

/// The vectors of simulated users, folded in from their distinct items when they are asked for and out of date.
pub(super) struct UserVectors {
    factors: usize,
    values: Vec<f32>,
    fresh: Vec<bool>,
    /// The distinct items of each user in ascending order, once somebody asked for the user: a history in which items repeat
    /// grows without end, what is distinct in it does not.
    distinct: Vec<Option<Vec<u32>>>,
}

impl UserVectors {
    /// All out of date.
    pub fn new(context: &PolicyContext, factors: usize) -> UserVectors {
        let users = context.sources.len();
        UserVectors {
            factors,
            values: vec![0.0; users * factors],
            fresh: vec![false; users],
            distinct: vec![None; users],
        }
    }

    /// Adds an accepted item; the user is out of date where it is a new one.
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

    /// Brings these users up to date.
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
        let vectors: Vec<Vec<f32>> = stale
            .par_iter()
            .map(|&user| {
                let items = distinct[user.index()].iter().flatten();
                factors.fold_in(&items.map(|&item| (item, 1.0)).collect::<Vec<(u32, f32)>>())
            })
            .collect();
        for (user, vector) in stale.into_iter().zip(vectors) {
            self.values[user.index() * self.factors..][..self.factors].copy_from_slice(&vector);
            self.fresh[user.index()] = true;
        }
    }

    /// The vector of a user who is up to date.
    pub fn of(&self, user: UserId) -> &[f32] {
        &self.values[user.index() * self.factors..][..self.factors]
    }
}

/// Inner product in eight running sums: the order is fixed, and the compiler can use vector registers.
pub(super) fn dot(left: &[f32], right: &[f32]) -> f32 {
    const LANES: usize = 8;
    let (lefts, rights) = (left.chunks_exact(LANES), right.chunks_exact(LANES));
    let rest: f32 = lefts.remainder().iter().zip(rights.remainder()).map(|(a, b)| a * b).sum();
    let mut sums = [0.0f32; LANES];
    for (left, right) in lefts.zip(rights) {
        for lane in 0..LANES {
            sums[lane] += left[lane] * right[lane];
        }
    }
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::testing::World;

    #[test]
    fn dot_of_any_length() {
        for length in [0, 1, 8, 19] {
            let left: Vec<f32> = (0..length).map(|place| place as f32).collect();
            let expected: f32 = (0..length).map(|place| (place * 2) as f32).sum();
            assert_eq!(dot(&left, &vec![2.0; length]), expected);
        }
    }

    #[test]
    fn one_row_by_hand() {
        // One factor, items 1 and 2, the user has item 1: (1 + 4 + 3 * 1 + 2) x = (1 + 3) * 1.
        let objective = Objective { factors: 1, alpha: 3.0, regularisation: 2.0 };
        let factors = Factors { objective, values: vec![1.0, 2.0], gram: gram_of(&[1.0, 2.0], 1) };
        assert_eq!(factors.fold_in(&[(0, 1.0)]), [0.4]);
        assert_eq!(factors.fold_in(&[]), [0.0]);
    }

    #[test]
    fn the_normal_equations_hold() {
        let objective = Objective { factors: 3, alpha: 5.0, regularisation: 0.7 };
        let mut factors = Factors::new(objective, 40, &Streams::new(1, 0));
        let world = World::new(20, 40);
        factors.fit(&Feedback::new(&world.context()).matrix(), 2);
        let row = [(3, 1.0), (8, 0.5), (21, 1.0)];
        let user = factors.fold_in(&row);
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
