//! Sentences of composed decisions, from a replaceable file.

use super::super::Strength;
use crate::files::{MOST_OF_TEXT, read_text};
use crate::jinja;
use crate::random::below;
use minijinja::{Environment, UndefinedBehavior, Value, context};
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;
use std::path::{Path, PathBuf};

const EKB: &str = include_str!("ekb.toml");

/// A wording that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WordingError {
    /// The file cannot be read.
    #[error("cannot read the wording {}: {problem}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        problem: String,
    },
    /// A value or a template is wrong.
    #[error("{}: `{key}`: {problem}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// The problem.
        problem: String,
    },
}

/// The history length and sharpness of a model.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Habits {
    /// Latest history entries used.
    pub entries: usize,
    /// Factor of the softmax.
    pub sharpness: f64,
}

/// A step of the decision that has sentences and factors.
#[derive(Clone, Copy, Debug)]
pub(super) enum Section {
    Stimulus,
    Knowledge,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    strong: Habits,
    weak: Habits,
    stimulus: Step,
    knowledge: Step,
    styles: Vec<Style>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    sentences: Vec<String>,
    factors: Vec<String>,
    least: u32,
    most: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Style {
    name: String,
    when: String,
    sentence: String,
}

/// The subjects of the sentences.
pub(super) struct Facts {
    pub choice: String,
    pub other: String,
    pub recent: String,
    pub count: usize,
    pub profile: String,
    pub shared: String,
    pub size: usize,
}

impl Facts {
    fn values(&self) -> Value {
        context! {
            choice => &self.choice,
            other => &self.other,
            recent => &self.recent,
            count => self.count,
            profile => &self.profile,
            shared => &self.shared,
            size => self.size,
        }
    }
}

/// The compiled sentences of a file.
pub struct Wording {
    path: PathBuf,
    digest: String,
    file: File,
    templates: Environment<'static>,
}

impl Wording {
    /// The built-in wording, or that of a file in the same form.
    ///
    /// # Errors
    /// When the file cannot be read, or a value or a template is wrong.
    pub fn load(path: Option<&Path>) -> Result<Wording, WordingError> {
        let fail = |path: &Path, problem: String| WordingError::Read { path: path.to_owned(), problem };
        let (text, path) = match path {
            None => (EKB.to_owned(), PathBuf::from("compose/ekb.toml")),
            Some(path) => {
                (read_text(path, MOST_OF_TEXT).map_err(|problem| fail(path, problem.to_string()))?, path.to_owned())
            }
        };
        let file: File = toml::from_str(&text).map_err(|problem| fail(&path, problem.to_string()))?;
        let digest = blake3::hash(text.as_bytes()).to_hex()[..16].to_owned();
        let mut templates = jinja::environment();
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        let mut wording = Wording { path, digest, file, templates };
        wording.check()?;
        Ok(wording)
    }

    /// A short hash of the file.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    fn check(&mut self) -> Result<(), WordingError> {
        for (name, habits) in [("strong", &self.file.strong), ("weak", &self.file.weak)] {
            if !habits.sharpness.is_finite() || habits.sharpness < 0.0 {
                return Err(self.wrong(&format!("{name}.sharpness"), "not a number of at least 0".to_owned()));
            }
        }
        for (name, step) in [("stimulus", &self.file.stimulus), ("knowledge", &self.file.knowledge)] {
            if step.sentences.is_empty() || step.factors.is_empty() {
                return Err(self.wrong(name, "no sentences or no factors".to_owned()));
            }
            if step.least < 1 || step.least > step.most || step.most as usize > step.factors.len() {
                return Err(self.wrong(name, format!("`least` and `most` are not in 1 to {}", step.factors.len())));
            }
        }
        let facts = Facts {
            choice: "a".to_owned(),
            other: "b".to_owned(),
            recent: String::new(),
            count: 0,
            profile: String::new(),
            shared: String::new(),
            size: 2,
        };
        let sentences = self.file.stimulus.sentences.iter().chain(&self.file.knowledge.sentences);
        for sentence in sentences.chain(self.file.styles.iter().map(|style| &style.sentence)) {
            self.render(sentence, &facts)?;
        }
        if self.fitting(&facts)?.is_empty() {
            return Err(self.wrong("styles", "none fits a scene without history".to_owned()));
        }
        Ok(())
    }

