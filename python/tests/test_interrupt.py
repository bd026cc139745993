"""Ctrl-C and errors in the middle of user models and policies of Python."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest

import recmirror as rm
from apart import apart
from shop import table


class Endless:
    """A user model, and a policy, that answers at once until `thinks` is set, and then never."""

    def __init__(self) -> None:
        self.thinks, self.is_thinking = False, threading.Event()

    def __deepcopy__(self, memo: dict[int, Any]) -> Endless:
        return self

    def _think(self) -> None:
        # Once, because an exception in the middle of `set` would leave its lock held.
        if self.thinks:
            self.is_thinking.set()
        while self.thinks:
            pass

    def respond(self, scenes: rm.Scenes) -> np.ndarray:
        self._think()
        return np.zeros((len(scenes.items), scenes.items.shape[1] + 1))

    def recommend(self, observation: rm.Observation) -> np.ndarray:
        self._think()
        return np.zeros((len(observation), observation.items))


def seconds_to_stop(work: Any, endless: Endless) -> float:
    """How long Ctrl-C takes once it thinks."""
    pressed: list[float] = []

    def press() -> None:
        endless.is_thinking.wait()
        pressed.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    presser = threading.Thread(target=press)
    presser.start()
    try:
        work()
    except KeyboardInterrupt:
        return time.monotonic() - pressed[0]
    finally:
        endless.thinks = False
        presser.join()
    raise AssertionError("nothing was interrupted")


def in_a_step() -> float:
    endless = Endless()
    env = rm.Environment(rm.Dataset(table()), users=endless, population=60, slate=3, steps=5)
    digest = env.digest
    slates = np.zeros((len(env.observation()), 60))
    endless.thinks = True
    took = seconds_to_stop(lambda: env.step(slates), endless)
    assert env.time_step == 0 and env.digest == digest, "the environment is as it was"
    env.step(slates)
    return took


def in_a_construction() -> float:
    endless = Endless()
    endless.thinks = True
    return seconds_to_stop(lambda: rm.Environment(rm.Dataset(table()), users=endless, slate=3), endless)


def in_a_run(scenario: str, is_policy: bool) -> float:
    endless = Endless()
    endless.thinks = True
    more: dict[str, Any] = {"policies": {"mine": endless}} if is_policy else {"users": endless}
    return seconds_to_stop(lambda: rm.run(scenario, data=rm.Dataset(table()), **more), endless)


@pytest.mark.parametrize("work", [in_a_step, in_a_construction])
def test_ctrl_c_ends_what_an_environment_asks(work: Any) -> None:
    assert apart(work) < 5.0


@pytest.mark.parametrize("is_policy", [True, False])
def test_ctrl_c_ends_what_a_run_asks(tmp_path: Path, is_policy: bool) -> None:
    scenario = tmp_path / "shop.toml"
    scenario.write_text('data.path = "."\nticks = 4\nslate = 3\npolicy = [{ kind = "random" }]\n')
    assert apart(in_a_run, str(scenario), is_policy) < 5.0


class Slow:
    """A user model that answers late, and remembers the last item."""

    memory = 1

    def start(self, users: np.ndarray) -> np.ndarray:
        return np.zeros((len(users), 1))

    def update(self, memory: np.ndarray, items: np.ndarray, ratings: np.ndarray) -> np.ndarray:
        time.sleep(0.002)
        return (memory + items[:, None]) % 7

    def respond(self, scenes: rm.Scenes) -> np.ndarray:
        time.sleep(0.002)
        liked = ((scenes.items + scenes.memory) % 3).astype(np.float64)
        return np.hstack([liked, np.ones((len(liked), 1))])


def make(users: Any, steps: int = 12) -> rm.Environment:
    settings = {"arrival.probability": 1.0, "session.slates": 100}
    return rm.Environment(
        rm.Dataset(table()), users=users, population=60, slate=3, steps=steps, acceptance=0.5, settings=settings
    )


def show_first(env: rm.Environment) -> rm.Outcome:
    return env.step(np.tile(-np.arange(60.0), (len(env.observation()), 1)))


def digests(env: rm.Environment) -> list[str]:
    """The digest before each step and after the last."""
    found = [env.digest]
    while not env.is_done:
        show_first(env)
        found.append(env.digest)
    return found


def is_interrupted_everywhere() -> tuple[int, int]:
    """Plays while signals come at many places; how often a step was not done, and was done, before the exception."""
    env = make(Slow())
    wanted = digests(env)
    draw, inside, done, before = random.Random(4), [False], 0, 0

    def press(number: int, frame: FrameType | None) -> None:
        is_inside, inside[0] = inside[0], False
        if is_inside:
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, press)
    for replay in range(300):
        if before + done >= 10:
            break
        env.reset()
        while not env.is_done:
            step = env.time_step
            presser = threading.Timer(draw.uniform(0.0, 0.01), os.kill, (os.getpid(), signal.SIGINT))
            try:
                inside[0] = True
                presser.start()
                show_first(env)
                inside[0] = False
            except KeyboardInterrupt:
                done += env.time_step > step
                before += env.time_step == step
            except rm.Error as problem:
                inside[0] = False
                # The signal before this one ended an update.
                assert "call reset before the next step" in str(problem)
                presser.join()
                break
            presser.join()
            inside[0] = False
            assert env.time_step in (step, step + 1)
            assert env.digest == wanted[env.time_step], f"replay {replay}, step {env.time_step}"
    return before, done


def test_a_step_is_done_as_a_whole_or_not_at_all() -> None:
    before, done = apart(is_interrupted_everywhere)
    assert before + done >= 10


class Presses(Slow):
    """A user model that presses Ctrl-C while it answers, and answers all the same."""

    presses = False

    def respond(self, scenes: rm.Scenes) -> np.ndarray:
        if self.presses:
            os.kill(os.getpid(), signal.SIGINT)
            # One long call of another library, which no exception ends.
            np.linalg.eigvals(np.random.default_rng(0).normal(size=(400, 400)))
        return super().respond(scenes)


def is_pressed_in_answers() -> None:
    users = Presses()
    env = make(users)
    wanted = digests(env)
    env.reset()
    users.presses = True
    for _ in range(20):
        step = env.time_step
        try:
            show_first(env)
        except KeyboardInterrupt:
            assert env.time_step in (step, step + 1) and env.digest == wanted[env.time_step]
        except rm.Error as problem:
            assert "call reset before the next step" in str(problem), "an update was ended"
            env.reset()
        else:
            raise AssertionError("nothing was interrupted")
        if env.is_done:
            env.reset()
    users.presses = False
    env.reset()
    assert digests(env) == wanted


def test_an_answer_during_which_ctrl_c_is_pressed_counts_or_not() -> None:
    apart(is_pressed_in_answers)


class Failing(Slow):
    """A user model whose methods fail once each."""

    def __init__(self) -> None:
        self.fails: set[str] = set()

    def update(self, memory: np.ndarray, items: np.ndarray, ratings: np.ndarray) -> np.ndarray:
        self._fail("update")
        return super().update(memory, items, ratings)

    def respond(self, scenes: rm.Scenes) -> np.ndarray:
        self._fail("respond")
        return super().respond(scenes)

    def _fail(self, method: str) -> None:
        if method in self.fails:
            self.fails.discard(method)
            raise RuntimeError(f"no {method} today")


def test_an_answer_that_fails_can_be_asked_for_again() -> None:
    users = Failing()
    env = make(users)
    wanted = digests(env)
    env.reset()
    show_first(env)
    users.fails = {"respond"}
    with pytest.raises(rm.UserModelError, match="no respond today"):
        show_first(env)
    assert env.digest == wanted[1]
    assert digests(env) == wanted[1:]


def test_a_step_that_fails_half_way_needs_a_reset() -> None:
    users = Failing()
    env = make(users)
    wanted = digests(env)
    env.reset()
    show_first(env)
    users.fails = {"update"}
    with pytest.raises(rm.UserModelError, match="no update today"):
        show_first(env)
    for _ in range(2):
        with pytest.raises(rm.Error, match="call reset before the next step"):
            show_first(env)
    assert env.digest == wanted[1]
    env.reset()
    assert digests(env) == wanted
