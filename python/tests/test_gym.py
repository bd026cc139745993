"""The Gymnasium environments."""

from __future__ import annotations

import warnings
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import recmirror as rm
from recmirror.gym import SlatesVectorEnv
from shop import table

SHORT = {"session.patience": 3, "session.leave_after": 1}


@pytest.fixture(scope="module")
def data() -> rm.Dataset:
    return rm.Dataset(table(), name="shop")


def lanes(data: rm.Dataset, number: int = 16, **more: Any) -> SlatesVectorEnv:
    arguments: dict[str, Any] = {"data": data, "slate": 4, "episode_steps": 9, "acceptance": 0.2, "settings": SHORT}
    made = gymnasium.make_vec("recmirror/Slates-v0", num_envs=number, **(arguments | more)).unwrapped
    assert isinstance(made, SlatesVectorEnv)
    return made


def test_the_single_environment_passes_the_checker(data: rm.Dataset) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for actions in ("slate", "scores", "proto"):
            vectors = np.eye(60, 7) if actions == "proto" else None
            env = gymnasium.make(
                "recmirror/Slates-v0", data=data, slate=4, episode_steps=5, actions=actions, vectors=vectors
            )
            check_env(env.unwrapped, skip_render_check=True)


@pytest.mark.parametrize("actions", ["slate", "scores", "proto"])
def test_batches_lie_in_their_spaces(data: rm.Dataset, actions: str) -> None:
    more = {"vectors": np.eye(60, 7)} if actions == "proto" else {}
    env = lanes(data, actions=actions, **more)
    env.action_space.seed(5)
    seen, _ = env.reset(seed=3)
    assert env.observation_space.contains(seen)
    for _ in range(25):
        seen, rewards, terminated, truncated, infos = env.step(env.action_space.sample())
        assert env.observation_space.contains(seen)
        assert rewards.shape == terminated.shape == truncated.shape == (16,)
        assert not (terminated & truncated).any()
        assert ((rewards == 1) == (infos["accepted_item"] >= 0)).all()


def play(env: SlatesVectorEnv, steps: int, seed: int = 3) -> list[Any]:
    env.action_space.seed(1)
    env.reset(seed=seed)
    return [env.step(env.action_space.sample()) for _ in range(steps)]


def test_next_step_autoreset(data: rm.Dataset) -> None:
    played = play(lanes(data), 30)
    over_before = np.zeros(16, dtype=bool)
    ends = 0
    for seen, rewards, terminated, truncated, _ in played:
        assert (rewards[over_before] == 0).all(), "the action of a lane that is over is ignored"
        assert (seen["step"][over_before] == 0).all() and (seen["visiting"][over_before] == 1).all()
        assert not (terminated | truncated)[over_before].any()
        assert (seen["step"][truncated] == 9).all()
        over_before = terminated | truncated
        ends += int(over_before.sum())
    assert ends > 16 and any(t.any() for _, _, t, _, _ in played) and any(t.any() for _, _, _, t, _ in played)


def test_same_step_autoreset_gives_final_observations(data: rm.Dataset) -> None:
    ends = 0
    for seen, _, terminated, truncated, infos in play(lanes(data, autoreset="same_step"), 30):
        over = terminated | truncated
        if over.any():
            ends += int(over.sum())
            assert (infos["_final_obs"] == over).all()
            assert all(infos["final_obs"][lane]["step"][0] > 0 for lane in np.flatnonzero(over))
            assert (seen["step"][over] == 0).all() and (seen["visiting"][over] == 1).all()
    assert ends > 16


def test_disabled_autoreset_waits_for_a_mask(data: rm.Dataset) -> None:
    env = lanes(data, autoreset="disabled")
    env.reset(seed=3)
    over = np.zeros(16, dtype=bool)
    while not over.any():
        _, _, terminated, truncated, _ = env.step(env.action_space.sample())
        over = terminated | truncated
    with pytest.raises(rm.Error, match="reset_mask"):
        env.step(env.action_space.sample())
    with pytest.raises(rm.Error, match="shape"):
        env.reset(options={"reset_mask": np.ones(3)})
    seen, _ = env.reset(options={"reset_mask": over})
    assert (seen["step"][over] == 0).all() and (seen["visiting"][over] == 1).all()
    assert (seen["step"][~over] > 0).all(), "the others continue"
    env.step(env.action_space.sample())


