"""Answers of policies and user models that break the contract: the message names user, slot, and what was expected."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import recmirror as rm
from shop import table

SCENARIO = """
data.path = "."
ticks = 2
slate = 4
replications = 1
population.users = 100
arrival.probability = 1.0
arrival.rate = "uniform"
policy = [{ kind = "random" }]
"""

Answer = Callable[[rm.Observation], Any]


def good(observation: rm.Observation) -> np.ndarray:
    return np.array([observation.candidates(row)[:4] for row in range(len(observation))])


def changed(row: int, slot: int, value: int) -> Answer:
    """Slates of which one has something else in a slot."""

    def answer(observation: rm.Observation) -> np.ndarray:
        slates = good(observation)
        slates[row, slot] = value
        return slates

    return answer


def repeated(observation: rm.Observation) -> np.ndarray:
    slates = good(observation)
    slates[7, 2] = slates[7, 0]
    return slates


def seen(observation: rm.Observation) -> np.ndarray:
    slates = good(observation)
    slates[7, 3] = np.flatnonzero(~observation.mask()[7])[0]
    return slates


def scores(observation: rm.Observation) -> np.ndarray:
    return np.zeros((len(observation), observation.items), dtype=np.float32)


def nan_scores(observation: rm.Observation) -> np.ndarray:
    found = scores(observation)
    found[7, 12] = np.nan
    return found


def nan_beside_slates(observation: rm.Observation) -> tuple[np.ndarray, np.ndarray]:
    beside = np.ones((len(observation), 4))
    beside[7, 1] = np.nan
    return good(observation), beside


# Every user wants a slate, so that row 7 is user 7.
USER = r"user 7 \(`u\d+`\)"

WRONG: dict[str, tuple[Answer, str]] = {
    "unknown": (changed(7, 2, 60), USER + ", slot 2: 60 is no item; expected 0 to 59, or -1 for an empty slot"),
    "negative": (changed(7, 0, -2), USER + ", slot 0: -2 is no item"),
    "no sign": (lambda o: changed(7, 1, -1)(o).astype(np.uint64), USER + ", slot 1: 18446744073709551615 is no item"),
    "repeated": (repeated, USER + r", slot 2: item \d+ is shown for the second time; expected each item once"),
    "seen": (seen, USER + r", slot 3: item \d+ is no candidate for this user; expected one of observation.candidates\(7\)"),
    "hole": (changed(7, 1, -1), USER + r", slot 2: item \d+ stands behind the empty slot 1; expected -1 in the last slots"),
    "NaN score": (nan_scores, USER + ", item 12: the score is not a number; expected a number"),
    "NaN beside slates": (nan_beside_slates, USER + ", slot 1: the score is not a number; expected a finite number"),
    "too few rows": (lambda o: good(o)[:-1], r"slates have the shape \[99, 4\]; expected \[100, 4\]: a row for each of the 100 users"),
    "too few slots": (lambda o: good(o)[:, :3], r"slates have the shape \[100, 3\]; expected \[100, 4\]"),
    "one row": (lambda o: good(o)[0], r"slates have the shape \[4\]; expected \[100, 4\]"),
    "floats": (lambda o: good(o).astype(float), r"scores of all items have the shape \[100, 4\]; expected \[100, 60\].*whole numbers"),
    "too few scores": (lambda o: scores(o)[:, 1:], r"scores of all items have the shape \[100, 59\]; expected \[100, 60\]"),
    "truth values": (lambda o: scores(o) > 0, "dtype bool; expected whole numbers"),
    "texts": (lambda o: good(o).astype(str), "dtype <U.*; expected whole numbers"),
    "complex": (lambda o: scores(o).astype(complex), "dtype complex128; expected whole numbers"),
    "ragged": (lambda o: [[1, 2], [3]], "the answer is no array"),
    "nothing": (lambda o: None, r"the answer is None; expected slates \[n, slate\] or scores \[n, items\]"),
    "triple": (lambda o: (good(o),) * 3, "tuple of 3"),
    "score below all": (lambda o: (good(o), np.full((100, 4), -np.inf)), "score in slot 0 is -inf"),
}


@pytest.mark.parametrize("case", WRONG)
def test_an_environment_names_user_and_slot(case: str) -> None:
    answer, message = WRONG[case]
    settings = {"arrival.probability": 1.0, "arrival.rate": "uniform"}
    env = rm.Environment(rm.Dataset(table()), population=100, slate=4, steps=2, settings=settings)
    observation = env.observation()
    assert list(observation.users) == list(range(100))
    with pytest.raises(rm.SlateError) as problem:
        env.step(answer(observation))
    assert re.search(message, str(problem.value)), problem.value
    external = re.search(r"`(u\d+)`", str(problem.value))
    if external:
        mirrored = env._native.sources()[7]
        assert external[1] == rm.Dataset(table()).user_ids[mirrored]
    env.step(good(env.observation()))


@pytest.mark.parametrize("kind", ["function", "object", "class"])
@pytest.mark.parametrize("case", WRONG)
def test_an_experiment_names_policy_step_user_and_slot(tmp_path: Path, case: str, kind: str) -> None:
    answer, message = WRONG[case]

    class Policy:
        def recommend(self, observation: rm.Observation) -> Any:
            return answer(observation)

    policies: dict[str, Any] = {"function": answer, "object": Policy(), "class": Policy}
    scenario = tmp_path / "shop.toml"
    scenario.write_text(SCENARIO)
    result = rm.run(scenario, data=rm.Dataset(table()), policies={"mine": policies[kind]})
    ((policy, _, problem),) = result.failures
    assert policy == "mine" and "policy `mine`, tick 0" in problem
    assert re.search(message, problem), problem


class Users:
    """Users without preferences whose answer of one kind is replaced."""

    def __init__(self, memory: int = 0, late: bool = False, **answers: Any) -> None:
        self.memory, self.late, self.answers = memory, late, answers

    def start(self, users: np.ndarray) -> Any:
        return self.answers.get("start", lambda users: np.zeros((len(users), 2)))(users)

    def update(self, memory: np.ndarray, items: np.ndarray, ratings: np.ndarray) -> Any:
        return self.answers.get("update", lambda memory: memory)(memory)

    def respond(self, scenes: rm.Scenes) -> Any:
        shape = (len(scenes.items), scenes.items.shape[1] + 1)
        is_probe = len(scenes.items) != 100
        if "respond" not in self.answers or (self.late and is_probe):
            return np.zeros(shape)
        return self.answers["respond"](np.zeros(shape))


def put(row: int, column: int, value: float) -> Callable[[np.ndarray], np.ndarray]:
    def answer(numbers: np.ndarray) -> np.ndarray:
        numbers[row, column] = value
        return numbers

    return answer


BROKEN: dict[str, tuple[Any, str]] = {
    "NaN": (put(7, 2, np.nan), USER + ", slot 2: the logit is NaN; expected a finite number"),
    "infinite": (put(7, 0, np.inf), USER + ", slot 0: the logit is inf; expected a finite number"),
    "too large": (put(7, 0, 1e300), USER + ", slot 0: the logit is inf"),
    "nothing": (put(7, 4, np.nan), USER + ', "nothing", the last column: the logit is NaN'),
    "shape": (lambda found: found[:, :-1], r"the answer has the shape \(100, 4\); expected \(100, 5\), a row for each scene"),
    "None": (lambda found: None, r"the answer is None; expected \(100, 5\)"),
    "texts": (lambda found: found.astype(str), "the answer has dtype <U.*; expected numbers"),
    "complex": (lambda found: found.astype(complex), "the answer has dtype complex128; expected numbers"),
    "ragged": (lambda found: [[1.0], [1.0, 2.0]], "the answer is no array"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_answers_of_users_name_user_and_slot(tmp_path: Path, case: str) -> None:
    answer, message = BROKEN[case]
    data = rm.Dataset(table())
    settings = {"arrival.probability": 1.0, "arrival.rate": "uniform"}
    env = rm.Environment(data, users=Users(respond=answer, late=True), population=100, slate=4, steps=2, settings=settings)
    with pytest.raises(rm.UserModelError, match=f"respond: .*{message}") as problem:
        env.step(good(env.observation()))
    external = re.search(r"`(u\d+)`", str(problem.value))
    assert external is None or external[1] == data.user_ids[env._native.sources()[7]]
    scenario = tmp_path / "shop.toml"
    scenario.write_text(SCENARIO)
    with pytest.raises(rm.UserModelError, match=f"tick 0: respond: .*{message}"):
        rm.run(scenario, data=data, users=Users(respond=answer, late=True))


def test_answers_before_the_start_name_users_of_the_log() -> None:
    data = rm.Dataset(table())
    for users, message in (
        (Users(respond=put(3, 1, np.nan)), r"respond: user `u\d+` of the log, slot 1: the logit is NaN"),
        (Users(2, start=lambda users: np.full((len(users), 2), np.nan)), "start: user `u0` of the log, number 0 of the memory is NaN"),
        (Users(2, start=lambda users: np.zeros((len(users), 3))), r"start: the answer has the shape \(\d+, 3\); expected \(\d+, 2\)"),
        (Users(2, update=put(0, 1, np.inf)), r"update: row 0 \(item \d+\), number 1 of the memory is inf; expected a finite number"),
        (Users(2, update=lambda memory: memory[:, 0]), r"update: the answer has the shape"),
    ):
        with pytest.raises(rm.UserModelError, match=message):
            rm.Environment(data, users=users, population=100, slate=4)


def test_objects_that_are_no_users_are_named() -> None:
    data = rm.Dataset(table())

    class Wrong:
        memory = "much"

        def respond(self, scenes: rm.Scenes) -> np.ndarray:
            return np.zeros((len(scenes.items), 11))

    class Forgets(Wrong):
        memory = 3

    for users, message in (
        (7, "needs a method respond.*; this is a int"),
        (Wrong(), "`memory` of the user model is much; expected how many numbers are kept"),
        (Forgets(), "a user model with `memory` = 3 needs a method `start`"),
    ):
        with pytest.raises(rm.UserModelError, match=message):
            rm.Environment(data, users=users)


def test_a_class_of_users_is_made() -> None:
    env = rm.Environment(rm.Dataset(table()), users=Users, population=100, slate=4, steps=2)
    assert len(env.step(good(env.observation()))) > 0
