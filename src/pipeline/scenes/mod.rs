//! Scenes of a feedback log.
//!
//! A scene is what a user had on screen when acting.
//!
//! An interaction with at least three predecessors of the same user may become a scene: the user's profile, the user's
//! latest earlier interactions, and an exposure list, the real one if the log has it and a sampled one otherwise.
//! Training and evaluation are disjoint by time. The log is read twice and stored in scratch files: memory grows with
//! users, items and scenes, and holds one of 64 parts of the log at a time: the interactions of 1/64 of the users (32
//! bytes each), or of 1/64 of the log's time line (16 bytes each), a part that is larger if many interactions share one
//! moment.
//!
//! A scene uses only earlier data: popularity is exact at its moment, and item vectors are those of the latest of a few
//! snapshots of the log that end before it.

mod build;
mod collaborative;
mod content;
mod log;
mod nearest;
mod options;
mod plan;
mod popularity;
mod quantiles;
mod raws;
mod sample;
mod scene_lists;
mod spill;
mod write;

pub(crate) use self::content::TfIdf;
pub use self::content::{ContentKind, Embedder, EmbedderError};
pub use self::options::{BuilderKind, LONGEST, ListMix, SceneOptions, Span};

use self::build::{Outcome, Workshop};
use self::content::Texts;
use self::log::Log;
use self::plan::{Plan, Rows};
use self::popularity::Timeline;
use self::quantiles::quantiles;
use self::raws::Raws;
use self::sample::{Bounds, Draft, Part, sample};
use self::spill::Scratch;
use self::write::{Chosen, Renderer};
use super::audit::Finding;
use super::{Project, Watch};
use crate::dataset::TemplateError;
use crate::files::{FileError, JsonlWriter, Partial, Tally};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

/// A failure to make scenes.
#[derive(Debug, thiserror::Error)]
pub enum ScenesError {
    /// A problem of a file.
    #[error(transparent)]
    File(#[from] FileError),
    /// A problem of a text template.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A problem of sentence embeddings.
    #[error(transparent)]
    Embedder(#[from] EmbedderError),
}

/// The output for one data set.
#[derive(Debug)]
pub struct ScenesMade {
    /// Counts and drop reasons.
    pub tally: Tally,
    /// The files, including those of a dry run.
    pub files: Vec<PathBuf>,
    /// The source of content candidates.
    pub content: String,
    /// The source of sentence embeddings.
    pub vectors: Option<&'static str>,
    /// The findings of the audit in each file of scenes.
    pub audit: Vec<(PathBuf, Vec<Finding>)>,
}

/// The file that records how scenes were made and the audit's findings.
#[derive(Serialize)]
struct AuditFile<'a> {
    dataset: &'a str,
    seed: u64,
    lists: String,
    content: &'a str,
    snapshots: usize,
    eval_from: f64,
    reject_share: f64,
    counts: &'a Tally,
    audit: BTreeMap<&'static str, &'a [Finding]>,
}

impl AuditFile<'_> {
    /// Writes the file, which has no name yet.
    fn start(&self, path: &Path) -> Result<Partial, FileError> {
        let mut output = Partial::create(path)?;
        let text = serde_json::to_string_pretty(self).map_err(std::io::Error::from);
        let written = text.and_then(|text| writeln!(output, "{text}"));
        written.map_err(|source| FileError::write(path, source))?;
        Ok(output)
    }
}

