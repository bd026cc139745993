"""Gymnasium environments: a lane for each simulated user, or a single user.

    import gymnasium
    import recmirror as rm                                 # registers recmirror/Slates-v0

    envs = gymnasium.make_vec("recmirror/Slates-v0", num_envs=1024, data=data, users="models/mine", slate=10)
    env = gymnasium.make("recmirror/Slates-v0", data=data)

An episode is one user's life: it terminates when the user leaves for good and is truncated after `episode_steps`. The
user then comes back as at the start. After `simulation_steps`, 100,000 unless given, all episodes are truncated and the
simulation begins again with other users. All lanes live in one simulation: they share time, popularity and catalogue, which
continue over episodes. Lanes draw from streams of their own (seed, user, step), so one lane's actions change another lane's
draws in nothing but what they share.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from ._dataset import Dataset
from ._environment import Environment
from ._gym_arguments import ARRIVING, MODES, Reward, check_numbers, check_words
from ._gym_spaces import Observations, action_space, first_of, lanes_of, observation_space
from ._native import Error, Outcome, ScenarioError, SlateError
from ._settings import Tables

Infos: TypeAlias = "dict[str, Any]"

# Steps of the simulation behind the lanes; it begins again with other users when they are done.
STEPS = 100_000


class ClosedError(Error, gym.error.ClosedEnvironmentError):
    """An environment that was closed."""


class SlatesVectorEnv(VectorEnv[Observations, NDArray[Any], NDArray[Any]]):
    """One lane for each simulated user.

    Actions: `"slate"`, item numbers `[n, slate]`; items that are repeated or no candidates are skipped and counted in
    `infos["skipped"]`. `"scores"`, one number for each item, of which the best candidates are shown. `"proto"`, a vector of
    the width of `vectors` `[items, width]`: the nearest candidates by inner product are shown. Only the order of scores
    counts, so that numbers beyond the space's bounds of -1 and 1 are taken, too.

    Observations: `history` and `history_ratings` (the latest 20 accepted items, oldest first, -1 and 0 where there are
    fewer), `profile` (what the data set knows of the user, as numbers; left out where it knows nothing), `mask` (which items
    may be shown; left out with `mask=False`, for many lanes and items), `session` (slates that the user has looked at in this
    session), `time` (milliseconds since 1970 by the calendar of the log), `visiting` (whether the user wants a slate at this step;
    otherwise the action is ignored and the reward is 0), `step` (steps of the episode so far).

    Rewards: `"accept"`, 1 for an accepted item; `"rating"`, its rating as a level from 1 to 5; `"session"`, 1 for each slate
    that was looked at, so that an episode gives the length of the user's sessions; or a function of the outcome that gives a
    number for each row of it.

    `policies`, `dynamics` and `settings` are those of `Environment`; `acceptance`, too.

    Infos: `accepted_item` (-1 for none), `slates` (what was shown, -1 in empty slots), `skipped`; with
    `autoreset="same_step"` also `final_obs` and `final_info` of the lanes whose episodes ended.
    """

    def __init__(
        self,
        num_envs: int = 1,
        *,
        data: Dataset,
        users: Any = "parametric",
        slate: int = 10,
        episode_steps: int = 50,
        actions: str = "slate",
        reward: Reward = "accept",
        vectors: NDArray[Any] | None = None,
        mask: bool = True,
        autoreset: str = "next_step",
        acceptance: float | None = None,
        policies: Tables = (),
        dynamics: Tables = (),
        settings: Mapping[str, Any] | None = None,
        simulation_steps: int = STEPS,
        seed: int = 0,
    ) -> None:
        check_numbers(num_envs, episode_steps, simulation_steps)
        check_words(actions, reward, autoreset, vectors, data)
        self.num_envs = num_envs
        self.metadata = {"autoreset_mode": MODES[autoreset], "render_modes": []}
        self._mode = MODES[autoreset]
        self._slate, self._items, self._horizon = slate, data.items, episode_steps
        self._actions, self._reward = actions, reward
        self._vectors = None if vectors is None else np.ascontiguousarray(vectors, dtype=np.float32)
        self._make: dict[str, Any] = {
            "data": data,
            "users": users,
            "population": num_envs,
            "slate": slate,
            "steps": simulation_steps,
            "acceptance": acceptance,
            "policies": policies,
            "dynamics": dynamics,
            "settings": ARRIVING | dict(settings or {}),
        }
        # The first reset begins replication 0.
        self._seed, self._replication = seed, -1
        self._env = Environment(seed=seed, **self._make)
        self._mask = mask
        self._known = data.user_features()[0]
        self._profiles = self._known[self._env._native.sources()]
        self.single_observation_space = observation_space(
            self._items, self._known.shape[1], mask, simulation_steps, episode_steps
        )
        self.single_action_space = action_space(actions, self._items, slate, self._vectors)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._begin_lanes()

    @property
    def environment(self) -> Environment:
        """The simulation behind the lanes. What steps it besides `step` leaves the lanes behind."""
        self._check_open()
        return self._env

    @property
    def is_over(self) -> bool:
        """True if each lane waits for a reset."""
        return bool(self._ended.all())

    def close_extras(self, **kwargs: Any) -> None:
        """Gives the simulation's memory back."""
        del self._env

    def _check_open(self) -> None:
        if self.closed:
            raise ClosedError("the environment is closed; make another one")

    def _check_whole(self) -> None:
        if self._is_mid_step:
            raise Error("the last step or reset did not finish; call reset without a mask before the next step")

    def _begin_lanes(self) -> None:
        """All lanes are at the start of an episode."""
        # True while the simulation is in the middle of a step: an exception then leaves lanes that no longer fit it.
        self._is_mid_step = True
        self._visitors = self._env._native._visitors()[0]
        self._profiles = self._known[self._env._native.sources()]
        self._age = np.zeros(self.num_envs, dtype=np.int64)
        self._ended = np.zeros(self.num_envs, dtype=bool)
        self._in_session = np.zeros(self.num_envs, dtype=np.int64)
        self._session = np.zeros(self.num_envs, dtype=np.int64)
        self._is_mid_step = False

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Observations, Infos]:
        """Begins again: all lanes, or those of `options["reset_mask"]`.

        A seed gives the same users and draws each time. Without a seed the first reset begins with those of the argument
        `seed`, and each later one begins with other users and draws.
        """
        self._check_open()
        if seed is not None and not isinstance(seed, int):
            raise SlateError(f"seed is {seed!r}; expected one whole number: all lanes live in one simulation")
        super().reset(seed=seed)
        mask = (options or {}).get("reset_mask")
        if mask is not None:
            self._reset_lanes(mask, seed)
            return self._observe(), {}
        replication = self._replication + 1 if seed is None else 0
        self._is_mid_step = True
        if seed is not None and seed != self._seed:
            self._env = Environment(seed=seed, **self._make)
            self._seed = seed
        self._env.reset(replication)
        self._replication = replication
        self._begin_lanes()
        return self._observe(), {}

    def _reset_lanes(self, mask: Any, seed: int | None) -> None:
        """Begins the episodes of some lanes again."""
        mask = np.asarray(mask, dtype=bool)
        if mask.shape != (self.num_envs,):
            raise SlateError(f"reset_mask has the shape {mask.shape}; expected ({self.num_envs},)")
        if seed is not None:
            raise SlateError("a seed begins all lanes again; reset some lanes without a seed")
        self._check_whole()
        if self._env.is_done:
            self._renew()
            return
        self._is_mid_step = True
        # They come with the next opening; this step is open already, so it opens again.
        self._restart(mask)
        self._env._native._open_again()
        self._is_mid_step = False

    def step(self, actions: NDArray[Any]) -> tuple[Observations, NDArray[Any], NDArray[Any], NDArray[Any], Infos]:
        """Shows each lane's slate and gives observations, rewards, terminations, truncations and infos.

        What is wrong with the actions, or a user model that cannot respond, leaves the lanes as they were. After Ctrl-C, or an
        error of the reward, in the middle of a step only a reset without a mask continues.
        """
        self._check_open()
        self._check_whole()
        if self._mode == AutoresetMode.DISABLED and self._ended.any():
            lanes = np.flatnonzero(self._ended)[:5].tolist()
            raise SlateError(f"the episodes of lanes {lanes} are over; reset(options={{'reset_mask': ...}}) first")
        if self._env.is_done:
            # All lanes ended with the simulation; this is the step that begins them again.
            self._renew()
            nothing = np.zeros(self.num_envs, dtype=bool)
            return self._observe(), np.zeros(self.num_envs), nothing, nothing.copy(), self._no_infos()
        visitors = self._visitors
        outcome, skipped = self._show(np.asarray(actions), visitors)
        rewards = self._rewards(outcome)
        fresh = self._ended.copy() if self._mode == AutoresetMode.NEXT_STEP else np.zeros(self.num_envs, dtype=bool)
        self._age[~fresh] += 1
        self._count_session(outcome)
        terminated = np.zeros(self.num_envs, dtype=bool)
        terminated[outcome.left] = True
        truncated = (self._age >= self._horizon) & ~terminated & ~fresh
        if outcome.is_done:
            truncated = ~terminated
        infos = self._infos(outcome, skipped)
        observations = self._next(fresh, terminated | truncated, truncated, infos)
        self._is_mid_step = False
        return observations, rewards, terminated, truncated, infos

    def _next(self, fresh: NDArray[Any], over: NDArray[Any], truncated: NDArray[Any], infos: Infos) -> Observations:
        """Ends and begins episodes as the mode of autoreset says, and opens the next step."""
        native = self._env._native
        if self._mode == AutoresetMode.SAME_STEP:
            final = self._observe() if over.any() else None
            if self._env.is_done:
                self._renew()
            else:
                self._restart(over)
                native._open()
            observations = self._observe()
            if final is not None:
                infos["final_info"] = dict(infos) | {f"_{key}": over.copy() for key in infos}
                infos["_final_info"] = over.copy()
                infos["final_obs"] = lanes_of(final, over)
                infos["_final_obs"] = over.copy()
            return observations
        if truncated.any():
            native._retire(np.flatnonzero(truncated))
        self._restart(fresh)
        self._ended = over
        native._open()
        return self._observe()

    def _restart(self, lanes: NDArray[Any]) -> None:
        if lanes.any():
            self._env._native._restart(np.flatnonzero(lanes))
            for kept in (self._age, self._ended, self._in_session, self._session):
                kept[lanes] = 0

    def _renew(self) -> None:
        """Begins the simulation again with the users of the next replication."""
        self._is_mid_step = True
        replication = max(self._replication, 0) + 1
        self._env.reset(replication)
        self._replication = replication
        self._begin_lanes()

    def _count_session(self, outcome: Outcome) -> None:
        users, sessions = outcome.users, outcome.sessions
        if len(sessions) == len(users):
            same = self._session[users] == sessions
            self._in_session[users] = np.where(same, self._in_session[users], 0) + 1
            self._session[users] = sessions

    def _observe(self) -> Observations:
        native = self._env._native
        self._visitors, time = native._visitors()
        history, ratings = native._histories()
        visiting = np.zeros((self.num_envs, 1), dtype=np.int8)
        visiting[self._visitors] = 1
        observations: Observations = {"history": history, "history_ratings": ratings}
        if self._known.shape[1]:
            observations["profile"] = self._profiles.copy()
        if self._mask:
            observations["mask"] = native._masks()
        observations["session"] = self._in_session[:, None].copy()
        observations["step"] = self._age[:, None].copy()
        observations["time"] = np.full((self.num_envs, 1), time, dtype=np.int64)
        observations["visiting"] = visiting
        return observations

    def _show(self, actions: NDArray[Any], visitors: NDArray[Any]) -> tuple[Outcome, NDArray[Any]]:
        """Shows the visitors what the actions ask for, and counts what was skipped."""
        wanted = self.action_space.shape
        if actions.shape != wanted:
            raise SlateError(f"actions have the shape {actions.shape}; expected {wanted}")
        native = self._env._native
        skipped = np.zeros(self.num_envs, dtype=np.int64)
        if self._actions == "slate":
            if actions.dtype.kind not in "iu":
                raise SlateError(f"slates have dtype {actions.dtype}; expected whole numbers")
            slates, skipped[visitors] = native._keep_allowed(actions[visitors].astype(np.int64, copy=False))
            return self._closed(native._close, slates), skipped
        numbers = actions[visitors].astype(np.float32, copy=False)
        if self._actions == "scores" or self._vectors is None:
            return self._closed(native._close, numbers), skipped
        return self._closed(native._close_nearest, np.ascontiguousarray(numbers), self._vectors), skipped

    def _closed(self, close: Callable[..., Outcome], *slates: NDArray[Any]) -> Outcome:
        """Closes the step. After an error lanes that nothing happened to may continue."""
        self._is_mid_step = True
        try:
            return close(*slates)
        except Error:
            self._is_mid_step = self._env._native._is_broken()
            raise

    def _rewards(self, outcome: Outcome) -> NDArray[np.float64]:
        if callable(self._reward):
            given = np.asarray(self._reward(outcome), dtype=np.float64)
            if given.shape != (len(outcome),):
                raise ScenarioError(f"the reward has the shape {given.shape}; expected ({len(outcome)},)")
            broken = np.flatnonzero(~np.isfinite(given))
            if len(broken):
                row = broken[0]
                raise ScenarioError(
                    f"the reward of lane {outcome.users[row]} is {given[row]}; expected a finite number (outcome.ratings is NaN"
                    " where nothing was accepted)"
                )
        elif self._reward == "accept":
            given = outcome.rewards.astype(np.float64)
        elif self._reward == "rating":
            given = np.nan_to_num(outcome.ratings).astype(np.float64)
        else:
            given = np.ones(len(outcome))
        return self._spread(outcome, given, 0.0)

    def _spread(self, outcome: Outcome, values: NDArray[Any], empty: float) -> NDArray[Any]:
        """A value for each lane, `empty` for those without a slate."""
        spread = np.full((self.num_envs, *values.shape[1:]), empty, dtype=values.dtype)
        spread[outcome.users] = values
        return spread

    def _infos(self, outcome: Outcome, skipped: NDArray[Any]) -> Infos:
        return {
            "accepted_item": self._spread(outcome, outcome.accepted_items, -1),
            "slates": self._spread(outcome, outcome.slates, -1),
            "skipped": skipped,
        }

    def _no_infos(self) -> Infos:
        return {
            "accepted_item": np.full(self.num_envs, -1),
            "slates": np.full((self.num_envs, self._slate), -1),
            "skipped": np.zeros(self.num_envs, dtype=np.int64),
        }


