"""Memory of the process over resets and steps: a table of the resident set at several points, in MiB.

    python benches/python/memory.py .recmirror/data/ml-100k --mirror models/mirror

Each row does 1,000 resets and 100,000 steps, or as many as are asked for, and looks at its memory before, at four points on the way and at
the end. The name says how many users take part. `growth` is the end less the first quarter, when buffers and arenas of the allocator have found their
size. It needs /proc.
"""

from __future__ import annotations

import argparse
import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

import recmirror as rm

POINTS = 4
SLATE = 10


def resident() -> float:
    """MiB that the process holds."""
    gc.collect()
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise SystemExit("/proc/self/status names no VmRSS")


def lanes(data: rm.Dataset, users: Any, number: int) -> tuple[Callable[[], None], Callable[[], None]]:
    """Reset and step of Gymnasium lanes."""
    envs = gymnasium.make_vec(
        "recmirror/Slates-v0", num_envs=number, data=data, users=users, slate=SLATE, episode_steps=50
    ).unwrapped
    random = np.random.default_rng(0)
    return lambda: envs.reset(), lambda: envs.step(random.integers(0, data.items, (number, SLATE)))


def environment(data: rm.Dataset, users: Any, number: int) -> tuple[Callable[[], None], Callable[[], None]]:
    """Reset and step of an environment, with scores of all items; it begins again when its steps are done."""
    env = rm.Environment(data, users=users, population=number, slate=SLATE, steps=1_000)
    random = np.random.default_rng(0)

    def step() -> None:
        if env.is_done:
            env.reset()
        env.step(random.random((len(env.observation()), data.items), dtype=np.float32))

    return lambda: env.reset(), step


def measure(name: str, do: Callable[[], None], times: int) -> float:
    """Does it so many times, prints a row, and returns the growth in MiB."""
    seen = [resident()]
    for _ in range(POINTS):
        for _ in range(times // POINTS):
            do()
        seen.append(resident())
    growth = seen[-1] - seen[1]
    print(f"| {name} | " + " | ".join(f"{value:.1f}" for value in seen) + f" | {growth:+.1f} |", flush=True)
    return growth


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--mirror", help="folder of a mirror model")
    parser.add_argument("--users", type=int, default=64)
    parser.add_argument("--resets", type=int, default=1_000)
    parser.add_argument("--steps", type=int, default=100_000)
    arguments = parser.parse_args()
    data = rm.Dataset.read(arguments.data)
    kinds = {"parametric": "parametric"} | ({"mirror": arguments.mirror} if arguments.mirror else {})
    print("| what | before | 25% | 50% | 75% | 100% | growth |\n| --- | --- | --- | --- | --- | --- | --- |")
    for kind, users in kinds.items():
        for way, make in (("gymnasium", lanes), ("environment", environment)):
            reset, step = make(data, users, arguments.users)
            name = f"{way}_{kind}_{arguments.users}_users"
            measure(f"{name}_{arguments.resets}_resets", reset, arguments.resets)
            measure(f"{name}_{arguments.steps}_steps", step, arguments.steps)


if __name__ == "__main__":
    main()
