//! A check that scenes use a model's training prompts.

use super::AlignError;
use super::known::beside;
use super::set::SceneSet;
use crate::dataset::TextTemplates;
use std::path::Path;

impl SceneSet {
    /// A sentence for each data set whose scenes are worded differently from `own`, the templates in the file `origin`;
    /// only projects with templates beside their scenes are compared.
    ///
    /// # Errors
    /// When a template is invalid.
    pub fn other_words(&self, own: &str, origin: &Path) -> Result<Vec<String>, AlignError> {
        let own = TextTemplates::parse(own, origin)?;
        let mut found = Vec::new();
        for (dataset, name) in self.datasets.iter().enumerate() {
            let Some(path) = beside(self, dataset).map(|files| files.template).filter(|path| path.is_file()) else {
                continue;
            };
            if let Some(key) = own.difference(&TextTemplates::load(&path)?) {
                found.push(format!(
                    "the scenes of {name} are in other words than the model was trained with: `{key}` of {} is not that of {}; \
                     copy the one over the other and make the scenes again",
                    path.display(),
                    origin.display()
                ));
            }
        }
        Ok(found)
    }
}
