"""What Gymnasium and libraries of agents expect of environments."""

from __future__ import annotations

import pickle
import warnings
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import wrappers
from gymnasium.vector import AutoresetMode

import recmirror as rm
from recmirror.gym import SlatesVectorEnv
from shop import table

SHORT = {"session.patience": 3, "session.leave_after": 1}
MODES = ["next_step", "same_step", "disabled"]


@pytest.fixture(scope="module")
def data() -> rm.Dataset:
    return rm.Dataset(table(), name="shop")


def lanes(data: Any, number: int = 16, **more: Any) -> SlatesVectorEnv:
    arguments: dict[str, Any] = {"data": data, "slate": 4, "episode_steps": 9, "acceptance": 0.3, "settings": SHORT}
    made = gymnasium.make_vec("recmirror/Slates-v0", num_envs=number, **(arguments | more)).unwrapped
    assert isinstance(made, SlatesVectorEnv)
    return made


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return all((one[key] == other[key]).all() for key in one)


def actions(env: Any, steps: int) -> list[Any]:
    env.action_space.seed(2)
    return [env.action_space.sample() for _ in range(steps)]


def test_rewards_of_every_kind(data: rm.Dataset) -> None:
    outcomes: list[rm.Outcome] = []

    def double(outcome: rm.Outcome) -> np.ndarray:
        outcomes.append(outcome)
        return 2 * outcome.rewards - 1

    kinds: dict[str, Any] = {"accept": "accept", "rating": "rating", "session": "session", "function": double}
    envs = {name: lanes(data, reward=reward, settings={}) for name, reward in kinds.items()}
    seen, total = {name: env.reset(seed=4)[0] for name, env in envs.items()}, 0.0
    for action in actions(envs["accept"], 20):
        visiting = seen["accept"]["visiting"][:, 0] == 1
        steps = {name: env.step(action) for name, env in envs.items()}
        seen = {name: step[0] for name, step in steps.items()}
        rewards = {name: step[1] for name, step in steps.items()}
        taken = steps["accept"][4]["accepted_item"] >= 0
        assert all(reward.dtype == np.float64 and reward.shape == (16,) for reward in rewards.values())
        assert (rewards["accept"] == taken).all()
        assert (rewards["session"] == visiting).all()
        assert (rewards["function"] == np.where(visiting, 2.0 * taken - 1, 0)).all()
        by_lane = np.zeros(16)
        by_lane[outcomes[-1].users] = np.nan_to_num(outcomes[-1].ratings)
        assert (rewards["rating"] == by_lane).all()
        assert ((rewards["rating"] >= 1) == taken).all() and rewards["rating"].max() <= 5
        total += rewards["accept"].sum()
    assert total > 5


def test_rewards_that_are_no_numbers_are_named(data: rm.Dataset) -> None:
    with pytest.raises(rm.ScenarioError, match=r"the reward has the shape \(1,\); expected \(16,\)"):
        env = lanes(data, reward=lambda outcome: np.ones(1))
        env.step(env.action_space.sample())
    with pytest.raises(rm.ScenarioError, match=r"the reward of lane \d+ is nan; expected a finite number .*NaN where nothing"):
        env = lanes(data, reward=lambda outcome: outcome.ratings)
        for action in actions(env, 20):
            env.step(action)


class Failing:
    """Users whose model raises `problem` in the method `place`."""

    memory = 1
    problem: BaseException | None = None
    place = "respond"

    def start(self, users: np.ndarray) -> np.ndarray:
        return np.zeros((len(users), 1))

    def update(self, memory: np.ndarray, items: np.ndarray, ratings: np.ndarray) -> np.ndarray:
        self._raise("update")
        return memory + 1

    def respond(self, scenes: rm.Scenes) -> np.ndarray:
        self._raise("respond")
        return np.zeros((len(scenes.items), scenes.items.shape[1] + 1))

    def _raise(self, place: str) -> None:
        if self.problem is not None and place == self.place:
            raise self.problem


def refuses(env: SlatesVectorEnv, action: Any) -> None:
    """Steps and partial resets are refused."""
    partial: dict[str, Any] = {"options": {"reset_mask": np.ones(env.num_envs, dtype=bool)}}
    calls: list[Any] = [lambda: env.step(action), lambda: env.reset(**partial)]
    for call in calls:
        with pytest.raises(rm.Error, match="did not finish; call reset without a mask"):
            call()


@pytest.mark.parametrize("autoreset", MODES)
def test_a_step_that_a_reward_ends_needs_a_reset(data: rm.Dataset, autoreset: str) -> None:
    problem: list[BaseException] = []

    def reward(outcome: rm.Outcome) -> np.ndarray:
        if problem:
            raise problem.pop()
        return outcome.rewards

    env = lanes(data, reward=reward, autoreset=autoreset)
    action = env.action_space.sample()
    for cause in (KeyboardInterrupt(), ValueError("no reward")):
        env.reset(seed=4)
        problem.append(cause)
        with pytest.raises(type(cause)):
            env.step(action)
        refuses(env, action)
    again, other = env.reset(seed=4)[0], lanes(data).reset(seed=4)[0]
    assert same(again, other) and np.isfinite(env.step(action)[1]).all()


