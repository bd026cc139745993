"""What a task of Ray costs: replications of a scenario that takes next to nothing, and of one that takes a while, on this machine alone
and by Ray, in turns; medians.

    python benches/python/tasks.py .recmirror/data/ml-100k
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import ray

import recmirror as rm
import recmirror.ray

SCENARIO = """
data.path = "."
ticks = {ticks}
slate = 5
replications = {replications}
population.users = {users}
policy = [{{ kind = "popular" }}, {{ kind = "random" }}]
"""


# Turns of the two that count; one before them does not.
TURNS = 5


def timed(run: Any, path: Path, data: rm.Dataset) -> tuple[float, str]:
    """Seconds of a run, and its digest."""
    started = time.perf_counter()
    digest = run(path, data=data).digest
    return time.perf_counter() - started, digest


def main() -> None:
    if len(sys.argv) != 2:
        raise SystemExit("usage: tasks.py DATA")
    data = rm.Dataset.read(sys.argv[1])
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    with tempfile.TemporaryDirectory() as folder:
        for ticks, users, replications in ((1, 10, 4), (1, 10, 200), (100, 900, 16)):
            path = Path(folder) / "scenario.toml"
            path.write_text(SCENARIO.format(ticks=ticks, users=users, replications=replications))
            turns = [(timed(rm.run, path, data), timed(rm.ray.run, path, data)) for _ in range(TURNS + 1)][1:]
            digests = {digest for turn in turns for _, digest in turn}
            assert len(digests) == 1, digests
            alone, spread = (statistics.median(turn[place][0] for turn in turns) for place in (0, 1))
            each = statistics.median((turn[1][0] - turn[0][0]) / replications for turn in turns) * 1_000
            print(
                f"{replications:>4} replications of {ticks} steps and {users} users: alone {alone:.2f} s, "
                f"Ray with 2 workers {spread:.2f} s, {each:+.1f} ms a task; digest {digests.pop()[:8]}",
                flush=True,
            )


if __name__ == "__main__":
    main()
