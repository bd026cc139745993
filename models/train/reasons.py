"""Decisions with their reasons, by what `teacher.py` knows: it takes the place of the strong language model, or of the weak.

    python reasons.py --project P... --name DATASET --vectors vectors.npz --kinds genres --strength strong --out FILE
    recmirror decide --project P --datasets DATASET --strength strong --decisions 4 --model co-occurrence --batch-in FILE

For each scene of `DATASET_train.jsonl` of the first project `FILE` has a line as OpenAI's batches give them. A decision is drawn by
the probabilities that `teacher.py` writes into rows; its reason names the kinds (`--kinds`: a key of `item_description` in
`DATASET_item_feature.jsonl`) of what is taken, two at most, those first that the history has most of. The weak one knows less: it
chooses a quarter as sharply, and names the kinds of the latest item.
What the person really took is looked at for the sharpness alone, which is one number for all. The other projects tell titles that the
first one's histories name; `vectors.npz` is of `teacher.py`, and so is of what was taken before the first evaluation scene.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

import numpy

import teacher
from likeness import Likeness

#: Share of the strong model's sharpness.
WEAK = 0.25


def known(log: teacher.Log, scene: dict) -> tuple[list[int], list[int]]:
    """The items of the history that are known, and the options, as numbers of vectors."""
    if scene.get("offers_none"):
        raise ValueError("a list offers to take nothing, of which there are no reasons")
    _, named = log.history(scene)
    return [log.items[item] for item in named if item is not None], [log.items[item] for item in scene["items"]]


class Kinds:
    """Of each item the kinds of thing it is, by the item's number."""

    def __init__(self, log: teacher.Log, path: Path, feature: str) -> None:
        self.of: dict[int, list[str]] = {}
        for row in teacher.read(path):
            told = row["item_description"].get(feature)
            if row["item_id"] in log.items and told:
                self.of[log.items[row["item_id"]]] = [str(one).lower() for one in (told if isinstance(told, list) else [told])]
        if not self.of:
            raise ValueError(f"{path}: no item has `{feature}`")

    def reason(self, history: list[int], taken: int, strong: bool) -> str:
        if not history:
            return "For a change."
        often = Counter(kind for item in history for kind in self.of.get(item, []))
        told = self.of.get(taken if strong else history[-1], [])
        names = sorted(told, key=lambda kind: -often[kind])[:2]
        return f"In the mood for {' and '.join(names)}." if names else "For a change."


def decisions(
    likeness: Likeness, log: teacher.Log, kinds: Kinds, scenes: list[dict], strong: bool, count: int, seed: int
) -> list[list[str]]:
    """`count` answers to each scene, as a language model would give them."""
    if len(likeness.vectors) != len(log.items) + 1:
        raise ValueError(f"{len(likeness.vectors) - 1} vectors of {len(log.items)} items: they are not of this log")
    random = numpy.random.default_rng(seed)
    of = [known(log, scene) for scene in scenes]
    alike = [likeness.affinities(*items) for items in of]
    sharpness = teacher.sharpness([(a, scene["item_pos"]) for a, scene in zip(alike, scenes, strict=True)])
    answers = []
    for (history, options), a in zip(of, alike, strict=True):
        weights = numpy.exp((sharpness if strong else WEAK * sharpness) * (a - a.max()))
        drawn = random.choice(len(options), count, p=weights / weights.sum())
        answers.append(
            [f"{kinds.reason(history, options[place], strong)}\nBehavior: [{teacher.LETTERS[place]}]" for place in drawn]
        )
    return answers


def lines(name: str, answers: list[list[str]]) -> list[dict]:
    """As of a batch output file."""
    made = []
    for number, texts in enumerate(answers):
        said = [{"role": "assistant", "content": text} for text in texts]
        choices = [{"index": place, "message": one, "finish_reason": "stop"} for place, one in enumerate(said)]
        made.append({"custom_id": f"{name}-{number}", "response": {"status_code": 200, "body": {"choices": choices}}})
    return made


def main() -> int:
    parser = argparse.ArgumentParser(description="Decides, with reasons, by what co-occurrence knows.")
    parser.add_argument("--project", type=Path, nargs="+", required=True, help="the first one's scenes are decided")
    parser.add_argument("--name", required=True, help="the data set")
    parser.add_argument("--vectors", type=Path, required=True, help="`vectors.npz` of teacher.py")
    parser.add_argument("--kinds", required=True, help="a key of item_description: what kinds of thing an item is")
    parser.add_argument("--strength", choices=["strong", "weak"], required=True)
    parser.add_argument("--decisions", type=int, default=4, help="for each scene")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    try:
        log = teacher.Log(arguments.project, arguments.name)
        scenes = teacher.scenes(arguments.project[0] / "datasets" / f"{arguments.name}_train.jsonl")
        features = arguments.project[0] / "raws" / f"{arguments.name}_item_feature.jsonl"
        kinds = Kinds(log, features, arguments.kinds)
        strong = arguments.strength == "strong"
        likeness = Likeness.read(arguments.vectors)
        answers = decisions(likeness, log, kinds, scenes, strong, arguments.decisions, arguments.seed)
        teacher.write(arguments.out, lines(arguments.name, answers))
    except (OSError, KeyError, TypeError, ValueError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    hits = [f"[{teacher.LETTERS[scene['item_pos']]}]" in text for scene, texts in zip(scenes, answers) for text in texts]
    print(f"{arguments.out}: {len(scenes)} scenes, {len(hits)} decisions, {sum(hits) / len(hits):.3f} as the person did")
    return 0


if __name__ == "__main__":
    sys.exit(main())
