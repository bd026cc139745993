"""Trains an agent in a scenario, and compares it with the scenario's policies.

    python examples/rl/train.py examples/rl/satiation.toml --out runs/rl

The agent learns in Gymnasium lanes, on users and draws of other seeds than those of the comparison. Each training seed gives an agent; all
agents and policies then meet in one experiment, and the result is the difference from the best policy that looks one
step ahead, with an interval over the seeds.
"""

from __future__ import annotations

import argparse
import json
import time
import tomllib
from pathlib import Path
from typing import Any

import gymnasium
import jax
import numpy as np

import recmirror as rm
from agent import Agent, improve, initial, weigh, worth
from comparison import T_95, compare_agents, late_of, means_of, plot, table
from signals import NAMES, Signals, categories_of


def lanes(scenario: dict[str, Any], data: rm.Dataset, seed: int) -> Any:
    """The scenario as lanes: the same users, arrivals and dynamics, with other seeds."""
    # What the lanes set for themselves goes back to the scenario's defaults.
    settings: dict[str, Any] = dict.fromkeys(("arrival.probability", "arrival.rate", "session.slates"))
    for table in ("user", "arrival", "session", "candidates"):
        settings |= {f"{table}.{key}": value for key, value in scenario.get(table, {}).items()}
    dynamics = [(table["kind"], {key: value for key, value in table.items() if key != "kind"}) for table in scenario["dynamic"]]
    return gymnasium.make_vec(
        "recmirror/Slates-v0",
        num_envs=scenario["population"]["users"],
        data=data,
        slate=scenario["slate"],
        actions="scores",
        mask=False,
        episode_steps=scenario["ticks"],
        simulation_steps=scenario["ticks"],
        dynamics=dynamics,
        settings=settings,
        seed=seed,
    ).unwrapped


def episode(envs: Any, seen: Any, parameters: Any, make: Any, random: np.random.Generator, horizon: int) -> dict[str, Any]:
    """All lanes from the start of the simulation to its end."""
    number, signals = envs.num_envs, make()
    kept: dict[str, list[np.ndarray]] = {key: [] for key in ("state", "action", "likelihood", "value", "reward", "acts", "alive")}
    alive, everyone = np.ones(number, dtype=bool), np.arange(number)
    parameters = {name: np.asarray(value) for name, value in parameters.items()}
    spread = parameters["spread"]
    for step in range(horizon):
        signals.step = step
        signal = signals.observe(everyone, seen["history"], seen["history_ratings"])
        mean, value = weigh(parameters, signal["state"]), worth(parameters, signal["state"])
        action = mean + np.exp(spread) * random.standard_normal(mean.shape).astype(np.float32)
        visiting = (seen["visiting"][:, 0] == 1) & alive
        seen, rewards, terminated, _, infos = envs.step(signals.scores(signal, action).astype(np.float32))
        shown = np.flatnonzero(visiting)
        signals.learn(shown, infos["slates"][shown], infos["accepted_item"][shown])
        likelihood = (-0.5 * ((action - mean) / np.exp(spread)) ** 2 - spread - 0.919).sum(axis=1)
        parts = (signal["state"], action, likelihood, value, rewards * alive, visiting, alive.copy())
        for key, part in zip(kept, parts):
            kept[key].append(part)
        # A user who left is gone for the rest of the scenario; lanes would bring the user back.
        alive &= ~terminated
    return {key: np.stack(parts) for key, parts in kept.items()} | {"seen": seen}


