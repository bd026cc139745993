"""The learned user ("mirror") in JAX: what it computes, and nothing about how it is trained or stored.

A user is a state: exponential averages of the accepted items at several decays, plus a start from the profile.
A state gives a query, and a query scores every slot on its own:

    item    = MLP(attributes | vectors) + linear(vectors)          [D] = choice part [Dc] | event part [E]
    x       = tanh(event part + linear(event))                     [E]
    state_d = d * state_d + (1 - d) * x      for every decay d     [E] each
    state   = state_d1 | state_d2 | ... | tanh(linear(profile))    [S]
    query   = MLP(state)                                           [Q] = gate [Dc] | bias [H] | reject part [J]
    hidden  = relu(linear(gate * choice part | context) + bias)    [K,H]
    choice  = linear(hidden) per slot, then reject = MLP(reject part | number of slots)
    rating  = linear(hidden): logits of the ratings 1..5 per slot

A slot never sees the other slots, so that no rule about the list ("the item most like the others") can be learnt.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import jax
import jax.numpy as jnp

Params = dict[str, dict[str, jax.Array]]
RATINGS = 5
PADDED = -1e9  #: the logit of an unused slot
EVENT = 3  #: columns of an event: scaled rating, liked, rating known
REJECT_HIDDEN = 16


@dataclass(frozen=True)
class Dims:
    """Widths of the model; the first four come from the data."""

    attributes: int
    vectors: int
    profile: int
    context: int
    item_hidden: int = 64
    choice_item: int = 48  #: columns of an item that the choice reads
    event_item: int = 48  #: columns of an item that the state reads
    hidden: int = 48
    query_hidden: int = 96
    reject: int = 16
    start: int = 16
    decays: tuple[float, ...] = (0.3, 0.7, 0.9, 0.97, 0.995)

    @property
    def item(self) -> int:
        return self.choice_item + self.event_item

    @property
    def state(self) -> int:
        return len(self.decays) * self.event_item + self.start

    @property
    def query(self) -> int:
        return self.choice_item + self.hidden + self.reject

    def as_dict(self) -> dict:
        return asdict(self) | {"item": self.item, "state": self.state, "query": self.query, "event": EVENT}


def init(key: jax.Array, dims: Dims) -> Params:
    """Random weights; the gate starts at one, so that an unknown user sees every item as it is."""
    shapes = {
        "item_in": (dims.attributes + dims.vectors, dims.item_hidden, 1.0),
        "item_out": (dims.item_hidden, dims.item, 0.5),
        "vector": (dims.vectors, dims.item, 1.0),
        "event": (EVENT, dims.event_item, 1.0),
        "profile": (dims.profile, dims.start, 0.5),
        "query_in": (dims.state, dims.query_hidden, 1.0),
        "query_out": (dims.query_hidden, dims.query, 1.0),
        "slot": (dims.choice_item + dims.context, dims.hidden, 1.0),
        "choice": (dims.hidden, 1, 1.0),
        "rating": (dims.hidden, RATINGS, 1.0),
        "reject_in": (dims.reject + 1, REJECT_HIDDEN, 1.0),
        "reject_out": (REJECT_HIDDEN, 1, 1.0),
    }
    keys = jax.random.split(key, len(shapes))
    params = {name: _dense(k, *shape) for k, (name, shape) in zip(keys, shapes.items(), strict=True)}
    gate = params["query_out"]["b"].at[: dims.choice_item].set(1.0)
    params["query_out"]["b"] = gate
    return params


def _dense(key: jax.Array, inputs: int, outputs: int, scale: float) -> dict[str, jax.Array]:
    weight = jax.random.normal(key, (inputs, outputs)) * (scale / max(inputs, 1) ** 0.5)
    return {"w": weight, "b": jnp.zeros(outputs)}


def linear(layer: dict[str, jax.Array], x: jax.Array) -> jax.Array:
    return x @ layer["w"] + layer["b"]


def count(params: Params) -> int:
    """Number of parameters."""
    return sum(int(x.size) for x in jax.tree.leaves(params))


def encode_items(params: Params, attributes: jax.Array, vectors: jax.Array) -> jax.Array:
    """attributes [...,A], vectors [...,V] -> item [...,D]."""
    attributes = jnp.broadcast_to(attributes, (*vectors.shape[:-1], attributes.shape[-1]))
    hidden = jax.nn.relu(linear(params["item_in"], jnp.concatenate([attributes, vectors], axis=-1)))
    return linear(params["item_out"], hidden) + linear(params["vector"], vectors)


def event_input(params: Params, item: jax.Array, event: jax.Array, dims: Dims) -> jax.Array:
    """item [n,D], event [n,3] -> x [n,E], what one accepted item adds to the state."""
    return jnp.tanh(item[..., dims.choice_item :] + linear(params["event"], event))


def start(params: Params, profile: jax.Array, dims: Dims) -> jax.Array:
    """profile [n,P] -> state [n,S] of a user without history."""
    known = jnp.tanh(linear(params["profile"], profile))
    return jnp.concatenate([jnp.zeros((len(profile), len(dims.decays) * dims.event_item)), known], axis=1)


def update(params: Params, state: jax.Array, item: jax.Array, event: jax.Array, dims: Dims) -> jax.Array:
    """state [n,S], item [n,D], event [n,3] -> the state [n,S] after the item was accepted."""
    x = event_input(params, item, event, dims)
    parts = [
        d * state[:, i * dims.event_item : (i + 1) * dims.event_item] + (1 - d) * x for i, d in enumerate(dims.decays)
    ]
    return jnp.concatenate([*parts, state[:, len(dims.decays) * dims.event_item :]], axis=1)


def query(params: Params, state: jax.Array) -> jax.Array:
    """state [n,S] -> query [n,Q]."""
    return linear(params["query_out"], jax.nn.relu(linear(params["query_in"], state)))


def choose(
    params: Params, query: jax.Array, item: jax.Array, context: jax.Array, slots: jax.Array, dims: Dims
) -> tuple[jax.Array, jax.Array]:
    """query [n,Q], choice part of the items [n,K,Dc], context [n,K,C], slots [n,K] (1 = used, 0 = padding)
    -> choice logits [n,K+1] (last = reject), rating logits [n,K,5]."""
    gate, bias, reject = jnp.split(query, [dims.choice_item, dims.choice_item + dims.hidden], axis=-1)
    seen = jnp.concatenate([gate[:, None, :] * item, context], axis=-1)
    hidden = jax.nn.relu(linear(params["slot"], seen) + bias[:, None, :])
    score = jnp.where(slots > 0, linear(params["choice"], hidden)[..., 0], PADDED)
    number = (slots.sum(axis=1, keepdims=True) - 1) / 4
    wish = jax.nn.relu(linear(params["reject_in"], jnp.concatenate([reject, number], axis=1)))
    choice = jnp.concatenate([score, linear(params["reject_out"], wish)], axis=1)
    return choice, linear(params["rating"], hidden)
