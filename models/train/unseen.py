"""Scenes whose moments a language model was not trained on, from the files that its training rows came from.

    python unseen.py --scenes P/datasets/NAME_train.jsonl... --rows WORK/moments/all.jsonl --each 400 --out FILE

What a model says of such scenes tells how sure it may be (`models/language/letters.py --unseen`); of the rows that it
was trained on it knows more than of others. A moment is a profile and a history; the first `--each` of a file are written,
with `--rotated` in all rotations of their lists, which tell what it likes of a place.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import moments
import teacher


def unseen(scenes: list[dict], seen: set[str]) -> list[dict]:
    """The scenes of other moments than `seen`."""
    return [scene for scene in scenes if told(scene) not in seen]


def told(scene: dict) -> str:
    """A scene's moment as the prompts of `models/lm-adapter` tell it."""
    text = scene["text"]
    return "\n".join([*([text["profile"]] if text["profile"] else []), "History:", text["history"]])


def rotations(scene: dict) -> list[dict]:
    """The scene with its list turned by each number of places; whoever took nothing takes nothing of all of them."""
    items, texts, taken = scene["items"], scene["text"]["action_list"], scene["item_pos"]
    count, turned = len(items), []
    for by in range(count):
        order = [*range(by, count), *range(by)]
        text = scene["text"] | {"action_list": [texts[place] for place in order]}
        place = (taken - by) % count if taken < count else taken
        turned.append(scene | {"items": [items[place] for place in order], "text": text, "item_pos": place})
    return turned


def main() -> int:
    parser = argparse.ArgumentParser(description="Scenes of moments that training rows do not tell of.")
    parser.add_argument("--scenes", type=Path, nargs="+", required=True)
    parser.add_argument("--rows", type=Path, nargs="+", required=True, help="the rows that the model was trained on")
    parser.add_argument("--each", type=int, default=400, help="of each file at most")
    parser.add_argument("--rotated", action="store_true", help="each list in all its rotations")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    try:
        seen = {moments.moment(row) for path in arguments.rows for row in teacher.read(path)}
        found = []
        for path in arguments.scenes:
            scenes = teacher.read(path)
            others = unseen(scenes, seen)
            if len(others) == len(scenes):
                raise ValueError(f"no row is of a moment in {path}; are they of one flow?")
            kept = others[: arguments.each]
            found += [turned for scene in kept for turned in rotations(scene)] if arguments.rotated else kept
            print(f"{path}: {len(scenes)} scenes, {len(others)} of other moments than the rows")
        teacher.write(arguments.out, found)
    except (OSError, KeyError, TypeError, ValueError, json.JSONDecodeError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    print(f"{arguments.out}: {len(found)} scenes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
