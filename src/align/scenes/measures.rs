//! Measures of answers.
//!
//! Columns over scenes and statistics of their sums; docs/reference/alignment.md has the definitions.

use super::answer::{Answer, Heard};
use super::bootstrap::{Columns, mean};
use super::question::RATIOS;
use crate::language::Letter;
use crate::pipeline::audit::share;
use crate::random::{Purpose, Streams, unit};
use crate::user::RATINGS;

/// Bins of the calibration error.
pub(super) const BINS: usize = 15;
/// Bins of the reject AUC.
const RANKS: usize = 128;
/// A lower bound of probabilities in the log loss: a server does not return all of them.
const LEAST: f64 = 1e-9;

/// A statistic of the sums of columns.
pub(super) type Statistic = Box<dyn Fn(&[f64]) -> f64 + Sync>;

/// Columns and the statistics computed from them, by name.
pub(super) struct Measured {
    pub columns: Columns,
    pub statistics: Vec<(String, Statistic)>,
}

impl Measured {
    fn one(name: &str, values: impl Iterator<Item = Option<f64>>) -> Measured {
        Measured { columns: Columns::of_values(values), statistics: vec![(name.to_owned(), Box::new(mean))] }
    }
}

/// The share of the pick that each option gets: 1 for the most probable, divided among equal ones.
pub(super) fn picks(options: &[f64]) -> Vec<f64> {
    (0..options.len()).map(|place| share(options, place)).collect()
}

/// Choice accuracy of the mode.
pub(super) fn accuracy(hits: &[Option<f64>], scenes: &[usize]) -> Measured {
    Measured::one("accuracy", scenes.iter().map(|&scene| hits[scene]))
}

/// The lead of one chooser over another in accuracy, on the scenes of both.
pub(super) fn lead(own: &[Option<f64>], other: &[Option<f64>], over: &str, scenes: &[usize]) -> Measured {
    let gap = |&scene: &usize| Some(own[scene]? - other[scene]?);
    Measured::one(&format!("lead over {over}"), scenes.iter().map(gap))
}

/// Log loss of answers whose real option is at `real`.
pub(super) fn log_loss<'a>(answers: impl Iterator<Item = (Option<&'a Answer>, usize)>) -> Measured {
    let loss = |(answer, real): (Option<&Answer>, usize)| Some(-libm::log(answer?.options[real].max(LEAST)));
    Measured::one("log loss", answers.map(loss))
}

/// The mean probability of what users did: the limit of the accuracy over repeats.
pub(super) fn probability<'a>(answers: impl Iterator<Item = (Option<&'a Answer>, usize)>) -> Measured {
    Measured::one("probability of the real option", answers.map(|(answer, real)| Some(answer?.options[real])))
}

/// Accuracy of repeated draws from the most probable options that together have `top_p`.
pub(super) fn sampled(seed: u64, scene: usize, options: &[f64], real: usize, repeats: u32, top_p: f64) -> f64 {
    let mut order: Vec<usize> = (0..options.len()).collect();
    order.sort_by(|&a, &b| options[b].total_cmp(&options[a]).then(a.cmp(&b)));
    let mut sum = 0.0;
    let reach = order.iter().position(|&option| {
        sum += options[option];
        // 0.6 + 0.3 is less than 0.9 in binary: a rounding error must not add an option.
        sum >= top_p - 1e-9
    });
    let nucleus = &order[..reach.map_or(order.len(), |last| last + 1)];
    let total: f64 = nucleus.iter().map(|&option| options[option]).sum();
    let mut rng = Streams::new(seed, 0).derive(Purpose::Alignment, scene as u64, 1_000);
    let mut draw = || {
        let mut left = unit(&mut rng) * total;
        let hit = nucleus.iter().find(|&&option| {
            left -= options[option];
            left < 0.0
        });
        hit.or(nucleus.last()).copied()
    };
    let hits = (0..repeats).filter(|_| draw() == Some(real)).count();
    hits as f64 / f64::from(repeats.max(1))
}

