"""What a log of co-occurrences knows about rows of `recmirror export --task choice`, written into them for `sft.py`.

    python teacher.py --project P --name DATASET --rows FILE... --out FOLDER

A person's choice says little: one of five. How alike items are, in the eyes of all who took them, says more, and a small
language model learns a choice in far fewer rows when it is told. For each row of `FILE` (of the scenes
`P/datasets/DATASET_train.jsonl`, in their order) `FOLDER/FILE` has the row with a key `teacher`:

- `items`: `[end, item]` of each item that the prompt names, history first: where its text ends in the last message
- `options`: how many of those are options
- `probabilities`: of the options, softmax of `b` x product of the option's vector with the mean vector of the history; `b`
  is the most likely one for what the file's people took. Absent where the list offers to take nothing, of which
  co-occurrence knows nothing.

and `FOLDER/vectors.npz` the items' vectors `[items, DIMENSIONS]`: the leading eigenvectors of the matrix of cosines
between items (item-kNN; Sarwar et al. 2001) times the square root of their eigenvalues, centred, and divided by the fourth
root of their deviation so that the first do not outweigh the others. Only interactions before the first evaluation
scene of any of the projects count, so nothing that is measured is told.

`FOLDER/catalogue.jsonl` has rows without an answer in which every item's text is replaced by that of another, any of the
catalogue: from them a model learns what each title stands for before it learns to choose.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path

import numpy

DIMENSIONS = 16


class Log:
    """What was taken before the evaluation scenes: `past[user]`, `[(time, item)]`, and `vectors` of the items."""

    def __init__(self, projects: list[Path], name: str) -> None:
        """The projects have the same log, and scenes of different kinds."""
        rows = read(projects[0] / "raws" / f"{name}_interaction.jsonl")
        self.texts, before = {}, math.inf
        for project in projects:
            for part in ("train", "eval"):
                for scene in scenes(project / "datasets" / f"{name}_{part}.jsonl"):
                    self.texts |= zip(scene["items"], scene["text"]["action_list"], strict=False)
                    before = min(before, scene["timestamp"]) if part == "eval" else before
        self.items = {item: number for number, item in enumerate(sorted({row["item_id"] for row in rows}))}
        self.names = {self.items[item]: text for item, text in self.texts.items()}
        self.past: dict = {}
        for row in rows:
            if 1000 * row["timestamp"] < before:
                self.past.setdefault(row["user_id"], []).append((1000 * row["timestamp"], row["item_id"]))
        taken = numpy.zeros((len(self.past), len(self.items)), dtype=numpy.float32)
        for number, past in enumerate(self.past.values()):
            taken[number, [self.items[item] for _, item in past]] = 1
        self.vectors = vectors(taken)

    def named(self, scene: dict, line: str):
        """The item that a line of the history tells: of the user's earlier ones that whose text it begins with."""
        past = [item for time, item in self.past.get(scene["user_id"], []) if time < scene["timestamp"]]
        return max(
            (item for item in past if item in self.texts and line.startswith(self.texts[item])),
            key=lambda item: len(self.texts[item]),
            default=None,
        )


def vectors(taken: numpy.ndarray) -> numpy.ndarray:
    """`taken` [users, items], 0 or 1 -> `[items, DIMENSIONS]`."""
    together = taken.T @ taken
    count = numpy.diag(together)
    cosine = together / numpy.sqrt(numpy.outer(count, count)).clip(1)
    numpy.fill_diagonal(cosine, 0)
    values, found = numpy.linalg.eigh(cosine)
    first = numpy.argsort(-values)[:DIMENSIONS]
    found = found[:, first] * numpy.sqrt(values[first].clip(0))
    found -= found.mean(0)
    return (found / found.std(0).clip(1e-6) ** 0.25).astype(numpy.float32)


