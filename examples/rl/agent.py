"""Proximal policy optimisation in the manner of CleanRL's `ppo_continuous_action`, in one file, on JAX.

The network sees the state of a user and gives weights of the signals; scores of all items follow, and the best candidates
are shown. An action is a vector of weights, drawn from a normal distribution while the agent learns.

Schulman, Wolski, Dhariwal, Radford and Klimov (2017), "Proximal policy optimization algorithms"; Huang et al. (2022), "CleanRL:
high-quality single-file implementations of deep reinforcement learning algorithms".
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from signals import STATE, WEIGHTS, Signals

HIDDEN = 32
# A recommender before it learned: it follows tastes, and a little what is popular.
START = np.array([1.0, 0.3, 0.0, 0.0, 0.5, 0.3, 0.0, 0.0], dtype=np.float32)

Parameters = dict[str, Any]


def initial(seed: int) -> Parameters:
    keys = jax.random.split(jax.random.PRNGKey(seed), 4)
    layer = lambda key, ins, outs, scale: jax.random.normal(key, (ins, outs)) * scale / np.sqrt(ins)  # noqa: E731
    return {
        "a1": layer(keys[0], STATE, HIDDEN, 1.4),
        "a1b": jnp.zeros(HIDDEN),
        "a2": layer(keys[1], HIDDEN, WEIGHTS, 0.01),
        "a2b": jnp.array(START),
        "spread": jnp.full(WEIGHTS, -1.2),
        "v1": layer(keys[2], STATE, HIDDEN, 1.4),
        "v1b": jnp.zeros(HIDDEN),
        "v2": layer(keys[3], HIDDEN, 1, 1.0),
        "v2b": jnp.zeros(1),
    }


@jax.jit
def look(parameters: Parameters, state: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Mean of the weights, logarithm of their spread, and the value of the state."""
    hidden = jnp.tanh(state @ parameters["a1"] + parameters["a1b"])
    value = jnp.tanh(state @ parameters["v1"] + parameters["v1b"]) @ parameters["v2"] + parameters["v2b"]
    return hidden @ parameters["a2"] + parameters["a2b"], parameters["spread"], value[:, 0]


def weigh(parameters: Parameters, state: np.ndarray) -> np.ndarray:
    """The mean of the weights, without JAX: a step of an episode is too small for it."""
    return np.tanh(state @ parameters["a1"] + parameters["a1b"]) @ parameters["a2"] + parameters["a2b"]


def worth(parameters: Parameters, state: np.ndarray) -> np.ndarray:
    """The value of states, without JAX."""
    return (np.tanh(state @ parameters["v1"] + parameters["v1b"]) @ parameters["v2"] + parameters["v2b"])[:, 0]


def log_likelihood(mean: jax.Array, spread: jax.Array, action: jax.Array) -> jax.Array:
    return (-0.5 * ((action - mean) / jnp.exp(spread)) ** 2 - spread - 0.919).sum(axis=1)


def loss(parameters: Parameters, batch: dict[str, jax.Array]) -> jax.Array:
    mean, spread, value = look(parameters, batch["state"])
    ratio = jnp.exp(log_likelihood(mean, spread, batch["action"]) - batch["likelihood"])
    advantage = batch["advantage"]
    policy = -jnp.minimum(ratio * advantage, jnp.clip(ratio, 0.8, 1.2) * advantage).mean()
    return policy + 0.5 * ((value - batch["target"]) ** 2).mean() - 0.001 * spread.sum()


@partial(jax.jit, static_argnames="rate")
def improve(parameters: Parameters, moments: Any, batch: dict[str, jax.Array], count: jax.Array, rate: float) -> Any:
    """One step of Adam on a batch."""
    gradient = jax.grad(loss)(parameters, batch)
    length = jnp.sqrt(sum((part**2).sum() for part in jax.tree.leaves(gradient)))
    gradient = jax.tree.map(lambda part: part * jnp.minimum(1.0, 0.5 / (length + 1e-8)), gradient)
    first = jax.tree.map(lambda old, new: 0.9 * old + 0.1 * new, moments[0], gradient)
    second = jax.tree.map(lambda old, new: 0.999 * old + 0.001 * new**2, moments[1], gradient)

    def step(value: jax.Array, one: jax.Array, two: jax.Array) -> jax.Array:
        return value - rate * (one / (1 - 0.9**count)) / (jnp.sqrt(two / (1 - 0.999**count)) + 1e-8)

    return jax.tree.map(step, parameters, first, second), (first, second)


class Agent:
    """A trained network as a policy of an experiment. It draws nothing: the mean of the weights is taken."""

    def __init__(self, parameters: Parameters, categories: np.ndarray, horizon: int) -> None:
        self.parameters = {name: np.asarray(value) for name, value in parameters.items()}
        self.categories, self.horizon = categories, horizon

    def fit(self, log: Any) -> None:
        popularity = np.bincount(log.items, minlength=log.n_items).astype(np.float32)
        self.signals = Signals(len(log.sources), self.categories, popularity, self.horizon)

    def recommend(self, observation: Any) -> np.ndarray:
        self.signals.step = observation.step
        seen = self.signals.observe(observation.users, observation.history, observation.history_ratings)
        return self.signals.scores(seen, weigh(self.parameters, seen["state"]))

    def observe(self, outcome: Any) -> None:
        self.signals.learn(outcome.users, outcome.slates, outcome.accepted_items)