/// Expected calibration error over 15 equal bins of the confidence (Guo et al. 2017), and its columns: for each bin the
/// number of scenes, the sum of confidences, and the hits.
pub(super) fn calibration<'a>(answers: impl Iterator<Item = (Option<&'a Answer>, usize)>) -> Measured {
    let row = |(answer, real): (Option<&Answer>, usize)| {
        let options = &answer?.options;
        let confidence = options.iter().copied().fold(0.0, f64::max);
        let bin = ((confidence * BINS as f64) as usize).min(BINS - 1);
        let mut row = vec![0.0; 3 * BINS];
        row[3 * bin..3 * bin + 3].copy_from_slice(&[1.0, confidence, share(options, real)]);
        Some(row)
    };
    let error: Statistic = Box::new(|sums: &[f64]| {
        let total: f64 = sums.chunks_exact(3).map(|bin| bin[0]).sum();
        sums.chunks_exact(3).map(|bin| (bin[1] - bin[2]).abs()).sum::<f64>() / total
    });
    let columns = Columns::new(3 * BINS, answers.map(row));
    Measured { columns, statistics: vec![("calibration error".to_owned(), error)] }
}

/// Shares of the chosen positions and of the positions of real items, and the gaps between them. A row has the share of
/// the pick at each position, and 1 at the position of the real item.
pub(super) fn positions(rows: impl Iterator<Item = Option<(Vec<f64>, usize)>>, longest: usize) -> Measured {
    let row = |row: Option<(Vec<f64>, usize)>| {
        let (chosen, real) = row?;
        let mut values = vec![0.0; 2 * longest + 1];
        values[..chosen.len()].copy_from_slice(&chosen);
        if real < chosen.len() {
            values[longest + real] = 1.0;
        }
        values[2 * longest] = 1.0;
        Some(values)
    };
    let mut statistics: Vec<(String, Statistic)> = Vec::new();
    for (place, letter) in Letter::first(longest).enumerate() {
        let chosen = move |sums: &[f64]| sums[place] / sums[2 * longest];
        let real = move |sums: &[f64]| sums[longest + place] / sums[2 * longest];
        statistics.push((format!("chosen at {letter}"), Box::new(chosen)));
        statistics.push((format!("real at {letter}"), Box::new(real)));
        statistics.push((format!("position gap at {letter}"), Box::new(move |sums| chosen(sums) - real(sums))));
    }
    let largest = move |sums: &[f64]| {
        let gaps = (0..longest).map(|place| (sums[place] - sums[longest + place]).abs());
        gaps.fold(0.0, f64::max) / sums[2 * longest]
    };
    statistics.push(("largest position gap".to_owned(), Box::new(largest)));
    Measured { columns: Columns::new(2 * longest + 1, rows.map(row)), statistics }
}

/// The answers to the list in all rotations, the original first.
fn rotations(heard: &Heard) -> Option<Vec<&Answer>> {
    let plain = heard.plain.as_ref()?;
    if heard.turned.is_empty() {
        return None;
    }
    let turned: Option<Vec<&Answer>> = heard.turned.iter().map(Option::as_ref).collect();
    Some([vec![plain], turned?].concat())
}

/// How far the choice follows the item under rotation, how far it follows the position, and the accuracy of the
/// probabilities averaged over all rotations.
pub(super) fn turned(heard: &[(&Heard, usize)]) -> Option<Measured> {
    let longest = heard.iter().filter_map(|(heard, _)| rotations(heard)).map(|all| all.len()).max()?;
    let row = |&(heard, real): &(&Heard, usize)| {
        let all = rotations(heard)?;
        let length = all.len();
        let mut values = vec![0.0; longest + 3];
        let mut summed = vec![0.0; all[0].options.len()];
        let first = picks(&all[0].options);
        for (by, answer) in all.iter().enumerate() {
            let chosen = picks(&answer.options);
            let item = |slot: usize| if slot < length { (slot + by) % length } else { slot };
            let offered = chosen[..length].iter().sum::<f64>() / length as f64;
            (0..length).for_each(|slot| values[slot] += (chosen[slot] - offered) / length as f64);
            let same: f64 = chosen.iter().enumerate().map(|(slot, pick)| pick * first[item(slot)]).sum();
            if by > 0 {
                values[longest] += same / (length - 1) as f64;
            }
            let options = answer.options.iter().enumerate();
            options.for_each(|(slot, option)| summed[item(slot)] += option);
        }
        values[longest + 1] = share(&summed, real);
        values[longest + 2] = 1.0;
        Some(values)
    };
    let ratio = move |place: usize| move |sums: &[f64]| sums[place] / sums[longest + 2];
    let mut statistics: Vec<(String, Statistic)> = vec![
        ("same item in all rotations".to_owned(), Box::new(ratio(longest))),
        ("accuracy of the mean over rotations".to_owned(), Box::new(ratio(longest + 1))),
    ];
    for (place, letter) in Letter::first(longest).enumerate() {
        statistics.push((format!("rotation gap at {letter}"), Box::new(ratio(place))));
    }
    let largest =
        move |sums: &[f64]| sums[..longest].iter().map(|gap| gap.abs()).fold(0.0, f64::max) / sums[longest + 2];
    statistics.push(("largest rotation gap".to_owned(), Box::new(largest)));
    Some(Measured { columns: Columns::new(longest + 3, heard.iter().map(row)), statistics })
}

