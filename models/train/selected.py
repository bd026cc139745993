"""The scenes of the pairs that `recmirror distill` kept, in their order, so that what people did there can be trained.

    python selected.py --pairs P/datasets/NAME_pref.jsonl --scenes P/datasets/DATASET_train.jsonl --out FILE
    recmirror export --project P --task choice --scenes FILE --out ROWS
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import teacher


def key(row: dict) -> tuple[str, str, int | None]:
    """Who took what and when; ids are numbers or texts."""
    return str(row["user_id"]), str(row["item_id"]), row.get("timestamp")


def selected(pairs: list[dict], scenes: list[dict]) -> list[dict]:
    kept = {key(pair) for pair in pairs}
    found = [scene for scene in scenes if key(scene) in kept]
    if len(found) != len(kept):
        raise ValueError(f"{len(kept)} pairs are of {len(found)} of the scenes: the pairs are not of these scenes")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description="Picks the scenes of distilled pairs.")
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--scenes", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    try:
        found = selected(teacher.read(arguments.pairs), teacher.read(arguments.scenes))
        teacher.write(arguments.out, found)
    except (OSError, KeyError, TypeError, ValueError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    print(f"{arguments.out}: {len(found)} scenes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
