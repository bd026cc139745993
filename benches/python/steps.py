"""Steps a second from Python, beside the same loop in Rust, in pairs that take turns.

    python benches/python/steps.py .recmirror/data/ml-100k --mirror models/mirror --simulator sardine=PYTHON

A step of a user is one slate and one response. `rust` is a loop in Rust around the policy `random`, started by one call; `python`
calls the policy and the environment from Python at each step; `gymnasium` steps lanes with random slates of NumPy, which is what
other simulators are measured with. Other simulators (`sardine`, `recsim`, of benches/peers/simulators.py) run in the environment whose
PYTHON is named, in the same turns. Medians of the turns, and the median of their ratios.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

import recmirror as rm

PEERS = Path(__file__).resolve().parents[1] / "peers"
sys.path.insert(0, str(PEERS))

from measured_process import MeasuredProcess  # noqa: E402

SETTINGS = {"arrival.probability": 1.0, "arrival.rate": "uniform", "session.slates": 10_000, "metrics": '["acceptance_rate"]'}


def environment(data: rm.Dataset, users: Any, lanes: int) -> rm.Environment:
    return rm.Environment(
        data, users=users, population=lanes, slate=10, steps=100_000, seed=1, policies=["random"], settings=SETTINGS
    )


def rust(env: rm.Environment, policy: Any, steps: int) -> float:
    started = time.perf_counter()
    env._native._run(policy, steps)
    return steps * env.users / (time.perf_counter() - started)


def python(env: rm.Environment, policy: Any, steps: int) -> float:
    started, shown = time.perf_counter(), 0
    for _ in range(steps):
        outcome = env.step(policy.recommend(env._native))
        policy.observe(env._native)
        shown += len(outcome)
    return shown / (time.perf_counter() - started)


def lanes_of(envs: Any, random: np.random.Generator, steps: int) -> float:
    items = envs.single_action_space.nvec[0]
    started, shown = time.perf_counter(), 0
    for _ in range(steps):
        seen = envs.step(random.integers(0, items, (envs.num_envs, 10)))[0]
        shown += int(seen["visiting"].sum())
    return shown / (time.perf_counter() - started)


def simulator(name: str, python: str) -> MeasuredProcess:
    """Another simulator in a process of its own, with as many users at a time as it is fast with."""
    return MeasuredProcess([python, str(PEERS / "simulators.py"), name, "100"])


def measure(data: rm.Dataset, kind: str, users: Any, lanes: int, turns: int, others: dict[str, MeasuredProcess]) -> None:
    steps = max(2, 200_000 // lanes)
    one, other = environment(data, users, lanes), environment(data, users, lanes)
    policies = one.policy("random"), other.policy("random")
    envs = gymnasium.make_vec(
        "recmirror/Slates-v0", num_envs=lanes, data=data, users=users, slate=10, mask=False, episode_steps=100_000
    ).unwrapped
    envs.reset()
    random = np.random.default_rng(0)
    rows = []
    for number in range(turns + 1):
        row = [rust(one, policies[0], steps), python(other, policies[1], steps), lanes_of(envs, random, steps)]
        row += [other.measure() for other in others.values()]
        if number:
            rows.append(row)
    medians = [statistics.median(column) for column in zip(*rows)]
    ratios = [statistics.median(row[place] / row[0] for row in rows) for place in (1, 2)]
    print(
        f"{kind:<10} {lanes:>7} lanes: rust {medians[0]:>10,.0f}/s, python {medians[1]:>10,.0f}/s ({ratios[0]:.0%}), "
        f"gymnasium {medians[2]:>10,.0f}/s ({ratios[1]:.0%})",
        flush=True,
    )
    for place, name in enumerate(others, start=3):
        times = statistics.median(row[2] / row[place] for row in rows)
        print(f"    {name:<10} {medians[place]:>10,.0f}/s; gymnasium lanes have {times:,.0f} times as many", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--mirror", help="folder of a mirror model")
    parser.add_argument("--lanes", type=int, nargs="+", default=[1_024, 100_000])
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--simulator", action="append", default=[], metavar="NAME=PYTHON")
    arguments = parser.parse_args()
    data = rm.Dataset.read(arguments.data)
    others = {name: simulator(name, python) for name, python in (entry.split("=", 1) for entry in arguments.simulator)}
    kinds = {"parametric": "parametric"} | ({"mirror": arguments.mirror} if arguments.mirror else {})
    try:
        for kind, users in kinds.items():
            for lanes in arguments.lanes:
                measure(data, kind, users, lanes, arguments.turns, others)
    finally:
        for other in others.values():
            other.close()


if __name__ == "__main__":
    main()
