//! Finding and loading the ONNX Runtime library.
//!
//! Search order:
//! 1. `ORT_DYLIB_PATH`, if set: that file and no other;
//! 2. the project's folder: `.recmirror/onnxruntime/` in the folder of the executable or the nearest of its parents
//!    that has one, then in the current folder; parents of the current folder are not searched, because others may
//!    write there;
//! 3. beside the executable;
//! 4. the system's library search path.
//!
//! The library's own log is silent unless the environment variable `ORT_LOG` (`error`, `warning`, ...) asks for it.

use super::OnnxError;
use std::ffi::{CStr, c_char, c_void};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// The folder of a project into which `make runtime` puts the library.
const PROJECT_FOLDER: &str = ".recmirror/onnxruntime";

/// The library's file name on this system.
pub fn library_name() -> &'static str {
    if cfg!(target_os = "macos") {
        "libonnxruntime.dylib"
    } else if cfg!(windows) {
        "onnxruntime.dll"
    } else {
        "libonnxruntime.so"
    }
}

/// One searched place and the result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The rule that names this place.
    pub rule: &'static str,
    /// The file.
    pub path: PathBuf,
    /// The problem; `None` if it was loaded.
    pub problem: Option<String>,
}

impl fmt::Display for Attempt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = self.problem.as_deref().unwrap_or("loaded");
        write!(formatter, "{} ({}): {outcome}", self.path.display(), self.rule)
    }
}

/// A loaded ONNX Runtime.
pub struct Runtime {
    pub(super) environment: ort::environment::Environment,
    /// The library file.
    pub library: PathBuf,
    /// Its version, such as `1.32.0`.
    pub version: String,
    /// All attempts; the last one succeeded.
    pub attempts: Vec<Attempt>,
}

static RUNTIME: OnceLock<Result<Runtime, Vec<Attempt>>> = OnceLock::new();

impl Runtime {
    /// Loads the library on first use; later calls return the same one.
    ///
    /// # Errors
    /// When no place has a usable library: all places with their reasons.
    pub fn get() -> Result<&'static Runtime, OnnxError> {
        let loaded = RUNTIME.get_or_init(load);
        loaded.as_ref().map_err(|attempts| OnnxError::NoRuntime { attempts: attempts.clone() })
    }
}

/// The files to try, in order, each with its rule.
fn search_places() -> Vec<(&'static str, PathBuf)> {
    if let Some(path) = std::env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty()) {
        return vec![("ORT_DYLIB_PATH", PathBuf::from(path))];
    }
    let mut places = Vec::new();
    let executable = std::env::current_exe().ok();
    let beside = executable.as_deref().and_then(Path::parent).map(Path::to_owned);
    let own = beside.iter().flat_map(|folder| folder.ancestors()).map(Path::to_owned);
    let own = own.map(|folder| folder.join(PROJECT_FOLDER)).find(|folder| folder.is_dir());
    let here = std::env::current_dir().ok().map(|folder| folder.join(PROJECT_FOLDER)).filter(|folder| folder.is_dir());
    for folder in [own, here].into_iter().flatten() {
        let place = ("project folder", folder.join(library_name()));
        if !places.contains(&place) {
            places.push(place);
        }
    }
    if places.is_empty() {
        places.push(("project folder", PathBuf::from(PROJECT_FOLDER).join(library_name())));
    }
    places.extend(beside.map(|folder| ("beside the executable", folder.join(library_name()))));
    places.push(("system", PathBuf::from(library_name())));
    places
}

fn load() -> Result<Runtime, Vec<Attempt>> {
    let mut attempts = Vec::new();
    for (rule, path) in search_places() {
        let loaded = open(&path, rule != "system");
        let problem = loaded.as_ref().err().cloned();
        attempts.push(Attempt { rule, path: path.clone(), problem });
        if let Ok((environment, version)) = loaded {
            return Ok(Runtime { environment, library: path, version, attempts });
        }
    }
    Err(attempts)
}

/// The handler of a line of the library's log: level, category, name, place, message.
fn silent(_: ort::logging::LogLevel, _: &str, _: &str, _: &str, _: &str) {}

fn open(path: &Path, must_exist: bool) -> Result<(ort::environment::Environment, String), String> {
    if must_exist && !path.is_file() {
        return Err(if path.exists() { "not a file".to_owned() } else { "no such file".to_owned() });
    }
    if must_exist {
        super::elf::check_whole(path)?;
    }
    let version = version_of(path)?;
    // ort panics on invalid answers of a library; that must not end the process.
    let outcome = crate::guard::guarded(|| {
        let builder = ort::init_from(path).map_err(|problem| problem.to_string())?.with_telemetry(false);
        // The library also returns its errors; its own coloured lines on stderr would appear even under --quiet.
        let is_wanted = std::env::var_os("ORT_LOG").is_some();
        let builder = if is_wanted { builder } else { builder.with_logger(Arc::new(silent)) };
        let environment = builder.build().map_err(|problem| problem.to_string())?;
        super::memory::bound(&environment).map(|()| environment)
    });
    let environment = outcome.unwrap_or_else(|_| Err("not a usable ONNX Runtime library".to_owned()))?;
    Ok((environment, version))
}

/// The loader's own reason, after "dlopen failed".
fn cannot_be_loaded(problem: &dyn std::error::Error) -> String {
    let mut words = String::from("cannot be loaded");
    let mut next = Some(problem);
    while let Some(problem) = next {
        words = format!("{words}: {problem}");
        next = problem.source();
    }
    words
}

/// The head of the C interface `OrtApiBase`, which is the same in all versions.
#[repr(C)]
struct ApiBase {
    get_api: *const c_void,
    version: Option<unsafe extern "C" fn() -> *const c_char>,
}

/// Reads the library's version before ort loads it.
#[expect(unsafe_code, reason = "a library loaded at run time can only be called this way")]
fn version_of(path: &Path) -> Result<String, String> {
    // SAFETY: loading a library runs its initialisers; the user requests that by placing it there. The one symbol used
    // has this signature in every ONNX Runtime, and null pointers are checked.
    unsafe {
        let library = libloading::Library::new(path).map_err(|problem| cannot_be_loaded(&problem))?;
        let base = library.get::<unsafe extern "C" fn() -> *const ApiBase>(b"OrtGetApiBase\0");
        let base = base.map_err(|_| "not an ONNX Runtime library (no `OrtGetApiBase`)".to_owned())?();
        let version = base.as_ref().and_then(|base| base.version).map(|version| version());
        let text =
            version.filter(|text| !text.is_null()).map(|text| CStr::from_ptr(text).to_string_lossy().into_owned());
        text.ok_or_else(|| "an ONNX Runtime library without a version".to_owned())
    }
}
