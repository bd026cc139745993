//! A validation in words and lines.

use super::{CalibrationTable, Figure, LoggedValue, Ranking, Reading, Validation};
use crate::user::ExaminationEstimate;
use std::fmt::Write as _;

/// A model that orders this share of the pairs correctly can rank policies, as far as these exposures show.
const RANKS: f64 = 0.9;
/// With less than this it is no better than a lucky coin.
const GUESSES: f64 = 0.65;
/// A lower AUC is uninformative.
const TELLS: f64 = 0.55;

/// Wrong pairs that are reported one by one.
const MOST_WRONG: usize = 8;
/// Slots whose examination is printed one by one.
const MOST_SLOTS: usize = 20;

/// The meaning of the figures.
pub(super) fn verdict(found: &Validation) -> Vec<String> {
    let mut said = Vec::new();
    let auc = found.auc;
    said.push(if auc.low > 0.5 && auc.estimate >= TELLS {
        format!("The model predicts which shown items users accept: AUC {}.", interval(auc, 3))
    } else {
        format!("The model hardly predicts which shown items users accept: AUC {} (a guess: 0.5).", interval(auc, 3))
    });
    said.push(if found.loss.high < found.loss_of_base_rate {
        format!(
            "With its level set its probabilities say more than the base rate: log loss {} against {:.3}.",
            interval(found.loss, 3),
            found.loss_of_base_rate
        )
    } else {
        format!(
            "Even with its level set its probabilities say no more than the base rate for sure: log loss {} against {:.3}.",
            interval(found.loss, 3),
            found.loss_of_base_rate
        )
    });
    said.extend(better_reading(&found.readings));
    said.extend(found.ranking.as_ref().map(ranked));
    said.extend(found.logged.iter().filter(|one| one.estimator == "observed").filter_map(|one| valued(found, one)));
    said
}

/// The reading that predicts better than the meaning that was asked, if one does.
fn better_reading(readings: &[Reading]) -> Option<String> {
    let asked = readings.iter().find(|reading| reading.is_asked)?;
    let better = readings.iter().filter(|reading| reading.loss_difference.is_some_and(|figure| figure.high < 0.0));
    let best = better.min_by(|a, b| a.loss.estimate.total_cmp(&b.loss.estimate))?;
    let Figure { estimate, low, high } = best.loss_difference?;
    Some(format!(
        "`{}` predicts these answers better than `{}`, with both levels set: its log loss is lower by {:.3} [{:.3}, {:.3}].",
        best.meaning, asked.meaning, -estimate, -high, -low
    ))
}

/// The predictions for a target against its own users' responses.
fn valued(found: &Validation, observed: &LoggedValue) -> Option<String> {
    let of_model = |one: &&LoggedValue| one.policy == observed.policy && one.estimator == "dm";
    let predicted = found.logged.iter().find(of_model)?.value;
    let (low, high) = (observed.low?, observed.high?);
    let log = found.observed.estimate;
    let judged = if (low..=high).contains(&predicted) { "within" } else { "outside" };
    let comparison = if low <= log && log <= high {
        format!(", and so is the log's own share {log:.5}: these exposures are too few to separate the two policies")
    } else {
        format!("; the log's own share is {log:.5}")
    };
    Some(format!(
        "Users accepted {:.5} [{low:.5}, {high:.5}] of what `{}` showed itself. The model's prediction {predicted:.5} is {judged} \
         that interval{comparison}.",
        observed.value, observed.policy
    ))
}

fn ranked(ranking: &Ranking) -> String {
    let Ranking { pairs_told: separated, pairs_right: right, .. } = ranking;
    let share = *right as f64 / (*separated).max(1) as f64;
    let judged = if *separated == 0 {
        "these exposures are too few to say whether the model ranks policies"
    } else if share >= RANKS {
        "the model ranks policies as users do"
    } else if share < GUESSES {
        "do not rank policies with this model"
    } else {
        "the model's order of policies is right more often than not, but is not reliable"
    };
    format!(
        "Of {separated} pairs of policies that the users' responses separate, the model orders {right} in the same \
         way: {judged}."
    )
}

pub(super) fn interval(figure: Figure, digits: usize) -> String {
    let Figure { estimate, low, high } = figure;
    if low.is_nan() {
        return format!("{estimate:.digits$}");
    }
    format!("{estimate:.digits$} [{low:.digits$}, {high:.digits$}]")
}

