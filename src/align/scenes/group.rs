//! Groups of scenes by data set, kind of list and length.

use super::outcome::Scope;
use super::set::SceneSet;

/// The name of list types that a file does not state.
const UNSTATED: &str = "not stated";

/// Some scenes and their common properties.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Group {
    pub dataset: Option<String>,
    pub list: Option<String>,
    pub length: Option<usize>,
    pub scope: Scope,
    /// Ascending.
    pub scenes: Vec<usize>,
}

/// The list type of a scene.
pub(super) fn list_of(set: &SceneSet, scene: usize) -> &str {
    set.scenes[scene].record.builder.as_deref().unwrap_or(UNSTATED)
}

/// The list types of a set, in the order of their first scene.
pub(super) fn lists(set: &SceneSet) -> Vec<String> {
    distinct((0..set.len()).map(|scene| list_of(set, scene).to_owned()))
}

/// The groups of some scenes. A group of all scenes is left out.
pub(super) fn groups(set: &SceneSet, scenes: &[usize], scope: Scope) -> Vec<Group> {
    let all = Group { dataset: None, list: None, length: None, scope, scenes: scenes.to_vec() };
    let dataset = |scene: usize| set.datasets[set.scenes[scene].dataset].clone();
    let list = |scene: usize| list_of(set, scene).to_owned();
    let length = |scene: usize| set.scenes[scene].record.choice_cnt;
    let of = |keep: &dyn Fn(usize) -> bool| scenes.iter().copied().filter(|&scene| keep(scene)).collect::<Vec<_>>();
    let datasets = distinct(scenes.iter().map(|&scene| dataset(scene)));
    let lists = distinct(scenes.iter().map(|&scene| list(scene)));
    let mut lengths = distinct(scenes.iter().map(|&scene| length(scene)));
    lengths.sort_unstable();
    let mut found = vec![all.clone()];
    for name in datasets.iter().filter(|_| datasets.len() > 1) {
        let scenes = of(&|scene| dataset(scene) == *name);
        found.push(Group { dataset: Some(name.clone()), scenes, ..all.clone() });
    }
    for name in lists.iter().filter(|_| lists.len() > 1) {
        let scenes = of(&|scene| list(scene) == *name);
        found.push(Group { list: Some(name.clone()), scenes, ..all.clone() });
    }
    for count in lengths.iter().filter(|_| lengths.len() > 1) {
        let scenes = of(&|scene| length(scene) == *count);
        found.push(Group { length: Some(*count), scenes, ..all.clone() });
    }
    if datasets.len() > 1 && lists.len() > 1 {
        for (name, kind) in datasets.iter().flat_map(|name| lists.iter().map(move |kind| (name, kind))) {
            let scenes = of(&|scene| dataset(scene) == *name && list(scene) == *kind);
            if !scenes.is_empty() {
                found.push(Group { dataset: Some(name.clone()), list: Some(kind.clone()), scenes, ..all.clone() });
            }
        }
    }
    found
}

/// Each value once, in the order of its first occurrence.
fn distinct<T: PartialEq>(values: impl Iterator<Item = T>) -> Vec<T> {
    let mut found = Vec::new();
    for value in values {
        if !found.contains(&value) {
            found.push(value);
        }
    }
    found
}
