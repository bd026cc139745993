//! Ridge regression of `linucb` and `thompson`.
//!
//! All users and items share one ridge model: with the features `x` of a pair, `A = regularisation I + sum x x'` and `b
//! = sum r x`, the coefficients are `theta = A^-1 b` and their uncertainty is `A^-1`.
//!
//! It learns from responses only, by the cascade: the slots of a slate up to and including the accepted one are
//! examples (all slots if nothing was accepted), with `r = 1` for the accepted item and 0 for the others. Slots after
//! an acceptance may not have been examined, so they are no examples. `A` and `b` are summed in row order and inverted
//! once a tick, so no order of requests can change a score.

use super::factors::{UserVectors, add_outer};
use super::features::{Block, Features, LANES, MAX_FEATURES, MAX_PRODUCTS, Past, Taste};
use super::{Histories, PolicyContext, PolicyError};
use crate::ids::UserId;
use crate::linalg::{Loop, widest};
use crate::log::{EventBatch, REJECTED};
use crate::params::{Key, number, whole};
use nalgebra::{Cholesky, DMatrix, DVector};

/// Weight of the squared norm of the coefficients.
pub(super) const REGULARISATION: Key =
    number("regularisation", "weight of the squared norm of the coefficients, in examples", (1e-6, 1e6), 1.0);

/// Dimensions of the collaborative features.
pub(super) const FACTORS: Key =
    whole("factors", "dimensions of the collaborative features", (1, MAX_PRODUCTS as i64), 8);

/// The examples so far and the model of the current tick.
pub(super) struct Ridge {
    regularisation: f64,
    features: Features,
    histories: Histories,
    users: UserVectors,
    /// The sums of each user's history, from the first request on.
    pasts: Vec<Option<Past>>,
    /// `sum x x'`, column-major, lower triangle.
    outer: Vec<f64>,
    /// `sum r x`.
    reward: Vec<f64>,
    model: Model,
}

impl Ridge {
    /// A model without examples; the first three arguments are the keys [`TRAITS`](super::attributes::TRAITS),
    /// [`REGULARISATION`] and [`FACTORS`].
    ///
    /// # Errors
    /// When the items have no such field.
    pub fn new(
        field: &str,
        regularisation: f64,
        products: usize,
        context: &PolicyContext,
    ) -> Result<Ridge, PolicyError> {
        let features = Features::new(context, field, products)?;
        let size = features.len();
        let (outer, reward) = (vec![0.0; size * size], vec![0.0; size]);
        Ok(Ridge {
            regularisation,
            model: Model::solve(&outer, &reward, regularisation),
            histories: Histories::new(context),
            users: UserVectors::new(context, products),
            pasts: vec![None; context.sources.len()],
            features,
            outer,
            reward,
        })
    }

    /// The model of the current tick.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Updates these users, before their scores are computed.
    pub fn refresh(&mut self, users: &[UserId]) {
        self.users.refresh(users, &self.histories, self.features.factors());
        for user in users {
            let (features, histories) = (&self.features, &self.histories);
            self.pasts[user.index()].get_or_insert_with(|| features.past(histories.of(*user).map(|(item, _)| item)));
        }
    }

    /// Writes the scores of all items for one up-to-date user, a block at a time.
    pub fn score(&self, user: UserId, items: usize, scores: &mut Vec<f32>, score: impl Score) {
        let taste = self.taste(user);
        scores.resize(items.next_multiple_of(LANES), 0.0);
        widest(Blocks { features: &self.features, taste: &taste, score, scores });
        scores.truncate(items);
    }

    /// Adds one tick's examples and solves again.
    pub fn observe(&mut self, events: &EventBatch) {
        self.refresh(&events.users);
        (0..events.len()).for_each(|row| self.learn(events, row));
        self.model = Model::solve(&self.outer, &self.reward, self.regularisation);
        let (users, pasts, features) = (&mut self.users, &mut self.pasts, &self.features);
        self.histories.observe(events, |user, item, _| {
            users.accept(user, item);
            if let Some(past) = &mut pasts[user.index()] {
                features.add(item, past);
            }
        });
    }

    fn taste(&self, user: UserId) -> Taste {
        match &self.pasts[user.index()] {
            Some(past) => self.features.taste(past, self.users.of(user)),
            None => {
                let past = self.features.past(self.histories.of(user).map(|(item, _)| item));
                self.features.taste(&past, self.users.of(user))
            }
        }
    }