/// Makes the scenes of one data set. Its files appear together, when all are complete.
///
/// # Errors
/// When a file of the data set is missing or damaged, nothing can be sampled, or a file cannot be written.
pub fn scenes(
    project: &Project,
    name: &str,
    options: &SceneOptions<'_>,
    watch: &dyn Watch,
) -> Result<ScenesMade, ScenesError> {
    let mut tally = Tally::default();
    let raws = Raws::read(&project.raws(), name, &mut tally)?;
    let scratch = Scratch::new(project.root());
    let log = Log::read(&raws, &scratch, &mut tally, watch)?;
    let (snapshots, cut) = moments(&log, options, watch)?;
    let drafts = drafts(&log, &raws, name, options, Bounds { from: snapshots[0], cut }, (&mut tally, watch))?;
    let (files, content) = (files(project, name, options), options.content.name().to_owned());
    let mut made = ScenesMade { tally, files, content, vectors: None, audit: Vec::new() };
    if options.dry_run {
        return Ok(made);
    }
    let plans = Plan::of(&drafts, &log, options)?;
    let rows = Rows::of(&plans, &raws, watch)?;
    let texts = Texts::of(project, name, options, &raws, &mut made, watch)?;
    let timeline = Timeline::new(&log, raws.items.len(), &scratch, watch)?;
    let content = texts.content(options.content);
    let (snapshots, scratch) = (snapshots.as_slice(), &scratch);
    let workshop = Workshop { raws: &raws, log: &log, rows: &rows, content, options, snapshots, scratch };
    let outcomes = workshop.build(&plans, &timeline.shelves(&drafts)?, watch)?;
    let chosen = counted(choose(&plans, &outcomes, options, &raws, &mut made.tally)?, &timeline)?;
    tell_shortage(&chosen, options, &mut made.tally);
    let users = raws.user_rows(&chosen.iter().map(|scene| (scene.plan.draft.user, ())).collect())?;
    let renderer = Renderer { name, raws: &raws, rows: &rows, users: &users, dated: log.dated, texts: &texts, options };
    write(project, &renderer, &chosen, &mut made, watch)?;
    Ok(made)
}

/// The moments at which snapshots end, ascending, and the start of evaluation.
fn moments(log: &Log, options: &SceneOptions<'_>, watch: &dyn Watch) -> Result<(Vec<i64>, i64), FileError> {
    let shares: Vec<f64> = (1..=options.snapshots).map(|at| at as f64 / (options.snapshots + 1) as f64).collect();
    let mut snapshots = quantiles(log, &shares, watch)?;
    snapshots.dedup();
    Ok((snapshots, quantiles(log, &[options.eval_from], watch)?[0]))
}

/// The files that a run writes.
fn files(project: &Project, name: &str, options: &SceneOptions<'_>) -> Vec<PathBuf> {
    let scenes = [project.train(name), project.eval(name)].into_iter().zip(options.wanted);
    let wanted = scenes.filter(|&(_, wanted)| wanted > 0).map(|(path, _)| path);
    wanted.chain([project.audit(name)]).collect()
}

/// Samples more than requested, so that scenes whose list cannot be built have replacements.
fn drafts(
    log: &Log,
    raws: &Raws,
    name: &str,
    options: &SceneOptions<'_>,
    bounds: Bounds,
    (tally, watch): (&mut Tally, &dyn Watch),
) -> Result<Vec<Draft>, ScenesError> {
    let most = |part: usize| match options.wanted[part] + options.rejects(part) {
        0 => 0,
        wanted => wanted + wanted / 4 + 64,
    };
    let found = sample(log, raws, name, options, bounds, [most(0), most(1)], (&mut *tally, watch))?;
    for part in Part::BOTH {
        let eligible = found.eligible[part as usize];
        tally.set(&format!("eligible for {}", part.name()), eligible);
        if eligible == 0 && options.wanted[part as usize] > 0 {
            let problem = none_eligible(part, log, options)?;
            let problem = format!("{problem}\n{tally}");
            return Err(FileError::whole(&raws.files.interactions, problem.trim_end()).into());
        }
    }
    Ok(found.drafts)
}

/// The reason why no interaction can become a scene of this part, and a remedy.
fn none_eligible(part: Part, log: &Log, options: &SceneOptions<'_>) -> Result<String, FileError> {
    let side = if part == Part::Train { "before" } else { "after" };
    let [flat, users] = log.at_one_moment()?;
    let remedy = if 2 * flat > users {
        format!(
            "{flat} of {users} users have all their interactions at one moment, so their order is unknown and the \
             log gives no scenes; remove its times to use the order of the rows"
        )
    } else {
        format!("move --eval-from, or ask for no {} scenes", part.name())
    };
    Ok(format!(
        "no interaction {side} the cut has {} earlier ones of its user ({} interactions are used, and the first 1/{} of them \
         are only the past of others); {remedy}",
        sample::PREDECESSORS,
        log.len(),
        options.snapshots + 1,
    ))
}

