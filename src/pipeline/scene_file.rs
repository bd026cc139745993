//! Files of scenes, read and checked in order.

use super::SceneRecord;
use crate::files::{FileError, Jsonl};
use std::path::Path;

/// The maker of the file.
pub(super) const REMEDY: &str = "`recmirror scenes` makes it";

/// Reads and checks the scenes; returns the number of options of each.
pub(super) fn scene_lengths(path: &Path) -> Result<Vec<usize>, FileError> {
    let mut lengths = Vec::new();
    each_scene(path, &mut |_, scene| {
        lengths.push(scene.options());
        Ok::<(), FileError>(())
    })?;
    if lengths.is_empty() {
        return Err(FileError::whole(path, format!("there is no scene in it; {REMEDY}")));
    }
    Ok(lengths)
}

/// Passes each scene with its row.
pub(super) fn each_scene<E: From<FileError>>(
    path: &Path,
    see: &mut dyn FnMut(u64, SceneRecord) -> Result<(), E>,
) -> Result<(), E> {
    let mut reader = Jsonl::<SceneRecord>::open(path, REMEDY)?;
    let mut row = 0;
    while let Some((_, scene)) = reader.step()? {
        if let Some(fault) = scene.fault() {
            return Err(reader.error(fault).into());
        }
        see(row, scene)?;
        row += 1;
    }
    Ok(())
}