/// Discrimination: in a list of the real item and `RATIOS[place]` others, an item counts as accepted if its probability
/// is above that of a guess.
pub(super) fn discrimination(heard: &[(&Heard, usize)], place: usize) -> Measured {
    let guess = 1.0 / (RATIOS[place] + 1) as f64;
    let row = |(heard, _): &(&Heard, usize)| {
        let (real, answer) = heard.ratios[place].as_ref()?;
        let (mut values, options) = (vec![0.0; 6], &answer.options);
        for (slot, &option) in options.iter().enumerate() {
            let cell = 2 * usize::from(slot != *real) + usize::from(option <= guess);
            values[cell] += 1.0;
            if slot != *real {
                let above = f64::from(u8::from(options[*real] > option));
                let equal = 0.5 * f64::from(u8::from(options[*real] == option));
                values[4] += (above + equal) / RATIOS[place] as f64;
            }
        }
        values[5] = 1.0;
        Some(values)
    };
    let name = |what: &str| format!("{what} 1:{}", RATIOS[place]);
    // Sums: true positives, false negatives, false positives, true negatives, area under the curve, lists.
    let statistics: Vec<(String, Statistic)> = vec![
        (name("accuracy"), Box::new(|sums: &[f64]| (sums[0] + sums[3]) / (sums[0] + sums[1] + sums[2] + sums[3]))),
        (name("precision"), Box::new(|sums: &[f64]| sums[0] / (sums[0] + sums[2]))),
        (name("recall"), Box::new(|sums: &[f64]| sums[0] / (sums[0] + sums[1]))),
        (name("F1"), Box::new(|sums: &[f64]| 2.0 * sums[0] / (2.0 * sums[0] + sums[1] + sums[2]))),
        (name("AUC"), Box::new(|sums: &[f64]| sums[4] / sums[5])),
    ];
    Measured { columns: Columns::new(6, heard.iter().map(row)), statistics }
}

/// Shares of "none of these": chosen, and by users.
pub(super) fn rejects(rows: impl Iterator<Item = Option<(f64, bool)>>) -> Measured {
    let row = |row: Option<(f64, bool)>| row.map(|(chosen, real)| vec![chosen, f64::from(u8::from(real)), 1.0]);
    let statistics: Vec<(String, Statistic)> = vec![
        ("reject rate".to_owned(), Box::new(|sums: &[f64]| sums[0] / sums[2])),
        ("reject rate of users".to_owned(), Box::new(|sums: &[f64]| sums[1] / sums[2])),
        ("reject gap".to_owned(), Box::new(|sums: &[f64]| (sums[0] - sums[1]) / sums[2])),
    ];
    Measured { columns: Columns::new(3, rows.map(row)), statistics }
}

