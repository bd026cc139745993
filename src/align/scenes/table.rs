//! An alignment as text for a terminal.

use super::outcome::{SceneAlignment, SceneFigure, Scope};
use std::fmt::Write;

/// Measures with a column of their own.
const COLUMNS: [(&str, &str); 4] = [
    ("accuracy", "accuracy"),
    ("accuracy of drawn answers", "drawn"),
    ("log loss", "log loss"),
    ("calibration error", "calibration"),
];

impl SceneAlignment {
    /// The figures as tables: accuracies for each group of scenes, and the other measures of the model on all scenes.
    pub fn table(&self) -> String {
        let mut text = format!(
            "{} on {} scenes of {} users ({}), seed {}\n",
            self.model,
            self.scenes,
            self.users,
            self.files.join(", "),
            self.seed
        );
        for of in &self.contenders {
            let prompts = of.prompts.as_ref().map(|prompts| format!(", prompts {prompts}")).unwrap_or_default();
            let _ =
                writeln!(text, "  {} ({} {}{prompts}): {} questions", of.name, of.kind, of.fingerprint, of.questions);
            if let Some(failure) = &of.first_failure {
                let _ = writeln!(text, "    {} without an answer; the first: {failure}", of.unanswered);
            }
        }
        if self.left_out > 0 {
            let _ = writeln!(text, "  {} scenes are left out for all: some model has no answer to them", self.left_out);
        }
        if let Some(unseen) = self.unseen {
            let _ = writeln!(text, "  {unseen} scenes lie after the data on which a model was trained (\"unseen\")");
        }
        self.notes.iter().for_each(|note| {
            let _ = writeln!(text, "  note: {note}");
        });
        for figures in self.figures.chunk_by(|a, b| a.group() == b.group()) {
            text.push('\n');
            group(&mut text, figures);
        }
        let all = self.figures.chunk_by(|a, b| a.group() == b.group()).next().unwrap_or_default();
        text.push_str("\nfurther measures, all scenes\n");
        rest(&mut text, all);
        self.policy_order.iter().for_each(|order| text.push_str(&order.table()));
        text
    }
}

impl SceneFigure {
    /// The common properties of its scenes.
    pub(crate) fn group(&self) -> (Option<&str>, Option<&str>, Option<usize>, Scope) {
        (self.dataset.as_deref(), self.list.as_deref(), self.length, self.scope)
    }

    /// The name of the group.
    pub(crate) fn group_name(&self) -> String {
        let list = self.list.as_ref().map(|list| format!("{list} lists"));
        let length = self.length.map(|length| format!("lists of {length}"));
        let parts: Vec<String> = [self.dataset.clone(), list, length].into_iter().flatten().collect();
        let what = if parts.is_empty() { "all scenes".to_owned() } else { parts.join(", ") };
        if self.scope == Scope::Unseen { format!("{what}, unseen") } else { what }
    }
}

fn group(text: &mut String, figures: &[SceneFigure]) {
    let Some(first) = figures.first() else { return };
    let _ = writeln!(text, "{}: {} scenes of {} users", first.group_name(), first.scenes, first.users);
    let _ = write!(text, "  {:<48}", "who");
    COLUMNS.iter().for_each(|(_, title)| {
        let _ = write!(text, " {title:<24}");
    });
    text.push_str("scenes\n");
    for row in figures.iter().filter(|figure| figure.measure == "accuracy") {
        let _ = write!(text, "  {:<48}", row.who);
        for (measure, _) in COLUMNS {
            let cell = figures.iter().find(|figure| figure.who == row.who && figure.measure == measure);
            let _ = write!(text, " {:<24}", cell.map(with_interval).unwrap_or_default());
        }
        let _ = writeln!(text, "{}", row.scenes);
    }
}

/// The measures without a column, for each model. Shares of positions are only in the files, because the gaps contain
/// them.
fn rest(text: &mut String, figures: &[SceneFigure]) {
    let is_left_out = |of: &&SceneFigure| {
        let has_column = COLUMNS.iter().any(|(measure, _)| *measure == of.measure);
        has_column || of.measure.starts_with("chosen at ") || of.measure.starts_with("real at ")
    };
    let shown: Vec<&SceneFigure> = figures.iter().filter(|of| !is_left_out(of)).collect();
    for rows in shown.chunk_by(|a, b| a.who == b.who) {
        let _ = writeln!(text, "  {}", rows[0].who);
        for of in rows {
            let _ = writeln!(text, "    {:<60} {:<24} {}", of.measure, with_interval(of), of.scenes);
        }
    }
}

/// The estimate with its interval.
pub(super) fn with_interval(figure: &SceneFigure) -> String {
    if !figure.estimate.is_finite() {
        return "-".to_owned();
    }
    if !figure.low.is_finite() {
        return format!("{:.3}", figure.estimate);
    }
    format!("{:.3} ({:.3} to {:.3})", figure.estimate, figure.low, figure.high)
}
