//! The data of the page, formatted.

use super::charts::{Dot, diagonal};
use crate::report::svg::{Caption, minus};
use crate::validate::{CalibrationTable, Figure, Ranking, Reading, Validation};
use serde::Serialize;

#[derive(Serialize)]
pub(super) struct View {
    title: String,
    style: &'static str,
    version: &'static str,
    answer: String,
    more: Vec<String>,
    figures: Vec<[String; 3]>,
    readings: Vec<[String; 6]>,
    policies: Option<Policies>,
    parts: Vec<Part>,
    logged: Vec<[String; 6]>,
    notes: Vec<String>,
    facts: Vec<(&'static str, String)>,
}

#[derive(Serialize)]
struct Policies {
    summary: String,
    svg: Option<String>,
    rows: Vec<[String; 6]>,
    wrong: Vec<String>,
    left_out: Vec<String>,
}

#[derive(Serialize)]
struct Part {
    by: String,
    svg: Option<String>,
    rows: Vec<[String; 5]>,
}

impl View {
    pub(super) fn new(found: &Validation, style: &'static str) -> View {
        let mut said = found.verdict.iter().cloned();
        let figure = |name: &str, figure: Figure| [name.to_owned(), number(figure.estimate), ends(figure)];
        View {
            title: format!("Agreement of {} with users", found.model),
            style,
            version: found.version,
            answer: said.next().unwrap_or_default(),
            more: said.collect(),
            figures: vec![
                figure("accepted, observed", found.observed),
                figure("accepted, predicted as it is", found.predicted),
                figure("AUC", found.auc),
                figure("log loss as it is", found.loss_before),
                figure("log loss, level set", found.loss),
                ["log loss of the base rate".to_owned(), number(found.loss_of_base_rate), "\u{2013}".to_owned()],
            ],
            readings: found.readings.iter().map(reading).collect(),
            policies: found.ranking.as_ref().map(policies),
            parts: found.calibration.iter().enumerate().map(part).collect(),
            logged: logged(found),
            notes: found.notes.clone(),
            facts: vec![
                ("accepted", found.accepted.clone()),
                ("shown items", found.cells.to_string()),
                ("lists", found.lists.to_string()),
                ("users", found.users.to_string()),
                ("left out: in the log of their user", found.repeated.to_string()),
                ("left out: without a rating", found.unrated.to_string()),
            ],
        }
    }
}

fn number(value: f64) -> String {
    if value.is_finite() { minus(&format!("{value:.3}")) } else { "\u{2013}".to_owned() }
}

fn ends(figure: Figure) -> String {
    if figure.low.is_nan() {
        "\u{2013}".to_owned()
    } else {
        format!("{} to {}", number(figure.low), number(figure.high))
    }
}

fn reading(reading: &Reading) -> [String; 6] {
    let with_ends = |figure: Figure| match figure.low.is_nan() {
        true => number(figure.estimate),
        false => format!("{} ({})", number(figure.estimate), ends(figure)),
    };
    let asked = if reading.is_asked { ", asked" } else { "" };
    let right = reading.pairs_right.map_or_else(|| "\u{2013}".to_owned(), |right| right.to_string());
    let [tau, rmse] = [reading.kendall_tau, reading.level_rmse].map(|value| number(value.unwrap_or(f64::NAN)));
    [format!("{}{asked}", reading.meaning), with_ends(reading.auc), with_ends(reading.loss), right, tau, rmse]
}

fn policies(ranking: &Ranking) -> Policies {
    let dots: Vec<Dot<'_>> = ranking
        .policies
        .iter()
        .map(|one| Dot { name: &one.policy, predicted: one.predicted, observed: one.observed })
        .collect();
    let caption = Caption {
        id: "policies".to_owned(),
        title: "Values of policies",
        description: "Predicted, the level set, against observed.",
    };
    let tau = ranking.kendall_tau.map_or_else(|| "\u{2013}".to_owned(), |tau| minus(&format!("{tau:.2}")));
    let rows = ranking.policies.iter().chain([&ranking.own]).map(|one| {
        let auc = number(one.auc.estimate);
        let (observed, predicted) = (number(one.observed.estimate), number(one.predicted));
        [one.policy.clone(), auc, observed, ends(one.observed), number(one.predicted_before), predicted]
    });
    Policies {
        summary: format!(
            "Each policy orders the items of {} lists ({:.1} items each on average); its best {} are worth the share of them that \
             users accepted. The users' responses separate {} pairs of policies, and the model orders {} of them in the same way. Kendall's tau of both orders is \
             {tau}. Predicted and observed values differ by {} (root mean square) as the model is, and by {} with its level set.",
            ranking.lists,
            ranking.items,
            ranking.best,
            ranking.pairs_told,
            ranking.pairs_right,
            number(ranking.level_rmse_before),
            number(ranking.level_rmse)
        ),
        svg: diagonal(&caption, &dots, true, false),
        rows: rows.collect(),
        wrong: ranking.pairs_wrong.iter().map(|(a, b)| format!("users like {a} better than {b}")).collect(),
        left_out: ranking.left_out.clone(),
    }
}

fn part((nth, table): (usize, &CalibrationTable)) -> Part {
    let dot = |row| {
        let row: &crate::validate::CalibrationRow = row;
        Dot { name: &row.part, predicted: row.predicted, observed: row.observed }
    };
    let dots: Vec<Dot<'_>> = table.rows.iter().map(dot).collect();
    let caption =
        Caption { id: format!("part-{nth}"), title: &table.by, description: "Predicted against observed shares." };
    let rows = table.rows.iter().map(|row| {
        let observed = number(row.observed.estimate);
        [row.part.clone(), row.cells.to_string(), number(row.predicted), observed, ends(row.observed)]
    });
    Part { by: table.by.clone(), svg: diagonal(&caption, &dots, false, nth == 0), rows: rows.collect() }
}

fn logged(found: &Validation) -> Vec<[String; 6]> {
    let write = |value: f64| minus(&format!("{value:.5}"));
    let row = |one: &crate::validate::LoggedValue| {
        let interval = one.low.zip(one.high).map(|(low, high)| format!("{} to {}", write(low), write(high)));
        [
            one.policy.clone(),
            one.estimator.to_owned(),
            write(one.value),
            interval.unwrap_or_else(|| "\u{2013}".to_owned()),
            format!("{:.0}", one.effective),
            one.problem.clone().unwrap_or_else(|| "enough".to_owned()),
        ]
    };
    found.logged.iter().map(row).collect()
}
