//! Prompts of scenes, as replaceable templates.

use super::{Letter, Message, Role};
use crate::files::{MOST_OF_TEXT, read_text};
use crate::jinja;
use minijinja::{Environment, UndefinedBehavior, context};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

const EKB: &str = include_str!("prompts/ekb.toml");

/// The text before the option label of a behaviour, in every prompt.
pub const BEHAVIOR: &str = "Behavior:";

/// The text of a scene for a language model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SceneText {
    /// The user's profile.
    pub profile: String,
    /// The user's last interactions, the oldest first, one a line.
    pub history: String,
    /// The listed items, without their labels.
    pub action_list: Vec<String>,
}

/// A scene for a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question<'a> {
    /// The data set's name.
    pub dataset: &'a str,
    /// The input of the model.
    pub text: &'a SceneText,
    /// True if "none of these" is an option too: the label after the last item's.
    pub offers_none: bool,
}

impl Question<'_> {
    /// The number of options: the items, and "none of these" if it is offered.
    pub fn options(&self) -> usize {
        self.text.action_list.len() + usize::from(self.offers_none)
    }
}

/// The decision of an answer: the text before the first `Behavior:`, or all of it.
pub fn rationale(answer: &str) -> &str {
    let before = answer.split(BEHAVIOR).next().unwrap_or_default();
    // The word may be emphasised: `**Behavior:** [B]`.
    before.trim().trim_end_matches(['*', '_', '#']).trim()
}

/// The kind of question to a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PromptKind {
    /// The rationale, then the behaviour.
    Decision,
    /// The behaviour alone.
    Letter,
}

/// Prompts that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// The file cannot be read.
    #[error("cannot read the prompts {}: {problem}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        problem: String,
    },
    /// A template is wrong.
    #[error("{}: `{key}`: {problem}", path.display())]
    Template {
        /// The file.
        path: PathBuf,
        /// The key of the template.
        key: &'static str,
        /// The problem.
        problem: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    system_decision: String,
    system_letter: String,
    user: String,
    none: String,
    assistant: String,
}

/// The compiled prompts of a file.
pub struct Prompts {
    name: String,
    digest: String,
    none: String,
    path: PathBuf,
    templates: Environment<'static>,
}

impl Prompts {
    /// The built-in prompts, or those of a file in the same form.
    ///
    /// # Errors
    /// When the file cannot be read or a template is wrong.
    pub fn load(path: Option<&Path>) -> Result<Prompts, PromptError> {
        let (text, path) = match path {
            None => (EKB.to_owned(), PathBuf::from("prompts/ekb.toml")),
            Some(path) => {
                let fail =
                    |problem: std::io::Error| PromptError::Read { path: path.to_owned(), problem: problem.to_string() };
                (read_text(path, MOST_OF_TEXT).map_err(fail)?, path.to_owned())
            }
        };
        Prompts::parse(&text, &path)
    }

    /// Reads the text of a prompt file; errors name `path`.
    ///
    /// # Errors
    /// When a key is missing or unknown, or a template is wrong.
    pub fn parse(text: &str, path: &Path) -> Result<Prompts, PromptError> {
        let path = path.to_owned();
        let file: File = toml::from_str(text)
            .map_err(|problem| PromptError::Read { path: path.clone(), problem: problem.to_string() })?;
        let mut templates = jinja::environment();
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        for (key, source) in [
            ("system_decision", file.system_decision),
            ("system_letter", file.system_letter),
            ("user", file.user),
            ("assistant", file.assistant),
        ] {
            let wrong = |problem: String| PromptError::Template { path: path.clone(), key, problem };
            jinja::check_template(&source).map_err(wrong)?;
            let fail = |problem: minijinja::Error| wrong(jinja::error_message(&problem));
            templates.add_template_owned(key, source).map_err(fail)?;
        }
        let digest = blake3::hash(text.as_bytes()).to_hex()[..16].to_owned();
        Ok(Prompts { name: file.name, digest, none: file.none, path, templates })
    }

    /// The prompts' name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A short hash of the file.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The name of the option that is not an item.
    pub fn none(&self) -> &str {
        &self.none
    }

