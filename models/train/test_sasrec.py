"""Tests of SASRec: the graph (random weights), the windows and the measure.

Run with `python -m pytest` or `python test_sasrec.py`.
"""

from __future__ import annotations

import jax
import numpy as np

import sasrec
import sasrec_export
from export import session

DIMS = sasrec.Dims(items=30, history=6, width=8, heads=2, blocks=2)


def params(dims: sasrec.Dims) -> sasrec.Params:
    """Random weights that are large enough to matter, biases and scales included."""
    made = sasrec.init(jax.random.PRNGKey(3), dims)
    rng = np.random.default_rng(4)
    return {name: value + 0.3 * rng.standard_normal(value.shape).astype(np.float32) for name, value in made.items()}


def test_the_graph_equals_the_model() -> None:
    for dims in (DIMS, sasrec.Dims(items=5, history=3, width=4, heads=1, blocks=1)):
        assert sasrec_export.against_jax(sasrec_export.build(params(dims), dims), params(dims), dims) <= 1e-5


def test_equal_weights_give_equal_bytes() -> None:
    one, two = (sasrec_export.build(params(DIMS), DIMS).SerializeToString(deterministic=True) for _ in range(2))
    assert one == two


def test_a_row_depends_on_nothing_but_itself() -> None:
    run = session(sasrec_export.build(params(DIMS), DIMS)).run
    history = sasrec_export.random_histories(DIMS, 1).astype(np.float32)
    turn = np.random.default_rng(0).permutation(len(history))
    (found,), (turned,) = (run(None, {"history": rows}) for rows in (history, history[turn]))
    np.testing.assert_array_equal(found[turn], turned)


def test_a_place_sees_neither_later_places_nor_empty_ones() -> None:
    weights = params(DIMS)
    history = np.array([[0, 0, 3, 4, 5, 6], [0, 0, 3, 4, 9, 1]], np.int32)
    x = np.asarray(sasrec.encode(weights, history, DIMS))
    np.testing.assert_allclose(x[0, :4], x[1, :4], atol=1e-6)
    assert np.abs(x[0, 4] - x[1, 4]).max() > 1e-3
    changed = weights | {"items": weights["items"].at[0].add(5.0)}
    np.testing.assert_allclose(x[:, 2:], np.asarray(sasrec.encode(changed, history, DIMS))[:, 2:], atol=1e-6)


def test_windows_have_each_next_item_once_or_again_at_the_end() -> None:
    sequences = [np.arange(1, 14, dtype=np.int32), np.array([], np.int32), np.array([20], np.int32)]
    for seed in range(20):
        history, target = sasrec.windows(sequences, 6, 1, np.random.default_rng(seed))
        assert history.shape == target.shape and set(target[target > 0]) == {*range(1, 14), 20}
        for row, wanted in zip(history, target, strict=True):
            for place in np.flatnonzero(wanted):
                # The item before: the number below, or nothing before the first item.
                assert row[place] == (0 if wanted[place] in (1, 20) else wanted[place] - 1)
            assert (wanted[row > 0] > 0).all()


def test_targets_are_among_the_next_items() -> None:
    sequence = np.arange(1, 40, dtype=np.int32)
    history, target = sasrec.windows([sequence], 6, 5, np.random.default_rng(2))
    gap = (target - history)[target > 0]
    assert gap.min() >= 1 and gap.max() <= 5 and len(set(gap.tolist())) == 5


def test_histories_end_in_the_last_column() -> None:
    found = sasrec.histories([np.array([1, 2], np.int32), np.arange(1, 9), np.array([], np.int32)], 3)
    np.testing.assert_array_equal(found, [[0, 1, 2], [6, 7, 8], [0, 0, 0]])


def test_ndcg_by_hand() -> None:
    scores = np.array([[5.0, 4, 3, 2], [1, 2, 3, 4]])
    # First user: item 1 is known, of 2 and 4 the former is first and the latter third. Second user: nothing is wanted.
    value = sasrec.ndcg(scores, [np.array([1]), np.array([2])], [np.array([2, 4]), np.array([2])], depth=2)
    np.testing.assert_allclose(value, 1 / (1 + 1 / np.log2(3)))


if __name__ == "__main__":
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            test()
            print(f"{name}: ok")