def advantages(played: dict[str, Any], discount: float = 0.98, trace: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Generalised advantages and targets of the value; the end of the scenario is the end of all that counts."""
    value, reward, alive = played["value"], played["reward"], played["alive"]
    found, later = np.zeros_like(value), np.zeros(value.shape[1], dtype=np.float32)
    for step in reversed(range(len(value))):
        last = step + 1 == len(value)
        goes_on = np.zeros_like(later) if last else alive[step + 1].astype(np.float32)
        following = np.zeros_like(later) if last else value[step + 1]
        later = reward[step] + discount * following * goes_on - value[step] + discount * trace * goes_on * later
        found[step] = later
    return found, found + value


def train(scenario: dict[str, Any], data: rm.Dataset, seed: int, updates: int) -> tuple[Any, list[float]]:
    """An agent, and what each episode of its training earned a user."""
    horizon, categories = scenario["ticks"], categories_of(data)
    envs = lanes(scenario, data, seed=10_000 + seed)
    # Popularity is that of the log before the start, as policies have it.
    watch = Watch()
    rm.run(scenario["path"], data=data, policies={"watch": watch}, settings={"ticks": 1, "replications": 1})
    popularity = Watch.popularity
    make = lambda: Signals(envs.num_envs, categories, popularity, horizon)  # noqa: E731
    parameters, random = initial(seed), np.random.default_rng(seed)
    zeros = jax.tree.map(np.zeros_like, parameters)
    moments, count, earned = (zeros, zeros), 0, []
    seen, _ = envs.reset()
    for update in range(updates):
        played = episode(envs, seen, parameters, make, random, horizon)
        # One step begins all lanes again, with the users of the next replication.
        seen = envs.step(np.zeros(envs.action_space.shape, dtype=np.float32))[0]
        earned.append(float(played["reward"].sum() / envs.num_envs))
        advantage, target = advantages(played)
        acts = played["acts"]
        batch = {key: played[key][acts] for key in ("state", "action", "likelihood")}
        batch |= {"advantage": advantage[acts], "target": target[acts]}
        batch["advantage"] = (batch["advantage"] - batch["advantage"].mean()) / (batch["advantage"].std() + 1e-8)
        rate = 3e-3 if update < updates // 2 else 1e-3
        size = len(batch["state"]) // 4
        for _ in range(4):
            order = random.permutation(len(batch["state"]))
            for part in range(4):
                rows = order[part * size : (part + 1) * size]
                # Batches of one size, so that nothing is compiled twice.
                rows = np.resize(rows, 1 << int(np.log2(max(size, 2))))
                count += 1
                one = {key: values[rows].astype(np.float32) for key, values in batch.items()}
                parameters, moments = improve(parameters, moments, one, np.float32(count), rate)
    return parameters, earned


class Watch:
    """A policy that keeps the popularity of the log before the start."""

    popularity: np.ndarray = np.zeros(0)

    def fit(self, log: Any) -> None:
        Watch.popularity = np.bincount(log.items, minlength=log.n_items).astype(np.float32)

    def recommend(self, observation: Any) -> np.ndarray:
        return np.zeros((len(observation), observation.items), dtype=np.float32)


def compare(scenario: dict[str, Any], data: rm.Dataset, agents: dict[str, Agent], replications: int) -> rm.Result:
    settings = {"replications": replications}
    return rm.run(scenario["path"], data=data, policies=agents, settings=settings)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenario", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", type=Path, help="another copy of the data set")
    parser.add_argument("--seeds", type=int, default=5, choices=sorted(T_95))
    parser.add_argument("--updates", type=int, default=80)
    parser.add_argument("--replications", type=int, default=5)
    arguments = parser.parse_args()
    scenario = tomllib.loads(arguments.scenario.read_text()) | {"path": arguments.scenario}
    data = rm.Dataset.read(arguments.data or arguments.scenario.parent / scenario["data"]["path"])
    arguments.out.mkdir(parents=True, exist_ok=True)
    agents, curves, started = {}, {}, time.time()
    for seed in range(arguments.seeds):
        parameters, curves[seed] = train(scenario, data, seed, arguments.updates)
        agents[f"agent-{seed}"] = Agent(parameters, categories_of(data), scenario["ticks"])
        print(f"seed {seed}: {np.mean(curves[seed][:5]):.2f} accepted a user at first, {np.mean(curves[seed][-5:]):.2f} at last, {time.time() - started:.0f} s", flush=True)
        print({name: round(float(value), 2) for name, value in zip(NAMES, np.asarray(parameters["a2b"]))}, flush=True)
    result = compare(scenario, data, agents, arguments.replications)
    name = arguments.scenario.stem
    whole, late = compare_agents("accepted_per_user", means_of(result, "accepted_per_user")), compare_agents("late", late_of(result))
    found = {"measures": [whole, late], "training": curves, "digest": result.digest}
    (arguments.out / f"{name}.json").write_text(json.dumps(found, indent=1))
    (arguments.out / f"{name}.md").write_text(table(whole, late, scenario["ticks"]))
    result.report(arguments.out / f"{name}.html")
    plot(result, curves, arguments.out / f"{name}.svg")
    print(result)
    for one in (whole, late):
        mean, low, high = one["agent_over"][one["best_myopic"]]
        print(f"{one['measure']}: agent {one['agent'][0]:.4f}, over {one['best_myopic']} {mean:+.4f} [{low:+.4f}, {high:+.4f}]")


if __name__ == "__main__":
    main()
