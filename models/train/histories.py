"""The states of many rows at once: exact exponential averages over whole histories, without a loop over rows.

Training needs the state in front of every row. Rows of several users stand one after the other; inside a block of
`BLOCK` rows an average is one triangular matrix product, and only the blocks' last rows are carried forward.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

BLOCK = 128


def averages(x: jax.Array, user: jax.Array, decays: tuple[float, ...]) -> jax.Array:
    """x [R,E] (R a multiple of BLOCK), user [R] (rows of one user are neighbours) -> [R, len(decays) * E]:
    for every row and decay d the average sum_j (1 - d) d^j x[row - 1 - j] over the user's earlier rows."""
    rows, width = x.shape
    d = jnp.asarray(decays, x.dtype)
    blocks = user.reshape(-1, BLOCK)
    inside = _weights(blocks, d)
    local = jnp.einsum("bdij,bje->bdie", inside, x.reshape(-1, BLOCK, width))
    full = _carry(local, blocks, d)
    after = full.transpose(0, 2, 1, 3).reshape(rows, -1)
    before = jnp.concatenate([jnp.zeros_like(after[:1]), after[:-1]])
    same = jnp.concatenate([jnp.zeros(1, bool), user[1:] == user[:-1]])
    return jnp.where(same[:, None], before, 0.0)


def _weights(blocks: jax.Array, d: jax.Array) -> jax.Array:
    """[blocks, decays, BLOCK, BLOCK]: what row j adds to the average after row i of the same user."""
    lag = np.arange(BLOCK)[:, None] - np.arange(BLOCK)[None, :]
    power = jnp.where(lag >= 0, (1 - d)[:, None, None] * d[:, None, None] ** np.maximum(lag, 0), 0.0)
    same = blocks[:, :, None] == blocks[:, None, :]
    return same[:, None] * power[None]


def _carry(local: jax.Array, blocks: jax.Array, d: jax.Array) -> jax.Array:
    """Adds what the earlier blocks of the same user left to the averages inside each block."""
    head = blocks == blocks[:, :1]
    goes_on = jnp.concatenate([jnp.zeros(1, bool), blocks[1:, 0] == blocks[:-1, -1]])
    fade = d[:, None] ** jnp.arange(1, BLOCK + 1)

    def step(last: jax.Array, block: tuple[jax.Array, ...]) -> tuple[jax.Array, jax.Array]:
        y, first, on = block
        last = jnp.where(on, last, 0.0)
        y = y + fade[:, :, None] * first[None, :, None] * last[:, None, :]
        return y[:, -1], y

    shape = (local.shape[1], local.shape[3])
    _, full = jax.lax.scan(step, jnp.zeros(shape, local.dtype), (local, head.astype(local.dtype), goes_on))
    return full


def pack(users: dict[int, np.ndarray], size: int, rng: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray]]:
    """Whole users, shuffled, first fit into batches of `size` rows (a multiple of BLOCK).

    users: row numbers of each user. Returns (rows [size], owner [size]) per batch; owner -1 = padding.
    """
    bins: list[list[int]] = []
    room: list[int] = []
    for user in rng.permutation(sorted(users)):
        need = len(users[user])
        if need > size:
            raise ValueError(f"user {user} has {need} rows, more than a batch of {size}: raise --batch-rows")
        slot = next((i for i, free in enumerate(room) if free >= need), None)
        if slot is None:
            bins.append([])
            room.append(size)
            slot = len(bins) - 1
        bins[slot].append(int(user))
        room[slot] -= need
    return [_fill(users, members, size) for members in bins]


def _fill(users: dict[int, np.ndarray], members: list[int], size: int) -> tuple[np.ndarray, np.ndarray]:
    rows = np.concatenate([users[u] for u in members])
    owner = np.concatenate([np.full(len(users[u]), u, np.int32) for u in members])
    gap = size - len(rows)
    return np.pad(rows, (0, gap)), np.pad(owner, (0, gap), constant_values=-1)
