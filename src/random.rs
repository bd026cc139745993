//! Derived random streams.
//!
//! Every draw of a run comes from a generator that is a pure function of
//! (seed, replication, purpose, id, tick).
//!
//! There is no shared and no global generator, so the order of users, the number of threads and the batch size cannot
//! change a draw. The policy's name is not part of the key: all policies of a scenario have the same arrivals and draws
//! (common random numbers).

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// The purpose of a stream. Two purposes never share a draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Purpose {
    /// The data-set users of a sampled population.
    Population = 1,
    /// True if an absent user starts a session at a tick.
    Arrival = 2,
    /// The response to a scene: acceptance, slot and rating.
    Response = 3,
    /// The draws of a stochastic policy.
    Policy = 4,
    /// The scenes and negatives that are sampled from a log.
    Scenes = 5,
    /// Bootstrap resamples of an interval.
    Bootstrap = 6,
    /// The probe slates on which the acceptance level is calibrated.
    Calibration = 7,
    /// The fold of a user for vectors that are computed without that user.
    Folds = 8,
    /// The interactions of a log that become scenes, and the lists of scenes.
    SceneSampling = 9,
    /// The answer of a language model.
    Decision = 11,
    /// The label of a decision without a recorded one.
    Behavior = 12,
    /// The random order of distilled scenes.
    Distillation = 13,
    /// The wait before a request to a server is retried.
    Retry = 20,
    /// The signs that a permutation test flips.
    SignFlips = 30,
    /// Simulated experiments of equal policies, a table of quantiles.
    EqualPolicies = 31,
    /// Simulated feedback that is added to a log.
    Augmentation = 32,
    /// The time of a session.
    Budget = 40,
    /// The noticed item of a slate.
    Notice = 41,
    /// When a user joins.
    Joining = 42,
    /// When an item comes out.
    Release = 43,
    /// When an item leaves the catalogue.
    Retirement = 44,
    /// The permanent departure of a user at the end of a session.
    Leaving = 45,
    /// The provider of an item, where the data have none.
    Provider = 46,
    /// Bootstrap resamples of an off-policy estimate.
    OffPolicy = 50,
    /// The rationale of a language user before its choice.
    Rationale = 60,
    /// The same in the scenes on which the acceptance level is set.
    RationaleProbe = 61,
    /// Controls and repeats of an alignment on scene files.
    Alignment = 70,
    /// First weights, order, lists and gaps in the training of a user model.
    Fitting = 80,
}

/// The root of all streams of one replication.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Streams {
    seed: u64,
    replication: u32,
}

/// ChaCha words reserved for one tick of one stream: 2^20 draws of 32 bits.
const WORDS_PER_TICK: u128 = 1 << 20;

impl Streams {
    /// The seed of the experiment.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The streams of replication `replication` of an experiment with seed `seed`.
    pub fn new(seed: u64, replication: u32) -> Self {
        Streams { seed, replication }
    }

    /// The replication.
    pub fn replication(&self) -> u32 {
        self.replication
    }

    /// Other streams, as good as independent of these, for part number `part` of something that is made of parts.
    pub fn fork(&self, part: u32) -> Streams {
        // One step of SplitMix64 (Steele, Lea and Flood 2014) from a place that depends on the part.
        let mut state = self.seed.wrapping_add(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(u64::from(part) + 1));
        state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        Streams { seed: state ^ (state >> 31), ..*self }
    }

    /// The generator for one (purpose, id, tick). Deriving it takes about 0.1 us: derive, do not store.
    #[inline]
    pub fn derive(&self, purpose: Purpose, id: u64, tick: u32) -> ChaCha8Rng {
        let mut key = [0u8; 32];
        key[..8].copy_from_slice(&self.seed.to_le_bytes());
        key[8..12].copy_from_slice(&self.replication.to_le_bytes());
        key[12..16].copy_from_slice(&(purpose as u32).to_le_bytes());
        key[16..32].copy_from_slice(b"recmirror/stream");
        let mut rng = ChaCha8Rng::from_seed(key);
        rng.set_stream(id);
        rng.set_word_pos(u128::from(tick) * WORDS_PER_TICK);
        rng
    }
}

