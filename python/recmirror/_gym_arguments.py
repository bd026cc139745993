"""Arguments of the Gymnasium environments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from ._dataset import Dataset, native_of
from ._native import Outcome, ScenarioError

Reward: TypeAlias = "str | Callable[[Outcome], NDArray[Any]]"

ACTIONS = ("slate", "scores", "proto")
REWARDS = ("accept", "rating", "session")
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


def check_numbers(num_envs: int, episode_steps: int, simulation_steps: int) -> None:
    """Refuses numbers below 1."""
    for name, number in (("num_envs", num_envs), ("episode_steps", episode_steps), ("simulation_steps", simulation_steps)):
        if not isinstance(number, (int, np.integer)) or number < 1:
            raise ScenarioError(f"{name} is {number!r}; expected a whole number from 1")


def check_words(actions: str, reward: Reward, autoreset: str, vectors: Any, data: Dataset) -> None:
    """Refuses unknown words, and vectors that do not fit the items."""
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
