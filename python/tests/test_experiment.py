"""Experiments with policies of Python."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import recmirror as rm

from shop import Counts, Likes, table

SCENARIO = """
data.path = "."
ticks = 4
slate = 3
replications = 3
population.users = 150
policy = [{ kind = "popular" }, { kind = "random" }]
"""


@pytest.fixture()
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "shop.toml"
    path.write_text(SCENARIO)
    return path


def test_own_policies_run_beside_those_of_the_file(scenario: Path) -> None:
    data = rm.Dataset(table(), name="shop")
    policies = {"mine": Counts, "copied": Counts(), "function": Counts().recommend}
    result = rm.run(scenario, data=data, policies=policies, settings={"ticks": 5})
    assert {row["policy"] for row in result.summary} == {"popular", "random", "mine", "copied", "function"}
    assert "mine" in str(result) and not result.failures
    finals = {(row["policy"], row["replication"]): row for row in result.finals if row["metric"] == "acceptance_rate"}
    assert all(finals["mine", r]["value"] == finals["copied", r]["value"] for r in range(3)), "a copy each replication"
    again = rm.run(scenario, data=data, policies=policies, settings={"ticks": 5})
    assert result.digest == again.digest
    assert set(result.summary.columns) >= {"policy", "metric", "mean"}


def test_a_policy_that_fails_is_left_out_with_its_traceback(scenario: Path) -> None:
    def fails(observation: rm.Observation) -> np.ndarray:
        raise ValueError("no idea")

    result = rm.run(scenario, data=rm.Dataset(table()), policies={"mine": fails})
    ((policy, replication, problem),) = result.failures
    assert (policy, replication) == ("mine", 0)
    assert "no idea" in problem and "test_experiment.py" in problem
    assert {row["policy"] for row in result.summary} == {"popular", "random"}


def test_problems_of_a_scenario_are_exceptions(scenario: Path) -> None:
    with pytest.raises(rm.Error, match="did you mean `ticks`"):
        rm.run(scenario, settings={"tics": 3})
    with pytest.raises(rm.Error):
        rm.run(scenario)


def test_unknown_keywords_are_refused_and_known_ones_shown(scenario: Path) -> None:
    with pytest.raises(TypeError, match=r"run\(\) got an unexpected keyword argument 'polices'"):
        rm.run(scenario, polices={"mine": Counts})  # type: ignore[call-arg, unused-ignore]
    shown = inspect.signature(rm.run).parameters
    assert list(shown) == ["scenario", "until", "events", "policies", "data", "users", "settings", "allow_external"]
    assert shown["allow_external"].default is False and shown["policies"].default is None


def test_programs_of_a_scenario_are_asked_for(scenario: Path) -> None:
    scenario.write_text(SCENARIO.replace('{ kind = "random" }', '{ kind = "external", command = ["/bin/false"] }'))
    with pytest.raises(rm.Error, match="allow_external=True"):
        rm.run(scenario, data=rm.Dataset(table()))


def test_the_command_comes_with_the_package() -> None:
    command = [sys.executable, "-c", "from recmirror._command import main; main()"]
    shown = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == f"recmirror {rm.__version__}"
    wrong = subprocess.run([*command, "run", "none.toml", "--out", "x"], capture_output=True, text=True)
    assert wrong.returncode == 2 and "none.toml" in wrong.stderr


def test_a_value_without_a_form_in_toml_is_refused(scenario: Path) -> None:
    with pytest.raises(TypeError, match="has no form in a scenario"):
        rm.run(scenario, data=rm.Dataset(table()), settings={"metrics": {"regret"}})


def test_users_replace_those_of_the_file_whatever_their_keys(scenario: Path) -> None:
    data = rm.Dataset(table())
    plain = rm.run(scenario, data=data)
    likes = rm.run(scenario, data=data, users=Likes(3))
    assert plain.digest != likes.digest
    for user in ('kind = "mirror", path = "nowhere"', 'kind = "mirror", path = "nowhere", temperature = 1.0'):
        scenario.write_text(f"{SCENARIO}user = {{ {user} }}\n")
        assert rm.run(scenario, data=data, users="parametric").digest == plain.digest
        assert rm.run(scenario, data=data, users=Likes(3)).digest == likes.digest
        with pytest.raises(rm.UserModelError, match="nowhere"):
            rm.run(scenario, data=data)
    scenario.write_text(f'{SCENARIO}user = {{ kind = "parametric", taste = 3, tastes = 3 }}\n')
    with pytest.raises(rm.ScenarioError, match="unknown key `tastes`"):
        rm.run(scenario, data=data, users="somewhere")
