"""Writes `card.toml` of a trained SASRec: what the file is, where it comes from, what it expects, how well it ranks.

With `--figures FILE`, what `cargo run --example held_out` printed, the NDCG@10 of the policies goes into the card.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import tomllib
from pathlib import Path

GRAPH = "ranker.onnx"
SUMMARY = (
    "SASRec (Kang and McAuley 2018) trained on {data}: self-attention over the latest items of a user scores what the "
    "user takes next. It knows these {items} items by their number, and nothing of users but their items."
)
LICENCE = {"model": "as the data allow; MIT OR Apache-2.0 for the code that made it", "data": "not stated"}
FIGURE = re.compile(r"^(\S+)\s+NDCG@10 ([0-9.]+)$", re.MULTILINE)


def sha256(path: Path) -> str:
    """Hash of a file's bytes, hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def table(name: str, values: dict[str, object]) -> str:
    """One TOML table; JSON writes strings, numbers, booleans and flat lists as TOML does."""
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items() if value is not None]
    return "\n".join([f"[{name}]", *lines, ""])


class Texts:
    """What a card says of the data and its terms: from a file, or as little as is known without one."""

    def __init__(self, path: Path | None) -> None:
        given = tomllib.loads(path.read_text(encoding="utf-8")) if path else {}
        self.licence = {**LICENCE, **given.get("licence", {})}
        self.summaries = given.get("summary", {})

    def summary(self, kind: str, otherwise: str) -> str:
        """The file's summary of a kind of model, else the given one."""
        return self.summaries.get(kind, otherwise)


def card_text(meta: dict, training: dict, model: Path, name: str, figures: dict[str, float], texts: Texts) -> str:
    """The card of the graph in `model`, trained on the dump that `meta` describes."""
    head = {
        "kind": "ranker",
        "version": 1,
        "name": name,
        "summary": texts.summary("ranker", SUMMARY.format(data=meta["data"], items=training["dims"]["items"])),
        "history": training["dims"]["history"],
        "ratings": False,
        "items": training["dims"]["items"],
        "catalogue": meta["catalogue"],
    }
    facts = {
        "data": meta["data"],
        "data_hash": meta["data_hash"],
        "split": (
            f"by time, per user: the last {meta['holdout']:.0%} of each user's interactions are held out; settings were "
            "chosen on the last tenth of the rest"
        ),
        "loss": f"cross entropy over all items, of one of the next {training['settings']['ahead']} items, drawn anew in each epoch",
        "parameters": training["parameters"],
        "validation_ndcg_at_10": training["validation_ndcg"],
        **{f"dims_{key}": value for key, value in training["dims"].items()},
        **{f"setting_{key}": value for key, value in training["settings"].items()},
    }
    parts = ["\n".join(f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in head.items()), ""]
    parts.append(table(f'files."{GRAPH}"', {"sha256": sha256(model / GRAPH)}))
    parts.append(table("training", facts))
    parts.append(table("licence", texts.licence))
    if figures:
        how = "mean over people of what each of them did after the cut; `cargo run --release --example held_out`"
        parts.append(table("measured", {"data": meta["data"], "how": how}))
        parts.append(table("measured.ndcg_at_10", figures))
    return "\n".join(parts)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--tensors", type=Path, required=True, help="folder written by `recmirror tensors`")
    parser.add_argument("--model", type=Path, required=True, help="folder written by train_sasrec.py")
    parser.add_argument("--name", default="sasrec", help="name of the model")
    parser.add_argument("--texts", type=Path, help="TOML with [summary] and [licence], such as movielens.toml")
    parser.add_argument("--figures", type=Path, help="what the example held_out printed")
    arguments = parser.parse_args()
    meta = json.loads((arguments.tensors / "meta.json").read_text(encoding="utf-8"))
    training = json.loads((arguments.model / "training.json").read_text(encoding="utf-8"))
    printed = arguments.figures.read_text(encoding="utf-8") if arguments.figures else ""
    figures = {policy: float(value) for policy, value in FIGURE.findall(printed)}
    text = card_text(meta, training, arguments.model, arguments.name, figures, Texts(arguments.texts))
    partial = arguments.model / "card.toml.partial"
    partial.write_text(text, encoding="utf-8")
    partial.rename(arguments.model / "card.toml")
    print(arguments.model / "card.toml")


if __name__ == "__main__":
    main()