impl Validation {
    /// All figures for readers.
    pub fn table(&self) -> String {
        let mut text = format!(
            "{}: {} shown items in {} lists of {} users\naccepted = {}\n\n",
            self.model, self.cells, self.lists, self.users, self.accepted
        );
        let rows = [
            ("accepted, observed", interval(self.observed, 3)),
            ("accepted, predicted as it is", interval(self.predicted, 3)),
            ("AUC", interval(self.auc, 3)),
            ("log loss as it is", interval(self.loss_before, 3)),
            ("log loss, level set", interval(self.loss, 3)),
            ("log loss of the base rate", format!("{:.3}", self.loss_of_base_rate)),
        ];
        for (name, value) in rows {
            let _ = writeln!(text, "{name:<30} {value}");
        }
        if !self.readings.is_empty() {
            text += &readings_text(&self.readings);
        }
        self.calibration.iter().for_each(|table| calibration(&mut text, table));
        if let Some(examination) = &self.examination {
            examined(&mut text, examination);
        }
        if let Some(ranking) = &self.ranking {
            ranking_text(&mut text, ranking);
        }
        if !self.logged.is_empty() {
            let _ = writeln!(text, "\npolicies on the whole catalogue, from logged propensities");
            let _ = writeln!(
                text,
                "  {:<16} {:<6} {:>9}  {:<22} {:>9}  support",
                "policy", "by", "value", "95% interval", "effective"
            );
            for one in &self.logged {
                let ends = one
                    .low
                    .zip(one.high)
                    .map_or_else(|| "-".to_owned(), |(low, high)| format!("[{low:.5}, {high:.5}]"));
                let support = one.problem.as_deref().unwrap_or("enough");
                let _ = writeln!(
                    text,
                    "  {:<16} {:<6} {:>9.5}  {ends:<22} {:>9.0}  {support}",
                    one.policy, one.estimator, one.value, one.effective
                );
            }
        }
        text.push('\n');
        self.verdict
            .iter()
            .chain(&self.notes)
            .for_each(|sentence| text += &format!("{}\n", crate::experiment::wrapped(sentence, 100)));
        text
    }

