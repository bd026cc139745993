//! Import of a publisher's files.
//!
//! [`FAMILIES`] is the one table of readable data. A family is a file here: it has the publisher's files and columns,
//! the family's filters and the fields to show. Everything else, the passes over the log, counting, dropping and
//! writing, is the same for all of them. `templates/` has the text templates of rows, for users to edit.
//!
//! No code here builds scenes or reads embeddings, and nothing is fetched.

mod amazon;
mod atomic;
mod coat;
mod custom;
#[cfg(feature = "all")]
mod engine;
mod error;
mod folder;
mod goodreads;
mod kuairec;
mod lastfm;
mod literal;
mod mind;
mod mobilerec;
mod movielens;
#[cfg(feature = "all")]
mod output;
mod publisher;
mod records;
#[cfg(feature = "all")]
mod sieve;
mod steam;
mod table;
mod tables;
mod values;

pub use self::error::ImportError;
#[cfg(feature = "all")]
pub use self::output::TemplateFate;

pub(super) use self::coat::Matrix;
pub(super) use self::folder::Folder;
pub(super) use self::publisher::{Place, Publisher, RawRow, Roles, ShownRow, Verdict};
pub(super) use self::tables::{FieldType, MemoryNames, ProbabilityRow, read_probabilities, tables_in_memory};

#[cfg(feature = "all")]
use self::engine::Example;
#[cfg(feature = "all")]
use self::output::{Output, Template};
#[cfg(feature = "all")]
use super::detect::{self, Detected};
#[cfg(feature = "all")]
use super::{DataError, Moment, TextTemplates, UnifiedFiles};
#[cfg(feature = "all")]
use crate::files::{Tally, Watch};
#[cfg(feature = "all")]
use std::path::{Path, PathBuf};

/// The text template for unknown kinds of items: every field, by its name.
pub(crate) const GENERIC_TEMPLATE: &str = include_str!("templates/custom.toml");

/// Every family that can be imported. A new one is a file and a line.
pub const FAMILIES: [Family; 12] = [
    movielens::FAMILY,
    steam::FAMILY,
    amazon::FAMILY,
    mind::FAMILY,
    kuairec::FAMILY,
    lastfm::FAMILY,
    goodreads::FAMILY,
    mobilerec::FAMILY,
    custom::FAMILY,
    coat::FAMILY,
    atomic::FAMILY,
    tables::FAMILY,
];

/// Data sets of one kind, in one or more formats.
pub struct Family {
    /// The word on the command line.
    pub name: &'static str,
    /// A one-line description.
    pub summary: &'static str,
    formats: &'static [Format],
    template: &'static str,
}

/// The files in which a family is published.
struct Format {
    name: &'static str,
    /// The files, for messages.
    files: &'static str,
    /// The data set in a folder; `None` for other files.
    open: fn(&Folder) -> Opened,
}

/// A data set that a folder holds; `None` when its files are others.
type Opened = Result<Option<Box<dyn Publisher>>, ImportError>;

/// The source and the target of an import.
#[cfg(feature = "all")]
pub struct ImportOptions<'a> {
    /// The family; the files decide unless given.
    pub family: Option<&'static Family>,
    /// The folder with the publisher's files, or the log in it if there are several.
    pub source: &'a Path,
    /// The name of the format; the files decide unless given.
    pub format: Option<&'a str>,
    /// The files to write.
    pub files: &'a UnifiedFiles,
    /// Interactions that a user needs, instead of the family's number.
    pub least: Option<u32>,
    /// The share of the log that is used, its end, instead of the family's.
    pub latest: Option<f64>,
    /// Rows to show as text.
    pub examples: usize,
    /// Replaces text templates that were edited.
    pub force: bool,
    /// Counts only.
    pub dry_run: bool,
}

/// The outcome of an import.
#[cfg(feature = "all")]
pub struct Imported {
    /// The family.
    pub family: &'static str,
    /// The format.
    pub format: &'static str,
    /// The publisher's files that were read, the log first.
    pub read: Vec<PathBuf>,
    /// Counts and drop reasons.
    pub tally: Tally,
    /// Peculiarities of this copy.
    pub notes: Vec<String>,
    /// A few rows as a language model reads them.
    pub examples: Vec<ExampleText>,
    /// The outcome for the text templates.
    pub template: TemplateFate,
}

/// A user, something that the user did, and its item, as text.
#[cfg(feature = "all")]
pub struct ExampleText {
    /// The profile.
    pub profile: String,
    /// The entry in the history, seen from the end of the log.
    pub history: String,
    /// The item in a list, at the moment of the interaction.
    pub item: String,
}