/// A uniform number in `[0, 1)` with 53 random bits.
#[inline]
pub fn unit<R: Rng>(rng: &mut R) -> f64 {
    (rng.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
}

/// A uniform integer in `0..bound` (Lemire's multiply-shift with rejection). `bound` must be positive.
#[inline]
pub fn below<R: Rng>(rng: &mut R, bound: u32) -> u32 {
    debug_assert!(bound > 0);
    let mut product = u64::from(rng.next_u32()) * u64::from(bound);
    let mut low = product as u32;
    if low < bound {
        let threshold = bound.wrapping_neg() % bound;
        while low < threshold {
            product = u64::from(rng.next_u32()) * u64::from(bound);
            low = product as u32;
        }
    }
    (product >> 32) as u32
}

/// Shuffles a slice in place (Fisher-Yates).
pub fn shuffle<R: Rng, T>(rng: &mut R, values: &mut [T]) {
    for end in (1..values.len()).rev() {
        values.swap(end, below(rng, end as u32 + 1) as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(seed: u64, replication: u32, purpose: Purpose, id: u64, tick: u32) -> u64 {
        Streams::new(seed, replication).derive(purpose, id, tick).next_u64()
    }

    #[test]
    fn each_part_of_the_key_changes_the_draw() {
        let base = first(1, 0, Purpose::Arrival, 5, 9);
        assert_eq!(base, first(1, 0, Purpose::Arrival, 5, 9));
        for other in [
            first(2, 0, Purpose::Arrival, 5, 9),
            first(1, 1, Purpose::Arrival, 5, 9),
            first(1, 0, Purpose::Response, 5, 9),
            first(1, 0, Purpose::Arrival, 6, 9),
            first(1, 0, Purpose::Arrival, 5, 10),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn streams_are_pinned() {
        // A change here changes every seeded result: it belongs in the changelog.
        assert_eq!(first(42, 3, Purpose::Response, 7, 11), 9_266_020_107_758_408_995);
    }

    #[test]
    fn forks_differ_from_each_other_and_from_their_root() {
        let root = Streams::new(1, 0);
        let all = [root, root.fork(0), root.fork(1), root.fork(0).fork(0), Streams::new(2, 0).fork(0)];
        let drawn = all.map(|streams| streams.derive(Purpose::Policy, 5, 9).next_u64());
        for (place, draw) in drawn.iter().enumerate() {
            assert!(!drawn[..place].contains(draw));
        }
    }

    #[test]
    fn below_is_uniform_enough_and_in_range() {
        let mut rng = Streams::new(9, 0).derive(Purpose::Scenes, 0, 0);
        let mut counts = [0u32; 7];
        for _ in 0..70_000 {
            counts[below(&mut rng, 7) as usize] += 1;
        }
        assert!(counts.iter().all(|&count| (9_600..10_400).contains(&count)), "{counts:?}");
    }

    #[test]
    fn unit_stays_below_one() {
        let mut rng = Streams::new(9, 0).derive(Purpose::Scenes, 1, 0);
        let values: Vec<f64> = (0..10_000).map(|_| unit(&mut rng)).collect();
        assert!(values.iter().all(|value| (0.0..1.0).contains(value)));
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        assert!((mean - 0.5).abs() < 0.02);
    }

    #[test]
    fn shuffle_keeps_the_elements() {
        let mut rng = Streams::new(9, 0).derive(Purpose::Scenes, 2, 0);
        let mut values: Vec<u32> = (0..50).collect();
        shuffle(&mut rng, &mut values);
        assert_ne!(values, (0..50).collect::<Vec<_>>());
        values.sort_unstable();
        assert_eq!(values, (0..50).collect::<Vec<_>>());
    }
}
