//! `recmirror validate`: a user model against real exposures.
//!
//! Compares predictions with the responses of users to what they were shown.

use super::scenario::parse_settings;
use super::{Failure, print, use_threads};
use crate::dataset::{DataError, Dataset, TargetPolicy, read_exposures, read_target};
use crate::experiment::Experiment;
use crate::files::{Listing, OutputFolder};
use crate::registry::Registry;
use crate::report::validation_html;
use crate::scenario::Scenario;
use crate::validate::{Exposed, Question, Validation, validate};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The files of an output folder.
const FILES: [&str; 3] = ["validate.json", "validate.csv", "validate.html"];

/// The remedy for an existing output folder.
const REMEDY: &str = "; --force replaces that of an earlier `validate --out`";

/// The default policies to rank.
const POLICIES: [&str; 9] =
    ["random", "popular", "item_mean", "biased_mf", "item_knn", "user_knn", "ials", "ease", "bpr"];

/// Arguments of `validate`.
#[derive(clap::Args)]
pub struct Validate {
    /// The user model: the folder of a mirror, or `parametric`.
    model: PathBuf,
    /// The log from which users and policies start; nothing of it is held out.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The exposures and their responses: a table with a row for each shown item (clicked, or a rating), a dense
    /// matrix of ratings, or Open Bandit's form. Users and items have the ids of the log.
    #[arg(long, value_name = "FILE")]
    exposures: PathBuf,
    /// What "accepted" means: `take` or `like`.
    #[arg(long, value_name = "WORD", default_value = "take")]
    accept: String,
    /// The lowest rating that counts as liking, on the scale of the log; by default four fifths of the way up.
    #[arg(long, value_name = "RATING", allow_hyphen_values = true)]
    like_at: Option<f64>,
    /// Items of a list that count for the value of a policy.
    #[arg(long, value_name = "K", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    best: u32,
    /// A target policy as NAME=FILE or FILE: its own log (a table like that of --exposures), or a table of its
    /// probabilities (item_id, probability; position and user_id if it depends on them). Repeatable.
    #[arg(long = "target", value_name = "[NAME=]FILE")]
    targets: Vec<String>,
    /// A kind of policy to rank, with its defaults. Repeatable; by default nine kinds.
    #[arg(long = "policy", value_name = "KIND")]
    policies: Vec<String>,
    /// Override a key of the implied scenario: `--set user.taste=2 --set user.examination=position`.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Resamples of the bootstrap intervals.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(40..=100_000))]
    resamples: u32,
    /// Root of the random streams.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// Write validate.json, validate.csv and validate.html into this folder, which must not exist yet.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Replace the folder of an earlier `validate --out`.
    #[arg(long, requires = "out")]
    force: bool,
    /// Worker threads; by default one for each core. They change no result.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
}

impl Validate {
    pub(super) fn run(self, registry: &Registry) -> Result<(), Failure> {
        use_threads(self.threads.map(usize::from))?;
        let create = |path: &PathBuf| OutputFolder::create(path, self.force.then_some(own_files as Listing), REMEDY);
        let folder = self.out.as_ref().map(create).transpose().map_err(Failure::input)?;
        let scenario = self.scenario(registry)?;
        let data = registry.read_beside(&self.data, &self.exposures).map_err(Failure::input)?;
        let exposures = read_exposures(&self.exposures, &data).map_err(Failure::input)?;
        let experiment = Experiment::with_data(scenario, data, registry.clone()).map_err(Failure::input)?;
        // Where the log and the exposures are one file, both readings note the same.
        let of_log = &experiment.data.notes;
        let others = exposures.notes.iter().filter(|note| !of_log.contains(note));
        let notes: Vec<String> = of_log.iter().chain(others).cloned().collect();
        let exposed = Exposed { lists: &exposures.impressions, ratings: &exposures.impressions.ratings, notes: &notes };
        let targets = self.targets.iter().map(|target| named_target(target, &experiment.data));
        let targets = targets.collect::<Result<Vec<_>, DataError>>().map_err(Failure::input)?;
        let ask = Question { best: self.best as usize, resamples: self.resamples as usize, targets };
        let found = validate(&experiment, &exposed, &ask).map_err(Failure::input)?;
        if self.json {
            print(&(serde_json::to_string_pretty(&found).map_err(Failure::other)? + "\n"));
        } else {
            print(&found.table());
        }
        folder.map_or(Ok(()), |folder| write(folder, &found))
    }

    /// The scenario that provides the user model and the policies.
    fn scenario(&self, registry: &Registry) -> Result<Scenario, Failure> {
        let quoted = |text: &str| toml::Value::from(text).to_string();
        let path =
            |path: &Path| quoted(&std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).to_string_lossy());
        let mut text = format!(
            "name = \"validate\"\nslate = 1\nreplications = 1\n[data]\npath = {}\nholdout = 0\n[population]\nmin_history = 0\n[user]\n",
            path(&self.data)
        );
        text += &match self.model.to_str() {
            Some("parametric") => "kind = \"parametric\"\n".to_owned(),
            _ => format!("kind = \"mirror\"\npath = {}\n", path(&self.model)),
        };
        text += &format!("accept = {}\n", quoted(&self.accept));
        text += &self.like_at.map(|rating| format!("like_at = {rating:?}\n")).unwrap_or_default();
        let named: Vec<&str> = self.policies.iter().map(String::as_str).collect();
        for kind in if named.is_empty() { &POLICIES[..] } else { &named } {
            text += &format!("[[policy]]\nkind = {}\n", quoted(kind));
        }
        let mut settings = parse_settings(&self.settings)?;
        settings.push(("seed".to_owned(), self.seed.to_string()));
        Scenario::parse(&text, Path::new("validate.toml"), registry, &settings).map_err(Failure::input)
    }
}

/// A target of the command line, with its given name or that of its file.
fn named_target(target: &str, data: &Dataset) -> Result<TargetPolicy, DataError> {
    let (name, path) = target.split_once('=').filter(|(_, path)| !path.is_empty()).unwrap_or(("", target));
    let path = Path::new(path);
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    read_target(if name.is_empty() { &stem } else { name }, path, data)
}

fn write(folder: OutputFolder, found: &Validation) -> Result<(), Failure> {
    let json = serde_json::to_string_pretty(found).map_err(Failure::other)? + "\n";
    let texts = [json, found.csv().map_err(Failure::other)?, validation_html(found).map_err(Failure::other)?];
    for (name, text) in FILES.iter().zip(texts) {
        let path = folder.path().join(name);
        let failed = |problem| Failure::input(format!("cannot write {}: {problem}", path.display()));
        std::fs::write(&path, text).map_err(failed)?;
    }
    folder.finish().map(|_| ()).map_err(Failure::input)
}

/// The files of a folder that this command wrote.
fn own_files(folder: &Path) -> Result<BTreeSet<PathBuf>, String> {
    if !folder.join(FILES[0]).is_file() {
        return Err(format!("it is not the folder of `validate --out` (no {})", FILES[0]));
    }
    Ok(FILES.map(PathBuf::from).into())
}
