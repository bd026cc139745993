"""SASRec in JAX: self-attention over the latest items of a user gives a score for every item.

Kang and McAuley 2018, "Self-Attentive Sequential Recommendation" (arXiv 1808.09781), with the full softmax in place of
one sampled negative (Klenitskiy and Vasilev 2023, arXiv 2309.07602: it is what lifts SASRec above BERT4Rec), and with
one of the next few items as the target, because the order of neighbours in a log of ratings says little. With the
items s_1 ... s_H of the latest H places, oldest first, 0 = nothing:

    x_i    = sqrt(D) M[s_i] + P[i]                                   M [I+1,D] items, P [H,D] places
    x      = x + attention(norm(x));  x = x + FFN(norm(x))           per block; FFN(x) = relu(x W1 + b1) W2 + b2
    score  = norm(x_H) . M[1:]'                                      for every item

A place attends to itself and to earlier places with an item. Items are numbered from 1 here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import jax
import jax.numpy as jnp
import numpy as np
import optax

Params = dict[str, jax.Array]
MASKED = -1e9  #: the attention logit of a place that is not seen
EPSILON = 1e-6  #: of the layer norm


@dataclass(frozen=True)
class Dims:
    """Widths of the model; the first comes from the data."""

    items: int
    history: int = 50  #: latest items that are read
    width: int = 64
    heads: int = 2
    blocks: int = 2

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


@dataclass(frozen=True)
class Settings:
    """Everything that changes the outcome, besides the data."""

    seed: int = 0
    epochs: int = 20
    batch: int = 32  #: windows of a step
    learning_rate: float = 2e-3
    warmup_steps: int = 100
    weight_decay: float = 0.05
    dropout: float = 0.2
    ahead: int = 10  #: the target is one of the next so many items, drawn anew in each epoch; 1 = the very next


def init(key: jax.Array, dims: Dims) -> Params:
    """Random weights, normal with a deviation of 0.02 as far as they are not biases or scales."""
    width = dims.width
    shapes = {"items": (dims.items + 1, width), "places": (dims.history, width)}
    for block in range(dims.blocks):
        for name in ("query", "key", "value", "out", "inner", "outer"):
            shapes[f"{block}.{name}"] = (width, width)
    keys = jax.random.split(key, len(shapes))
    made = {name: 0.02 * jax.random.normal(k, shape) for (name, shape), k in zip(shapes.items(), keys, strict=True)}
    for block in range(dims.blocks):
        for name in ("query", "key", "value", "out", "inner", "outer"):
            made[f"{block}.{name}_bias"] = jnp.zeros(width)
        for name in ("first", "second"):
            made |= {f"{block}.{name}_scale": jnp.ones(width), f"{block}.{name}_shift": jnp.zeros(width)}
    return made | {"last_scale": jnp.ones(width), "last_shift": jnp.zeros(width)}


def count(params: Params) -> int:
    return sum(int(np.prod(value.shape)) for value in params.values())


def norm(params: Params, name: str, x: jax.Array) -> jax.Array:
    centred = x - x.mean(axis=-1, keepdims=True)
    scaled = centred / jnp.sqrt((centred**2).mean(axis=-1, keepdims=True) + EPSILON)
    return scaled * params[f"{name}_scale"] + params[f"{name}_shift"]


def encode(params: Params, history: jax.Array, dims: Dims, drop=lambda x: x) -> jax.Array:
    """history i32[n,H] -> [n,H,D]: what each place says of the item that comes after it."""
    n, places = history.shape
    x = drop(params["items"][history] * dims.width**0.5 + params["places"])
    seen = jnp.tril(jnp.ones((places, places), bool)) & (history > 0)[:, None, :] | jnp.eye(places, dtype=bool)
    parts = dims.width // dims.heads

    def linear(name: str, x: jax.Array) -> jax.Array:
        return x @ params[name] + params[f"{name}_bias"]

    def heads(name: str, x: jax.Array) -> jax.Array:
        return linear(name, x).reshape(n, places, dims.heads, parts).transpose(0, 2, 1, 3)

    for block in range(dims.blocks):
        y = norm(params, f"{block}.first", x)
        query, key, value = (heads(f"{block}.{name}", y) for name in ("query", "key", "value"))
        logits = query @ key.transpose(0, 1, 3, 2) / parts**0.5
        weights = drop(jax.nn.softmax(jnp.where(seen[:, None], logits, MASKED)))
        mixed = (weights @ value).transpose(0, 2, 1, 3).reshape(n, places, dims.width)
        x = x + drop(linear(f"{block}.out", mixed))
        inner = jax.nn.relu(linear(f"{block}.inner", norm(params, f"{block}.second", x)))
        x = x + drop(linear(f"{block}.outer", drop(inner)))
    return norm(params, "last", x)


def scores(params: Params, history: jax.Array, dims: Dims) -> jax.Array:
    """history i32[n,H] -> [n,I]."""
    return encode(params, history, dims)[:, -1] @ params["items"][1:].T


def histories(sequences: list[np.ndarray], length: int) -> np.ndarray:
    """i32[n,length]: the latest items of each sequence (numbers from 1), the latest in the last column."""
    table = np.zeros((len(sequences), length), np.int32)
    for row, sequence in enumerate(sequences):
        latest = sequence[-length:]
        table[row, length - len(latest) :] = latest
    return table


def windows(sequences: list[np.ndarray], length: int, ahead: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """One epoch: histories i32[N,length] and targets i32[N,length] (0 = none).

    Each sequence is cut into windows from a random place on, so that every place of a window sees short and long
    histories, the empty one included.
    """
    rows, targets = [], []
    for sequence in filter(len, sequences):
        padded = np.concatenate([np.zeros(length, np.int32), sequence])
        # The place before the first item is a history as well: the empty one.
        step = np.minimum(rng.integers(0, ahead, len(sequence)), len(sequence) - 1 - np.arange(len(sequence)))
        wanted = np.concatenate([np.zeros(length - 1, np.int32), sequence[np.arange(len(sequence)) + step], [0]])
        last = len(padded) - 1
        for end in range(length + int(rng.integers(0, length)), last + length, length):
            at = slice(min(end, last) - length, min(end, last))
            rows.append(padded[at])
            targets.append(wanted[at])
    return np.stack(rows).astype(np.int32), np.stack(targets).astype(np.int32)


def epochs(sequences: list[np.ndarray], dims: Dims, settings: Settings) -> Iterator[list[tuple[np.ndarray, np.ndarray]]]:
    """The batches of each epoch; windows that do not fill a batch are left to another epoch's draw."""
    rng = np.random.default_rng(settings.seed)
    for _ in range(settings.epochs):
        history, target = windows(sequences, dims.history, settings.ahead, rng)
        order = rng.permutation(len(history))
        full = len(order) // settings.batch * settings.batch
        yield [(history[at], target[at]) for at in order[:full].reshape(-1, settings.batch)]


