use super::super::bootstrap::Resamples;
use super::*;

fn answer(options: &[f64]) -> Answer {
    Answer { options: options.to_vec(), rating: None }
}

/// The values of all statistics, by name.
fn values(measured: &Measured, scenes: usize) -> Vec<(String, f64)> {
    let users: Vec<usize> = (0..scenes).collect();
    let resamples = Resamples::new(&users, 1);
    let of = |(name, statistic): &(String, Statistic)| {
        (name.clone(), resamples.estimate(&measured.columns, statistic.as_ref()).value)
    };
    measured.statistics.iter().map(of).collect()
}

fn value(measured: &Measured, scenes: usize, name: &str) -> f64 {
    let all = values(measured, scenes);
    all.iter().find(|found| found.0 == name).unwrap_or_else(|| panic!("no `{name}` in {all:?}")).1
}

fn near(found: f64, wanted: f64) {
    assert!((found - wanted).abs() < 1e-12, "{found} and not {wanted}");
}

#[test]
fn equal_options_share_the_pick() {
    assert_eq!(picks(&[0.2, 0.4, 0.4]), [0.0, 0.5, 0.5]);
}

#[test]
fn log_loss_and_calibration_by_hand() {
    let answers = [answer(&[0.9, 0.1]), answer(&[0.3, 0.7])];
    let rows = || [(Some(&answers[0]), 0), (Some(&answers[1]), 0)].into_iter();
    near(value(&log_loss(rows()), 2, "log loss"), -(libm::log(0.9) + libm::log(0.3)) / 2.0);
    // 0.9 in the bin from 13/15 on and right, 0.7 in that from 10/15 on and wrong.
    near(value(&calibration(rows()), 2, "calibration error"), (0.1 + 0.7) / 2.0);
    near(value(&probability(rows()), 2, "probability of the real option"), 0.6);
    let certain = answer(&[0.0, 1.0]);
    near(value(&log_loss([(Some(&certain), 0)].into_iter()), 1, "log loss"), -libm::log(1e-9));
}

#[test]
fn draws_come_from_the_nucleus() {
    let options = [0.6, 0.3, 0.1];
    let many = |real: usize, top_p: f64| sampled(1, 0, &options, real, 20_000, top_p);
    assert!((many(0, 0.9) - 2.0 / 3.0).abs() < 0.02 && (many(1, 0.9) - 1.0 / 3.0).abs() < 0.02);
    assert_eq!(many(2, 0.9), 0.0);
    assert!((many(2, 1.0) - 0.1).abs() < 0.02);
    assert_eq!(many(0, 0.5), 1.0);
}

#[test]
fn positions_by_hand() {
    // Always the first position; the real items are at positions A, B and nowhere.
    let rows = [(vec![1.0, 0.0], 0), (vec![1.0, 0.0], 1), (vec![0.0, 0.0], 2)].map(Some);
    let found = positions(rows.into_iter(), 2);
    near(value(&found, 3, "chosen at A"), 2.0 / 3.0);
    near(value(&found, 3, "real at B"), 1.0 / 3.0);
    near(value(&found, 3, "position gap at A"), 1.0 / 3.0);
    near(value(&found, 3, "largest position gap"), 1.0 / 3.0);
}

#[test]
fn models_that_follow_the_position_or_the_item() {
    let heard = |plain: &[f64], turned: &[&[f64]]| Heard {
        plain: Some(answer(plain)),
        turned: turned.iter().map(|options| Some(answer(options))).collect(),
        ..Heard::default()
    };
    // The first label, whatever item it has.
    let place = heard(&[0.5, 0.25, 0.25], &[&[0.5, 0.25, 0.25], &[0.5, 0.25, 0.25]]);
    let found = turned(&[(&place, 1)]).expect("rotations");
    near(value(&found, 1, "same item in all rotations"), 0.0);
    near(value(&found, 1, "rotation gap at A"), 2.0 / 3.0);
    near(value(&found, 1, "largest rotation gap"), 2.0 / 3.0);
    near(value(&found, 1, "accuracy of the mean over rotations"), 1.0 / 3.0);
    // The second item at any position: turned by one it is first, turned by two it is last.
    let item = heard(&[0.1, 0.8, 0.1], &[&[0.8, 0.1, 0.1], &[0.1, 0.1, 0.8]]);
    let found = turned(&[(&item, 1)]).expect("rotations");
    near(value(&found, 1, "same item in all rotations"), 1.0);
    near(value(&found, 1, "largest rotation gap"), 0.0);
    near(value(&found, 1, "accuracy of the mean over rotations"), 1.0);
    assert!(turned(&[(&Heard::default(), 0)]).is_none());
}

#[test]
fn discrimination_by_hand() {
    // 1:2. The real item and one other are above a guess; then the real item is below both.
    let heard = |real: usize, options: &[f64]| {
        let mut heard = Heard::default();
        heard.ratios[1] = Some((real, answer(options)));
        heard
    };
    let (first, second) = (heard(0, &[0.5, 0.4, 0.1]), heard(1, &[0.45, 0.1, 0.45]));
    let found = discrimination(&[(&first, 0), (&second, 0)], 1);
    // True positives 1, false negatives 1, false positives 1 + 2, true negatives 1 + 0.
    near(value(&found, 2, "accuracy 1:2"), 2.0 / 6.0);
    near(value(&found, 2, "precision 1:2"), 1.0 / 4.0);
    near(value(&found, 2, "recall 1:2"), 1.0 / 2.0);
    near(value(&found, 2, "F1 1:2"), 2.0 / 6.0);
    near(value(&found, 2, "AUC 1:2"), 0.5);
}

#[test]
fn ratings_by_hand() {
    // Always 4, given 4 and 2.
    let four = [0.0, 0.0, 0.0, 1.0, 0.0];
    let found = ratings([Some((four, 4)), Some((four, 2)), None].into_iter());
    near(value(&found, 3, "rating RMSE"), libm::sqrt(2.0));
    near(value(&found, 3, "rating Kolmogorov-Smirnov"), 0.5);
    // p = (0, 0, 0, 1, 0), q = (0, 1/2, 0, 1/2, 0): H(m) - (H(p) + H(q)) / 2 with m = (0, 1/4, 0, 3/4, 0).
    let middle = -0.25 * libm::log2(0.25) - 0.75 * libm::log2(0.75);
    near(value(&found, 3, "rating Jensen-Shannon"), middle - 0.5);
    assert!(value(&ratings([None].into_iter()), 1, "rating Kolmogorov-Smirnov").is_nan());
}

#[test]
fn reject_order_by_hand() {
    let rows = [Some((0.9, true)), Some((0.2, false)), None, Some((0.5, true)), Some((0.5, false))];
    // Of four pairs three are in order and one is equal.
    near(value(&reject_order(&rows), 5, "reject AUC"), 3.5 / 4.0);
    near(value(&reject_order(&[Some((0.4, false)), Some((0.4, true))]), 2, "reject AUC"), 0.5);
    near(value(&reject_order(&[Some((0.4, false)), Some((0.1, true))]), 2, "reject AUC"), 0.0);
    assert_eq!(reject_order(&rows[1..2]).columns.defined, 0, "nobody took nothing");
}
