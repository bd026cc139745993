"""The same scenario from Python, the command line, Gymnasium and Ray: one digest."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import gymnasium
import numpy as np
import polars

import recmirror as rm
from shop import table

SCENARIO = """
data.path = "data"
ticks = 5
slate = 3
seed = 4
replications = 2
population.users = 80
arrival.probability = 1.0
arrival.rate = "uniform"
session.slates = 10_000
policy = [{ kind = "popular" }, { kind = "ials", factors = 4 }]
"""


class First:
    """Shows the candidates with the smallest numbers."""

    def recommend(self, observation: rm.Observation) -> np.ndarray:
        return np.array([observation.candidates(row)[: observation.slate] for row in range(len(observation))])


def files(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    polars.DataFrame(table()).write_csv(tmp_path / "data" / "log.csv")
    scenario = tmp_path / "shop.toml"
    scenario.write_text(SCENARIO)
    return scenario


def test_python_the_command_and_gymnasium_agree(tmp_path: Path) -> None:
    scenario = files(tmp_path)
    result = rm.run(scenario)
    with_own = rm.run(scenario, policies={"first": First})
    trials = {(trial["policy"], trial["replication"]): trial["digest"] for trial in with_own.manifest["trials"]}
    from_memory = rm.run(scenario, data=rm.Dataset(table()))
    assert from_memory.digest == result.digest

    command = [sys.executable, "-c", "from recmirror._command import main; main()", "run", str(scenario)]
    subprocess.run([*command, "--out", str(tmp_path / "run"), "--quiet"], check=True, capture_output=True)
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["digest"] == result.digest

    data = rm.Dataset.read(tmp_path / "data")
    envs = gymnasium.make_vec("recmirror/Slates-v0", num_envs=80, data=data, slate=3, seed=4).unwrapped
    seen, _ = envs.reset()
    for _ in range(5):
        # The first three candidates of each lane.
        actions = np.argsort(-seen["mask"], axis=1, kind="stable")[:, :3]
        seen, _, _, _, infos = envs.step(actions)
        assert (infos["skipped"] == 0).all()
    # A log keeps the scores of slates, which actions do not have: the policy gives none either.
    assert envs.environment.digest == trials["first", 0]
