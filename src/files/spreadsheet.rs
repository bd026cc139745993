//! Text in CSV files that spreadsheets open.
//!
//! A spreadsheet takes a cell that begins with `=`, `+`, `-`, `@`, a tab or a carriage return for a formula. An
//! apostrophe before it makes it text (OWASP, CSV Injection). Texts that already look like that get one more
//! apostrophe, so that every text is restored exactly on reading. Numbers are not changed.

use std::borrow::Cow;

/// The text of a cell in written form.
pub fn as_cell(text: &str) -> Cow<'_, str> {
    if looks_like_a_formula(text) { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

/// The text that was written as this cell.
pub fn from_cell(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|text| looks_like_a_formula(text)).unwrap_or(cell)
}

/// True if a text is a formula, or one behind apostrophes.
fn looks_like_a_formula(text: &str) -> bool {
    text.trim_start_matches('\'').starts_with(['=', '+', '-', '@', '\t', '\r'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_become_text_and_come_back() {
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "=HYPERLINK(\"http://x\")"] {
            assert_eq!(as_cell(formula), format!("'{formula}"));
        }
        for plain in ["", "a", "'Til There Was You (1997)", "1-2", " =1", "''"] {
            assert_eq!(as_cell(plain), plain);
        }
        for text in ["=1", "'=1", "''=1", "'", "''", "'a", "", "-", "'-5", "a=1"] {
            assert_eq!(from_cell(&as_cell(text)), text);
            assert!(!as_cell(text).starts_with(['=', '+', '-', '@', '\t', '\r']), "{text}");
        }
    }
}
