//! The plan of a scene, drawn before its list.

use super::ScenesError;
use super::log::{Entry, Log};
use super::options::SceneOptions;
use super::raws::Raws;
use super::sample::Draft;
use super::scene_lists::Shape;
use crate::dataset::InteractionRow;
use crate::files::{FileError, Source};
use crate::pipeline::Watch;
use crate::random::{Purpose, Streams, below, unit};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// Lines between two reports of progress.
const STRIDE: u64 = 1 << 14;

/// A draft with its draws.
pub(super) struct Plan {
    pub(super) draft: Draft,
    pub(super) shape: Shape,
    /// Lines of the rows in the memory, the oldest first.
    pub(super) history: Vec<u64>,
}

impl Plan {
    fn draw(draft: Draft, log: &Log, options: &SceneOptions<'_>) -> Result<Plan, FileError> {
        let mut rng = Streams::new(options.seed, 0).derive(Purpose::SceneSampling, draft.key, 1);
        let with_real = unit(&mut rng) >= options.reject_share;
        let span = options.lengths[draft.part as usize];
        let length = span.least + below(&mut rng, (span.most - span.least) as u32 + 1) as usize;
        let kind = options.lists.draw(&mut rng);
        let wanted =
            options.history.least + below(&mut rng, (options.history.most - options.history.least) as u32 + 1) as usize;
        let rows = log.of(draft.user)?;
        let earlier = &rows[..draft.earlier as usize];
        let history = earlier[earlier.len().saturating_sub(wanted)..].iter().map(|row| row.line).collect();
        Ok(Plan { draft, shape: Shape { kind, length, with_real }, history })
    }

    /// The plans of all drafts.
    pub(super) fn of(drafts: &[Draft], log: &Log, options: &SceneOptions<'_>) -> Result<Vec<Plan>, FileError> {
        drafts.par_iter().map(|&draft| Plan::draw(draft, log, options)).collect()
    }

    /// The user's interactions before the scene, the latest last, and those at the same moment, including the real one.
    pub(super) fn split<'a>(&self, rows: &'a [Entry]) -> (&'a [Entry], &'a [Entry]) {
        let (earlier, rest) = rows.split_at(self.draft.earlier as usize);
        let now = rest.iter().take_while(|row| row.clock == self.draft.clock).count();
        (earlier, &rest[..now.max(1)])
    }
}

/// The rows of `NAME_interaction.jsonl` that scenes need, by line.
pub(super) struct Rows(BTreeMap<u64, Box<[u8]>>);

impl Rows {
    /// Reads the file again and keeps the lines that some plan needs.
    pub(super) fn of(plans: &[Plan], raws: &Raws, watch: &dyn Watch) -> Result<Rows, FileError> {
        let listed = plans.iter().filter(|plan| plan.draft.listed).map(|plan| plan.draft.line);
        let mut wanted: Vec<u64> = plans.iter().flat_map(|plan| plan.history.iter().copied()).chain(listed).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let mut source = Source::open(&raws.files.interactions, "`recmirror import` makes it")?;
        let mut kept = BTreeMap::new();
        let mut next = wanted.iter().peekable();
        watch.begin("fetching the rows of the scenes (bytes)", source.size());
        let mut reported = 0;
        while next.peek().is_some() && source.advance()? {
            if next.next_if(|&&line| line == source.line()).is_some() {
                kept.insert(source.line(), source.bytes().into());
            }
            if source.line() % STRIDE == 0 {
                watch.advance(source.taken() - reported);
                reported = source.taken();
            }
        }
        Ok(Rows(kept))
    }

    /// The row on a line.
    pub(super) fn get(&self, line: u64, raws: &Raws) -> Result<InteractionRow, ScenesError> {
        let path = &raws.files.interactions;
        let gone = || FileError::line(path, line, "the row is gone: the file changed while it was read");
        let bytes = self.0.get(&line).ok_or_else(gone)?;
        let wrong = |problem: serde_json::Error| FileError::line(path, line, format!("not a valid record: {problem}"));
        Ok(serde_json::from_slice(bytes).map_err(wrong)?)
    }
}