/// Imports a data set.
///
/// # Errors
/// When the source is not known by its files, a file is damaged or of the wrong form, or no interaction is left.
#[cfg(feature = "all")]
pub fn import(options: &ImportOptions<'_>, watch: &dyn Watch) -> Result<Imported, DataError> {
    watch.begin("reading what belongs to the log", 0);
    let Detected { family, format, publisher } = match options.family {
        None => detect::open(options.source, None, None)?,
        Some(family) => {
            let (format, publisher) = family.open(&Folder::open(options.source)?, options.format)?;
            Detected { family, format, publisher }
        }
    };
    if publisher.log() == options.files.interactions {
        return Err(ImportError::Itself { path: options.source.to_owned() }.into());
    }
    let shipped = publisher.template()?.unwrap_or_else(|| family.template.to_owned());
    let template = Template::choose(options.files, shipped, options.force)?;
    let mut rules = publisher.rules();
    rules.least_of_user = options.least.unwrap_or(rules.least_of_user);
    rules.latest = options.latest.unwrap_or(rules.latest);
    let mut output = if options.dry_run { None } else { Some(Output::create(options.files)?) };
    let found = engine::run(publisher.as_ref(), rules, options.examples, output.as_mut(), watch)?;
    let render = |example: &Example| example_text(example, &template.templates, found.end);
    let examples = found.examples.iter().filter_map(|example| render(example).transpose()).collect::<Result<_, _>>()?;
    if let Some(output) = output {
        output.finish(template.start(options.files)?)?;
    }
    let mut notes = publisher.notes();
    if found.end.is_none() {
        notes.push("the log has no times: interactions keep the order of the file".to_owned());
    }
    if found.end.is_some() && found.undated > 0 {
        let meaning = "they count as earlier than all that have one, in the order of the file";
        notes.push(format!("interactions without a time: {}; {meaning}", found.undated));
    }
    let mut read = vec![publisher.log().to_owned()];
    read.extend(publisher.others());
    Ok(Imported { family: family.name, format, read, tally: found.tally, notes, examples, template: template.fate })
}

#[cfg(feature = "all")]
fn example_text(
    example: &Example,
    templates: &TextTemplates,
    end: Option<Moment>,
) -> Result<Option<ExampleText>, ImportError> {
    let (Some(user), Some(item)) = (&example.user, &example.item) else { return Ok(None) };
    Ok(Some(ExampleText {
        profile: templates.profile(user)?,
        history: templates.history(item, &example.done, end)?,
        item: templates.item(item, example.done.timestamp)?,
    }))
}

impl Family {
    /// The family of this name.
    pub fn find(name: &str) -> Option<&'static Family> {
        FAMILIES.iter().find(|family| family.name == name)
    }

    /// The text template of its rows.
    pub(crate) fn template(&self) -> &'static str {
        self.template
    }

    /// The names of its formats.
    pub fn formats(&self) -> impl Iterator<Item = &'static str> {
        self.formats.iter().map(|format| format.name)
    }

    /// The data set of a folder in one format; `None` where its files are others.
    pub(super) fn attempt(&self, folder: &Folder, format: &str) -> Opened {
        let format = self.formats.iter().find(|known| known.name == format);
        format.map_or(Ok(None), |format| (format.open)(folder))
    }

    /// The data set of a folder, in the format that is wanted or the first that fits.
    pub(super) fn open(
        &self,
        folder: &Folder,
        wanted: Option<&str>,
    ) -> Result<(&'static str, Box<dyn Publisher>), ImportError> {
        if let Some(name) = wanted
            && !self.formats().any(|format| format == name)
        {
            let known = self.formats().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            return Err(ImportError::Format { family: self.name, name: name.to_owned(), known });
        }
        let formats = || self.formats.iter().filter(|format| wanted.is_none_or(|name| format.name == name));
        for format in formats() {
            if let Some(publisher) = (format.open)(folder)? {
                return Ok((format.name, publisher));
            }
        }
        let wanted: Vec<String> = formats().map(|format| format!("{} ({})", format.files, format.name)).collect();
        let path = folder.root().to_owned();
        let (wanted, found) = (wanted.join(", or "), folder.listed());
        Err(ImportError::Unrecognised { path, family: self.name, wanted, found })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_has_a_name_formats_and_templates_that_parse() {
        for (place, family) in FAMILIES.iter().enumerate() {
            assert!(FAMILIES[..place].iter().all(|other| other.name != family.name), "{}", family.name);
            assert!(family.formats().count() > 0 && !family.summary.is_empty());
            TextTemplates::parse(family.template, Path::new(family.name)).expect("templates");
            assert!(Family::find(family.name).is_some());
        }
        assert!(Family::find("movies").is_none());
    }
}