def fit(sequences: list[np.ndarray], dims: Dims, settings: Settings, say, after=lambda epoch, params: None) -> Params:
    """Trains on the sequences (numbers from 1, oldest first); `after` sees the weights of every epoch."""
    plans = list(epochs(sequences, dims, settings))
    steps = sum(len(plan) for plan in plans)
    schedule = optax.warmup_cosine_decay_schedule(
        0.0, settings.learning_rate, settings.warmup_steps, max(steps, settings.warmup_steps + 1)
    )
    optimiser = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(schedule, weight_decay=settings.weight_decay))
    key = jax.random.PRNGKey(settings.seed)
    params = init(key, dims)
    state = optimiser.init(params)

    @jax.jit
    def step(params, state, history, target, key):
        loss, grads = jax.value_and_grad(loss_of)(params, history, target, key, dims, settings.dropout)
        delta, state = optimiser.update(grads, state, params)
        return optax.apply_updates(params, delta), state, loss

    done = 0
    for epoch, plan in enumerate(plans, start=1):
        losses = []
        for history, target in plan:
            done += 1
            params, state, loss = step(params, state, history, target, jax.random.fold_in(key, done))
            losses.append(loss)
        say(f"epoch {epoch}/{settings.epochs}: loss {float(jnp.stack(losses).mean()):.4f}")
        after(epoch, params)
    return jax.device_get(params)


def loss_of(params: Params, history: jax.Array, target: jax.Array, key: jax.Array, dims: Dims, dropout: float):
    """Mean cross entropy over the places with a target, in nats."""
    keys = iter(jax.random.split(key, 1 + 4 * dims.blocks))

    def drop(x: jax.Array) -> jax.Array:
        return x * jax.random.bernoulli(next(keys), 1 - dropout, x.shape) / (1 - dropout)

    logits = encode(params, history, dims, drop) @ params["items"][1:].T
    loss = optax.softmax_cross_entropy_with_integer_labels(logits, jnp.maximum(target - 1, 0))
    weight = (target > 0).astype(loss.dtype)
    return (loss * weight).sum() / jnp.maximum(weight.sum(), 1)


def ndcg(found: np.ndarray, known: list[np.ndarray], wanted: list[np.ndarray], depth: int = 10) -> float:
    """NDCG@depth over the users with wanted items; `found` [n,I] are scores, known items are not recommended."""
    gains, values = 1 / np.log2(np.arange(depth) + 2), []
    for scored, old, new in zip(found.copy(), known, wanted, strict=True):
        new = np.setdiff1d(new, old)
        if not len(new):
            continue
        scored[old - 1] = -np.inf
        best = np.argsort(-scored, kind="stable")[:depth] + 1
        values.append((np.isin(best, new) * gains).sum() / gains[: len(new)].sum())
    return float(np.mean(values))
