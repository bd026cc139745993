//! The files of the unified form, and the text templates beside them.

use super::super::{TextTemplates, UnifiedFiles};
use super::ImportError;
use crate::files::{FileError, JsonlWriter, Partial};
use std::io::Write;

/// The three files while they are written. They get their names together, when all are complete.
pub(super) struct Output {
    pub(super) users: JsonlWriter,
    pub(super) items: JsonlWriter,
    pub(super) interactions: JsonlWriter,
}

impl Output {
    pub(super) fn create(files: &UnifiedFiles) -> Result<Output, FileError> {
        Ok(Output {
            users: JsonlWriter::create(&files.users)?,
            items: JsonlWriter::create(&files.items)?,
            interactions: JsonlWriter::create(&files.interactions)?,
        })
    }

    /// Finishes the files and, as the last one, the text templates if they are written.
    pub(super) fn finish(self, template: Option<Partial>) -> Result<(), FileError> {
        let writers = [self.users, self.items, self.interactions].into_iter();
        Partial::finish_all(writers.map(JsonlWriter::into_partial).chain(template).collect())
    }
}

/// The handling of a data set's text templates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TemplateFate {
    /// There were none, or they were replaced by force.
    Written,
    /// They are those that would be written.
    Same,
    /// They differ, someone edited them: they stay.
    Kept,
}

/// The templates of a data set, before they are written.
pub(super) struct Template {
    text: String,
    /// The templates that the data set will have.
    pub(super) templates: TextTemplates,
    pub(super) fate: TemplateFate,
}

impl Template {
    /// Decides between the templates in `raws/` and `shipped`; `force` takes the shipped ones.
    pub(super) fn choose(files: &UnifiedFiles, shipped: String, force: bool) -> Result<Template, ImportError> {
        let path = &files.template;
        let (text, fate) = match crate::files::read_text(path, crate::files::MOST_OF_TEXT) {
            Ok(present) if present == shipped => (present, TemplateFate::Same),
            Ok(present) if !force => (present, TemplateFate::Kept),
            Ok(_) => (shipped, TemplateFate::Written),
            Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => (shipped, TemplateFate::Written),
            Err(_) if force => (shipped, TemplateFate::Written),
            Err(problem) => return Err(FileError::read(path, problem).into()),
        };
        let templates = TextTemplates::parse(&text, path)?;
        Ok(Template { text, templates, fate })
    }

    /// The file, which has no name yet; `None` where the one that is there stays.
    pub(super) fn start(&self, files: &UnifiedFiles) -> Result<Option<Partial>, FileError> {
        if self.fate != TemplateFate::Written {
            return Ok(None);
        }
        let mut file = Partial::create(&files.template)?;
        file.write_all(self.text.as_bytes()).map_err(|source| FileError::write(&files.template, source))?;
        Ok(Some(file))
    }
}