def read(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write(path: Path, rows: list[dict]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def scenes(path: Path) -> list[dict]:
    found = read(path)
    if not found or "items" not in found[0]:
        raise ValueError(f"{path}: no scenes with `items`; make them again with `recmirror scenes`")
    return found


def ends(content: str, texts: list[str]) -> list[int]:
    """Where each text ends in `content`, one after the other."""
    found, place = [], 0
    for text in texts:
        place = content.index(text, place) + len(text)
        found.append(place)
    return found


def taught(log: Log, scene: dict, row: dict) -> tuple[dict, numpy.ndarray | None]:
    """The row with its items, and the options' affinities; without where nothing of the history is known."""
    lines = [line for line in scene["text"]["history"].split("\n") if line]
    history = [log.named(scene, line) for line in lines]
    if all(item is None for item in history):
        return row, None
    places = ends(row["prompt"][-1]["content"], lines + scene["text"]["action_list"][: len(scene["items"])])
    named = [(place, item) for place, item in zip(places, history + scene["items"], strict=True) if item is not None]
    teacher = {"items": [(place, log.items[item]) for place, item in named], "options": len(scene["items"])}
    found = log.vectors[[number for _, number in teacher["items"]]]
    options = len(scene["items"])
    affinity = found[-options:] @ found[:-options].mean(0)
    return row | {"teacher": teacher}, None if scene.get("offers_none") else affinity


def catalogue(log: Log, rows: list[dict], random: numpy.random.Generator) -> list[dict]:
    """Rows that name items drawn without regard to anybody, each as often as the others."""
    texts = [(text, log.items[item]) for item, text in sorted(log.texts.items(), key=lambda pair: log.items[pair[0]])]
    made, bag = [], []
    for row in rows:
        content, said, named, last = row["prompt"][-1]["content"], "", [], 0
        for end, item in row["teacher"]["items"]:
            if not bag:
                bag = [texts[place] for place in random.permutation(len(texts))]
            # An item's text ends at `end`, or a rating behind it does.
            own = log.names[item]
            start = content.index(own, last)
            text, number = bag.pop()
            said += content[last:start] + text + content[start + len(own) : end]
            named.append((len(said), number))
            last = end
        prompt = [*row["prompt"][:-1], row["prompt"][-1] | {"content": said + content[last:]}]
        made.append({"prompt": prompt, "completion": [], "teacher": {"items": named, "options": 0}})
    return made


def sharpness(known: list[tuple[numpy.ndarray, int]]) -> float:
    """The `b` under which what people took is the most likely."""

    def likelihood(b: float) -> float:
        return sum(b * a[taken] - numpy.log(numpy.exp(b * a).sum()) for a, taken in known)

    return max(numpy.arange(0.0, 60.0, 0.5), key=likelihood) if known else 0.0


def teach(log: Log, of: list[dict], rows: list[dict]) -> tuple[list[dict], float]:
    if len(of) != len(rows):
        raise ValueError(f"{len(rows)} rows of {len(of)} scenes: the rows are not of these scenes")
    found = [taught(log, scene, row) for scene, row in zip(of, rows, strict=True)]
    b = sharpness([(a, scene["item_pos"]) for (_, a), scene in zip(found, of, strict=True) if a is not None])
    for row, affinity in found:
        if affinity is not None:
            weights = numpy.exp(b * (affinity - affinity.max()))
            row["teacher"]["probabilities"] = [round(float(p), 4) for p in weights / weights.sum()]
    return [row for row, _ in found], b


def main() -> int:
    parser = argparse.ArgumentParser(description="Writes what co-occurrence knows into rows of choices.")
    parser.add_argument("--project", type=Path, nargs="+", required=True, help="one, or one for each file of rows")
    parser.add_argument("--name", required=True, help="the data set")
    parser.add_argument("--rows", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    projects = arguments.project * len(arguments.rows) if len(arguments.project) == 1 else arguments.project
    arguments.out.mkdir(parents=True, exist_ok=True)
    try:
        log, drawn = Log(arguments.project, arguments.name), []
        for project, path in zip(projects, arguments.rows, strict=True):
            rows, b = teach(log, scenes(project / "datasets" / f"{arguments.name}_train.jsonl"), read(path))
            write(arguments.out / path.name, rows)
            drawn += [row for row in rows if "teacher" in row]
            known = [row["teacher"]["probabilities"] for row in rows if "probabilities" in row.get("teacher", {})]
            print(f"{path}: {len(rows)} rows, {len(known)} with probabilities, b {b:.1f}")
        numpy.savez(arguments.out / "vectors.npz", vectors=log.vectors)
        write(arguments.out / "catalogue.jsonl", catalogue(log, drawn, numpy.random.default_rng(1)))
    except (OSError, KeyError, TypeError, ValueError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
