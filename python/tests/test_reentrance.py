"""User models and policies that use environments themselves, and environments that threads share: nothing waits for ever."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import recmirror as rm
from apart import apart
from shop import table

SCENARIO = """
data.path = "."
ticks = 3
slate = 3
replications = 3
population.users = 60
policy = [{ kind = "random" }]
"""


class Even:
    """Users who take items with even numbers, and do something before they answer."""

    def __init__(self, before: Any = None) -> None:
        self.before = before

    def respond(self, scenes: rm.Scenes) -> np.ndarray:
        if self.before is not None:
            self.before()
        liked = np.where(scenes.items % 2 == 0, 2.0, -2.0)
        return np.hstack([liked, np.zeros((len(liked), 1))])


def make(users: Any = "parametric", seed: int = 3) -> rm.Environment:
    return rm.Environment(
        rm.Dataset(table()), users=users, population=60, slate=3, steps=5, seed=seed, policies=["popular"]
    )


def play(env: rm.Environment) -> str:
    env.run(env.policy("popular"))
    return env.digest


def asks_its_own(call: str) -> str:
    users = Even()
    env = make(users)
    calls = {
        "observation": env.observation,
        "step": lambda: env.step(np.zeros((60, 60))),
        "is_done": lambda: env.is_done,
        "repr": lambda: repr(env),
        "run": lambda: play(env),
    }
    users.before = calls[call]
    try:
        env.run(env.policy("popular"))
    except rm.UserModelError as problem:
        users.before = None
        assert env.time_step == 0 and len(env.observation()) > 0, "the environment is as it was"
        return str(problem)
    return "no error"


@pytest.mark.parametrize("call", ["observation", "step", "is_done", "repr", "run"])
def test_a_user_model_that_uses_its_own_environment_is_told(call: str) -> None:
    assert "the environment is in the middle of another call" in apart(asks_its_own, call)


def asks_another(threads: int) -> list[str]:
    rm.use_threads(threads)
    other = make(seed=4)

    def ahead() -> None:
        other.reset()
        play(other)

    return [play(make(Even())), play(make(Even(ahead)))]


@pytest.mark.parametrize("threads", [1, 2])
def test_a_user_model_may_use_another_environment(threads: int) -> None:
    alone, asking = apart(asks_another, threads)
    assert alone == asking


class Plans:
    """A policy that plays an environment, runs an experiment, and lets threads play, before it answers."""

    def __init__(self, scenario: str) -> None:
        self.scenario = scenario

    def recommend(self, observation: rm.Observation) -> np.ndarray:
        play(make())
        with ThreadPoolExecutor(2) as pool:
            assert len(set(pool.map(lambda _: play(make()), range(2)))) == 1
        rm.run(self.scenario, data=rm.Dataset(table()), settings={"replications": 1, "ticks": 1})
        return np.zeros((len(observation), observation.items))


def runs_a_policy_that_plans(scenario: str, threads: int) -> list[Any]:
    rm.use_threads(threads)
    return rm.run(scenario, data=rm.Dataset(table()), policies={"plans": Plans(scenario)}).failures


@pytest.mark.parametrize("threads", [1, 2])
def test_a_policy_may_plan_with_environments_and_experiments(tmp_path: Path, threads: int) -> None:
    scenario = tmp_path / "shop.toml"
    scenario.write_text(SCENARIO)
    assert apart(runs_a_policy_that_plans, str(scenario), threads) == []


def threads_share_an_environment(number: int) -> str:
    env = make(Even())
    policy = env.policy("popular")
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            assert 0 <= env.time_step <= env.steps and env.metrics() is not None and repr(env)

    with ThreadPoolExecutor(max(number, 1)) as pool:
        watchers = [pool.submit(watch) for _ in range(number)]
        try:
            for _ in range(20):
                env.reset()
                env.run(policy)
        finally:
            stop.set()
        for watcher in watchers:
            watcher.result()
    return env.digest


def test_threads_wait_for_each_other_with_the_interpreter_free() -> None:
    assert apart(threads_share_an_environment, 3) == threads_share_an_environment(0)


def recommends_while_another_thread_runs() -> int:
    env = make()
    policy = env.policy("popular")
    times = 0
    with ThreadPoolExecutor(1) as pool:
        runner = pool.submit(lambda: [(env.reset(), env.run(policy)) for _ in range(200)])
        while not runner.done():
            policy.recommend(env._native)
            times += 1
        runner.result()
    return times


def test_environment_and_policy_are_taken_in_one_order() -> None:
    assert apart(recommends_while_another_thread_runs) > 0


class Lazy:
    """Slates that look at the environment when they are made."""

    def __init__(self, env: rm.Environment) -> None:
        self.env = env

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.zeros((len(self.env.observation()), self.env.items))


def steps_with_lazy_slates() -> str:
    env = make()
    try:
        env.step(Lazy(env))  # type: ignore[arg-type, unused-ignore]
    except rm.SlateError as problem:
        return str(problem)
    return "no error"


def test_slates_that_use_their_own_environment_are_told() -> None:
    assert "in the middle of another call" in apart(steps_with_lazy_slates)
