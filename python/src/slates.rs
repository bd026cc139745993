//! What Python gives as slates, checked. Every message names the user, the slot or item, and what was expected.

use crate::names::Names;
use crate::threads::free;
use numpy::{PyArray2, PyArrayMethods, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use rayon::prelude::*;
use recmirror::ids::ItemId;
use recmirror::policy::{Requests, Slates, rank_candidates};

/// Slates from `answer`: whole numbers `[n, slate]`, -1 in empty slots; the same in a pair with scores `[n, slate]`; or
/// scores of all items `[n, items]`, which are ranked here.
pub(crate) fn read(answer: &Bound<'_, PyAny>, requests: &Requests<'_>, names: &Names) -> Result<Slates, String> {
    if let Ok(pair) = answer.cast::<PyTuple>() {
        if pair.len() != 2 {
            return Err(format!(
                "the answer is a tuple of {}; give the slates, or a pair of slates and scores",
                pair.len()
            ));
        }
        let part = |place: usize| pair.get_item(place).map_err(|problem| problem.to_string());
        let mut slates = items(&array(&part(0)?)?, requests, names)?;
        slates.scores = numbers(&array(&part(1)?)?, [requests.len(), requests.slate], "scores")?;
        if let Some(place) = slates.scores.iter().position(|score| score.is_nan()) {
            let who = slot(requests, names, place);
            return Err(format!("{who}: the score is not a number; expected a finite number"));
        }
        return Ok(slates);
    }
    let array = array(answer)?;
    match kind(&array)? {
        'i' | 'u' => items(&array, requests, names),
        'f' => {
            let wanted = [requests.len(), requests.items];
            let scores = numbers(&array, wanted, "scores of all items").map_err(|problem| {
                let is_slate = shape(&array).is_ok_and(|shape| shape == [requests.len(), requests.slate]);
                let hint = if is_slate { "; slates are whole numbers: answer.astype(int)" } else { "" };
                format!("{problem}{hint}")
            })?;
            free(answer.py(), || ranked(&scores, requests, names))
        }
        _ => Err(format!(
            "the answer has dtype {}; expected whole numbers [n, slate], or floats [n, items] to be ranked",
            dtype(&array)
        )),
    }
}

/// The user and the slot of a place in `[n, slate]`.
fn slot(requests: &Requests<'_>, names: &Names, place: usize) -> String {
    let user = names.of(requests.users[place / requests.slate], requests.streams.replication());
    format!("{user}, slot {}", place % requests.slate)
}

/// Refuses slates that show an item twice, an item that is no candidate, or an item behind an empty slot.
pub(crate) fn check(slates: &Slates, requests: &Requests<'_>, names: &Names) -> Result<(), String> {
    for (row, slate) in slates.items.chunks_exact(requests.slate.max(1)).enumerate().take(requests.len()) {
        let request = requests.get(row);
        let filled = slate.iter().take_while(|item| item.is_some()).count();
        for (at, &item) in slate.iter().enumerate().filter(|(_, item)| item.is_some()) {
            let problem = if at >= filled {
                format!("item {} stands behind the empty slot {filled}; expected -1 in the last slots only", item.0)
            } else if slate[..at].contains(&item) {
                format!("item {} is shown for the second time; expected each item once", item.0)
            } else if !request.allows(item) {
                format!(
                    "item {} is no candidate for this user; expected one of observation.candidates({row}), where \
                     observation.mask()[{row}] is true",
                    item.0
                )
            } else {
                continue;
            };
            return Err(format!("{}: {problem}", slot(requests, names, row * requests.slate + at)));
        }
    }
    Ok(())
}

fn array<'py>(value: &Bound<'py, PyAny>) -> Result<Bound<'py, PyAny>, String> {
    if value.is_none() {
        return Err("the answer is None; expected slates [n, slate] or scores [n, items]".to_owned());
    }
    let numpy = value.py().import("numpy").map_err(|problem| problem.to_string())?;
    numpy.call_method1("asarray", (value,)).map_err(|problem| format!("the answer is no array: {problem}"))
}

fn dtype(array: &Bound<'_, PyAny>) -> String {
    array.getattr("dtype").map(|dtype| dtype.to_string()).unwrap_or_default()
}

