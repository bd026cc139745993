"""The environment: simulated users, a catalogue and what changes, stepped from outside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _native
from ._dataset import Dataset, native_of
from ._fit import folder_of
from ._native import BuiltinPolicy, Log, Observation, Outcome
from ._settings import Tables, pairs, tables


class Environment:
    """Simulated users, a catalogue and what changes, stepped from outside.

    `users` is `"parametric"`, a fitted model or its folder, or an object with `respond(scenes)` that gives logits
    `[n, slate + 1]` (each slot, then "nothing"). `policies` and `dynamics` are kinds of scenario files, with their own
    keys: `"popular"`, `("ials", {"factors": 32})`. `settings` takes every other key of scenario files:
    `{"arrival.probability": 0.2}`.
    """

    def __init__(
        self,
        data: Dataset,
        *,
        users: Any = "parametric",
        population: int | None = None,
        slate: int | None = None,
        steps: int | None = None,
        seed: int | None = None,
        acceptance: float | None = None,
        policies: Tables = (),
        dynamics: Tables = (),
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        named: dict[str, Any] = {
            "population.users": population,
            "slate": slate,
            "ticks": steps,
            "seed": seed,
            "user.acceptance": acceptance,
        }
        own, folder = None, folder_of(users)
        if folder is not None:
            named |= {"user.kind": "mirror", "user.path": folder}
        elif not isinstance(users, str):
            own = users
        named |= settings or {}
        self._native = _native.Environment(native_of(data), pairs(named), tables(policies), tables(dynamics), own)

    def reset(self, replication: int = 0) -> Observation:
        """Restarts at step 0. The same number gives the same users and draws, another number gives others.

        Raises `UserModelError` if the user model fails.
        """
        return self._native.reset(replication)

    def observation(self) -> Observation:
        """The users who want a slate now; none after the last step."""
        return self._native.observation()

    def step(self, slates: ArrayLike | tuple[ArrayLike, ArrayLike]) -> Outcome:
        """Shows slates to the users of the observation and returns their responses.

        `slates` are whole numbers `[n, slate]` with -1 in empty slots, the same in a pair with scores `[n, slate]`, or
        scores of all items `[n, items]`, of which the best candidates are shown.

        Raises `SlateError` for slates that break the contract, and `UserModelError` if the user model cannot respond: the
        environment is then as it was. If `update` of the user model fails, users have begun to change, and each later step
        raises `Error` until `reset`.
        """
        return self._native.step(slates)

    def policy(self, name: str) -> BuiltinPolicy:
        """A policy that was named in `policies`, fitted to the log before the first step."""
        return self._native.policy(name)

    def log(self) -> Log:
        """The log before the first step: what a policy may learn from."""
        return self._native.log()

    def run(self, policy: Any) -> NDArray[np.float64]:
        """Steps a policy to the end and gives the mean reward of each step, NaN where nobody came.

        `policy` is a built-in policy, an object with `recommend(observation)` and optionally `fit(log)` and
        `observe(outcome)`, a class of such objects, or a function of the observation. `fit` is called once, with `log()`.
        """
        if isinstance(policy, BuiltinPolicy):
            return self._native._run(policy)
        if isinstance(policy, type):
            policy = policy()
        if hasattr(policy, "fit"):
            policy.fit(self.log())
        rewards = []
        while not self.is_done:
            observation = self.observation()
            slates = policy.recommend(observation) if hasattr(policy, "recommend") else policy(observation)
            outcome = self.step(slates)
            if hasattr(policy, "observe"):
                policy.observe(outcome)
            rewards.append(float(outcome.rewards.mean()) if len(outcome) else float("nan"))
        return np.array(rewards)

    def metrics(self) -> dict[str, float | None]:
        """Each metric over the steps so far; `None` where it is undefined."""
        return self._native.metrics()

    @property
    def time_step(self) -> int:
        """Steps done since the last reset."""
        return self._native.time_step

    @property
    def steps(self) -> int:
        """Steps in all."""
        return self._native.steps

    @property
    def users(self) -> int:
        """Simulated users, those who left included."""
        return self._native.users

    @property
    def items(self) -> int:
        """Items of the catalogue."""
        return self._native.items

    @property
    def is_done(self) -> bool:
        """True if the last step is done."""
        return self._native.is_done

    @property
    def digest(self) -> str:
        """The hash over all events so far: that of an experiment in which a policy gave the same slates."""
        return self._native.digest

    def __repr__(self) -> str:
        return repr(self._native)