    /// The figures as rows `kind,name,measure,estimate,low,high,cells`.
    ///
    /// # Errors
    /// When a row cannot be written.
    pub fn csv(&self) -> Result<String, csv::Error> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(["kind", "name", "measure", "estimate", "low", "high", "cells"])?;
        let number = |value: f64| if value.is_finite() { value.to_string() } else { String::new() };
        let mut row = |kind: &str, name: &str, measure: &str, figure: Figure, cells: Option<usize>| {
            let cells = cells.map(|cells| cells.to_string()).unwrap_or_default();
            writer.write_record([
                kind,
                name,
                measure,
                &number(figure.estimate),
                &number(figure.low),
                &number(figure.high),
                &cells,
            ])
        };
        let alone = |estimate: f64| Figure { estimate, low: f64::NAN, high: f64::NAN };
        let all = [
            ("observed", self.observed),
            ("predicted_before", self.predicted),
            ("auc", self.auc),
            ("log_loss_before", self.loss_before),
            ("log_loss", self.loss),
            ("log_loss_of_base_rate", alone(self.loss_of_base_rate)),
        ];
        for (measure, figure) in all {
            row("model", &self.model, measure, figure, Some(self.cells))?;
        }
        for table in &self.calibration {
            for part in &table.rows {
                row(&table.by, &part.part, "observed", part.observed, Some(part.cells))?;
                row(&table.by, &part.part, "predicted", alone(part.predicted), Some(part.cells))?;
            }
        }
        for reading in &self.readings {
            row("reading", reading.meaning, "auc", reading.auc, None)?;
            row("reading", reading.meaning, "log_loss", reading.loss, None)?;
            let tau = reading.kendall_tau.map(|tau| ("kendall_tau", tau));
            let right = reading.pairs_right.map(|right| ("pairs_right", right as f64));
            for (measure, value) in
                right.into_iter().chain(tau).chain(reading.level_rmse.map(|rmse| ("level_rmse", rmse)))
            {
                row("reading", reading.meaning, measure, alone(value), None)?;
            }
        }
        for policy in self.ranking.iter().flat_map(|ranking| &ranking.policies) {
            row("policy", &policy.policy, "auc", policy.auc, None)?;
            row("policy", &policy.policy, "observed", policy.observed, None)?;
            row("policy", &policy.policy, "predicted_before", alone(policy.predicted_before), None)?;
            row("policy", &policy.policy, "predicted", alone(policy.predicted), None)?;
        }
        for one in &self.logged {
            let (low, high) = (one.low.unwrap_or(f64::NAN), one.high.unwrap_or(f64::NAN));
            row("policy", &one.policy, one.estimator, Figure { estimate: one.value, low, high }, None)?;
        }
        let bytes = writer.into_inner().map_err(|problem| csv::Error::from(problem.into_error()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

fn readings_text(readings: &[Reading]) -> String {
    let mut text = format!(
        "\nmeanings of acceptance on the same items, each with its level set (* the one that is asked)\n  {:<16} {:<22} {:<22} {:>11} {:>11} {:>10}\n",
        "meaning", "AUC", "log loss", "pairs right", "Kendall tau", "level RMSE"
    );
    let or_dash = |value: Option<f64>, digits: usize| value.map_or("-".to_owned(), |value| format!("{value:.digits$}"));
    for reading in readings {
        let name = format!("{}{}", reading.meaning, if reading.is_asked { " *" } else { "" });
        let right = reading.pairs_right.map_or("-".to_owned(), |right| right.to_string());
        let _ = writeln!(
            text,
            "  {name:<16} {:<22} {:<22} {right:>11} {:>11} {:>10}",
            interval(reading.auc, 3),
            interval(reading.loss, 3),
            or_dash(reading.kendall_tau, 2),
            or_dash(reading.level_rmse, 3)
        );
    }
    text
}

fn calibration(text: &mut String, table: &CalibrationTable) {
    let _ = writeln!(text, "\nby {}", table.by);
    let width = table.rows.iter().map(|row| row.part.chars().count()).max().unwrap_or(0).max(4);
    let _ = writeln!(text, "  {:<width$} {:>7} {:>10}  observed", "part", "cells", "predicted");
    for row in &table.rows {
        let _ = writeln!(
            text,
            "  {:<width$} {:>7} {:>10.3}  {}",
            row.part,
            row.cells,
            row.predicted,
            interval(row.observed, 3)
        );
    }
}

fn examined(text: &mut String, found: &ExaminationEstimate) {
    let _ =
        writeln!(text, "\nexamination of slots, relative to the highest (position-based model, {} lists)", found.lists);
    let _ = writeln!(text, "  slot  examined {:<16}  naive", "");
    for (slot, &estimate) in found.weights.iter().enumerate().take(MOST_SLOTS) {
        let figure = Figure { estimate, low: found.low[slot], high: found.high[slot] };
        let _ = writeln!(text, "  {:>4}  {:<25}  {:.3}", slot + 1, interval(figure, 3), found.naive[slot]);
    }
    if let Some(more @ 1..) = found.weights.len().checked_sub(MOST_SLOTS) {
        let _ = writeln!(text, "  and {more} more");
    }
}

fn ranking_text(text: &mut String, ranking: &Ranking) {
    let Ranking { best, lists, items, .. } = ranking;
    let _ = writeln!(text, "\npolicies by the value of their best {best} of {items:.1} items, {lists} lists");
    let width = ranking.policies.iter().map(|one| one.policy.chars().count()).max().unwrap_or(0).max(18);
    let _ = writeln!(
        text,
        "  {:<width$} {:>6} {:<22} {:>10} {:>10}",
        "policy", "AUC", "observed", "predicted", "level set"
    );
    for one in ranking.policies.iter().chain([&ranking.own]) {
        let _ = writeln!(
            text,
            "  {:<width$} {:>6.3} {:<22} {:>10.3} {:>10.3}",
            one.policy,
            one.auc.estimate,
            interval(one.observed, 3),
            one.predicted_before,
            one.predicted
        );
    }
    let tau = ranking.kendall_tau.map_or_else(|| "-".to_owned(), |tau| format!("{tau:.2}"));
    let _ = writeln!(
        text,
        "  pairs separated {}, right {}; Kendall tau {tau}; level RMSE {:.3} as it is, {:.3} with the level set",
        ranking.pairs_told, ranking.pairs_right, ranking.level_rmse_before, ranking.level_rmse
    );
    for (better, worse) in ranking.pairs_wrong.iter().take(MOST_WRONG) {
        let _ = writeln!(text, "  wrong: users like {better} better than {worse}");
    }
    if let Some(more @ 1..) = ranking.pairs_wrong.len().checked_sub(MOST_WRONG) {
        let _ = writeln!(text, "  and {more} more");
    }
    ranking.left_out.iter().for_each(|problem| text.push_str(&format!("  left out: {problem}\n")));
}
