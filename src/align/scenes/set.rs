//! Scenes of one or more files, with numbered users.

use super::{AlignError, published};
use crate::files::{FileError, Jsonl};
use crate::pipeline::SceneRecord;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The remedy for a file that is not of scenes.
const REMEDY: &str = "`recmirror scenes` makes scenes: name a `datasets/NAME_eval.jsonl`";

/// A scene and its origin.
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    /// The scene.
    pub record: SceneRecord,
    /// The file's index in [`SceneSet::files`].
    pub file: usize,
    /// The line, counted from 1.
    pub line: u64,
    /// The index of the data set in [`SceneSet::datasets`].
    pub dataset: usize,
    /// The user's number among the users of all scenes.
    pub user: usize,
}

impl Scene {
    /// True if the list holds the item that the user took.
    pub(crate) fn holds_real(&self) -> bool {
        self.record.item_pos < self.record.choice_cnt
    }
}

/// Scenes in the order of the files and their lines.
#[derive(Clone, Debug, Default)]
pub struct SceneSet {
    pub(crate) scenes: Vec<Scene>,
    pub(crate) files: Vec<PathBuf>,
    pub(crate) datasets: Vec<String>,
    /// For each data set the earliest time of a scene in milliseconds, including scenes beyond the limit.
    pub(crate) begins: Vec<Option<i64>>,
}

impl SceneSet {
    /// Reads files of scenes, in JSON lines or in the Parquet form of the paper's authors; at most the first `most`
    /// scenes of each file are kept. `recmirror scenes` writes scenes in the order of drawing, so the first ones are a
    /// fair sample.
    ///
    /// # Errors
    /// A missing file, a line that is no scene, a scene that contradicts itself, or no scene at all.
    pub fn read(paths: &[PathBuf], most: Option<usize>) -> Result<SceneSet, FileError> {
        let mut set = SceneSet { files: paths.to_vec(), ..SceneSet::default() };
        let mut users = BTreeMap::new();
        for (file, path) in paths.iter().enumerate() {
            if paths[..file].contains(path) {
                return Err(FileError::whole(path, "the file is named twice"));
            }
            set.add(path, file, most.unwrap_or(usize::MAX), &mut users)?;
        }
        Ok(set)
    }

    fn add(
        &mut self,
        path: &Path,
        file: usize,
        most: usize,
        users: &mut BTreeMap<(usize, String), usize>,
    ) -> Result<(), FileError> {
        let mut kept = 0;
        let mut see = |line: u64, record: SceneRecord| {
            if let Some(fault) = record.fault() {
                return Err(FileError::line(path, line, fault));
            }
            let dataset = self.dataset(&record.dataset);
            if let Some(time) = record.timestamp {
                let begin = &mut self.begins[dataset];
                *begin = Some(begin.map_or(time.0, |begin| begin.min(time.0)));
            }
            if kept < most {
                let next = users.len();
                let user = *users.entry((dataset, record.user_id.to_string())).or_insert(next);
                self.scenes.push(Scene { record, file, line, dataset, user });
                kept += 1;
            }
            Ok(())
        };
        if published::is_published(path) {
            published::each_scene(path, &mut see)?;
        } else {
            let mut reader = Jsonl::<SceneRecord>::open(path, REMEDY)?;
            while let Some((line, record)) = reader.step()? {
                see(line, record)?;
            }
        }
        if kept == 0 {
            return Err(FileError::whole(path, format!("there is no scene in it; {REMEDY}")));
        }
        Ok(())
    }

    fn dataset(&mut self, name: &str) -> usize {
        self.datasets.iter().position(|known| known == name).unwrap_or_else(|| {
            self.datasets.push(name.to_owned());
            self.begins.push(None);
            self.datasets.len() - 1
        })
    }

    /// Number of scenes.
    pub fn len(&self) -> usize {
        self.scenes.len()
    }

    /// True without any scene.
    pub fn is_empty(&self) -> bool {
        self.scenes.is_empty()
    }

    /// An error at the line of a scene.
    pub(crate) fn error(&self, scene: usize, problem: impl Into<String>) -> AlignError {
        let scene = &self.scenes[scene];
        FileError::line(&self.files[scene.file], scene.line, problem).into()
    }

    /// The ids of the listed items of a scene, as text.
    pub(crate) fn items(&self, scene: usize) -> Option<Vec<String>> {
        let items = self.scenes[scene].record.items.as_ref()?;
        Some(items.iter().map(ToString::to_string).collect())
    }
}
