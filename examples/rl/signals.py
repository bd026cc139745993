"""What the agent knows of a user and an item: tastes, what was shown, what others took.

Nothing here is of the user model: histories, slates and responses are all that a recommender has. One object serves a whole
population; training and `Agent` share it, so that an agent sees in an experiment what it saw while it learned.
"""

from __future__ import annotations

from typing import Any

import numpy as np

# Memory of what was shown, in steps at which half is forgotten.
HALF_LIVES = (3.0, 12.0)

# Weights of the agent: taste, latest taste, shown lately (twice), popularity, taken by others, little known, taken before.
NAMES = ("taste", "latest", "shown_fast", "shown_slow", "popularity", "taken", "unknown", "repeat")
WEIGHTS = len(NAMES)

# Numbers of a user's state.
STATE = 9


class Signals:
    def __init__(self, users: int, categories: np.ndarray, popularity: np.ndarray, horizon: int) -> None:
        norm = np.maximum(np.linalg.norm(categories, axis=1, keepdims=True), 1e-6)
        self.categories = (categories / norm).astype(np.float32)
        self.popularity = (popularity / max(popularity.max(), 1e-6)).astype(np.float32)
        self.horizon = horizon
        items, width = categories.shape
        self.shown = np.zeros((len(HALF_LIVES), users, width), dtype=np.float32)
        self.repeat = np.zeros((users, items), dtype=bool)
        self.item_shown = np.zeros(items, dtype=np.float32)
        self.item_taken = np.zeros(items, dtype=np.float32)
        self.visits = np.zeros(users, dtype=np.float32)
        self.accepted = np.zeros(users, dtype=np.float32)
        self.latest = np.zeros(users, dtype=np.float32)
        self.step = 0

    def _taste(self, history: np.ndarray, ratings: np.ndarray, last: int) -> np.ndarray:
        history, ratings = history[:, -last:], ratings[:, -last:]
        weight = np.where(history >= 0, np.where(ratings > 0, ratings - 2.5, 1.0), 0.0).astype(np.float32)
        taste = np.einsum("nh,nhc->nc", weight, self.categories[np.maximum(history, 0)])
        return taste / np.maximum(np.linalg.norm(taste, axis=1, keepdims=True), 1e-6)

    def observe(self, users: np.ndarray, history: np.ndarray, ratings: np.ndarray) -> dict[str, np.ndarray]:
        """What is needed for the states and scores of these users. Histories are the newest 20 items, oldest first, padded
        with -1 at the end."""
        length = (history >= 0).sum(axis=1)
        # The newest items last, whatever the padding.
        order = (np.arange(history.shape[1]) + length[:, None]) % history.shape[1]
        history, ratings = np.take_along_axis(history, order, 1), np.take_along_axis(np.nan_to_num(ratings), order, 1)
        taste, latest = self._taste(history, ratings, 20), self._taste(history, ratings, 5)
        shown = self.shown[:, users]
        rate = self.accepted[users] / np.maximum(self.visits[users], 1.0)
        state = np.stack(
            [
                np.full(len(users), self.step / self.horizon, dtype=np.float32),
                rate,
                self.latest[users],
                np.log1p(self.visits[users]) / 4,
                length / 20,
                shown[0].max(axis=1),
                shown[1].max(axis=1) / 4,
                (shown[0] * taste).sum(axis=1),
                (shown[1] * taste).sum(axis=1) / 4,
            ],
            axis=1,
        ).astype(np.float32)
        return {"users": users, "state": state, "taste": taste, "latest": latest, "shown": shown}

    def scores(self, seen: dict[str, np.ndarray], weights: np.ndarray) -> np.ndarray:
        """Scores `[n, items]` for weights `[n, WEIGHTS]`."""
        wanted = (
            weights[:, 0:1] * seen["taste"]
            + weights[:, 1:2] * seen["latest"]
            - weights[:, 2:3] * seen["shown"][0]
            - weights[:, 3:4] * seen["shown"][1] / 4
        )
        known = self.item_shown + 4.0
        taken = (self.item_taken + 1.0) / known
        items = np.stack([self.popularity, taken, 1.0 / np.sqrt(known)])
        found = wanted @ self.categories.T + weights[:, 4:7] @ items
        return found + weights[:, 7:8] * self.repeat[seen["users"]]

    def learn(self, users: np.ndarray, slates: np.ndarray, taken: np.ndarray) -> None:
        """Takes note of a step: who was shown what, and which item each took (-1 for none)."""
        for place, half_life in enumerate(HALF_LIVES):
            self.shown[place] *= 2.0 ** (-1.0 / half_life)
            share = self.categories[np.maximum(slates, 0)] * (slates >= 0)[:, :, None] / slates.shape[1]
            self.shown[place][users] += share.sum(axis=1)
        np.add.at(self.item_shown, slates[slates >= 0], 1)
        rows = taken >= 0
        np.add.at(self.item_taken, taken[rows], 1)
        self.repeat[users[rows], taken[rows]] = True
        self.visits[users] += 1
        self.accepted[users] += rows
        self.latest[users] = rows
        self.step += 1


def categories_of(data: Any) -> np.ndarray:
    """The categories of items as 0 and 1, without numbers, words and what is missing."""
    features, names = data.item_features()
    kept = [place for place, name in enumerate(names) if "=" in name and not name.endswith(("=(missing)", "=(other)"))]
    return features[:, kept]
