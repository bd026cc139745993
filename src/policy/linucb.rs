//! `linucb`: a linear contextual bandit with upper confidence bounds (Li, Chu, Langford and Schapire 2010).
//!
//! One ridge model is shared by all users and items (the paper's hybrid model without its per-arm part).
//! With the features `x` of a pair ([`super::features`]), `A = regularisation I + sum x x'` and
//! `b = sum r x`, the score is `theta' x + alpha sqrt(x' A^-1 x)` with `theta = A^-1 b`.
//!
//! It learns from responses only, by the cascade: of a slate the slots up to and including the accepted one
//! are examples (all of them when nothing was accepted), with `r = 1` for the accepted item and 0 for the
//! others. What came after an acceptance may never have been looked at and says nothing. `A` and `b` are
//! summed in row order and inverted once a tick, so no order of requests can change a score.

use super::factors::{UserVectors, add_outer};
use super::features::{Block, Features, LANES, MAX_FEATURES, MAX_PRODUCTS, Taste};
use super::{Histories, Policy, PolicyContext, PolicyKind, Requests, Slates, rank_candidates};
use crate::ids::UserId;
use crate::log::{EventBatch, REJECTED};
use crate::scenario::{Key, Kind, Params};
use nalgebra::{Cholesky, DMatrix, DVector};

pub(super) const KIND: PolicyKind = PolicyKind {
    name: "linucb",
    summary: "contextual linear bandit with upper confidence bounds (Li et al. 2010)",
    keys: &[
        Key {
            name: "alpha",
            kind: Kind::Number { min: 0.0, max: 1e3, default: Some(0.3) },
            doc: "standard deviations added to the expected reward for exploration",
        },
        Key {
            name: "regularisation",
            kind: Kind::Number { min: 1e-6, max: 1e6, default: Some(1.0) },
            doc: "weight of the squared norm of the coefficients, in examples",
        },
        Key {
            name: "factors",
            kind: Kind::Integer { min: 1, max: MAX_PRODUCTS as i64, default: Some(8) },
            doc: "dimensions of the collaborative features",
        },
    ],
    build: |params, context| Ok(Box::new(LinUcb::new(params, context))),
};

struct LinUcb {
    alpha: f32,
    regularisation: f64,
    features: Features,
    histories: Histories,
    users: UserVectors,
    /// `sum x x'`, column-major, lower triangle.
    outer: Vec<f64>,
    /// `sum r x`.
    reward: Vec<f64>,
    model: Model,
}

impl LinUcb {
    fn new(params: &Params<'_>, context: &PolicyContext) -> LinUcb {
        let products = params.integer("factors") as usize;
        let features = Features::new(context, products);
        let size = features.len();
        let regularisation = params.number("regularisation");
        let (outer, reward) = (vec![0.0; size * size], vec![0.0; size]);
        LinUcb {
            alpha: params.number("alpha") as f32,
            regularisation,
            model: Model::solve(&outer, &reward, regularisation),
            histories: Histories::new(context),
            users: UserVectors::new(context, products),
            features,
            outer,
            reward,
        }
    }

    fn taste(&self, user: UserId) -> Taste {
        self.features.taste(self.histories.of(user).map(|(item, _)| item), self.users.of(user))
    }

    /// Adds the examples of one row, with the features that the items had when they were shown.
    fn learn(&mut self, events: &EventBatch, row: usize) {
        let taste = self.taste(events.users[row]);
        let (accepted, size) = (events.accepted[row], self.features.len());
        let examined = if accepted == REJECTED { events.slate } else { usize::from(accepted) + 1 };
        let mut block: Block = [[0.0; LANES]; MAX_FEATURES];
        for (slot, item) in events.slate_of(row)[..examined].iter().enumerate().filter(|(_, item)| item.is_some()) {
            self.features.block(&taste, item.index() / LANES, &mut block);
            let x: Vec<f64> = block[..size].iter().map(|lanes| f64::from(lanes[item.index() % LANES])).collect();
            add_outer(&mut self.outer, &x, 1.0);
            if slot == usize::from(accepted) {
                self.reward.iter_mut().zip(&x).for_each(|(sum, value)| *sum += value);
            }
        }
    }
}

impl Policy for LinUcb {
    fn recommend(&mut self, requests: &Requests<'_>, slates: &mut Slates) {
        self.users.refresh(requests.users, &self.histories, self.features.factors());
        let policy = &*self;
        let blocks = requests.items.div_ceil(LANES);
        slates.fill_with(requests, Vec::new, |scores, request, slate| {
            let taste = policy.taste(request.user);
            let mut block: Block = [[0.0; LANES]; MAX_FEATURES];
            scores.clear();
            for number in 0..blocks {
                policy.features.block(&taste, number, &mut block);
                scores.extend_from_slice(&policy.model.score(&block, policy.alpha));
            }
            rank_candidates(&request, &scores[..request.items], slate);
        });
    }

    fn observe(&mut self, events: &EventBatch) {
        self.users.refresh(&events.users, &self.histories, self.features.factors());
        (0..events.len()).for_each(|row| self.learn(events, row));
        self.model = Model::solve(&self.outer, &self.reward, self.regularisation);
        let users = &mut self.users;
        self.histories.observe(events, |user, _, _| users.outdate(user));
    }
}

/// The ridge model of one tick.
struct Model {
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

    /// Scores of one block.
    #[inline]
    fn score(&self, block: &Block, alpha: f32) -> [f32; LANES] {
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::testing::World;

    #[test]
    fn the_model_by_hand() {
        // A = [[2, 1], [1, 2]] + I, b = [1, 2]: A^-1 = [[3, -1], [-1, 3]] / 8, theta = [1, 5] / 8.
        let model = Model::solve(&[2.0, 1.0, 0.0, 2.0], &[1.0, 2.0], 1.0);
        let mut block: Block = [[0.0; LANES]; MAX_FEATURES];
        (block[0][3], block[1][3]) = (1.0, 2.0);
        let expected = 11.0 / 8.0 + 0.5 * (11.0f32 / 8.0).sqrt();
        assert!((model.score(&block, 0.5)[3] - expected).abs() < 1e-5);
        assert_eq!(model.score(&block, 0.5)[0], 0.0);
    }

    #[test]
    fn slots_behind_the_accepted_one_are_no_examples() {
        let world = World::new(2, 20).slate(3);
        let mut params = KIND.defaults();
        params.insert("factors".into(), 1.into());
        let mut policy = LinUcb::new(&Params::new(&params), &world.context());
        let slates = world.recommend(&mut policy, 0, &world.users(), &world.everyone().1);
        let mut events = world.respond(0, &world.users(), &slates, |_, _| false);
        events.accepted[0] = 1;
        policy.observe(&events);
        // The bias counts the examples: two slots of the first row and three of the second.
        assert_eq!((policy.outer[0], policy.reward[0]), (5.0, 1.0));
    }

    #[test]
    fn learns_the_planted_clusters() {
        let world = World::new(60, 160);
        assert!(world.share_in_cluster("linucb", 12) > 0.8);
    }
}
