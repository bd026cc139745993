//! Finding and loading the ONNX Runtime library.
//!
//! Search order:
//! 1. `ORT_DYLIB_PATH`, when set: that file and no other;
//! 2. the project's folder: `.recmirror/onnxruntime/` in the current folder or the nearest of its parents that
//!    has one, then the same from the folder of the executable;
//! 3. beside the executable;
//! 4. the system's library search path.

use super::OnnxError;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

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

/// One place of the search and what was found there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Why this place is searched.
    pub rule: &'static str,
    /// The file.
    pub path: PathBuf,
    /// What happened; `None` when it was loaded.
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
    /// Its version, for example `1.32.0`.
    pub version: String,
    /// The whole search, the last attempt being the one that worked.
    pub attempts: Vec<Attempt>,
}

static RUNTIME: OnceLock<Result<Runtime, Vec<Attempt>>> = OnceLock::new();

impl Runtime {
    /// Loads the library on first use; later calls give the same one.
    ///
    /// # Errors
    /// When no place of the search has a usable library: all places with their reasons.
    pub fn get() -> Result<&'static Runtime, OnnxError> {
        let loaded = RUNTIME.get_or_init(load);
        loaded.as_ref().map_err(|attempts| OnnxError::NoRuntime { attempts: attempts.clone() })
    }
}

/// The files to try, in order, and the rule behind each.
pub fn search_places() -> Vec<(&'static str, PathBuf)> {
    if let Some(path) = std::env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty()) {
        return vec![("ORT_DYLIB_PATH", PathBuf::from(path))];
    }
    let mut places = Vec::new();
    let executable = std::env::current_exe().ok();
    let beside = executable.as_deref().and_then(Path::parent).map(Path::to_owned);
    for start in [std::env::current_dir().ok(), beside.clone()].into_iter().flatten() {
        let project = start.ancestors().map(|folder| folder.join(PROJECT_FOLDER)).find(|folder| folder.is_dir());
        let place = project.map(|folder| ("project folder", folder.join(library_name())));
        places.extend(place.filter(|place| !places.contains(place)));
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

fn open(path: &Path, must_exist: bool) -> Result<(ort::environment::Environment, String), String> {
    if must_exist && !path.is_file() {
        return Err(if path.exists() { "not a file".to_owned() } else { "no such file".to_owned() });
    }
    // A library that answers the version call with nonsense makes ort assert; that must not end the process.
    let outcome = std::panic::catch_unwind(|| {
        let builder = ort::init_from(path).map_err(|problem| problem.to_string())?;
        builder.with_telemetry(false).build().map_err(|problem| problem.to_string())
    });
    let environment = outcome.unwrap_or_else(|_| Err("not a usable ONNX Runtime library".to_owned()))?;
    Ok((environment, version_of(ort::info())))
}

/// The version inside the build information ("..., ORT Build Info: git-branch=..., version 1.32.0").
fn version_of(info: &str) -> String {
    let versions = info.split(|letter: char| !(letter.is_ascii_digit() || letter == '.'));
    let version = versions.filter(|word| word.split('.').filter(|part| !part.is_empty()).count() == 3).next();
    version.map_or_else(|| info.to_owned(), |word| word.trim_matches('.').to_owned())
}
