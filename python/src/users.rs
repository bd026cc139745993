//! User models in Python.

use crate::asking::ask;
use crate::errors::of_users;
use crate::names::Names;
use crate::policy::traceback;
use numpy::{PyArray1, PyArray2, PyArrayMethods, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::PyType;
use recmirror::ids::LogUserId;
use recmirror::scene::SceneBatch;
use recmirror::user::{Memorised, MemoryShape, RATINGS, Responses, UserError, UserModel};

/// What users have in front of them.
#[pyclass(frozen, module = "recmirror")]
pub struct Scenes {
    /// `[n]`: numbers of the simulated users; of users of the log before the first step, while the level of acceptance is set.
    #[pyo3(get)]
    users: Py<PyArray1<u32>>,
    /// `[n, slate]`: the items shown, -1 in empty slots.
    #[pyo3(get)]
    items: Py<PyArray2<i64>>,
    /// `[n, memory]`: what the model keeps of each user.
    #[pyo3(get)]
    memory: Py<PyArray2<f32>>,
}

/// A user model that is a Python object.
pub(crate) struct OwnUsers {
    object: Py<PyAny>,
    width: usize,
    names: Names,
}

impl OwnUsers {
    /// `object`, or what the class makes, has `respond(scenes)`; with an attribute `memory`, the numbers kept of each user, also
    /// `start(users)` and `update(memory, items, ratings)`.
    pub(crate) fn new(py: Python<'_>, object: Py<PyAny>, names: Names) -> PyResult<OwnUsers> {
        let object = if object.bind(py).is_instance_of::<PyType>() { object.call0(py)? } else { object };
        let bound = object.bind(py);
        if !bound.hasattr("respond")? {
            return Err(of_users(format!(
                "a user model needs a method respond(scenes) that gives logits [n, slate + 1]; this is a {}",
                bound.get_type().name()?
            )));
        }
        let width = if bound.hasattr("memory")? { Self::width(&bound.getattr("memory")?)? } else { 0 };
        for method in ["start", "update"] {
            if width > 0 && !bound.hasattr(method)? {
                return Err(of_users(format!("a user model with `memory` = {width} needs a method `{method}`")));
            }
        }
        Ok(OwnUsers { object, width, names })
    }

    fn width(memory: &Bound<'_, PyAny>) -> PyResult<usize> {
        memory.extract().map_err(|_| {
            of_users(format!("`memory` of the user model is {memory}; expected how many numbers are kept of each user"))
        })
    }

    /// The user of a row of scenes.
    fn user(&self, scenes: &SceneBatch, row: usize) -> String {
        let replication = scenes.draws.as_ref().map_or(0, |draws| draws.streams.replication());
        scenes.users.get(row).map_or_else(|| format!("scene {row}"), |&user| self.names.of(user, replication))
    }

    /// Refuses logits that are not finite, those of empty slots aside.
    fn check(&self, scenes: &SceneBatch, logits: &[f32]) -> Result<(), UserError> {
        let Some(place) = logits.iter().position(|logit| !logit.is_finite()) else { return Ok(()) };
        let (row, slot) = (place / (scenes.slate + 1), place % (scenes.slate + 1));
        let what = if slot < scenes.slate { format!("slot {slot}") } else { "\"nothing\", the last column".to_owned() };
        Err(UserError::Setup(format!(
            "respond: {}, {what}: the logit is {}; expected a finite number",
            self.user(scenes, row),
            logits[place]
        )))
    }

    fn ask<A>(
        &self,
        method: &str,
        shape: [usize; 2],
        arguments: impl Fn(Python<'_>) -> PyResult<A>,
    ) -> Result<Vec<f32>, UserError>
    where
        A: for<'py> pyo3::call::PyCallArgs<'py>,
    {
        ask(|py| {
            let answer = arguments(py).and_then(|arguments| self.object.bind(py).call_method1(method, arguments));
            let answer =
                answer.map_err(|problem| UserError::Setup(format!("{method}: {}", traceback(py, &problem))))?;
            matrix(&answer, shape).map_err(|problem| UserError::Setup(format!("{method}: {problem}")))
        })
    }
}

/// The numbers of an array of this shape.
fn matrix(answer: &Bound<'_, PyAny>, shape: [usize; 2]) -> Result<Vec<f32>, String> {
    let message = |problem: PyErr| problem.to_string();
    let wanted = format!("expected ({}, {}), a row for each scene", shape[0], shape[1]);
    if answer.is_none() {
        return Err(format!("the answer is None; {wanted}"));
    }
    let numpy = answer.py().import("numpy").map_err(message)?;
    let array =
        numpy.call_method1("asarray", (answer,)).map_err(|problem| format!("the answer is no array: {problem}"))?;
    let kind: String = array.getattr("dtype").and_then(|kind| kind.getattr("kind")?.extract()).map_err(message)?;
    if !["f", "i", "u", "b"].contains(&kind.as_str()) {
        return Err(format!("the answer has dtype {}; expected numbers", array.getattr("dtype").map_err(message)?));
    }
    let cast = numpy.call_method1("asarray", (array, "float32")).map_err(message)?;
    let found = cast.getattr("shape").map(|shape| shape.to_string()).unwrap_or_default();
    let cast = cast.cast_into::<PyArray2<f32>>().ok().filter(|cast| cast.shape() == shape);
    cast.ok_or_else(|| format!("the answer has the shape {found}; {wanted}"))?
        .to_vec()
        .map_err(|problem| problem.to_string())
}

/// The first row and column of a number that is not finite.
fn broken(numbers: &[f32], width: usize) -> Option<(usize, usize, f32)> {
    let place = numbers.iter().position(|number| !number.is_finite())?;
    Some((place / width, place % width, numbers[place]))
}

impl UserModel for OwnUsers {
    fn kind(&self) -> &'static str {
        "python"
    }

    fn memory(&self) -> MemoryShape {
        MemoryShape { read: self.width, total: self.width }
    }

    fn start(&self, users: &[LogUserId], memory: &mut [f32]) -> Result<(), UserError> {
        if self.width == 0 {
            return Ok(());
        }
        let numbers = |py: Python<'_>| Ok((PyArray1::from_iter(py, users.iter().map(|user| user.0)).unbind(),));
        let start = self.ask("start", [users.len(), self.width], numbers)?;
        if let Some((row, number, value)) = broken(&start, self.width) {
            return Err(UserError::Setup(format!(
                "start: {}, number {number} of the memory is {value}; expected a finite number",
                self.names.of_log(users[row])
            )));
        }
        memory.copy_from_slice(&start);
        Ok(())
    }

    fn update(&self, memories: &mut [&mut [f32]], events: &[Memorised]) -> Result<(), UserError> {
        if self.width == 0 || events.is_empty() {
            return Ok(());
        }
        let all: Vec<f32> = memories.iter().flat_map(|memory| memory.iter().copied()).collect();
        let arguments = |py: Python<'_>| {
            let memory = PyArray1::from_slice(py, &all).reshape([events.len(), self.width])?;
            let items = PyArray1::from_iter(py, events.iter().map(|event| i64::from(event.item.0)));
            let ratings = PyArray1::from_iter(py, events.iter().map(|event| event.rating));
            Ok((memory.unbind(), items.unbind(), ratings.unbind()))
        };
        let updated = self.ask("update", [events.len(), self.width], arguments)?;
        if let Some((row, number, value)) = broken(&updated, self.width) {
            return Err(UserError::Setup(format!(
                "update: row {row} (item {}), number {number} of the memory is {value}; expected a finite number",
                events[row].item.0
            )));
        }
        for (memory, row) in memories.iter_mut().zip(updated.chunks_exact(self.width)) {
            memory.copy_from_slice(row);
        }
        Ok(())
    }

    fn respond(&self, scenes: &SceneBatch, out: &mut Responses) -> Result<(), UserError> {
        let (rows, slate) = (scenes.len(), scenes.slate);
        out.reset(rows, slate);
        if rows == 0 {
            return Ok(());
        }
        let number = |item: recmirror::ids::ItemId| if item.is_some() { i64::from(item.0) } else { -1 };
        let arguments = |py: Python<'_>| {
            let items = PyArray1::from_iter(py, scenes.items.iter().map(|&item| number(item)));
            let memory = PyArray1::from_slice(py, &scenes.memory);
            let scenes = Scenes {
                users: PyArray1::from_iter(py, scenes.users.iter().map(|user| user.0)).unbind(),
                items: items.reshape([rows, slate])?.unbind(),
                memory: memory.reshape([rows, self.width])?.unbind(),
            };
            Ok((Py::new(py, scenes)?,))
        };
        out.choice = self.ask("respond", [rows, slate + 1], arguments)?;
        for (place, item) in scenes.items.iter().enumerate() {
            if !item.is_some() {
                out.choice[place / slate * (slate + 1) + place % slate] = recmirror::user::EMPTY_SLOT;
            }
        }
        self.check(scenes, &out.choice)?;
        debug_assert_eq!(out.rating.len(), rows * slate * RATINGS);
        Ok(())
    }
}
