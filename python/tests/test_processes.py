"""Threads, several environments, forked and spawned processes, Ctrl-C."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import recmirror as rm
from shop import table

def rollout(seed: int = 5) -> str:
    env = rm.Environment(rm.Dataset(table()), population=150, slate=3, steps=4, seed=seed, policies=["ials"])
    env.run(env.policy("ials"))
    return env.digest


def send(answers: Any) -> None:
    answers.put(rollout())


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_process_gives_the_same(method: str) -> None:
    # The parent has worker threads by now, of which a forked child has none.
    wanted = rollout()
    context = multiprocessing.get_context(method)
    answers = context.Queue()
    child = context.Process(target=send, args=(answers,))
    child.start()
    try:
        assert answers.get(timeout=60) == wanted
    finally:
        child.join(10)
        if child.is_alive():
            child.kill()


def test_environments_in_threads_do_not_touch_each_other() -> None:
    wanted = {seed: rollout(seed) for seed in (5, 6)}
    seeds = [5, 6, 5, 6]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(rollout, seeds)) == [wanted[seed] for seed in seeds]


def test_two_environments_take_turns() -> None:
    data = rm.Dataset(table())
    one, other, alone = (
        rm.Environment(data, population=150, slate=3, steps=4, seed=seed, policies=["ials"]) for seed in (5, 6, 5)
    )

    def play(envs: list[rm.Environment]) -> None:
        policies = [(env, env.policy("ials")) for env in envs]
        while not envs[0].is_done:
            for env, policy in policies:
                env.step(policy.recommend(env._native))
                policy.observe(env._native)

    play([one, other])
    play([alone])
    assert one.digest == alone.digest != other.digest


def test_the_interpreter_is_free_during_a_run(tmp_path: Path) -> None:
    scenario = tmp_path / "long.toml"
    scenario.write_text('data.path = "."\nticks = 100_000\nreplications = 50\npolicy = [{ kind = "popular" }]\n')
    stopped: list[float] = []
    ticks = 0

    def interrupt() -> None:
        nonlocal ticks
        for _ in range(15):
            time.sleep(0.05)
            ticks += 1
        stopped.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        rm.run(scenario, data=rm.Dataset(table()))
    took = time.monotonic() - stopped[0]
    assert took < 5.0, f"Ctrl-C took {took:.2f} s"
    assert ticks == 15, "another thread of Python ran meanwhile"


def test_ctrl_c_stops_a_fit(tmp_path: Path) -> None:
    data = rm.Dataset(table())
    stopped: list[float] = []

    def interrupt() -> None:
        time.sleep(0.7)
        stopped.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        rm.fit(data, out=tmp_path / "model", epochs=10_000)
    assert time.monotonic() - stopped[0] < 5.0
    assert not (tmp_path / "model").exists()
