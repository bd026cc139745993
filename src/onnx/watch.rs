//! Time limits of graph calls and loads.
//!
//! Calls and loads that exceed a limit are stopped.
//!
//! A graph without random numbers and loops can still compute for hours: a few hundred products of large matrices need
//! few bytes. One thread of the process inspects all active calls ten times a second, and stops those that take too
//! long: ONNX Runtime then returns an error before its next node. A single node that does not return cannot be stopped
//! from inside; the program ends instead, if it registered [`on_hang`].
//!
//! Time is counted in inspections, not by a clock, so that a suspended process loses none.

use super::OnnxError;
use ort::session::builder::{LoadCanceler, SessionBuilder};
use ort::session::{RunOptions, Session, SessionInputs, SessionOutputs};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Once, OnceLock, PoisonError, Weak};
use std::time::Duration;

/// The environment variable with the limit.
const VARIABLE: &str = "RECMIRROR_GRAPH_SECONDS";

/// Seconds for a call of a mirror, a ranker or an encoder: thousands of times what they need.
pub(super) const OF_GRAPH: u64 = 60;

/// Seconds for a call of a language model, which may read long texts with large weights.
pub(super) const OF_LANGUAGE_MODEL: u64 = 1_800;

/// Seconds between the request to stop and the end of the process.
const GRACE: u64 = 10;

/// Inspections a second.
const LOOKS: u64 = 10;

static CALLS: Mutex<Vec<Weak<Watch>>> = Mutex::new(Vec::new());
static HANG: OnceLock<fn(&str)> = OnceLock::new();

/// Registers the reaction to a graph that takes too long and does not stop: `end` receives the message and should end
/// the process. Without it such a call continues, because a library does not end its program.
pub fn on_hang(end: fn(&str)) {
    // The first registration counts.
    let _ = HANG.set(end);
}

/// The way to stop a call.
enum Stop {
    Call(Arc<RunOptions>),
    Load(LoadCanceler),
}

/// The calls of one session, one at a time.
struct Watch {
    path: PathBuf,
    seconds: u64,
    stop: Stop,
    /// Incremented when a call begins and when it ends: odd during a call.
    count: AtomicU64,
    /// The count at the last inspection, and the number of inspections since it changed.
    seen: AtomicU64,
    looks: AtomicU64,
    is_stopped: AtomicBool,
}

impl Watch {
    /// A watch that the thread inspects.
    fn begin(path: &Path, seconds: u64, stop: Stop) -> Arc<Watch> {
        static THREAD: Once = Once::new();
        let zero = AtomicU64::default;
        let is_stopped = AtomicBool::default();
        let watch = Arc::new(Watch {
            path: path.to_owned(),
            seconds,
            stop,
            count: zero(),
            seen: zero(),
            looks: zero(),
            is_stopped,
        });
        CALLS.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&watch));
        THREAD.call_once(|| {
            let thread = std::thread::Builder::new().name("graph-watch".to_owned());
            // Without the thread there is no limit.
            let _ = thread.spawn(look_on);
        });
        watch
    }

    /// Runs `work` under the limit.
    fn watched<R>(&self, work: impl FnOnce() -> ort::Result<R>) -> Result<R, String> {
        self.count.fetch_add(1, Ordering::SeqCst);
        if self.is_stopped.swap(false, Ordering::SeqCst)
            && let Stop::Call(options) = &self.stop
        {
            options.unterminate().map_err(|problem| problem.to_string())?;
        }
        let outcome = work();
        self.count.fetch_add(1, Ordering::SeqCst);
        outcome.map_err(|problem| {
            if self.is_stopped.load(Ordering::SeqCst) {
                self.message()
            } else {
                super::memory::error_message(&problem.to_string())
            }
        })
    }

    fn message(&self) -> String {
        let what = match self.stop {
            Stop::Call(_) => "a call",
            Stop::Load(_) => "its load",
        };
        format!("{what} takes more than {} s; {VARIABLE} sets another limit", self.seconds)
    }

    /// One inspection: counts, and stops calls that take too long.
    fn look(&self) {
        let count = self.count.load(Ordering::SeqCst);
        if count.is_multiple_of(2) || self.seen.swap(count, Ordering::SeqCst) != count {
            return self.looks.store(0, Ordering::SeqCst);
        }
        let looks = self.looks.fetch_add(1, Ordering::SeqCst) + 1;
        if looks == self.seconds.saturating_mul(LOOKS) {
            self.is_stopped.store(true, Ordering::SeqCst);
            // A call that cannot be stopped is ended below.
            let _ = match &self.stop {
                Stop::Call(options) => options.terminate(),
                Stop::Load(canceler) => canceler.cancel(),
            };
        } else if looks == self.seconds.saturating_add(GRACE).saturating_mul(LOOKS)
            && let Some(end) = HANG.get()
        {
            end(&format!("{}: {}; it did not stop on request", self.path.display(), self.message()));
        }
    }
}

