"""Tests of the exported graphs (random weights) and of the batches they are trained on.

Run with `python -m pytest` or `python test_export.py`.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

import check
import export
import mirror
from dump import SLOTS, Scenes, by_pass
from histories import BLOCK, averages, pack

DIMS = mirror.Dims(
    attributes=5, vectors=7, profile=3, context=2, choice_item=8, event_item=6, hidden=9, query_hidden=10
)
PARAMS = mirror.init(jax.random.PRNGKey(3), DIMS)
MODELS = export.build(PARAMS, DIMS, temperature=1.25)


def run(name: str, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
    return check.session(MODELS[name]).run(None, inputs)


def test_graphs_equal_the_model() -> None:
    worst = check.against_jax(MODELS, PARAMS, DIMS, 1.25)
    assert set(worst) == {
        "item.item",
        "start.state",
        "start.query",
        "update.state_next",
        "update.query",
        "choice.choice",
        "choice.rating",
    }


def test_equal_weights_give_equal_bytes() -> None:
    again = export.build(PARAMS, DIMS, temperature=1.25)
    for name, model in MODELS.items():
        assert model.SerializeToString(deterministic=True) == again[name].SerializeToString(deterministic=True)


def test_a_slot_never_sees_the_others() -> None:
    inputs = check.random_inputs(DIMS, seed=1)["choice"]
    inputs["slots"][:] = 1
    before = run("choice", inputs)
    changed = inputs | {"item": inputs["item"].copy(), "context": inputs["context"].copy()}
    changed["item"][:, 1:] += 3
    changed["context"][:, 1:] -= 1
    after = run("choice", changed)
    np.testing.assert_array_equal(before[0][:, 0], after[0][:, 0])
    np.testing.assert_array_equal(before[0][:, -1], after[0][:, -1])
    np.testing.assert_array_equal(before[1][:, 0], after[1][:, 0])


def test_a_row_depends_on_nothing_but_itself() -> None:
    inputs = check.random_inputs(DIMS, seed=2)
    turn = np.random.default_rng(0).permutation(check.ROWS)
    for name, feeds in inputs.items():
        turned = {key: value[turn] for key, value in feeds.items()}
        for a, b in zip(run(name, feeds), run(name, turned), strict=True):
            np.testing.assert_array_equal(a[turn], b)


def test_padding_changes_nothing() -> None:
    inputs = check.random_inputs(DIMS, seed=4)["choice"]
    inputs["slots"][:] = (np.arange(check.SLOTS) < 3).astype(np.float32)
    long_choice, long_rating = run("choice", inputs)
    short = {key: value if key == "query" else value[:, :3] for key, value in inputs.items()}
    choice, rating = run("choice", short)
    np.testing.assert_array_equal(long_choice[:, 3:-1], np.float32(mirror.PADDED))
    np.testing.assert_allclose(long_choice[:, [0, 1, 2, -1]], choice, atol=1e-6)
    np.testing.assert_allclose(long_rating[:, :3], rating, atol=1e-6)


def test_averages_equal_repeated_updates() -> None:
    rng = np.random.default_rng(5)
    user = np.repeat([0, 1, 2], [3, 2 * BLOCK, 4 * BLOCK - 2 * BLOCK - 3])
    item = rng.standard_normal((len(user), DIMS.item)).astype(np.float32)
    event = rng.standard_normal((len(user), mirror.EVENT)).astype(np.float32)
    x = mirror.event_input(PARAMS, item, event, DIMS)
    fast = np.asarray(averages(x, jnp.asarray(user), DIMS.decays))
    state = np.zeros((1, DIMS.state), np.float32)
    for row in range(len(user)):
        if row and user[row] != user[row - 1]:
            state = np.zeros_like(state)
        np.testing.assert_allclose(fast[row], state[0, : -DIMS.start], atol=1e-5)
        feeds = {"state": state, "item": item[row : row + 1], "event": event[row : row + 1]}
        state = run("update", feeds)[0]


def test_pack_keeps_users_whole() -> None:
    users = {u: np.arange(10 * u, 10 * u + 1 + u % 7) for u in range(50)}
    batches = pack(users, 16, np.random.default_rng(0))
    seen = np.concatenate([rows[owner >= 0] for rows, owner in batches])
    assert sorted(seen) == sorted(np.concatenate(list(users.values())))
    for rows, owner in batches:
        for u in set(owner.tolist()) - {-1}:
            np.testing.assert_array_equal(rows[owner == u], users[u])


def test_passes_take_the_scenes_of_a_row_in_file_order() -> None:
    row = np.array([2, 0, 2, 3, 0, 2], np.int32)
    nothing = np.zeros((6, SLOTS), np.int32)
    scenes = Scenes(row=row, items=nothing, context=nothing[..., None], label=row, kind=row)
    expected = [[1, -1, 0, 3], [4, -1, 2, -1], [-1, -1, 5, -1]]
    np.testing.assert_array_equal(by_pass(scenes, rows=4), expected)


if __name__ == "__main__":
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            test()
            print(f"{name}: ok")
