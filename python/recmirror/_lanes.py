"""Spaces and arguments of the Gymnasium environments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from ._dataset import Dataset, native_of
from ._native import Outcome, ScenarioError

Observations: TypeAlias = "dict[str, NDArray[Any]]"
Reward: TypeAlias = "str | Callable[[Outcome], NDArray[Any]]"

ACTIONS = ("slate", "scores", "proto")
REWARDS = ("accept", "rating", "session")
HISTORY = 20
RATINGS = 5.0
# Numbers of a profile are at most so large: the encoding cuts what is further from the mean.
PROFILE = 100.0
# Milliseconds since 1970 in the year 2200.
LATEST = 7_258_118_400_000

MODES = {
    "next_step": AutoresetMode.NEXT_STEP,
    "same_step": AutoresetMode.SAME_STEP,
    "disabled": AutoresetMode.DISABLED,
}
# Lanes are to act: users come at each step, and stay until they are out of patience.
ARRIVING: dict[str, Any] = {
    "arrival.probability": 1.0,
    "arrival.rate": "uniform",
    "session.slates": 10_000,
    "metrics": '["acceptance_rate"]',
}


def observation_space(items: int, profile: int, mask: bool, steps: int, horizon: int) -> spaces.Dict:
    """What a lane sees, with a profile of so many numbers."""
    parts: dict[str, spaces.Space[Any]] = {
        "history": spaces.Box(-1, items - 1, (HISTORY,), np.int64),
        "history_ratings": spaces.Box(0.0, RATINGS, (HISTORY,), np.float32),
    }
    if profile:
        parts["profile"] = spaces.Box(-PROFILE, PROFILE, (profile,), np.float32)
    if mask:
        parts["mask"] = spaces.MultiBinary(items)
    parts["session"] = spaces.Box(0, steps, (1,), np.int64)
    parts["step"] = spaces.Box(0, horizon, (1,), np.int64)
    parts["time"] = spaces.Box(-LATEST, LATEST, (1,), np.int64)
    parts["visiting"] = spaces.MultiBinary(1)
    return spaces.Dict(parts)


def action_space(actions: str, items: int, slate: int, vectors: NDArray[Any] | None) -> spaces.Space[Any]:
    """What a lane does."""
    if actions == "slate":
        return spaces.MultiDiscrete([items] * slate)
    width = items if actions == "scores" or vectors is None else vectors.shape[1]
    return spaces.Box(-1.0, 1.0, (width,), np.float32)


def check_numbers(num_envs: int, episode_steps: int, simulation_steps: int) -> None:
    for name, number in (("num_envs", num_envs), ("episode_steps", episode_steps), ("simulation_steps", simulation_steps)):
        if not isinstance(number, (int, np.integer)) or number < 1:
            raise ScenarioError(f"{name} is {number!r}; expected a whole number from 1")


def check_words(actions: str, reward: Reward, autoreset: str, vectors: Any, data: Dataset) -> None:
    native_of(data)
    for name, given, known in (
        ("actions", actions, ACTIONS),
        ("reward", "accept" if callable(reward) else reward, REWARDS),
        ("autoreset", autoreset, tuple(MODES)),
    ):
        if given not in known:
            raise ScenarioError(f"{name} is {given!r}; expected one of {', '.join(known)}")
    if actions == "proto" and (vectors is None or np.ndim(vectors) != 2 or len(vectors) != data.items):
        raise ScenarioError(f"actions='proto' needs vectors of the shape [{data.items}, width]")


def lanes_of(observations: Observations, mask: NDArray[Any]) -> NDArray[Any]:
    """The observation of each lane of the mask on its own, `None` for others."""
    apart = np.full(len(mask), None, dtype=object)
    for lane in np.flatnonzero(mask):
        apart[lane] = {key: values[lane].copy() for key, values in observations.items()}
    return apart


def first_of(observations: Observations) -> Observations:
    """The observation of the first lane."""
    return {key: values[0] for key, values in observations.items()}