fn look_on() {
    loop {
        std::thread::sleep(Duration::from_millis(1_000 / LOOKS));
        let mut calls = CALLS.lock().unwrap_or_else(PoisonError::into_inner);
        calls.retain(|watch| watch.strong_count() > 0);
        let under_way: Vec<Arc<Watch>> = calls.iter().filter_map(Weak::upgrade).collect();
        drop(calls);
        under_way.iter().for_each(|watch| watch.look());
    }
}

/// The limit in seconds: the user's, or this one.
fn limit(of_kind: u64) -> u64 {
    let wanted = std::env::var(VARIABLE).ok().and_then(|text| text.trim().parse().ok());
    wanted.filter(|&wanted| wanted > 0).unwrap_or(of_kind)
}

/// A session whose calls have a time limit.
pub(super) struct WatchedSession {
    session: Session,
    options: Arc<RunOptions>,
    watch: Arc<Watch>,
}

impl WatchedSession {
    /// Opens a session: `commit` builds it. `seconds` is the limit of the load and of each call.
    ///
    /// # Errors
    /// When the runtime refuses the graph, or its load takes too long.
    pub(super) fn open(
        path: &Path,
        seconds: u64,
        mut builder: SessionBuilder,
        commit: impl FnOnce(&mut SessionBuilder) -> ort::Result<Session>,
    ) -> Result<WatchedSession, OnnxError> {
        let fail = |problem: String| OnnxError::Load { path: path.to_owned(), problem };
        let seconds = limit(seconds);
        let load = Watch::begin(path, seconds, Stop::Load(builder.canceler()));
        let session = load.watched(|| commit(&mut builder)).map_err(fail)?;
        let options = Arc::new(RunOptions::new().map_err(|problem| fail(problem.to_string()))?);
        let watch = Watch::begin(path, seconds, Stop::Call(Arc::clone(&options)));
        Ok(WatchedSession { session, options, watch })
    }

    /// The session, for its inputs and outputs.
    pub(super) fn session(&self) -> &Session {
        &self.session
    }

    /// Runs the graph.
    ///
    /// # Errors
    /// When the runtime fails, or the call takes too long: the problem as a sentence.
    pub(super) fn run<'r, 's: 'r, 'i, 'v: 'i>(
        &'s mut self,
        inputs: impl Into<SessionInputs<'i, 'v>>,
    ) -> Result<SessionOutputs<'r>, String> {
        let WatchedSession { session, options, watch } = self;
        watch.watched(|| session.run_with_options(inputs, options))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::model_file::ModelFile;
    use crate::onnx::testing_graphs::{GraphBuilder, floats, has_runtime, inside, tensor};
    use crate::onnx::{OnnxError, Runtime};
    use ort::session::SessionInputValue;
    use ort::value::TensorRef;
    use std::borrow::Cow;

