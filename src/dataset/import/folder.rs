//! The folder with a publisher's files, and which of them is where.

use super::ImportError;
use crate::dataset::item_vectors::is_item_vectors;
use crate::files::FileError;
use std::path::{Path, PathBuf};

/// Endings of packed files. What is inside is recognised by the first bytes, not by the name.
const PACKED: [&str; 3] = [".gz", ".zst", ".zstd"];

/// Endings of files that hold tables and are none.
const ARCHIVES: [&str; 6] = [".zip", ".7z", ".rar", ".tar", ".tar.gz", ".xlsx"];

/// A folder, or one file of it that was singled out.
pub(in crate::dataset) struct Folder {
    root: PathBuf,
    chosen: Option<PathBuf>,
    names: Vec<String>,
    folders: Vec<String>,
    /// A file that is no part of it.
    excluded: Option<PathBuf>,
}

impl Folder {
    /// Lists `source`: a folder, or a file in a folder with several logs.
    pub(in crate::dataset) fn open(source: &Path) -> Result<Folder, ImportError> {
        if source.is_dir() {
            let (names, folders) = entries(source)?;
            return Ok(Folder { root: source.to_owned(), chosen: None, names, folders, excluded: None });
        }
        if !source.is_file() {
            return Err(ImportError::NoSource { path: source.to_owned() });
        }
        let root = source.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let (names, folders) = entries(root)?;
        Ok(Folder { root: root.to_owned(), chosen: Some(source.to_owned()), names, folders, excluded: None })
    }

    /// The same folder, whose list of files leaves out one of them.
    pub(in crate::dataset) fn without(mut self, file: &Path) -> Folder {
        self.excluded = file.canonicalize().ok();
        let names = std::mem::take(&mut self.names);
        self.names = names.into_iter().filter(|name| !self.is_excluded(&self.root.join(name))).collect();
        self
    }

    fn is_excluded(&self, path: &Path) -> bool {
        self.excluded.is_some() && path.canonicalize().ok() == self.excluded
    }

    /// The folder.
    pub(in crate::dataset) fn root(&self) -> &Path {
        &self.root
    }

    /// The file that was singled out.
    pub(in crate::dataset) fn chosen(&self) -> Option<&Path> {
        self.chosen.as_deref()
    }

    /// The files of the folder in the order of their names.
    pub(in crate::dataset) fn files(&self) -> impl Iterator<Item = PathBuf> {
        self.names.iter().map(|name| self.root.join(name))
    }

    /// The first files of the folder, for messages.
    pub(in crate::dataset) fn listed(&self) -> String {
        const MOST: usize = 8;
        let shown: Vec<&str> = self.names.iter().take(MOST).map(String::as_str).collect();
        let files = match self.names.len() {
            0 => "no files".to_owned(),
            count if count > MOST => format!("{} and {} more", shown.join(", "), count - MOST),
            _ => shown.join(", "),
        };
        let is_archive = |name: &&str| ARCHIVES.iter().any(|ending| name.to_lowercase().ends_with(ending));
        let archive = shown.iter().find(|name| is_archive(name));
        let archive = archive.map(|name| format!("; {name} is an archive or a workbook: unpack or export it"));
        let folders: Vec<&str> = self.folders.iter().take(MOST).map(String::as_str).collect();
        let inner =
            if folders.is_empty() { String::new() } else { format!(", and the folders {}", folders.join(", ")) };
        format!("{files}{inner}{}", archive.unwrap_or_default())
    }

    /// The first of these files that is there, plain or packed. Names may have folders before them.
    pub(super) fn find(&self, wanted: &[&str]) -> Option<PathBuf> {
        let forms = |name: &&str| {
            let packed = PACKED.map(|ending| format!("{name}{ending}"));
            std::iter::once((*name).to_owned()).chain(packed)
        };
        wanted
            .iter()
            .flat_map(forms)
            .map(|name| self.root.join(name))
            .find(|path| path.is_file() && !self.is_excluded(path))
    }

    /// The log that has one of these names; where a file was singled out that file, if its name is one of them.
    pub(in crate::dataset) fn log(&self, wanted: &[&str]) -> Option<PathBuf> {
        let Some(path) = &self.chosen else { return self.find(wanted) };
        let name = plain_name(path);
        wanted.iter().any(|wanted| wanted.rsplit('/').next() == Some(name.as_str())).then(|| path.clone())
    }

    /// The one log whose plain name fulfils `is_log`; of several the one that was singled out.
    pub(super) fn one(&self, is_log: impl Fn(&str) -> bool) -> Result<Option<PathBuf>, ImportError> {
        if let Some(path) = &self.chosen {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            return Ok(is_log(plain(&name)).then(|| path.clone()));
        }
        let found: Vec<&String> = self.names.iter().filter(|name| is_log(plain(name))).collect();
        match found.as_slice() {
            [] => Ok(None),
            [only] => Ok(Some(self.root.join(only))),
            several => {
                let found = several.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
                Err(ImportError::Several { path: self.root.clone(), found })
            }
        }
    }
}

/// A file's name without the ending of its packing.
pub(super) fn plain(name: &str) -> &str {
    PACKED.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name)
}

/// The plain name of a path's file.
pub(super) fn plain_name(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    plain(&name).to_owned()
}

/// The names of the files and of the folders in a folder.
fn entries(folder: &Path) -> Result<(Vec<String>, Vec<String>), ImportError> {
    let fail = |source| FileError::read(folder, source);
    let (mut names, mut folders) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if path.is_file() {
            if !is_item_vectors(&name) {
                names.push(name);
            }
        } else if path.is_dir() {
            folders.push(name);
        }
    }
    names.sort();
    folders.sort();
    Ok((names, folders))
}
