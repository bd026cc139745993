//! A validation as one self-contained HTML file.

mod charts;
mod view;

use super::{ReportError, TEMPLATE, environment};
use crate::validate::Validation;
use minijinja::value::Serde;

const PAGE: &str = include_str!("../validation.html.j2");

/// Renders the page.
///
/// # Errors
/// When the template does not fit the data; the tests guard against it.
pub fn validation_html(found: &Validation) -> Result<String, ReportError> {
    let style = TEMPLATE.split_once("<style>").and_then(|(_, rest)| rest.split_once("</style>"));
    let mut environment = environment()?;
    environment.add_template("validation.html", PAGE)?;
    let view = view::View::new(found, style.map_or("", |(style, _)| style));
    Ok(environment.get_template("validation.html")?.render(Serde(view))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::assert_well_formed;
    use crate::validate::tests::{Truth, validated};

    #[test]
    fn a_page_has_the_figures_and_a_chart_for_each_table() {
        let found = validated(&Truth::default());
        let page = validation_html(&found).expect("a page");
        assert_well_formed(&page);
        let body = page.split_once("<body>").expect("a body").1;
        for word in ["NaN", "inf ", "none", "http", "<script"] {
            assert!(!body.contains(word), "`{word}` is no text for people");
        }
        assert_eq!(page.matches("role=\"img\"").count(), 1 + found.calibration.len());
        assert!(page.contains(&found.verdict[2].replace('\'', "&#x27;")), "{:?}", found.verdict);
    }
}
