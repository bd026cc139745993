//! Shared by the fuzz targets: a folder for the files that they write.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// A folder of this process, in memory where there is one.
pub fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let memory = Path::new("/dev/shm");
        let root = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let folder = tempfile::Builder::new().prefix("recmirror-fuzz-").tempdir_in(root).expect("a folder");
        folder.keep()
    })
}

/// Writes a file of the folder.
pub fn write(name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder().join(name);
    if let Some(above) = path.parent() {
        std::fs::create_dir_all(above).expect("a folder");
    }
    std::fs::write(&path, bytes).expect("written");
    path
}
