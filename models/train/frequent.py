"""Makes the log of a project one that a small model can learn: items that are taken often, and times where it has none.

    python frequent.py --project P --name DATASET --least 20

It rewrites `P/raws/DATASET_*.jsonl`. Items with fewer than `--least` interactions go, with their interactions and
with users who have none left. A user's interactions in a log without any times get times in the order of the file, by
the share of the user's sequence that is over, after every release: the stages that follow need times. A second call
changes nothing.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

import teacher

#: The first of the times that are made, in seconds, later than any release, and how many seconds the sequences last.
START, SPAN = 2_000_000_000, 10_000_000


def timed(rows: list[dict]) -> list[dict]:
    """Rows of a log without any times get some; others stay as they are."""
    if any(row["timestamp"] is not None for row in rows):
        return rows
    lengths, places = Counter(row["user_id"] for row in rows), Counter()
    made = []
    for row in rows:
        user = row["user_id"]
        made.append(row | {"timestamp": START + SPAN * places[user] // lengths[user]})
        places[user] += 1
    return made


def frequent(rows: list[dict], least: int) -> list[dict]:
    """The interactions with items that have at least `least` of them."""
    uses = Counter(row["item_id"] for row in rows)
    return [row for row in rows if uses[row["item_id"]] >= least]


def kept(rows: list[dict], key: str, log: list[dict]) -> list[dict]:
    """The rows of users or items that the log names."""
    named = {row[key] for row in log}
    return [row for row in rows if row[key] in named]


def main() -> int:
    parser = argparse.ArgumentParser(description="Keeps the items of a project that are taken often.")
    parser.add_argument("--project", type=Path, required=True)
    parser.add_argument("--name", required=True, help="the data set")
    parser.add_argument("--least", type=int, default=0, help="interactions that an item must have")
    arguments = parser.parse_args()
    raws = arguments.project / "raws"
    try:
        log = teacher.read(raws / f"{arguments.name}_interaction.jsonl")
        left = timed(frequent(log, arguments.least))
        if not left:
            raise ValueError(f"{raws}: no item has {arguments.least} interactions; lower --least")
        for key, kind in [("item_id", "item"), ("user_id", "user")]:
            path = raws / f"{arguments.name}_{kind}_feature.jsonl"
            if path.is_file():
                teacher.write(path, kept(teacher.read(path), key, left))
        teacher.write(raws / f"{arguments.name}_interaction.jsonl", left)
    except (OSError, KeyError, TypeError, ValueError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    items, users = (len({row[key] for row in left}) for key in ("item_id", "user_id"))
    print(f"{raws}: {len(left)} of {len(log)} interactions, {items} items, {users} users")
    return 0


if __name__ == "__main__":
    sys.exit(main())