@pytest.mark.parametrize("autoreset", ["next_step", "same_step", "disabled"])
def test_the_end_of_the_simulation_ends_all_episodes(
    data: rm.Dataset, autoreset: str
) -> None:
    env = lanes(data, autoreset=autoreset, settings={}, acceptance=0.9, simulation_steps=4)
    env.reset(seed=3)
    for step in range(4):
        seen, _, terminated, truncated, _ = env.step(env.action_space.sample())
        assert (terminated | truncated).all() == (step == 3)
    if autoreset == "next_step":
        seen, rewards, terminated, truncated, _ = env.step(env.action_space.sample())
        assert (rewards == 0).all() and not (terminated | truncated).any()
    if autoreset == "disabled":
        seen, _ = env.reset(options={"reset_mask": np.ones(16, dtype=bool)})
    assert (seen["step"] == 0).all() and (seen["visiting"] == 1).all()
    assert not env.step(env.action_space.sample())[3].any(), "another simulation continues"


def test_a_seed_repeats_everything_and_another_does_not(data: rm.Dataset) -> None:
    def same(one: list[Any], other: list[Any]) -> bool:
        return all(
            (a[1] == b[1]).all() and all((a[0][key] == b[0][key]).all() for key in a[0]) for a, b in zip(one, other)
        )

    env = lanes(data)
    first = play(env, 20)
    assert same(first, play(env, 20)) and same(first, play(lanes(data), 20))
    assert not same(first, play(env, 20, seed=4))


def test_buffers_are_fresh(data: rm.Dataset) -> None:
    env = lanes(data)
    seen, _ = env.reset(seed=1)
    kept = {key: value.copy() for key, value in seen.items()}
    env.step(env.action_space.sample())
    assert all((seen[key] == kept[key]).all() for key in kept)


def test_a_lane_alone_is_the_first_of_many_at_the_start(data: rm.Dataset) -> None:
    one, _ = lanes(data, 1).reset(seed=3)
    many, _ = lanes(data, 16).reset(seed=3)
    assert all((one[key][0] == many[key][0]).all() for key in one)


def test_repeated_items_are_skipped_and_counted(data: rm.Dataset) -> None:
    env = lanes(data)
    seen, _ = env.reset(seed=3)
    allowed = seen["mask"].argmax(axis=1)
    _, _, _, _, infos = env.step(np.tile(allowed[:, None], (1, 4)))
    assert (infos["skipped"] == 3).all()


def test_wrong_arguments_are_named(data: rm.Dataset) -> None:
    for wrong, message in (
        ({"actions": "slates"}, "expected one of slate, scores, proto"),
        ({"reward": "clicks"}, "accept, rating, session"),
        ({"autoreset": "later"}, "next_step"),
        ({"actions": "proto"}, r"\[60, width\]"),
    ):
        with pytest.raises(rm.Error, match=message):
            lanes(data, **wrong)
    with pytest.raises(rm.Error, match="expected \\(16, 4\\)"):
        lanes(data).step(np.zeros((2, 4), dtype=int))


def test_a_closed_environment_says_so(data: rm.Dataset) -> None:
    env, one = lanes(data), gymnasium.make("recmirror/Slates-v0", data=data, slate=4).unwrapped
    for opened in (env, one):
        opened.reset(seed=1)
        opened.close()
        opened.close()
        for call in (opened.reset, lambda: opened.step(opened.action_space.sample())):
            with pytest.raises(gymnasium.error.ClosedEnvironmentError, match="make another one") as problem:
                call()
            assert isinstance(problem.value, rm.Error)
