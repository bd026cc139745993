//! The memory limit of graphs.
//!
//! A few bytes of a graph can allocate any amount of memory (`ConstantOfShape`, `Expand`, `Tile`, ...), even at load.
//! All graphs except language models share one allocator with a limit; beyond it ONNX Runtime returns an error.

use ort::AsPointer;
use ort::environment::Environment;
use ort::sys::{OrtAllocatorType, OrtMemType};
use std::ptr::null_mut;

/// The environment variable with the limit.
const VARIABLE: &str = "RECMIRROR_GRAPH_MEMORY_MB";

/// MiB for each thread, and for one more.
const OF_THREAD: usize = 512;

/// The limit in MiB.
fn limit() -> usize {
    let wanted = std::env::var(VARIABLE).ok().and_then(|text| text.trim().parse().ok());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    wanted.filter(|&wanted| wanted > 0).unwrap_or(OF_THREAD.saturating_mul(threads + 1))
}

/// Registers an allocator with the limit, for sessions that use it.
#[expect(unsafe_code, reason = "ort has no function for it; the C interface is called as it is documented")]
pub(super) fn bound(environment: &Environment) -> Result<(), String> {
    let api = ort::api();
    let (mut info, mut config) = (null_mut(), null_mut());
    let most = limit().saturating_mul(1 << 20);
    // SAFETY: the pointers are those that the library gave, each is released once, and the environment lives as long as
    // the process. A failed call leaves its pointer null, which the functions that release take.
    unsafe {
        let message = |problem: ort::Error| problem.to_string();
        let check = |status| ort::Error::result_from_status(status).map_err(message);
        let made = check((api.CreateCpuMemoryInfo)(
            OrtAllocatorType::OrtArenaAllocator,
            OrtMemType::OrtMemTypeDefault,
            &mut info,
        ))
        .and_then(|()| check((api.CreateArenaCfg)(most, -1, -1, -1, &mut config)))
        .and_then(|()| check((api.CreateAndRegisterAllocator)(environment.ptr().cast_mut(), info, config)));
        if !config.is_null() {
            (api.ReleaseArenaCfg)(config);
        }
        if !info.is_null() {
            (api.ReleaseMemoryInfo)(info);
        }
        made
    }
}

/// A message of the runtime, with a remedy if the limit was reached.
pub(super) fn error_message(problem: &str) -> String {
    if problem.contains("Available memory of") || problem.contains("Failed to allocate memory") {
        return format!("{problem}; graphs may take {} MiB together, {VARIABLE} sets another limit", limit());
    }
    problem.to_owned()
}
