"""Fits the mirror: batches of whole users, the loss, the optimiser and the loop.

Every step reads whole histories, so states are exact; every row of the batch answers one scene. A user of fold f
always meets the item vectors of table f, which were made without that user: statistics that hold the very choice
to be predicted would give it away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import optax

import mirror
from dump import SLOTS, Dump, Scenes, by_pass, joined
from histories import averages, pack
from mirror import Dims, Params

Batch = dict[str, np.ndarray]


@dataclass(frozen=True)
class Settings:
    """Everything that changes the outcome, besides the data."""

    seed: int = 0
    epochs: int = 32
    batch_rows: int = 1024
    learning_rate: float = 3e-3
    warmup_steps: int = 50
    weight_decay: float = 0.1
    weight_average: float = 0.995  #: decay of the running mean of the weights that is kept in the end
    rating_weight: float = 0.3
    drop_rating_user: float = 0.07  #: share of users whose ratings are hidden from the state
    drop_rating_event: float = 0.05  #: share of single events whose rating is hidden
    drop_event: float = 0.2  #: share of events that leave no trace
    drop_profile: float = 0.1  #: share of users without a profile
    drop_vector: float = 0.03  #: share of items without vectors, so that new items are no surprise
    soft_weight: float = 0.5  #: share of a language model's probabilities in the label of a scene that it answered
    bootstrap: int = 0  #: the users are drawn anew, with replacement, by this seed; 0: every user once


@dataclass(frozen=True)
class Fitted:
    params: Params
    curve: list[float]  #: mean training loss of each epoch: choice loss (nats) + rating_weight * rating loss
    steps: int


def fit(dump: Dump, dims: Dims, settings: Settings, last: int, say: Callable[[str], None]) -> Fitted:
    """Trains on the scenes of the rows whose split is at most `last` (dump.FIT or dump.VALID)."""
    rng = np.random.default_rng(settings.seed)
    key = jax.random.PRNGKey(settings.seed)
    params = mirror.init(key, dims)
    sets = _passes(dump)
    plans = [list(_epoch(dump, settings, last, sets[epoch % len(sets)], rng)) for epoch in range(settings.epochs)]
    steps = sum(len(plan) for plan in plans)
    step, optimiser = _make_step(dump, dims, settings, steps)
    carry = (params, optimiser.init(params), params)
    curve, done = [], 0
    for epoch, plan in enumerate(plans):
        losses = []
        for batch in plan:
            done += 1
            keep = min(settings.weight_average, (1 + done) / (10 + done))
            carry, loss = step(carry, batch, jax.random.fold_in(key, done), keep)
            losses.append(loss)
        curve.append(round(float(jnp.stack(losses).mean()), 4))
        say(f"epoch {epoch + 1}/{settings.epochs}: loss {curve[-1]}")
    return Fitted(params=jax.device_get(carry[2]), curve=curve, steps=done)


def _passes(dump: Dump) -> np.ndarray:
    """i32[passes,R]: the scene of each row in each pass. In every second pass a row that a language model was asked about
    meets that scene instead; those are numbered behind the log's own."""
    sets = by_pass(dump.train, len(dump.user))
    if dump.soft is None or not len(dump.soft.scenes):
        return sets
    asked = by_pass(dump.soft.scenes, len(dump.user))
    sets = np.concatenate([sets] * -(-2 * len(asked) // len(sets)))
    for number, place in enumerate(range(1, len(sets), 2)):
        scene = asked[number % len(asked)]
        sets[place] = np.where(scene >= 0, scene + len(dump.train), sets[place])
    return sets


def _epoch(dump: Dump, settings: Settings, last: int, scene: np.ndarray, rng: np.random.Generator) -> Iterator[Batch]:
    """One pass over the rows, each with its scene (i32[R], -1 = none) of one of the dump's sets of negatives."""
    kept = np.flatnonzero(dump.split <= last)
    users = _rows_of_users(dump.user, kept)
    if settings.bootstrap:
        users = _resampled(users, settings.bootstrap)
    for rows, owner in pack(users, settings.batch_rows, rng):
        hidden = rng.random(len(dump.profile)) < settings.drop_rating_user
        blank = rng.random(len(dump.profile)) < settings.drop_profile
        yield {
            "rows": rows.astype(np.int32),
            "owner": owner,
            "scene": np.where(owner >= 0, scene[rows], -1).astype(np.int32),
            "rated": 1 - hidden[dump.user[rows]].astype(np.float32),
            "known": 1 - blank[dump.user[rows]].astype(np.float32),
        }


def _rows_of_users(user: np.ndarray, rows: np.ndarray) -> dict[int, np.ndarray]:
    owners, first = np.unique(user[rows], return_index=True)
    return dict(zip(owners.tolist(), np.split(rows, first[1:]), strict=True))


def _resampled(users: dict[int, np.ndarray], seed: int) -> dict[int, np.ndarray]:
    """As many users, drawn with replacement; each copy is a user of its own."""
    drawn = np.random.default_rng(seed).choice(sorted(users), len(users))
    return {copy: users[int(user)] for copy, user in enumerate(drawn)}


def _make_step(dump: Dump, dims: Dims, settings: Settings, steps: int):
    """The compiled training step and its optimiser."""
    schedule = optax.warmup_cosine_decay_schedule(
        0.0,
        settings.learning_rate,
        settings.warmup_steps,
        max(steps, settings.warmup_steps + 1),
        settings.learning_rate * 0.02,
    )
    optimiser = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(schedule, weight_decay=settings.weight_decay))
    tables, loss_of = _tables(dump), _make_loss(dims, settings)

    @jax.jit
    def step(carry, batch, key, keep, tables):
        params, state, mean = carry
        loss, grads = jax.value_and_grad(loss_of)(params, batch, key, tables)
        delta, state = optimiser.update(grads, state, params)
        params = optax.apply_updates(params, delta)
        mean = jax.tree.map(lambda m, p: keep * m + (1 - keep) * p, mean, params)
        return (params, state, mean), loss

    return lambda carry, batch, key, keep: step(carry, batch, key, keep, tables), optimiser


def _tables(dump: Dump) -> dict[str, jax.Array]:
    """The arrays that every step gathers from."""
    rating = np.where(np.isfinite(dump.rating), dump.rating, 0).astype(np.int32)
    arrays = {
        "attributes": dump.attributes,
        "vectors": dump.vectors[:-1],
        "profile": dump.profile,
        "user": dump.user,
        "item": dump.item,
        "fold": dump.fold_of_row,
        "event": dump.events(),
        "rating": rating,
    }
    scenes = dump.train
    if dump.soft is not None and len(dump.soft.scenes):
        arrays |= {"probability": dump.soft.probability, "none": dump.soft.none}
        scenes = joined(scenes, dump.soft.scenes)
    arrays |= {"items": scenes.items, "context": scenes.context, "label": scenes.label}
    return {name: jnp.asarray(array) for name, array in arrays.items()}


def _make_loss(dims: Dims, settings: Settings):
    def loss(params: Params, batch: dict[str, jax.Array], key: jax.Array, t: dict[str, jax.Array]) -> jax.Array:
        keys = jax.random.split(key, 3)
        rows, scene = batch["rows"], batch["scene"]
        fold = t["fold"][rows]
        vectors = t["vectors"] * _mask(keys[0], settings.drop_vector, (t["vectors"].shape[1], 1))
        item = mirror.encode_items(params, t["attributes"][None], vectors)
        rated = batch["rated"][:, None] * _mask(keys[1], settings.drop_rating_event, (len(rows), 1))
        x = mirror.event_input(params, item[fold, t["item"][rows]], t["event"][rows] * rated, dims)
        x = x * _mask(keys[2], settings.drop_event, (len(rows), 1)) / (1 - settings.drop_event)
        profile = t["profile"][t["user"][rows]] * batch["known"][:, None]
        known = mirror.start(params, profile, dims)[:, -dims.start :]
        state = jnp.concatenate([averages(x, batch["owner"], dims.decays), known], axis=1)
        shown = t["items"][scene]
        parts = item[fold[:, None], jnp.maximum(shown, 0), : dims.choice_item]
        logits, ratings = mirror.choose(
            params, mirror.query(params, state), parts, t["context"][scene], (shown >= 0).astype(jnp.float32), dims
        )
        weight = (scene >= 0).astype(jnp.float32)
        label = t["label"][scene]
        if "probability" in t:
            choice = _soft_loss(logits, scene, weight, t, settings.soft_weight)
        else:
            choice = _choice_loss(logits, label, weight)
        return choice + settings.rating_weight * _rating_loss(
            ratings, label, t["rating"][rows], weight
        )

    return loss


def _mask(key: jax.Array, drop: float, shape: tuple[int, ...]) -> jax.Array:
    return jax.random.bernoulli(key, 1 - drop, shape).astype(jnp.float32)


def _choice_loss(logits: jax.Array, label: jax.Array, weight: jax.Array) -> jax.Array:
    """Cross entropy over the slots and reject, nats per scene."""
    label = jnp.where(label < 0, SLOTS, label)
    loss = optax.softmax_cross_entropy_with_integer_labels(logits, label)
    return (loss * weight).sum() / weight.sum()


def _soft_loss(
    logits: jax.Array, scene: jax.Array, weight: jax.Array, t: dict[str, jax.Array], share: float
) -> jax.Array:
    """The same, where in scenes that a language model answered its probabilities are `share` of the label. Where it could
    not take nothing, nobody can."""
    label = jnp.where(t["label"][scene] < 0, SLOTS, t["label"][scene])
    target = jax.nn.one_hot(label, SLOTS + 1)
    place = scene - (len(t["label"]) - len(t["probability"]))
    asked, at = (place >= 0)[:, None], jnp.maximum(place, 0)
    target = jnp.where(asked, (1 - share) * target + share * t["probability"][at], target)
    shut = asked[:, 0] & (t["none"][at] == 0)
    logits = logits.at[:, SLOTS].set(jnp.where(shut, mirror.PADDED, logits[:, SLOTS]))
    loss = optax.softmax_cross_entropy(logits, target)
    return (loss * weight).sum() / weight.sum()


def _rating_loss(ratings: jax.Array, label: jax.Array, rating: jax.Array, weight: jax.Array) -> jax.Array:
    """Half cross entropy, half squared error of the expected rating, over the real items with a rating."""
    weight = weight * (label >= 0) * (rating > 0)
    at = jnp.maximum(label, 0)[:, None, None]
    logs = jax.nn.log_softmax(jnp.take_along_axis(ratings, at, axis=1)[:, 0])
    entropy = -jnp.take_along_axis(logs, jnp.maximum(rating - 1, 0)[:, None], axis=1)[:, 0]
    error = (jnp.exp(logs) @ jnp.arange(1.0, 6.0) - rating) ** 2
    return (0.5 * (entropy + error) * weight).sum() / jnp.maximum(weight.sum(), 1)


def queries(params: Params, dims: Dims, dump: Dump, table: int) -> np.ndarray:
    """f32[R,Q]: the query in front of every row, with the item vectors of one table."""
    item = mirror.encode_items(params, dump.attributes, dump.vectors[table])
    x = mirror.event_input(params, item[dump.item], dump.events(), dims)
    pad = -len(x) % 128
    owner = np.pad(dump.user, (0, pad), constant_values=-1)
    history = averages(jnp.pad(x, ((0, pad), (0, 0))), jnp.asarray(owner), dims.decays)[: len(x)]
    known = mirror.start(params, dump.profile, dims)[dump.user, -dims.start :]
    return np.asarray(mirror.query(params, jnp.concatenate([history, known], axis=1)))


def valid_logits(params: Params, dims: Dims, dump: Dump) -> tuple[np.ndarray, np.ndarray]:
    """Choice logits [N,K+1] and labels [N] (K = none) of the validation scenes, each with its user's fold table."""
    scenes: Scenes = dump.valid
    logits = np.zeros((len(scenes), SLOTS + 1), np.float32)
    fold = dump.fold_of_row[scenes.row]
    for table in np.unique(fold):
        at = np.flatnonzero(fold == table)
        item = np.asarray(mirror.encode_items(params, dump.attributes, dump.vectors[table]))[:, : dims.choice_item]
        asked = queries(params, dims, dump, int(table))[scenes.row[at]]
        shown = scenes.items[at]
        slots = (shown >= 0).astype(np.float32)
        parts = item[np.maximum(shown, 0)]
        logits[at] = mirror.choose(params, asked, parts, scenes.context[at], slots, dims)[0]
    return logits, np.where(scenes.label < 0, SLOTS, scenes.label)