    /// Repeated products of a matrix with itself; `first` is its name.
    fn products(graph: GraphBuilder, first: &str, count: usize) -> GraphBuilder {
        let mut graph = graph;
        let mut before = first.to_owned();
        for place in 0..count {
            let (product, after) = (format!("p{place}"), format!("t{place}"));
            graph = graph.node("MatMul", &[&before, first], &product).node("Tanh", &[&product], &after);
            before = after;
        }
        graph.node("Identity", &[&before], "y")
    }

    fn open(graph: &GraphBuilder, seconds: u64) -> Result<WatchedSession, OnnxError> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("slow.onnx");
        graph.write(&path);
        ModelFile::read(&path)?.open_within(Runtime::get()?, seconds)
    }

    fn run(session: &mut WatchedSession, size: usize) -> Result<(), String> {
        let data = vec![0.5_f32; size * size];
        let shape = [size as i64, size as i64];
        let input = TensorRef::from_array_view((&shape[..], &data[..])).expect("a tensor");
        let inputs: Vec<(Cow<'_, str>, SessionInputValue<'_>)> = vec![("x".into(), input.into())];
        session.run(inputs).map(|_| ())
    }

    #[test]
    fn a_call_that_takes_too_long_is_stopped_and_the_next_one_runs() {
        if !has_runtime() {
            return;
        }
        let graph = GraphBuilder::default().input("x", &[-1, -2]).output("y", &[-1, -2]);
        let mut session = open(&products(graph, "x", 2_000), 60).expect("a session");
        session.watch = Watch::begin(Path::new("slow.onnx"), 1, Stop::Call(Arc::clone(&session.options)));
        run(&mut session, 2).expect("a small one is in time");
        // 2 * 10^12 multiplications: a minute and more.
        let problem = run(&mut session, 1_000).expect_err("too slow");
        assert_eq!(problem, "a call takes more than 1 s; RECMIRROR_GRAPH_SECONDS sets another limit");
        run(&mut session, 2).expect("it goes on");
    }

    #[test]
    fn a_load_that_takes_too_long_is_an_error() {
        if !has_runtime() {
            return;
        }
        // Values that do not depend on the input are computed at load.
        let one = inside("", 1, &[1], &floats(&[0.5]));
        let graph = GraphBuilder::default()
            .input("x", &[-1, -2])
            .output("y", &[-1, -2])
            .ints("size", &[512, 512])
            .node_with("ConstantOfShape", &["size"], "big", &[tensor("value", &one)]);
        let graph = products(graph, "big", 400);
        let message = open(&graph, 1).err().map(|problem| problem.to_string());
        let message = message.expect("too slow");
        assert!(
            message.ends_with("its load takes more than 1 s; RECMIRROR_GRAPH_SECONDS sets another limit"),
            "{message}"
        );
    }

    #[test]
    fn looks_count_calls_that_stay_and_no_others() {
        if !has_runtime() {
            return;
        }
        let stop = Stop::Call(Arc::new(RunOptions::new().expect("options")));
        let zero = AtomicU64::default;
        let is_stopped = AtomicBool::default();
        let watch =
            Watch { path: "g".into(), seconds: 1, stop, count: zero(), seen: zero(), looks: zero(), is_stopped };
        let look = |times: u64| (0..times).for_each(|_| watch.look());
        look(50);
        assert!(!watch.is_stopped.load(Ordering::SeqCst), "nothing is under way");
        for _ in 0..5 {
            watch.count.fetch_add(2, Ordering::SeqCst);
            look(5);
        }
        assert!(!watch.is_stopped.load(Ordering::SeqCst), "each call ended in time");
        watch.count.fetch_add(1, Ordering::SeqCst);
        look(LOOKS);
        assert!(!watch.is_stopped.load(Ordering::SeqCst), "the first look saw it begin");
        look(1);
        assert!(watch.is_stopped.load(Ordering::SeqCst));
    }
}
