"""Spaces and observations of the Gymnasium environments."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

Observations: TypeAlias = "dict[str, NDArray[Any]]"

HISTORY = 20
RATINGS = 5.0
# Numbers of a profile are at most so large: the encoding cuts what is further from the mean.
PROFILE = 100.0
# Milliseconds since 1970 in the year 2200.
LATEST = 7_258_118_400_000


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


def lanes_of(observations: Observations, mask: NDArray[Any]) -> NDArray[Any]:
    """The observation of each lane of the mask on its own, `None` for others."""
    apart = np.full(len(mask), None, dtype=object)
    for lane in np.flatnonzero(mask):
        apart[lane] = {key: values[lane].copy() for key, values in observations.items()}
    return apart


def first_of(observations: Observations) -> Observations:
    """The observation of the first lane."""
    return {key: values[0] for key, values in observations.items()}
