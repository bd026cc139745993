"""Puts rows of `teacher.py` that belong to one moment of one person beside each other, for `sft.py` to read them together.

    python moments.py --rows FILE... --kinds 6 --moments 4000 --out FOLDER

The files have other lists for the same moments (`recmirror scenes` with one seed). `FOLDER/all.jsonl` has the moments, drawn
at random, of which at least `--kinds` files tell; `FOLDER/1.jsonl` to `3.jsonl` are thirds of it, for stages that should not
see the same rows again.
"""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path

import teacher

#: Rows of one moment at most: that many are read together.
MOST = 8
PARTS = 3


def moment(row: dict) -> str:
    """What rows of one moment share: profile and history."""
    before, found, _ = row["prompt"][-1]["content"].partition("\nOptions:\n")
    if not found:
        raise ValueError("a row has no line `Options:`; its prompts are not those of models/lm-adapter")
    return before


def together(files: list[list[dict]], kinds: int, moments: int, seed: int) -> list[list[dict]]:
    """The rows of each moment that is drawn."""
    found: dict[str, list[tuple[int, dict]]] = {}
    for kind, rows in enumerate(files):
        for row in rows:
            if "teacher" in row:
                found.setdefault(moment(row), []).append((kind, row))
    often = [rows for rows in found.values() if len({kind for kind, _ in rows}) >= kinds]
    random.Random(seed).shuffle(often)
    return [[row for _, row in rows[:MOST]] for rows in often[:moments]]


def flat(moments: list[list[dict]]) -> list[dict]:
    return [row for rows in moments for row in rows]


def main() -> int:
    parser = argparse.ArgumentParser(description="Puts rows of one moment beside each other.")
    parser.add_argument("--rows", type=Path, nargs="+", required=True)
    parser.add_argument("--kinds", type=int, default=1, help="files that must tell of a moment")
    parser.add_argument("--moments", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    try:
        drawn = together([teacher.read(path) for path in arguments.rows], arguments.kinds, arguments.moments, arguments.seed)
        if len(drawn) < PARTS:
            raise ValueError(f"{len(drawn)} moments stand in at least {arguments.kinds} files; were they made with one seed?")
        arguments.out.mkdir(parents=True, exist_ok=True)
        teacher.write(arguments.out / "all.jsonl", flat(drawn))
        for part in range(PARTS):
            low, high = (len(drawn) * end // PARTS for end in (part, part + 1))
            teacher.write(arguments.out / f"{part + 1}.jsonl", flat(drawn[low:high]))
    except (OSError, KeyError, TypeError, ValueError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    print(f"{arguments.out}: {len(drawn)} moments, {sum(map(len, drawn))} rows")
    return 0


if __name__ == "__main__":
    sys.exit(main())
