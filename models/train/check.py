"""Holds the ONNX graphs against the JAX model on random inputs."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime

import mirror
from mirror import Dims, Params

TOLERANCE = 1e-5  #: largest allowed |onnx - jax| / max(1, |jax|)
ROWS, SLOTS = 64, 12


class ExportError(AssertionError):
    """A graph does not compute what the model computes."""


def session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def random_inputs(dims: Dims, seed: int, rows: int = ROWS, slots: int = SLOTS) -> dict[str, dict[str, np.ndarray]]:
    """Inputs of the four graphs by graph name; lists of every length from 1 to `slots`."""
    rng = np.random.default_rng(seed)

    def normal(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape).astype(np.float32)

    used = np.arange(slots)[None, :] < (1 + np.arange(rows) % slots)[:, None]
    return {
        "item": {"attributes": normal(rows, dims.attributes), "vectors": normal(rows, dims.vectors)},
        "start": {"profile": normal(rows, dims.profile)},
        "update": {
            "state": np.tanh(normal(rows, dims.state)),
            "item": normal(rows, dims.item),
            "event": normal(rows, mirror.EVENT),
        },
        "choice": {
            "query": normal(rows, dims.query),
            "item": normal(rows, slots, dims.choice_item),
            "context": normal(rows, slots, dims.context),
            "slots": used.astype(np.float32),
        },
    }


def expected(params: Params, dims: Dims, temperature: float, inputs: dict) -> dict[str, dict[str, np.ndarray]]:
    """What the JAX model says to `random_inputs`."""
    item, begin, step, pick = (inputs[name] for name in ("item", "start", "update", "choice"))
    first = mirror.start(params, begin["profile"], dims)
    after = mirror.update(params, step["state"], step["item"], step["event"], dims)
    choice, rating = mirror.choose(params, pick["query"], pick["item"], pick["context"], pick["slots"], dims)
    used = np.pad(pick["slots"], ((0, 0), (0, 1)), constant_values=1) > 0
    return {
        "item": {"item": mirror.encode_items(params, item["attributes"], item["vectors"])},
        "start": {"state": first, "query": mirror.query(params, first)},
        "update": {"state_next": after, "query": mirror.query(params, after)},
        "choice": {"choice": np.where(used, choice / temperature, mirror.PADDED), "rating": rating},
    }


def against_jax(
    models: dict[str, onnx.ModelProto], params: Params, dims: Dims, temperature: float, seed: int = 0
) -> dict[str, float]:
    """The largest relative difference per output; raises ExportError above TOLERANCE."""
    inputs = random_inputs(dims, seed)
    worst = {}
    for name, wanted in expected(params, dims, temperature, inputs).items():
        run = session(models[name])
        got = dict(zip([o.name for o in run.get_outputs()], run.run(None, inputs[name]), strict=True))
        for output, array in wanted.items():
            array = np.asarray(array)
            gap = np.abs(got[output] - array) / np.maximum(1, np.abs(array))
            worst[f"{name}.{output}"] = float(gap.max())
            if not gap.max() <= TOLERANCE:
                raise ExportError(f"{name}.onnx, {output}: differs from the model by {gap.max():.2e}")
    return worst
