"""Models of other libraries as policies."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest

import recmirror as rm
from recmirror.adapters import Implicit, PairScorer, RecTools
from shop import taste

SCENARIO = """
data.path = "."
ticks = 6
slate = 5
replications = 2
population.users = 100
user = { kind = "parametric", taste = 8, field = "group" }
policy = [{ kind = "random" }]
"""


@pytest.fixture(scope="module")
def data() -> rm.Dataset:
    items = {"item_id": [f"i{n}" for n in range(90)], "group": [f"g{n // 30}" for n in range(90)]}
    return rm.Dataset(taste(), items)


def lift(tmp_path: Path, data: rm.Dataset, policy: Any) -> float:
    """How much more is accepted than of random slates."""
    scenario = tmp_path / "shop.toml"
    scenario.write_text(SCENARIO)
    result = rm.run(scenario, data=data, policies={"mine": policy})
    assert not result.failures, result.failures
    again = rm.run(scenario, data=data, policies={"mine": policy})
    assert result.digest == again.digest
    means = {row["policy"]: row["mean"] for row in result.summary if row["metric"] == "acceptance_rate"}
    return float(means["mine"] - means["random"])


@pytest.mark.parametrize("name", ["als", "neighbours"])
def test_implicit(tmp_path: Path, data: rm.Dataset, name: str) -> None:
    implicit = pytest.importorskip("implicit")
    models = {
        "als": lambda: implicit.als.AlternatingLeastSquares(factors=8, iterations=5, random_state=1, num_threads=1),
        "neighbours": lambda: implicit.nearest_neighbours.CosineRecommender(K=20, num_threads=1),
    }
    assert lift(tmp_path, data, Implicit(models[name](), retrain_every=3)) > 0.05


def test_scikit_learn(tmp_path: Path, data: rm.Dataset) -> None:
    linear = pytest.importorskip("sklearn.linear_model")
    features, _ = data.item_features()
    assert lift(tmp_path, data, PairScorer(linear.LogisticRegression(max_iter=200), features)) > 0.05


def test_a_function_and_something_like_a_module_of_torch(tmp_path: Path, data: rm.Dataset) -> None:
    features, _ = data.item_features()
    width = features.shape[1] + 1
    assert lift(tmp_path, data, PairScorer(lambda rows: rows[:, 2 * width : 3 * width - 1].sum(axis=1), features)) > 0.05


def test_torch(tmp_path: Path, data: rm.Dataset) -> None:
    torch = pytest.importorskip("torch")
    features, _ = data.item_features()
    module = torch.nn.Linear(3 * (features.shape[1] + 1), 1)
    with torch.no_grad():
        module.weight.zero_()
        module.weight[0, 2 * (features.shape[1] + 1) : -1] = 1
    assert lift(tmp_path, data, PairScorer(module, features)) > 0.05


def test_rectools(tmp_path: Path, data: rm.Dataset) -> None:
    models = pytest.importorskip("rectools.models")
    implicit = pytest.importorskip("implicit")
    model = models.ImplicitItemKNNWrapperModel(implicit.nearest_neighbours.CosineRecommender(K=20, num_threads=1))
    assert lift(tmp_path, data, RecTools(model, retrain_every=3)) > 0.05


class _Columns:
    """The names of columns in RecTools."""

    User, Item, Weight, Datetime, Score, Rank = "user_id", "item_id", "weight", "datetime", "score", "rank"


class _RecToolsDataset:
    """What the adapter uses of RecTools' data set: made of a frame, knows external ids."""

    def __init__(self, frame: Any) -> None:
        assert list(frame) == ["user_id", "item_id", "weight", "datetime"] and frame["weight"].notna().all()
        self.frame = frame
        self.user_id_map = types.SimpleNamespace(external_ids=np.unique(frame["user_id"]))

    construct = classmethod(lambda kind, frame: kind(frame))