    /// Adds the examples of one row, with the items' features at the time of exposure.
    fn learn(&mut self, events: &EventBatch, row: usize) {
        let taste = self.taste(events.users[row]);
        let (accepted, size) = (events.accepted[row], self.features.len());
        let mut block: Block = [[0.0; LANES]; MAX_FEATURES];
        for (slot, item) in examined(events, row) {
            self.features.block(&taste, item.index() / LANES, &mut block);
            let x: Vec<f64> = block[..size].iter().map(|lanes| f64::from(lanes[item.index() % LANES])).collect();
            add_outer(&mut self.outer, &x, 1.0);
            if slot == usize::from(accepted) {
                self.reward.iter_mut().zip(&x).for_each(|(sum, value)| *sum += value);
            }
        }
    }
}

/// A score of a block of items.
pub(super) trait Score {
    /// The scores. Marked `#[inline(always)]`, see [`Loop`].
    fn of(&self, block: &Block) -> [f32; LANES];
}

/// `theta' x + alpha sqrt(x' A^-1 x)`.
pub(super) struct UpperBound<'a> {
    /// The model of the tick.
    pub model: &'a Model,
    /// Standard deviations to add.
    pub alpha: f32,
}

impl Score for UpperBound<'_> {
    #[inline(always)]
    fn of(&self, block: &Block) -> [f32; LANES] {
        self.model.upper_bound(block, self.alpha)
    }
}

/// `theta' x`.
pub(super) struct Linear<'a>(pub &'a [f32]);

impl Score for Linear<'_> {
    #[inline(always)]
    fn of(&self, block: &Block) -> [f32; LANES] {
        linear(self.0, block)
    }
}

/// The scores of all blocks of items for one user.
struct Blocks<'a, S> {
    features: &'a Features,
    taste: &'a Taste,
    score: S,
    scores: &'a mut [f32],
}

impl<S: Score> Loop for Blocks<'_, S> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let mut block: Block = [[0.0; LANES]; MAX_FEATURES];
        for (number, scores) in self.scores.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
            self.features.block(self.taste, number, &mut block);
            *scores = self.score.of(&block);
        }
    }
}

/// The examined slots of one row: up to the accepted one, or all of them.
pub(super) fn examined(events: &EventBatch, row: usize) -> impl Iterator<Item = (usize, crate::ids::ItemId)> + '_ {
    let accepted = events.accepted[row];
    let examined = if accepted == REJECTED { events.slate } else { usize::from(accepted) + 1 };
    events.slate_of(row)[..examined].iter().copied().enumerate().filter(|(_, item)| item.is_some())
}

/// The ridge model of one tick.
pub(super) struct Model {
    theta: Vec<f32>,
    /// Rows of the inverse of `A`'s Cholesky root, up to the diagonal: `x' A^-1 x = |L^-1 x|^2`.
    root: Vec<Vec<f32>>,
}

impl Model {
    fn solve(outer: &[f64], reward: &[f64], regularisation: f64) -> Model {
        let size = reward.len();
        let mut matrix = DMatrix::from_column_slice(size, size, outer);
        (0..size).for_each(|place| matrix[(place, place)] += regularisation);
        // Positive definite by construction: the regularisation is positive.
        let Some(root) = Cholesky::new(matrix) else {
            return Model { theta: vec![0.0; size], root: vec![Vec::new(); size] };
        };
        let theta = root.solve(&DVector::from_column_slice(reward));
        let mut inverse = DMatrix::identity(size, size);
        root.l_dirty().solve_lower_triangular_mut(&mut inverse);
        let row = |row: usize| (0..=row).map(|column| inverse[(row, column)] as f32).collect();
        Model { theta: theta.iter().map(|&value| value as f32).collect(), root: (0..size).map(row).collect() }
    }

    /// Number of coefficients.
    pub fn len(&self) -> usize {
        self.theta.len()
    }

    #[inline(always)]
    fn upper_bound(&self, block: &Block, alpha: f32) -> [f32; LANES] {
        let (mut mean, mut variance) = ([0.0f32; LANES], [0.0f32; LANES]);
        for ((weight, row), x) in self.theta.iter().zip(&self.root).zip(block) {
            let mut part = [0.0f32; LANES];
            for (weight, x) in row.iter().zip(block) {
                for lane in 0..LANES {
                    part[lane] += weight * x[lane];
                }
            }
            for lane in 0..LANES {
                mean[lane] += weight * x[lane];
                variance[lane] += part[lane] * part[lane];
            }
        }
        for lane in 0..LANES {
            mean[lane] += alpha * variance[lane].sqrt();
        }
        mean
    }

