//! Progress on stderr.
//!
//! A bar with rate and time left on a terminal, occasional lines elsewhere.

#![expect(clippy::disallowed_methods, reason = "progress is shown in wall-clock time and enters no result")]

use crate::cli::terminal::say;
use crate::experiment::{Progress, TickDone};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Time between two plain lines.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// The progress of a run.
pub(super) struct Bar {
    bar: ProgressBar,
    total: u64,
    ticks: AtomicU64,
    steps: AtomicU64,
    started: Instant,
    plain: Option<Mutex<Instant>>,
}

impl Bar {
    /// A bar over `total` ticks of all trials; hidden if `quiet`.
    pub(super) fn new(total: u64, quiet: bool) -> Bar {
        let terminal = std::io::stderr().is_terminal();
        let target =
            if quiet || !terminal { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr_with_hz(10) };
        let bar = ProgressBar::with_draw_target(Some(total), target);
        let style = ProgressStyle::with_template("{bar:40} {percent:>3}%  {msg}  {elapsed} gone, {eta} left");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        let started = Instant::now();
        let plain = (!quiet && !terminal).then(|| Mutex::new(started));
        Bar { bar, total, ticks: AtomicU64::new(0), steps: AtomicU64::new(0), started, plain }
    }

    /// Removes the bar.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    /// User-steps so far, and seconds since the start.
    pub(super) fn totals(&self) -> (u64, f64) {
        (self.steps.load(Ordering::Relaxed), self.started.elapsed().as_secs_f64())
    }
}

impl Progress for Bar {
    fn tick(&self, done: &TickDone<'_>) {
        let steps = done.steps;
        let ticks = self.ticks.fetch_add(1, Ordering::Relaxed) + 1;
        let steps = self.steps.fetch_add(steps, Ordering::Relaxed) + steps;
        let seconds = self.started.elapsed().as_secs_f64().max(1e-9);
        self.bar.inc(1);
        let rate = rate(steps as f64 / seconds);
        self.bar.set_message(format!("{rate} user-steps/s"));
        let Some(last) = &self.plain else { return };
        let Ok(mut last) = last.try_lock() else { return };
        if last.elapsed() >= LINE_EVERY {
            *last = Instant::now();
            let left = seconds / ticks as f64 * self.total.saturating_sub(ticks) as f64;
            say!("{ticks} of {} ticks, {rate} user-steps/s, about {left:.0} s left", self.total);
        }
    }
}

/// A rate for readers: rates below 10, as with language users, have a decimal.
pub(super) fn rate(rate: f64) -> String {
    if rate < 10.0 { format!("{rate:.1}") } else { format!("{rate:.0}") }
}
