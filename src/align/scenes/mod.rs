//! Alignment of a user model on scene files.
//!
//! Reads scenes of `recmirror scenes` and evaluation sets of the
//! paper's reference code.
//!
//! [`measure_scenes`] asks one or more models about every scene and compares them with chance, rules that ignore the
//! user, popularity and item-kNN if the log is known, another user's memory instead of the own one, and the memory that
//! ends at the start of the held-out part of the log. docs/reference/alignment.md defines every figure.
//!
//! It reports figures with intervals and does not decide whether a model is good.

mod answer;
mod answers;
mod bootstrap;
mod contender;
mod figures;
mod frozen;
mod group;
mod known;
mod measures;
mod outcome;
mod prompt_check;
mod published;
mod question;
mod rules;
mod scene_users;
mod set;
mod table;

pub use self::answers::{AnswerRecord, write_answers};
pub use self::contender::{Contender, Variations};
pub use self::outcome::{ContenderRecord, ReliabilityBin, SceneAlignment, SceneFigure, Scope, write_text};
pub use self::question::RATIOS;
pub use self::scene_users::Lookup;
pub use self::set::SceneSet;

use self::answer::{Heard, by_scene};
use self::figures::Desk;
use self::known::Known;
use self::question::{Variation, Wanted, questions};
use crate::dataset::Dataset;
use crate::files::{FileError, Watch};
use crate::language::LanguageError;
use crate::pipeline::PromptError;
use crate::user::UserError;

/// An alignment on scene files that cannot be measured.
#[derive(Debug, thiserror::Error)]
pub enum AlignError {
    /// A problem of a file.
    #[error(transparent)]
    File(#[from] FileError),
    /// A problem of a prompt.
    #[error(transparent)]
    Prompt(#[from] PromptError),
    /// A problem of a language model.
    #[error(transparent)]
    Language(#[from] LanguageError),
    /// A problem of a user model.
    #[error(transparent)]
    User(#[from] UserError),
    /// A problem of a text template of the data set.
    #[error(transparent)]
    Template(#[from] crate::dataset::TemplateError),
    /// Scenes and model, or scenes and data, do not fit.
    #[error("{0}")]
    Unfit(String),
    /// A model answered nothing.
    #[error("{who} answered none of {scenes} scenes; the first: {problem}")]
    Silent {
        /// The model.
        who: String,
        /// Scenes asked.
        scenes: usize,
        /// The reason for the first missing answer.
        problem: String,
    },
    /// The measurement was interrupted.
    #[error("stopped; nothing was written")]
    Stopped,
}

/// Options of a measurement.
#[derive(Clone, Copy, Debug)]
pub struct SceneOptions {
    /// Root of the random streams: controls, drawn repeats, bootstrap.
    pub seed: u64,
    /// Drawn answers to each scene, as in the paper.
    pub repeats: u32,
    /// The total probability of the most probable options from which answers are drawn.
    pub top_p: f64,
}

/// Facts about the log behind the scenes.
#[derive(Default)]
pub struct Background<'a> {
    /// The data set, if given.
    pub data: Option<&'a Dataset>,
    /// The scenes in the data set: ratings, and which scenes follow a trained model's data.
    pub lookup: Option<&'a Lookup<'a>>,
    /// True if one of the models was trained on the part of the data set before the cut.
    pub is_trained: bool,
}

/// Measures the first of `contenders`, and the others beside it, on the scenes that all of them answer.
///
/// # Errors
/// When a model fails or answers nothing, or a data set's files are damaged.
pub fn measure_scenes(
    set: &SceneSet,
    contenders: &[Contender<'_>],
    background: &Background<'_>,
    options: SceneOptions,
    watch: &dyn Watch,
) -> Result<SceneAlignment, AlignError> {
    let known = known(set, background)?;
    let mut records = Vec::new();
    let mut heard = Vec::new();
    for contender in contenders {
        let (of, record) = ask(set, contender, options.seed, watch)?;
        heard.push(of);
        records.push(record);
    }
    watch.begin("resampling", 0);
    let desk = Desk { set, contenders, heard: &heard, known: &known, background, options };
    Ok(desk.alignment(records))
}

/// The log of each data set: that of `--data`, else the unified files beside the scenes.
fn known(set: &SceneSet, background: &Background<'_>) -> Result<Vec<Option<Known>>, AlignError> {
    let of = |dataset: usize| {
        let Some(begin) = set.begins[dataset] else { return Ok(None) };
        match (background.data, known::beside(set, dataset)) {
            (Some(data), _) => Ok(Some(Known::of_dataset(data, begin))),
            (None, Some(files)) => Known::of_raws(&files, begin),
            (None, None) => Ok(None),
        }
    };
    (0..set.datasets.len()).map(of).collect()
}

fn ask(
    set: &SceneSet,
    contender: &Contender<'_>,
    seed: u64,
    watch: &dyn Watch,
) -> Result<(Vec<Heard>, ContenderRecord), AlignError> {
    let Variations { rotations, discrimination: ratios, controls } = contender.variations;
    let wanted = Wanted { rotations, ratios, swapped: controls, frozen: controls && contender.answerer.can_freeze() };
    let questions = questions(set, wanted, seed);
    watch.begin(&format!("asking {}", contender.name), questions.len() as u64);
    let answers = contender.answerer.answer(set, &questions, watch)?;
    let plain = questions.iter().zip(&answers.given).filter(|(question, _)| question.variation == Variation::Plain);
    let answered = plain.filter(|(_, answer)| answer.is_some()).count();
    let failed = answers.given.iter().filter(|answer| answer.is_none()).count();
    let first_failure = answers.first_failure.as_ref().map(|(place, problem)| {
        let scene = &set.scenes[questions[*place].scene];
        format!("{}:{}: {problem}", set.files[scene.file].display(), scene.line)
    });
    if answered == 0 {
        let problem = first_failure.unwrap_or_else(|| "there is no answer".to_owned());
        return Err(AlignError::Silent { who: contender.name.clone(), scenes: set.len(), problem });
    }
    let record = ContenderRecord {
        name: contender.name.clone(),
        kind: contender.kind,
        fingerprint: contender.fingerprint.clone(),
        prompts: contender.prompts.clone(),
        questions: questions.len(),
        unanswered: failed,
        first_failure,
    };
    Ok((by_scene(set, &questions, answers), record))
}