class SlatesEnv(gym.Env[Observations, NDArray[Any]]):
    """A single user: one lane, without autoreset. Arguments are those of `SlatesVectorEnv`."""

    metadata = {"render_modes": []}

    def __init__(self, *, render_mode: str | None = None, **arguments: Any) -> None:
        self.render_mode = render_mode
        self._lane = SlatesVectorEnv(1, autoreset="disabled", **arguments)
        self.observation_space = self._lane.single_observation_space
        self.action_space = self._lane.single_action_space

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Observations, Infos]:
        """Begins again: with a seed the same user and draws each time, without one another user and other draws."""
        super().reset(seed=seed)
        observations, infos = self._lane.reset(seed=seed, options=options)
        return first_of(observations), infos

    def close(self) -> None:
        """Gives the simulation's memory back."""
        self._lane.close()

    def step(self, action: NDArray[Any]) -> tuple[Observations, float, bool, bool, Infos]:
        """Shows a slate."""
        if self._lane.is_over:
            raise SlateError("the episode is over; call reset() before the next step")
        seen, rewards, terminated, truncated, infos = self._lane.step(np.asarray(action)[None])
        return (
            first_of(seen),
            float(rewards[0]),
            bool(terminated[0]),
            bool(truncated[0]),
            {key: value[0] for key, value in infos.items()},
        )
