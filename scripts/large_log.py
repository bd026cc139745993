#!/usr/bin/env python3
"""Writes a log of any size, to measure time and memory: `large_log.py FOLDER --rows 10000000`.

Users have one of some tastes and take items of it more often than others; items follow Zipf's law; lengths of histories are
log-normal. The same arguments give the same bytes. `interactions.csv` has users, items, ratings from 1 to 5 and times in
seconds, `items.csv` a category and a price of each item, `users.csv` a country of each user.
"""

import argparse
import bisect
import itertools
import math
import random
from pathlib import Path

TASTES = 40
OWN_SHARE = 0.6  # of what a user takes is of the user's taste
START = 1_500_000_000
DAY = 86_400


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--users", type=int, default=150_000)
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def lengths(draw: random.Random, users: int, rows: int, items: int) -> list[int]:
    """Rows of each user: log-normal, at least 2, at most a fifth of the items, about `rows` together."""
    raw = [math.exp(draw.gauss(0.0, 1.0)) for _ in range(users)]
    factor = rows / sum(raw)
    return [min(max(round(one * factor), 2), items // 5) for one in raw]


class Zipf:
    """Items of a list by Zipf's law, in the order of the list."""

    def __init__(self, items: list[int]):
        self.items = items
        self.bounds = list(itertools.accumulate(1.0 / (rank + 10.0) ** 0.9 for rank in range(len(items))))

    def draw(self, draw: random.Random) -> int:
        return self.items[bisect.bisect(self.bounds, draw.random() * self.bounds[-1])]


def main() -> None:
    asked = arguments()
    draw = random.Random(asked.seed)
    asked.folder.mkdir(parents=True, exist_ok=True)
    order = list(range(asked.items))
    draw.shuffle(order)
    taste_of = [draw.randrange(TASTES) for _ in order]
    everything = Zipf(order)
    own = [Zipf([item for item in order if taste_of[item] == taste]) for taste in range(TASTES)]
    with open(asked.folder / "items.csv", "w", encoding="utf-8") as out:
        out.write("item,category,price\n")
        out.writelines(f"i{item},c{taste_of[item]},{draw.uniform(1, 100):.2f}\n" for item in range(asked.items))
    with (
        open(asked.folder / "users.csv", "w", encoding="utf-8") as users,
        open(asked.folder / "interactions.csv", "w", encoding="utf-8") as rows,
    ):
        users.write("user,country\n")
        rows.write("user,item,rating,timestamp\n")
        for user, length in enumerate(lengths(draw, asked.users, asked.rows, asked.items)):
            taste = draw.randrange(TASTES)
            users.write(f"u{user},country {taste % 7}\n")
            time, taken = START + draw.randrange(300 * DAY), set()
            while len(taken) < length:
                is_own = draw.random() < OWN_SHARE
                item = (own[taste] if is_own else everything).draw(draw)
                if item in taken:
                    if draw.random() < 0.02:
                        length -= 1  # a user who has nearly all items of a taste stops sooner
                    continue
                taken.add(item)
                time += draw.randrange(1, DAY)
                liked = 1 if taste_of[item] == taste else 0
                rating = min(max(round(draw.gauss(3.0 + liked, 1.0)), 1), 5)
                rows.write(f"u{user},i{item},{rating},{time}\n")


if __name__ == "__main__":
    main()