    /// The conversation that ends with the question: a system message and the scene.
    ///
    /// # Errors
    /// When a template fails on this scene.
    pub fn question<'a>(&self, scene: impl Into<Question<'a>>, kind: PromptKind) -> Result<Vec<Message>, PromptError> {
        let scene = scene.into();
        let letters: Vec<Letter> = Letter::first(scene.options()).collect();
        let texts = scene.text.action_list.iter().map(String::as_str).chain([self.none.as_str()]);
        let options: Vec<_> =
            letters.iter().zip(texts).map(|(letter, text)| context! { letter => letter.to_string(), text }).collect();
        let values = context! {
            dataset => scene.dataset,
            profile => &scene.text.profile,
            history => &scene.text.history,
            options,
            letters => listed(&letters),
        };
        let system = match kind {
            PromptKind::Decision => "system_decision",
            PromptKind::Letter => "system_letter",
        };
        let system = self.render(system, &values)?;
        let user = self.render("user", &values)?;
        Ok(vec![Message::new(Role::System, system.trim()), Message::new(Role::User, user.trim())])
    }

    /// The model's answer: the decision and its final option label.
    ///
    /// # Errors
    /// When the template fails.
    pub fn answer(&self, decision: &str, letter: Letter) -> Result<Message, PromptError> {
        let text = self.said(decision, &letter.to_string())?;
        Ok(Message::new(Role::Assistant, text))
    }

    /// The model's text up to the option label, which comes next: `... Behavior: [`, and the index in it at which the
    /// decision ends.
    ///
    /// # Errors
    /// When the template fails.
    pub fn unfinished(&self, decision: &str) -> Result<(Message, usize), PromptError> {
        // A mark that does not occur in the decision.
        let marks = (0u32..).map(|number| format!("\u{0}{number}\u{0}"));
        let mark = marks.into_iter().find(|mark| !decision.contains(mark.as_str())).unwrap_or_default();
        let whole = self.said(decision, &mark)?;
        let before = whole.split(mark.as_str()).next().unwrap_or_default();
        let said = decision.trim();
        let end = before.find(said).map_or(before.len(), |at| at + said.len());
        Ok((Message::new(Role::Assistant, before), end))
    }

    /// The model's text. Without a decision, the separator before the label is dropped, too.
    fn said(&self, decision: &str, letter: &str) -> Result<String, PromptError> {
        let text = self.render("assistant", &context! { decision, letter })?;
        Ok(if decision.is_empty() { text.trim_start().to_owned() } else { text })
    }

    fn render(&self, key: &'static str, values: &minijinja::Value) -> Result<String, PromptError> {
        let fail = |problem: minijinja::Error| PromptError::Template {
            path: self.path.clone(),
            key,
            problem: jinja::error_message(&problem),
        };
        jinja::render(&self.templates, key, values).map_err(fail)
    }
}

/// `A, B or C`.
fn listed(letters: &[Letter]) -> String {
    let names: Vec<String> = letters.iter().map(Letter::to_string).collect();
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => names.join(""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text() -> SceneText {
        SceneText {
            profile: "A reader.".to_owned(),
            history: "Dune\nEmma".to_owned(),
            action_list: vec!["Ulysses".to_owned(), "Persuasion".to_owned()],
        }
    }

    fn scene(text: &SceneText) -> Question<'_> {
        Question { dataset: "books", text, offers_none: true }
    }

    #[test]
    fn a_scene_becomes_a_question() {
        let prompts = Prompts::load(None).expect("prompts");
        let messages = prompts.question(scene(&text()), PromptKind::Letter).expect("a question");
        let wanted = "## The user\nA reader.\n\n## What the user did, the latest last\nDune\nEmma\n\n## On the screen now\n\
            [A] Ulysses\n[B] Persuasion\n[C] None of these\n\nWhich one does this user take: A, B or C?";
        assert_eq!(messages[1], Message::new(Role::User, wanted));
        let decision = prompts.question(scene(&text()), PromptKind::Decision).expect("a question");
        assert!(decision[0].content.ends_with("Behavior: [letter]"));
        assert_eq!(decision[1], messages[1]);
    }

    #[test]
    fn answers_end_in_the_label() {
        let prompts = Prompts::load(None).expect("prompts");
        let letter = Letter::of(1).expect("a letter");
        assert_eq!(prompts.answer("Thought:\nx", letter).expect("an answer").content, "Thought:\nx\nBehavior: [B]");
        let unfinished = |decision| {
            let (message, said) = prompts.unfinished(decision).expect("an answer");
            (message.content.clone(), message.content[..said].to_owned())
        };
        assert_eq!(unfinished("Thought:\nx"), ("Thought:\nx\nBehavior: [".to_owned(), "Thought:\nx".to_owned()));
        assert_eq!(prompts.answer("", letter).expect("an answer").content, "Behavior: [B]");
        assert_eq!(unfinished(""), ("Behavior: [".to_owned(), String::new()));
        let odd = "a\u{0}b\u{0}0\u{0}";
        assert_eq!(unfinished(odd), (format!("{odd}\nBehavior: ["), odd.to_owned()));
    }

    #[test]
    fn a_rationale_ends_before_the_behaviour() {
        for (answer, wanted) in [
            ("Thought:\nx\nBehavior: [B]", "Thought:\nx"),
            ("x\n**Behavior:** [A]\nBehavior: [B]", "x"),
            (" cut off ", "cut off"),
            ("Behavior: [A]", ""),
            ("", ""),
        ] {
            assert_eq!(rationale(answer), wanted);
        }
    }

    #[test]
    fn wrong_files_are_reported() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("mine.toml");
        std::fs::write(&path, EKB.replace("none = ", "nothing = ")).expect("written");
        let problem = Prompts::load(Some(&path)).err().expect("wrong").to_string();
        assert!(problem.contains("mine.toml") && problem.contains("nothing"), "{problem}");
        std::fs::write(&path, EKB.replace("{{ letters }}", "{{ lettres }}")).expect("written");
        let prompts = Prompts::load(Some(&path)).expect("a file");
        let problem = prompts.question(scene(&text()), PromptKind::Letter).expect_err("wrong").to_string();
        assert!(problem.contains("mine.toml: `user`"), "{problem}");
    }
}
