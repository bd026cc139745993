#!/usr/bin/env python3
"""A policy outside of recmirror: what people who took the same items took besides.

Needs Python alone. `recmirror` starts it and speaks the protocol of `src/policy/external/mod.rs`: one line of JSON in,
one line out. A scenario names it so:

    [[policy]]
    kind = "external"
    name = "together"
    command = ["python3", "external_policy.py"]
    folder = "../examples"

Write your own by keeping `serve` and replacing `Together`.
"""

import json
import sys


class Together:
    """Counts how often two items are in one history; the score of an item is its count with the user's latest ones."""

    LATEST = 20

    def __init__(self, start):
        self.items = len(start["items"])
        self.counts = [{} for _ in range(self.items)]
        self.popularity = [0] * self.items
        logged = []
        for history in start["log"]:
            items = [item for item, _rating, _time in history]
            logged.append(items)
            for place, item in enumerate(items):
                self.add(items[:place], item)
        self.histories = [list(logged[source]) for source in start["users"]]

    def add(self, before, item):
        """Counts `item` together with the latest of those that came before it."""
        self.popularity[item] += 1
        for other in before[-self.LATEST :]:
            if other != item:
                self.counts[other][item] = self.counts[other].get(item, 0) + 1
                self.counts[item][other] = self.counts[item].get(other, 0) + 1

    def recommend(self, tick, slate, users, blocked):
        slates, scores = [], []
        for user, forbidden in zip(users, map(set, blocked)):
            # Popularity only decides between items that are equal otherwise.
            total = 1 + sum(self.popularity)
            score = [count / total for count in self.popularity]
            for item in self.histories[user][-self.LATEST :]:
                for other, count in self.counts[item].items():
                    score[other] += count
            candidates = [item for item in range(self.items) if item not in forbidden]
            best = sorted(candidates, key=lambda item: (-score[item], item))[:slate]
            slates.append(best)
            scores.append([score[item] for item in best])
        # Nothing is drawn: every slate has propensity 1.
        return {"slates": slates, "scores": scores, "propensities": [[1.0] * len(best) for best in slates]}

    def observe(self, tick, users, slates, accepted, ratings):
        for user, shown, slot in zip(users, slates, accepted):
            if slot is not None:
                self.add(self.histories[user], shown[slot])
                self.histories[user].append(shown[slot])


def serve(make):
    """Answers until standard input ends; `make` gets the first message and gives the policy."""
    policy = None
    for line in sys.stdin:
        message = json.loads(line)
        kind = message.pop("type")
        if kind == "start":
            if message["protocol"] != 2:
                raise SystemExit(f"this program speaks protocol 2, recmirror {message['protocol']}")
            policy, answer = make(message), {"type": "ready"}
        elif kind == "recommend":
            answer = {"type": "slates", **policy.recommend(**message)}
        elif kind == "observe":
            policy.observe(**message)
            answer = {"type": "observed"}
        else:
            answer = {"type": "error", "message": f"unknown message `{kind}`"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    serve(Together)
