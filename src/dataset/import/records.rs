//! One record a line, as JSON or as a Python literal.

use super::publisher::{Fields, Place};
use super::{ImportError, literal};
use crate::files::Source;
use serde_json::Value;
use std::path::Path;

/// Records of a file. Its first line decides whether it is JSON or Python.
pub(super) struct Records {
    source: Source,
    python: Option<bool>,
}

impl Records {
    pub(super) fn open(path: &Path) -> Result<Records, ImportError> {
        let source = Source::open(path, "fetch it from the publisher (docs/reference/datasets.md)")?;
        Ok(Records { source, python: None })
    }

    /// The next record; `None` at the end.
    pub(super) fn step(&mut self) -> Result<Option<Fields>, ImportError> {
        if !self.source.advance()? {
            return Ok(None);
        }
        let text = self.source.text()?;
        let json = || serde_json::from_str::<Value>(text).map_err(|problem| problem.to_string());
        let python = || literal::parse(text).map_err(|problem| problem.to_string());
        let value = match self.python {
            Some(true) => python(),
            Some(false) => json(),
            None => {
                let first = json();
                // The error is that of the format which the line resembles.
                let other = if first.is_err() { python() } else { Err(String::new()) };
                let is_python = other.is_ok() || (first.is_err() && !text.contains("\": "));
                self.python = Some(is_python);
                if is_python { other } else { first }
            }
        };
        let kind = if self.python == Some(true) { "Python literal" } else { "JSON" };
        match value {
            Ok(Value::Object(fields)) => Ok(Some(fields)),
            Ok(_) => Err(self.source.error("the line is no record of names and values").into()),
            Err(problem) => Err(self.source.error(format!("not a valid {kind} record: {problem}")).into()),
        }
    }

    /// The place of the current record.
    pub(super) fn place(&self) -> Place<'_> {
        Place::new(self.source.path(), self.source.line(), self.source.taken())
    }
}
