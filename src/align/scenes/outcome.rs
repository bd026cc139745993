//! Results of an alignment on scene files: `align.json`, `align.csv`.

use super::AnswerRecord;
use crate::align::PolicyOrder;
use crate::files::spreadsheet::as_cell;
use crate::files::{FileError, Partial};
use serde::Serialize;
use std::io::Write;
use std::path::Path;

/// Which scenes of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// All of them.
    All,
    /// The scenes after the training data of a model: see docs/reference/alignment.md.
    Unseen,
}

impl Scope {
    /// `all` or `unseen`.
    pub fn name(self) -> &'static str {
        match self {
            Scope::All => "all",
            Scope::Unseen => "unseen",
        }
    }
}

/// One figure with its 95% interval over users; NaN (`null`) if undefined.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SceneFigure {
    /// The data set; `None` for all together.
    pub dataset: Option<String>,
    /// The list type; `None` for all together.
    pub list: Option<String>,
    /// Items of a list; `None` for all together.
    pub length: Option<usize>,
    /// The part of these scenes.
    pub scope: Scope,
    /// The answering model.
    pub who: String,
    /// The measured quantity.
    pub measure: String,
    /// Scenes on which it is defined.
    pub scenes: usize,
    /// Users of the group.
    pub users: usize,
    /// The estimate.
    pub estimate: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

/// A model in an alignment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ContenderRecord {
    /// Its name, as in the figures.
    pub name: String,
    /// `language`, `mirror`, `parametric`, ...
    pub kind: &'static str,
    /// The suffix that separates it from others with its name.
    pub fingerprint: String,
    /// Name and hash of the prompts.
    pub prompts: Option<String>,
    /// Questions to the model.
    pub questions: usize,
    /// Those without an answer.
    pub unanswered: usize,
    /// The reason for the first missing answer.
    pub first_failure: Option<String>,
}

/// Answers of one confidence.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReliabilityBin {
    /// The answering model.
    pub who: String,
    /// Lowest confidence of the bin.
    pub low: f64,
    /// Highest confidence.
    pub high: f64,
    /// Scenes.
    pub scenes: usize,
    /// Their mean confidence.
    pub confidence: f64,
    /// The share of correct answers.
    pub accuracy: f64,
}

/// The results of an alignment.
#[derive(Clone, Debug, Serialize)]
pub struct SceneAlignment {
    /// Version of the program.
    pub version: &'static str,
    /// The model that is measured.
    pub model: String,
    /// The names of the files.
    pub files: Vec<String>,
    /// The data sets.
    pub datasets: Vec<String>,
    /// The list types that the scenes state.
    pub lists: Vec<String>,
    /// Scenes that all models answered.
    pub scenes: usize,
    /// Their users.
    pub users: usize,
    /// Scenes of the files that some model did not answer.
    pub left_out: usize,
    /// Scenes after the training data of a model, if there is such a model.
    pub unseen: Option<usize>,
    /// Root of the random streams.
    pub seed: u64,
    /// Drawn answers to each scene.
    pub repeats: u32,
    /// The nucleus that they were drawn from.
    pub top_p: f64,
    /// The models.
    pub contenders: Vec<ContenderRecord>,
    /// Notes for the reader.
    pub notes: Vec<String>,
    /// The rules that never look at the user, by name.
    pub user_free: Vec<String>,
    /// The figures.
    pub figures: Vec<SceneFigure>,
    /// Confidence and accuracy of the models over all scenes.
    pub reliability: Vec<ReliabilityBin>,
    /// The order of policies in the simulator and on the log, if requested.
    pub policy_order: Option<PolicyOrder>,
    /// The answers of the models to each scene; they have a file of their own.
    #[serde(skip)]
    pub answers: Vec<AnswerRecord>,
}

impl SceneAlignment {
    /// A figure over all data sets and lengths, for one list type or all together.
    pub fn figure(&self, list: Option<&str>, scope: Scope, who: &str, measure: &str) -> Option<&SceneFigure> {
        let only = self.only_list();
        // If there is one list type, its figures are those of all together.
        let list = list.filter(|&list| only != Some(list));
        self.figures.iter().find(|of| {
            of.dataset.is_none()
                && of.length.is_none()
                && of.list.as_deref() == list
                && of.scope == scope
                && of.who == who
                && of.measure == measure
        })
    }

    /// The list type, if there is only one.
    pub fn only_list(&self) -> Option<&str> {
        self.lists.first().filter(|_| self.lists.len() == 1).map(String::as_str)
    }

    /// The list type that the headline uses: popularity-matched if there are such lists, else all.
    pub fn headline_list(&self) -> Option<&str> {
        self.lists.iter().map(String::as_str).find(|&list| list == "popularity-matched")
    }

    /// Writes the figures as CSV, one a row; an empty cell means all together, or undefined.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_csv(&self, path: &Path) -> Result<(), FileError> {
        let mut writer = ::csv::Writer::from_writer(Vec::new());
        let fail = |problem: String| FileError::write(path, std::io::Error::other(problem));
        let header =
            ["dataset", "list", "length", "scope", "who", "measure", "scenes", "users", "estimate", "low", "high"];
        writer.write_record(header).map_err(|problem| fail(problem.to_string()))?;
        let number = |value: f64| if value.is_finite() { format!("{value:.6}") } else { String::new() };
        let text = |text: &str| as_cell(text).into_owned();
        for of in &self.figures {
            let row = [
                text(of.dataset.as_deref().unwrap_or_default()),
                text(of.list.as_deref().unwrap_or_default()),
                of.length.map(|length| length.to_string()).unwrap_or_default(),
                of.scope.name().to_owned(),
                text(&of.who),
                text(&of.measure),
                of.scenes.to_string(),
                of.users.to_string(),
                number(of.estimate),
                number(of.low),
                number(of.high),
            ];
            writer.write_record(&row).map_err(|problem| fail(problem.to_string()))?;
        }
        let bytes = writer.into_inner().map_err(|problem| fail(problem.to_string()))?;
        write(path, &bytes)
    }

    /// Writes everything as JSON.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_json(&self, path: &Path) -> Result<(), FileError> {
        let text = serde_json::to_string_pretty(self).map_err(|problem| FileError::write(path, problem.into()))?;
        write(path, (text + "\n").as_bytes())
    }
}

/// Writes a text to a file that gets its name when it is complete.
///
/// # Errors
/// When the file cannot be written.
pub fn write_text(path: &Path, text: &str) -> Result<(), FileError> {
    write(path, text.as_bytes())
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let mut output = Partial::create(path)?;
    output.write_all(bytes).map_err(|source| FileError::write(path, source))?;
    output.finish()
}
