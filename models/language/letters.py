"""What a language model likes of a place in a list, from what it said to many lists: `letters.toml` of its folder.

    recmirror align models/lm ROTATED_TRAINING_SCENES --quick --out ANSWERED
    python letters.py ANSWERED/answers.jsonl --unseen UNSEEN/answers.jsonl --out models/lm-adapter/letters.toml

Both are answers of a model without `letters.toml`: of another one's nothing is left to measure. Where each list is there in
all its rotations (`models/train/unseen.py --rotated`), or many stand in random order, the mean logarithm of the probability
should be the same at each place; what a place has more than the others is the model's liking for its letter, which recmirror
takes away. What people really took is not looked at for that.

`--unseen` has answers to lists from before the held-out part that the model was not trained on (`models/train/unseen.py`):
the temperature that makes what people took there most likely (Guo et al. 2017) says how much less sure the model should be.
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
#: A model that should be this much less sure, or more, has learned something else.
MOST_TEMPERATURE = 10.0


def read(path: Path, model: str | None) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """For each number of items the logarithms `[lists, items]`, those of a list centred, and the places of what was taken."""
    found: dict[int, list[tuple[np.ndarray, int]]] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            row = json.loads(line)
            items, said = len(row["items"]), row["probabilities"]
            name = next(iter(said)) if model is None else model
            logs = np.log(np.maximum(np.array(said[name][:items], dtype=float), LEAST))
            if logs.shape != (items,) or not np.isfinite(logs).all():
                raise ValueError("as many probabilities as items are needed")
            place = int(row["item_pos"])
            if not 0 <= place < items:
                raise ValueError(f"item_pos is {place}, of {items} items")
        except (KeyError, TypeError, ValueError, StopIteration) as problem:
            raise ValueError(f"{path}:{number}: not an answer of `{model or 'a model'}`: {problem!r}") from problem
        found.setdefault(items, []).append((logs - logs.mean(), place))
    tables = ((items, zip(*rows, strict=True)) for items, rows in sorted(found.items()))
    return {items: (np.stack(logs), np.array(places)) for items, (logs, places) in tables}


def loss(lists: list[tuple[np.ndarray, np.ndarray]], temperature: float) -> float:
    """The mean log loss of what was taken, nats."""
    losses = []
    for logs, places in lists:
        scaled = logs / temperature
        losses.append(np.logaddexp.reduce(scaled, axis=1) - scaled[np.arange(len(places)), places])
    return float(np.concatenate(losses).mean())


def best_temperature(lists: list[tuple[np.ndarray, np.ndarray]]) -> float:
    """The temperature of the least log loss. The loss is convex in its inverse: a ternary search finds it."""
    low, high = 1 / MOST_TEMPERATURE, MOST_TEMPERATURE
    for _ in range(100):
        left, right = low + (high - low) / 3, high - (high - low) / 3
        if loss(lists, 1 / left) < loss(lists, 1 / right):
            high = right
        else:
            low = left
    return 2 / (low + high)


def text(answers: dict[int, tuple[np.ndarray, np.ndarray]], unseen: dict[int, tuple[np.ndarray, np.ndarray]]) -> str:
    """`letters.toml`."""
    lines, likings = [], {}
    for items, (rows, _) in answers.items():
        if len(rows) < FEWEST or items < 2:
            print(f"lists of {items} items: {len(rows)}, too few")
            continue
        liking, errors = rows.mean(0), rows.std(0, ddof=1) / len(rows) ** 0.5
        print(f"lists of {items} items: {len(rows)}, liking", ", ".join(f"{a:+.3f} ± {b:.3f}" for a, b in zip(liking, errors)))
        lines += ["[[list]]", f"lists = {len(rows)}", f"liking = [{', '.join(f'{value:.4f}' for value in liking)}]", ""]
        likings[items] = liking
    if not lines:
        raise ValueError(f"no length has {FEWEST} lists")
    above = ["# How much higher the logarithm of a place's probability is than it should be, whatever stands there.", ""]
    if unseen:
        lists = [(logs - likings.get(items, 0.0), places) for items, (logs, places) in unseen.items()]
        count = sum(len(places) for _, places in lists)
        if count < FEWEST:
            raise ValueError(f"{count} unseen lists are too few for a temperature; {FEWEST} are the fewest")
        temperature = best_temperature(lists)
        print(f"{count} unseen lists: log loss {loss(lists, 1.0):.4f}, at temperature {temperature:.3f} {loss(lists, temperature):.4f}")
        above = ["# What the logarithms of all letters are then divided by.", f"temperature = {temperature:.3f}", "", *above]
    return "\n".join([*above, *lines[:-1]]) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description="Writes what a language model likes of places in lists.")
    parser.add_argument("answers", type=Path, help="`answers.jsonl` of `recmirror align`")
    parser.add_argument("--unseen", type=Path, help="`answers.jsonl` about lists that it was not trained on: fits a temperature")
    parser.add_argument("--model", help="whose answers, where several models answered")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    try:
        unseen = read(arguments.unseen, arguments.model) if arguments.unseen else {}
        written = text(read(arguments.answers, arguments.model), unseen)
        partial = arguments.out.with_name(f".{arguments.out.name}.partial")
        partial.write_text(written, encoding="utf-8")
        partial.replace(arguments.out)
    except (OSError, ValueError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