    /// The habits of a model.
    pub(super) fn habits(&self, strength: Strength) -> &Habits {
        match strength {
            Strength::Strong => &self.file.strong,
            Strength::Weak => &self.file.weak,
        }
    }

    /// One sentence of the step.
    pub(super) fn sentence(
        &self,
        section: Section,
        facts: &Facts,
        rng: &mut ChaCha8Rng,
    ) -> Result<String, WordingError> {
        let sentences = &self.step(section).sentences;
        self.render(&sentences[below(rng, sentences.len() as u32) as usize], facts)
    }

    /// Some of the step's factors, in the order of the file.
    pub(super) fn factors(&self, section: Section, rng: &mut ChaCha8Rng) -> String {
        let step = self.step(section);
        let mut wanted = step.least + below(rng, step.most - step.least + 1);
        let mut drawn = Vec::new();
        // Selection sampling (Knuth, 3.4.2): each set of that size is equally likely.
        for (place, factor) in step.factors.iter().enumerate() {
            let left = (step.factors.len() - place) as u32;
            if below(rng, left) < wanted {
                wanted -= 1;
                drawn.push(factor.as_str());
            }
        }
        drawn.join(", ")
    }

    /// A matching style, and its sentence.
    pub(super) fn evaluation(&self, facts: &Facts, rng: &mut ChaCha8Rng) -> Result<(&str, String), WordingError> {
        let fitting = self.fitting(facts)?;
        if fitting.is_empty() {
            return Err(self.wrong("styles", "none fits this scene".to_owned()));
        }
        let style = fitting[below(rng, fitting.len() as u32) as usize];
        Ok((&style.name, self.render(&style.sentence, facts)?))
    }

    fn fitting(&self, facts: &Facts) -> Result<Vec<&Style>, WordingError> {
        let mut found = Vec::new();
        for style in &self.file.styles {
            jinja::check_expression(&style.when).map_err(|problem| self.wrong(&style.name, problem))?;
            let holds = self.templates.compile_expression(&style.when).and_then(|when| when.eval(facts.values()));
            if holds.map_err(|problem| self.wrong(&style.when, jinja::error_message(&problem)))?.is_true() {
                found.push(style);
            }
        }
        Ok(found)
    }

    fn step(&self, section: Section) -> &Step {
        match section {
            Section::Stimulus => &self.file.stimulus,
            Section::Knowledge => &self.file.knowledge,
        }
    }

    fn render(&self, sentence: &str, facts: &Facts) -> Result<String, WordingError> {
        jinja::check_template(sentence).map_err(|problem| self.wrong("sentences", problem))?;
        let rendered = jinja::render_text(&self.templates, sentence, &facts.values());
        rendered.map_err(|problem| self.wrong(sentence, jinja::error_message(&problem)))
    }

    fn wrong(&self, key: &str, problem: String) -> WordingError {
        WordingError::Value { path: self.path.clone(), key: key.to_owned(), problem }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, Streams};

    #[test]
    fn factors_are_as_many_as_the_file_says_and_differ() {
        let wording = Wording::load(None).expect("the wording");
        let mut sizes = std::collections::BTreeSet::new();
        for tick in 0..200 {
            let mut rng = Streams::new(1, 0).derive(Purpose::Decision, 1, tick);
            let factors = wording.factors(Section::Stimulus, &mut rng);
            let names: Vec<&str> = factors.split(", ").collect();
            assert!(names.iter().all(|name| wording.file.stimulus.factors.iter().any(|factor| factor == name)));
            sizes.insert(names.len());
        }
        assert_eq!(sizes.into_iter().collect::<Vec<_>>(), [1, 2, 3]);
    }

    #[test]
    fn wrong_files_are_reported() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("mine.toml");
        for (from, to, expected) in [
            ("{{ other }}", "{{ another }}", "undefined"),
            ("sharpness = 5.0", "sharpness = -5.0", "`strong.sharpness`: not a number of at least 0"),
            ("most = 3", "most = 30", "are not in 1 to 10"),
            ("when = \"true\"", "when = \"recent\"", "styles"),
            ("[weak]", "[week]", "cannot read the wording"),
        ] {
            let text = EKB.replace(from, to).replace("when = \"not shared\"", "when = \"shared\"");
            std::fs::write(&path, text).expect("written");
            let problem = Wording::load(Some(&path)).err().expect("wrong").to_string();
            assert!(problem.contains("mine.toml") && problem.contains(expected), "{problem}");
        }
    }
}