class _Group:
    """A model with RecTools' methods: of the group whose items a user has most, what the user has not."""

    def fit(self, dataset: _RecToolsDataset) -> None:
        self.is_fitted = True

    def recommend(self, users: np.ndarray, dataset: _RecToolsDataset, k: int, filter_viewed: bool) -> Any:
        assert self.is_fitted and filter_viewed
        rows = []
        for user in users:
            had = dataset.frame["item_id"][dataset.frame["user_id"] == user].to_numpy()
            group = np.bincount(_group_of[had], minlength=3).argmax()
            found = [item for item in np.flatnonzero(_group_of == group) if item not in set(had)][:k]
            rows += [(user, item, 1.0 / (rank + 1), rank + 1) for rank, item in enumerate(found)]
        return pandas.DataFrame(rows, columns=["user_id", "item_id", "score", "rank"])


_group_of = np.zeros(90, dtype=int)


def test_a_model_with_the_methods_of_rectools(
    tmp_path: Path, data: rm.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    # RecTools needs an older pandas than the other tests; where it is installed, the test above takes the real one.
    monkeypatch.setitem(sys.modules, "rectools", types.SimpleNamespace(Columns=_Columns))
    monkeypatch.setitem(sys.modules, "rectools.dataset", types.SimpleNamespace(Dataset=_RecToolsDataset))
    _group_of[:] = [int(item[1:]) // 30 for item in data.item_ids]
    assert lift(tmp_path, data, RecTools(_Group(), retrain_every=3)) > 0.05


def test_a_policy_without_its_log_says_so(data: rm.Dataset) -> None:
    with pytest.raises(rm.PolicyError, match="call fit"):
        Implicit(None).recommend(rm.Environment(data, steps=1).observation())


def watching() -> tuple[type, list[rm.Log]]:
    """A class of policies, and the logs that they are fitted to."""
    logs: list[rm.Log] = []

    class Watched:
        def fit(self, log: rm.Log) -> None:
            logs.append(log)

        def recommend(self, observation: rm.Observation) -> np.ndarray:
            return np.zeros((len(observation), observation.items), dtype=np.float32)

    return Watched, logs


def test_an_environment_has_the_log_that_an_experiment_gives(tmp_path: Path, data: rm.Dataset) -> None:
    watched, logs = watching()
    scenario = tmp_path / "shop.toml"
    scenario.write_text(SCENARIO)
    result = rm.run(scenario, data=data, policies={"mine": watched}, settings={"replications": 1})
    users = {"user.taste": 8, "user.field": "group"}
    env = rm.Environment(data, population=100, slate=5, steps=6, settings=users)
    env.run(watched)
    given, own = logs
    for name in ("users", "items", "ratings", "times", "sources"):
        assert np.array_equal(getattr(given, name), getattr(own, name), equal_nan=name == "ratings"), name
    assert (given.n_users, given.n_items, given.slate) == (own.n_users, own.n_items, own.slate)
    assert env.digest == next(trial["digest"] for trial in result.manifest["trials"] if trial["policy"] == "mine")
    env.reset(1)
    assert not np.array_equal(env.log().sources, own.sources), "other users"
    assert (env.run(Implicit(_Popular(), fold_in=False)) > 0).any()


class _Popular:
    """A model with the methods of implicit."""

    def fit(self, rows: Any, show_progress: bool) -> None:
        self.scores = np.asarray(rows.sum(axis=0)).ravel()

    def recommend(self, users: np.ndarray, rows: Any, N: int, filter_already_liked_items: bool) -> Any:
        best = np.argsort(-self.scores, kind="stable")[:N]
        return np.tile(best, (len(users), 1)), np.tile(self.scores[best], (len(users), 1))


def test_fit_is_given_the_log_before_the_start(tmp_path: Path, data: rm.Dataset) -> None:
    watched, logs = watching()
    scenario = tmp_path / "shop.toml"
    scenario.write_text(SCENARIO)
    rm.run(scenario, data=data, policies={"mine": watched})
    assert len(logs) == 2
    log = logs[0]
    assert (log.n_users, log.n_items, log.slate, len(log.sources)) == (120, 90, 5, 100)
    assert (np.diff(log.users.astype(int)) >= 0).all() and len(log) < data.interactions
    assert set(np.unique(log.ratings[~np.isnan(log.ratings)])) <= {1, 2, 3, 4, 5}
