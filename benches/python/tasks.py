"""What a task of Ray costs: replications of a scenario that takes next to nothing, and of one that takes a while, on this machine alone
and by Ray.

    python benches/python/tasks.py .recmirror/data/ml-100k
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

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


def main() -> None:
    data = rm.Dataset.read(sys.argv[1])
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    with tempfile.TemporaryDirectory() as folder:
        for ticks, users, replications in ((1, 10, 4), (1, 10, 200), (100, 900, 16)):
            path = Path(folder) / "scenario.toml"
            path.write_text(SCENARIO.format(ticks=ticks, users=users, replications=replications))
            took = {}
            for name, run in (("alone", rm.run), ("ray", rm.ray.run), ("alone", rm.run), ("ray", rm.ray.run)):
                started = time.perf_counter()
                digest = run(path, data=data).digest
                took[name] = time.perf_counter() - started
            each = (took["ray"] - took["alone"]) / replications * 1_000
            print(
                f"{replications:>4} replications of {ticks} steps and {users} users: alone {took['alone']:.2f} s, "
                f"Ray with 2 workers {took['ray']:.2f} s, {each:+.1f} ms a task; digest {digest[:8]}",
                flush=True,
            )


if __name__ == "__main__":
    main()
