//! What models said to each scene, as a file: `answers.jsonl`.

use super::answer::Heard;
use super::set::SceneSet;
use crate::dataset::{Dataset, ExternalId, Moment};
use crate::files::{FileError, Jsonl, JsonlWriter};
use crate::ids::{ItemId, UserId};
use crate::scene::{SoftScene, SoftScenes};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

const REMEDY: &str = "`recmirror align MODEL SCENES --out DIR` writes it";

/// What was said to one scene.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AnswerRecord {
    /// The file of the scene, without its folder.
    pub file: String,
    /// Its line, counted from 1.
    pub line: u64,
    /// The data set.
    pub dataset: String,
    /// The user.
    pub user_id: ExternalId,
    /// The item that the user took.
    pub item_id: ExternalId,
    /// When.
    #[serde(default)]
    pub timestamp: Option<Moment>,
    /// The place of the real item, counted from 0; behind the last one where the list does not hold it.
    pub item_pos: usize,
    /// Whether "none of these" was an option too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub offers_none: bool,
    /// The listed items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<Vec<ExternalId>>,
    /// By the name of the model the probability of each option: the items, then "none of these" where it is offered.
    pub probabilities: BTreeMap<String, Vec<f64>>,
}

/// The plain answers of each model, `heard[model][scene]`, to the scenes that all of them answered.
pub(super) fn answers(set: &SceneSet, names: &[&str], heard: &[Vec<Heard>], kept: &[usize]) -> Vec<AnswerRecord> {
    let of = |&place: &usize| {
        let scene = &set.scenes[place];
        let record = &scene.record;
        let said = names.iter().zip(heard).filter_map(|(name, heard)| {
            let answer = heard[place].plain.as_ref()?;
            Some(((*name).to_owned(), answer.options.clone()))
        });
        let file = set.files[scene.file].file_name();
        AnswerRecord {
            file: file.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
            line: scene.line,
            dataset: record.dataset.clone(),
            user_id: record.user_id.clone(),
            item_id: record.item_id.clone(),
            timestamp: record.timestamp,
            item_pos: record.item_pos,
            offers_none: record.offers_none,
            items: record.items.clone(),
            probabilities: said.collect(),
        }
    };
    kept.iter().map(of).collect()
}

/// Writes a line for each scene.
///
/// # Errors
/// When the file cannot be written.
pub fn write_answers(path: &Path, answers: &[AnswerRecord]) -> Result<(), FileError> {
    let mut writer = JsonlWriter::create(path)?;
    for answer in answers {
        writer.push(answer)?;
    }
    writer.finish()
}

/// Reads the answers of one model as labels for the training of a mirror on `data`; the only model of the file unless
/// it is named.
///
/// # Errors
/// A file that cannot be read, a model that is not in it, or scenes that are not of `data`.
pub fn read_soft(path: &Path, model: Option<&str>, data: &Dataset) -> Result<SoftScenes, FileError> {
    let mut reader = Jsonl::<AnswerRecord>::open(path, REMEDY)?;
    let mut found = SoftScenes::default();
    while let Some((_, record)) = reader.step()? {
        let name = chosen(&record, model).map_err(|problem| reader.error(problem))?;
        if found.model.is_empty() {
            found.model.clone_from(name);
        }
        let scene = soft(&record, &record.probabilities[name], data).map_err(|problem| reader.error(problem))?;
        found.scenes.push(scene);
    }
    if found.scenes.is_empty() {
        return Err(FileError::whole(path, format!("there is no answer in it; {REMEDY}")));
    }
    Ok(found)
}

/// The name of the model whose answers are wanted.
fn chosen<'a>(record: &'a AnswerRecord, wanted: Option<&str>) -> Result<&'a String, String> {
    let names: Vec<&String> = record.probabilities.keys().collect();
    let known = || names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match (wanted, names.as_slice()) {
        (Some(wanted), _) => {
            let found = names.iter().copied().find(|name| *name == wanted);
            found.ok_or_else(|| format!("there is no answer of `{wanted}`; there are those of {}", known()))
        }
        (None, [only]) => Ok(only),
        (None, _) => Err(format!("there are answers of {}; name one with --of", known())),
    }
}

fn soft(record: &AnswerRecord, said: &[f64], data: &Dataset) -> Result<SoftScene, String> {
    let name = &data.name;
    let ids = record.items.as_ref().ok_or("the scene has no `items` (the ids of the listed items)")?;
    let options = ids.len() + usize::from(record.offers_none);
    let is_share = |value: &f64| (0.0..=1.0).contains(value);
    if said.len() != options || !said.iter().all(is_share) || (said.iter().sum::<f64>() - 1.0).abs() > 1e-3 {
        return Err(format!("the probabilities are not {options} numbers that sum to 1"));
    }
    let item = |id: &ExternalId| {
        let found = data.items.get(&id.to_string()).map(ItemId);
        found.ok_or_else(|| format!("item {id} is not in {name}"))
    };
    let user = data.users.get(&record.user_id.to_string()).map(UserId);
    Ok(SoftScene {
        user: user.ok_or_else(|| format!("user {} is not in {name}", record.user_id))?,
        taken: item(&record.item_id)?,
        items: ids.iter().map(item).collect::<Result<_, _>>()?,
        real: (record.item_pos < ids.len()).then_some(record.item_pos),
        offers_none: record.offers_none,
        probabilities: said.iter().map(|&share| share as f32).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(models: &[(&str, Vec<f64>)]) -> AnswerRecord {
        AnswerRecord {
            file: "d_train.jsonl".to_owned(),
            line: 1,
            dataset: "d".to_owned(),
            user_id: ExternalId::Number(1),
            item_id: ExternalId::Number(1),
            timestamp: None,
            item_pos: 0,
            offers_none: false,
            items: Some(vec![ExternalId::Number(1)]),
            probabilities: models.iter().map(|(name, said)| ((*name).to_owned(), said.clone())).collect(),
        }
    }

    #[test]
    fn the_model_is_named_or_the_only_one() {
        let one = record(&[("a", vec![1.0])]);
        assert_eq!(chosen(&one, None).unwrap(), "a");
        let two = record(&[("a", vec![1.0]), ("b", vec![1.0])]);
        assert_eq!(chosen(&two, Some("b")).unwrap(), "b");
        assert_eq!(chosen(&two, None).unwrap_err(), "there are answers of `a`, `b`; name one with --of");
        assert_eq!(chosen(&two, Some("c")).unwrap_err(), "there is no answer of `c`; there are those of `a`, `b`");
    }
}
