//! A fast form of `benches/statistics.rs`, with a fixed seed.

#[path = "../../../benches/statistics/shapes.rs"]
mod shapes;

use super::{Family, bootstrap, confidence_sequence, estimate, sign_flip};
use crate::random::{Purpose, Streams, unit};
use shapes::Shape;

const SIMULATIONS: u32 = 400;

/// The share of simulated samples with a property.
fn share(shape: Shape, count: usize, is_true: impl Fn(&[f64], &Streams) -> bool) -> f64 {
    let holds = |number: &u32| {
        let streams = Streams::new(11, 0).fork(*number);
        let mut rng = streams.derive(Purpose::Scenes, 0, 0);
        is_true(&shape.sample(count, &mut || unit(&mut rng)), &streams)
    };
    (0..SIMULATIONS).filter(holds).count() as f64 / f64::from(SIMULATIONS)
}

fn t_covers(sample: &[f64]) -> bool {
    estimate(sample.iter().copied().map(Some)).unwrap().interval.unwrap().contains(0.0)
}

/// Distributions of replications: unimodal, or of few values. The bench has the others.
fn shapes() -> impl Iterator<Item = Shape> {
    Shape::ALL.into_iter().map(|(shape, _)| shape).filter(|shape| !matches!(shape, Shape::Uniform | Shape::Exponential))
}

// The standard error of 95% over 400 simulations is 1.1 points: 91.7 to 98.3 is three of them around it.

#[test]
fn intervals_hold_the_mean_as_often_as_they_say() {
    for shape in shapes() {
        let t = share(shape, 8, |sample, _| t_covers(sample));
        assert!((0.917..=0.983).contains(&t), "{shape:?} {t}");
        let resampled = share(shape, 8, |sample, streams| {
            bootstrap(sample, &mut streams.derive(Purpose::Bootstrap, 8, 0)).unwrap().contains(0.0)
        });
        assert!((0.917..=0.983).contains(&resampled), "{shape:?} {resampled}");
    }
}

#[test]
fn equal_policies_rarely_differ() {
    for shape in shapes() {
        let p_value = |sample: &[f64], streams: &Streams| {
            sign_flip(sample, &mut streams.derive(Purpose::SignFlips, sample.len() as u64, 0)).unwrap()
        };
        for count in [8, 14] {
            let rejected = share(shape, count, |sample, streams| p_value(sample, streams) <= 0.05);
            assert!((0.005..=0.083).contains(&rejected), "{shape:?} {count} {rejected}");
        }
        assert_eq!(share(shape, 5, |sample, streams| p_value(sample, streams) <= 0.05), 0.0, "2/32 is not below 0.05");
    }
}

#[test]
fn looking_again_and_again_fools_t_intervals_and_not_the_sequence() {
    for shape in shapes() {
        let looks =
            |sample: &[f64], excludes: &dyn Fn(&[f64]) -> bool| (4..=40).any(|count| excludes(&sample[..count]));
        let t = share(shape, 40, |sample, _| looks(sample, &|some| !t_covers(some)));
        assert!(t > 0.15, "{shape:?} {t}");
        let excludes = |some: &[f64]| confidence_sequence(some).is_some_and(|interval| !interval.contains(0.0));
        let sequence = share(shape, 40, |sample, _| looks(sample, &excludes));
        assert!(sequence <= 0.05, "{shape:?} {sequence}");
    }
}

/// True if any pair of five equal policies differs significantly after some replications.
fn any_pair(family: &Family, shape: Shape, looks: &[usize], streams: &Streams) -> bool {
    let longest = looks.iter().copied().max().unwrap_or(0);
    let values: Vec<Vec<f64>> = (0..5)
        .map(|policy| {
            let mut rng = streams.derive(Purpose::Scenes, policy, 1);
            shape.sample(longest, &mut || unit(&mut rng))
        })
        .collect();
    let differ = |a: &[f64], b: &[f64], count: usize| {
        let sample: Vec<f64> = a.iter().zip(b).take(count).map(|(a, b)| a - b).collect();
        family.judge(&sample).p_value.is_some_and(|p_value| p_value <= 0.05)
    };
    let pairs = || values.iter().enumerate().flat_map(|(place, a)| values[..place].iter().map(move |b| (a, b)));
    looks.iter().any(|&count| pairs().any(|(a, b)| differ(a, b, count)))
}

#[test]
fn all_pairs_of_equal_policies_together_rarely_differ() {
    for shape in shapes() {
        for count in [3, 6] {
            let family = Family::fixed(&vec![vec![Some(0.0); count]; 5]);
            let rejected = share(shape, count, |_, streams| any_pair(&family, shape, &[count], streams));
            assert!((0.005..=0.083).contains(&rejected), "{shape:?} {count} {rejected}");
            let alone = Family::of_pairs(1);
            let without = share(shape, count, |_, streams| any_pair(&alone, shape, &[count], streams));
            assert!(without > 0.15, "{shape:?} {count} {without}: each pair on its own is no verdict on all");
        }
        let looks: Vec<usize> = (2..=24).step_by(2).collect();
        let sequential = share(shape, 1, |_, streams| any_pair(&Family::sequential(5), shape, &looks, streams));
        assert!(sequential <= 0.05, "{shape:?} {sequential}");
    }
}
