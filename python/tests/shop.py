"""Small logs that are made here, and a policy for them."""

from __future__ import annotations

from typing import Any

import numpy as np

import recmirror as rm


def table() -> dict[str, list[Any]]:
    """40 users, 60 items, 600 ratings."""
    rows = range(600)
    return {
        "user_id": [f"u{n % 40}" for n in rows],
        "item_id": [f"i{(n * 7 + n // 40) % 60}" for n in rows],
        "rating": [1.0 + ((n % 40) + (n * 7 + n // 40) % 60) % 5 for n in rows],
        "timestamp": [n * 3_600 for n in rows],
    }


def taste() -> dict[str, list[Any]]:
    """120 users in three groups, each of which prefers a third of 90 items: something to learn."""
    users, items, ratings, times = [], [], [], []
    for user in range(120):
        for step in range(20):
            place = (user * 13 + step * 29 + step * step * 7) % 45
            liked = step % 4 != 3
            items.append(f"i{(user % 3) * 30 + place % 30 if liked else (place * 2) % 90}")
            users.append(f"u{user}")
            ratings.append(5.0 if liked else 1.0)
            times.append(user * 1_000_000 + step * 3_600)
    return {"user_id": users, "item_id": items, "rating": ratings, "timestamp": times}


class Counts:
    """A policy that shows most what was accepted most."""

    def __init__(self) -> None:
        self.counts = np.zeros(60)

    def recommend(self, observation: rm.Observation) -> np.ndarray:
        return np.tile(self.counts.astype(np.float32), (len(observation), 1))

    def observe(self, outcome: rm.Outcome) -> None:
        np.add.at(self.counts, outcome.accepted_items[outcome.accepted >= 0], 1)


class Likes:
    """Users who take items whose number is a multiple of `each`."""

    def __init__(self, each: int) -> None:
        self.each = each

    def respond(self, scenes: rm.Scenes) -> np.ndarray:
        liked = np.where(scenes.items % self.each == 0, 3.0, -3.0)
        return np.hstack([liked, np.zeros((len(liked), 1))])
