//! A run as one self-contained HTML file.
//!
//! Its one script sorts columns; all content is visible without it.
//!
//! All content is computed from [`Results`]; the template `report.html.j2` only lays it out. Charts are inline SVG
//! drawn here. Policy names and all other text of the caller are escaped.
//!
//! [`write()`] completes the folder of a run:
//!
//! ```
//! use recmirror::prelude::*;
//!
//! let row = |n: i64| ((n % 40).to_string(), ((n * 7 + n / 40) % 60).to_string(), None, Some(n));
//! let data = Dataset::from_rows("shop", (0..600).map(row))?;
//! let settings = Experiment::builder(&data).population(50).slate(5).steps(3).replications(2);
//! let experiment = settings.policy("popular", &[]).policy("random", &[]).experiment()?;
//! let place = std::env::temp_dir().join(format!("recmirror-report-{}", std::process::id()));
//! let folder = RunFolder::create(&place.join("run"), true)?;
//! let run = experiment.run_observed(Some(&folder), &mut |_| ())?;
//! let path = recmirror::report::write(folder, &experiment, &run)?;
//! for file in ["report.html", "summary.csv", "manifest.json", "events"] {
//!     assert!(path.join(file).exists(), "{file}");
//! }
//! # std::fs::remove_dir_all(&place)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod alignment;
mod curves;
mod forest;
mod headline;
mod levels;
mod life;
mod line;
mod page;
mod pairs;
mod sensitivity;
mod sensitivity_view;
mod svg;
mod validation;
mod view;
mod write;

pub use self::alignment::alignment_html;
pub use self::page::{Page, baseline, failures};
pub use self::sensitivity::files as sensitivity_files;
pub use self::validation::validation_html;
pub use self::write::{Filled, WriteError, fill, write};

use crate::experiment::{LevelRow, PairRow, Results, Trust};
use crate::story::Story;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde::Serialize;

const TEMPLATE: &str = include_str!("report.html.j2");

/// A report that cannot be rendered: a mistake in the template, not in the input.
#[derive(Debug, thiserror::Error)]
#[error("cannot render the report: {0:#}")]
pub struct ReportError(#[from] minijinja::Error);

/// The inputs of a report.
#[derive(Clone, Debug)]
pub struct ReportInput<'a> {
    /// Heading; the scenario's name.
    pub title: String,
    /// The question of the experiment; may be empty.
    pub question: String,
    /// The duration of a step, such as `1 day`; may be empty.
    pub tick: String,
    /// The outputs of the run.
    pub results: &'a Results,
    /// All pairs of its policies, see [`Results::pairs`]; without them the table of pairs is left out.
    pub pairs: Vec<PairRow>,
    /// The same policies in sensitivity scenarios, if they ran there.
    pub trust: Option<Trust>,
    /// Acceptance of its users beside that of held-out users; may be empty.
    pub levels: Vec<LevelRow>,
    /// The timeline of one of the users, and the final name of the run's folder; `None` for runs without events.
    pub life: Option<(Story, String)>,
    /// Name and kind of the user model.
    pub user_model: String,
    /// Figures of the user model on held-out users, from its card; may be empty.
    pub measures: Vec<Measure>,
    /// Further sentences about trust, such as what was left out of the simulation.
    pub notes: Vec<String>,
    /// Names and values of the run: scenario, data set counts, seed, versions, hashes.
    pub facts: Vec<(String, String)>,
}

/// One figure of a user model's card.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measure {
    /// The measured figures.
    pub name: String,
    /// The figure in readable form, with its unit.
    pub value: String,
    /// The data of the figure, and the values of a perfect model or of chance; may be empty.
    pub note: String,
}

/// Renders the report.
///
/// # Errors
/// When the template does not fit the data; the tests guard against it.
pub fn html(input: &ReportInput<'_>) -> Result<String, ReportError> {
    let mut environment = environment()?;
    environment.add_template("report.html", TEMPLATE)?;
    Ok(environment.get_template("report.html")?.render(Serde(view::View::new(input)))?)
}

/// A share in readable form.
fn percent(share: f64) -> String {
    format!("{:.1}%", 100.0 * share)
}