/// The scenes to write: in the order of priority, as many of either kind as requested.
fn choose<'a>(
    plans: &'a [Plan],
    outcomes: &'a [Outcome],
    options: &SceneOptions<'_>,
    raws: &Raws,
    tally: &mut Tally,
) -> Result<Vec<Chosen<'a>>, ScenesError> {
    let mut chosen = Vec::new();
    for part in Part::BOTH {
        let mut left = [options.rejects(part as usize), options.wanted[part as usize]];
        let mine = plans.iter().zip(outcomes).filter(|(plan, _)| plan.draft.part == part);
        for (plan, outcome) in mine {
            let quota = &mut left[usize::from(plan.shape.with_real)];
            if *quota == 0 {
                continue;
            }
            let place = || raws::place(&raws.files.interactions, plan.draft.line);
            match outcome {
                Err(reason) => tally.drop(reason, place),
                Ok(built) => {
                    *quota -= 1;
                    chosen.push(Chosen { plan, built, counts: Vec::new() });
                }
            }
        }
        count_part(part, left, options, raws, tally)?;
    }
    Ok(chosen)
}

/// Counts the scenes of a part, `left` of which are missing; without any the stage fails.
fn count_part(
    part: Part,
    left: [usize; 2],
    options: &SceneOptions<'_>,
    raws: &Raws,
    tally: &mut Tally,
) -> Result<(), FileError> {
    let wanted = options.wanted[part as usize];
    if wanted == 0 {
        return Ok(());
    }
    tally.set(&format!("{} scenes", part.name()), (wanted - left[1]) as u64);
    if options.reject_share > 0.0 {
        let rejects = options.rejects(part as usize) - left[0];
        tally.set(&format!("{} scenes without the real item", part.name()), rejects as u64);
    }
    if left[1] == wanted {
        let problem = format!("no {} scene can be made of the file\n{tally}", part.name());
        return Err(FileError::whole(&raws.files.interactions, problem.trim_end()));
    }
    Ok(())
}

/// Reports each part with fewer scenes than requested.
fn tell_shortage(chosen: &[Chosen<'_>], options: &SceneOptions<'_>, tally: &mut Tally) {
    for part in Part::BOTH {
        for (with_real, wanted, what) in [
            (true, options.wanted[part as usize], "scenes"),
            (false, options.rejects(part as usize), "scenes without the real item"),
        ] {
            let mine = |scene: &&Chosen<'_>| scene.plan.draft.part == part && scene.plan.shape.with_real == with_real;
            let made = chosen.iter().filter(mine).count();
            if made < wanted {
                tally.set(&format!("of {wanted} wanted {} {what}", part.name()), made as u64);
            }
        }
    }
}

fn counted<'a>(mut chosen: Vec<Chosen<'a>>, timeline: &Timeline<'_>) -> Result<Vec<Chosen<'a>>, FileError> {
    let lists: Vec<(i64, &[u32])> =
        chosen.iter().map(|scene| (scene.plan.draft.clock, scene.built.list.items.as_slice())).collect();
    let counts = timeline.counts(&lists)?;
    chosen.iter_mut().zip(counts).for_each(|(scene, counts)| scene.counts = counts);
    Ok(chosen)
}

fn write(
    project: &Project,
    renderer: &Renderer<'_>,
    chosen: &[Chosen<'_>],
    made: &mut ScenesMade,
    watch: &dyn Watch,
) -> Result<(), ScenesError> {
    let (name, options) = (renderer.name, renderer.options);
    watch.begin("writing scenes", chosen.len() as u64);
    let mut writers = Vec::new();
    for (part, path) in Part::BOTH.into_iter().zip([project.train(name), project.eval(name)]) {
        if options.wanted[part as usize] == 0 {
            continue;
        }
        let end = chosen.partition_point(|scene| scene.plan.draft.part <= part);
        let start = chosen.partition_point(|scene| scene.plan.draft.part < part);
        let mut writer = JsonlWriter::create(&path)?;
        let audit = renderer.write(&chosen[start..end], &mut writer, watch)?;
        made.audit.push((path, audit.findings()));
        writers.push((part, writer));
    }
    let audit = writers.iter().zip(&made.audit).map(|((part, _), (_, findings))| (part.name(), findings.as_slice()));
    let audit_file = AuditFile {
        dataset: name,
        seed: options.seed,
        lists: options.lists.to_string(),
        content: &made.content,
        snapshots: options.snapshots,
        eval_from: options.eval_from,
        reject_share: options.reject_share,
        counts: &made.tally,
        audit: audit.collect(),
    };
    let output = audit_file.start(&project.audit(name))?;
    let writers = writers.into_iter().map(|(_, writer)| writer.into_partial());
    Ok(Partial::finish_all(writers.chain([output]).collect())?)
}
