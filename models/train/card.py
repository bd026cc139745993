"""Writes `card.toml` of a trained mirror: what the files are, where they come from, what they expect."""

from __future__ import annotations

import argparse
import hashlib
import json
import tomllib
from pathlib import Path

GRAPHS = ("item", "start", "update", "choice")
#: The sizes that the loader checks, in the order of the contract (models/README.md).
DIMS = ("attributes", "vectors", "item", "choice_item", "profile", "state", "query", "event", "context")

SUMMARY = (
    "Compact user model trained on {data}: which of the shown items a user takes next, whether any, and with which "
    "rating. It knows the users of that log; how often people accept what they are shown it cannot know."
)
LICENCE = {"model": "as the data allow; MIT OR Apache-2.0 for the code that made it", "data": "not stated"}


def sha256(path: Path) -> str:
    """Hash of a file's bytes, hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def table(name: str, values: dict[str, object]) -> str:
    """One TOML table; JSON writes strings, numbers, booleans and flat lists as TOML does."""
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items() if value is not None]
    return "\n".join([f"[{name}]", *lines, ""])


def training_facts(meta: dict, training: dict) -> dict[str, object]:
    """What was trained on what: data, split, seeds, recipe."""
    settings = {f"setting_{key}": value for key, value in training["settings"].items()}
    soft = meta.get("soft")
    if soft is None:
        settings.pop("setting_soft_weight", None)
    return {
        "data": meta["data"],
        "data_hash": meta["data_hash"],
        "split": (
            f"by time, per user: the last {meta['holdout']:.0%} of each user's interactions are held out; "
            "features, popularity and vectors come from the rest alone"
        ),
        "interactions": meta["rows"],
        "scene_seed": meta["seed"],
        "passes": meta["passes"],
        "list_kinds": meta["kinds"],
        "selection": (
            "widths, epochs and drop rates were chosen on the held-out scenes, so a few tenths of a point of the "
            "measured figures may be luck; the temperature is 1"
        ),
        "parameters": training["parameters"],
        "soft_labels": f"what {soft['model']} says to {soft['scenes']} scenes, besides the log" if soft else None,
        **settings,
    }


class Texts:
    """What a card says of the data and its terms: from a file, or as little as is known without one."""

    def __init__(self, path: Path | None) -> None:
        given = tomllib.loads(path.read_text(encoding="utf-8")) if path else {}
        self.licence = {**LICENCE, **given.get("licence", {})}
        self.summaries = given.get("summary", {})

    def summary(self, kind: str, otherwise: str) -> str:
        """The file's summary of a kind of model, else the given one."""
        return self.summaries.get(kind, otherwise)


def card_text(tensors: Path, model: Path, name: str, texts: Texts) -> str:
    """The card of the model in `model`, trained on the dump in `tensors`."""
    meta = json.loads((tensors / "meta.json").read_text(encoding="utf-8"))
    training = json.loads((model / "training.json").read_text(encoding="utf-8"))
    summary = texts.summary("mirror", SUMMARY.format(data=meta["data"]))
    head = {"kind": "mirror", "version": 1, "name": name, "summary": summary}
    parts = ["\n".join(f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in head.items()), ""]
    parts.append(table("features", meta["features"]))
    parts.append(table("dims", {key: training["dims"][key] for key in DIMS}))
    for graph in GRAPHS:
        file = f"{graph}.onnx"
        parts.append(table(f"files.{graph}", {"file": file, "sha256": sha256(model / file)}))
    for name, file in (("vectors", "vectors.npy"), ("vector_items", "vector_items.json")):
        parts.append(table(f"files.{name}", {"file": file, "sha256": sha256(model / file)}))
    parts.append(table("training", training_facts(meta, training)))
    parts.append(table("licence", texts.licence))
    return "\n".join(parts)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tensors", type=Path, required=True, help="folder written by `recmirror tensors`")
    parser.add_argument("--model", type=Path, required=True, help="folder written by train.py")
    parser.add_argument("--name", default="mirror", help="name of the model")
    parser.add_argument("--texts", type=Path, help="TOML with [summary] and [licence], such as movielens.toml")
    arguments = parser.parse_args()
    text = card_text(arguments.tensors, arguments.model, arguments.name, Texts(arguments.texts))
    partial = arguments.model / "card.toml.partial"
    partial.write_text(text, encoding="utf-8")
    partial.rename(arguments.model / "card.toml")
    print(arguments.model / "card.toml")


if __name__ == "__main__":
    main()