    /// `theta + scale L^-T z`: with standard normal `z` a draw around `theta` with covariance `scale^2 A^-1`.
    pub fn shifted(&self, z: &[f32], scale: f32) -> Vec<f32> {
        let mut theta = self.theta.clone();
        for (row, z) in self.root.iter().zip(z) {
            theta.iter_mut().zip(row).for_each(|(sum, weight)| *sum += scale * weight * z);
        }
        theta
    }
}

/// `theta' x` for one block.
#[inline(always)]
fn linear(theta: &[f32], block: &Block) -> [f32; LANES] {
    let mut sums = [0.0f32; LANES];
    for (weight, x) in theta.iter().zip(block) {
        for lane in 0..LANES {
            sums[lane] += weight * x[lane];
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::testing::World;
    use crate::policy::{Policy, all};

    /// A = [[2, 1], [1, 2]] + I, b = [1, 2]: A^-1 = [[3, -1], [-1, 3]] / 8, theta = [1, 5] / 8.
    fn by_hand() -> Model {
        Model::solve(&[2.0, 1.0, 0.0, 2.0], &[1.0, 2.0], 1.0)
    }

    #[test]
    fn the_upper_bound_by_hand() {
        let mut block: Block = [[0.0; LANES]; MAX_FEATURES];
        (block[0][3], block[1][3]) = (1.0, 2.0);
        let expected = 11.0 / 8.0 + 0.5 * (11.0f32 / 8.0).sqrt();
        assert!((by_hand().upper_bound(&block, 0.5)[3] - expected).abs() < 1e-5);
        assert_eq!(by_hand().upper_bound(&block, 0.5)[0], 0.0);
        assert!((linear(&[0.5, 2.0], &block)[3] - 4.5).abs() < 1e-6);
    }

    #[test]
    fn shifts_have_the_covariance_of_the_coefficients() {
        // The shifts of the unit vectors are the columns of L^-T; their outer products sum to A^-1.
        let model = by_hand();
        let shifts: Vec<Vec<f32>> = [[1.0, 0.0], [0.0, 1.0]].iter().map(|z| model.shifted(z, 1.0)).collect();
        for (i, j, wanted) in [(0, 0, 3.0 / 8.0), (0, 1, -1.0 / 8.0), (1, 1, 3.0 / 8.0)] {
            let product = |shift: &Vec<f32>| (shift[i] - model.theta[i]) * (shift[j] - model.theta[j]);
            let sum: f32 = shifts.iter().map(product).sum();
            assert!((sum - wanted).abs() < 1e-6, "{i} {j}: {sum}");
        }
    }

    #[test]
    fn linear_bandits_stop_losing_in_a_stationary_world() {
        // Items of the user's own cluster are accepted with probability 0.5, others with 0.1; see the test world.
        let world = World::new(40, 60).slate(1);
        let rate = |user: UserId, item: crate::ids::ItemId| if user.0 % 2 == item.0 % 2 { 0.5 } else { 0.1 };
        let halves = |kind: &str| -> Vec<f64> {
            world.regret(kind, 60, rate).chunks(30).map(|half| half.iter().sum()).collect()
        };
        let random = halves("random");
        for kind in ["linucb", "thompson"] {
            let bandit = halves(kind);
            assert!(bandit[0] + bandit[1] < 0.5 * (random[0] + random[1]), "{kind}: {bandit:?} {random:?}");
            assert!(bandit[1] < bandit[0] && bandit[1] < 0.25 * random[1], "{kind}: {bandit:?} {random:?}");
        }
    }

    #[test]
    fn slots_behind_the_accepted_one_are_no_examples() {
        let world = World::new(2, 20).slate(3);
        let kind = all().iter().find(|kind| kind.name == "linucb").expect("a kind");
        let params = toml::Table::from_iter([("factors".to_owned(), 1.into())]);
        let mut ridge = Ridge::new("", 1.0, 1, &world.context()).expect("categories");
        let mut policy: Box<dyn Policy> = kind.build(&params, &world.context()).expect("a policy");
        let slates = world.recommend(policy.as_mut(), 0, &world.users(), &world.everyone().1);
        let mut events = world.respond(0, &world.users(), &slates, |_, _| false);
        events.accepted[0] = 1;
        ridge.observe(&events);
        // The bias counts the examples: two slots of the first row and three of the second.
        assert_eq!((ridge.outer[0], ridge.reward[0]), (5.0, 1.0));
    }
}
