"""Models of other libraries as policies: `implicit`, RecTools, and anything that scores pairs of users and items.

    import implicit, recmirror as rm
    from recmirror.adapters import Implicit

    rm.run("scenarios/movielens.toml", policies={"als": Implicit(implicit.als.AlternatingLeastSquares(factors=32))})

Each is fitted to the log before the start, once a replication. `retrain_every` fits it again so many steps later, to the log
and everything that its users have accepted since.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._native import Log, Observation, Outcome, PolicyError

# What implicit and RecTools are asked for besides the slate and what a user has: what is not on offer is left out of it.
SPARE = 50


class _Learner:
    """The common part of the adapters: the log, and items accepted since."""

    def __init__(self, retrain_every: int = 0) -> None:
        self.retrain_every = retrain_every
        self.log: Log | None = None
        self._since: list[tuple[NDArray[Any], NDArray[Any], NDArray[Any], int]] = []
        self._steps = 0

    def fit(self, log: Log) -> None:
        """Learns from the log before the start."""
        self.log = log
        self._train()

    def observe(self, outcome: Outcome) -> None:
        """Learns from accepted items."""
        rows = outcome.accepted >= 0
        self._since.append((outcome.users[rows], outcome.accepted_items[rows], outcome.ratings[rows], outcome.step))
        self._steps += 1
        self._took(outcome.users[rows], outcome.accepted_items[rows])
        if self.retrain_every and self._steps % self.retrain_every == 0:
            self._train()

    def _known(self) -> Log:
        if self.log is None:
            raise PolicyError("the policy has no log; run it in an experiment, or call fit(log) first")
        return self.log

    def _rows(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Everything to learn from: rows of the log's users, then of simulated users, numbered after them."""
        log = self._known()
        users = [log.users.astype(np.int64), *(log.n_users + part[0].astype(np.int64) for part in self._since)]
        items = [log.items.astype(np.int64), *(part[1] for part in self._since)]
        ratings = [log.ratings, *(part[2] for part in self._since)]
        return np.concatenate(users), np.concatenate(items), np.concatenate(ratings)

    def _train(self) -> None:
        raise NotImplementedError

    def _took(self, users: NDArray[Any], items: NDArray[Any]) -> None:
        """Receives accepted items."""


class _Histories:
    """The items of each simulated user, the log's included, as a sparse matrix."""

    def __init__(self, log: Log) -> None:
        from scipy import sparse  # type: ignore[import-untyped, unused-ignore]

        self._sparse = sparse
        ones = np.ones(len(log), dtype=np.float32)
        shape = (log.n_users, log.n_items)
        before = sparse.csr_matrix((ones, (log.users, log.items)), shape=shape)[log.sources]
        before.data[:] = 1
        self.matrix = before.tocsr()

    def add(self, users: NDArray[Any], items: NDArray[Any]) -> None:
        if len(users):
            more = self._sparse.csr_matrix((np.ones(len(users), np.float32), (users, items)), shape=self.matrix.shape)
            self.matrix = self.matrix.maximum(more).tocsr()


class Implicit(_Learner):
    """A model of `implicit`, or anything with its `fit(user_items)` and `recommend(userid, user_items, N, ...)`.

    Users are folded in: what they accepted since counts at once, without training again (`recalculate_user`).
    """

    def __init__(self, model: Any, *, retrain_every: int = 0, fold_in: bool = True) -> None:
        super().__init__(retrain_every)
        self.model, self.fold_in = model, fold_in
        self._histories: _Histories | None = None

    def _train(self) -> None:
        log = self._known()
        if self._histories is None:
            self._histories = _Histories(log)
        from scipy import sparse

        users, items, _ = self._rows()
        shape = (log.n_users + len(log.sources), log.n_items)
        rows = sparse.csr_matrix((np.ones(len(users), dtype=np.float32), (users, items)), shape=shape)
        self.model.fit(rows, show_progress=False)

    def _took(self, users: NDArray[Any], items: NDArray[Any]) -> None:
        if self._histories is not None:
            self._histories.add(users, items)

    def recommend(self, observation: Observation) -> NDArray[np.float32]:
        """Scores of all items, those that the model does not name last."""
        log = self._known()
        assert self._histories is not None
        rows = self._histories.matrix[observation.users]
        asked = min(log.n_items, observation.slate + SPARE + int(rows.getnnz(axis=1).max(initial=0)))
        options: dict[str, Any] = {"recalculate_user": True} if self.fold_in else {}
        users = np.arange(len(observation)) if self.fold_in else log.sources[observation.users].astype(np.int64)
        items, scores = self.model.recommend(users, rows, N=asked, filter_already_liked_items=False, **options)
        found = np.full((len(observation), log.n_items), -np.inf, dtype=np.float32)
        place = np.broadcast_to(np.arange(len(observation))[:, None], np.shape(items))
        known = (items >= 0) & np.isfinite(scores)
        found[place[known], items[known]] = scores[known]
        return found


