"""Writes a trained SASRec as the graph of a ranker (models/README.md): history [n,H] f32 -> scores [n,I] f32.

The last block computes queries and FFN for the last place alone, because only that place is asked. Standard operators,
no statistic over the batch: a row depends on nothing but itself. Equal weights give equal bytes.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto

import sasrec
from export import TOLERANCE, ExportError, Graph, session
from sasrec import Dims, Params

ROWS = 64


def build(params: Params, dims: Dims) -> onnx.ModelProto:
    """The graph of the ranker."""
    weights = {name: np.asarray(value, np.float32) for name, value in params.items()}
    g = Graph("sasrec")
    numbers = g.node("Cast", ["history"], "numbers", to=TensorProto.INT64)
    table = g.constant("items", weights["items"])
    found = g.node("Gather", [table, numbers], "items_found", axis=0)
    found = g.node("Mul", [found, g.constant("items_scale", dims.width**0.5)], "items_scaled")
    x = g.node("Add", [found, g.constant("places", weights["places"])], "x")
    hidden = _hidden(g, numbers, dims)
    for block in range(dims.blocks):
        x = _block(g, weights, dims, block, x, hidden)
    x = g.node("Squeeze", [_norm(g, weights, "last", x), g.constant("place_axis", [1])], "user")
    # The table stands in the file once; the runtime cuts and turns it when it loads the graph.
    real = [g.constant(name, [number]) for name, number in (("first", 1), ("end", dims.items + 1), ("rows", 0))]
    real = g.node("Slice", [table, *real], "items_real")
    g.node("MatMul", [x, g.node("Transpose", [real], "items_turned", perm=[1, 0])], "scores")
    return g.model({"history": ["n", dims.history]}, {"scores": ["n", dims.items]})


def _hidden(g: Graph, numbers: str, dims: Dims) -> str:
    """[n,1,H,H]: `sasrec.MASKED` where a place must not see another one, 0 elsewhere."""
    places = dims.history
    empty = g.node("Equal", [numbers, g.constant("nothing", np.int64(0))], "empty")
    empty = g.node("Unsqueeze", [empty, g.constant("head_axes", [1, 2])], "empty_row")
    own = np.eye(places, dtype=np.float32)
    empty = g.node("Where", [empty, g.constant("masked", sasrec.MASKED), g.constant("zero", 0.0)], "empty_logit")
    others = g.node("Mul", [empty, g.constant("others", 1 - own)], "empty_others")
    later = np.triu(np.full((places, places), sasrec.MASKED, np.float32), 1)
    return g.node("Add", [others, g.constant("later", later)], "hidden")


def _block(g: Graph, weights: dict, dims: Dims, block: int, x: str, hidden: str) -> str:
    """One block; the last one gives [n,1,D], the others [n,H,D]."""
    name, last = f"b{block}", block == dims.blocks - 1
    y = _norm(g, weights, f"{block}.first", x)
    asks = y
    if last:
        x, asks, hidden = (_last(g, tensor, axis) for tensor, axis in ((x, 1), (y, 1), (hidden, 2)))
    parts = dims.width // dims.heads
    query = _heads(g, weights, dims, f"{block}.query", asks, [0, 2, 1, 3])
    key = _heads(g, weights, dims, f"{block}.key", y, [0, 2, 3, 1])
    value = _heads(g, weights, dims, f"{block}.value", y, [0, 2, 1, 3])
    logits = g.node("MatMul", [query, key], f"{name}_product")
    logits = g.node("Mul", [logits, g.constant(f"{name}_scale", parts**-0.5)], f"{name}_scaled")
    shares = g.node("Softmax", [g.node("Add", [logits, hidden], f"{name}_logits")], f"{name}_shares", axis=-1)
    mixed = g.node("MatMul", [shares, value], f"{name}_mixed")
    mixed = g.node("Transpose", [mixed], f"{name}_turned", perm=[0, 2, 1, 3])
    mixed = g.node("Reshape", [mixed, g.constant(f"{name}_joined", [0, 0, dims.width])], f"{name}_heads")
    x = g.node("Add", [x, _linear(g, weights, f"{block}.out", mixed)], f"{name}_attended")
    inner = _linear(g, weights, f"{block}.inner", _norm(g, weights, f"{block}.second", x))
    outer = _linear(g, weights, f"{block}.outer", g.node("Relu", [inner], f"{name}_relu"))
    return g.node("Add", [x, outer], f"{name}_x")


def _last(g: Graph, tensor: str, axis: int) -> str:
    """The last place along `axis`, which stays."""
    ends = [g.constant(f"{tensor}_{part}", [number]) for part, number in (("from", -1), ("to", 2**31 - 1))]
    return g.node("Slice", [tensor, *ends, g.constant(f"{tensor}_axis", [axis])], f"{tensor}_last")


def _heads(g: Graph, weights: dict, dims: Dims, name: str, x: str, order: list[int]) -> str:
    """[n,places,D] -> linear map -> [n,heads,places,D / heads], turned to `order`."""
    shape = g.constant(f"{name}_shape", [0, 0, dims.heads, dims.width // dims.heads])
    parts = g.node("Reshape", [_linear(g, weights, name, x), shape], f"{name}_parts")
    return g.node("Transpose", [parts], f"{name}_heads", perm=order)


def _linear(g: Graph, weights: dict, name: str, x: str) -> str:
    product = g.node("MatMul", [x, g.constant(f"{name}_w", weights[name])], f"{name}_product")
    return g.node("Add", [product, g.constant(f"{name}_b", weights[f"{name}_bias"])], f"{name}_linear")


def _norm(g: Graph, weights: dict, name: str, x: str) -> str:
    scale = g.constant(f"{name}_scale", weights[f"{name}_scale"])
    shift = g.constant(f"{name}_shift", weights[f"{name}_shift"])
    return g.node("LayerNormalization", [x, scale, shift], f"{name}_norm", axis=-1, epsilon=sasrec.EPSILON)


def random_histories(dims: Dims, seed: int) -> np.ndarray:
    """i32[ROWS,H]: histories of every length, the empty one first."""
    rng = np.random.default_rng(seed)
    lengths = [row * dims.history // (ROWS - 2) for row in range(ROWS)]
    return sasrec.histories([rng.integers(1, dims.items + 1, length) for length in lengths], dims.history)


def against_jax(model: onnx.ModelProto, params: Params, dims: Dims, seed: int = 0) -> float:
    """The largest |onnx - jax| / max(1, |jax|) on random histories; raises ExportError above TOLERANCE."""
    history = random_histories(dims, seed)
    wanted = np.asarray(sasrec.scores(params, history, dims))
    (found,) = session(model).run(None, {"history": history.astype(np.float32)})
    worst = float((np.abs(found - wanted) / np.maximum(1, np.abs(wanted))).max())
    if not worst <= TOLERANCE:
        raise ExportError(f"the graph differs from the model by {worst:.2e}")
    return worst
