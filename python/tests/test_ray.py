"""Experiments on a local Ray: the same digest, whatever dies."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars
import pytest

ray = pytest.importorskip("ray")

import recmirror as rm  # noqa: E402
import recmirror.ray  # noqa: E402
from shop import Counts, Likes, table, taste  # noqa: E402

SCENARIO = """
data.path = "."
ticks = 4
slate = 3
replications = 6
population.users = 80
policy = [{ kind = "popular" }, { kind = "random" }]
"""


class DiesOnce:
    """Kills its worker the first time that it is made anywhere, then counts."""

    def __init__(self, mark: Path) -> None:
        self.mark, self.driver = mark, os.getpid()
        self.inner = Counts()

    def fit(self, log: rm.Log) -> None:
        try:
            os.close(os.open(self.mark, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return
        if os.getpid() != self.driver:
            os.kill(os.getpid(), 9)

    def recommend(self, observation: rm.Observation) -> np.ndarray:
        return self.inner.recommend(observation)

    def observe(self, outcome: rm.Outcome) -> None:
        self.inner.observe(outcome)


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    if " " in sys.executable:
        pytest.skip("Ray starts no workers by an interpreter whose path has a space")
    here = str(Path(__file__).parent)
    ray.init(
        num_cpus=4, include_dashboard=False, log_to_driver=False, runtime_env={"env_vars": {"PYTHONPATH": here}}
    )
    yield
    ray.shutdown()


@pytest.fixture()
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "shop.toml"
    path.write_text(SCENARIO)
    return path


def test_an_interpreter_that_ray_cannot_start_is_an_error(scenario: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ray.shutdown()
    monkeypatch.setattr(sys, "executable", "/a folder/bin/python")
    with pytest.raises(rm.Error, match="whose path has a space"):
        rm.ray.run(scenario, data=rm.Dataset(table()))


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_the_result_is_that_of_one_machine(cluster: None, scenario: Path, workers: int) -> None:
    data = rm.Dataset(table())
    policies = {"mine": Counts}
    local = rm.run(scenario, data=data, policies=policies)
    heard: list[tuple[int, int]] = []
    # A task asks for so many of the four processors that no more workers run at a time.
    spread = rm.ray.run(
        scenario,
        data=data,
        policies=policies,
        threads=4 // workers,
        progress=lambda done, most: heard.append((done, most)),
    )
    assert spread.digest == local.digest
    assert polars.DataFrame(spread.summary).equals(polars.DataFrame(local.summary))
    assert polars.DataFrame(spread.series).equals(polars.DataFrame(local.series))
    assert heard == [(done, 6) for done in range(1, 7)]


def test_a_worker_that_dies_is_replaced_and_nothing_counts_twice(cluster: None, scenario: Path, tmp_path: Path) -> None:
    data = rm.Dataset(table())
    local = rm.run(scenario, data=data, policies={"mine": Counts})
    mark = tmp_path / "died"
    logs = tmp_path / "run"
    spread = rm.ray.run(scenario, data=data, policies={"mine": DiesOnce(mark)}, events=logs)
    assert mark.exists(), "a worker died"
    assert spread.digest == local.digest
    written = sorted(path.name for path in (logs / "events").iterdir())
    assert len(written) == 18 and all(name.endswith(".parquet") for name in written)
    rows = polars.read_parquet(logs / "events" / written[0])
    assert len(rows) > 0 and (logs / "manifest.json").is_file()
    with pytest.raises(rm.Error, match="has event logs already"):
        rm.ray.run(scenario, data=data, events=logs)
    alone = tmp_path / "alone"
    rm.run(scenario, data=data, policies={"mine": Counts}, events=alone)
    assert sorted(path.name for path in (alone / "events").iterdir()) == written, "the same folder as on one machine"
    assert (alone / "manifest.json").is_file()


def test_a_rule_ends_the_run_where_it_ends_it_on_one_machine(cluster: None, scenario: Path) -> None:
    data = rm.Dataset(table())
    settings = {"replications": 12}
    for rule in ("ci<40%", "ci<0.001%"):
        local = rm.run(scenario, data=data, settings=settings, until=rule)
        spread = rm.ray.run(scenario, data=data, settings=settings, until=rule)
        assert (spread.digest, spread.replications, spread.until) == (local.digest, local.replications, local.until)


def test_a_policy_that_fails_is_left_out_with_its_logs(cluster: None, scenario: Path, tmp_path: Path) -> None:
    def fails(observation: rm.Observation) -> np.ndarray:
        raise ValueError("no idea")

    logs = f"file://{tmp_path}/run"
    result = rm.ray.run(scenario, data=rm.Dataset(table()), policies={"mine": fails}, events=logs)
    ((policy, replication, problem),) = result.failures
    assert (policy, replication) == ("mine", 0) and "no idea" in problem
    assert result.digest == rm.run(scenario, data=rm.Dataset(table())).digest
    written = {path.name for path in (tmp_path / "run" / "events").iterdir()}
    assert len(written) == 12 and not any("mine" in name for name in written)


def test_problems_are_those_of_the_program(cluster: None, scenario: Path) -> None:
    with pytest.raises(rm.ScenarioError, match="did you mean `ticks`"):
        rm.ray.run(scenario, data=rm.Dataset(table()), settings={"tics": 3})


def test_a_sweep_gives_one_table(cluster: None, scenario: Path) -> None:
    data = rm.Dataset(table())
    space = {"slate": [2, 4], "policy.popular.learn": [False, True]}
    found = rm.ray.sweep(scenario, space, data=data, settings={"replications": 2})
    assert list(found.columns)[:2] == ["slate", "policy.popular.learn"]
    frame = polars.DataFrame(found)
    assert frame.select("slate", "policy.popular.learn").n_unique() == 4
    one = rm.run(scenario, data=data, settings={"replications": 2, "slate": 4, "policy.popular.learn": True}).summary
    part = frame.filter((polars.col("slate") == 4) & (polars.col("policy.popular.learn") == "True"))
    assert part.select(list(one.columns)).equals(polars.DataFrame(one))
    with pytest.raises(rm.Error, match="expected a list of values"):
        rm.ray.sweep(scenario, {"slate": 3}, data=data)


def test_users_of_a_mirror_are_sent_to_the_workers(cluster: None, tmp_path: Path) -> None:
    data = rm.Dataset(taste())
    model = rm.fit(data, out=tmp_path / "model", epochs=1, scenes=0)
    path = tmp_path / "shop.toml"
    # The file has users of another kind, with a key of their own.
    path.write_text(SCENARIO.replace("replications = 6", "replications = 3") + 'user = { kind = "parametric", taste = 3 }\n')
    local = rm.run(path, data=data, users=model)
    assert rm.run(path, data=data).digest != local.digest
    assert 'kind = "mirror"' in local.manifest["scenario"]
    for users in (model, model.path):
        assert rm.ray.run(path, data=data, users=users).digest == local.digest
    kinds = rm.ray.sweep(path, {"user.temperature": [1.0, 2.0]}, data=data, users=model, settings={"replications": 1})
    assert len(set(kinds["mean"])) > len(set(rm.run(path, data=data, users=model, settings={"replications": 1}).summary["mean"]))


def test_users_of_python_answer_in_the_workers(cluster: None, scenario: Path) -> None:
    data = rm.Dataset(table())
    local = rm.run(scenario, data=data, users=Likes(7))
    assert rm.ray.run(scenario, data=data, users=Likes(7)).digest == local.digest
    assert rm.ray.run(scenario, data=data, users=Likes(8)).digest != local.digest


def test_a_space_takes_samplers_of_ray_tune(cluster: None, scenario: Path) -> None:
    tune = pytest.importorskip("ray.tune", exc_type=ImportError, reason="Ray Tune needs pydantic")
    data, settings = rm.Dataset(table()), {"replications": 1, "ticks": 2}
    space = {
        "user.temperature": tune.uniform(0.5, 2.0),
        "population.users": tune.randint(20, 60),
        "slate": tune.grid_search([2, 3]),
        "policy.popular.learn": tune.choice([True, False]),
    }
    found = polars.DataFrame(rm.ray.sweep(scenario, space, samples=2, seed=5, data=data, settings=settings))
    points = found.select(list(space)).unique()
    assert len(points) == 4 and set(points["slate"]) == {2, 3} and points["user.temperature"].n_unique() == 4
    assert points["user.temperature"].is_between(0.5, 2.0).all() and points["population.users"].is_between(20, 59).all()
    again = polars.DataFrame(rm.ray.sweep(scenario, space, samples=2, seed=5, data=data, settings=settings))
    assert again.equals(found), "the seed decides what is drawn"
    other = polars.DataFrame(rm.ray.sweep(scenario, space, samples=2, seed=6, data=data, settings=settings))
    assert set(other["user.temperature"]) != set(found["user.temperature"])


class Drawn:
    """A sampler with the method of those of Ray Tune."""

    def sample(self, random_state: np.random.RandomState) -> float:
        return float(random_state.uniform(0.5, 2.0))


def test_a_space_takes_samplers(cluster: None, scenario: Path) -> None:
    data, settings = rm.Dataset(table()), {"replications": 1, "ticks": 2}
    space = {"user.temperature": Drawn(), "slate": {"grid_search": [2, 3]}}
    tables = [
        polars.DataFrame(rm.ray.sweep(scenario, space, samples=2, seed=seed, data=data, settings=settings))
        for seed in (5, 5, 6)
    ]
    assert len(tables[0].select("slate", "user.temperature").unique()) == 4
    assert tables[0].equals(tables[1]), "the seed decides what is drawn"
    assert set(tables[0]["user.temperature"]).isdisjoint(tables[2]["user.temperature"])
    with pytest.raises(rm.Error, match="expected a list of values, or a sampler"):
        rm.ray.sweep(scenario, {"slate": object()}, data=data)