class RecTools(_Learner):
    """A model of RecTools: `fit(dataset)` and `recommend(users, dataset, k, filter_viewed)`.

    Users of the log are recommended to by their own rows; what they accepted since counts when it trains again.
    """

    def __init__(self, model: Any, *, retrain_every: int = 0) -> None:
        super().__init__(retrain_every)
        self.model = model
        self._dataset: Any = None

    def _train(self) -> None:
        import pandas  # type: ignore[import-untyped, unused-ignore]
        from rectools import Columns  # type: ignore[import-not-found, unused-ignore]
        from rectools.dataset import Dataset  # type: ignore[import-not-found, unused-ignore]

        log = self._known()
        # Each simulated user begins with the rows of the log's user whom it mirrors.
        users, items, ratings = [], [], []
        rows = np.searchsorted(log.users, np.arange(log.n_users + 1))
        for user, source in enumerate(log.sources):
            part = slice(rows[source], rows[source + 1])
            users.append(np.full(part.stop - part.start, user))
            items.append(log.items[part].astype(np.int64))
            ratings.append(log.ratings[part])
        for taken in self._since:
            users.append(taken[0].astype(np.int64))
            items.append(taken[1])
            ratings.append(taken[2])
        frame = pandas.DataFrame(
            {
                Columns.User: np.concatenate(users),
                Columns.Item: np.concatenate(items),
                Columns.Weight: np.nan_to_num(np.concatenate(ratings), nan=1.0).astype(float),
            }
        )
        frame[Columns.Datetime] = pandas.Timestamp("2000-01-01")
        self._dataset = Dataset.construct(frame)
        self.model.fit(self._dataset)

    def recommend(self, observation: Observation) -> NDArray[np.float32]:
        """Scores of all items, those that the model does not name last."""
        log = self._known()
        known = np.intersect1d(observation.users.astype(np.int64), self._dataset.user_id_map.external_ids)
        asked = min(log.n_items, observation.slate + SPARE)
        found = np.full((len(observation), log.n_items), -np.inf, dtype=np.float32)
        if len(known):
            found_rows = self.model.recommend(known, self._dataset, k=asked, filter_viewed=True)
            rows = np.searchsorted(observation.users, found_rows["user_id"].to_numpy())
            # Ranks and not scores: these may be of any kind.
            found[rows, found_rows["item_id"].to_numpy().astype(np.int64)] = -found_rows["rank"].to_numpy(dtype=np.float32)
        return found


class PairScorer(_Learner):
    """Any model that scores rows of numbers: an estimator of scikit-learn, a module of torch, a function.

    A row is what a user liked so far (the mean of its items' features), the item's features, and their product. An estimator
    with `fit(rows, labels)` learns to tell the log's rows from random items; `score` is then its probability of the
    label 1. Something that is only called, like a module of torch, was trained before and gives a number for each row.
    """

    def __init__(self, model: Any, item_features: NDArray[Any], *, negatives: int = 2, retrain_every: int = 0) -> None:
        super().__init__(retrain_every)
        self.model, self.negatives = model, negatives
        features = np.asarray(item_features, dtype=np.float32)
        self.features = np.hstack([features, np.ones((len(features), 1), dtype=np.float32)])
        self._sums: NDArray[Any] | None = None

    def _train(self) -> None:
        log = self._known()
        if self._sums is None:
            sums = np.zeros((log.n_users, self.features.shape[1]), dtype=np.float32)
            np.add.at(sums, log.users, self.features[log.items])
            self._sums = sums[log.sources]
        if not hasattr(self.model, "fit"):
            return
        users, items, _ = self._rows()
        sums = np.zeros((log.n_users + len(log.sources), self.features.shape[1]), dtype=np.float32)
        np.add.at(sums, users, self.features[items])
        random = np.random.default_rng(len(users))
        others = random.integers(0, log.n_items, size=self.negatives * len(users))
        # What a user liked besides the item itself: else its own features would give a row of the log away.
        liked = _normalised(sums[users] - self.features[items])
        rows = np.vstack([self._pairs(liked, items), self._pairs(np.tile(liked, (self.negatives, 1)), others)])
        self.model.fit(rows, np.repeat([1, 0], [len(users), len(others)]))

    def _pairs(self, liked: NDArray[Any], items: NDArray[Any]) -> NDArray[Any]:
        fields = self.features[items]
        return np.hstack([liked, fields, liked * fields])

    def _took(self, users: NDArray[Any], items: NDArray[Any]) -> None:
        if self._sums is not None:
            np.add.at(self._sums, users, self.features[items])

    def recommend(self, observation: Observation) -> NDArray[np.float32]:
        """Scores of all items."""
        assert self._sums is not None
        liked = _normalised(self._sums[observation.users])
        items = np.arange(len(self.features))
        rows = np.vstack([self._pairs(np.tile(one, (len(items), 1)), items) for one in liked])
        return self._score(rows).reshape(len(observation), len(items))

    def _score(self, rows: NDArray[Any]) -> NDArray[np.float32]:
        if hasattr(self.model, "predict_proba"):
            scores = self.model.predict_proba(rows)[:, -1]
        elif hasattr(self.model, "decision_function"):
            scores = self.model.decision_function(rows)
        elif hasattr(self.model, "predict"):
            scores = self.model.predict(rows)
        else:
            scores = self._call(rows)
        return np.asarray(scores, dtype=np.float32)

    def _call(self, rows: NDArray[Any]) -> Any:
        if not hasattr(self.model, "parameters"):
            return self.model(rows)
        import torch  # type: ignore[import-not-found, unused-ignore]

        with torch.no_grad():
            return self.model(torch.as_tensor(rows)).reshape(len(rows)).cpu().numpy()


def _normalised(sums: NDArray[Any]) -> NDArray[Any]:
    """Sums of features by their last column, which counts them."""
    return np.asarray(sums / np.maximum(sums[:, -1:], 1.0))
