"""The environment from Python."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import recmirror as rm
from shop import table


@pytest.fixture()
def data() -> rm.Dataset:
    return rm.Dataset(table(), name="shop")


def make(data: rm.Dataset, **more: Any) -> rm.Environment:
    return rm.Environment(data, population=200, slate=4, steps=6, seed=11, policies=["popular", "ials"], **more)


def first_candidates(observation: rm.Observation) -> np.ndarray:
    return np.array([observation.candidates(row)[: observation.slate] for row in range(len(observation))])


def test_steps_rewards_and_metrics(data: rm.Dataset) -> None:
    env = make(data)
    observation = env.reset()
    assert observation.history.shape == (len(observation), 20)
    assert observation.mask().shape == (len(observation), 60)
    total = 0.0
    while not env.is_done:
        outcome = env.step(first_candidates(env.observation()))
        assert outcome.slates.shape == (len(outcome), 4)
        taken = outcome.accepted >= 0
        assert (outcome.rewards == taken).all()
        rows = np.flatnonzero(taken)
        assert (outcome.accepted_items[rows] == outcome.slates[rows, outcome.accepted[rows]]).all()
        assert np.isnan(outcome.ratings[~taken]).all()
        total += float(outcome.rewards.sum())
    assert outcome.is_done and total > 0
    assert len(env.observation()) == 0
    with pytest.raises(rm.Error, match="all 6 steps are done"):
        env.step(np.zeros((0, 4), dtype=int))


def test_the_same_slates_give_the_same_digest(data: rm.Dataset) -> None:
    digests = []
    for replication in (0, 0, 1):
        env = make(data)
        env.reset(replication)
        env.run(first_candidates)
        digests.append(env.digest)
    assert digests[0] == digests[1] != digests[2]


def test_built_in_policies_run_from_outside(data: rm.Dataset) -> None:
    env = make(data)
    rewards = env.run(env.policy("ials"))
    assert rewards.shape == (6,) and (rewards > 0).any()
    with pytest.raises(rm.Error, match="`popular`, `ials`"):
        env.policy("ease")


def test_scores_of_all_items_are_ranked(data: rm.Dataset) -> None:
    env = make(data)
    scores = np.tile(np.arange(60, dtype=np.float32), (len(env.observation()), 1))
    best = [env.observation().candidates(row)[::-1][:4] for row in range(len(scores))]
    assert (env.step(scores).slates == np.array(best)).all()


def test_wrong_slates_are_refused_and_change_nothing(data: rm.Dataset) -> None:
    env = make(data)
    good = first_candidates(env.observation())
    users = env.observation().users
    wrong = [
        (good[:-1], "shape"),
        (good.astype(str), "dtype"),
        (np.full((len(good), 60), math.nan), "not a number"),
        (np.where(np.arange(4) == 2, good[:, :1], good), f"user {users[0]}.*slot 2"),
        (np.where(np.arange(4) == 1, 60, good), rf"user {users[0]} \(`u\d+`\), slot 1: 60 is no item"),
        ((good, good, good), "tuple of 3"),
        ((good, np.where(np.arange(4) == 3, math.nan, 1.0) + 0 * good), rf"user {users[0]} \(`u\d+`\), slot 3: the score is not"),
        (None, "the answer is None; expected"),
        (object(), "dtype object"),
    ]
    for slates, message in wrong:
        with pytest.raises(rm.SlateError, match=message):
            env.step(slates)
    outcome = env.step(good)
    other = make(data)
    other.step(good)
    assert env.digest == other.digest and len(outcome) == len(good)


def test_settings_are_checked_all_at_once(data: rm.Dataset) -> None:
    with pytest.raises(rm.Error) as problem:
        rm.Environment(data, slate=0, settings={"arrival.probabilty": 0.1}, dynamics=[("satiation", {"strenght": 1})])
    text = str(problem.value)
    for part in ("`slate` must be", "did you mean `probability`", "did you mean `strength`"):
        assert part in text


class Fans:
    """Users who take items with even numbers, and count what they took."""

    memory = 1

    def start(self, users: np.ndarray) -> np.ndarray:
        return np.zeros((len(users), 1))

    def update(self, memory: np.ndarray, items: np.ndarray, ratings: np.ndarray) -> np.ndarray:
        return memory + 1

    def respond(self, scenes: rm.Scenes) -> np.ndarray:
        liked = np.where(scenes.items % 2 == 0, 8.0, -8.0)
        return np.hstack([liked, np.zeros((len(liked), 1))])


def test_users_of_python(data: rm.Dataset) -> None:
    env = make(data, users=Fans(), acceptance=0.5)
    taken = []
    while not env.is_done:
        outcome = env.step(first_candidates(env.observation()))
        taken.extend(outcome.accepted_items[outcome.accepted >= 0])
    assert len(taken) > 50 and np.mean(np.array(taken) % 2 == 0) > 0.95

    class Broken(Fans):
        def respond(self, scenes: rm.Scenes) -> np.ndarray:
            return np.zeros((1, 1))

    with pytest.raises(rm.Error, match=r"respond: the answer has the shape \(1, 1\)"):
        make(data, users=Broken())
    with pytest.raises(rm.Error, match="respond"):
        make(data, users=object())


def test_users_of_python_remember(data: rm.Dataset) -> None:
    seen: list[np.ndarray] = []

    class Watched(Fans):
        def respond(self, scenes: rm.Scenes) -> np.ndarray:
            seen.append(scenes.memory.copy())
            return super().respond(scenes)

    env = make(data, users=Watched(), acceptance=0.9, settings={"arrival.probability": 1.0, "session.slates": 100})
    start = len(seen)
    while not env.is_done:
        env.step(first_candidates(env.observation()))
    before, after = seen[start], seen[-1]
    assert (before >= 1).all(), "the log's items are remembered"
    assert after.mean() > before.mean() + 2, "and what is accepted since"


def test_settings_take_lists_numpy_and_paths(data: rm.Dataset, tmp_path: Path) -> None:
    settings = {"metrics": ["acceptance_rate", "coverage"], "arrival.probability": np.float64(0.5), "seed": np.int64(3)}
    env = rm.Environment(data, steps=2, policies=[("popular", {"learn": np.True_})], settings=settings)
    env.run(env.policy("popular"))
    assert set(env.metrics()) == {"acceptance_rate", "coverage"}
    with pytest.raises(rm.ScenarioError, match="did you mean"):
        rm.Environment(data, settings={"metrics": ["acceptance_rat"]})
    with pytest.raises(rm.Error, match="nowhere"):
        rm.Environment(data, settings={"user.kind": "mirror", "user.path": tmp_path / "nowhere"})


MOVIELENS = Path(__file__).parents[2] / ".recmirror/data/ml-100k"


@pytest.mark.skipif(not MOVIELENS.is_dir(), reason="`make data` fetches it")
def test_users_of_a_mirror_run_in_the_library_of_the_package() -> None:
    model = Path(__file__).parents[2] / "models/mirror"
    env = rm.Environment(rm.Dataset.read(MOVIELENS), users=model, population=50, slate=5, steps=2, policies=["popular"])
    rewards = env.run(env.policy("popular"))
    assert rewards.shape == (2,) and 0 < rewards.mean() < 1
    assert "site-packages" in os.environ["ORT_DYLIB_PATH"]
