#!/usr/bin/env python3
"""Writes the rankers of the tests, `tests/fixtures/ranker/`: graphs of random weights that know even from odd items.

Run with the packages of requirements.txt: `python models/train/tiny_ranker.py`. The same script gives the same bytes.
The number of items stands in each graph as the one int64 of the value MARK; a test puts its own in its place.

    user   = sum_k w_k IN[item_k mod 64] / (1 + sum_k |w_k|),   w_k = 0.8 ^ (places after k), 0 where there is no item
    scores = user . OUT[item mod 64] + BIAS[item mod 64]
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto

from export import TOLERANCE, Graph, session

TARGET = Path(__file__).resolve().parent.parent.parent / "tests" / "fixtures" / "ranker"
MARK = 7_777_777
HISTORY, KNOWN, WIDTH = 8, 64, 4
FADING = 0.8 ** np.arange(HISTORY - 1, -1, -1, dtype=np.float32)
BAD = 2.5  #: ratings below it turn the sign of an item, where ratings are read


def tables() -> dict[str, np.ndarray]:
    """IN, OUT and BIAS; the first column tells even items (1) from odd ones (-1)."""
    rng = np.random.default_rng(11)
    parity = np.where(np.arange(KNOWN) % 2 == 0, 1, -1)
    found = {name: rng.uniform(-0.1, 0.1, (KNOWN, WIDTH)).astype(np.float32) for name in ("in", "out")}
    found["in"][:, 0], found["out"][:, 0] = 3 * parity, parity
    return found | {"bias": rng.uniform(-0.02, 0.02, KNOWN).astype(np.float32)}


def graph(
    weights: dict[str, np.ndarray], items: int, ratings: bool = False, social: bool = False, growing: bool = False
) -> onnx.ModelProto:
    """Two that no ranker may do: `social` adds the mean of all users of the call, `growing` scores more items the higher
    the numbers of the histories are."""
    g = Graph("tiny_ranker")
    numbers = g.node("Cast", ["history"], "numbers", to=TensorProto.INT64)
    known = g.node("Greater", [numbers, g.constant("nothing", np.int64(0))], "known")
    known = g.node("Cast", [known], "known_number", to=TensorProto.FLOAT)
    size = g.node("Mul", [known, g.constant("fading", FADING)], "size")
    place = g.node("Sub", [numbers, g.constant("one", np.int64(1))], "place")
    place = g.node("Max", [place, "nothing"], "place_or_first")
    place = g.node("Mod", [place, g.constant("known_items", np.int64(KNOWN))], "place_known")
    found = g.node("Gather", [g.constant("in", weights["in"]), place], "found", axis=0)
    weight = _signed(g, size) if ratings else size
    weight = g.node("Unsqueeze", [weight, g.constant("last_axis", [2])], "weight")
    user = g.node("ReduceSum", [g.node("Mul", [found, weight], "weighted"), g.constant("places", [1])], "sum", keepdims=0)
    total = g.node("ReduceSum", [size, "places"], "total", keepdims=1)
    user = g.node("Div", [user, g.node("Add", [total, g.constant("unit", 1.0)], "total_and_one")], "user")
    if social:
        user = g.node("Add", [user, g.node("ReduceMean", [user], "all_users", axes=[0], keepdims=1)], "user_and_all")
    end = g.constant("items", np.int64(items))
    if growing:
        end = g.node("Add", [end, g.node("ReduceMax", [numbers], "highest", keepdims=0)], "items_and_more")
    item = g.node("Range", [g.constant("first", np.int64(0)), end, "one"], "item")
    item = g.node("Mod", [item, "known_items"], "item_known")
    out = g.node("Gather", [g.constant("out", weights["out"]), item], "item_out", axis=0)
    product = g.node("MatMul", [user, g.node("Transpose", [out], "item_turned", perm=[1, 0])], "product")
    g.node("Add", [product, g.node("Gather", [g.constant("bias", weights["bias"]), item], "item_bias")], "scores")
    names = ["history", "ratings"] if ratings else ["history"]
    return g.model({name: ["n", HISTORY] for name in names}, {"scores": ["n", "items"]})


def _signed(g: Graph, size: str) -> str:
    given = g.node("Greater", ["ratings", g.constant("none", 0.0)], "given")
    low = g.node("Less", ["ratings", g.constant("low", BAD)], "is_low")
    bad = g.node("And", [given, low], "bad")
    return g.node("Where", [bad, g.node("Neg", [size], "turned"), size], "signed")


def expected(weights: dict[str, np.ndarray], items: int, history: np.ndarray, ratings: np.ndarray) -> np.ndarray:
    """The same in NumPy."""
    size = FADING * (history > 0)
    sign = np.where((ratings > 0) & (ratings < BAD), -1, 1)
    found = weights["in"][np.maximum(history - 1, 0) % KNOWN]
    user = (found * (size * sign)[:, :, None]).sum(axis=1) / (1 + size.sum(axis=1, keepdims=True))
    item = np.arange(items) % KNOWN
    return user @ weights["out"][item].T + weights["bias"][item]


def check(weights: dict[str, np.ndarray], ratings: bool, items: int = 100) -> None:
    rng = np.random.default_rng(3)
    history = rng.integers(0, items + 1, (16, HISTORY))
    rated = rng.integers(0, 6, history.shape) * ratings
    feeds = {"history": history.astype(np.float32)} | ({"ratings": rated.astype(np.float32)} if ratings else {})
    (found,) = session(graph(weights, items, ratings)).run(None, feeds)
    worst = np.abs(found - expected(weights, items, history, rated)).max()
    if not worst <= TOLERANCE:
        raise SystemExit(f"error: the graph differs from NumPy by {worst}")


def main() -> None:
    weights = tables()
    check(weights, ratings=False)
    check(weights, ratings=True)
    strange = weights | {"in": weights["in"].copy()}
    strange["in"][40] = np.nan
    TARGET.mkdir(parents=True, exist_ok=True)
    for name, model in {
        "ranker": graph(weights, MARK),
        "rated": graph(weights, MARK, ratings=True),
        "social": graph(weights, MARK, social=True),
        "strange": graph(strange, MARK),
        "growing": graph(weights, MARK, growing=True),
    }.items():
        (TARGET / f"{name}.onnx").write_bytes(model.SerializeToString(deterministic=True))
    print(f"wrote {TARGET}")


if __name__ == "__main__":
    main()
