"""Ctrl-C in the middle of user models and policies of Python."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import recmirror as rm
from apart import apart
from shop import table


class Endless:
    """A user model, and a policy, that answers well until it is told to think for ever."""

    def __init__(self) -> None:
        self.thinks, self.is_thinking = False, threading.Event()

    def __deepcopy__(self, memo: dict[int, Any]) -> Endless:
        return self

    def _think(self) -> None:
        while self.thinks:
            self.is_thinking.set()

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
    assert apart(work) < 1.0


@pytest.mark.parametrize("is_policy", [True, False])
def test_ctrl_c_ends_what_a_run_asks(tmp_path: Path, is_policy: bool) -> None:
    scenario = tmp_path / "shop.toml"
    scenario.write_text('data.path = "."\nticks = 4\nslate = 3\npolicy = [{ kind = "random" }]\n')
    assert apart(in_a_run, str(scenario), is_policy) < 1.0