fn kind(array: &Bound<'_, PyAny>) -> Result<char, String> {
    let kind = array.getattr("dtype").and_then(|dtype| dtype.getattr("kind")).and_then(|kind| kind.extract());
    kind.map_err(|problem| problem.to_string())
}

fn shape(array: &Bound<'_, PyAny>) -> Result<Vec<usize>, String> {
    array.getattr("shape").and_then(|shape| shape.extract()).map_err(|problem| problem.to_string())
}

/// The array as a matrix of `T` with this shape.
fn matrix<'py, T: numpy::Element>(
    array: &Bound<'py, PyAny>,
    shape: [usize; 2],
    name: &str,
    wanted: &str,
) -> Result<Bound<'py, PyArray2<T>>, String> {
    let cast = array.call_method1("astype", (wanted,)).map_err(|problem| format!("{name}: {problem}"))?;
    let found = self::shape(&cast)?;
    let cast = cast.cast_into::<PyArray2<T>>().ok().filter(|cast| cast.shape() == shape);
    cast.ok_or_else(|| {
        format!(
            "{name} have the shape {found:?}; expected [{}, {}]: a row for each of the {} users of the observation",
            shape[0], shape[1], shape[0]
        )
    })
}

fn items(array: &Bound<'_, PyAny>, requests: &Requests<'_>, names: &Names) -> Result<Slates, String> {
    let is_signed = match kind(array)? {
        'i' => true,
        'u' => false,
        _ => return Err(format!("slates have dtype {}; expected whole numbers", dtype(array))),
    };
    let shape = [requests.len(), requests.slate];
    let values = matrix::<i64>(array, shape, "slates", "int64")?.to_vec().map_err(|problem| problem.to_string())?;
    let mut slates = Slates::default();
    slates.reset(requests.len(), requests.slate);
    for (place, &value) in values.iter().enumerate() {
        slates.items[place] = match value {
            -1 if is_signed => ItemId::NONE,
            0.. if (value as u64) < requests.items as u64 => ItemId(value as u32),
            _ => {
                let (who, last) = (slot(requests, names, place), requests.items - 1);
                // A whole number without a sign that has no signed form.
                let value = if is_signed { i128::from(value) } else { i128::from(value as u64) };
                return Err(format!("{who}: {value} is no item; expected 0 to {last}, or -1 for an empty slot"));
            }
        };
    }
    Ok(slates)
}

fn numbers(array: &Bound<'_, PyAny>, shape: [usize; 2], name: &str) -> Result<Vec<f32>, String> {
    matrix::<f32>(array, shape, name, "float32")?.to_vec().map_err(|problem| problem.to_string())
}

/// The slates with the best candidates by scores of all items.
fn ranked(scores: &[f32], requests: &Requests<'_>, names: &Names) -> Result<Slates, String> {
    if let Some(place) = scores.par_iter().position_first(|score| score.is_nan()) {
        let user = names.of(requests.users[place / requests.items], requests.streams.replication());
        let item = place % requests.items;
        return Err(format!(
            "{user}, item {item}: the score is not a number; expected a number, or -inf for the last place"
        ));
    }
    let mut slates = Slates::default();
    slates.fill(requests, |request, slot| {
        rank_candidates(&request, &scores[request.row * request.items..(request.row + 1) * request.items], slot);
    });
    Ok(slates)
}

/// The slates with the candidates that are nearest to a vector for each user, by inner product with the vectors of items
/// `[items, width]`.
pub(crate) fn nearest(
    wanted: &[f32],
    vectors: &[f32],
    width: usize,
    requests: &Requests<'_>,
    names: &Names,
) -> Result<Slates, String> {
    if let Some(place) = wanted.iter().position(|number| number.is_nan()) {
        let user = names.of(requests.users[place / width.max(1)], requests.streams.replication());
        let place = place % width.max(1);
        return Err(format!("{user}: number {place} of the vector is not a number; expected a finite number"));
    }
    let mut slates = Slates::default();
    slates.fill(requests, |request, slot| {
        let own = &wanted[request.row * width..(request.row + 1) * width];
        let score = |vector: &[f32]| vector.iter().zip(own).fold(0.0f32, |sum, (one, other)| sum + one * other);
        let scores: Vec<f32> = vectors.chunks_exact(width).map(score).collect();
        rank_candidates(&request, &scores, slot);
    });
    Ok(slates)
}
