"""What a language model likes of a place in a list, from what it said to many lists: `letters.toml` of its folder.

    recmirror align models/lm TRAINING_SCENES... --quick --out ANSWERED
    python letters.py ANSWERED/answers.jsonl --out models/lm-adapter/letters.toml

Lists stand in random order, so the mean logarithm of the probability should be the same at each place; what a place has more
than the others is the model's liking for its letter, which recmirror takes away. What people really took is not looked at.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

#: Fewer lists of a length than this say too little.
FEWEST = 200
#: A probability below this is as good as none: a server does not tell all of them.
LEAST = 1e-9


def read(path: Path, model: str | None) -> dict[int, np.ndarray]:
    """For each number of items the logarithms `[lists, items]`, those of a list centred."""
    found: dict[int, list[np.ndarray]] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            row = json.loads(line)
            items, said = len(row["items"]), row["probabilities"]
            name = next(iter(said)) if model is None else model
            logs = np.log(np.maximum(np.array(said[name][:items], dtype=float), LEAST))
            if logs.shape != (items,) or not np.isfinite(logs).all():
                raise ValueError("as many probabilities as items are needed")
        except (KeyError, TypeError, ValueError, StopIteration) as problem:
            raise ValueError(f"{path}:{number}: not an answer of `{model or 'a model'}`: {problem!r}") from problem
        found.setdefault(items, []).append(logs - logs.mean())
    return {items: np.stack(rows) for items, rows in sorted(found.items())}


def text(logs: dict[int, np.ndarray]) -> str:
    """`letters.toml`."""
    lines = ["# How much higher the logarithm of a place's probability is than it should be, whatever stands there.", ""]
    for items, rows in logs.items():
        if len(rows) < FEWEST or items < 2:
            print(f"lists of {items} items: {len(rows)}, too few")
            continue
        liking, errors = rows.mean(0), rows.std(0, ddof=1) / len(rows) ** 0.5
        print(f"lists of {items} items: {len(rows)}, liking", ", ".join(f"{a:+.3f} ± {b:.3f}" for a, b in zip(liking, errors)))
        lines += ["[[list]]", f"lists = {len(rows)}", f"liking = [{', '.join(f'{value:.4f}' for value in liking)}]", ""]
    if len(lines) == 2:
        raise ValueError(f"no length has {FEWEST} lists")
    return "\n".join(lines[:-1]) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description="Writes what a language model likes of places in lists.")
    parser.add_argument("answers", type=Path, help="`answers.jsonl` of `recmirror align`")
    parser.add_argument("--model", help="whose answers, where several models answered")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    try:
        written = text(read(arguments.answers, arguments.model))
        partial = arguments.out.with_name(f".{arguments.out.name}.partial")
        partial.write_text(written, encoding="utf-8")
        partial.replace(arguments.out)
    except (OSError, ValueError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
