//! An alignment as one self-contained HTML file.

mod charts;
mod view;

use super::{ReportError, TEMPLATE, environment};
use crate::align::scenes::SceneAlignment;
use minijinja::value::Serde;

const PAGE: &str = include_str!("../alignment.html.j2");

/// Renders the page.
///
/// # Errors
/// When the template does not fit the data; the tests guard against it.
pub fn alignment_html(found: &SceneAlignment) -> Result<String, ReportError> {
    let mut environment = environment()?;
    environment.add_template("alignment.html", PAGE)?;
    Ok(environment.get_template("alignment.html")?.render(Serde(view::View::new(found, style())))?)
}

/// The style of a run's report, which all pages share.
fn style() -> &'static str {
    let style = TEMPLATE.split_once("<style>").and_then(|(_, rest)| rest.split_once("</style>"));
    style.map_or("", |(style, _)| style)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::align::scenes::{ContenderRecord, ReliabilityBin, SceneFigure, Scope};
    use crate::align::{Agreement, OrderFigure, PolicyOrder, StartPolicy};
    use crate::report::tests::assert_well_formed;

    fn figure(who: &str, measure: &str, estimate: f64) -> SceneFigure {
        let (dataset, list, length) = (None, None, None);
        let (who, measure) = (who.to_owned(), measure.to_owned());
        let (low, high) = (estimate - 0.05, estimate + 0.05);
        SceneFigure {
            dataset,
            list,
            length,
            scope: Scope::All,
            who,
            measure,
            scenes: 40,
            users: 9,
            estimate,
            low,
            high,
        }
    }

    fn found(figures: Vec<SceneFigure>) -> SceneAlignment {
        let name = "a<b>".to_owned();
        let contender = ContenderRecord {
            name: name.clone(),
            kind: "language",
            fingerprint: "f".to_owned(),
            prompts: Some("p & q".to_owned()),
            questions: 80,
            unanswered: 0,
            first_failure: None,
        };
        let bin =
            ReliabilityBin { who: name.clone(), low: 0.4, high: 0.5, scenes: 40, confidence: 0.45, accuracy: 0.4 };
        SceneAlignment {
            version: "0",
            model: name,
            files: vec!["x.jsonl".to_owned()],
            datasets: vec!["x".to_owned()],
            lists: vec!["random".to_owned()],
            scenes: 40,
            users: 9,
            left_out: 1,
            unseen: Some(3),
            seed: 1,
            repeats: 5,
            top_p: 0.9,
            contenders: vec![contender],
            notes: vec!["a & b".to_owned()],
            user_free: vec!["first slot".to_owned(), "word centre".to_owned()],
            figures,
            reliability: vec![bin],
            policy_order: None,
            answers: Vec::new(),
        }
    }

    fn checked(found: &SceneAlignment) -> String {
        let page = alignment_html(found).expect("a page");
        assert_well_formed(&page);
        let body = page.split_once("<body>").expect("a body").1;
        for word in ["NaN", "inf", "none", "<b>", "http", "<script"] {
            assert!(!body.contains(word), "`{word}` is no text for people: {body}");
        }
        page
    }

    #[test]
    fn a_page_says_who_is_ahead_of_whom() {
        let figures = vec![
            figure("a<b>", "accuracy", 0.5),
            figure("a<b>, another user's memory", "accuracy", 0.25),
            figure("chance", "accuracy", 0.2),
            figure("first slot", "accuracy", 0.21),
            figure("word centre", "accuracy", 0.33),
            figure("a<b>", "lead over a<b>, another user's memory", 0.25),
            figure("a<b>", "real at A", 0.2),
            figure("a<b>", "chosen at A", 0.3),
            figure("a<b>", "largest position gap", 0.1),
            SceneFigure { low: f64::NAN, high: f64::NAN, ..figure("a<b>", "log loss", f64::NAN) },
        ];
        let mut found = found(figures);
        let page = checked(&found);
        for words in
            ["in 50.0% (45.0% to 55.0%); a guess in 20.0%", "25.0 points of its accuracy", "(word centre) finds 33.0%"]
        {
            assert!(page.contains(words), "no `{words}` in {page}");
        }
        assert_eq!(page.matches("role=\"img\"").count(), 3);
        let of = |estimate| OrderFigure { estimate, low: f64::NAN, high: f64::NAN };
        let (simulated, ndcg) = (of(0.5), of(0.1));
        let policy = StartPolicy { policy: "p<q>".to_owned(), simulated, precision: ndcg, recall: ndcg, ndcg };
        let (spearman, kendall) = (of(-1.0), of(-1.0));
        found.policy_order = Some(PolicyOrder {
            scenario: "s".to_owned(),
            users: 9,
            policies: vec![policy],
            agreements: vec![Agreement { measure: "ndcg", spearman, kendall, agree: 1, disagree: 2, too_close: 3 }],
            pairs: Vec::new(),
            learning: None,
            left_out: vec!["oracle: why".to_owned()],
        });
        assert!(checked(&found).contains("Spearman&#x27;s correlation is \u{2212}1.00"));
    }

    #[test]
    fn nothing_measured_is_a_page_too() {
        let mut empty = found(Vec::new());
        empty.reliability.clear();
        assert!(checked(&empty).contains("There is no answer."));
    }
}