/// The renderer of pages: it escapes text, and a missing value is an error.
fn environment() -> Result<Environment<'static>, ReportError> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    Ok(environment)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::testing::results;

    fn input(results: &Results) -> ReportInput<'_> {
        ReportInput {
            title: "A <b>title</b>".to_owned(),
            question: String::new(),
            tick: "1 day".to_owned(),
            results,
            pairs: results.pairs(&crate::random::Streams::new(7, 0)),
            trust: None,
            levels: Vec::new(),
            life: None,
            user_model: "parametric".to_owned(),
            measures: Vec::new(),
            notes: Vec::new(),
            facts: vec![("seed".to_owned(), "7 & more".to_owned())],
        }
    }

    fn default_metrics() -> Vec<&'static str> {
        crate::scenario::DEFAULT_METRICS.to_vec()
    }

    /// Every element is closed by its own name, and attributes are quoted.
    pub(super) fn assert_well_formed(page: &str) {
        const VOID: [&str; 1] = ["meta"];
        let mut open: Vec<&str> = Vec::new();
        let body = page.strip_prefix("<!doctype html>").unwrap();
        for tag in body.split('<').skip(1) {
            let (tag, text) = tag.split_once('>').expect("a tag ends");
            assert!(!text.contains('>') || ["style", "script"].contains(&tag), "stray `>` after <{tag}>");
            assert_eq!(tag.matches('"').count() % 2, 0, "quotes of <{tag}>");
            let name = tag.trim_start_matches('/').split([' ', '/', '\n']).next().unwrap();
            if tag.starts_with('/') {
                assert_eq!(open.pop(), Some(name), "</{name}> closes another element");
            } else if !tag.ends_with('/') && !VOID.contains(&name) {
                open.push(name);
            }
        }
        assert!(open.is_empty(), "{open:?} stay open");
    }

    fn checked(input: &ReportInput<'_>) -> String {
        let page = html(input).unwrap();
        assert_well_formed(&page);
        assert_eq!(page.matches("<script").count(), 1, "one script, that of the table");
        let (before, script) = page.split_once("<script>").unwrap();
        let page = before.to_owned() + script.split_once("</script>").unwrap().1;
        let body = page.split_once("<body>").unwrap().1;
        for word in ["NaN", "inf", "none", "undefined\""] {
            assert!(!body.contains(word), "`{word}` is no text for people");
        }
        for word in ["http", "<script", "@import", "url(\"", "@font-face"] {
            assert!(!page.contains(word), "`{word}` would load something");
        }
        page
    }

    #[test]
    fn names_are_escaped() {
        let finals: Vec<Option<f64>> = (1..=6).map(|nth| Some(f64::from(nth) / 8.0)).collect();
        let more: Vec<Option<f64>> = (1..=6).map(|nth| Some(f64::from(nth) / 7.0)).collect();
        let runs: &[&[Option<f64>]] = &[&finals, &more];
        let names = ["<script>", "a&b", "\"quoted\" 'name'"];
        let run = results(&default_metrics(), "a&b", &names.map(|name| (name, runs)), 3);
        let page = checked(&input(&run));
        assert!(page.contains("&lt;script&gt;") && page.contains("a&amp;b") && !page.contains("a&b"));
        assert!(page.contains("A &lt;b&gt;title") && page.contains("7 &amp; more"));
        assert_eq!(page.matches("role=\"img\"").count(), 12);
    }

    #[test]
    fn one_replication_one_tick_one_policy() {
        let finals = vec![Some(0.25); 6];
        let one = results(&default_metrics(), "only", &[("only", &[&finals])], 1);
        let page = checked(&input(&one));
        assert!(page.contains("gives no interval") && !page.contains("Differences from"));
        assert!(!page.contains("Every policy against every other"));
        let two = results(&default_metrics(), "only", &[("only", &[&finals]), ("other", &[&finals])], 1);
        assert!(checked(&input(&two)).contains("Differences from"));
    }

    #[test]
    fn undefined_values_are_a_dash() {
        let half = [vec![None; 6], vec![Some(0.5); 6]];
        let none: [Vec<Option<f64>>; 2] = [vec![None; 6], vec![None; 6]];
        let half: Vec<&[Option<f64>]> = half.iter().map(Vec::as_slice).collect();
        let none: Vec<&[Option<f64>]> = none.iter().map(Vec::as_slice).collect();
        let run = results(&default_metrics(), "some", &[("some", &half), ("never", &none)], 2);
        let page = checked(&input(&run));
        assert!(page.contains("<td>\u{2013}</td>") && page.contains("marks a value that is undefined"));
        assert!(page.contains("Undefined in every replication."));
        let run = results(&default_metrics(), "never", &[("never", &none)], 2);
        assert!(checked(&input(&run)).contains("Undefined at every tick."));
    }

    #[test]
    fn every_pair_has_a_row_and_few_replications_a_warning() {
        let first: Vec<Option<f64>> = (1..=6).map(|nth| Some(f64::from(nth) / 8.0)).collect();
        let second: Vec<Option<f64>> = (1..=6).map(|nth| Some(f64::from(nth) / 7.0)).collect();
        let up: &[&[Option<f64>]] = &[&first, &second];
        let down: &[&[Option<f64>]] = &[&second, &first];
        let run = results(&default_metrics(), "a", &[("a", up), ("b", down), ("c", down)], 1);
        let page = checked(&input(&run));
        assert_eq!(page.matches("</th><th scope=\"row\" title=\"a\">a</th>").count(), 2 * 6, "b and c against a");
        assert_eq!(page.matches("</th><th scope=\"row\" title=\"c\">c</th>").count(), 6, "b against c");
        assert!(page.contains(" of 3 pairs differ. The chance of even one false difference"));
        let without = ReportInput { pairs: Vec::new(), ..input(&run) };
        assert!(!checked(&without).contains("Every policy against every other"));
    }

    #[test]
    fn measures_and_notes_are_shown() {
        let finals = vec![Some(0.25); 6];
        let run = results(&default_metrics(), "a", &[("a", &[&finals, &finals])], 2);
        let figure = |name: &str| name.to_owned();
        let measure = Measure { name: figure("accuracy"), value: figure("0.41"), note: figure("chance: 0.1") };
        let notes = vec!["Nobody is born.".to_owned()];
        let page = checked(&ReportInput { measures: vec![measure], notes, ..input(&run) });
        assert!(page.contains("chance: 0.1") && page.contains("Nobody is born."));
        assert!(!page.contains("No figures were given"));
        assert!(checked(&input(&run)).contains("No figures were given"));
    }

    #[test]
    fn no_metric_at_all() {
        let run = results(&[], "a", &[("a", &[&[]])], 0);
        assert!(checked(&input(&run)).contains("No metric was asked for."));
    }
}
