"""Rows and vectors of several data sets as if they were of one, with the numbers of their items kept apart.

    python join.py --parts WORK/A WORK/B --out WORK

A part is a folder with `taught/` of `teacher.py` and `moments/` of `moments.py`. `OUT/taught/vectors.npz` has the
vectors of all parts, one block after the other, each block as its teacher fitted it; `added` is told of every number,
and is not 0 for taking nothing alone, which each block has at its end. `OUT/taught/catalogue.jsonl` and
`OUT/moments/*.jsonl` have the rows of all parts with the numbers of these blocks. Moments are those of the parts; of
the catalogues so many rows are taken that each item of every part is met about as often.

An affinity is a product of two vectors of one data set, so each block could be turned without a change. `--base
CHECKPOINT` turns them so that texts which are alike to the model have vectors that are alike, whatever their data
set: from the model's states the vectors of each block are foretold by a linear map, and blocks are turned until these
maps agree (generalised Procrustes analysis; Gower 1975).
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy
import teacher
from likeness import told

#: Rows of the catalogue that stand together, as `teacher.catalogue` writes them.
BLOCK = 60
#: Numbers of a state that a linear map reads, the ridge of such a map, and rounds in which maps are turned.
READ, RIDGE, ROUNDS = 64, 1.0, 20


@dataclass(frozen=True)
class Part:
    """Of one data set: vectors, what is added to each number, and the texts of its items."""

    folder: Path
    vectors: numpy.ndarray
    added: numpy.ndarray
    names: list[str | None]

    @staticmethod
    def read(folder: Path) -> Part:
        vectors, added = told(folder / "taught" / "vectors.npz")
        names = json.loads((folder / "taught" / "names.json").read_text(encoding="utf-8"))
        if len(names) + 1 != len(vectors):
            raise ValueError(
                f"{folder}: {len(names)} names of {len(vectors) - 1} items; make them again with teacher.py"
            )
        return Part(folder, vectors, added, names)

    def rows(self, name: str, start: int) -> list[dict]:
        return [shifted(row, start) for row in teacher.read(self.folder / name)]


def shifted(row: dict, start: int) -> dict:
    """The row with numbers that begin at `start`."""
    items = [[place, item + start] for place, item in row["teacher"]["items"]]
    return row | {"teacher": row["teacher"] | {"items": items}}


def shares(parts: list[Part]) -> list[float]:
    """Of each part's catalogue, the share of rows under which all items are met alike often."""
    known = [sum(name is not None for name in part.names) for part in parts]
    return [count / max(known) for count in known]


def blocks(rows: list[dict], share: float) -> list[dict]:
    """The first rows of a catalogue, in whole blocks."""
    return rows[: BLOCK * max(1, round(share * len(rows) / BLOCK))]


def turns(maps: list[numpy.ndarray]) -> list[numpy.ndarray]:
    """For maps `[read, d]` from one kind of states, rotations `[d, d]` under which they agree best with their mean."""
    turned = [numpy.eye(maps[0].shape[1]) for _ in maps]
    for _ in range(ROUNDS):
        for one, own in enumerate(maps):
            # Their mean without this one: with it, none would move.
            others = sum(
                other @ turn for place, (other, turn) in enumerate(zip(maps, turned, strict=True)) if place != one
            )
            if len(maps) > 1:
                left, _, right = numpy.linalg.svd(own.T @ others)
                turned[one] = left @ right
    return turned


def maps_of(states: list[numpy.ndarray], vectors: list[numpy.ndarray]) -> list[numpy.ndarray]:
    """Of each data set the ridge regression to its vectors from the leading directions of all states."""
    pooled = numpy.concatenate(states)
    pooled = (pooled - pooled.mean(0)) / (pooled.std(0) + 1e-6)
    _, _, directions = numpy.linalg.svd(pooled - pooled.mean(0), full_matrices=False)
    found, start = [], 0
    for state, vector in zip(states, vectors, strict=True):
        x = pooled[start : start + len(state)] @ directions[:READ].T
        start += len(state)
        x = (x - x.mean(0)) / x.std()
        gram = x.T @ x + RIDGE * len(x) * numpy.eye(x.shape[1])
        found.append(numpy.linalg.solve(gram, x.T @ (vector - vector.mean(0))))
    return found


def states_of(base: Path, texts: list[str]) -> numpy.ndarray:
    """`[texts, width]`: the mean state of each text's tokens where items are told, in the published model."""
    import hints
    import prefix
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    # A text is a few tokens: threads that wait for each other would take more time than they save.
    torch.set_num_threads(1)
    tokenizer, model = (
        AutoTokenizer.from_pretrained(base),
        AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32),
    )
    layer = round(hints.ITEM * model.config.num_hidden_layers)
    found = []
    with torch.no_grad():
        for text in texts:
            # A line break stands first: the first token's state means nothing.
            tokens = tokenizer("\n" + text)["input_ids"]
            batch = {
                "input_ids": torch.tensor([tokens]),
                "position_ids": torch.arange(len(tokens))[None],
                "attention_mask": None,
            }
            found.append(prefix.states_of(model, batch, layer)[layer][0, 1:].mean(0).numpy())
    return numpy.stack(found)


def turned(parts: list[Part], base: Path | None) -> list[numpy.ndarray]:
    """The vectors of each part, turned towards each other where there is a model to tell which texts are alike."""
    if base is None or len(parts) == 1:
        return [part.vectors for part in parts]
    named = [[number for number, name in enumerate(part.names) if name is not None] for part in parts]
    states = [states_of(base, [part.names[number] for number in of]) for part, of in zip(parts, named, strict=True)]
    maps = maps_of(states, [part.vectors[of] for part, of in zip(parts, named, strict=True)])
    return [(part.vectors @ turn).astype(numpy.float32) for part, turn in zip(parts, turns(maps), strict=True)]


def join(parts: list[Part], out: Path, base: Path | None = None) -> None:
    starts = numpy.cumsum([0, *(len(part.vectors) for part in parts)])
    for folder in ("taught", "moments"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    catalogue = []
    for part, start, share in zip(parts, starts[:-1].tolist(), shares(parts), strict=True):
        catalogue += blocks(part.rows("taught/catalogue.jsonl", start), share)
    teacher.write(out / "taught" / "catalogue.jsonl", catalogue)
    vectors, added = numpy.concatenate(turned(parts, base)), numpy.concatenate([part.added for part in parts])
    numpy.savez(out / "taught" / "vectors.npz", vectors=vectors, added=added)
    for name in sorted(path.name for path in (parts[0].folder / "moments").glob("*.jsonl")):
        rows = [
            row
            for part, start in zip(parts, starts.tolist(), strict=False)
            for row in part.rows(f"moments/{name}", start)
        ]
        teacher.write(out / "moments" / name, rows)
        print(f"{out}/moments/{name}: {len(rows)} rows")
    print(f"{out}/taught: {len(catalogue)} rows of the catalogue, {len(vectors)} numbers of {len(parts)} data sets")


def main() -> int:
    parser = argparse.ArgumentParser(description="Joins what teacher.py told of several data sets.")
    parser.add_argument(
        "--parts", type=Path, nargs="+", required=True, help="of each data set, the folder with taught/ and moments/"
    )
    parser.add_argument("--base", type=Path, help="a checkpoint, to turn the vectors of data sets towards each other")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    try:
        join([Part.read(folder) for folder in arguments.parts], arguments.out, arguments.base)
    except (OSError, KeyError, TypeError, ValueError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