/// How well the probability of "none of these" separates lists from which users took nothing from others: the
/// probability that it is higher for one of the first than for one of the second, equal ones half (the area under the
/// ROC curve; Hanley and McNeil 1982). Probabilities in one of [`RANKS`] equally filled bins count as equal.
pub(super) fn reject_order(rows: &[Option<(f64, bool)>]) -> Measured {
    let mut sorted: Vec<f64> = rows.iter().flatten().map(|&(none, _)| none).collect();
    sorted.sort_by(f64::total_cmp);
    let bin = |none: f64| sorted.partition_point(|&other| other < none) * RANKS / sorted.len().max(1);
    let row = |row: &Option<(f64, bool)>| {
        let (none, rejected) = (*row)?;
        let mut values = vec![0.0; 2 * RANKS];
        values[RANKS * usize::from(rejected) + bin(none)] = 1.0;
        Some(values)
    };
    let area: Statistic = Box::new(|sums: &[f64]| {
        let (taken, rejected) = sums.split_at(RANKS);
        let (mut below, mut area) = (0.0, 0.0);
        for (taken, rejected) in taken.iter().zip(rejected) {
            area += rejected * (below + 0.5 * taken);
            below += taken;
        }
        area / (below * rejected.iter().sum::<f64>())
    });
    // Without lists of both kinds there is nothing to separate.
    let both = [true, false].iter().all(|kind| rows.iter().flatten().any(|(_, rejected)| rejected == kind));
    let columns = Columns::new(2 * RANKS, rows.iter().filter(|_| both).map(row));
    Measured { columns, statistics: vec![("reject AUC".to_owned(), area)] }
}

/// Popularity ranks (0 is the most popular item) of the chosen and of the taken items, and the gap between them.
pub(super) fn popularity(rows: impl Iterator<Item = Option<(f64, f64)>>) -> Measured {
    let row = |row: Option<(f64, f64)>| row.map(|(chosen, real)| vec![chosen, real, 1.0]);
    let statistics: Vec<(String, Statistic)> = vec![
        ("popularity rank".to_owned(), Box::new(|sums: &[f64]| sums[0] / sums[2])),
        ("popularity rank of users".to_owned(), Box::new(|sums: &[f64]| sums[1] / sums[2])),
        ("popularity gap".to_owned(), Box::new(|sums: &[f64]| (sums[0] - sums[1]) / sums[2])),
    ];
    Measured { columns: Columns::new(3, rows.map(row)), statistics }
}

/// Ratings: the error of the expected rating, and the distance between the distributions of predicted and given
/// ratings. A row has the probabilities of the classes and the given class, counted from 1.
pub(super) fn ratings(rows: impl Iterator<Item = Option<([f64; RATINGS], usize)>>) -> Measured {
    let row = |row: Option<([f64; RATINGS], usize)>| {
        let (shares, given) = row?;
        let expected: f64 = shares.iter().zip(1..).map(|(share, class)| share * f64::from(class)).sum();
        let mut values = shares.to_vec();
        values.extend((1..=RATINGS).map(|class| f64::from(u8::from(class == given))));
        values.extend([(expected - given as f64) * (expected - given as f64), 1.0]);
        Some(values)
    };
    let statistics: Vec<(String, Statistic)> = vec![
        ("rating RMSE".to_owned(), Box::new(|sums: &[f64]| (sums[2 * RATINGS] / sums[2 * RATINGS + 1]).sqrt())),
        ("rating Jensen-Shannon".to_owned(), Box::new(|sums: &[f64]| jensen_shannon(&normal(sums)))),
        ("rating Kolmogorov-Smirnov".to_owned(), Box::new(|sums: &[f64]| kolmogorov_smirnov(&normal(sums)))),
    ];
    Measured { columns: Columns::new(2 * RATINGS + 2, rows.map(row)), statistics }
}

/// The two distributions of [`ratings`], each of sum 1.
fn normal(sums: &[f64]) -> [[f64; RATINGS]; 2] {
    let count = sums[2 * RATINGS + 1];
    [0, 1].map(|half| std::array::from_fn(|class| sums[half * RATINGS + class] / count))
}

/// The Jensen-Shannon divergence in bits: 0 for equal distributions, 1 for disjoint ones (Lin 1991).
fn jensen_shannon([p, q]: &[[f64; RATINGS]; 2]) -> f64 {
    let entropy = |value: f64| if value > 0.0 { -value * libm::log2(value) } else { 0.0 };
    let of = |(&p, &q): (&f64, &f64)| entropy(0.5 * (p + q)) - 0.5 * (entropy(p) + entropy(q));
    p.iter().zip(q).map(of).sum::<f64>()
}

/// The largest gap between the two cumulative distributions.
fn kolmogorov_smirnov([p, q]: &[[f64; RATINGS]; 2]) -> f64 {
    let (mut gap, mut largest) = (0.0_f64, 0.0_f64);
    for (p, q) in p.iter().zip(q) {
        gap += p - q;
        largest = largest.max(gap.abs());
    }
    if gap.is_nan() { f64::NAN } else { largest }
}

#[cfg(test)]
mod tests;