class Interrupted:
    """The native environment, whose step is interrupted after it is done."""

    def __init__(self, native: Any) -> None:
        self.native = native

    def __getattr__(self, name: str) -> Any:
        return getattr(self.native, name)

    def _close(self, slates: Any) -> Any:
        self.native._close(slates)
        raise KeyboardInterrupt


def test_a_step_that_ctrl_c_ends_needs_a_reset(data: rm.Dataset) -> None:
    env = lanes(data)
    env.reset(seed=4)
    action = env.action_space.sample()
    native = env.environment._native
    env.environment._native = Interrupted(native)  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        env.step(action)
    env.environment._native = native
    refuses(env, action)
    assert same(env.reset(seed=4)[0], lanes(data).reset(seed=4)[0])


@pytest.mark.parametrize("autoreset", MODES)
def test_a_user_model_that_cannot_respond_leaves_the_lanes(data: rm.Dataset, autoreset: str) -> None:
    users = Failing()
    env, other = (lanes(data, users=model, autoreset=autoreset) for model in (users, Failing()))
    env.reset(seed=4), other.reset(seed=4)
    action = env.action_space.sample()
    users.problem = RuntimeError("no answer")
    with pytest.raises(rm.UserModelError, match="no answer"):
        env.step(action)
    users.problem = None
    assert same(env.step(action)[0], other.step(action)[0])


@pytest.mark.parametrize("autoreset", MODES)
def test_a_user_model_that_fails_half_way_needs_a_reset(data: rm.Dataset, autoreset: str) -> None:
    users = Failing()
    env = lanes(data, users=users, autoreset=autoreset)
    env.reset(seed=4)
    action = env.action_space.sample()
    users.problem, users.place = RuntimeError("no memory"), "update"
    with pytest.raises(rm.UserModelError, match="no memory"):
        env.step(action)
    users.problem = None
    refuses(env, action)
    assert same(env.reset(seed=4)[0], lanes(data, users=Failing()).reset(seed=4)[0])


def test_a_reset_that_fails_is_repeated(data: rm.Dataset) -> None:
    env, other = lanes(data), lanes(data)
    wanted = [other.reset()[0] for _ in range(2)]
    native = env.environment._native

    class Stopped(Interrupted):
        def reset(self, replication: int) -> Any:
            raise KeyboardInterrupt

    env.environment._native = Stopped(native)  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        env.reset()
    env.environment._native = native
    refuses(env, env.action_space.sample())
    assert all(same(env.reset()[0], first) for first in wanted), "no users are left out"


@pytest.mark.parametrize("autoreset", MODES)
def test_a_vector_environment_keeps_the_conventions(data: rm.Dataset, autoreset: str) -> None:
    envs = [lanes(data, autoreset=autoreset) for _ in range(2)]
    env = envs[0]
    assert env.metadata["autoreset_mode"] == AutoresetMode[autoreset.upper()]
    assert env.spec is not None and env.num_envs == 16
    first = [one.reset(seed=8) for one in envs]
    assert same(first[0][0], first[1][0]) and all(isinstance(infos, dict) for _, infos in first)
    for action in actions(env, 30):
        steps = [one.step(action.copy()) for one in envs]
        (seen, rewards, terminated, truncated, infos), other = steps
        assert env.observation_space.contains(seen) and same(seen, other[0])
        for key, space in env.single_observation_space.spaces.items():  # type: ignore[attr-defined]
            assert seen[key].shape == (16, *space.shape) and seen[key].dtype == space.dtype, key
        assert terminated.dtype == truncated.dtype == np.bool_ and rewards.dtype == np.float64
        assert (rewards == other[1]).all() and (terminated == other[2]).all() and (truncated == other[3]).all()
        for key, value in infos.items():
            assert key.startswith("final") or (isinstance(value, np.ndarray) and len(value) == 16), key
        over = terminated | truncated
        if autoreset == "same_step" and over.any():
            assert (infos["_final_obs"] == over).all() and (infos["_final_info"] == over).all()
            assert (infos["final_info"]["_skipped"] == over).all()
            assert all(env.single_observation_space.contains(infos["final_obs"][lane]) for lane in np.flatnonzero(over))
            assert all(infos["final_obs"][lane] is None for lane in np.flatnonzero(~over))
        if autoreset == "disabled" and over.any():
            for one in envs:
                one.reset(options={"reset_mask": over})


