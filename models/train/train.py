"""Trains the mirror from a tensor dump and writes item.onnx, start.onnx, update.onnx, choice.onnx, training.json.

    recmirror tensors --data DATA --out DUMP
    python train.py --tensors DUMP --out OUT

Two fits with the same settings: the first leaves the validation rows out and gives the validation figures; the second
sees every training row and is the one that is stored. Held-out rows are never read. The same dump, settings and
machine give the same bytes.

The temperature that validation asks for is reported, not applied: validation has to use the fold tables, whose item
vectors know nothing of the user and are the vaguer for it, and a temperature fitted there makes the stored model too
timid with the full table. `--temperature` sets the one that is folded into the choice logits.
"""

from __future__ import annotations

import one_thread  # noqa: F401, I001 (before JAX)

import argparse
import importlib.metadata
import json
import platform
import shutil
import sys
import time
from pathlib import Path

import numpy as np

import check
import dump as dumps
import export
import learn
import mirror

PACKAGES = ("jax", "jaxlib", "optax", "numpy", "onnx", "onnxruntime")


def main() -> int:
    options = arguments()
    began = time.monotonic()
    data = dumps.load(options.tensors)
    dims = mirror.Dims(
        attributes=data.attributes.shape[1],
        vectors=data.vectors.shape[2],
        profile=data.profile.shape[1],
        context=data.train.context.shape[2],
    )
    settings = learn.Settings(
        seed=options.seed,
        epochs=options.epochs,
        batch_rows=options.batch_rows,
        bootstrap=options.bootstrap,
        soft_weight=options.soft_weight,
    )
    say("fit without the validation rows")
    trial = learn.fit(data, dims, settings, dumps.FIT, say)
    logits, label = learn.valid_logits(trial.params, dims, data)
    figures = valid_figures(logits, label, data.valid.kind)
    say(f"validation: {figures}")
    say("fit on every training row")
    final = learn.fit(data, dims, settings, dumps.VALID, say)
    models = export.build(final.params, dims, options.temperature)
    worst = check.against_jax(models, final.params, dims, options.temperature, seed=options.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    sizes = export.write(models, options.out)
    # The simulator gives known items these vectors on every log: a new SVD would have other axes.
    for source, name in (("item_vectors.npy", "vectors.npy"), ("item_ids.json", "vector_items.json")):
        shutil.copyfile(options.tensors / source, options.out / name)
    report = {
        "dims": dims.as_dict(),
        "parameters": mirror.count(final.params),
        "settings": vars(settings),
        "temperature": options.temperature,
        "validation": figures,
        "curves": {"trial": trial.curve, "final": final.curve},
        "steps": {"trial": trial.steps, "final": final.steps},
        "onnx_bytes": sizes,
        "onnx_against_jax": worst,
        "data": data.meta,
        "versions": versions(),
        "seconds": round(time.monotonic() - began, 1),
    }
    (options.out / "training.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    say(f"{report['parameters']} parameters, {report['seconds']} s, wrote {sorted(sizes)}")
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--tensors", type=Path, required=True, help="folder written by `recmirror tensors`")
    parser.add_argument("--out", type=Path, required=True, help="folder for the graphs and training.json")
    parser.add_argument("--seed", type=int, default=learn.Settings.seed)
    parser.add_argument("--epochs", type=int, default=learn.Settings.epochs)
    parser.add_argument(
        "--bootstrap",
        type=int,
        default=learn.Settings.bootstrap,
        help="draw the users anew, with replacement, by this seed: a replicate that shows how far a sample of people decides",
    )
    parser.add_argument(
        "--soft-weight",
        type=float,
        default=learn.Settings.soft_weight,
        help="share of a language model's probabilities in a label, where `recmirror tensors --answers` wrote them",
    )
    parser.add_argument("--temperature", type=float, default=1.0, help="divides the choice logits")
    parser.add_argument(
        "--batch-rows",
        type=int,
        default=learn.Settings.batch_rows,
        help="rows per step, a multiple of 128, at least the rows of the busiest user",
    )
    return parser.parse_args()


def versions() -> dict[str, str]:
    """What computed the weights."""
    return {"python": platform.python_version()} | {name: importlib.metadata.version(name) for name in PACKAGES}


def say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def log_loss(logits: np.ndarray, label: np.ndarray) -> float:
    """Mean cross entropy, nats per scene."""
    top = logits.max(axis=1, keepdims=True)
    total = np.log(np.exp(logits - top).sum(axis=1)) + top[:, 0]
    return float((total - logits[np.arange(len(label)), label]).mean())


def fit_temperature(logits: np.ndarray, label: np.ndarray) -> float:
    """The temperature in [0.5, 2] with the least loss, by golden section on its logarithm."""
    logits = logits.astype(np.float64)
    low, high, ratio = np.log(0.5), np.log(2.0), (5**0.5 - 1) / 2
    for _ in range(40):
        a, b = high - ratio * (high - low), low + ratio * (high - low)
        if log_loss(logits / np.exp(a), label) < log_loss(logits / np.exp(b), label):
            high = b
        else:
            low = a
    return round(float(np.exp((low + high) / 2)), 4)


def valid_figures(logits: np.ndarray, label: np.ndarray, kind: np.ndarray) -> dict:
    """Loss and accuracy of the validation scenes (slots and reject together), all and by list type."""
    temperature = fit_temperature(logits, label)
    right = logits.argmax(axis=1) == label
    kinds = {str(k): _share(right[kind == k]) for k in np.unique(kind)}
    return {
        "loss": round(log_loss(logits, label), 4),
        "fold_table_temperature": temperature,
        "loss_at_temperature": round(log_loss(logits / temperature, label), 4),
        "accuracy": _share(right),
        "accuracy_by_kind": kinds,
    }


def _share(right: np.ndarray) -> dict[str, float | int]:
    return {"n": len(right), "share": round(float(right.mean()), 4)}


if __name__ == "__main__":
    raise SystemExit(main())
