//! Progress of a stage of the pipeline on stderr.

#![expect(clippy::disallowed_methods, reason = "progress is shown in wall-clock time and enters no result")]

use crate::cli::terminal::{harmless, say};
use crate::pipeline::Watch;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// Time between two plain lines.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// The progress of a stage, part after part.
pub(super) struct StageBar {
    bar: ProgressBar,
    plain: bool,
    part: Mutex<Part>,
}

struct Part {
    what: String,
    total: u64,
    done: u64,
    started: Instant,
    printed: Instant,
}

impl StageBar {
    /// A bar; hidden if `quiet`.
    pub(super) fn new(quiet: bool) -> StageBar {
        let terminal = std::io::stderr().is_terminal();
        let hidden = quiet || !terminal;
        let target = if hidden { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr_with_hz(10) };
        let now = Instant::now();
        let part = Part { what: String::new(), total: 0, done: 0, started: now, printed: now };
        let bar = ProgressBar::with_draw_target(None, target);
        StageBar { bar, plain: !quiet && !terminal, part: Mutex::new(part) }
    }

    /// Removes the bar.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn part(&self) -> MutexGuard<'_, Part> {
        self.part.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Part {
    fn line(&self) -> String {
        let seconds = self.started.elapsed().as_secs_f64().max(1e-9);
        let rate = self.done as f64 / seconds;
        if self.total == 0 {
            return format!("{}: {} done, {rate:.0}/s", self.what, self.done);
        }
        let left = self.total.saturating_sub(self.done) as f64 / rate.max(1e-9);
        format!("{}: {} of {}, {rate:.0}/s, about {left:.0} s left", self.what, self.done, self.total)
    }
}

impl Watch for StageBar {
    fn begin(&self, what: &str, total: u64) {
        let now = Instant::now();
        *self.part() = Part { what: what.to_owned(), total, done: 0, started: now, printed: now };
        let shape = if total == 0 {
            "{spinner} {msg}: {human_pos} done, {per_sec}, {elapsed} gone"
        } else {
            "{bar:30} {percent:>3}%  {msg}: {human_pos} of {human_len}, {per_sec}, {eta} left"
        };
        self.bar.set_style(ProgressStyle::with_template(shape).unwrap_or_else(|_| ProgressStyle::default_bar()));
        match total {
            0 => self.bar.unset_length(),
            total => self.bar.set_length(total),
        }
        self.bar.reset();
        self.bar.set_message(harmless(what).into_owned());
    }

    fn advance(&self, steps: u64) {
        self.bar.inc(steps);
        let mut part = self.part();
        part.done += steps;
        if self.plain && part.printed.elapsed() >= LINE_EVERY {
            part.printed = Instant::now();
            say!("{}", part.line());
        }
    }
}