def test_resets_without_a_seed_go_on_and_with_one_begin_again(data: rm.Dataset) -> None:
    for number in (1, 16):
        env = lanes(data, number)
        unseeded = [env.reset()[0] for _ in range(3)]
        assert not same(unseeded[0], unseeded[1]) and not same(unseeded[1], unseeded[2])
        again = lanes(data, number)
        assert all(same(one, again.reset()[0]) for one in unseeded), "the argument `seed` decides all of them"
        assert same(env.reset(seed=0)[0], unseeded[0]) and same(env.reset()[0], unseeded[1])
        assert not same(env.reset(seed=7)[0], unseeded[0])


def test_a_single_user_lives_another_life_each_episode(data: rm.Dataset) -> None:
    env = gymnasium.make("recmirror/Slates-v0", data=data, slate=4, episode_steps=5)
    rewards = []
    for episode in range(12):
        env.reset()
        steps = [env.step(np.arange(4) + 4 * step)[1] for step in range(5)]
        rewards.append(steps)
    assert len({tuple(steps) for steps in rewards}) > 3, rewards


def test_seeds_that_lanes_cannot_have_are_refused(data: rm.Dataset) -> None:
    env = lanes(data)
    with pytest.raises(rm.SlateError, match="expected one whole number: all lanes live in one simulation"):
        env.reset(seed=list(range(16)))  # type: ignore[arg-type, unused-ignore]
    with pytest.raises(rm.SlateError, match="a seed begins all lanes again"):
        env.reset(seed=3, options={"reset_mask": np.ones(16, dtype=bool)})


def test_wrong_arguments_are_named(data: rm.Dataset) -> None:
    for wrong, message in (
        ({"number": 0}, "num_envs is 0; expected a whole number from 1"),
        ({"episode_steps": 0}, "episode_steps is 0"),
        ({"simulation_steps": 2.5}, "simulation_steps is 2.5"),
        ({"data": "ml-100k"}, "data is a str; expected a recmirror.Dataset"),
        ({"slate": 0}, "`slate` must be"),
        ({"settings": {"sessions.patience": 3}}, "did you mean `session`"),
    ):
        with pytest.raises(rm.Error, match=message):
            lanes(**({"data": data} | wrong))


def test_an_episode_that_is_over_says_so(data: rm.Dataset) -> None:
    env = gymnasium.make("recmirror/Slates-v0", data=data, slate=4, episode_steps=2).unwrapped
    env.reset(seed=1)
    while True:
        _, _, terminated, truncated, _ = env.step(np.arange(4))
        if terminated or truncated:
            break
    with pytest.raises(rm.SlateError, match=r"the episode is over; call reset\(\)"):
        env.step(np.arange(4))


@pytest.mark.parametrize("autoreset", ["next_step", "same_step"])
def test_wrappers_of_gymnasium_take_the_lanes(data: rm.Dataset, autoreset: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env: Any = wrappers.vector.RecordEpisodeStatistics(lanes(data, autoreset=autoreset))
        if autoreset == "next_step":
            # Gymnasium's wrappers of observations refuse lanes that are reset in the same step.
            env = wrappers.vector.FlattenObservation(wrappers.vector.NormalizeReward(env))
        env = wrappers.vector.DictInfoToList(env)
        env.reset(seed=1)
        lengths = []
        for action in actions(env, 30):
            seen, _, _, _, infos = env.step(action)
            assert len(infos) == 16
            assert autoreset == "same_step" or seen.shape == env.observation_space.shape
            lengths += [info["episode"]["l"] for info in infos if "episode" in info]
        assert lengths and max(lengths) <= 9


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_single_environments_are_put_together(data: rm.Dataset, mode: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*fork.*", category=DeprecationWarning)
        envs = gymnasium.make_vec(
            "recmirror/Slates-v0", num_envs=2, vectorization_mode=mode, data=data, slate=4, episode_steps=3
        )
        envs.reset(seed=5)
        for action in actions(envs, 8):
            seen, rewards, *_ = envs.step(action)
            assert envs.observation_space.contains(seen) and rewards.shape == (2,)
        envs.close()


def test_the_wrappers_of_make_find_nothing(data: rm.Dataset) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for kind in ("slate", "scores"):
            env: Any = gymnasium.make("recmirror/Slates-v0", data=data, slate=4, episode_steps=5, actions=kind)
            env = wrappers.RecordEpisodeStatistics(wrappers.FlattenObservation(env))
            for _ in range(3):
                env.reset()
                is_over = False
                while not is_over:
                    _, _, terminated, truncated, info = env.step(env.action_space.sample())
                    is_over = terminated or truncated
                assert info["episode"]["l"] <= 5


def test_what_travels_between_processes_is_pickled(data: rm.Dataset) -> None:
    result = rm.Table(rm._native.Table.from_columns([("a", [1, None]), ("b", [0.5, float("inf")]), ("c", ["x", None])]))
    sent = pickle.loads(pickle.dumps(result))
    assert sent.columns == result.columns and pickle.loads(pickle.dumps(data)).hash == data.hash
