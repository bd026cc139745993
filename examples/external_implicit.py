#!/usr/bin/env python3
"""A policy that wraps the library `implicit`: alternating least squares, trained anew every few ticks.

    python3 -m venv venv && venv/bin/pip install implicit==0.7.3 numpy==2.4.6 scipy==1.17.1

    [[policy]]
    kind = "external"
    name = "implicit"
    command = ["venv/bin/python", "external_implicit.py"]
    folder = "../examples"

One thread and a fixed seed: the same run gives the same slates. The protocol is that of `external_policy.py`.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import scipy.sparse as sparse
from implicit.als import AlternatingLeastSquares

from external_policy import serve


class Implicit:
    RETRAIN_EVERY = 10

    def __init__(self, start):
        self.items = len(start["items"])
        self.seed = start["seed"] % 2**31
        logged = [[item for item, _rating, _time in history] for history in start["log"]]
        self.histories = [list(logged[source]) for source in start["users"]]
        self.train()

    def matrix(self):
        rows = [row for row, items in enumerate(self.histories) for _ in set(items)]
        columns = [item for items in self.histories for item in sorted(set(items))]
        shape = (len(self.histories), self.items)
        return sparse.csr_matrix((np.ones(len(rows), dtype=np.float32), (rows, columns)), shape=shape)

    def train(self):
        self.model = AlternatingLeastSquares(
            factors=32, regularization=5.0, alpha=1.0, iterations=10, num_threads=1, random_state=self.seed
        )
        self.model.fit(self.matrix(), show_progress=False)

    def recommend(self, tick, slate, users, blocked):
        # Users are folded in with what they have now, not with what they had at the last training.
        vectors = self.model.recalculate_user(np.array(users), self.matrix()[users])
        scores = vectors @ self.model.item_factors.T
        for row, forbidden in enumerate(blocked):
            scores[row, forbidden] = -np.inf
        order = np.argsort(-scores, axis=1, kind="stable")[:, :slate]
        lists = [[int(item) for item in row if scores[place, item] > -np.inf] for place, row in enumerate(order)]
        return {
            "slates": lists,
            "scores": [[float(scores[row, item]) for item in items] for row, items in enumerate(lists)],
            "propensities": [[1.0] * len(items) for items in lists],
        }

    def observe(self, tick, users, slates, accepted, ratings):
        for user, shown, slot in zip(users, slates, accepted):
            if slot is not None:
                self.histories[user].append(shown[slot])
        if (tick + 1) % self.RETRAIN_EVERY == 0:
            self.train()


if __name__ == "__main__":
    serve(Implicit)
