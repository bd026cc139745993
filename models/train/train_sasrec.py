"""Trains SASRec from a tensor dump and writes ranker.onnx and training.json.

    recmirror tensors --data DATA --out DUMP
    python train_sasrec.py --tensors DUMP --out OUT

Two fits with the same settings: the first leaves the validation rows out and gives the validation figure; the second
sees every training row and is the one that is stored. Held-out rows are never read. The same dump, settings and
machine give the same bytes.
"""

from __future__ import annotations

import one_thread  # noqa: F401, I001 (before JAX)

import argparse
import importlib.metadata
import json
import platform
import sys
import time
from dataclasses import fields
from pathlib import Path

import numpy as np

import dump as dumps
import sasrec
import sasrec_export

PACKAGES = ("jax", "jaxlib", "optax", "numpy", "onnx", "onnxruntime")


def main() -> int:
    options = arguments()
    began = time.monotonic()
    data = dumps.load(options.tensors)
    dims = sasrec.Dims(items=data.meta["items"])
    settings = sasrec.Settings(**{field.name: getattr(options, field.name) for field in fields(sasrec.Settings)})
    say("fit without the validation rows")
    figure, curve = validate(data, dims, settings)
    if options.validate:
        return 0
    say("fit on every training row")
    params = sasrec.fit(sequences(data, dumps.VALID), dims, settings, say)
    model = sasrec_export.build(params, dims)
    worst = sasrec_export.against_jax(model, params, dims, seed=settings.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    graph = model.SerializeToString(deterministic=True)
    (options.out / "ranker.onnx").write_bytes(graph)
    report = {
        "dims": dims.as_dict(),
        "parameters": sasrec.count(params),
        "settings": vars(settings),
        "validation_ndcg": figure,
        "validation_curve": curve,
        "onnx_bytes": len(graph),
        "onnx_against_jax": worst,
        "data": {key: data.meta[key] for key in ("data", "data_hash", "users", "items", "rows", "holdout")},
        "versions": {"python": platform.python_version()} | {name: importlib.metadata.version(name) for name in PACKAGES},
        "seconds": round(time.monotonic() - began, 1),
    }
    (options.out / "training.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    say(f"{report['parameters']} parameters, {report['seconds']} s, {len(graph)} bytes, off by {worst:.1e} at most")
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--tensors", type=Path, required=True, help="folder written by `recmirror tensors`")
    parser.add_argument("--out", type=Path, required=True, help="folder for ranker.onnx and training.json")
    parser.add_argument("--validate", action="store_true", help="stop after the validation figure")
    for field in fields(sasrec.Settings):
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=type(field.default), default=field.default)
    return parser.parse_args()


def say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def sequences(data: dumps.Dump, last: int, first: int = dumps.FIT) -> list[np.ndarray]:
    """The items (numbers from 1, oldest first) of every user whose rows are of these parts of the split."""
    kept = (data.split >= first) & (data.split <= last)
    cuts = np.searchsorted(data.user[kept], np.arange(1, data.meta["users"]))
    return np.split(data.item[kept].astype(np.int32) + 1, cuts)


def validate(data: dumps.Dump, dims: sasrec.Dims, settings: sasrec.Settings) -> tuple[float, dict[int, float]]:
    """NDCG@10 on the validation rows after the fit on the others, and its course."""
    known, wanted = sequences(data, dumps.FIT), sequences(data, dumps.VALID, dumps.VALID)
    history, curve = sasrec.histories(known, dims.history), {}

    def measure(epoch: int, params: sasrec.Params) -> None:
        if epoch % 10 == 0 or epoch == settings.epochs:
            found = np.asarray(sasrec.scores(params, history, dims))
            curve[epoch] = round(sasrec.ndcg(found, known, wanted), 4)
            say(f"validation NDCG@10 {curve[epoch]}")

    sasrec.fit(known, dims, settings, say, measure)
    return curve[settings.epochs], curve


if __name__ == "__main__":
    raise SystemExit(main())
