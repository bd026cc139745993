//! `recmirror import`: from a publisher's own files to the unified form.

use super::project::check_name;
use super::stage_bar::StageBar;
use super::{Failure, print};
use crate::dataset::UnifiedFiles;
use crate::dataset::import::{FAMILIES, Family, ImportOptions, Imported, TemplateFate, import};
use crate::pipeline::Project;
use clap::builder::{PossibleValue, PossibleValuesParser};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// The family `auto`, which the files determine.
const AUTO: &str = "auto";

/// Arguments of `import`.
#[derive(clap::Args)]
pub struct Import {
    /// The family of the data set; `auto` recognises it by its files.
    #[arg(value_parser = families())]
    family: String,
    /// The folder with the publisher's files, packed or not; or the log in it, where a folder holds several.
    source: PathBuf,
    /// The project's folder; it is created if it does not exist.
    #[arg(long, value_name = "DIR")]
    project: PathBuf,
    /// The data set's name in the project; by default the name of the source.
    #[arg(long)]
    name: Option<String>,
    /// The form of the files, if the files do not determine it.
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Minimum number of interactions of a user, instead of the family's own.
    #[arg(long, value_name = "N")]
    least: Option<u32>,
    /// The share of the log to use: its end, in whole days.
    #[arg(long, value_name = "SHARE", value_parser = share)]
    latest: Option<f64>,
    /// Rows to show as a language model will read them.
    #[arg(long, default_value_t = 1, value_name = "N")]
    examples: usize,
    /// Replace edited text templates.
    #[arg(long)]
    force: bool,
    /// Report what would be written, and write nothing.
    #[arg(long)]
    dry_run: bool,
    /// No progress on stderr.
    #[arg(long, short)]
    quiet: bool,
}

fn families() -> PossibleValuesParser {
    let auto = PossibleValue::new(AUTO).help("recognised by the names of files and columns");
    let families = FAMILIES.iter().map(|family| PossibleValue::new(family.name).help(family.summary));
    PossibleValuesParser::new([auto].into_iter().chain(families))
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if share > 0.0 && share <= 1.0 => Ok(share),
        _ => Err("expected a share above 0 and at most 1".to_owned()),
    }
}

impl Import {
    pub(super) fn run(self) -> Result<(), Failure> {
        let family = Family::find(&self.family);
        if family.is_none() && self.format.is_some() {
            return Err(Failure::input("--format is the form of a family's files; name the family in place of `auto`"));
        }
        let name = self.name.clone().or_else(|| name_of(&self.source)).unwrap_or_else(|| self.family.clone());
        check_name(&name)?;
        let files = UnifiedFiles::of(&Project::new(&self.project).raws(), &name);
        let options = ImportOptions {
            family,
            source: &self.source,
            format: self.format.as_deref(),
            files: &files,
            least: self.least,
            latest: self.latest,
            examples: self.examples,
            force: self.force,
            dry_run: self.dry_run,
        };
        let bar = StageBar::new(self.quiet);
        let imported = import(&options, &bar).map_err(Failure::input)?;
        bar.finish();
        print(&summary(&imported, &name, &files, self.dry_run));
        Ok(())
    }
}

/// The default name of a data set: its folder, or the log that was named.
pub(super) fn name_of(source: &Path) -> Option<String> {
    let absolute = source.canonicalize().ok()?;
    let name = absolute.file_name()?.to_string_lossy().into_owned();
    let name = if absolute.is_file() { name.split('.').next()?.to_owned() } else { name };
    check_name(&name).ok().map(|()| name)
}

pub(super) fn summary(imported: &Imported, name: &str, files: &UnifiedFiles, dry: bool) -> String {
    let folder = files.users.parent().unwrap_or(Path::new(""));
    let verb = if dry { "would write" } else { "wrote" };
    let mut text = format!("{verb} {name} ({}, {}) to {}\n", imported.family, imported.format, folder.display());
    for path in &imported.read {
        let _ = writeln!(text, "  from {}", path.display());
    }
    let _ = write!(text, "{}", imported.tally);
    for note in &imported.notes {
        let _ = writeln!(text, "  note: {note}");
    }
    let template = files.template.display();
    let fate = match imported.template {
        TemplateFate::Written if dry => format!("would write {template}"),
        TemplateFate::Written => format!("{template}: how rows become text; edit it as you like"),
        TemplateFate::Same => format!("{template} is as shipped"),
        TemplateFate::Kept => format!("{template} was edited and stays; --force replaces it"),
    };
    let _ = writeln!(text, "  templates: {fate}");
    for example in &imported.examples {
        let _ = writeln!(text, "  profile: {}", example.profile);
        let _ = writeln!(text, "  history: {}", example.history);
        let _ = writeln!(text, "  item:    {}", example.item);
    }
    text
}
